//! What was set aside: whole, and as a list tells of it.

use sync_core::clock::Timestamp;
use sync_core::guard::Refusal;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, QuarantineId};
use sync_core::protocol::sync::WholePush;

/// A push that was not taken in, or came too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its id.
    pub quarantine: QuarantineId,
    /// The case the device named.
    pub case: CaseId,
    /// The document the device named.
    pub document: DocumentId,
    /// The device.
    pub device: DeviceId,
    /// The person.
    pub account: AccountId,
    /// When it came.
    pub at: Timestamp,
    /// Why it is here.
    pub reason: Refusal,
    /// The push as it came (CBOR of [`sync_core::protocol::sync::WholePush`]).
    pub push: Vec<u8>,
}

impl QuarantineRow {
    /// How many changes were pushed.
    pub fn changes(&self) -> usize {
        pushed(&self.push)
    }
}

/// What a list tells of a [`QuarantineRow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideRow {
    /// Its id.
    pub quarantine: QuarantineId,
    /// The case the device named.
    pub case: CaseId,
    /// The document the device named.
    pub document: DocumentId,
    /// The person.
    pub account: AccountId,
    /// When it came.
    pub at: Timestamp,
    /// Why it is here.
    pub reason: Refusal,
    /// How many changes were pushed.
    pub changes: usize,
}

/// How many changes are in a push as quarantine keeps it.
pub(super) fn pushed(push: &[u8]) -> usize {
    minicbor::decode::<WholePush>(push).map_or(0, |push| push.changes.len())
}
