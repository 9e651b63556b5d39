//! What the device can't do, named by what its user can do about it.

use super::link::LinkError;
use super::photo::PhotoError;
use super::store::StoreError;
use crate::domain::document::Unreadable;
use crate::domain::finding::Finding;
use crate::domain::fit::Unfit;
use crate::guard::Refusal;
use crate::id::{CaseId, DocumentId, Hash, Key};
use crate::protocol::enrolment::BadEnrolment;

/// Why the device did not do what was asked. Whatever it is, nothing typed before was lost.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The store: a wrong key, in use, a full disk, damage.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device belongs to nobody yet.
    #[error("this device is not enrolled: ask an administrator for a code")]
    NotEnrolled,
    /// It belongs to somebody already.
    #[error("this store is enrolled already, as the device of {0}")]
    AlreadyEnrolled(String),
    /// A stopped device is enrolled anew for the same person only: what is on it is theirs.
    #[error("this is the device of {of}, and the code is one of {code_of}: ask for a code of {of}")]
    OtherPerson {
        /// Whose it is.
        of: String,
        /// Whose code it was.
        code_of: String,
    },
    /// The enrolment text.
    #[error(transparent)]
    Enrolment(#[from] BadEnrolment),
    /// Whoever answered is not the server that the enrolment text names.
    #[error("the server that answered is not the one this enrolment text names: nothing was told to it")]
    OtherServer,
    /// No case of this id is on the device.
    #[error("there is no case {0} on this device")]
    NoSuchCase(CaseId),
    /// It is theirs, and not chosen: it can't be chosen away.
    #[error("case {0} is on this device by your part in it: it stays until that ends")]
    OwnCase(CaseId),
    /// No document of this id is on the device.
    #[error("there is no document {0} on this device")]
    NoSuchDocument(DocumentId),
    /// The document holds no such record.
    #[error("there is no {what} {key} in this document")]
    NoSuchRecord {
        /// What was looked for.
        what: &'static str,
        /// Its key.
        key: Key,
    },
    /// No photo of this hash is known here.
    #[error("there is no photo {0} in this document")]
    NoSuchPhoto(Hash),
    /// A document that this program can't read; the rest goes on.
    #[error("this document was set aside: {0}")]
    SetAside(String),
    /// What this device typed before it was enrolled anew is not in the document as it reads here until it was done again.
    #[error("some work in this document waits to be done again: sync first")]
    WaitsForSync,
    /// The server was not heard from for too long: cases that are not open already stay closed until it is.
    #[error("this device was offline for too long: connect to the server once, and its cases open again")]
    LeaseOver,
    /// Something in the document does not read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What was to be recorded does not fit the document.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The guard would refuse the change on the server.
    #[error(transparent)]
    Refused(Refusal),
    /// The person may not do this.
    #[error("your role or your part in this case does not allow this")]
    NotAllowed,
    /// Findings stand in the way.
    #[error("{}", in_the_way(.0))]
    Findings(Vec<Finding>),
    /// There is nothing to send or to decide on yet.
    #[error("{0}")]
    NothingThere(&'static str),
    /// The photo.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// A file that was to be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the machine said.
        error: std::io::Error,
    },
    /// The way to the server.
    #[error(transparent)]
    Link(#[from] LinkError),
}

fn in_the_way(findings: &[Finding]) -> String {
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    format!("this has to be put right first: {}", list.join("; "))
}
