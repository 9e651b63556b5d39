//! The device's half of the conversation, without IO, clock or chance: what waits becomes a signed request; each signed
//! part of its reply becomes a list of [`Effect`]s, which the device applies in one transaction.
//!
//! A request is made once. Until its reply is in, the same bytes are sent again: the server knows them by their counter
//! and digest and answers again, so a lost reply costs nothing and repeats nothing.

mod reply;
#[cfg(test)]
mod tests;
mod waits;
mod writer;

use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

pub use self::reply::{Effect, Reply, ReplyError, ReplyReader};
pub use self::waits::Waits;
pub use self::writer::ReplyWriter;
use crate::clock::Stamp;
use crate::domain::kind::Kind;
use crate::envelope::{Envelope, PROTOCOL, PublicKey, Sender, Signed, sign};
use crate::id::{CaseId, DocumentId, Hash, Heads, KeyId};
use crate::protocol::sync::{Choice, Cursor, PATH, Progress, PurgeReceipt, ReadLog, SignedPurge, request_bytes};
use crate::protocol::{Ask, Known, Packed, Push, Request, SignedRequest, SyncRequest, codec};

/// Who this device is to its server, and by which key it knows the server.
#[derive(Clone)]
pub struct Identity {
    /// What every signature of this device names.
    pub sender: Sender,
    /// The device's key.
    pub key: SigningKey,
    /// The id of the key that signs the server's replies.
    pub reply_key_id: KeyId,
    /// That key.
    pub reply_key: PublicKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("sender", &self.sender).field("reply_key", &self.reply_key).finish()
    }
}

/// Changes of one document that wait to be sent, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPush {
    /// The document.
    pub document: DocumentId,
    /// Its case.
    pub case: CaseId,
    /// Its kind.
    pub kind: Kind,
    /// How often this device had to begin anew in it.
    pub fork: u32,
    /// The heads that the first change builds on.
    pub base: Heads,
    /// Hash and raw bytes of each change.
    pub changes: Vec<(Hash, Vec<u8>)>,
}

/// Everything that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Where this device's knowledge of the server's news ends; `None`: it knows nothing.
    pub cursor: Option<Cursor>,
    /// The device's clock now.
    pub at: Stamp,
    /// Changes, document by document.
    pub pushes: Vec<WaitingPush>,
    /// Asks in the order they were made.
    pub asks: Vec<Ask>,
    /// Cases that were purged as ordered, until the server knows.
    pub purged: Vec<CaseId>,
    /// Documents that were purged as ordered, in cases that stay, until the server knows.
    pub purged_documents: Vec<DocumentId>,
    /// Documents that were opened.
    pub reads: Vec<ReadLog>,
    /// Choices of what to carry that the server has not acknowledged.
    pub choices: Vec<Choice>,
    /// Where a caseload that came in parts was cut.
    pub progress: Option<Progress>,
    /// What this device has of the server's, once the digests differed.
    pub heads: Option<Vec<(DocumentId, Heads)>>,
    /// Whether photos wait.
    pub wants_bearer: bool,
}

impl Waiting {
    /// Nothing that waits.
    pub const fn nothing(at: Stamp) -> Self {
        Self {
            cursor: None,
            at,
            pushes: Vec::new(),
            asks: Vec::new(),
            purged: Vec::new(),
            purged_documents: Vec::new(),
            reads: Vec::new(),
            choices: Vec::new(),
            progress: None,
            heads: None,
            wants_bearer: false,
        }
    }
}

impl Identity {
    /// The signature over the envelope of these changes.
    pub fn seal_push(&self, document: DocumentId, fork: u32, base: &Heads, changes: &[Hash]) -> Signed {
        let envelope = Envelope::new(&self.sender, document, fork, base.clone(), changes.to_vec());
        sign(&self.key, &envelope.to_bytes())
    }

    /// This device's word that it purged these; `None` when there is nothing of which to give it.
    pub fn seal_purge(&self, at: Stamp, cases: Vec<CaseId>, documents: Vec<DocumentId>) -> Option<SignedPurge> {
        if cases.is_empty() && documents.is_empty() {
            return None;
        }
        let purge = PurgeReceipt::new(&self.sender, at, cases, documents);
        let signature = sign(&self.key, &purge.to_bytes());
        Some(SignedPurge { purge, signature })
    }

    /// The bytes to post to [`PATH`]: a [`SignedRequest`] of all that waits. `counter` is above every counter this
    /// store has used before.
    pub fn request(&self, waiting: Waiting, counter: u64) -> Vec<u8> {
        let pushes = waiting.pushes.into_iter().map(|push| {
            let hashes: Vec<Hash> = push.changes.iter().map(|(hash, _)| *hash).collect();
            Push {
                document: push.document,
                case: push.case,
                kind: push.kind,
                fork: push.fork,
                signature: self.seal_push(push.document, push.fork, &push.base, &hashes),
                changes: {
                    let known = Known::push(&self.sender, (push.document, push.kind), push.fork, &push.base);
                    let chunks: Vec<Vec<u8>> = push.changes.into_iter().map(|(_, bytes)| bytes).collect();
                    Packed::pack(&chunks, &known)
                },
                base: push.base,
            }
        });
        let mut asks = waiting.asks;
        // A case has to be there before anything in it; otherwise as asked (the sort keeps the order).
        asks.sort_by_key(|ask| !matches!(ask.request, Request::OpenCase(_)));
        let request = SyncRequest {
            cursor: waiting.cursor,
            at: waiting.at,
            pushes: pushes.collect(),
            asks,
            purged: self.seal_purge(waiting.at, waiting.purged, waiting.purged_documents),
            reads: waiting.reads,
            choices: waiting.choices,
            progress: waiting.progress,
            heads: waiting.heads,
            wants_bearer: waiting.wants_bearer,
        };
        let body = codec::pack(&request);
        let Sender { server, generation, device, .. } = self.sender;
        let signature = sign(&self.key, &request_bytes(server, PATH, Hash::of(&body), generation, counter));
        let signed =
            SignedRequest { protocol: PROTOCOL, device, generation, counter, signature, body: ByteVec::from(body) };
        // Writing CBOR to a vector does not fail.
        minicbor::to_vec(signed).unwrap_or_default()
    }
}
