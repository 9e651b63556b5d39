//! Reading them back.

use std::borrow::Cow;

use super::super::memory::{Memory, hear_named};
use super::super::number::Bytes;
use super::super::numbers::NumbersRead;
use super::super::rows::{After, Run};
use super::super::shape::{self, Leaf, LeafKind};
use super::super::words::{self, Path};
use super::{BEGINNING, DONE, ELEMENT, END, LEAST, LITERALLY, NEXT, PLACE, SAME, WORD, record};

/// So many texts, one behind the other.
fn texts<'b>(bytes: &mut Bytes<'b>, count: usize) -> Option<Bytes<'b>> {
    let begin = *bytes;
    for _ in 0..count {
        text(bytes)?;
    }
    Some(begin)
}

fn text<'b>(bytes: &mut Bytes<'b>) -> Option<&'b [u8]> {
    let length = bytes.0.iter().position(|byte| *byte == END)?;
    let text = bytes.take(length)?;
    bytes.byte();
    Some(text)
}

/// A column that was read.
#[derive(Clone, Copy)]
struct ColumnRead<'b> {
    kind: LeafKind,
    numbers: NumbersRead<'b>,
    counters: NumbersRead<'b>,
    said: Bytes<'b>,
}

/// One run as it was written.
#[derive(Clone, Copy)]
enum RunRead {
    Records(usize),
    Text { text: usize, after: After },
}

/// Reads what a [`Writer`] wrote. Of what it reads nothing is written out before it is asked for.
pub(in super::super) struct Reader<'b> {
    memory: Memory,
    runs: std::vec::IntoIter<Vec<RunRead>>,
    shapes: NumbersRead<'b>,
    known: Vec<Cow<'b, [u8]>>,
    devices: NumbersRead<'b>,
    counters: NumbersRead<'b>,
    authors: NumbersRead<'b>,
    said: Bytes<'b>,
    claimed: NumbersRead<'b>,
    elapsed: NumbersRead<'b>,
    offsets: NumbersRead<'b>,
    columns: Vec<Vec<ColumnRead<'b>>>,
    rooms: [NumbersRead<'b>; 2],
    features: [NumbersRead<'b>; 2],
    typed: Bytes<'b>,
}

impl<'b> Reader<'b> {
    /// Reads the columns of so many changes. `room`: how many bytes there may be of all they say; `Some(None)` when
    /// there are more, `None` when they are damaged.
    pub(in super::super) fn read(
        bytes: &mut Bytes<'b>,
        (changes, room): (usize, usize),
        author: Option<([u8; 16], u32)>,
    ) -> Option<Option<Self>> {
        let (mut records, mut typed) = (0_usize, 0);
        let mut runs = Vec::with_capacity(changes.min(bytes.0.len()));
        for _ in 0..changes {
            match read_runs(bytes, &mut records, (&mut typed, room / LEAST_TYPED))? {
                Some(read) => runs.push(read),
                None => return Some(None),
            }
        }
        // What follows takes time for each of them, whatever bytes they take here.
        if records > room / LEAST {
            return Some(None);
        }
        let shapes = NumbersRead::read(bytes, records)?;
        let mut known: Vec<Cow<'b, [u8]>> = shape::COMMON.iter().map(|shape| Cow::Borrowed(*shape)).collect();
        let mut counts = vec![0_usize; known.len()];
        for shape in shapes {
            let shape = usize::try_from(shape).ok()?;
            if shape == known.len() {
                known.push(bytes.counted().filter(|shape| shape.len() <= shape::MOST_SHAPE)?.into());
                counts.push(0);
            }
            *counts.get_mut(shape)? += 1;
        }
        let numbers = |bytes: &mut Bytes<'b>| NumbersRead::read(bytes, records);
        let (devices, counters, authors) = (numbers(bytes)?, numbers(bytes)?, numbers(bytes)?);
        let new = authors.filter(|author| *author == 0).count();
        let said = Bytes(bytes.take(new.checked_mul(16)?)?);
        let (claimed, elapsed, offsets) = (numbers(bytes)?, numbers(bytes)?, numbers(bytes)?);
        let (mut next, mut places, mut leaves, mut held) = (0, 0, 0_usize, 0_usize);
        let mut columns = Vec::with_capacity(known.len());
        for (shape, count) in known.iter().zip(counts) {
            // Most of what is common is not in every document.
            let kinds = if count == 0 { Vec::new() } else { shape::leaves(shape)? };
            leaves = leaves.saturating_add(kinds.len().saturating_mul(count));
            held = held.saturating_add(kinds.len().saturating_mul(size_of::<ColumnRead<'_>>()));
            if leaves > room || held > room {
                return Some(None);
            }
            let mut of_shape = Vec::with_capacity(kinds.len());
            for kind in kinds {
                let numbers = NumbersRead::read(bytes, count)?;
                let counters = NumbersRead::read(bytes, if kind == LeafKind::Key { count } else { 0 })?;
                let of = |token: u64| numbers.filter(|number| *number == token).count();
                let said = match kind {
                    LeafKind::Number | LeafKind::Key => Bytes(&[]),
                    LeafKind::Bytes(length) => {
                        // They are remembered one by one, those of no bytes too.
                        let new = of(0);
                        held = held.saturating_add(new.saturating_mul(size_of::<Vec<u8>>()));
                        if held > room {
                            return Some(None);
                        }
                        Bytes(bytes.take(new.checked_mul(length)?)?)
                    }
                    LeafKind::Text => {
                        (next, places) = (next + of(NEXT), places + of(PLACE));
                        texts(bytes, of(LITERALLY))?
                    }
                };
                of_shape.push(ColumnRead { kind, numbers, counters, said });
            }
            columns.push(of_shape);
        }
        let mut named = |count| NumbersRead::read(bytes, count);
        let rooms = [named(places)?, named(places)?];
        let features = [named(next + places)?, named(places)?];
        let typed = texts(bytes, typed)?;
        let (memory, runs) = (Memory::new(author), runs.into_iter());
        Some(Some(Self {
            memory,
            runs,
            shapes,
            known,
            devices,
            counters,
            authors,
            said,
            claimed,
            elapsed,
            offsets,
            columns,
            rooms,
            features,
            typed,
        }))
    }

    /// The operations of the next change. `room`: how many bytes there may be of their values; `Some(None)` when there
    /// are more, `None` when they are damaged.
    pub(in super::super) fn change(&mut self, mut room: usize) -> Option<Option<Vec<Run<'b>>>> {
        let mut runs = Vec::new();
        for run in self.runs.next()? {
            match run {
                RunRead::Records(count) => {
                    for _ in 0..count {
                        let run = self.record()?;
                        if let Run::Record { record, .. } = &run {
                            let Some(rest) = room.checked_sub(record.len()) else { return Some(None) };
                            room = rest;
                        }
                        runs.push(run);
                    }
                }
                RunRead::Text { text: of, after } => {
                    let typed = std::str::from_utf8(text(&mut self.typed)?).ok()?;
                    let Some(rest) = room.checked_sub(typed.len()) else { return Some(None) };
                    room = rest;
                    runs.push(Run::Text { text: of, after, typed });
                }
            }
        }
        Some(Some(runs))
    }

    fn record(&mut self) -> Option<Run<'b>> {
        let Self { memory, known, columns, rooms, features, said, .. } = self;
        let key = memory.hear_key((self.devices.next()?, self.counters.next()?))?;
        let author = memory.authors.hear(self.authors.next()?, || said.take(16))?;
        let when = memory.hear_when((self.claimed.next()?, self.elapsed.next()?), self.offsets.next()?);
        let at = usize::try_from(self.shapes.next()?).ok()?;
        let shape = known.get(at)?;
        let container = shape::container(shape)?;
        let mut columns = columns.get_mut(at)?.iter_mut();
        let record = record(&author, when, shape, || {
            let column = columns.next()?;
            let number = column.numbers.next()?;
            Some(match column.kind {
                LeafKind::Number => Leaf::Number(number),
                LeafKind::Key => {
                    let (device, counter) = hear_named(key, (number, column.counters.next()?));
                    Leaf::Key(device, counter)
                }
                LeafKind::Bytes(length) => Leaf::Bytes(memory.bytes.hear(number, || column.said.take(length))?),
                LeafKind::Text if number == LITERALLY => Leaf::Text(text(&mut column.said)?.into()),
                LeafKind::Text => Leaf::Text(heard(number, memory, rooms, features)?),
            })
        })?;
        Some(Run::Record { container, key, record: record.into() })
    }
}

/// How many bytes a run of typed text takes at least in a change: it is held for each, before any of it is written out.
const LEAST_TYPED: usize = 8;

/// One change's runs; counts records and runs of text. `Some(None)`: more of these than `most`.
fn read_runs(
    bytes: &mut Bytes<'_>,
    records: &mut usize,
    (typed, most): (&mut usize, usize),
) -> Option<Option<Vec<RunRead>>> {
    let mut runs = Vec::new();
    loop {
        let count = bytes.size()?;
        *records = records.checked_add(count)?;
        if count > 0 {
            runs.push(RunRead::Records(count));
        }
        let after = match bytes.number()? {
            DONE => return Some(Some(runs)),
            BEGINNING => After::Beginning,
            ELEMENT => After::Element(bytes.number()?, bytes.number()?),
            _ => return None,
        };
        if *typed == most {
            return Some(None);
        }
        *typed += 1;
        runs.push(RunRead::Text { text: bytes.size()?, after });
    }
}

/// The words of a text that was not told literally.
fn heard<'b>(
    token: u64,
    memory: &mut Memory,
    rooms: &mut [NumbersRead<'b>; 2],
    features: &mut [NumbersRead<'b>; 2],
) -> Option<Cow<'b, [u8]>> {
    let path = match token {
        SAME => memory.places.last()?,
        NEXT => memory.places.next(features[0].next()?.checked_sub(1)?)?,
        PLACE => {
            let room = (rooms[0].next()?, rooms[1].next()?);
            let (feature, ordinal) = (features[0].next()?, features[1].next()?);
            Path { room, feature: feature.checked_sub(1).map(|feature| (feature, ordinal)) }
        }
        word => return Some(words::word(word.checked_sub(WORD)?)?.as_bytes().into()),
    };
    memory.places.named(path);
    Some(path.text()?.into_bytes().into())
}
