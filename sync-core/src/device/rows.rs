//! What the device keeps, as typed rows on the store's shelves. Each is CBOR with numbered places, a format for ever:
//! a place, once used, keeps its meaning.

#[cfg(test)]
mod golden;
mod notice;
mod refused;
mod shelves;

use ed25519_dalek::SigningKey;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use serde::Serialize;

pub use self::notice::Notice;
pub(super) use self::notice::NoticeRow;
pub(super) use self::refused::RefusedRow;
pub use self::refused::RefusedWork;
pub(super) use self::shelves::{Reader, Writer, from_bytes, off_thread, to_bytes};
use super::heads::Carried;
use super::lease::Contacted;
use crate::access::Role;
use crate::clock::{Stamp, Timestamp};
use crate::domain::edit::Edit;
use crate::domain::kind::Kind;
use crate::engine::Identity;
use crate::envelope::{PublicKey, Sender};
use crate::id::{
    AccountId, CaseId, DeviceId, DocumentId, Epoch, Generation, Hash, Heads, Key, KeyId, OrganisationId, ServerId,
};
use crate::protocol::sync::{Cursor, Progress, Purge};
use crate::protocol::{Ask, Packed, Place, Verdict};

/// The groups of rows by name, as much a format as the rows themselves. What belongs to a document lies in a group
/// named by its id.
pub(super) mod group {
    /// Single facts.
    pub(in crate::device) const META: &[u8] = b"meta";
    /// Case cards.
    pub(in crate::device) const CARDS: &[u8] = b"cards";
    /// Documents' snapshots.
    pub(in crate::device) const SNAPSHOTS: &[u8] = b"snapshots";
    /// What is asked and waits.
    pub(in crate::device) const ASKS: &[u8] = b"asks";
    /// What was asked, with its verdict.
    pub(in crate::device) const ASKED: &[u8] = b"asked";
    /// News for the person.
    pub(in crate::device) const NOTICES: &[u8] = b"notices";
    /// What was opened.
    pub(in crate::device) const READS: &[u8] = b"reads";
    /// Work that the server refused, or that could not be done again without it.
    pub(in crate::device) const REFUSED: &[u8] = b"refused";
    /// The server's signed receipts.
    pub(in crate::device) const RECEIPTS: &[u8] = b"receipts";
}

/// Who this device is, whose, and of which server.
#[derive(Clone, Encode, Decode)]
pub(super) struct Enrolment {
    #[n(0)]
    pub(super) url: String,
    #[n(1)]
    pub(super) server: ServerId,
    #[n(2)]
    pub(super) reply_key_id: KeyId,
    #[n(3)]
    pub(super) reply_key: PublicKey,
    #[n(4)]
    pub(super) device: DeviceId,
    #[n(5)]
    pub(super) number: u32,
    #[n(6)]
    pub(super) account: AccountId,
    #[n(7)]
    pub(super) full_name: String,
    #[n(8)]
    pub(super) role: Role,
    #[n(9)]
    pub(super) organisation: OrganisationId,
    #[n(10)]
    pub(super) authority: String,
    #[n(11)]
    pub(super) secret: ByteArray<32>,
    #[n(12)]
    pub(super) generation: Generation,
    #[n(13)]
    pub(super) name: String,
}

impl Enrolment {
    /// Who signs, and whose signature counts.
    pub(super) fn identity(&self) -> Identity {
        let key = SigningKey::from_bytes(&self.secret);
        let sender = Sender {
            server: self.server,
            organisation: self.organisation,
            device: self.device,
            generation: self.generation,
            account: self.account,
            key: PublicKey::from(&key),
            number: self.number,
        };
        Identity { sender, key, reply_key_id: self.reply_key_id, reply_key: self.reply_key }
    }
}

/// An enrolment on its way: the same key is offered again when the reply was lost.
#[derive(Clone, Encode, Decode)]
pub(super) struct Enrolling {
    #[n(0)]
    pub(super) text: String,
    #[n(1)]
    pub(super) secret: ByteArray<32>,
    #[n(2)]
    pub(super) generation: Generation,
}

/// What counts up and never back.
#[derive(Clone, Copy, Default, Encode, Decode)]
pub(super) struct Counters {
    /// The last request's.
    #[n(0)]
    pub(super) request: u64,
    /// The last key's made in a document.
    #[n(1)]
    pub(super) key: u32,
}

/// The last contact with the server.
#[derive(Clone, Encode, Decode)]
pub(super) struct Contact {
    #[n(0)]
    pub(super) epoch: Epoch,
    /// The server's clock then.
    #[n(1)]
    pub(super) at: Timestamp,
    /// Device clock minus server clock, in milliseconds.
    #[n(2)]
    pub(super) offset: i64,
}

/// A request whose reply has not come: these very bytes are sent again.
#[derive(Clone, Encode, Decode)]
pub(super) struct Pending {
    #[n(0)]
    pub(super) bytes: ByteVec,
    /// Rows of the outbox that it carries.
    #[n(1)]
    pub(super) outbox: Vec<i64>,
    /// Rows of the read log that it carries.
    #[n(2)]
    pub(super) reads: Vec<i64>,
    /// Purges that it reports.
    #[n(3)]
    pub(super) purged: Vec<CaseId>,
    // Place 4 told, until nobody asked any more, whether more waited than one request takes: never to be used again.
    /// Purges of single documents that it reports.
    #[n(5)]
    #[cbor(default)]
    pub(super) purged_documents: Vec<DocumentId>,
    /// Whether it asks for a bearer for photos.
    #[n(6)]
    #[cbor(default, skip_if = "std::ops::Not::not")]
    pub(super) wants_bearer: bool,
    /// Cases that it says are no longer to be carried.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub(super) dropped: Vec<CaseId>,
}

/// A document on this device.
#[derive(Clone, Encode, Decode)]
pub(super) struct DocumentRow {
    #[n(0)]
    pub(super) document: DocumentId,
    #[n(1)]
    pub(super) case: CaseId,
    #[n(2)]
    pub(super) kind: Kind,
    /// Whether its id was minted here.
    #[n(3)]
    pub(super) minted: bool,
    /// How often this device had to begin anew in it.
    #[n(4)]
    pub(super) fork: u32,
    /// The heads of what the server has of it, as far as this device knows: without its own unsent changes.
    #[n(5)]
    pub(super) server_heads: Heads,
    /// Up to which of this device's changes the server has it.
    #[n(6)]
    pub(super) receipted: Heads,
    /// Why the server did not take this device's changes.
    #[n(7)]
    pub(super) refused: Option<RefusedRow>,
    /// Why it can't be read.
    #[n(8)]
    pub(super) set_aside: Option<String>,
    /// How many changes lie on the shelf.
    #[n(9)]
    pub(super) changes: u32,
    /// Whether the server gave it, so that it counts in the sum of what is carried.
    #[n(10)]
    #[cbor(default)]
    pub(super) given: bool,
    /// Whether its changes go up one by one, so that the server can say which one it does not take.
    #[n(11)]
    #[cbor(default)]
    pub(super) singly: bool,
    /// How often its changes were made anew for their form since the server last took one.
    #[n(12)]
    #[cbor(default)]
    pub(super) fruitless: u8,
    /// Where in the server's order all of it lies that the server is known to have, at the latest.
    #[n(13)]
    #[cbor(default)]
    pub(super) place: Option<Place>,
}

impl DocumentRow {
    pub(super) const fn new(document: DocumentId, case: CaseId, kind: Kind, minted: bool) -> Self {
        Self {
            document,
            case,
            kind,
            minted,
            fork: 0,
            server_heads: Vec::new(),
            receipted: Vec::new(),
            refused: None,
            set_aside: None,
            changes: 0,
            given: false,
            singly: false,
            fruitless: 0,
            place: None,
        }
    }
}

/// A document that came whole: what the changes on the shelf are applied to.
#[derive(Encode, Decode)]
pub(super) struct Base {
    /// The heads it was saved at.
    #[n(0)]
    pub(super) heads: Heads,
    /// As Automerge saved it; nothing since documents come as their changes.
    #[n(1)]
    pub(super) saved: ByteVec,
    /// All its changes but its skeleton.
    #[n(2)]
    #[cbor(default)]
    pub(super) changes: Option<Packed>,
}

/// A document's saved state up to a change on the shelf: a cache, rebuilt from the changes.
#[derive(Encode, Decode)]
pub(super) struct Snapshot {
    #[n(0)]
    pub(super) bytes: ByteVec,
    /// The number of the last change in it.
    #[n(1)]
    pub(super) up_to: i64,
}

/// One change, as it came or was made.
#[derive(Clone, Encode, Decode)]
pub(super) struct ChangeRow {
    #[n(0)]
    pub(super) hash: Hash,
    #[n(1)]
    pub(super) bytes: ByteVec,
}

/// The changes themselves.
pub(super) fn bytes_of(rows: &[ChangeRow]) -> Vec<&[u8]> {
    rows.iter().map(|row| row.bytes.as_slice()).collect()
}

/// Something that waits for the server.
#[derive(Clone, Encode, Decode)]
pub(super) enum OutboxRow {
    /// A change of this device's, with what it was meant to do.
    #[n(0)]
    Change(#[n(0)] OutboxChange),
    /// Something asked.
    #[n(1)]
    Ask(#[n(0)] OutboxAsk),
}

/// A change that has no receipt yet.
#[derive(Clone, Encode, Decode)]
pub(super) struct OutboxChange {
    #[n(0)]
    pub(super) document: DocumentId,
    #[n(1)]
    pub(super) case: CaseId,
    #[n(2)]
    pub(super) hash: Hash,
    /// Its number on [`Shelf::Change`].
    #[n(3)]
    pub(super) change: i64,
    #[n(4)]
    pub(super) fork: u32,
    /// The heads that it builds on.
    #[n(5)]
    pub(super) base: Heads,
    /// The intentions, kept until the receipt is in.
    #[n(6)]
    pub(super) edits: Vec<Edit>,
    /// The first of the keys that the intentions took; the others follow it.
    #[n(7)]
    pub(super) first_key: Option<Key>,
    #[n(8)]
    pub(super) at: Stamp,
    /// Whether a reply to a request with it has come.
    #[n(9)]
    pub(super) sent: bool,
}

/// An ask that has no verdict yet.
#[derive(Clone, Encode, Decode)]
pub(super) struct OutboxAsk {
    #[n(0)]
    pub(super) ask: Ask,
    /// Whether the server has it and will decide.
    #[n(1)]
    pub(super) received: bool,
}

impl Base {
    pub(super) fn of(heads: Heads, changes: Packed) -> Self {
        Self { heads, saved: Vec::new().into(), changes: Some(changes) }
    }

    pub(super) fn key(document: DocumentId) -> Vec<u8> {
        [b"base", &document.as_bytes()[..]].concat()
    }
}

impl Snapshot {
    pub(super) fn key(document: DocumentId) -> Vec<u8> {
        [b"snapshot", &document.as_bytes()[..]].concat()
    }
}

impl ChangeRow {
    pub(super) fn key(document: DocumentId, hash: Hash) -> Vec<u8> {
        [&document.as_bytes()[..], hash.as_bytes()].concat()
    }
}

impl OutboxRow {
    pub(super) fn case(&self) -> CaseId {
        match self {
            Self::Change(change) => change.case,
            Self::Ask(ask) => ask.ask.case,
        }
    }

    /// The document that it changes, or is about.
    pub(super) fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Change(change) => Some(change.document),
            Self::Ask(ask) => ask.ask.request.document(),
        }
    }

    /// Where it lies on the shelf.
    pub(super) fn group(&self) -> Vec<u8> {
        match self {
            Self::Change(change) => change.document.as_bytes().to_vec(),
            Self::Ask(_) => group::ASKS.to_vec(),
        }
    }

    /// The key under which it lies.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Change(change) => [&change.document.as_bytes()[..], change.hash.as_bytes()].concat(),
            Self::Ask(ask) => ask.ask.id.as_bytes().to_vec(),
        }
    }
}

/// How safe the bytes of a photo, or a change, are: three states, each said only of what is proven here. Nothing is
/// evicted from a device for being in one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum Kept {
    /// On this device and nowhere else.
    #[n(0)]
    OnThisDevice,
    /// The server has it: its signed receipt is here.
    #[n(1)]
    ServerHas,
    /// The server has it, and so has a backup off the server's machine, which it told of with the backup's digest. This
    /// follows from places ([`Backed`]) and is not kept by itself; the server makes no backups yet.
    #[n(2)]
    BackedUp,
}

/// A photo on this device.
#[derive(Clone, Encode, Decode)]
pub(super) struct PhotoRow {
    #[n(0)]
    pub(super) document: DocumentId,
    #[n(1)]
    pub(super) case: CaseId,
    #[n(2)]
    pub(super) hash: Hash,
    #[n(3)]
    pub(super) bytes: u32,
    #[n(4)]
    pub(super) kept: Kept,
    /// The change that recorded it; `None`: fetched from the server.
    #[n(5)]
    pub(super) recorded_by: Option<Hash>,
    /// Where in the server's order its receipt is, at the latest; `None`: it has none.
    #[n(6)]
    #[cbor(default)]
    pub(super) place: Option<Place>,
}

impl PhotoRow {
    pub(super) fn key(document: DocumentId, hash: Hash) -> Vec<u8> {
        [&document.as_bytes()[..], hash.as_bytes()].concat()
    }
}

/// A verdict as it is kept, beside what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct AskedRow {
    /// What was asked.
    #[n(0)]
    pub ask: Ask,
    /// What was decided; `None`: nothing yet.
    #[n(1)]
    pub verdict: Option<Verdict>,
}

/// A document that was opened.
#[derive(Clone, Encode, Decode)]
pub(super) struct ReadRow {
    #[n(0)]
    pub(super) document: DocumentId,
    #[n(1)]
    pub(super) at: Stamp,
}

/// A single fact: its key on [`Shelf::Meta`] and its type.
pub(super) trait Single: for<'b> Decode<'b, ()> + Encode<()> {
    const KEY: &'static [u8];
}

macro_rules! singles {
    ($($name:ty = $key:literal;)*) => {
        #[cfg(test)]
        const SINGLES: &[&[u8]] = &[$($key),*];

        $(impl Single for $name {
            const KEY: &'static [u8] = $key;
        })*
    };
}

/// A single fact that is a list, each thing in it once.
pub(super) trait List: Single + Default {
    type Item: PartialEq;

    fn items(&mut self) -> &mut Vec<Self::Item>;
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident($of:ty) = $key:literal;)*) => {
        #[cfg(test)]
        const LISTS: &[&[u8]] = &[$($key),*];

        $(
        $(#[$doc])*
        #[derive(Default, Encode, Decode)]
        pub(super) struct $name(#[n(0)] pub(super) Vec<$of>);

        impl Single for $name {
            const KEY: &'static [u8] = $key;
        }

        impl List for $name {
            type Item = $of;

            fn items(&mut self) -> &mut Vec<$of> {
                &mut self.0
            }
        })*
    };
}

singles! {
    Enrolment = b"enrolment";
    Enrolling = b"enrolling";
    Counters = b"counters";
    Contact = b"contact";
    Pending = b"pending";
    Cursor = b"cursor";
    Progress = b"progress";
    Bearer = b"bearer";
    Carried = b"carried";
    Stopped = b"stopped";
    Anew = b"anew";
    Contacted = b"contacted";
    Backed = b"backed";
}

lists! {
    /// Cases that were purged, until the server knows.
    Purged(CaseId) = b"purged";
    /// Cases that are to be purged once what was typed in them is handed in.
    Purging(CaseId) = b"purging";
    /// Documents that were purged, until the server knows.
    PurgedDocuments(DocumentId) = b"purged-documents";
    /// Documents that are to be purged once what was typed in them is handed in.
    PurgingDocuments(DocumentId) = b"purging-documents";
    /// The orders to purge that wait for this, with their reasons.
    Orders(Purge) = b"orders";
    /// Cases chosen to be carried.
    Carries(CaseId) = b"carries";
    /// Cases chosen no longer to be carried, until the server knows.
    Dropped(CaseId) = b"dropped";
    /// Cases that were here when the device was enrolled anew, and whose card has not come since.
    Unconfirmed(CaseId) = b"unconfirmed";
    /// Photos that the server waits for.
    Wants((DocumentId, Hash)) = b"wants";
}

/// The server stopped this device: a copy of its store has spoken.
#[derive(Encode, Decode)]
pub(super) struct Stopped(#[n(0)] pub(super) bool);

/// The device was enrolled anew: once the server has told all it has, what it does not have is done again.
#[derive(Encode, Decode)]
pub(super) struct Anew(#[n(0)] pub(super) bool);

/// The newest backup that the server told of, in its present life.
#[derive(Encode, Decode)]
pub(super) struct Backed {
    /// Everything up to here is in it.
    #[n(0)]
    pub(super) place: Place,
    /// SHA-256 of its bytes.
    #[n(1)]
    pub(super) digest: Hash,
}

impl Backed {
    /// How safe something is that the server has, at or before a place.
    pub(super) fn how_safe(backed: Option<&Self>, place: Option<Place>) -> Kept {
        let reaches = place.zip(backed).is_some_and(|(place, backed)| backed.place.reaches(place));
        if reaches { Kept::BackedUp } else { Kept::ServerHas }
    }
}

/// The bearer for photo bytes.
#[derive(Encode, Decode)]
pub(super) struct Bearer(#[n(0)] pub(super) String);
