//! Step 5: what each operation does, and whether an edit of this person's does it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{ElementId, Key as Place, ObjectId, Op, OpId, OpType};
use automerge::{ObjId, ReadDoc, ScalarValue};

use super::bounds::bounded;
use super::history::{History, Operation};
use super::{Refusal, Scanned};
use crate::domain::container::{CAPTIONS, Container, object, skeleton_actor};
use crate::domain::document::{Document, Unreadable, guarded};
use crate::domain::edit::MOST_CAPTION_CHARACTERS;
use crate::domain::fit;
use crate::domain::kind::Kind;
use crate::domain::record::Record;
use crate::domain::view::View;
use crate::envelope::Sender;
use crate::id::{Hash, Key};

/// Where an operation may write.
#[derive(Clone, Copy)]
enum Target {
    Records(Container),
    Captions,
    Text,
}

/// A caption that was put; whether in the place of others that it may replace is known once the changes are applied.
struct Caption<'a> {
    refuse: Refusal,
    /// Which stretch of the push it is in.
    stretch: u32,
    /// What its change builds on.
    deps: &'a [Hash],
    key: String,
    own: Operation,
    replaces: Vec<Operation>,
}

/// A push being judged operation by operation: against the document as it stands now, whatever its changes build on,
/// for a branch that is dated back must not take a key that is taken by now.
pub(super) struct Judging<'a> {
    sender: &'a Sender,
    history: &'a History,
    targets: BTreeMap<u64, Target>,
    /// What the document says with the operations so far.
    view: View,
    captions: Vec<Caption<'a>>,
    /// Counts the stretches of the push: changes that each build on the one before them and on nothing else.
    stretch: u32,
    /// The last change so far.
    last: Option<Hash>,
}

impl<'a> Judging<'a> {
    /// `view` is what `current` says.
    pub(super) fn new(current: &Document, view: View, sender: &'a Sender, history: &'a History) -> Self {
        let targets = targets(current.kind(), current);
        Self { sender, history, targets, view, captions: Vec::new(), stretch: 0, last: None }
    }

    /// Judges every operation of change number `at` of the push.
    ///
    /// # Errors
    /// [`Refusal`] of the first that no edit makes.
    pub(super) fn change(&mut self, at: u32, scanned: &'a Scanned, change: &automerge::Change) -> Result<(), Refusal> {
        let last = self.last.replace(scanned.hash);
        if last.is_none_or(|last| scanned.deps != [last]) {
            self.stretch += 1;
        }
        let decoded = guarded(|| Ok(change.decode().operations));
        let decoded = decoded.map_err(|_| Refusal::NotAChange { at })?;
        for ((operation, number), op) in (0u32..).zip(scanned.start_op..).zip(decoded) {
            let refuse = Refusal::Operation { at, operation };
            self.names(at, scanned, number, &op)?;
            let target = match &op.obj {
                ObjectId::Id(id) if *id.actor() == skeleton_actor() => self.targets.get(&id.counter()).copied(),
                _ => None,
            };
            match target.ok_or_else(|| refuse.clone())? {
                Target::Records(container) => self.record(at, refuse, &op, container)?,
                Target::Captions => self.caption(at, refuse, &op, (number, scanned))?,
                Target::Text => text(refuse, &op)?,
            }
        }
        Ok(())
    }

    /// That an operation names only others that its change builds on.
    fn names(&self, at: u32, scanned: &Scanned, number: u64, op: &Op) -> Result<(), Refusal> {
        let element = match &op.key {
            Place::Seq(ElementId::Id(id)) => Some(id),
            _ => None,
        };
        for id in element.into_iter().chain(op.pred.iter()) {
            let known = name_of(id).is_some_and(|name| self.history.may_name(at, scanned, number, name));
            if !known {
                return Err(Refusal::Detached { at });
            }
        }
        Ok(())
    }

    fn record(&mut self, at: u32, refuse: Refusal, op: &Op, container: Container) -> Result<(), Refusal> {
        let unfit = |why: String| Refusal::Unfit { at, why };
        let Place::Map(key) = &op.key else { return Err(refuse) };
        let OpType::Put(ScalarValue::Bytes(bytes)) = &op.action else { return Err(refuse) };
        if op.insert || !op.pred.is_empty() {
            return Err(refuse);
        }
        let key: Key = key.parse().map_err(|_| refuse.clone())?;
        if key.device != self.sender.number {
            return Err(refuse);
        }
        let record = Record::from_bytes(bytes).map_err(|error| unfit(error.to_string()))?;
        if record.by != self.sender.account || Container::of(&record.body) != container {
            return Err(refuse);
        }
        fit::record(self.view.kind, &self.view, key, &record).map_err(|error| unfit(error.to_string()))?;
        self.view.take(key, record);
        Ok(())
    }

    fn caption(
        &mut self,
        at: u32,
        refuse: Refusal,
        op: &Op,
        (number, scanned): (u64, &'a Scanned),
    ) -> Result<(), Refusal> {
        let Place::Map(key) = &op.key else { return Err(refuse) };
        let OpType::Put(ScalarValue::Str(text)) = &op.action else { return Err(refuse) };
        if op.insert {
            return Err(refuse);
        }
        let photo: Key = key.parse().map_err(|_| refuse.clone())?;
        bounded("characters in a caption", text.chars().count(), MOST_CAPTION_CHARACTERS)?;
        fit::caption(&self.view, photo, text).map_err(|error| Refusal::Unfit { at, why: error.to_string() })?;
        self.captions.push(Caption {
            refuse,
            stretch: self.stretch,
            deps: &scanned.deps,
            key: key.to_string(),
            own: (number, scanned.actor),
            replaces: op.pred.iter().filter_map(name_of).collect(),
        });
        Ok(())
    }

    /// Judges which captions those that were put take the place of, in the document with the push applied: each only of
    /// those of the same photo that stood in what its change builds on, or were put earlier in the same change.
    /// Automerge is asked once for each photo and stretch, and for no more than takes it `most` steps.
    ///
    /// # Errors
    /// [`Refusal::Operation`] and [`Refusal::TooLarge`].
    pub(super) fn captions(&self, applied: &Document, most: usize) -> Result<(), Refusal> {
        let (operations, actors, mut steps) = (self.history.operations(), self.history.actors(), 0_usize);
        let mut stood: BTreeMap<(u32, &str), BTreeSet<Operation>> = BTreeMap::new();
        for Caption { refuse, stretch, deps, key, own, replaces } in &self.captions {
            let before = match stood.entry((*stretch, key.as_str())) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    steps = steps.saturating_add(operations).saturating_add(deps.len().saturating_mul(actors));
                    bounded("steps to the captions replaced", steps, most)?;
                    entry.insert(standing(applied, key, deps).map_err(|_| Refusal::Unreadable)?)
                }
            };
            for name in replaces {
                if !before.remove(name) {
                    return Err(refuse.clone());
                }
            }
            before.insert(*own);
        }
        Ok(())
    }
}

/// The captions of a photo that stand at these heads.
fn standing(document: &Document, key: &str, heads: &[Hash]) -> Result<BTreeSet<Operation>, Unreadable> {
    guarded(|| {
        let heads: Vec<automerge::ChangeHash> = heads.iter().map(|hash| (*hash).into()).collect();
        let Some(captions) = object(document.state(), CAPTIONS) else { return Ok(BTreeSet::new()) };
        let puts = document.state().get_all_at(&captions, key, &heads);
        let puts = puts.map_err(|error| Unreadable::Refused(error.to_string()))?;
        let names = puts.into_iter().filter_map(|(_, id)| match id {
            ObjId::Id(number, actor, _) => Some((number, actor.to_bytes().try_into().ok()?)),
            ObjId::Root => None,
        });
        Ok(names.collect())
    })
}

fn name_of(id: &OpId) -> Option<Operation> {
    Some((id.counter(), id.actor().to_bytes().try_into().ok()?))
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
            ObjId::Id(counter, actor, _) if actor == skeleton_actor() => Some((counter, target)),
            _ => None,
        })
        .collect()
}

fn text(refuse: Refusal, op: &Op) -> Result<(), Refusal> {
    if op.key.is_map_key() {
        return Err(refuse);
    }
    match &op.action {
        // One character each, as Automerge's own splice writes them.
        OpType::Put(ScalarValue::Str(word)) if op.insert && op.pred.is_empty() && word.chars().count() == 1 => Ok(()),
        // Of the one character it names: since nothing is put over one, its insertion is all that it can undo.
        OpType::Delete if !op.insert && op.pred.len() == 1 && op.pred.iter().all(|id| is_at(&op.key, id)) => Ok(()),
        _ => Err(refuse),
    }
}

/// Whether this place in a text is the character that this operation inserted.
fn is_at(place: &Place, inserted: &OpId) -> bool {
    matches!(place, Place::Seq(ElementId::Id(id)) if id == inserted)
}
