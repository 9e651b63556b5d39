//! People with tablets, for tests: each has a copy of one document and meets the others now and then.

use super::document::Document;
use super::edit::Edit;
use super::fit::Unfit;
use super::kind::Kind;
use super::record::{
    Body, Cite, Fact, Item, Join, Note, Photo, Reading, Settlement, SharedText, Strike, TextRead, Value,
};
use super::view::View;
use super::vocabulary::photo::{PhotoSubject, ShareWith};
use super::vocabulary::{Field, ItemKind, Measure, Method, Section};
use crate::clock::{Chance, Seeded, Stamp, Timestamp};
use crate::id::{AccountId, DocumentId, Hash, Heads, Key};

pub(crate) fn stamp() -> Stamp {
    Stamp { claimed: Timestamp::from_millis(1_763_371_800_250), elapsed: 7, offset: Some(-3) }
}

pub(crate) fn document(number: u8) -> DocumentId {
    let mut bytes = [number; 17];
    bytes[16] = 1;
    DocumentId::from_bytes(bytes)
}

/// A number below `end`, from `chance`.
pub(crate) fn below(chance: &mut Seeded, end: usize) -> usize {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    usize::try_from(u64::from_be_bytes(bytes) % end as u64).unwrap()
}

pub(crate) fn reading(place: &str, measure: &str, value: i32) -> Reading {
    Reading {
        place: place.parse().unwrap(),
        measure: Measure::named(measure).unwrap(),
        value,
        method: Method::Tape,
        photos: vec![],
        supersedes: vec![],
    }
}

pub(crate) fn photo(hash: u8) -> Photo {
    Photo {
        hash: Hash::from_bytes([hash; 32]),
        bytes: 1000,
        width: 1600,
        height: 1200,
        place: None,
        shows_person: false,
        consent: true,
        share: vec![],
        subject: PhotoSubject::Feature,
        angle: None,
        scale: None,
    }
}

/// A photo that whoever took it shared with Housing.
pub(crate) fn shared(hash: u8) -> Photo {
    Photo { share: vec![ShareWith::Housing], ..photo(hash) }
}

pub(crate) fn note(section: &str, text: &str) -> Note {
    Note {
        section: section.parse::<Section>().unwrap(),
        text: text.to_owned(),
        amends: None,
        addendum_to: None,
        about: None,
        photos: vec![],
    }
}

/// One person's tablet with their copy of a document.
#[derive(Debug, Clone)]
pub(crate) struct Tablet {
    pub(crate) document: Document,
    pub(crate) by: AccountId,
    number: u8,
    counter: u32,
}

impl Tablet {
    pub(crate) fn new(kind: Kind, number: u8) -> Self {
        let by = AccountId::from_bytes([number; 16]);
        Self { document: Document::new(kind).unwrap(), by, number, counter: 0 }
    }

    pub(crate) fn edit(&mut self, edit: Edit) -> Result<Key, Unfit> {
        let key = Key { device: u32::from(self.number), counter: self.counter + 1 };
        self.document.edit([self.number; 16], self.by, stamp(), &mut [key].into_iter(), &[edit])?;
        self.counter += 1;
        Ok(key)
    }

    pub(crate) fn try_add(&mut self, body: Body) -> Result<Key, Unfit> {
        self.edit(Edit::Add(body))
    }

    pub(crate) fn add(&mut self, body: Body) -> Key {
        self.try_add(body).unwrap()
    }

    /// Measures a door's clear width.
    pub(crate) fn measure(&mut self, place: &str, value: i32) -> Key {
        self.add(Body::Reading(reading(place, "door-clear-width", value)))
    }

    /// The same, in the place of earlier readings.
    pub(crate) fn measure_anew(&mut self, place: &str, value: i32, supersedes: &[Key]) -> Key {
        let supersedes = supersedes.to_vec();
        self.add(Body::Reading(Reading { supersedes, ..reading(place, "door-clear-width", value) }))
    }

    pub(crate) fn say(&mut self, item: Option<Key>, field: &str, value: Value) -> Key {
        let field = Field::named(field).unwrap_or_else(|| panic!("{field}"));
        self.add(Body::Fact(Fact { item, field, value, supersedes: vec![] }))
    }

    /// The same, in the place of what stood.
    pub(crate) fn correct(&mut self, item: Option<Key>, field: &str, value: Value) -> Key {
        let field = Field::named(field).unwrap();
        let supersedes = self.view().current_facts(item, field);
        self.add(Body::Fact(Fact { item, field, value, supersedes }))
    }

    pub(crate) fn item(&mut self, kind: ItemKind) -> Key {
        self.add(Body::Item(Item { kind }))
    }

    pub(crate) fn settle(&mut self, chosen: Key, over: &[Key]) -> Key {
        let reason = "measured again together".to_owned();
        self.add(Body::Settlement(Settlement { chosen, over: over.to_vec(), reason }))
    }

    pub(crate) fn strike(&mut self, key: Key) -> Key {
        self.add(Body::Strike(Strike { key, reason: "wrong house".to_owned() }))
    }

    pub(crate) fn join(&mut self, place: &str, same_as: &str) -> Key {
        let (place, same_as) = (place.parse().unwrap(), same_as.parse().unwrap());
        self.add(Body::Join(Join { place, same_as, reason: "one room".to_owned() }))
    }

    pub(crate) fn write(&mut self, text: SharedText, at: u32, insert: &str) {
        self.edit(Edit::Splice { text, at, delete: 0, insert: insert.to_owned() }).unwrap();
    }

    pub(crate) fn read(&mut self, text: SharedText, heads: Heads) -> Key {
        self.add(Body::TextRead(TextRead { text, heads }))
    }

    /// Takes what the other has and gives nothing.
    pub(crate) fn hear(&mut self, other: &Self) {
        self.document.apply(&other.document.changes_since(&self.document.heads())).unwrap();
    }

    /// Both have what either had.
    pub(crate) fn meet(&mut self, other: &mut Self) {
        self.hear(other);
        other.hear(self);
    }

    pub(crate) fn view(&self) -> View {
        self.document.view()
    }
}

pub(crate) fn cite(document: DocumentId, key: Key) -> Cite {
    Cite { document, key }
}
