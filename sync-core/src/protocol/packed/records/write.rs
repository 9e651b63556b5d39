//! Writing records and typed text.

use std::collections::BTreeMap;

use super::super::memory::{Memory, tell_named};
use super::super::number::{counted, number, size};
use super::super::numbers::Numbers;
use super::super::rows::{After, Run};
use super::super::shape::{self, Leaf};
use super::super::words::{self, Path};
use super::{BEGINNING, DONE, ELEMENT, END, LITERALLY, NEXT, PLACE, Parts, SAME, WORD};

/// What the records of one shape say in one place.
#[derive(Default)]
struct Column {
    numbers: Numbers,
    /// The second number of a key.
    counters: Numbers,
    /// What is said word for word.
    said: Vec<u8>,
}

/// Writes records and typed text.
pub(in super::super) struct Writer {
    memory: Memory,
    runs: Vec<u8>,
    shapes: Numbers,
    known: Vec<Vec<u8>>,
    new: Vec<u8>,
    devices: Numbers,
    counters: Numbers,
    authors: Column,
    claimed: Numbers,
    elapsed: Numbers,
    offsets: Numbers,
    columns: BTreeMap<(usize, usize), Column>,
    rooms: [Numbers; 2],
    features: [Numbers; 2],
    typed: Vec<u8>,
}

impl Writer {
    pub(in super::super) fn new(author: Option<([u8; 16], u32)>) -> Self {
        Self {
            memory: Memory::new(author),
            runs: Vec::new(),
            shapes: Numbers::default(),
            known: shape::COMMON.iter().map(|shape| shape.to_vec()).collect(),
            new: Vec::new(),
            devices: Numbers::default(),
            counters: Numbers::default(),
            authors: Column::default(),
            claimed: Numbers::default(),
            elapsed: Numbers::default(),
            offsets: Numbers::default(),
            columns: BTreeMap::new(),
            rooms: Default::default(),
            features: Default::default(),
            typed: Vec::new(),
        }
    }

    /// Takes in the operations of a change; says whether it could.
    pub(in super::super) fn change(&mut self, runs: &[Run<'_>]) -> bool {
        let parts = |run: &'_ Run<'_>| match run {
            Run::Record { container, key, record } => Parts::parse(*container, *key, record).is_some(),
            Run::Text { typed, .. } => !typed.is_empty(),
        };
        if !runs.iter().all(parts) {
            return false;
        }
        let mut rest = runs;
        loop {
            let records = rest.iter().take_while(|run| matches!(run, Run::Record { .. })).count();
            size(&mut self.runs, records);
            let (now, behind) = rest.split_at(records);
            for run in now {
                if let Run::Record { container, key, record } = run
                    && let Some(parts) = Parts::parse(*container, *key, record)
                {
                    self.record(parts);
                }
            }
            let Some((Run::Text { text, after, typed }, behind)) = behind.split_first() else { break };
            match after {
                After::Beginning => number(&mut self.runs, BEGINNING),
                After::Element(actor, distance) => {
                    number(&mut self.runs, ELEMENT);
                    number(&mut self.runs, *actor);
                    number(&mut self.runs, *distance);
                }
            }
            size(&mut self.runs, *text);
            self.typed.extend_from_slice(typed.as_bytes());
            self.typed.push(END);
            rest = behind;
        }
        number(&mut self.runs, DONE);
        true
    }

    fn record(&mut self, parts: Parts<'_>) {
        let Parts { key, author, when, shape, leaves } = parts;
        let (device, counter) = self.memory.tell_key(key);
        self.devices.push(device);
        self.counters.push(counter);
        let known = self.memory.authors.tell(author);
        self.authors.numbers.push(known);
        if known == 0 {
            self.authors.said.extend_from_slice(author);
        }
        let (went, further) = self.memory.tell_when(when);
        self.claimed.push(went);
        self.elapsed.push(further);
        self.offsets.push(when.offset);
        let at = self.known.iter().position(|known| *known == shape).unwrap_or_else(|| {
            counted(&mut self.new, &shape);
            self.known.push(shape);
            self.known.len() - 1
        });
        self.shapes.push(at as u64);
        for (place, leaf) in leaves.iter().enumerate() {
            let column = self.columns.entry((at, place)).or_default();
            match leaf {
                Leaf::Number(value) => column.numbers.push(*value),
                Leaf::Key(device, counter) => {
                    let (device, counter) = tell_named(key, (*device, *counter));
                    column.numbers.push(device);
                    column.counters.push(counter);
                }
                Leaf::Bytes(bytes) => {
                    let known = self.memory.bytes.tell(bytes);
                    column.numbers.push(known);
                    if known == 0 {
                        column.said.extend_from_slice(bytes);
                    }
                }
                Leaf::Text(text) => {
                    let token = told(text, &mut self.memory, &mut self.rooms, &mut self.features);
                    column.numbers.push(token);
                    if token == LITERALLY {
                        column.said.extend_from_slice(text);
                        column.said.push(END);
                    }
                }
            }
        }
    }

    pub(in super::super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.runs);
        self.shapes.write(bytes);
        bytes.extend_from_slice(&self.new);
        let of_all = [&self.devices, &self.counters, &self.authors.numbers];
        of_all.iter().for_each(|column| column.write(bytes));
        bytes.extend_from_slice(&self.authors.said);
        [&self.claimed, &self.elapsed, &self.offsets].iter().for_each(|column| column.write(bytes));
        for column in self.columns.values() {
            column.numbers.write(bytes);
            column.counters.write(bytes);
            bytes.extend_from_slice(&column.said);
        }
        self.rooms.iter().chain(&self.features).for_each(|column| column.write(bytes));
        bytes.extend_from_slice(&self.typed);
    }
}

/// How a text is told; of a place, what is new of it goes into the columns of rooms and features.
fn told(text: &[u8], memory: &mut Memory, rooms: &mut [Numbers; 2], features: &mut [Numbers; 2]) -> u64 {
    let Ok(text) = std::str::from_utf8(text) else { return LITERALLY };
    let Some(path) = Path::parse(text) else {
        return words::number(text).map_or(LITERALLY, |word| WORD + word);
    };
    let before = memory.places.last();
    let next = path.feature.and_then(|(feature, _)| memory.places.next(feature));
    memory.places.named(path);
    if before == Some(path) {
        return SAME;
    }
    features[0].push(path.feature.map_or(0, |(feature, _)| feature + 1));
    if next == Some(path) {
        return NEXT;
    }
    rooms[0].push(path.room.0);
    rooms[1].push(path.room.1);
    features[1].push(path.feature.map_or(0, |(_, ordinal)| ordinal));
    PLACE
}
