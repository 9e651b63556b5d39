//! Refusals, and what they leave for the person to read.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::clock::Stamp;
use crate::domain::edit::Edit;
use crate::guard::Refusal;
use crate::id::{CaseId, DocumentId, Hash, Key, QuarantineId};

/// A refusal by the guard.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(in crate::device) struct RefusedRow {
    /// Why.
    #[n(0)]
    pub(in crate::device) reason: Refusal,
    /// Where the server keeps what it did not take in.
    #[n(1)]
    pub(in crate::device) quarantine: Option<QuarantineId>,
    /// The change that the server named, where it named one.
    #[n(2)]
    #[cbor(default)]
    pub(in crate::device) change: Option<Hash>,
}

/// Something a person did in a document that is not in it: the server refused it, or it rests on what was refused. It is
/// kept until they have seen it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RefusedWork {
    /// The change that it was: what it is called by.
    #[n(0)]
    pub change: Hash,
    /// The document.
    #[n(1)]
    pub document: DocumentId,
    /// The case.
    #[n(2)]
    pub case: CaseId,
    /// Why it is not in the document.
    #[n(3)]
    pub reason: Refusal,
    /// Where the server keeps it too.
    #[n(4)]
    pub quarantine: Option<QuarantineId>,
    /// What was typed.
    #[n(5)]
    pub edits: Vec<Edit>,
    /// The first of the keys that it took; the others follow it.
    #[n(6)]
    pub first_key: Option<Key>,
    /// When it was done.
    #[n(7)]
    pub at: Stamp,
}
