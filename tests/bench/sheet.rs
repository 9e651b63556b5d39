//! What stands in one document, by slot: what an edit replaces, and what the workload's values read as now.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sync_core::domain::edit::Edit;
use sync_core::domain::record::{About, Body, Cite, Fact, Note, Reading, SharedText, Value};
use sync_core::domain::view::{self, View};
use sync_core::domain::vocabulary::{Measure, Method, Place, ValueKind};
use sync_core::id::{AccountId, DocumentId, Key};

use crate::slot::{Code, Part, Slot, Subject, part_of, section, with_part};

/// A note that stands.
#[derive(Debug, Clone)]
struct Words {
    key: Key,
    by: AccountId,
    text: String,
}

/// A document as its last reading showed it, kept up to date through edits made here.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) document: DocumentId,
    me: AccountId,
    kind: sync_core::domain::kind::Kind,
    pub(crate) items: Vec<Key>,
    facts: BTreeMap<view::Slot, Vec<(Key, Value)>>,
    readings: BTreeMap<(Place, Measure), Vec<(Key, i32)>>,
    notes: BTreeMap<Subject, Vec<Words>>,
    pub(crate) text: String,
    /// Whether what says nothing new is recorded all the same: a save is a save.
    pub(crate) outspoken: bool,
}

impl Sheet {
    pub(crate) fn of(document: DocumentId, me: AccountId, view: &View) -> Self {
        let items: Vec<Key> = view.items().map(|(key, _)| key).collect();
        let value = |key: Key| Some((key, view.fact(key)?.value.clone()));
        let facts = view
            .facts()
            .into_iter()
            .map(|(slot, register)| (slot, register.current.into_iter().filter_map(value).collect()));
        let reading = |key: Key| Some((key, view.reading(key)?.value));
        let readings = view
            .readings()
            .into_iter()
            .map(|(slot, register)| (slot, register.current.into_iter().filter_map(reading).collect()));
        let mut notes: BTreeMap<Subject, Vec<Words>> = BTreeMap::new();
        for (key, note) in view.notes() {
            let by = view.records[&key].by;
            let words = Words { key, by, text: note.text.clone() };
            notes.entry(subject_of(note, &items)).or_default().push(words);
        }
        let text = view.texts.get(&SharedText::Reasoning).cloned().unwrap_or_default();
        let (facts, readings) = (facts.collect(), readings.collect());
        Self { document, me, kind: view.kind, items, facts, readings, notes, text, outspoken: false }
    }

    /// How many values stand: every one of them has to be one of the workload's.
    pub(crate) fn standing(&self) -> usize {
        self.facts.values().map(Vec::len).sum::<usize>()
            + self.readings.values().map(Vec::len).sum::<usize>()
            + self.notes.values().map(Vec::len).sum::<usize>()
    }

    /// What the value reads as: one value, or as many as stand against one another. Counts the records it is read from.
    pub(crate) fn shown(&self, slot: &Slot, used: &mut std::collections::BTreeSet<Key>) -> Vec<Json> {
        let mut in_words = |subject: &Subject, part| -> Vec<Json> {
            let notes = self.notes.get(subject).map_or(&[][..], Vec::as_slice);
            used.extend(notes.iter().map(|note| note.key));
            notes.iter().map(|note| part_of(subject, part, &note.text)).collect()
        };
        let mut values = match slot {
            Slot::Implied | Slot::Card => Vec::new(),
            Slot::Narrative => vec![self.text.as_str().into()],
            Slot::Note { subject, part } => {
                let said = in_words(subject, *part);
                let silent = said.is_empty() && matches!(part, Part::Unit | Part::Remark);
                if silent { vec![part_of(subject, *part, "")] } else { said }
            }
            Slot::Fact { item, field, code, path } => {
                let said = in_words(&Subject::Path(path.clone()), Part::Whole);
                let item = item.map(|item| self.items.get(item).copied());
                let facts = match item {
                    Some(None) => None,
                    item => self.facts.get(&(item.flatten(), *field)),
                };
                let facts = facts.map_or(&[][..], Vec::as_slice);
                used.extend(facts.iter().map(|(key, _)| *key));
                match (said.is_empty(), facts.is_empty(), code) {
                    // Nothing to say of it was not recorded.
                    (true, true, Code::Text) => vec!["".into()],
                    (true, ..) => facts.iter().map(|(_, value)| code.decode(value)).collect(),
                    (false, ..) => said,
                }
            }
            Slot::Reading { place, measure, path } => {
                let said = in_words(&Subject::Path(path.clone()), Part::Whole);
                let readings = self.readings.get(&(*place, *measure)).map_or(&[][..], Vec::as_slice);
                used.extend(readings.iter().map(|(key, _)| *key));
                if said.is_empty() { readings.iter().map(|(_, value)| (*value).into()).collect() } else { said }
            }
        };
        values.dedup();
        values
    }

    /// The intentions that make these slots say these values, all in one change.
    pub(crate) fn edits(&mut self, wanted: &[(Slot, Json)], method: Method) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (slot, value) in wanted {
            match slot {
                Slot::Implied | Slot::Card => {}
                Slot::Narrative => {
                    let insert = value.as_str().unwrap_or_default().to_owned();
                    edits.push(Edit::Splice { text: SharedText::Reasoning, at: 0, delete: 0, insert });
                }
                Slot::Note { subject, part } => self.write_note(&mut edits, subject, *part, value),
                Slot::Reading { place, measure, path } => {
                    let number = value.as_i64().and_then(|value| i32::try_from(value).ok());
                    let path = Subject::Path(path.clone());
                    match number.filter(|number| number.unsigned_abs() <= 100_000) {
                        Some(value) => {
                            let before = self.readings.get(&(*place, *measure));
                            let supersedes = before.into_iter().flatten().map(|(key, _)| *key).collect();
                            let (place, measure) = (*place, *measure);
                            let reading = Reading { place, measure, value, method, photos: Vec::new(), supersedes };
                            edits.push(Edit::Add(Body::Reading(reading)));
                            if self.notes.contains_key(&path) {
                                self.write_note(&mut edits, &path, Part::Whole, &value.into());
                            }
                        }
                        None => self.write_note(&mut edits, &path, Part::Whole, value),
                    }
                }
                Slot::Fact { item, field, code, path } => {
                    let item = item.map(|item| self.items[item]);
                    let before = self.facts.get(&(item, *field));
                    if before.is_none() && !self.outspoken && matches!(code, Code::Text) && value.as_str() == Some("") {
                        continue;
                    }
                    let most = match field.spec().value {
                        ValueKind::Text { most } => most,
                        _ => usize::MAX,
                    };
                    let encoded = code.encode(value, most);
                    let exact = encoded.as_ref().is_some_and(|(_, exact)| *exact);
                    if let Some((value, _)) = encoded {
                        let supersedes = before.into_iter().flatten().map(|(key, _)| *key).collect();
                        edits.push(Edit::Add(Body::Fact(Fact { item, field: *field, value, supersedes })));
                    }
                    let path = Subject::Path(path.clone());
                    if !exact || self.notes.contains_key(&path) {
                        self.write_note(&mut edits, &path, Part::Whole, value);
                    }
                }
            }
        }
        edits
    }

    fn write_note(&mut self, edits: &mut Vec<Edit>, subject: &Subject, part: Part, value: &Json) {
        // Several parts of a note that is new come in one change: they are one note.
        let pending = edits.iter_mut().find_map(|edit| match edit {
            Edit::Add(Body::Note(note)) if subject_of(note, &self.items) == *subject => Some(note),
            _ => None,
        });
        if let Some(note) = pending {
            note.text = with_part(subject, part, &note.text, value);
            return;
        }
        let standing = self.notes.get(subject).and_then(|notes| notes.last());
        let before = standing.map_or("", |note| note.text.as_str());
        let mut text = with_part(subject, part, before, value);
        if text.is_empty() {
            if !self.outspoken {
                return;
            }
            text = "(mm) ".to_owned();
        }
        let mine = standing.filter(|note| note.by == self.me).map(|note| note.key);
        let others = standing.filter(|note| note.by != self.me).map(|note| note.key);
        let about = match subject {
            Subject::Place(place) => Some(About::Place(*place)),
            Subject::Item(item, _) => Some(About::Record(Cite { document: self.document, key: self.items[*item] })),
            Subject::Path(_) => None,
        };
        let (section, photos) = (section(self.kind), Vec::new());
        edits.push(Edit::Add(Body::Note(Note { section, text, amends: mine, addendum_to: others, about, photos })));
    }

    /// Takes in what was made of edits: the keys that their records took.
    pub(crate) fn made(&mut self, edits: &[Edit], keys: &[Key]) {
        let mut keys = keys.iter().copied();
        for edit in edits {
            match edit {
                Edit::Add(body) => {
                    let Some(key) = keys.next() else { return };
                    match body {
                        Body::Reading(reading) => {
                            self.readings.insert((reading.place, reading.measure), vec![(key, reading.value)]);
                        }
                        Body::Fact(fact) => {
                            self.facts.insert((fact.item, fact.field), vec![(key, fact.value.clone())]);
                        }
                        Body::Item(_) => self.items.push(key),
                        Body::Note(note) => {
                            let words = Words { key, by: self.me, text: note.text.clone() };
                            let notes = self.notes.entry(subject_of(note, &self.items)).or_default();
                            notes.retain(|note_before| Some(note_before.key) != note.amends);
                            notes.push(words);
                        }
                        _ => {}
                    }
                }
                Edit::Splice { at, insert, .. } => {
                    let at = self.text.char_indices().nth(*at as usize).map_or(self.text.len(), |(byte, _)| byte);
                    self.text.insert_str(at, insert);
                }
                Edit::Caption { .. } => {}
            }
        }
    }
}

/// What a note is about: a place, an item, or what its first word names.
fn subject_of(note: &Note, items: &[Key]) -> Subject {
    let name = || note.text.split_once(": ").map_or(note.text.as_str(), |(name, _)| name).to_owned();
    match &note.about {
        Some(About::Place(place)) => Subject::Place(*place),
        Some(About::Record(cite)) => {
            let item = items.iter().position(|key| *key == cite.key).unwrap_or(usize::MAX);
            Subject::Item(item, name())
        }
        _ => Subject::Path(name()),
    }
}
