//! What a document is made of: records, each one immutable value under a key of its own.
//!
//! A record is stored as one Automerge scalar (bytes), so it arrives whole or not at all, nobody can change a part of
//! it, and two devices can never write the same one. Corrections are new records that name what they correct. Each
//! record has exactly one encoding (CBOR arrays with numbered places, [`minicbor`]); a place is never reused.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::vocabulary::photo::{Angle, PhotoSubject, ScaleReference, ShareWith};
use super::vocabulary::{Field, ItemKind, Measure, Method, Place, Section};
use crate::clock::Stamp;
use crate::id::{AccountId, DocumentId, Hash, Heads, Key};

/// The most bytes one record may take.
pub const MOST_RECORD_BYTES: usize = 32 * 1024;
/// The most characters of a note, a clinician's entry, a remark or a post.
pub const MOST_NOTE_CHARACTERS: usize = 8_000;
/// The most characters of a reason (why struck, why chosen).
pub const MOST_REASON_CHARACTERS: usize = 1_000;
/// The most keys that one record may name in one list.
pub const MOST_REFERENCES: usize = 64;

/// One record: who, when (as their device could tell), what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Record {
    /// The person; the guard holds it equal to the account whose device signed the change.
    #[n(0)]
    pub by: AccountId,
    /// When they did it.
    #[n(1)]
    pub at: Stamp,
    /// What they recorded.
    #[n(2)]
    pub body: Body,
}

/// What can be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A measurement of a place.
    #[n(0)]
    Reading(#[n(0)] Reading),
    /// A field's value.
    #[n(1)]
    Fact(#[n(0)] Fact),
    /// Something in the document that facts can be about: a piece of equipment, a goal, a prescribed rail.
    #[n(2)]
    Item(#[n(0)] Item),
    /// Prose: a signed entry, a remark, a question, an answer.
    #[n(3)]
    Note(#[n(0)] Note),
    /// A photo belongs here.
    #[n(4)]
    Photo(#[n(0)] Photo),
    /// A named person chose between values that disagree.
    #[n(5)]
    Settlement(#[n(0)] Settlement),
    /// An earlier record is taken back.
    #[n(6)]
    Strike(#[n(0)] Strike),
    /// Two places are the same place.
    #[n(7)]
    Join(#[n(0)] Join),
    /// Somebody read a shared text that two people had edited at once.
    #[n(8)]
    TextRead(#[n(0)] TextRead),
}

/// A measurement: whole millimetres or kilograms, never a fraction, never feet and inches.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Where, as a path of words and ordinals: `bathroom-1/door-1`.
    #[n(0)]
    pub place: Place,
    /// What was measured there.
    #[n(1)]
    pub measure: Measure,
    /// The value in the measure's unit; signed, for levels below finished floor level.
    #[n(2)]
    pub value: i32,
    /// How.
    #[n(3)]
    pub method: Method,
    /// Photos of the same document that show it.
    #[n(4)]
    pub photos: Vec<Key>,
    /// Earlier readings of the same place and measure that this one replaces.
    #[n(5)]
    pub supersedes: Vec<Key>,
}

/// A field with one current value; merges as readings do.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Fact {
    /// The item it is about; `None`: the document itself.
    #[n(0)]
    pub item: Option<Key>,
    /// Which field.
    #[n(1)]
    pub field: Field,
    /// Its value.
    #[n(2)]
    pub value: Value,
    /// Earlier facts of the same item and field that this one replaces.
    #[n(3)]
    pub supersedes: Vec<Key>,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Yes or no.
    #[n(0)]
    Flag(#[n(0)] bool),
    /// A whole number in the field's unit: millimetres, kilograms, pence, a count.
    #[n(1)]
    Number(#[n(0)] i64),
    /// Short text.
    #[n(2)]
    Text(#[n(0)] String),
    /// One of the field's words.
    #[n(3)]
    Choice(#[n(0)] String),
    /// Some of the field's words, in the vocabulary's order.
    #[n(4)]
    Choices(#[n(0)] Vec<String>),
    /// A civil date, `YYYY-MM-DD`.
    #[n(5)]
    Date(#[n(0)] String),
    /// A prescribed length with its tolerance and the readings it rests on.
    #[n(6)]
    Dimension(#[n(0)] Dimension),
    /// Readings or photos.
    #[n(7)]
    Cites(#[n(0)] Vec<Cite>),
    /// A member of staff.
    #[n(8)]
    Person(#[n(0)] AccountId),
}

/// A prescribed length.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Millimetres.
    #[n(0)]
    pub mm: i32,
    /// How far the works may depart from it.
    #[n(1)]
    pub tolerance: Tolerance,
    /// The readings it rests on.
    #[n(2)]
    pub cites: Vec<Cite>,
}

/// How far the works may depart from a prescribed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// Not at all: critical.
    #[n(0)]
    Exact,
    /// At least this much: critical.
    #[n(1)]
    Min,
    /// At most this much: critical.
    #[n(2)]
    Max,
    /// Within so many millimetres either way.
    #[n(3)]
    Within(#[n(0)] u16),
}

impl Tolerance {
    /// Whether a wrong length could hurt someone: an estimate may not stand behind it (hazard H9).
    pub const fn is_critical(self) -> bool {
        !matches!(self, Self::Within(_))
    }
}

/// A record of another document, cited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cite {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The record in it.
    #[n(1)]
    pub key: Key,
}

/// A subject that facts can be about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    #[n(0)]
    pub kind: ItemKind,
}

/// Prose, signed by its writer with the change that carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Note {
    /// What it is for.
    #[n(0)]
    pub section: Section,
    /// The words.
    #[n(1)]
    pub text: String,
    /// The writer's own earlier note that this one replaces.
    #[n(2)]
    pub amends: Option<Key>,
    /// Anyone's note that this one adds to.
    #[n(3)]
    pub addendum_to: Option<Key>,
    /// What it is about elsewhere.
    #[n(4)]
    pub about: Option<About>,
    /// Photos of the same document that belong to it.
    #[n(5)]
    pub photos: Vec<Key>,
}

/// What a note is anchored to. Only what both lanes may read can be an anchor in a thread.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A record of another document.
    #[n(0)]
    Record(#[n(0)] Cite),
    /// A field of another document, of one of its items or of itself.
    #[n(1)]
    Field {
        /// The document.
        #[n(0)]
        document: DocumentId,
        /// The item in it; `None`: the document itself.
        #[n(1)]
        item: Option<Key>,
        /// The field.
        #[n(2)]
        field: Field,
    },
    /// A place in the home.
    #[n(2)]
    Place(#[n(0)] Place),
}

/// A photo of this document. Its bytes travel apart and are checked against the hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Photo {
    /// SHA-256 of exactly the bytes that are sent.
    #[n(0)]
    pub hash: Hash,
    /// How many bytes.
    #[n(1)]
    pub bytes: u32,
    /// Pixels across.
    #[n(2)]
    pub width: u32,
    /// Pixels down.
    #[n(3)]
    pub height: u32,
    /// Where it was taken.
    #[n(4)]
    pub place: Option<Place>,
    /// Whether a person can be seen: such a photo belongs to a clinical or restricted document only.
    #[n(5)]
    pub shows_person: bool,
    /// Whether the person asked agreed to the photo being taken.
    #[n(6)]
    pub consent: bool,
    /// Who may be shown it besides those who read the document.
    #[n(7)]
    pub share: Vec<ShareWith>,
    /// What it shows.
    #[n(8)]
    pub subject: PhotoSubject,
    /// From where.
    #[n(9)]
    pub angle: Option<Angle>,
    /// What in it tells its scale.
    #[n(10)]
    pub scale: Option<ScaleReference>,
}

/// A choice between values that disagree, by a named person with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Settlement {
    /// The record that stands.
    #[n(0)]
    pub chosen: Key,
    /// The records it stands over: all that the person saw disagree.
    #[n(1)]
    pub over: Vec<Key>,
    /// Why.
    #[n(2)]
    pub reason: String,
}

/// A record taken back; it stays readable, struck through.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Strike {
    /// The record.
    #[n(0)]
    pub key: Key,
    /// Why.
    #[n(1)]
    pub reason: String,
}

/// Two names of one place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Join {
    /// The name to give up.
    #[n(0)]
    pub place: Place,
    /// The name to keep.
    #[n(1)]
    pub same_as: Place,
    /// Why.
    #[n(2)]
    pub reason: String,
}

/// A shared text was read as it stood at these heads.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct TextRead {
    /// Which text.
    #[n(0)]
    pub text: SharedText,
    /// The version that was read.
    #[n(1)]
    pub heads: Heads,
}

/// The texts that several people write together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum SharedText {
    /// What whoever comes next should know of the home.
    #[n(0)]
    Summary,
    /// Why the prescription is necessary and appropriate.
    #[n(1)]
    Reasoning,
}

impl SharedText {
    /// The text's name in the document, in JSON and at the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Reasoning => "reasoning",
        }
    }
}

/// Bytes that are not a record in its one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARecord {
    /// More than [`MOST_RECORD_BYTES`].
    #[error("the record takes {0} bytes; {MOST_RECORD_BYTES} are allowed")]
    TooLong(usize),
    /// Not one of ours, or of a newer version than this program knows.
    #[error("the record is not one this version can read")]
    Unknown,
    /// It reads, but not as it would be written.
    #[error("the record is not in its one encoding")]
    NotCanonical,
}

impl Record {
    /// The record's one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to a vector can't fail.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads a record that came from elsewhere.
    ///
    /// # Errors
    /// [`NotARecord`], when the bytes are too many, unreadable or not in the one encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotARecord> {
        if bytes.len() > MOST_RECORD_BYTES {
            return Err(NotARecord::TooLong(bytes.len()));
        }
        let record: Self = minicbor::decode(bytes).map_err(|_| NotARecord::Unknown)?;
        if record.to_bytes() == bytes { Ok(record) } else { Err(NotARecord::NotCanonical) }
    }
}
