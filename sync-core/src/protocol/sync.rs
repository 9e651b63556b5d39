//! One round trip: everything a device has, everything it should have.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Verdict};
use super::card::CaseCard;
use super::digest::CarriedDigest;
use super::packed::Packed;
use super::place::Backup;
use crate::access::Role;
use crate::clock::{Stamp, Timestamp};
use crate::domain::kind::Kind;
use crate::envelope::{Sender, Signed};
use crate::guard::Refusal;
use crate::id::{
    CaseId, DeviceId, DocumentId, Epoch, Generation, Hash, Heads, KeyId, OrganisationId, QuarantineId, ServerId,
};

/// The path that a [`SignedRequest`] is posted to.
pub const PATH: &str = "/v1/sync";

/// What a device posts: who it is, and its signature over everything that could be replayed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedRequest {
    /// [`crate::envelope::PROTOCOL`].
    #[n(0)]
    pub protocol: u16,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// The life of its store.
    #[n(2)]
    pub generation: Generation,
    /// Above every counter this store has used before.
    #[n(3)]
    pub counter: u64,
    /// Over [`request_bytes`].
    #[n(4)]
    pub signature: Signed,
    /// A packed [`SyncRequest`].
    #[n(5)]
    pub body: ByteVec,
}

/// The bytes that a device signs for a request.
pub fn request_bytes(server: ServerId, path: &str, body: Hash, generation: Generation, counter: u64) -> Vec<u8> {
    let signed = ("grabrail request 1", crate::envelope::PROTOCOL, server, path, body, generation, counter);
    minicbor::to_vec(signed).unwrap_or_default()
}

/// What a device has to say. What there is nothing of takes no bytes; places that this version does not know are
/// skipped, so that a newer device may hint at more.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// Where its knowledge of the server's news ends; a hint, heads are the truth. `None`: it knows nothing.
    #[n(0)]
    pub cursor: Option<Cursor>,
    /// The device's clock now, so that the server can tell how far off it is.
    #[n(1)]
    pub at: Stamp,
    /// Documents with changes of this device.
    #[n(2)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub pushes: Vec<Push>,
    /// What its person asks; decided after the pushes, in this order, but for an `open_case`, which comes first.
    #[n(3)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub asks: Vec<Ask>,
    /// The proof of what it was told to purge and has purged.
    #[n(4)]
    pub purged: Option<SignedPurge>,
    /// What its person looked at since the last contact, for the audit log.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub reads: Vec<ReadLog>,
    /// What its person chose to carry or not, not yet acknowledged.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Where a caseload that came in parts was cut.
    #[n(7)]
    pub progress: Option<Progress>,
    /// What this device has of the server's, document by document, to compare: sent once the digests differed.
    #[n(8)]
    pub heads: Option<Vec<(DocumentId, Heads)>>,
    /// Whether photos wait.
    #[n(9)]
    #[cbor(default, skip_if = "std::ops::Not::not")]
    pub wants_bearer: bool,
}

impl SyncRequest {
    /// A request with nothing in it.
    pub const fn new(at: Stamp) -> Self {
        Self {
            cursor: None,
            at,
            pushes: Vec::new(),
            asks: Vec::new(),
            purged: None,
            reads: Vec::new(),
            choices: Vec::new(),
            progress: None,
            heads: None,
            wants_bearer: false,
        }
    }

    /// What it says was purged: cases and documents. Nothing unless it says so.
    pub fn purged(&self) -> (&[CaseId], &[DocumentId]) {
        self.purged.as_ref().map_or((&[], &[]), |purged| (&purged.purge.cases, &purged.purge.documents))
    }
}

/// A place in the server's news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Cursor {
    /// The server's life; a cursor of another one is void.
    #[n(0)]
    pub epoch: Epoch,
    /// Everything up to this number is known.
    #[n(1)]
    pub n: i64,
    /// The server's time when rights were last judged for this device, for they begin and end by time. A cursor kept
    /// before there was this place has the beginning of time.
    #[n(2)]
    #[cbor(default)]
    pub at: Timestamp,
}

/// How far a caseload that comes in parts has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Progress {
    /// The place in the server's news at which it began.
    #[n(0)]
    pub n: i64,
    /// Every case up to this one has come; they come in the order of their ids.
    #[n(1)]
    pub after: CaseId,
    /// The server's life: of another one it says nothing. `None`, in what was kept before there was this place, is of none.
    #[n(2)]
    pub epoch: Option<Epoch>,
}

/// Whether a person wants a case on their device that is not theirs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Choice {
    /// The case.
    #[n(0)]
    pub case: CaseId,
    /// Whether.
    #[n(1)]
    pub carry: bool,
}

/// Changes of one document, all by the pushing device, under one signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Push {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The case it belongs to; matters when the server does not know the document yet.
    #[n(1)]
    pub case: CaseId,
    /// Its kind.
    #[n(2)]
    pub kind: Kind,
    /// How often this device had to begin anew in it.
    #[n(3)]
    pub fork: u32,
    /// The heads the changes build on.
    #[n(4)]
    pub base: Heads,
    /// The changes, in an order in which they can be applied, as [`super::packed::Known::push`] unpacks them.
    #[n(5)]
    pub changes: Packed,
    /// The device's signature over the [`crate::envelope::Envelope`] of this: of the changes' hashes, which don't travel.
    #[n(6)]
    pub signature: Signed,
}

/// A push as quarantine keeps it: the changes whole, so that it can be read without its device. A format for ever.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WholePush {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The case.
    #[n(1)]
    pub case: CaseId,
    /// The document's kind.
    #[n(2)]
    pub kind: Kind,
    /// How often the device had begun anew in it.
    #[n(3)]
    pub fork: u32,
    /// The heads the changes build on.
    #[n(4)]
    pub base: Heads,
    /// Raw change chunks; where they could not be unpacked, what came in their place.
    #[n(5)]
    pub changes: Vec<ByteVec>,
    /// The device's signature.
    #[n(6)]
    pub signature: Signed,
}

/// A document its person opened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReadLog {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// When.
    #[n(1)]
    pub at: Stamp,
}

/// What a device purged.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PurgeReceipt {
    #[n(0)]
    tag: String,
    /// The server that ordered it.
    #[n(1)]
    pub server: ServerId,
    /// The device.
    #[n(2)]
    pub device: DeviceId,
    /// The life of its store.
    #[n(3)]
    pub generation: Generation,
    /// When, as the device could tell.
    #[n(4)]
    pub at: Stamp,
    /// Cases of which nothing is left but their receipts.
    #[n(5)]
    pub cases: Vec<CaseId>,
    /// Documents of which nothing is left, in cases that stay.
    #[n(6)]
    pub documents: Vec<DocumentId>,
}

/// The tag that every [`PurgeReceipt`] begins with.
pub const PURGE_TAG: &str = "grabrail purge 1";

impl PurgeReceipt {
    /// That this device has purged these.
    pub fn new(sender: &Sender, at: Stamp, cases: Vec<CaseId>, documents: Vec<DocumentId>) -> Self {
        let Sender { server, device, generation, .. } = *sender;
        Self { tag: PURGE_TAG.to_owned(), server, device, generation, at, cases, documents }
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// A device's proof that it purged what it was told to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedPurge {
    /// What.
    #[n(0)]
    pub purge: PurgeReceipt,
    /// Over [`PurgeReceipt::to_bytes`].
    #[n(1)]
    pub signature: Signed,
}

impl SignedPurge {
    /// Whether it is this device's word, to this server.
    pub fn is_of(&self, sender: &Sender) -> bool {
        let PurgeReceipt { at, cases, documents, .. } = &self.purge;
        PurgeReceipt::new(sender, *at, cases.clone(), documents.clone()) == self.purge
            && sender.key.verifies(&self.purge.to_bytes(), &self.signature)
    }
}

/// Part of what a server answers: its signature over the question, the part's place and the part. A whole answer is
/// one or more of them, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedReply {
    /// [`crate::envelope::PROTOCOL`].
    #[n(0)]
    pub protocol: u16,
    /// The key.
    #[n(1)]
    pub key: KeyId,
    /// Over [`reply_bytes`].
    #[n(2)]
    pub signature: Signed,
    /// A packed [`SyncReply`]: the bodies of all parts are one zstd stream, flushed at the end of each.
    #[n(3)]
    pub body: ByteVec,
    /// Whether this is the last part.
    #[n(4)]
    pub last: bool,
}

/// The bytes that a server signs for a part of a reply; `number` counts the parts from 0.
pub fn reply_bytes(server: ServerId, request: Hash, number: u32, last: bool, body: Hash) -> Vec<u8> {
    let signed = ("grabrail reply 1", crate::envelope::PROTOCOL, server, request, number, last, body);
    minicbor::to_vec(signed).unwrap_or_default()
}

/// What the server has to say, in one part of its reply. What there is nothing of takes no bytes; places that this
/// version does not know are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SyncReply {
    /// The server's life.
    #[n(0)]
    pub epoch: Epoch,
    /// The server's clock.
    #[n(1)]
    pub at: Timestamp,
    /// What is fsynced here, of this request; `None`: it brought nothing to receipt.
    #[n(2)]
    pub receipts: Option<SignedReceipts>,
    /// Pushes that were not taken in.
    #[n(3)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// Answers to asks: to those of this request, and news of earlier ones.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// Cards that are new or have changed.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub cards: Vec<CaseCard>,
    /// What others did.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub documents: Vec<DocumentNews>,
    /// Documents that are new to the device, whole.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// Of what nothing may stay on the device but its receipts.
    #[n(8)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub purge: Vec<Purge>,
    /// Photos the server is waiting for.
    #[n(9)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub photo_wants: Vec<(DocumentId, Hash)>,
    /// Where the device's knowledge now ends; with the last part only.
    #[n(10)]
    pub cursor: Option<Cursor>,
    /// How far whole cases have come with this part; none with the last.
    #[n(11)]
    pub progress: Option<Progress>,
    /// Whether there is more: ask again.
    #[n(12)]
    #[cbor(default, skip_if = "std::ops::Not::not")]
    pub more: bool,
    /// A bearer of minutes for photo bytes, if it was wanted.
    #[n(13)]
    pub photo_bearer: Option<String>,
    /// The sum over what the device should carry once it has taken all of this.
    #[n(14)]
    pub digest: Option<CarriedDigest>,
    /// How many hours the device may go without contact before cases close.
    #[n(15)]
    pub lease_hours: Option<u16>,
    /// Nothing of any case may stay on the device, whatever the server thinks is there, and why: another copy of its
    /// store may have said that all of it was purged.
    #[n(16)]
    pub everything: Option<PurgeReason>,
    /// Who the device's person is by now, unless it knows.
    #[n(17)]
    pub position: Option<Position>,
    /// A backup that was recorded since its cursor.
    #[n(18)]
    pub backup: Option<Backup>,
}

/// What of a person may change after their device was enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// Their role, by which the device judges what they may do.
    #[n(0)]
    pub role: Role,
    /// Their organisation, which every envelope names.
    #[n(1)]
    pub organisation: OrganisationId,
}

impl SyncReply {
    /// A reply with nothing in it.
    pub const fn new(epoch: Epoch, at: Timestamp) -> Self {
        Self {
            epoch,
            at,
            receipts: None,
            refused: Vec::new(),
            verdicts: Vec::new(),
            cards: Vec::new(),
            documents: Vec::new(),
            frames: Vec::new(),
            purge: Vec::new(),
            photo_wants: Vec::new(),
            cursor: None,
            progress: None,
            more: false,
            photo_bearer: None,
            digest: None,
            lease_hours: None,
            everything: None,
            position: None,
            backup: None,
        }
    }

    /// What it orders purged: whole cases, and documents of cases that stay.
    pub fn purges(&self) -> (Vec<CaseId>, Vec<DocumentId>) {
        let cases = self.purge.iter().filter(|purge| purge.document.is_none()).map(|purge| purge.case).collect();
        (cases, self.purge.iter().filter_map(|purge| purge.document).collect())
    }
}

/// News of one document.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DocumentNews {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The case.
    #[n(1)]
    pub case: CaseId,
    /// Its kind.
    #[n(2)]
    pub kind: Kind,
    /// Changes the device may not have, in an order in which they can be applied, as [`super::packed::Known::news`] unpacks them. The
    /// heads on the server follow from them.
    #[n(3)]
    pub changes: Packed,
}

/// A document whole, history and all.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Frame {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The case.
    #[n(1)]
    pub case: CaseId,
    /// Its kind.
    #[n(2)]
    pub kind: Kind,
    /// Its heads on the server.
    #[n(3)]
    pub heads: Heads,
    /// All its changes but its skeleton, as [`super::packed::Known::news`] unpacks them; unpacked when it is first opened.
    #[n(4)]
    pub changes: Packed,
}

/// An order to purge a case, or one document of a case that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Purge {
    /// The case.
    #[n(0)]
    pub case: CaseId,
    /// The document; `None`: the whole case.
    #[n(1)]
    pub document: Option<DocumentId>,
    /// Why.
    #[n(2)]
    pub reason: PurgeReason,
}

/// Why something leaves a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum PurgeReason {
    /// An allocation, commission, duty or assignment ended.
    #[n(0)]
    #[default]
    Ended,
    /// The device was revoked.
    #[n(1)]
    Revoked,
    /// The account was disabled.
    #[n(2)]
    Disabled,
    /// The case was closed.
    #[n(3)]
    Closed,
    /// The account's role or organisation changed.
    #[n(4)]
    Role,
    /// A release or sharing was withdrawn: the document left their reach.
    #[n(5)]
    Withdrawn,
    /// Its person no longer chose to carry it.
    #[n(6)]
    NotChosen,
}

impl std::fmt::Display for PurgeReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ended => "your part in it ended",
            Self::Revoked => "this device was revoked",
            Self::Disabled => "your account was disabled",
            Self::Closed => "the case was closed",
            Self::Role => "your role or organisation changed",
            Self::Withdrawn => "it is no longer shared with you",
            Self::NotChosen => "you no longer carry it",
        })
    }
}

/// A push that was not taken in. Its bytes are kept in quarantine; the device keeps the intentions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// Why.
    #[n(1)]
    pub reason: Refusal,
    /// Where it is kept.
    #[n(2)]
    pub quarantine: Option<QuarantineId>,
}

/// What the server has fsynced.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Receipts {
    #[n(0)]
    tag: String,
    /// The server.
    #[n(1)]
    pub server: ServerId,
    /// Its life.
    #[n(2)]
    pub epoch: Epoch,
    /// When.
    #[n(3)]
    pub at: Timestamp,
    /// Documents, with the last change of the device that is in.
    #[n(4)]
    pub documents: Vec<(DocumentId, Heads)>,
    /// Photos.
    #[n(5)]
    pub photos: Vec<(DocumentId, Hash)>,
    /// Asks.
    #[n(6)]
    pub asks: Vec<crate::id::AskId>,
    /// All of it lies at or before this place in the server's order; `None`: the server did not say.
    #[n(7)]
    pub n: Option<i64>,
}

/// The tag that every list of receipts begins with.
pub const RECEIPTS_TAG: &str = "grabrail receipts 1";

impl Receipts {
    /// An empty list.
    pub fn new(server: ServerId, epoch: Epoch, at: Timestamp) -> Self {
        let tag = RECEIPTS_TAG.to_owned();
        Self { tag, server, epoch, at, documents: Vec::new(), photos: Vec::new(), asks: Vec::new(), n: None }
    }

    /// Whether nothing is receipted.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.photos.is_empty() && self.asks.is_empty()
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// A list of receipts under one signature: the device's proof of what the server took.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedReceipts {
    /// The list.
    #[n(0)]
    pub receipts: Receipts,
    /// The key.
    #[n(1)]
    pub key: KeyId,
    /// Over [`Receipts::to_bytes`].
    #[n(2)]
    pub signature: Signed,
}
