//! Fields: facts with one current value, of a document or of an item in it.
//!
//! Who may read decides where a field stands: a field belongs to one kind of document, and in a prescription to its
//! specification, which Housing reads once signed, or to its justification, which Housing never reads.

use std::sync::LazyLock;

use super::item::ItemKind;
use super::{Unit, handle};
use crate::domain::kind::Kind;

mod clinical;
mod function;
mod home;
mod prescribed;
mod prescription;
mod restricted;
mod survey;

pub use prescription::{PURPOSES, ROUTES};

/// What a field says something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The document itself.
    Document,
    /// An item of one of these kinds.
    Item(&'static [ItemKind]),
}

/// Which part of a document a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The document has one audience.
    Whole,
    /// What is to be made or supplied: Housing reads it once signed.
    Specification,
    /// Why: for the council lane only.
    Justification,
}

/// What a field's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number {
        /// What it counts.
        unit: Unit,
        /// Smallest and largest value that raises no finding.
        plausible: (i64, i64),
    },
    /// A short text: a scalar, which two people do not edit together.
    Text {
        /// Longest, in characters.
        most: usize,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any of these words, each once.
    Choices(&'static [&'static str]),
    /// A civil date.
    Date,
    /// A dimension to build by: millimetres, a tolerance, and the readings it rests on.
    Dimension {
        /// Smallest and largest value, in millimetres, that raises no finding.
        plausible: (i32, i32),
    },
    /// Readings or photos cited.
    Cites,
    /// An account's id.
    Person,
    /// A place of the home, as text: `bathroom-1/door-1`.
    Place,
}

/// When the lack of a value is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Never.
    Optional,
    /// Missing is a finding before completion.
    Expected,
    /// Missing is a finding before completion when the prescription is on one of these routes.
    ExpectedOn(&'static [&'static str]),
    /// Missing is a finding before completion for items of these kinds.
    ExpectedOf(&'static [ItemKind]),
}

/// What the vocabulary says of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Group, dot, name: as documents store it, for ever.
    pub name: &'static str,
    /// For people.
    pub label: &'static str,
    /// The kinds of document that have it.
    pub kinds: &'static [Kind],
    /// Of what.
    pub of: Of,
    /// In which part of the document.
    pub part: Part,
    /// What its value may be.
    pub value: ValueKind,
    /// Whether it is missed.
    pub need: Need,
}

impl FieldSpec {
    /// An optional field of a whole document of `kinds`.
    const fn new(kinds: &'static [Kind], name: &'static str, label: &'static str, value: ValueKind) -> Self {
        Self { name, label, kinds, of: Of::Document, part: Part::Whole, value, need: Need::Optional }
    }

    /// The same field of items of these kinds.
    const fn of(self, items: &'static [ItemKind]) -> Self {
        Self { of: Of::Item(items), ..self }
    }

    /// The same field, missed when it has no value.
    const fn expected(self) -> Self {
        Self { need: Need::Expected, ..self }
    }

    /// Whether a document of `kind` may hold it for an item of `item`, or for itself when `None`.
    pub fn applies_to(&self, kind: Kind, item: Option<ItemKind>) -> bool {
        self.kinds.contains(&kind)
            && match (self.of, item) {
                (Of::Document, None) => true,
                (Of::Item(items), Some(item)) => items.contains(&item),
                _ => false,
            }
    }

    /// Whether its lack is a finding, on `route` (`None` where there is no route, or none yet) and of `item`.
    pub fn is_expected(&self, route: Option<&str>, item: Option<ItemKind>) -> bool {
        match self.need {
            Need::Optional => false,
            Need::Expected => true,
            Need::ExpectedOn(routes) => route.is_some_and(|route| routes.contains(&route)),
            Need::ExpectedOf(items) => item.is_some_and(|item| items.contains(&item)),
        }
    }
}

/// A text of at most 80 characters: a name, a code, a size.
const SHORT: ValueKind = ValueKind::Text { most: 80 };
/// A text of at most 500 characters: a sentence or two.
const LINE: ValueKind = ValueKind::Text { most: 500 };
/// A text of at most 4,000 characters: a paragraph. Longer writing is a note.
const PARAGRAPH: ValueKind = ValueKind::Text { most: 4000 };
/// A place, which is at most 64 characters.
const PLACE: ValueKind = ValueKind::Place;

const YES_NO_UNSURE: ValueKind = ValueKind::Choice(&["yes", "no", "not-sure"]);
const SIDE: ValueKind = ValueKind::Choice(&["left", "right"]);
const SIDES: ValueKind = ValueKind::Choice(&["left", "right", "both"]);

const fn number(unit: Unit, least: i64, most: i64) -> ValueKind {
    ValueKind::Number { unit, plausible: (least, most) }
}

const fn mm(least: i64, most: i64) -> ValueKind {
    number(Unit::Millimetre, least, most)
}

const fn kg(least: i64, most: i64) -> ValueKind {
    number(Unit::Kilogram, least, most)
}

const fn count(least: i64, most: i64) -> ValueKind {
    number(Unit::Count, least, most)
}

const fn pence(most: i64) -> ValueKind {
    number(Unit::Pence, 0, most)
}

const fn dimension(least: i32, most: i32) -> ValueKind {
    ValueKind::Dimension { plausible: (least, most) }
}

static TABLE: LazyLock<Vec<&'static FieldSpec>> = LazyLock::new(|| {
    let mut table: Vec<&FieldSpec> = [
        home::FIELDS,
        clinical::FIELDS,
        function::FIELDS,
        restricted::FIELDS,
        prescription::FIELDS,
        prescribed::FIELDS,
        survey::FIELDS,
    ]
    .into_iter()
    .flatten()
    .collect();
    table.sort_by_key(|spec| spec.name);
    table
});

/// A field of the vocabulary. Ordered by name; JSON and CBOR carry the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(u16);

handle!(Field, FieldSpec, "a field", TABLE);

impl Field {
    /// The fields a document of `kind` may hold for an item of `item`, or for itself when `None`, by name.
    pub fn of(kind: Kind, item: Option<ItemKind>) -> impl Iterator<Item = Self> {
        Self::all().filter(move |field| field.spec().applies_to(kind, item))
    }
}

#[cfg(test)]
mod tests;
