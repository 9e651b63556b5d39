//! What a document says: the typed reading of its records, total over everything the guard admits.
//!
//! A record that this version can't read (written by a newer one) is listed as unread, never an error and never lost.

use std::collections::{BTreeMap, BTreeSet};

use super::container::Container;
use super::document::Document;
use super::joined::Joined;
use super::kind::Kind;
use super::paragraph;
use super::record::{Body, Fact, Item, Join, Note, Photo, Reading, Record, SharedText, Value};
use super::register::{Register, Supersession};
use super::vocabulary::{Field, Measure, Place};
use crate::id::{AccountId, Heads, Key};

/// What one document says at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The kind of document.
    pub kind: Kind,
    /// The exact version.
    pub heads: Heads,
    /// Every record, struck ones too.
    pub records: BTreeMap<Key, Record>,
    /// The captions of photos.
    pub captions: BTreeMap<Key, String>,
    /// The shared texts.
    pub texts: BTreeMap<SharedText, String>,
    /// Records of a newer version than this program knows.
    pub unread: BTreeSet<Key>,
    mixed: Vec<(SharedText, usize)>,
    struck: BTreeMap<Key, Key>,
    /// The joins among the records, struck ones too.
    joins: BTreeSet<Key>,
    joined: Joined,
    supersession: Supersession,
}

/// What a fact is about: an item of the document or the document itself, and the field.
pub type Slot = (Option<Key>, Field);

/// What a record is about: only one about the same can stand in its place. Where a join was struck, what was settled
/// across it falls apart, and both readings stand at their places again.
#[derive(PartialEq, Eq)]
pub(crate) enum Subject {
    /// What was measured, and where by the name of the joined places.
    Reading(Place, Measure),
    /// What was said.
    Fact(Slot),
    /// Whose note.
    Note(AccountId),
}

impl View {
    pub(crate) fn of(document: &Document) -> Self {
        let mut records = BTreeMap::new();
        let mut unread = BTreeSet::new();
        for (container, key, bytes) in document.raw_records() {
            let Ok(key) = key.parse::<Key>() else { continue };
            match bytes.map(|bytes| Record::from_bytes(&bytes)) {
                Some(Ok(record)) if Container::of(&record.body) == container => {
                    records.insert(key, record);
                }
                _ => {
                    unread.insert(key);
                }
            }
        }
        let captions = document
            .raw_captions()
            .into_iter()
            .filter_map(|(key, text)| Some((key.parse::<Key>().ok()?, text)))
            .collect();
        let texts =
            document.kind().texts().iter().filter_map(|text| Some((*text, document.raw_text(*text)?))).collect();
        let mut view = Self {
            kind: document.kind(),
            heads: document.heads(),
            records,
            captions,
            texts,
            unread,
            mixed: Vec::new(),
            struck: BTreeMap::new(),
            joins: BTreeSet::new(),
            joined: Joined::default(),
            supersession: Supersession::default(),
        };
        view.settle();
        for text in document.kind().texts() {
            let reads: Vec<&[crate::id::Hash]> = view
                .standing(|body| match body {
                    Body::TextRead(read) if read.text == *text => Some(read.heads.as_slice()),
                    _ => None,
                })
                .map(|(_, heads)| heads)
                .collect();
            let mixed = paragraph::mixed(document, *text, &reads);
            view.mixed.extend(mixed.into_iter().map(|at| (*text, at)));
        }
        view
    }

    /// The paragraphs of shared texts that two people wrote in unknown to each other and nobody has read since,
    /// counted from 1.
    pub fn mixed_paragraphs(&self) -> impl Iterator<Item = (SharedText, usize)> {
        self.mixed.iter().copied()
    }

    /// Takes in one more record, for the judgement of the next ones ([`super::fit`]): what a record can refer to, what
    /// is struck and which places are one are then as the document would read with it. Who stands in whose place is
    /// not: a push can bring thousands of records, and whoever asks that reads the document anew.
    pub(crate) fn take(&mut self, key: Key, record: Record) {
        let rejoin = match &record.body {
            Body::Join(_) => self.joins.insert(key),
            Body::Strike(strike) => self.struck.insert(strike.key, key).is_none() && self.joins.contains(&strike.key),
            _ => false,
        };
        let compared: Vec<Key> = match &record.body {
            _ if self.joined.is_empty() => Vec::new(),
            Body::Reading(reading) => reading.supersedes.iter().chain([&key]).copied().collect(),
            Body::Settlement(settlement) => settlement.over.iter().chain([&settlement.chosen]).copied().collect(),
            _ => Vec::new(),
        };
        self.records.insert(key, record);
        if rejoin {
            self.join();
        }
        // Thousands of records can name the same few: where those are is found for the first of them.
        for key in compared {
            if let Some(Record { body: Body::Reading(reading), .. }) = self.records.get(&key) {
                self.joined.remember(&reading.place);
            }
        }
    }

    fn settle(&mut self) {
        // No strike can be struck (to undo one, the thing is recorded anew), so this needs no order.
        self.struck = self
            .records
            .iter()
            .filter_map(|(key, record)| match &record.body {
                Body::Strike(strike) => Some((strike.key, *key)),
                _ => None,
            })
            .collect();
        self.joins = self
            .records
            .iter()
            .filter_map(|(key, record)| matches!(record.body, Body::Join(_)).then_some(*key))
            .collect();
        self.join();
        for record in self.records.values() {
            if let Body::Reading(reading) = &record.body {
                self.joined.remember(&reading.place);
            }
        }
        let mut pairs = Vec::new();
        for (key, body) in self.standing(Some) {
            let (winner, losers): (Key, &[Key]) = match body {
                Body::Reading(reading) => (key, &reading.supersedes),
                Body::Fact(fact) => (key, &fact.supersedes),
                // A settlement whose chosen record was struck settles nothing.
                Body::Settlement(settlement) if self.struck(settlement.chosen).is_none() => {
                    (settlement.chosen, &settlement.over)
                }
                Body::Note(note) => (key, note.amends.as_slice()),
                _ => continue,
            };
            let Some(subject) = self.subject(winner) else { continue };
            let losers = losers.iter().filter(|loser| self.subject(**loser).as_ref() == Some(&subject));
            pairs.extend(losers.map(|loser| (*loser, winner)));
        }
        self.supersession = Supersession::of(&pairs);
    }

    fn join(&mut self) {
        self.joined = Joined::of(self.joins());
    }

    /// The joins that nobody took back.
    pub(crate) fn joins(&self) -> impl Iterator<Item = &Join> {
        self.joins.iter().filter(|key| self.struck(**key).is_none()).filter_map(|key| {
            match &self.records.get(key)?.body {
                Body::Join(join) => Some(join),
                _ => None,
            }
        })
    }

    /// How many joins there are, struck ones too.
    pub(crate) fn count_of_joins(&self) -> usize {
        self.joins.len()
    }

    /// What this record is about, struck or not; `None` where none can stand in its place.
    pub(crate) fn subject(&self, key: Key) -> Option<Subject> {
        let record = self.records.get(&key)?;
        match &record.body {
            Body::Reading(reading) => Some(Subject::Reading(self.same_place(&reading.place), reading.measure)),
            Body::Fact(fact) => Some(Subject::Fact((fact.item, fact.field))),
            Body::Note(_) => Some(Subject::Note(record.by)),
            _ => None,
        }
    }

    /// The settlements that stand and chose one of `over` rather than `chosen`, unlike what is to be settled now.
    /// They are to be struck together with it: two opposite settlements that stand both leave the clash open.
    pub fn opposed(&self, chosen: Key, over: &[Key]) -> Vec<Key> {
        let opposed = self.standing(|body| match body {
            Body::Settlement(earlier) => Some(over.contains(&earlier.chosen) && earlier.over.contains(&chosen)),
            _ => None,
        });
        opposed.filter(|(_, opposed)| *opposed).map(|(key, _)| key).collect()
    }

    /// The strike that took this record back, if one did.
    pub fn struck(&self, key: Key) -> Option<Key> {
        self.struck.get(&key).copied()
    }

    /// Whether a later record or a settlement stands in this one's place.
    pub fn is_superseded(&self, key: Key) -> bool {
        self.supersession.is_superseded(key)
    }

    /// Whether this record is neither struck nor superseded.
    pub fn is_current(&self, key: Key) -> bool {
        self.records.contains_key(&key) && self.struck(key).is_none() && !self.is_superseded(key)
    }

    /// The records that nobody took back, of one sort.
    fn standing<'a, T>(&'a self, pick: impl Fn(&'a Body) -> Option<T> + 'a) -> impl Iterator<Item = (Key, T)> + 'a {
        self.records
            .iter()
            .filter(|(key, _)| self.struck(**key).is_none())
            .filter_map(move |(key, record)| Some((*key, pick(&record.body)?)))
    }

    /// A reading by its key, struck or not.
    pub fn reading(&self, key: Key) -> Option<&Reading> {
        match &self.records.get(&key)?.body {
            Body::Reading(reading) => Some(reading),
            _ => None,
        }
    }

    /// A photo by its key, struck or not.
    pub fn photo(&self, key: Key) -> Option<&Photo> {
        match &self.records.get(&key)?.body {
            Body::Photo(photo) => Some(photo),
            _ => None,
        }
    }

    /// The place that this name stands for once joined places are one.
    pub fn same_place(&self, place: &Place) -> Place {
        self.joined.name(place)
    }

    /// Every measured place and measure with the readings that stand for it.
    pub fn readings(&self) -> BTreeMap<(Place, Measure), Register> {
        let mut slots: BTreeMap<(Place, Measure), Vec<(Key, i64)>> = BTreeMap::new();
        for (key, reading) in self.standing(|body| match body {
            Body::Reading(reading) => Some(reading),
            _ => None,
        }) {
            let slot = (self.same_place(&reading.place), reading.measure);
            slots.entry(slot).or_default().push((key, i64::from(reading.value)));
        }
        slots
            .into_iter()
            .map(|((place, measure), values)| {
                let register = Register::of_readings(&values, measure.spec(), &self.supersession);
                ((place, measure), register)
            })
            .collect()
    }

    /// Every fact's field with the values that stand for it. What was said of an item goes when the item is struck.
    pub fn facts(&self) -> BTreeMap<Slot, Register> {
        let mut slots: BTreeMap<Slot, Vec<(Key, &Value)>> = BTreeMap::new();
        for (key, fact) in self.standing(|body| match body {
            Body::Fact(fact) if !self.is_struck_item(fact.item) => Some(fact),
            _ => None,
        }) {
            slots.entry((fact.item, fact.field)).or_default().push((key, &fact.value));
        }
        slots.into_iter().map(|(slot, values)| (slot, Register::of_facts(&values, &self.supersession))).collect()
    }

    fn is_struck_item(&self, item: Option<Key>) -> bool {
        item.is_some_and(|item| self.struck(item).is_some())
    }

    /// A fact by its key, struck or not.
    pub fn fact(&self, key: Key) -> Option<&Fact> {
        match &self.records.get(&key)?.body {
            Body::Fact(fact) => Some(fact),
            _ => None,
        }
    }

    /// The value shown for a field of the document (`item` is `None`) or of one of its items.
    pub fn value(&self, item: Option<Key>, field: Field) -> Option<&Value> {
        let facts = self.standing(move |body| match body {
            Body::Fact(fact) if fact.item == item && fact.field == field => Some(&fact.value),
            _ => None,
        });
        if self.is_struck_item(item) {
            return None;
        }
        let values: Vec<_> = facts.collect();
        let shown = Register::of_facts(&values, &self.supersession).shown?;
        values.into_iter().find(|(key, _)| *key == shown).map(|(_, value)| value)
    }

    /// [`View::value`] by the field's name; `None` too for a name that is no field.
    pub fn named(&self, item: Option<Key>, field: &str) -> Option<&Value> {
        self.value(item, Field::named(field)?)
    }

    /// The keys that stand for a slot now: what a new record of it supersedes when its author saw them.
    pub fn current_facts(&self, item: Option<Key>, field: Field) -> Vec<Key> {
        self.facts().remove(&(item, field)).map(|register| register.current).unwrap_or_default()
    }

    /// The keys that stand for a place and measure now.
    pub fn current_readings(&self, place: &Place, measure: Measure) -> Vec<Key> {
        self.readings().remove(&(self.same_place(place), measure)).map(|r| r.current).unwrap_or_default()
    }

    /// The items that stand.
    pub fn items(&self) -> impl Iterator<Item = (Key, &Item)> {
        self.standing(|body| match body {
            Body::Item(item) => Some(item),
            _ => None,
        })
    }

    /// The notes that stand: not struck and not amended.
    pub fn notes(&self) -> impl Iterator<Item = (Key, &Note)> {
        self.standing(|body| match body {
            Body::Note(note) => Some(note),
            _ => None,
        })
        .filter(|(key, _)| !self.is_superseded(*key))
    }

    /// The photos that stand.
    pub fn photos(&self) -> impl Iterator<Item = (Key, &Photo)> {
        self.standing(|body| match body {
            Body::Photo(photo) => Some(photo),
            _ => None,
        })
    }
}

/// Two or more values that stand for the same thing and disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clash {
    /// Of a measurement: further apart than its tolerance.
    Reading {
        /// Where.
        place: Place,
        /// What was measured.
        measure: Measure,
        /// The readings that disagree.
        keys: Vec<Key>,
    },
    /// Of a fact.
    Fact {
        /// The item it is about.
        item: Option<Key>,
        /// The field.
        field: Field,
        /// The facts that disagree.
        keys: Vec<Key>,
    },
}

impl Clash {
    /// The records that disagree.
    pub fn keys(&self) -> &[Key] {
        match self {
            Self::Reading { keys, .. } | Self::Fact { keys, .. } => keys,
        }
    }
}

impl View {
    /// Every clash, measurements first.
    pub fn clashes(&self) -> Vec<Clash> {
        let readings = self.readings().into_iter().filter(|(_, register)| register.clash);
        let facts = self.facts().into_iter().filter(|(_, register)| register.clash);
        readings
            .map(|((place, measure), register)| Clash::Reading { place, measure, keys: register.current })
            .chain(facts.map(|((item, field), register)| Clash::Fact { item, field, keys: register.current }))
            .collect()
    }
}

#[cfg(test)]
mod tests;
