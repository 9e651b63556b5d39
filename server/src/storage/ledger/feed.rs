//! What a device's feed reads: what it carries, and what is new of it.

use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DeviceId, DocumentId, Epoch, Hash};
use sync_core::protocol::CarriedDigest;
use sync_core::protocol::sync::PurgeReason;

use super::{ChangeRow, Number};

/// The place of what a device carries but was told to purge: it lies behind every cursor, so that should the right come
/// back before the device says that it purged, all of it is sent whole.
pub const WITHHELD: Number = Number::MAX;

/// That a device has been sent a document (or, with no document, a case's card) whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CarryRow {
    /// The device.
    pub device: DeviceId,
    /// The case.
    pub case: CaseId,
    /// The document; `None`: the case's card.
    pub document: Option<DocumentId>,
    /// The place in the ledger at which it was sent: a device whose cursor is before it has not acknowledged it. Or
    /// [`WITHHELD`].
    pub n: Number,
}

/// What a device carries, with what its feed needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// What, and where it was sent.
    pub row: CarryRow,
    /// Where it last became news: for a card the last touch of its case, for a document the last change by another
    /// device. 0: never since it is carried.
    pub touched: Number,
    /// For a card: the hash of its bytes as it was last sent.
    pub shown: Option<Hash>,
    /// While it is [`WITHHELD`]: why.
    pub reason: Option<PurgeReason>,
}

/// That everything up to a place in the ledger is in a backup off this machine: rows, and the bytes of photos. Of each
/// life of the server the newest is known. Nothing of the server makes one yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupRow {
    /// Of which life of the server.
    pub epoch: Epoch,
    /// Up to which place.
    pub up_to: Number,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// When it was recorded.
    pub at: Timestamp,
}

/// From where on a device wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// Behind this place; -1: from the beginning, with all that was never news since.
    pub n: Number,
    /// Rights that began or ended between this time and now.
    pub at: Timestamp,
}

/// What may concern a device, all of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Where the ledger ends: nothing below it is still to come.
    pub end: Number,
    /// What it carries that was sent or touched since, or is to be purged; by case, cards first.
    pub carried: Vec<Carried>,
    /// The cases to which its person's tie was written since, or began or ended meanwhile.
    pub tied: Vec<CaseId>,
    /// Whether something its person asked was decided since.
    pub decided: bool,
    /// The sum over the documents it carries and is not to purge, as the ledger keeps it.
    pub digest: CarriedDigest,
    /// The place at which its person's account last changed, where accounts are kept beside the ledger.
    pub account: Option<Number>,
    /// What was recorded of backups since, by the life of the server.
    pub backups: Vec<BackupRow>,
}

/// What others wrote for a device since its cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Changes of documents the device carries, by other devices, in the ledger's order.
    pub changes: Vec<ChangeRow>,
    /// Where the ledger ends: everything up to here is in this news, unless `more`.
    pub until: Number,
    /// Whether the page was full: `until` is then the last change's place, and there is more behind it.
    pub more: bool,
}

/// From how many bytes of changes on, as they were written, a page of news ends, however few they are.
const PAGE_BYTES: usize = 8 << 20;

/// A page of news while it is filled.
#[derive(Debug, Default)]
pub(super) struct Page {
    count: usize,
    bytes: usize,
    /// The place of the last change on it.
    pub(super) last: Number,
}

impl Page {
    /// Whether the next change still goes on a page of `most`: one ends between plans only, or no number could say where.
    pub(super) fn takes(&mut self, n: Number, bytes: usize, most: usize) -> bool {
        // A page of nothing would never end.
        let full = self.count >= most.max(1) || self.bytes >= PAGE_BYTES;
        if full && n > self.last {
            return false;
        }
        (self.count, self.bytes, self.last) = (self.count + 1, self.bytes.saturating_add(bytes), n);
        true
    }
}
