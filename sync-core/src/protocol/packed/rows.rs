//! The operations of a change whose edits can be taken apart: records put under their keys, and runs of typed text.
//! What follows from them (objects, elements, lengths) is not written but derived, column by column.

use std::borrow::Cow;

use super::chunk::{Chunk, column};
use super::number::{Bytes, counted, number, signed};
use super::shape::CONTAINERS;
use crate::domain::container::{counter_of_container, counter_of_text, skeleton_actor};
use crate::domain::kind::Kind;
use crate::id::Key;

/// Automerge's types of values that are taken apart.
const TEXT: u64 = 6;
const BYTES: u64 = 7;
/// Its action that puts a value.
const PUT: u64 = 1;
/// The most operations of one change that are looked into.
const MOST_ROWS: u64 = 1 << 20;

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Run<'b> {
    /// Put a record of the container of this number, in the order of all containers, under a key.
    Record { container: usize, key: Key, record: Cow<'b, [u8]> },
    /// Typed into the text of this number, in the order of the kind's texts.
    Text { text: usize, after: After, typed: &'b str },
}

/// Behind what somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Beginning,
    /// The actor's place in the change, and how far the operation lies before the first of the run.
    Element(u64, u64),
}

/// A run of text while it is read.
struct Typing {
    object: u64,
    text: usize,
    after: After,
    /// Where its words begin among the values.
    begin: usize,
}

/// Values that stand together, and how many of each.
type Runs<'r, T> = Box<dyn Iterator<Item = (Option<T>, u64)> + 'r>;

impl<'b> Run<'b> {
    /// The operations of a change; `None` when they are not all of this sort, or [`columns`] would write them
    /// otherwise.
    pub(super) fn all_of(chunk: &Chunk<'b>, kind: Kind) -> Option<Vec<Self>> {
        let runs = read(chunk, kind)?;
        let written = columns(&runs, chunk, kind)?;
        let same = written.iter().map(|(name, data)| (*name, data.as_slice())).eq(chunk.columns.iter().copied());
        same.then_some(runs)
    }

    fn rows(&self) -> u64 {
        match self {
            Self::Record { .. } => 1,
            Self::Text { typed, .. } => typed.chars().count() as u64,
        }
    }
}

fn skeleton(chunk: &Chunk<'_>) -> Option<u64> {
    let skeleton = skeleton_actor();
    let at = chunk.others.iter().position(|other| *other == skeleton.to_bytes())?;
    Some(at as u64 + 1)
}

fn read<'b>(chunk: &Chunk<'b>, kind: Kind) -> Option<Vec<Run<'b>>> {
    let of = |name: u64| chunk.columns.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, data)| data);
    let count = chunk.max_op().checked_sub(chunk.start_op)?.checked_add(1).filter(|count| *count <= MOST_ROWS)?;
    let numbers = |name| decoded(of(name), count, Bytes::number);
    let (object_actors, objects) = (numbers(column::OBJECT_ACTOR)?, numbers(column::OBJECT_COUNTER)?);
    let element_actors = numbers(column::KEY_ACTOR)?;
    let element_steps = decoded(of(column::KEY_COUNTER), count, Bytes::signed)?;
    let names = decoded(of(column::KEY_STRING), count, Bytes::counted)?;
    let (actions, metas) = (numbers(column::ACTION)?, numbers(column::VALUE_META)?);
    let inserts = inserts(of(column::INSERT), count)?;
    let mut values = Bytes(of(column::VALUE));
    let skeleton = Some(skeleton(chunk)?);
    let mut runs: Vec<Run<'b>> = Vec::new();
    let mut typing: Option<Typing> = None;
    let mut element = 0_i64;
    let all = values.0;
    let close = |runs: &mut Vec<Run<'b>>, typing: Option<Typing>, end: usize| {
        let Some(Typing { text, after, begin, .. }) = typing else { return Some(()) };
        runs.push(Run::Text { text, after, typed: std::str::from_utf8(all.get(begin..end)?).ok()? });
        Some(())
    };
    for (row, number) in (0..usize::try_from(count).ok()?).zip(chunk.start_op..) {
        let (object, meta) = (objects[row]?, metas[row]?);
        if object_actors[row] != skeleton || actions[row] != Some(PUT) {
            return None;
        }
        let begin = all.len() - values.0.len();
        let value = values.take(usize::try_from(meta >> 4).ok()?)?;
        if let Some(step) = element_steps[row] {
            element = element.checked_add(step)?;
        }
        if !inserts[row] {
            close(&mut runs, typing.take(), begin)?;
            let key: Key = std::str::from_utf8(names[row]?).ok()?.parse().ok()?;
            let container = (0..CONTAINERS).find(|it| counter_of_container(kind, *it) == Some(object))?;
            runs.push(Run::Record { container, key, record: value.into() });
            continue;
        }
        let behind = u64::try_from(element).ok()?;
        let follows = element_actors[row] == Some(0) && Some(behind) == number.checked_sub(1);
        if typing.as_ref().is_some_and(|typing| typing.object == object) && follows {
            continue;
        }
        close(&mut runs, typing.take(), begin)?;
        let text = (0..kind.texts().len()).find(|it| counter_of_text(kind, *it) == Some(object))?;
        let after = match element_actors[row] {
            Some(actor) => After::Element(actor, number.checked_sub(behind)?),
            None => After::Beginning,
        };
        typing = Some(Typing { object, text, after, begin });
    }
    close(&mut runs, typing, all.len() - values.0.len())?;
    Some(runs)
}

/// The columns of these operations in a change of which the rest is known; `None` when they can't be of this kind.
pub(super) fn columns(runs: &[Run<'_>], chunk: &Chunk<'_>, kind: Kind) -> Option<Vec<(u64, Vec<u8>)>> {
    let skeleton = skeleton(chunk)?;
    let object = |run: &Run<'_>| match run {
        Run::Record { container, .. } => counter_of_container(kind, *container),
        Run::Text { text, .. } => counter_of_text(kind, *text),
    };
    let objects = runs.iter().map(object).collect::<Option<Vec<_>>>()?;
    let counts: Vec<u64> = runs.iter().map(Run::rows).collect();
    let total: u64 = counts.iter().sum();
    let mut begins = Vec::with_capacity(runs.len());
    let mut next = chunk.start_op;
    for count in &counts {
        begins.push(next);
        next = next.checked_add(*count)?;
    }
    let each = || runs.iter().zip(&counts).zip(&begins).map(|((run, count), begin)| (run, *count, *begin));
    let actors = each().flat_map(|(run, count, _)| match run {
        Run::Record { .. } => [(None, count), (Some(0), 0)],
        Run::Text { after: After::Beginning, .. } => [(None, 1), (Some(0), count.saturating_sub(1))],
        Run::Text { after: After::Element(actor, _), .. } => [(Some(*actor), 1), (Some(0), count.saturating_sub(1))],
    });
    let mut last = 0_i64;
    let steps: Vec<_> = each()
        .map(|(run, count, begin)| {
            let Run::Text { after, .. } = run else { return Some([(None, count), (None, 0), (None, 0)]) };
            let begin = i64::try_from(begin).ok()?;
            let after = match after {
                After::Beginning => 0,
                After::Element(_, distance) => begin.checked_sub(i64::try_from(*distance).ok()?)?,
            };
            let first = after.checked_sub(last)?;
            last = if count < 2 { after } else { begin.checked_add(i64::try_from(count).ok()? - 2)? };
            Some([
                (Some(first), 1),
                (Some(begin.checked_sub(after)?), u64::from(count > 1)),
                (Some(1), count.saturating_sub(2)),
            ])
        })
        .collect::<Option<_>>()?;
    let names = runs.iter().zip(&counts).map(|(run, count)| match run {
        Run::Record { key, .. } => (Some(key.to_string()), 1),
        Run::Text { .. } => (None, *count),
    });
    let inserts = runs.iter().zip(&counts).map(|(run, count)| (matches!(run, Run::Text { .. }), *count));
    let metas = runs.iter().flat_map(|run| -> Runs<'_, u64> {
        match run {
            Run::Record { record, .. } => Box::new(std::iter::once((Some((record.len() as u64) << 4 | BYTES), 1))),
            Run::Text { typed, .. } => {
                Box::new(typed.chars().map(|letter| (Some((letter.len_utf8() as u64) << 4 | TEXT), 1)))
            }
        }
    });
    let mut values = Vec::new();
    for run in runs {
        match run {
            Run::Record { record, .. } => values.extend_from_slice(record),
            Run::Text { typed, .. } => values.extend_from_slice(typed.as_bytes()),
        }
    }
    let write = |bytes: &mut Vec<u8>, value: &u64| number(bytes, *value);
    let mut columns = vec![
        (column::OBJECT_ACTOR, encoded(std::iter::once((Some(skeleton), total)), write)),
        (column::OBJECT_COUNTER, encoded(objects.into_iter().map(Some).zip(counts.iter().copied()), write)),
        (column::KEY_ACTOR, encoded(actors, write)),
        (column::KEY_COUNTER, encoded(steps.into_iter().flatten(), |bytes, step| signed(bytes, *step))),
        (column::KEY_STRING, encoded(names, |bytes, name: &String| counted(bytes, name.as_bytes()))),
        (column::INSERT, flags(inserts)),
        (column::ACTION, encoded(std::iter::once((Some(PUT), total)), write)),
        (column::VALUE_META, encoded(metas, write)),
        (column::VALUE, values),
        (column::PRED_GROUP, encoded(std::iter::once((Some(0), total)), write)),
    ];
    columns.retain(|(_, data)| !data.is_empty());
    Some(columns)
}

/// A run-length encoded column, written out: `count` rows.
fn decoded<'b, T: Copy>(
    column: &'b [u8],
    count: u64,
    read: impl Fn(&mut Bytes<'b>) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    let count = usize::try_from(count).ok()?;
    let mut rows = Vec::with_capacity(count);
    let mut column = Bytes(column);
    while !column.0.is_empty() {
        let run = column.signed()?;
        let room = count - rows.len();
        let fits = |run: u64| usize::try_from(run).ok().filter(|run| *run <= room);
        match run {
            0 => {
                let run = fits(column.number()?)?;
                rows.extend(std::iter::repeat_n(None, run));
            }
            1.. => {
                let (run, value) = (fits(run.unsigned_abs())?, read(&mut column)?);
                rows.extend(std::iter::repeat_n(Some(value), run));
            }
            ..0 => {
                for _ in 0..fits(run.unsigned_abs())? {
                    rows.push(Some(read(&mut column)?));
                }
            }
        }
    }
    if rows.is_empty() {
        rows.resize(count, None);
    }
    (rows.len() == count).then_some(rows)
}

/// Counts of rows that are not and that are insertions, in turn, written out.
fn inserts(column: &[u8], count: u64) -> Option<Vec<bool>> {
    let count = usize::try_from(count).ok()?;
    let mut rows = Vec::with_capacity(count);
    let mut column = Bytes(column);
    let mut flag = false;
    while !column.0.is_empty() {
        let run = column.size().filter(|run| *run <= count - rows.len())?;
        rows.extend(std::iter::repeat_n(flag, run));
        flag = !flag;
    }
    (rows.len() == count).then_some(rows)
}

/// A run-length encoded column as Automerge writes it; one without any value is left out.
fn encoded<T: PartialEq>(runs: impl Iterator<Item = (Option<T>, u64)>, write: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut singles: Vec<T> = Vec::new();
    let mut any = false;
    let mut end = |bytes: &mut Vec<u8>, singles: &mut Vec<T>, run: Option<(Option<T>, u64)>| {
        if let Some((Some(value), 1)) = run {
            singles.push(value);
            return;
        }
        if !singles.is_empty() {
            signed(bytes, -i64::try_from(singles.len()).unwrap_or(i64::MAX));
            singles.drain(..).for_each(|value| write(bytes, &value));
            any = true;
        }
        match run {
            Some((Some(value), count)) => {
                signed(bytes, i64::try_from(count).unwrap_or(i64::MAX));
                write(bytes, &value);
                any = true;
            }
            Some((None, count)) => {
                signed(bytes, 0);
                number(bytes, count);
            }
            None => {}
        }
    };
    let mut now: Option<(Option<T>, u64)> = None;
    for (value, count) in runs.filter(|(_, count)| *count > 0) {
        match &mut now {
            Some((same, so_far)) if *same == value => *so_far += count,
            _ => {
                if let Some(run) = now.replace((value, count)) {
                    end(&mut bytes, &mut singles, Some(run));
                }
            }
        }
    }
    end(&mut bytes, &mut singles, now);
    end(&mut bytes, &mut singles, None);
    if any { bytes } else { Vec::new() }
}

fn flags(runs: impl Iterator<Item = (bool, u64)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut flag, mut count) = (false, 0);
    for (next, more) in runs {
        if next != flag {
            number(&mut bytes, count);
            (flag, count) = (next, 0);
        }
        count += more;
    }
    number(&mut bytes, count);
    bytes
}
