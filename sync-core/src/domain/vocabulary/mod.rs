//! The words an assessment is recorded in, as tables: places, measures, fields, items, sections, photos.
//!
//! Names are stored inside documents for ever. They may be added to, never changed, taken away or given a new
//! meaning; `golden/vocabulary-1.txt` lists every one, and a test holds the tables to it. Labels are for people and
//! may be reworded.

pub mod field;
pub mod item;
pub mod measure;
pub mod photo;
pub mod place;
pub mod section;

use std::fmt;

pub use field::{Field, FieldSpec, Need, Of, Part, ValueKind};
pub use item::ItemKind;
pub use measure::{Measure, MeasureSpec, Method, Safer};
pub use place::Place;
pub use section::Section;

/// A text that is none of the words of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct UnknownWord {
    /// What was expected, in words: "a measure".
    pub what: &'static str,
    /// What was given, cut to 64 characters.
    pub text: String,
}

impl UnknownWord {
    /// `text`, cut to 64 characters, which should have been `what`.
    pub fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(64).collect() }
    }
}

/// What a whole number counts. A gradient 1:n is derived from a rise and a going, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Lengths, heights and (signed, from finished floor level) differences of level.
    Millimetre,
    /// Mass: of a person, or of what a thing must bear.
    Kilogram,
    /// Money.
    Pence,
    /// How many: steps, stairs, falls.
    Count,
    /// A score of 0 to 10.
    Score,
    /// A duration.
    Minute,
    /// The pitch of a stair, when taken with a gauge.
    Degree,
    /// One of these words, stored as its index: what a person sees of a place rather than measures (hinge side,
    /// wall construction). Words are only ever added at the end.
    Code(&'static [&'static str]),
}

impl Unit {
    /// What is written after the number: `mm`; empty for counts, scores and codes.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Millimetre => "mm",
            Self::Kilogram => "kg",
            Self::Pence => "p",
            Self::Minute => "min",
            Self::Degree => "°",
            Self::Count | Self::Score | Self::Code(_) => "",
        }
    }

    /// `value` as a person reads it: `762 mm`, `£1,000.00`, `12`, `left`.
    pub fn show(self, value: i64) -> String {
        match self {
            Self::Pence => pounds(value),
            Self::Code(words) => usize::try_from(value)
                .ok()
                .and_then(|index| words.get(index))
                .map_or_else(|| value.to_string(), |word| (*word).to_owned()),
            Self::Degree => format!("{value}°"),
            Self::Count | Self::Score => value.to_string(),
            Self::Millimetre | Self::Kilogram | Self::Minute => format!("{value} {}", self.symbol()),
        }
    }
}

fn pounds(pence: i64) -> String {
    let digits = (pence.unsigned_abs() / 100).to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}£{grouped}.{:02}", if pence < 0 { "-" } else { "" }, pence.unsigned_abs() % 100)
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// Text on the wire, text in JSON, text on a screen: one name everywhere for a type with `FromStr` and `name()`.
macro_rules! text_in_json {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// CBOR as the text of the name; an unknown name is a decode error whose source is [`UnknownWord`].
macro_rules! text_in_cbor {
    ($name:ident) => {
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(self.name())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.str()?.parse().map_err(minicbor::decode::Error::custom)
            }
        }
    };
}

/// A handle into a table sorted by name: `named`, `spec`, `name`, `all`, and text everywhere it travels.
macro_rules! handle {
    ($name:ident, $spec:ident, $what:literal, $table:ident) => {
        impl $name {
            /// The one of this name, if the vocabulary has it.
            pub fn named(name: &str) -> Option<Self> {
                let index = $table.binary_search_by(|spec| spec.name.cmp(name)).ok()?;
                u16::try_from(index).ok().map(Self)
            }

            /// What the vocabulary says of it.
            pub fn spec(self) -> &'static $spec {
                // Only `named` and `all` make a handle, so the index is in the table.
                $table[usize::from(self.0)]
            }

            /// Its name, as documents store it.
            pub fn name(self) -> &'static str {
                self.spec().name
            }

            /// Every one there is, by name.
            pub fn all() -> impl Iterator<Item = Self> {
                (0u16..).take($table.len()).map(Self)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::domain::vocabulary::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::named(text).ok_or_else(|| crate::domain::vocabulary::UnknownWord::new($what, text))
            }
        }

        crate::domain::vocabulary::text_in_json!($name);
        crate::domain::vocabulary::text_in_cbor!($name);
    };
}

/// An enum whose variants have names: `ALL`, `name`, `FromStr`, Display and serde as text.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident = $what:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, as it is stored and sent.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::domain::vocabulary::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(crate::domain::vocabulary::UnknownWord::new($what, text)),
                }
            }
        }

        crate::domain::vocabulary::text_in_json!($name);
    };
}

pub(crate) use {handle, text_in_cbor, text_in_json, words};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::field::{Field, ValueKind};
    use super::item::ItemKind;
    use super::measure::{Measure, Method};
    use super::photo::{Angle, PhotoSubject, ScaleReference, ShareWith};
    use super::section::Section;
    use super::*;
    use crate::domain::kind::Kind;

    /// Every name that may stand in a stored document, one a line; numbers where the number is what is stored.
    fn every_name() -> Vec<String> {
        let mut lines = Vec::new();
        for (number, kind) in Kind::ALL.iter().enumerate() {
            lines.push(format!("kind {number} {kind}"));
        }
        lines.extend(place::ROOMS.iter().map(|word| format!("place {word}")));
        lines.extend(place::FEATURES.iter().map(|word| format!("feature {word}")));
        for (number, method) in Method::ALL.iter().enumerate() {
            lines.push(format!("method {number} {method}"));
        }
        for measure in Measure::all() {
            lines.push(format!("measure {measure}"));
            if let Unit::Code(words) = measure.spec().unit {
                lines.extend(words.iter().enumerate().map(|(code, word)| format!("code {measure} {code} {word}")));
            }
        }
        for field in Field::all() {
            lines.push(format!("field {field}"));
            if let ValueKind::Choice(words) | ValueKind::Choices(words) = field.spec().value {
                lines.extend(words.iter().map(|word| format!("choice {field} {word}")));
            }
        }
        for (number, item) in ItemKind::ALL.iter().enumerate() {
            lines.push(format!("item {number} {item}"));
        }
        lines.extend(Section::ALL.iter().map(|section| format!("section {section}")));
        lines.extend(PhotoSubject::ALL.iter().map(|subject| format!("photo-subject {subject}")));
        lines.extend(Angle::ALL.iter().map(|angle| format!("photo-angle {angle}")));
        lines.extend(ScaleReference::ALL.iter().map(|scale| format!("photo-scale {scale}")));
        lines.extend(ShareWith::ALL.iter().map(|with| format!("photo-share {with}")));
        lines
    }

    #[test]
    fn no_name_a_document_may_hold_is_ever_lost_and_every_new_one_is_listed() {
        let listed: BTreeSet<String> =
            include_str!("../../../golden/vocabulary-1.txt").lines().map(str::to_owned).collect();
        let known = every_name();
        let lost: Vec<_> = listed.iter().filter(|name| !known.contains(name)).collect();
        assert!(lost.is_empty(), "documents hold these names for ever: {lost:#?}");
        let unlisted: Vec<_> = known.iter().filter(|name| !listed.contains(*name)).map(String::as_str).collect();
        assert!(unlisted.is_empty(), "add these lines to golden/vocabulary-1.txt:\n{}", unlisted.join("\n"));
        assert_eq!(known.len(), known.iter().collect::<BTreeSet<_>>().len(), "a name twice");
    }

    #[test]
    fn a_value_is_shown_as_a_person_writes_it() {
        assert_eq!(Unit::Millimetre.show(762), "762 mm");
        assert_eq!(Unit::Millimetre.show(-15), "-15 mm");
        assert_eq!(Unit::Kilogram.show(92), "92 kg");
        assert_eq!(Unit::Pence.show(100_000), "£1,000.00");
        assert_eq!(Unit::Pence.show(5), "£0.05");
        assert_eq!(Unit::Pence.show(-123_456_789), "-£1,234,567.89");
        assert_eq!(Unit::Count.show(13), "13");
        assert_eq!(Unit::Code(&["left", "right"]).show(1), "right");
        assert_eq!(Unit::Code(&["left", "right"]).show(-1), "-1");
        assert_eq!(Unit::Degree.show(42), "42°");
    }

    #[test]
    fn an_unknown_word_is_quoted_but_never_at_length() {
        let error = UnknownWord::new("a field", &"x".repeat(10_000));
        assert_eq!(error.text.len(), 64);
        assert!(error.to_string().ends_with("is not a field"));
    }
}
