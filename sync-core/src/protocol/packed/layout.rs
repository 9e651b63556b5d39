//! What of each change is written, and what follows from the changes before it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::chunk::{Chunk, MOST_COLUMNS};
use super::number::{Bytes, counted, number, size};
use super::rows::{self, Run};
use super::{BadPack, Known, PackLimits, columns, records};
use crate::domain::container::skeleton_actor;
use crate::guard::chunk_hash;
use crate::id::Hash;

/// It builds on something else than the change before it; for the first, than what is known.
const DEPENDENCIES: u8 = 1;
/// Its actor is another than that of the change before it.
const ACTOR: u8 = 2;
/// Its number is not the next of its actor.
const SEQ: u8 = 4;
/// Its operations do not begin right behind those it builds on, or it is not known where those end.
const START_OP: u8 = 8;
/// The other actors in it are others than in the change before it.
const OTHERS: u8 = 16;
/// Its columns are others than those of the change before it that has columns.
const SHAPE: u8 = 32;
/// It follows whole: it is not of the form that is taken apart.
const WHOLE: u8 = 64;
/// It has columns as they are: not all of its operations put records or type text.
const COLUMNS: u8 = 128;

/// What is known before a change, on both ends alike.
struct State {
    base: Vec<Hash>,
    /// The actors that can be named by their place; the skeleton's is the first.
    actors: Vec<Vec<u8>>,
    /// Whether the actor behind the skeleton's is the author unless said otherwise.
    author: usize,
    /// The changes so far.
    made: Vec<Hash>,
    /// Where each of them is, and its last operation; `None` where it was not looked into.
    known: BTreeMap<Hash, (usize, Option<u64>)>,
    seqs: BTreeMap<usize, u64>,
    others: Vec<usize>,
    shape: usize,
    shapes: Vec<Vec<u64>>,
}

impl State {
    fn new(known: &Known) -> Self {
        let mut base = known.base.clone();
        base.sort_unstable();
        let skeleton = skeleton_actor().to_bytes().to_vec();
        let actors = [skeleton].into_iter().chain(known.author.map(|author| author.actor.to_vec())).collect();
        Self {
            base,
            actors,
            author: 1,
            made: Vec::new(),
            known: BTreeMap::new(),
            seqs: BTreeMap::new(),
            others: vec![0],
            shape: 0,
            shapes: Vec::new(),
        }
    }

    /// What a change builds on unless said otherwise.
    fn dependencies(&self) -> Vec<Hash> {
        self.made.last().map_or_else(|| self.base.clone(), |hash| vec![*hash])
    }

    /// The place of a change that is depended on: 1 is the one before, then those before it, then what is known.
    fn place(&self, hash: &Hash) -> Option<usize> {
        if let Some((at, _)) = self.known.get(hash) {
            return Some(self.made.len() - at);
        }
        self.base.iter().position(|known| known == hash).map(|at| self.made.len() + at + 1)
    }

    fn at(&self, place: usize) -> Option<Hash> {
        match self.made.len().checked_sub(place) {
            Some(at) => self.made.get(at).copied(),
            None => self.base.get(place - self.made.len() - 1).copied(),
        }
    }

    fn seq(&self, actor: usize) -> u64 {
        self.seqs.get(&actor).map_or(1, |seq| seq.saturating_add(1))
    }

    /// Where the operations of a change that builds on these begin, if that is known here.
    fn start_op(&self, dependencies: &[Hash]) -> Option<u64> {
        let mut last = 0;
        for hash in dependencies {
            last = last.max(self.known.get(hash)?.1?);
        }
        (!dependencies.is_empty()).then(|| last.saturating_add(1))
    }

    fn after(&mut self, hash: Hash, max_op: Option<u64>) {
        self.known.insert(hash, (self.made.len(), max_op));
        self.made.push(hash);
    }

    fn wrote(&mut self, actor: usize, seq: u64) {
        self.author = actor;
        self.seqs.insert(actor, seq);
    }
}

/// Packs changes, each whole if so asked.
pub(super) fn pack(bytes: &mut Vec<u8>, changes: &[&[u8]], known: &Known, whole: bool) {
    let mut state = State::new(known);
    let first_listed = state.actors.len();
    let (mut flags, mut details) = (Vec::new(), Vec::new());
    let mut data: BTreeMap<u64, Vec<&[u8]>> = BTreeMap::new();
    let mut records = records::Writer::new(author(known));
    for change in changes {
        // Whoever unpacks refuses what has no hash, whatever stands here for it.
        let hash = chunk_hash(change).unwrap_or_else(|| Hash::of(change));
        let Some(chunk) = Chunk::parse(change).filter(|_| !whole) else {
            flags.push(WHOLE);
            counted(&mut details, change);
            state.after(hash, None);
            continue;
        };
        let mut flag = 0;
        let mut place = |actor: &[u8]| {
            state.actors.iter().position(|known| known == actor).unwrap_or_else(|| {
                state.actors.push(actor.to_vec());
                state.actors.len() - 1
            })
        };
        let actor = place(chunk.actor);
        let others: Vec<usize> = chunk.others.iter().map(|other| place(other)).collect();
        if chunk.dependencies != state.dependencies() {
            flag |= DEPENDENCIES;
            size(&mut details, chunk.dependencies.len());
            for hash in &chunk.dependencies {
                let place = state.place(hash);
                size(&mut details, place.unwrap_or(0));
                if place.is_none() {
                    details.extend_from_slice(hash.as_bytes());
                }
            }
        }
        if actor != state.author {
            flag |= ACTOR;
            size(&mut details, actor);
        }
        if chunk.seq != state.seq(actor) {
            flag |= SEQ;
            number(&mut details, chunk.seq);
        }
        if Some(chunk.start_op) != state.start_op(&chunk.dependencies) {
            flag |= START_OP;
            number(&mut details, chunk.start_op);
        }
        if others != state.others {
            flag |= OTHERS;
            size(&mut details, others.len());
            others.iter().for_each(|other| size(&mut details, *other));
            state.others = others;
        }
        if !Run::all_of(&chunk, known.kind).is_some_and(|runs| records.change(&runs)) {
            flag |= COLUMNS;
            flag |= shape(&mut state, &mut details, &chunk);
            for (kind, bytes) in &chunk.columns {
                data.entry(*kind).or_default().push(bytes);
            }
        }
        flags.push(flag);
        state.wrote(actor, chunk.seq);
        state.after(hash, Some(chunk.max_op()));
    }
    size(bytes, changes.len());
    size(bytes, state.actors.len() - first_listed);
    state.actors[first_listed..].iter().for_each(|actor| counted(bytes, actor));
    for run in flags.chunk_by(|one, next| one == next) {
        bytes.push(run[0]);
        size(bytes, run.len());
    }
    counted(bytes, &details);
    for column in data.values() {
        columns::write(bytes, column);
    }
    records.write(bytes);
}

/// Writes which columns a change has, unless they are those of the one before it.
fn shape(state: &mut State, details: &mut Vec<u8>, chunk: &Chunk<'_>) -> u8 {
    let shape: Vec<u64> = chunk.columns.iter().map(|(kind, _)| *kind).collect();
    if state.shapes.get(state.shape) == Some(&shape) {
        return 0;
    }
    let found = state.shapes.iter().position(|known| *known == shape);
    state.shape = found.unwrap_or(state.shapes.len());
    size(details, state.shape);
    if found.is_none() {
        size(details, shape.len());
        shape.iter().for_each(|kind| number(details, *kind));
        state.shapes.push(shape);
    }
    SHAPE
}

/// Whose records they are, as far as it is known before.
fn author(known: &Known) -> Option<([u8; 16], u32)> {
    known.author.map(|author| (*author.account.as_bytes(), author.number))
}

/// One change as it was written, its columns not read yet.
enum Written<'b> {
    Whole(&'b [u8]),
    Parts(Parts),
}

struct Parts {
    dependencies: Option<Vec<Named>>,
    actor: Option<usize>,
    seq: Option<u64>,
    start_op: Option<u64>,
    others: Option<Vec<usize>>,
    /// `None`: its operations are records and typed text.
    shape: Option<usize>,
}

/// A change that is depended on: by its place, or by its hash.
enum Named {
    Place(usize),
    Hash(Hash),
}

/// Rebuilds the changes.
pub(super) fn unpack(bytes: &[u8], known: &Known, limits: PackLimits) -> Result<Vec<(Hash, Vec<u8>)>, BadPack> {
    let mut rest = Bytes(bytes);
    let mut state = State::new(known);
    let count = rest.size().ok_or(BadPack::Damaged)?;
    if count > limits.changes {
        return Err(BadPack::TooLarge { what: "changes", found: count, most: limits.changes });
    }
    let written = read(&mut rest, &mut state, (count, limits)).ok_or(BadPack::Damaged)?;
    let mut budget = limits.bytes;
    let mut data: BTreeMap<u64, std::vec::IntoIter<Cow<'_, [u8]>>> = BTreeMap::new();
    for (kind, count) in counts(&written, &state.shapes) {
        let column = columns::read(&mut rest, count, (&mut budget, limits))?;
        data.insert(kind, column.into_iter());
    }
    let taken_apart = written.iter().filter(|written| matches!(written, Written::Parts(Parts { shape: None, .. })));
    let records = records::Reader::read(&mut rest, (taken_apart.count(), budget), author(known));
    let mut records = records.ok_or(BadPack::Damaged)?.ok_or(BadPack::over(limits))?;
    if !rest.0.is_empty() {
        return Err(BadPack::Damaged);
    }
    let mut changes = Vec::with_capacity(count);
    for (at, written) in (0_u32..).zip(written) {
        let parts = match written {
            Written::Whole(bytes) => {
                spend(&mut budget, bytes.len(), limits)?;
                let hash = chunk_hash(bytes).ok_or(BadPack::NotAChange { at })?;
                state.after(hash, None);
                changes.push((hash, bytes.to_vec()));
                continue;
            }
            Written::Parts(parts) => parts,
        };
        let named = parts.dependencies.as_ref().map_or(0, Vec::len);
        if named.saturating_mul(32) > budget {
            return Err(BadPack::over(limits));
        }
        let (mut chunk, actor) = rebuilt(&state, &parts).ok_or(BadPack::Damaged)?;
        let columns: Vec<(u64, Cow<'_, [u8]>)> = match parts.shape {
            Some(shape) => {
                let columns = state.shapes.get(shape).ok_or(BadPack::Damaged)?.iter();
                let columns = columns.map(|kind| Some((*kind, data.get_mut(kind)?.next()?)));
                columns.collect::<Option<_>>().ok_or(BadPack::Damaged)?
            }
            None => {
                let runs = records.change(budget).ok_or(BadPack::Damaged)?.ok_or(BadPack::over(limits))?;
                let columns = rows::columns(&runs, &chunk, known.kind).ok_or(BadPack::Damaged)?;
                spend(&mut budget, columns.iter().map(|(_, data)| data.len()).sum(), limits)?;
                columns.into_iter().map(|(kind, data)| (kind, data.into())).collect()
            }
        };
        chunk.columns = columns.iter().map(|(kind, data)| (*kind, &**data)).collect();
        spend(&mut budget, chunk.head_size(), limits)?;
        let (hash, bytes) = chunk.build();
        let (seq, max_op) = (chunk.seq, chunk.max_op());
        state.wrote(actor, seq);
        state.after(hash, Some(max_op));
        if let Some(others) = parts.others {
            state.others = others;
        }
        changes.push((hash, bytes));
    }
    Ok(changes)
}

fn spend(budget: &mut usize, bytes: usize, limits: PackLimits) -> Result<(), BadPack> {
    *budget = budget.checked_sub(bytes).ok_or(BadPack::over(limits))?;
    Ok(())
}

/// A chunk without its columns.
fn rebuilt<'s>(state: &'s State, parts: &Parts) -> Option<(Chunk<'s>, usize)> {
    let named = |named: &Named| match named {
        Named::Place(place) => state.at(*place),
        Named::Hash(hash) => Some(*hash),
    };
    let dependencies = match &parts.dependencies {
        Some(dependencies) => dependencies.iter().map(named).collect::<Option<Vec<_>>>()?,
        None => state.dependencies(),
    };
    let actor = parts.actor.unwrap_or(state.author);
    let others = parts.others.as_ref().unwrap_or(&state.others);
    let chunk = Chunk {
        actor: state.actors.get(actor)?,
        seq: parts.seq.unwrap_or_else(|| state.seq(actor)),
        start_op: match parts.start_op {
            Some(start_op) => start_op,
            None => state.start_op(&dependencies)?,
        },
        dependencies,
        others: others.iter().map(|other| state.actors.get(*other).map(Vec::as_slice)).collect::<Option<_>>()?,
        columns: Vec::new(),
    };
    Some((chunk, actor))
}

/// Reads all but the columns. What is held in memory for it stays in proportion to the limits: what names something
/// in a byte stands for more of them.
fn read<'b>(rest: &mut Bytes<'b>, state: &mut State, (count, limits): (usize, PackLimits)) -> Option<Vec<Written<'b>>> {
    let mut named = limits.bytes / 16;
    let mut names = |count: Option<usize>| {
        named = named.checked_sub(count?)?;
        count
    };
    for _ in 0..names(rest.size())? {
        state.actors.push(rest.counted()?.to_vec());
    }
    let mut flags = Vec::new();
    while flags.len() < count {
        let flag = rest.byte()?;
        let run = rest.size().filter(|run| (1..=count - flags.len()).contains(run))?;
        flags.extend(std::iter::repeat_n(flag, run));
    }
    let mut details = Bytes(rest.counted()?);
    let mut written = Vec::with_capacity(count);
    for flag in flags {
        if flag == WHOLE {
            written.push(Written::Whole(details.counted()?));
            continue;
        }
        let has = |place: u8| flag & place != 0;
        if has(WHOLE) || (has(SHAPE) && !has(COLUMNS)) {
            return None;
        }
        let dependencies = match has(DEPENDENCIES) {
            true => Some((0..names(details.size())?).map(|_| hash(&mut details)).collect::<Option<Vec<_>>>()?),
            false => None,
        };
        let actor = if has(ACTOR) { Some(details.size()?) } else { None };
        let seq = if has(SEQ) { Some(details.number()?) } else { None };
        let start_op = if has(START_OP) { Some(details.number()?) } else { None };
        let others = match has(OTHERS) {
            true => Some((0..names(details.size())?).map(|_| details.size()).collect::<Option<Vec<_>>>()?),
            false => None,
        };
        if has(SHAPE) {
            state.shape = details.size()?;
            if state.shape == state.shapes.len() {
                let columns = details.size().filter(|columns| *columns <= MOST_COLUMNS)?;
                state.shapes.push((0..columns).map(|_| details.number()).collect::<Option<_>>()?);
            }
        }
        let shape = has(COLUMNS).then_some(state.shape);
        written.push(Written::Parts(Parts { dependencies, actor, seq, start_op, others, shape }));
    }
    details.0.is_empty().then_some(written)
}

fn hash(details: &mut Bytes<'_>) -> Option<Named> {
    match details.size()? {
        0 => Some(Named::Hash(Hash::from_bytes(*details.take(32)?.first_chunk()?))),
        place => Some(Named::Place(place)),
    }
}

/// How many changes have each column.
fn counts(written: &[Written<'_>], shapes: &[Vec<u64>]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for written in written {
        let Written::Parts(parts) = written else { continue };
        for kind in parts.shape.and_then(|shape| shapes.get(shape)).into_iter().flatten() {
            *counts.entry(*kind).or_insert(0) += 1;
        }
    }
    counts
}
