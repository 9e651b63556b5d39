//! Taking a server's reply apart. Nothing of it is believed before the signature of the pinned key is checked.

use super::Identity;
use crate::clock::Timestamp;
use crate::domain::kind::Kind;
use crate::envelope::{PROTOCOL, Signed};
use crate::id::{AskId, CaseId, DocumentId, Epoch, Hash, Heads, KeyId};
use crate::protocol::codec::{self, Limits, Undecodable, Unpacker};
use crate::protocol::packed::BadPack;
use crate::protocol::sync::{
    Cursor, DocumentNews, Frame, Position, Progress, Purge, PurgeReason, Receipts, Refused, SignedReceipts, reply_bytes,
};
use crate::protocol::{Backup, CarriedDigest, CaseCard, Known, PackLimits, Place, SignedReply, SyncReply, Verdict};

/// Why bytes are not this server's answer to this request. Whatever it is, nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not a reply of Grabrail's at all: a captive portal's page, a proxy's error.
    #[error("this was not answered by a Grabrail server: is there a sign-in page in the way?")]
    NotOurServer,
    /// It has the form of a reply, and the pinned key did not sign it for this request.
    #[error("the answer is not signed by the server this device was enrolled at: it was not believed")]
    Tampered,
    /// Another version of the protocol.
    #[error("the server speaks version {found} of the protocol, this program {PROTOCOL}: update the older one")]
    Version {
        /// The server's.
        found: u16,
    },
    /// It ended before its last part; those that came stand.
    #[error("the answer was cut off after {parts} of its parts")]
    Cut {
        /// How many came.
        parts: u32,
    },
    /// Signed and larger than this device takes, or of a form it does not know.
    #[error("the server's answer can't be read: {0}")]
    Unreadable(#[from] Undecodable),
}

/// One thing that a reply changes on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Contact was made.
    Contact {
        /// The server's life.
        epoch: Epoch,
        /// The server's clock.
        at: Timestamp,
        /// Device clock minus server clock, in milliseconds.
        offset: i64,
    },
    /// The proof of all that is receipted below, to be kept.
    Receipts(SignedReceipts),
    /// This device's changes of a document up to these are fsynced.
    Receipted {
        /// The document.
        document: DocumentId,
        /// The last change of this device that is in.
        heads: Heads,
        /// Where, at the latest; `None`: the server did not say.
        place: Option<Place>,
    },
    /// A photo is fsynced.
    PhotoReceipted {
        /// Its document.
        document: DocumentId,
        /// Its hash.
        hash: Hash,
        /// Where, at the latest; `None`: the server did not say.
        place: Option<Place>,
    },
    /// An ask is with the server; its verdict comes now or later.
    AskReceived(AskId),
    /// A push was not taken in.
    Refused(Refused),
    /// An ask was decided.
    Verdict(Verdict),
    /// A card that is new or has changed.
    Card(Box<CaseCard>),
    /// What others did in a document.
    News {
        /// The document.
        document: DocumentId,
        /// Its case.
        case: CaseId,
        /// Its kind.
        kind: Kind,
        /// Hash and raw bytes of each change, in an order in which they can be applied.
        changes: Vec<(Hash, Vec<u8>)>,
    },
    /// A document whole; not looked into.
    Frame(Frame),
    /// News of a document among which is something that is no change; none of it is taken.
    Damaged {
        /// The document.
        document: DocumentId,
        /// Its case.
        case: CaseId,
    },
    /// Nothing of a case may stay but its receipts, or nothing of a document of a case that stays.
    Purge(Purge),
    /// Nothing of any case may stay but its receipts.
    PurgeAll(PurgeReason),
    /// The server waits for these photos.
    PhotoWants(Vec<(DocumentId, Hash)>),
    /// A bearer of minutes for photo bytes.
    Bearer(String),
    /// How far a caseload that comes in parts has come.
    Progress(Progress),
    /// Who the device's person is by now.
    Position(Position),
    /// How many hours this device may go without contact.
    Lease(u16),
    /// Everything up to a place is in a backup off the server's machine.
    BackedUp {
        /// The place.
        place: Place,
        /// SHA-256 of the backup's bytes.
        digest: Hash,
    },
    /// Where this device's knowledge now ends: all of the reply has come.
    Cursor(Cursor),
    /// The sum over what this device should carry now.
    Digest(CarriedDigest),
}

/// A part of a reply that was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it changes, in the order in which to apply it.
    pub effects: Vec<Effect>,
    /// Whether the server has more: ask again.
    pub more: bool,
    /// Whether this was the last part.
    pub last: bool,
    /// Where its knowledge ends once all of the reply has come. What is sent whole may be of a moment later, and is news
    /// again of the next reply.
    pub place: Option<Place>,
}

/// Takes a reply apart while it comes: fed with bytes, it gives part by part what can be believed. It holds one part
/// at a time, and gives nothing more after one that was not believed.
#[derive(Debug)]
pub struct ReplyReader {
    identity: Identity,
    request: Hash,
    limits: Limits,
    waiting: Vec<u8>,
    /// How many bytes the part that is waited for takes, once its head has come.
    length: Option<usize>,
    number: u32,
    unpacker: Option<Unpacker>,
    end: Option<Result<(), ReplyError>>,
}

impl ReplyReader {
    /// Of the reply to `request` (the bytes that were posted), each part within the limits.
    pub fn new(identity: Identity, request: &[u8], limits: Limits) -> Self {
        let request = Hash::of(request);
        Self { identity, request, limits, waiting: Vec::new(), length: None, number: 0, unpacker: None, end: None }
    }

    /// Takes the bytes that came next.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.end.is_none() {
            self.waiting.extend_from_slice(bytes);
        }
    }

    /// The next part, if it has come; `now` is the device's clock.
    ///
    /// # Errors
    /// [`ReplyError`]; the parts that were given stand, and no other will be.
    pub fn next(&mut self, now: Timestamp) -> Result<Option<Reply>, ReplyError> {
        match self.end {
            None => {}
            Some(Ok(())) => return Ok(None),
            Some(Err(error)) => return Err(error),
        }
        match self.part(now) {
            Ok(reply) => {
                if reply.as_ref().is_some_and(|reply| reply.last) {
                    self.end = Some(Ok(()));
                }
                Ok(reply)
            }
            Err(error) => {
                self.waiting = Vec::new();
                self.end = Some(Err(error));
                Err(error)
            }
        }
    }

    /// Whether the last part has come.
    pub const fn is_whole(&self) -> bool {
        matches!(self.end, Some(Ok(())))
    }

    /// That no more bytes come.
    ///
    /// # Errors
    /// [`ReplyError::Cut`] when the last part has not come, and why a part was not believed.
    pub const fn finish(&self) -> Result<(), ReplyError> {
        match self.end {
            Some(end) => end,
            None if self.number == 0 && self.waiting.is_empty() => Err(ReplyError::NotOurServer),
            None => Err(ReplyError::Cut { parts: self.number }),
        }
    }

    fn part(&mut self, now: Timestamp) -> Result<Option<Reply>, ReplyError> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let length = match self.length {
            Some(length) => length,
            // Read once: what comes behind it is not looked at again for each piece.
            None => match length(&self.waiting, self.limits.compressed)? {
                Some(length) => *self.length.insert(length),
                None => return Ok(None),
            },
        };
        let Some(part) = self.waiting.get(..length) else { return Ok(None) };
        let signed: SignedReply = codec::decode(part, 1 + PLACES).map_err(|_| ReplyError::NotOurServer)?;
        let identity = &self.identity;
        let body = Hash::of(&signed.body);
        let bytes = reply_bytes(identity.sender.server, self.request, self.number, signed.last, body);
        if signed.key != identity.reply_key_id || !identity.reply_key.verifies(&bytes, &signed.signature) {
            return Err(ReplyError::Tampered);
        }
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            None => self.unpacker.insert(Unpacker::new().map_err(|_| Undecodable::Damaged)?),
        };
        let reply: SyncReply = unpacker.unpack(&signed.body, signed.last, self.limits)?;
        if let Some(receipts) = &reply.receipts {
            identity.proves(receipts)?;
        }
        self.waiting.drain(..length);
        self.length = None;
        self.number += 1;
        let more = reply.more;
        let n = reply.cursor.map(|cursor| cursor.n).or(reply.progress.map(|progress| progress.n));
        let place = n.map(|n| Place { epoch: reply.epoch, n });
        Ok(Some(Reply { effects: effects(reply, now), more, last: signed.last, place }))
    }
}

/// How many places a [`SignedReply`] has.
const PLACES: usize = 5;
/// Within how many bytes the head of a part ends.
const ROOM: usize = 1024;
/// The most CBOR items of the receipts for one photo; there are about 20.
const RECEIPT_ITEMS: usize = 1024;

/// How many bytes a part takes, by its head: all of it but the body and whether it is the last. `None`: that has not
/// come yet.
fn length(waiting: &[u8], most: usize) -> Result<Option<usize>, ReplyError> {
    if let Some(found) = protocol(waiting)
        && found != PROTOCOL
    {
        return Err(ReplyError::Version { found });
    }
    let mut decoder = minicbor::Decoder::new(waiting);
    let mut before_body = || {
        let ours = decoder.array()? == Some(PLACES as u64);
        let _: (u16, KeyId, Signed) = (decoder.decode()?, decoder.decode()?, decoder.decode()?);
        Ok::<_, minicbor::decode::Error>(ours.then_some(decoder.position()))
    };
    let more = || if waiting.len() < ROOM { Ok(None) } else { Err(ReplyError::NotOurServer) };
    let at = match before_body() {
        Ok(Some(at)) => at,
        Err(error) if error.is_end_of_input() => return more(),
        Ok(None) | Err(_) => return Err(ReplyError::NotOurServer),
    };
    match waiting.get(at..).and_then(codec::head) {
        Some((codec::BYTES, body, behind)) if body <= most => Ok(Some(waiting.len() - behind.len() + body + 1)),
        Some((codec::BYTES, ..)) => Err(ReplyError::Unreadable(Undecodable::TooLarge { most })),
        Some(_) => Err(ReplyError::NotOurServer),
        None => more(),
    }
}

/// The version that a message says it is of, whatever else it says: its first place in every version.
fn protocol(message: &[u8]) -> Option<u16> {
    let mut decoder = minicbor::Decoder::new(message);
    decoder.array().ok()??;
    decoder.u16().ok()
}

impl Identity {
    /// Takes a whole reply to `request` (the bytes that were posted) apart, its parts as one. `now` is the device's
    /// clock when it came.
    ///
    /// # Errors
    /// [`ReplyError`]; then nothing may be changed.
    pub fn reply(&self, request: &[u8], reply: &[u8], now: Timestamp, limits: Limits) -> Result<Reply, ReplyError> {
        let mut reader = ReplyReader::new(self.clone(), request, limits);
        reader.feed(reply);
        let mut whole = Reply { effects: Vec::new(), more: false, last: true, place: None };
        while let Some(part) = reader.next(now)? {
            whole.effects.extend(part.effects);
            (whole.more, whole.place) = (part.more, part.place);
        }
        reader.finish()?;
        Ok(whole)
    }

    /// Reads the proof that a photo's bytes are fsynced.
    ///
    /// # Errors
    /// [`ReplyError::NotOurServer`] and [`ReplyError::Tampered`].
    pub fn receipts(&self, bytes: &[u8]) -> Result<SignedReceipts, ReplyError> {
        let receipts: SignedReceipts = codec::decode(bytes, RECEIPT_ITEMS).map_err(|_| ReplyError::NotOurServer)?;
        self.proves(&receipts)?;
        Ok(receipts)
    }

    /// Whether these receipts are this server's.
    fn proves(&self, signed: &SignedReceipts) -> Result<(), ReplyError> {
        let receipts = &signed.receipts;
        // The same list under our tag and our server's name: anything else was signed for another purpose.
        let mut tagged = Receipts::new(self.sender.server, receipts.epoch, receipts.at);
        tagged.documents.clone_from(&receipts.documents);
        tagged.photos.clone_from(&receipts.photos);
        tagged.asks.clone_from(&receipts.asks);
        tagged.n = receipts.n;
        let ours = signed.key == self.reply_key_id && tagged == *receipts;
        if ours && self.reply_key.verifies(&receipts.to_bytes(), &signed.signature) {
            Ok(())
        } else {
            Err(ReplyError::Tampered)
        }
    }
}

/// What is in the news of a part, all of which is held at once: together as much as one document alone may have. What
/// goes beyond is not taken, and comes once the heads are compared, a few documents at a time.
///
/// An honest server sends less as a rule: a page of news ends at 8 MiB of changes, and so does what mends, each with what
/// one request brought, or with the document, that goes beyond it. Only what a person may read since today in cases that
/// their device carries (a role that changed) comes whole and in one part, however many cases those are.
pub(super) fn unpacked(documents: Vec<DocumentNews>, mut left: PackLimits) -> impl Iterator<Item = Effect> {
    documents.into_iter().map(move |DocumentNews { document, case, kind, changes }| {
        // By hash, before anything is kept: what is parsed at opening is what the server meant to send.
        match changes.unpack(&Known::news(kind), left) {
            Ok(changes) => {
                left.changes = left.changes.saturating_sub(changes.len());
                left.bytes = left.bytes.saturating_sub(changes.iter().map(|(_, change)| change.len()).sum());
                Effect::News { document, case, kind, changes }
            }
            Err(bad) => {
                if let BadPack::TooLarge { .. } = bad {
                    // Nor is it tried with each of those behind it.
                    left = PackLimits { changes: 0, bytes: 0 };
                }
                Effect::Damaged { document, case }
            }
        }
    })
}

fn effects(reply: SyncReply, now: Timestamp) -> Vec<Effect> {
    let offset = now.millis().saturating_sub(reply.at.millis());
    let mut effects = vec![Effect::Contact { epoch: reply.epoch, at: reply.at, offset }];
    effects.extend(reply.lease_hours.map(Effect::Lease));
    effects.extend(reply.position.map(Effect::Position));
    if let Some(proof) = reply.receipts {
        let receipts = &proof.receipts;
        let place = receipts.place();
        effects.extend(receipts.documents.iter().map(|(document, heads)| Effect::Receipted {
            document: *document,
            heads: heads.clone(),
            place,
        }));
        effects.extend(receipts.photos.iter().map(|(document, hash)| Effect::PhotoReceipted {
            document: *document,
            hash: *hash,
            place,
        }));
        effects.extend(receipts.asks.iter().map(|ask| Effect::AskReceived(*ask)));
        effects.push(Effect::Receipts(proof));
    }
    effects.extend(reply.refused.into_iter().map(Effect::Refused));
    effects.extend(reply.verdicts.into_iter().map(Effect::Verdict));
    effects.extend(reply.cards.into_iter().map(|card| Effect::Card(Box::new(card))));
    effects.extend(unpacked(reply.documents, PackLimits::REPLY));
    effects.extend(reply.frames.into_iter().map(Effect::Frame));
    // After everything that might have put something of them back.
    effects.extend(reply.purge.into_iter().map(Effect::Purge));
    effects.extend(reply.everything.map(Effect::PurgeAll));
    if !reply.photo_wants.is_empty() {
        effects.push(Effect::PhotoWants(reply.photo_wants));
    }
    effects.extend(reply.photo_bearer.map(Effect::Bearer));
    effects.extend(reply.progress.map(Effect::Progress));
    let of_this_life = |backup: Backup| Place { epoch: reply.epoch, n: backup.n };
    effects.extend(reply.backup.map(|backup| Effect::BackedUp { place: of_this_life(backup), digest: backup.digest }));
    effects.extend(reply.cursor.map(Effect::Cursor));
    effects.extend(reply.digest.map(Effect::Digest));
    effects
}
