//! Step 3: who made what before, and what a change may speak of.
//!
//! Automerge takes for granted that an actor's changes build on one another and that an operation names only what its
//! change builds on. A change that keeps to neither reads one way here and another way, or not at all, on a device that
//! got its changes in another order.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::bounds::bounded;
use super::{Refusal, Scanned};
use crate::domain::document::Document;
use crate::id::Hash;

/// An operation's name: its number, and its actor.
pub(super) type Operation = (u64, [u8; 16]);

struct Known {
    max_op: u64,
    operations: u64,
    deps: Vec<Hash>,
}

/// The changes of a document, those of a push taken in one by one.
pub(super) struct History {
    changes: BTreeMap<Hash, Known>,
    /// Each actor's changes by their first operation.
    by_actor: BTreeMap<([u8; 16], u64), Hash>,
    actors: BTreeSet<[u8; 16]>,
    actor: [u8; 16],
    /// Of that actor, by number.
    mine: BTreeMap<u64, Hash>,
    /// What the changes of the push build on, with the first of them that does.
    past: BTreeMap<Hash, u32>,
    /// The last change of the push.
    last: Option<Hash>,
}

impl History {
    /// The changes of a document, of which `actor` is about to add some.
    pub(super) fn of(document: &Document, actor: [u8; 16]) -> Self {
        let (mut changes, mut by_actor, mut mine) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for change in document.state().get_changes_meta(&[]) {
            let hash = Hash::from(change.hash);
            // Whoever has another name length is none of ours, and nothing can speak of them.
            if let Ok(by) = change.actor.to_bytes().try_into() {
                by_actor.insert((by, change.start_op), hash);
                if by == actor {
                    mine.insert(change.seq, hash);
                }
            }
            let known = Known {
                max_op: change.max_op,
                operations: (change.max_op + 1).saturating_sub(change.start_op),
                deps: change.deps.into_iter().map(Hash::from).collect(),
            };
            changes.insert(hash, known);
        }
        let actors = by_actor.keys().map(|(by, _)| *by).collect();
        Self { changes, by_actor, actors, actor, mine, past: BTreeMap::new(), last: None }
    }

    pub(super) fn knows(&self, hash: &Hash) -> bool {
        self.changes.contains_key(hash)
    }

    /// How many changes there are.
    pub(super) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// How many made them.
    pub(super) fn actors(&self) -> usize {
        self.actors.len()
    }

    /// How many changes they name as what they build on, together.
    pub(super) fn deps(&self) -> usize {
        self.changes.values().map(|known| known.deps.len()).sum()
    }

    /// How many operations they have.
    pub(super) fn operations(&self) -> usize {
        let operations = self.changes.values().fold(0, |sum: u64, known| sum.saturating_add(known.operations));
        usize::try_from(operations).unwrap_or(usize::MAX)
    }

    /// Takes in change number `at` of the push, which is not here yet.
    ///
    /// # Errors
    /// [`Refusal`], when it is somebody else's or does not follow what is here.
    pub(super) fn follow(&mut self, at: u32, change: &Scanned) -> Result<(), Refusal> {
        if change.actor != self.actor {
            return Err(Refusal::Actor { at });
        }
        let missing: Vec<Hash> = change.deps.iter().filter(|hash| !self.knows(hash)).copied().collect();
        if !missing.is_empty() || change.deps.is_empty() {
            return Err(Refusal::Missing { at, missing });
        }
        // What one builds on are heads, and the last change of its own actor: at most one of each actor.
        bounded("changes that a change builds on", change.deps.len(), self.actors.len())?;
        let before = self.mine.last_key_value().map(|(seq, hash)| (*seq, *hash));
        let expected = before.map_or(1, |(seq, _)| seq + 1);
        if self.mine.contains_key(&change.seq) {
            return Err(Refusal::Equivocation { at, seq: change.seq });
        }
        if change.seq != expected {
            return Err(Refusal::Sequence { at, found: change.seq, expected });
        }
        // Only a change of this push can build on the one before it in the push: so it must itself.
        if self.last.is_some_and(|last| !change.deps.contains(&last)) {
            return Err(Refusal::Detached { at });
        }
        self.reach(at, &change.deps);
        if before.is_some_and(|(_, own)| !self.past.contains_key(&own)) {
            return Err(Refusal::Detached { at });
        }
        let behind = change.deps.iter().filter_map(|hash| self.changes.get(hash)).map(|known| known.max_op);
        let expected = 1 + behind.max().unwrap_or(0);
        if change.start_op != expected {
            return Err(Refusal::StartOp { at, found: change.start_op, expected });
        }
        let known = Known { max_op: change.max_op(), operations: change.operations, deps: change.deps.clone() };
        self.changes.insert(change.hash, known);
        self.by_actor.insert((change.actor, change.start_op), change.hash);
        self.actors.insert(change.actor);
        self.mine.insert(change.seq, change.hash);
        self.last = Some(change.hash);
        Ok(())
    }

    /// Notes everything that `deps` stand on. What one change builds on, the next does too: each is walked once.
    fn reach(&mut self, at: u32, deps: &[Hash]) {
        let mut open = deps.to_vec();
        while let Some(hash) = open.pop() {
            if let Entry::Vacant(entry) = self.past.entry(hash) {
                entry.insert(at);
                open.extend(self.changes.get(&hash).into_iter().flat_map(|known| &known.deps));
            }
        }
    }

    /// Whether change number `at` of the push may speak of an operation, from its own operation `now`: it was made in a
    /// change that this one builds on, or earlier in this one.
    pub(super) fn may_name(&self, at: u32, change: &Scanned, now: u64, (number, actor): Operation) -> bool {
        if actor == change.actor && number >= change.start_op {
            return number < now;
        }
        let made_in = self.by_actor.range(..=(actor, number)).next_back();
        made_in.is_some_and(|((by, _), hash)| {
            let is_in = self.changes.get(hash).is_some_and(|known| number <= known.max_op);
            *by == actor && is_in && self.past.get(hash).is_some_and(|first| *first <= at)
        })
    }
}
