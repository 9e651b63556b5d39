//! One round trip: everything a device has, everything it should have.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Verdict};
use super::card::CaseCard;
use crate::clock::{Stamp, Timestamp};
use crate::domain::kind::Kind;
use crate::envelope::Signed;
use crate::guard::Refusal;
use crate::id::{CaseId, DeviceId, DocumentId, Epoch, Generation, Hash, Heads, KeyId, QuarantineId, ServerId};

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

/// What a device has to say.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SyncRequest {
    /// Where its knowledge of the server's news ends; a hint, heads are the truth. `None`: it knows nothing.
    #[n(0)]
    pub cursor: Option<Cursor>,
    /// The device's clock now, so that the server can tell how far off it is.
    #[n(1)]
    pub at: Stamp,
    /// Documents with changes of this device.
    #[n(2)]
    pub pushes: Vec<Push>,
    /// What its person asks; decided after the pushes, in this order, but for an `open_case`, which comes first.
    #[n(3)]
    pub asks: Vec<Ask>,
    /// Cases it was told to purge and has purged.
    #[n(4)]
    pub purged: Vec<CaseId>,
    /// What its person looked at since the last contact, for the audit log.
    #[n(5)]
    pub reads: Vec<ReadLog>,
    /// Cases its person chose to carry, beside those that are theirs.
    #[n(6)]
    pub carries: Vec<CaseId>,
    /// Documents it was told to purge and has purged, in cases that stay. A request that tells of none reads as those
    /// did that had no place for it.
    #[n(7)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub purged_documents: Vec<DocumentId>,
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
    /// Raw change chunks, in an order in which they can be applied.
    #[n(5)]
    pub changes: Vec<ByteVec>,
    /// The device's signature over the [`crate::envelope::Envelope`] of this.
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

/// What a server answers: its signature over the question and the answer.
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
    /// A packed [`SyncReply`].
    #[n(3)]
    pub body: ByteVec,
}

/// The bytes that a server signs for a reply.
pub fn reply_bytes(server: ServerId, request: Hash, body: Hash) -> Vec<u8> {
    let signed = ("grabrail reply 1", crate::envelope::PROTOCOL, server, request, body);
    minicbor::to_vec(signed).unwrap_or_default()
}

/// What the server has to say.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SyncReply {
    /// The server's life.
    #[n(0)]
    pub epoch: Epoch,
    /// The server's clock.
    #[n(1)]
    pub at: Timestamp,
    /// What is fsynced here, of this request.
    #[n(2)]
    pub receipts: SignedReceipts,
    /// Pushes that were not taken in.
    #[n(3)]
    pub refused: Vec<Refused>,
    /// Answers to asks: to those of this request, and news of earlier ones.
    #[n(4)]
    pub verdicts: Vec<Verdict>,
    /// Cards that are new or have changed.
    #[n(5)]
    pub cards: Vec<CaseCard>,
    /// What others did.
    #[n(6)]
    pub documents: Vec<DocumentNews>,
    /// Cases of which nothing may stay on the device but its receipts.
    #[n(7)]
    pub purge: Vec<CaseId>,
    /// Documents of which nothing may stay, in cases that stay.
    #[n(8)]
    pub purge_documents: Vec<DocumentId>,
    /// Photos the server is waiting for.
    #[n(9)]
    pub photo_wants: Vec<(DocumentId, Hash)>,
    /// Where the device's knowledge now ends.
    #[n(10)]
    pub cursor: Cursor,
    /// Whether there is more: ask again.
    #[n(11)]
    pub more: bool,
    /// A bearer of minutes for photo bytes.
    #[n(12)]
    pub photo_bearer: String,
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
    /// Raw change chunks the device may not have, in an order in which they can be applied.
    #[n(3)]
    pub changes: Vec<ByteVec>,
    /// The heads on the server.
    #[n(4)]
    pub heads: Heads,
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
}

/// The tag that every list of receipts begins with.
pub const RECEIPTS_TAG: &str = "grabrail receipts 1";

impl Receipts {
    /// An empty list.
    pub fn new(server: ServerId, epoch: Epoch, at: Timestamp) -> Self {
        let tag = RECEIPTS_TAG.to_owned();
        Self { tag, server, epoch, at, documents: Vec::new(), photos: Vec::new(), asks: Vec::new() }
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
