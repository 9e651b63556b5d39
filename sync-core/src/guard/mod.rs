//! The guard: no bytes of a device reach a document unchecked.
//!
//! One pure pipeline: sizes, envelope, actor and order, parsing inside `catch_unwind`, every operation against what the
//! person may do, and a reload that must read the same. It is run by the server on what devices push, and by a device
//! on its own change before it stores it, so that honest work is never refused for its form. What a server sends a device
//! takes in behind the scan of the first step.

mod bounds;
mod columns;
mod history;
mod operations;
mod refusal;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use automerge::ReadDoc as _;

pub use self::bounds::Bounds;
use self::bounds::bounded;
use self::history::History;
pub use self::refusal::Refusal;
pub use self::scan::{Scanned, Unscannable, chunk_hash, scan};
use crate::access::{Action, Standing, Ties};
use crate::domain::document::{Document, Unreadable, read_change};
use crate::domain::record::Body;
use crate::domain::view::View;
use crate::envelope::{Envelope, Sender, Signed, actor};
use crate::id::{DocumentId, Hash, Heads};

/// What a push brought in.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The document with it.
    pub document: Document,
    /// What it says now.
    pub view: Arc<View>,
    /// It whole, not deflated: the bytes that were proven to read again.
    pub saved: Vec<u8>,
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

/// Takes in changes as a device has them, of its server or its own: scanned first, as in a push, within
/// [`Bounds::of_what_is_sent`].
///
/// # Errors
/// [`Unreadable`]; then the document is untouched.
pub fn take_in(document: &mut Document, changes: &[&[u8]]) -> Result<(), Unreadable> {
    sift(changes, &Bounds::of_what_is_sent()).map_err(|why| Unreadable::Refused(why.to_string()))?;
    document.apply(changes)
}

fn sift(changes: &[&[u8]], bounds: &Bounds) -> Result<(), Refusal> {
    bounded("changes in the document", changes.len(), bounds.document_changes)?;
    let operations = ("operations in the document", bounds.document_operations);
    let scanned = scan_all(changes, bounds, [operations, ("deps in the document", bounds.document_deps)])?;
    let actors: BTreeSet<[u8; 16]> = scanned.iter().map(|change| change.actor).collect();
    bounds.clocks(changes.len(), actors.len())?;
    // No edit makes one of nothing.
    let empty = (0u32..).zip(scanned).find(|(_, change)| change.operations == 0);
    empty.map_or(Ok(()), |(at, _)| Err(Refusal::Operation { at, operation: 0 }))
}

/// Scans changes that together have at most so many operations, and replace as many, and name at most so many that they
/// build on.
fn scan_all(
    changes: &[&[u8]],
    bounds: &Bounds,
    [(what, most), (built_on, most_built_on)]: [(&str, usize); 2],
) -> Result<Vec<Scanned>, Refusal> {
    let (mut scanned, mut operations, mut deps) = (Vec::with_capacity(changes.len()), 0_u64, 0_usize);
    for (at, change) in (0u32..).zip(changes) {
        let change = scan(change, bounds).map_err(|error| error.at(at))?;
        operations = operations.saturating_add(change.operations.max(change.replaced));
        deps = deps.saturating_add(change.deps.len());
        scanned.push(change);
    }
    bounded(what, usize::try_from(operations).unwrap_or(usize::MAX), most)?;
    bounded(built_on, deps, most_built_on)?;
    Ok(scanned)
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
    // 1. What the bytes are, before anything reads them for what they say.
    // Each fork is an actor of its own.
    bounded("forks", usize::try_from(pushed.fork).unwrap_or(usize::MAX), bounds.forks)?;
    // The base is kept with the envelope for ever; a change that builds on it can't name more. Whether it is here is
    // looked at below.
    bounded("heads", pushed.base.len(), bounds.deps)?;
    bounded("changes", pushed.changes.len(), bounds.changes)?;
    bounded("bytes", pushed.changes.iter().map(|change| change.len()).sum(), bounds.push_bytes)?;
    let sums = [("operations", bounds.push_operations), ("deps", bounds.push_deps)];
    let scanned = scan_all(pushed.changes, bounds, sums)?;
    // 2. The envelope.
    let hashes = scanned.iter().map(|change| change.hash).collect();
    let envelope = Envelope::new(sender, pushed.document, pushed.fork, pushed.base.clone(), hashes);
    if !sender.key.verifies(&envelope.to_bytes(), pushed.signature) {
        return Err(Refusal::Signature);
    }
    // The table, for the document as a whole; each operation follows below.
    if !standing.judge(current.kind(), ties, Action::Write).is_granted() {
        return Err(Refusal::NotAllowed);
    }
    // 3. Actor and order, of what is not here already.
    let mut history = History::of(current, actor(sender, pushed.document, pushed.fork));
    let mut fresh = Vec::new();
    for ((at, bytes), change) in (0u32..).zip(pushed.changes).zip(scanned) {
        if history.knows(&change.hash) {
            continue;
        }
        if change.operations == 0 {
            // No edit makes one, and whoever reads the history would pay for it.
            return Err(Refusal::Operation { at, operation: 0 });
        }
        history.follow(at, &change)?;
        fresh.push((at, change, *bytes));
    }
    if fresh.is_empty() {
        let (document, view) = (current.clone(), current.read());
        return Ok(Admitted { document, view, saved: Vec::new(), changes: Vec::new(), envelope });
    }
    // A base is what the first change builds on, and that is here by now.
    let missing: Vec<Hash> = pushed.base.iter().filter(|hash| !history.knows(hash)).copied().collect();
    if !missing.is_empty() {
        return Err(Refusal::Missing { at: 0, missing });
    }
    bounded("changes in the document", history.changes(), bounds.document_changes)?;
    bounded("operations in the document", history.operations(), bounds.document_operations)?;
    bounded("deps in the document", history.deps(), bounds.document_deps)?;
    bounds.clocks(history.changes(), history.actors())?;
    // 4. Only now does Automerge read them; whatever it makes of them must be what the scan saw.
    let mut read = Vec::with_capacity(fresh.len());
    for (at, scanned, bytes) in &fresh {
        let change = read_change(bytes).map_err(|_| Refusal::NotAChange { at: *at })?;
        if !is_as_scanned(&change, scanned) || change.raw_bytes() != *bytes {
            return Err(Refusal::NotAChange { at: *at });
        }
        read.push(change);
    }
    // 5. Every operation.
    let before = current.read();
    let mut judged = operations::Judging::new(current, View::clone(&before), sender, &history);
    for ((at, scanned, _), change) in fresh.iter().zip(&read) {
        judged.change(*at, scanned, change)?;
    }
    // 6. On a copy; what is stored must read again, and read the same.
    let unreadable = |_: Unreadable| Refusal::Unreadable;
    let document = current.with(read).map_err(unreadable)?;
    judged.captions(&document, bounds.push_caption_steps)?;
    let saved = document.save_plain();
    bounded("inflated bytes in the document", saved.len(), bounds.document_inflated)?;
    // Deflating takes longer than all the rest, and no document gets larger by it.
    if saved.len() > bounds.document_bytes {
        bounded("bytes in the document", document.save().len(), bounds.document_bytes)?;
    }
    let again = Document::load(current.kind(), &saved).map_err(unreadable)?;
    let view = document.read();
    if again.heads() != document.heads() || again.read() != view || view.unread != before.unread {
        return Err(Refusal::Unreadable);
    }
    for words in view.texts.values() {
        bounded("characters in a text", words.chars().count(), bounds.text_characters)?;
    }
    let changes = fresh.iter().map(|(_, scanned, bytes)| (scanned.hash, bytes.to_vec())).collect();
    Ok(Admitted { document, view, saved, changes, envelope })
}

fn is_as_scanned(change: &automerge::Change, scanned: &Scanned) -> bool {
    Hash::from(change.hash()) == scanned.hash
        && change.actor_id().to_bytes() == scanned.actor
        && change.seq() == scanned.seq
        && change.start_op().get() == scanned.start_op
        && change.deps().iter().map(|hash| Hash::from(*hash)).eq(scanned.deps.iter().copied())
        && change.len() as u64 == scanned.operations
        && change.timestamp() == 0
        && change.message().is_none_or(|message| message.is_empty())
        && change.extra_bytes().is_empty()
}

/// How many bytes Automerge may take for how far each actor of a document was at each of its changes, however few the
/// document takes saved.
pub fn clock_bytes(document: &Document) -> usize {
    let stats = document.state().stats();
    usize::try_from(stats.num_changes.saturating_mul(stats.num_actors).saturating_mul(4)).unwrap_or(usize::MAX)
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
