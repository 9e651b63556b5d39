//! What is to be written: whole, in one transaction, or not at all.

use sync_core::clock::Timestamp;
use sync_core::domain::signoff::SignedStanding;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Hash, Heads};
use sync_core::protocol::sync::{Choice, PurgeReason};

use super::{
    AskRow, BackupRow, CarryRow, CaseRow, CommissionRow, DocumentRow, PhotoRow, PrescriptionRow, PurgeRow,
    QuarantineRow, RelationRow, SignOffRow, SignedRow,
};
use crate::storage::StorageError;
use crate::storage::audit::{By, Done};

/// One thing to write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a plan has few writes, and each is moved once")]
pub enum Write {
    /// A case's row as it shall be; `version` is the one it stands at, 0 for a new one, and becomes one more. Touches
    /// it.
    Case(CaseRow),
    /// A relation begins, or its end is set anew: the row is found by (account, case, relation). The version of the
    /// case becomes one more. Touches the case.
    Relation(RelationRow),
    /// A commission begins or its end is set anew.
    Commission(CommissionRow),
    /// A document begins. Its version is 0 and its heads those of the skeleton. Touches the case.
    Document(DocumentRow),
    /// Changes are taken into a document that stands at `version`, which becomes `version + 1`.
    Append {
        /// The document.
        document: DocumentId,
        /// Its case.
        case: CaseId,
        /// The version that the guard saw.
        version: i64,
        /// The device.
        device: DeviceId,
        /// The person.
        account: AccountId,
        /// What was signed (bytes of the envelope) and the signature.
        envelope: (Vec<u8>, Vec<u8>),
        /// The new changes with their hashes, in order.
        changes: Vec<(Hash, Vec<u8>)>,
        /// The heads with them.
        heads: Heads,
        /// The document saved with them.
        snapshot: Vec<u8>,
        /// When, by the server's clock.
        at: Timestamp,
    },
    /// All changes of a document as it stood at `version`, packed: a cache. One of a later version stays.
    Frame {
        /// The document.
        document: DocumentId,
        /// Its case.
        case: CaseId,
        /// The version.
        version: i64,
        /// The changes.
        packed: Vec<u8>,
    },
    /// Somebody becomes a co-author. Touches the case.
    Author {
        /// The document.
        document: DocumentId,
        /// Its case.
        case: CaseId,
        /// Who.
        account: AccountId,
    },
    /// A prescription's row as it shall be; `version` is the one it stands at, 0 for a new one, and becomes one more.
    /// A new one makes the version of its case one more: whoever decides on all there are notices it. Touches the case.
    Prescription(PrescriptionRow),
    /// Somebody signed a submitted version. Touches the case.
    SignOff(SignOffRow),
    /// A new signed version. Touches the case.
    Signed(SignedRow),
    /// What became of a signed version. Touches the case.
    Standing {
        /// The prescription.
        document: DocumentId,
        /// Its case.
        case: CaseId,
        /// Which signed version.
        number: u32,
        /// What became of it.
        standing: SignedStanding,
    },
    /// Something is set aside.
    Quarantine(QuarantineRow),
    /// An ask was decided; its `n` is given by the ledger. Touches the case if its cards show it.
    Ask(AskRow),
    /// A photo has arrived. Once is enough; a second time changes nothing. Touches the case.
    Photo(PhotoRow),
    /// A device was sent something whole; its `n` is given by the ledger: that of this plan.
    Carry(CarryRow),
    /// A device was sent a case's card of these bytes' hash; carried as by [`Write::Carry`].
    Card {
        /// The device.
        device: DeviceId,
        /// The case.
        case: CaseId,
        /// The hash of the card's bytes.
        shown: Hash,
    },
    /// A device is told to purge a case, or one document of it: what it carries of it is [`super::WITHHELD`].
    Withhold {
        /// The device.
        device: DeviceId,
        /// The case.
        case: CaseId,
        /// One document of it; `None`: everything.
        document: Option<DocumentId>,
        /// Why; what is withheld already keeps the reason it has.
        reason: PurgeReason,
    },
    /// A device has purged a case, or one document of it.
    Uncarry {
        /// The device.
        device: DeviceId,
        /// The case.
        case: CaseId,
        /// One document of it; `None`: everything.
        document: Option<DocumentId>,
    },
    /// What a device carries is summed anew, from its rows: the running sum was found to be another.
    Resum(DeviceId),
    /// The person of a device chose to carry a case, or not to.
    Choose {
        /// The device.
        device: DeviceId,
        /// The case, and whether.
        choice: Choice,
    },
    /// A backup was made. One that would hold what is not in the ledger yet, or less than the one known of its life of
    /// the server, is refused as [`CommitError::Moved`].
    Backup(BackupRow),
    /// A device's word that it purged. The same word again changes nothing.
    Purged(PurgeRow),
    /// Something a card of this case shows has changed elsewhere.
    Touch(CaseId),
    /// What documents of this case say has changed: touches it if its cards show any of that, which is a released home,
    /// or whether something has changed since a version was signed.
    TouchShown(CaseId),
    /// What a device brought counts towards its day (UTC). If that makes it more than `most`, the plan is not written:
    /// [`CommitError::DayFull`].
    Brought {
        /// The device.
        device: DeviceId,
        /// How many bytes.
        bytes: u64,
        /// When, by the server's clock.
        at: Timestamp,
        /// The most bytes of a day.
        most: u64,
    },
    /// What somebody asks at the API counts towards their day (UTC), as [`Write::Brought`] does towards a device's.
    Asked {
        /// Who.
        account: AccountId,
        /// How many bytes.
        bytes: u64,
        /// When, by the server's clock.
        at: Timestamp,
        /// The most bytes of a day.
        most: u64,
    },
    /// Nothing is written but an entry of the audit log, of what no other write tells: a reading, a refusal to show.
    Act(Done),
    /// Nothing is written, but the plan rests on this standing at this version.
    Expect {
        /// What was looked at.
        of: Counted,
        /// The version that it had.
        version: i64,
    },
}

/// What counts its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A case, with who is tied to it.
    Case(CaseId),
    /// A document.
    Document(DocumentId),
    /// Where a prescription stands, with its signed versions.
    Prescription(DocumentId),
}

/// What to write in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Who is behind it, for the audit log.
    pub by: By,
    /// In this order.
    pub writes: Vec<Write>,
}

/// Why a plan was not written; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A case, document or prescription that it rests on has moved, or the ask id, case reference or document id is taken:
    /// look again and decide again.
    #[error("something this rests on has changed meanwhile")]
    Moved,
    /// A device would have brought, or a person asked, more than they may in a day: it goes through tomorrow.
    #[error("as much as may be in a day was brought")]
    DayFull,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
