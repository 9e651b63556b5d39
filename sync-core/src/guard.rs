//! The guard: no bytes of a device reach a document unchecked.
//!
//! One pure pipeline: sizes, envelope, actor and order, parsing inside `catch_unwind`, every operation against what the
//! person may do, and a reload that must read the same. It is run by the server on what devices push, and by a device
//! on its own change before it stores it, so that honest work is never refused for its form.

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{ObjectId, OpType};
use automerge::{ActorId, ScalarValue};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::{Action, Standing, Ties};
use crate::domain::container::{CAPTIONS, Container, object, skeleton_actor};
use crate::domain::document::{Document, Unreadable, read_change};
use crate::domain::edit::MOST_CAPTION_CHARACTERS;
use crate::domain::fit;
use crate::domain::kind::Kind;
use crate::domain::record::{Body, Record};
use crate::domain::view::View;
use crate::envelope::{Envelope, Sender, Signed, actor};
use crate::id::{DocumentId, Hash, Heads, Key};

/// How much one push may bring. Over a bound is a refusal, never a slowdown for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Changes of one document in one push.
    pub changes: usize,
    /// Bytes of one change.
    pub change_bytes: usize,
    /// Bytes of one document's changes in one push.
    pub push_bytes: usize,
    /// Operations of one change.
    pub operations: usize,
    /// Bytes of a saved document.
    pub document_bytes: usize,
    /// The same before they are deflated, which is what every reading of it has to go through.
    pub document_inflated: usize,
    /// Changes of a document, its skeleton among them.
    pub document_changes: usize,
    /// Operations of a document: a run of them takes next to no bytes, deflated or not.
    pub document_operations: usize,
    /// Characters of one shared text.
    pub text_characters: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            changes: 10_000,
            change_bytes: 256 << 10,
            push_bytes: 4 << 20,
            operations: 50_000,
            document_bytes: 16 << 20,
            document_inflated: 64 << 20,
            document_changes: 100_000,
            document_operations: 4_000_000,
            text_characters: 100_000,
        }
    }
}

/// Why a push was not taken in. Stored with what is quarantined and sent to the device: a format for ever.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// More of something than a bound allows.
    #[error("too large: {found} {what}, at most {most} are taken")]
    #[n(0)]
    TooLarge {
        /// Of what.
        #[n(0)]
        what: String,
        /// How much there was.
        #[n(1)]
        found: u64,
        /// How much is allowed.
        #[n(2)]
        most: u64,
    },
    /// Not an uncompressed change chunk with its right checksum and nothing behind it.
    #[error("change {at} is not a change chunk in its one form")]
    #[n(1)]
    NotAChange {
        /// Which change of the push, from 0.
        #[n(0)]
        at: u32,
    },
    /// The signature is not this device's over this push.
    #[error("the signature does not fit what was pushed")]
    #[n(2)]
    Signature,
    /// The change is made in another actor's name.
    #[error("change {at} is made in the name of another actor")]
    #[n(3)]
    Actor {
        /// Which change.
        #[n(0)]
        at: u32,
    },
    /// The actor's changes are not contiguous, or this number is taken.
    #[error("change {at} is number {found} of its actor, {expected} was expected")]
    #[n(4)]
    Sequence {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Its number.
        #[n(1)]
        found: u64,
        /// The number expected.
        #[n(2)]
        expected: u64,
    },
    /// The operations do not begin right behind those the change builds on.
    #[error("change {at} begins at operation {found}, {expected} was expected")]
    #[n(5)]
    StartOp {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Where it begins.
        #[n(1)]
        found: u64,
        /// Where it should.
        #[n(2)]
        expected: u64,
    },
    /// The change builds on changes that the server does not have.
    #[error("change {at} builds on {} that are not here", missing.len())]
    #[n(6)]
    Missing {
        /// Which change.
        #[n(0)]
        at: u32,
        /// The hashes that are missing.
        #[n(1)]
        missing: Vec<Hash>,
    },
    /// The change carries a time, a message, an author or trailing bytes: claims live in the data.
    #[error("change {at} carries what belongs into the data")]
    #[n(7)]
    Decorated {
        /// Which change.
        #[n(0)]
        at: u32,
    },
    /// An operation that nobody may make: on a container, on a key of somebody else, a delete, a mark.
    #[error("change {at}, operation {operation}, does what no edit does")]
    #[n(8)]
    Operation {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Which operation in it, from 0.
        #[n(1)]
        operation: u32,
    },
    /// A record that does not fit the document.
    #[error("change {at}: {why}")]
    #[n(9)]
    Unfit {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Why, in words.
        #[n(1)]
        why: String,
    },
    /// The person may not do this.
    #[error("your role or your part in this case does not allow this")]
    #[n(10)]
    NotAllowed,
    /// The document belongs to another case, or is of another kind.
    #[error("this document is of another case or kind")]
    #[n(11)]
    OtherDocument,
    /// What was pushed would leave a document that can't be read again.
    #[error("the document could not be read again with this change")]
    #[n(12)]
    Unreadable,
    /// An earlier push of this request or actor was refused and this one builds on it.
    #[error("it builds on what was refused before")]
    #[n(13)]
    Blocked,
    /// A bound of the day; nothing is lost, it goes through tomorrow.
    #[error("this device has reached today's bound: it goes through later")]
    #[n(14)]
    Later,
}

/// What a push brought in.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The document with it.
    pub document: Document,
    /// What the document says now.
    pub view: View,
    /// The changes that were not here before, with their hashes, in order.
    pub changes: Vec<(Hash, Vec<u8>)>,
    /// The envelope that was signed.
    pub envelope: Envelope,
}

/// One document's part of a push, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Pushed<'a> {
    /// The document.
    pub document: DocumentId,
    /// Its fork number for this device.
    pub fork: u32,
    /// The heads it builds on.
    pub base: &'a Heads,
    /// The raw chunks.
    pub changes: &'a [&'a [u8]],
    /// The signature.
    pub signature: &'a Signed,
}

/// The first bytes of every chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The type of an uncompressed change chunk; a compressed one could inflate to anything.
const CHANGE_CHUNK: u8 = 1;

/// The hash of a chunk that is exactly one uncompressed change with its right checksum.
pub(crate) fn chunk_hash(bytes: &[u8]) -> Option<Hash> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, hashed) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = hashed.split_first()?;
    if *magic != MAGIC || *kind != CHANGE_CHUNK {
        return None;
    }
    let mut length: u64 = 0;
    let mut read = 0;
    for byte in rest.iter().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * read);
        read += 1;
        if byte & 0x80 == 0 {
            // The shortest writing of the length, and nothing behind the chunk.
            let shortest = read == 1 || *byte != 0;
            let whole = usize::try_from(length).is_ok_and(|length| rest.len() - read == length);
            let hash: [u8; 32] = Sha256::digest(hashed).into();
            return (shortest && whole && hash[..4] == checksum[..]).then_some(Hash::from_bytes(hash));
        }
    }
    None
}

fn bounded(what: &str, found: usize, most: usize) -> Result<(), Refusal> {
    if found > most {
        Err(Refusal::TooLarge { what: what.to_owned(), found: found as u64, most: most as u64 })
    } else {
        Ok(())
    }
}

/// Where an operation may write.
#[derive(Clone, Copy)]
enum Target {
    Records(Container),
    Captions,
    Text,
}

/// The objects of a document by the operation that made them.
fn targets(kind: Kind, document: &Document) -> BTreeMap<u64, Target> {
    let named = kind
        .containers()
        .iter()
        .map(|container| (container.name(), Target::Records(*container)))
        .chain(kind.texts().iter().map(|text| (text.name(), Target::Text)))
        .chain([(CAPTIONS, Target::Captions)]);
    named
        .filter_map(|(name, target)| match object(document.state(), name)? {
            automerge::ObjId::Id(counter, actor, _) if actor == skeleton_actor() => Some((counter, target)),
            _ => None,
        })
        .collect()
}

struct Known {
    max_op: u64,
    operations: u64,
}

/// Judges a push against the document as the server has it.
///
/// # Errors
/// [`Refusal`] names the first thing that is wrong; the document is untouched.
pub fn judge(
    pushed: Pushed<'_>,
    sender: &Sender,
    standing: &Standing,
    ties: Ties,
    current: &Document,
    bounds: &Bounds,
) -> Result<Admitted, Refusal> {
    // 1. Sizes, and that every chunk is what it says.
    bounded("changes", pushed.changes.len(), bounds.changes)?;
    bounded("bytes", pushed.changes.iter().map(|change| change.len()).sum(), bounds.push_bytes)?;
    let mut hashes = Vec::with_capacity(pushed.changes.len());
    for (at, change) in (0u32..).zip(pushed.changes) {
        bounded("bytes in a change", change.len(), bounds.change_bytes)?;
        hashes.push(chunk_hash(change).ok_or(Refusal::NotAChange { at })?);
    }
    // 2. The envelope.
    let envelope = Envelope::new(sender, pushed.document, pushed.fork, pushed.base.clone(), hashes.clone());
    if !sender.key.verifies(&envelope.to_bytes(), pushed.signature) {
        return Err(Refusal::Signature);
    }
    // The table, for the document as a whole; each operation follows below.
    if !standing.judge(current.kind(), ties, Action::Write).is_granted() {
        return Err(Refusal::NotAllowed);
    }
    // 3 and 4. Actor and order, of what is not here already.
    let mine = ActorId::from(&actor(sender, pushed.document, pushed.fork)[..]);
    let (mut known, mut sequence) = history(current, &mine);
    let mut fresh = Vec::new();
    for ((at, change), hash) in (0u32..).zip(pushed.changes).zip(hashes) {
        if known.contains_key(&hash) {
            continue;
        }
        let read = read_change(change).map_err(|_| Refusal::NotAChange { at })?;
        bounded("operations in a change", read.len(), bounds.operations)?;
        if read.is_empty() {
            // No edit makes one, and whoever reads the history would pay for it.
            return Err(Refusal::Operation { at, operation: 0 });
        }
        if *read.actor_id() != mine {
            return Err(Refusal::Actor { at });
        }
        if read.timestamp() != 0
            || read.message().is_some_and(|message| !message.is_empty())
            || read.author().is_some()
            || !read.extra_bytes().is_empty()
        {
            return Err(Refusal::Decorated { at });
        }
        if Hash::from(read.hash()) != hash || read.raw_bytes() != *change {
            return Err(Refusal::NotAChange { at });
        }
        let missing: Vec<Hash> =
            read.deps().iter().map(|hash| Hash::from(*hash)).filter(|hash| !known.contains_key(hash)).collect();
        if !missing.is_empty() || read.deps().is_empty() {
            return Err(Refusal::Missing { at, missing });
        }
        if read.seq() != sequence + 1 {
            return Err(Refusal::Sequence { at, found: read.seq(), expected: sequence + 1 });
        }
        let behind = read.deps().iter().filter_map(|hash| known.get(&Hash::from(*hash))).map(|known| known.max_op);
        let expected = 1 + behind.max().unwrap_or(0);
        if read.start_op().get() != expected {
            return Err(Refusal::StartOp { at, found: read.start_op().get(), expected });
        }
        sequence = read.seq();
        known.insert(hash, Known { max_op: read.max_op(), operations: read.len() as u64 });
        fresh.push((at, hash, read));
    }
    if !fresh.is_empty() {
        bounded("changes in the document", known.len(), bounds.document_changes)?;
        let operations = known.values().fold(0, |sum: u64, known| sum.saturating_add(known.operations));
        let operations = usize::try_from(operations).unwrap_or(usize::MAX);
        bounded("operations in the document", operations, bounds.document_operations)?;
    }
    // 5. Every operation.
    let mut view = current.view();
    let before = view.unread.clone();
    let targets = targets(current.kind(), current);
    for (at, _, change) in &fresh {
        let operations = operations(change).ok_or(Refusal::NotAChange { at: *at })?;
        for (operation, op) in (0u32..).zip(operations) {
            let refuse = Refusal::Operation { at: *at, operation };
            let target = match &op.obj {
                ObjectId::Id(id) if *id.actor() == skeleton_actor() => targets.get(&id.counter()).copied(),
                _ => None,
            };
            match target.ok_or_else(|| refuse.clone())? {
                Target::Records(container) => record(*at, refuse, &op, container, sender, &mut view)?,
                Target::Captions => caption(*at, refuse, &op, &view)?,
                Target::Text => text(refuse, &op)?,
            }
        }
    }
    // 6. On a copy; what is stored must read again, and read the same.
    let changes: Vec<(Hash, Vec<u8>)> =
        fresh.iter().map(|(_, hash, change)| (*hash, change.raw_bytes().to_vec())).collect();
    let mut document = current.clone();
    let admitted = |error: Unreadable| {
        let _ = error;
        Refusal::Unreadable
    };
    if !changes.is_empty() {
        document.apply_read(fresh.into_iter().map(|(_, _, change)| change).collect()).map_err(admitted)?;
        bounded("inflated bytes in the document", document.inflated(), bounds.document_inflated)?;
        let saved = document.save();
        bounded("bytes in the document", saved.len(), bounds.document_bytes)?;
        let again = Document::load(current.kind(), &saved).map_err(admitted)?;
        let after = document.view();
        if again.heads() != document.heads() || again.view() != after || after.unread != before {
            return Err(Refusal::Unreadable);
        }
        for words in after.texts.values() {
            bounded("characters in a text", words.chars().count(), bounds.text_characters)?;
        }
        view = after;
    }
    Ok(Admitted { document, view, changes, envelope })
}

/// What is known of the changes that are here, and the last number of `mine`.
fn history(document: &Document, mine: &ActorId) -> (BTreeMap<Hash, Known>, u64) {
    let mut sequence = 0;
    let mut known = BTreeMap::new();
    for change in document.state().get_changes_meta(&[]) {
        if change.actor.as_ref() == mine {
            sequence = sequence.max(change.seq);
        }
        known.insert(
            change.hash.into(),
            Known { max_op: change.max_op, operations: (change.max_op + 1).saturating_sub(change.start_op) },
        );
    }
    (known, sequence)
}

fn operations(change: &automerge::Change) -> Option<Vec<automerge::legacy::Op>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| change.decode().operations)).ok()
}

fn record(
    at: u32,
    refuse: Refusal,
    op: &automerge::legacy::Op,
    container: Container,
    sender: &Sender,
    view: &mut View,
) -> Result<(), Refusal> {
    let unfit = |why: String| Refusal::Unfit { at, why };
    let automerge::legacy::Key::Map(key) = &op.key else { return Err(refuse) };
    let OpType::Put(ScalarValue::Bytes(bytes)) = &op.action else { return Err(refuse) };
    if op.insert || !op.pred.is_empty() {
        return Err(refuse);
    }
    let key: Key = key.parse().map_err(|_| refuse.clone())?;
    if key.device != sender.number {
        return Err(refuse);
    }
    let record = Record::from_bytes(bytes).map_err(|error| unfit(error.to_string()))?;
    if record.by != sender.account || Container::of(&record.body) != container {
        return Err(refuse);
    }
    fit::record(view.kind, view, key, &record).map_err(|error| unfit(error.to_string()))?;
    view.take(key, record);
    Ok(())
}

fn caption(at: u32, refuse: Refusal, op: &automerge::legacy::Op, view: &View) -> Result<(), Refusal> {
    let automerge::legacy::Key::Map(key) = &op.key else { return Err(refuse) };
    let OpType::Put(ScalarValue::Str(text)) = &op.action else { return Err(refuse) };
    if op.insert {
        return Err(refuse);
    }
    let key: Key = key.parse().map_err(|_| refuse)?;
    bounded("characters in a caption", text.chars().count(), MOST_CAPTION_CHARACTERS)?;
    fit::caption(view, key, text).map_err(|error| Refusal::Unfit { at, why: error.to_string() })
}

fn text(refuse: Refusal, op: &automerge::legacy::Op) -> Result<(), Refusal> {
    if op.key.is_map_key() {
        return Err(refuse);
    }
    match &op.action {
        // One character each, as Automerge's own splice writes them.
        OpType::Put(ScalarValue::Str(word)) if op.insert && op.pred.is_empty() && word.chars().count() == 1 => Ok(()),
        // Of the one character it names: since nothing is put over one, its insertion is all that it can undo.
        OpType::Delete if !op.insert && op.pred.len() == 1 && op.pred.iter().all(|id| names(&op.key, id)) => Ok(()),
        _ => Err(refuse),
    }
}

/// Whether this key of a text is the character that this operation inserted.
fn names(key: &automerge::legacy::Key, inserted: &automerge::legacy::OpId) -> bool {
    matches!(key, automerge::legacy::Key::Seq(automerge::legacy::ElementId::Id(id)) if id == inserted)
}

/// The photos that a document's records name and that count for what it is.
pub fn photos_named(view: &View) -> BTreeSet<Hash> {
    view.records
        .values()
        .filter_map(|record| match &record.body {
            Body::Photo(photo) => Some(photo.hash),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
