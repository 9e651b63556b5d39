//! Whether a record fits the document it is to be part of: the same judgement on the device that makes it and on the
//! server that receives it, so that honest work is never refused for its form.
//!
//! This is about form and reference. Who may write what is [`crate::access`]; what is missing or doubtful but allowed
//! is [`super::finding`].

use super::container::Container;
use super::edit::{MOST_CAPTION_CHARACTERS, MOST_SPLICE_CHARACTERS};
use super::kind::Kind;
use super::record::{
    Body, Cite, Fact, MOST_NOTE_CHARACTERS, MOST_REASON_CHARACTERS, MOST_RECORD_BYTES, MOST_REFERENCES, Note, Photo,
    Reading, Record, Settlement, SharedText, Strike, Value,
};
use super::view::{Subject, View};
use super::vocabulary::photo::PhotoSubject;
use super::vocabulary::{Field, Of, Place, ValueKind};
use crate::id::{AccountId, Key};

/// The furthest from zero that a reading may be, in its unit: 100 m. Beyond it is a slip, not a doubtful value.
pub const MOST_READING: i32 = 100_000;
/// The most joins one document may hold, struck ones too.
pub const MOST_JOINS: usize = 500;
/// The longest side a photo may have, in pixels.
pub const MOST_PHOTO_SIDE: u32 = 20_000;

/// Why an intention does not fit the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing to record.
    #[error("there is nothing to record")]
    Nothing,
    /// The device has used up its keys.
    #[error("this device has no keys left: enrol it anew")]
    NoKeysLeft,
    /// A document of this kind has no place for it.
    #[error("a {kind} document does not hold {what}")]
    NotHere {
        /// The kind of the document.
        kind: Kind,
        /// What was to be recorded.
        what: String,
    },
    /// The key is in use.
    #[error("the key {0} is already used in this document")]
    KeyTaken(Key),
    /// A record names one that this document does not hold.
    #[error("{0} is not in this document")]
    Missing(Key),
    /// A record names one that is about something else.
    #[error("{0} is about something else")]
    OtherSubject(Key),
    /// Only the author may.
    #[error("{0} was written by somebody else: add to it instead")]
    NotTheAuthor(Key),
    /// This sort of record can't be taken back.
    #[error("{0} can't be struck: record it anew instead")]
    NotStrikable(Key),
    /// The value is not one the field takes.
    #[error("{field} does not take this value: {why}")]
    Value {
        /// The field.
        field: Field,
        /// What it takes.
        why: &'static str,
    },
    /// A number no home has.
    #[error("{0} is beyond anything that can be measured in a home")]
    OutOfBounds(i64),
    /// A text is longer than allowed.
    #[error("the text has {found} characters; {most} are allowed")]
    TooLong {
        /// Characters found.
        found: usize,
        /// Characters allowed.
        most: usize,
    },
    /// A text is empty that may not be.
    #[error("{0} can't be empty")]
    Empty(&'static str),
    /// A list names too many others.
    #[error("a record can name at most {MOST_REFERENCES} others")]
    TooManyReferences,
    /// More joins than a home has rooms and doors.
    #[error("a document holds at most {MOST_JOINS} joins")]
    TooManyJoins,
    /// A photo that shows a person in a document that Housing may see projections of.
    #[error("a photo that shows a person belongs to the clinical document")]
    PersonInPhoto,
    /// A photo nobody agreed to.
    #[error("ask for consent before taking the photo")]
    NoConsent,
    /// A place in a text that it does not have.
    #[error("the text has only {length} characters")]
    OutsideText {
        /// Characters of the text.
        length: usize,
    },
    /// Automerge refused the change.
    #[error("the document would not take it: {0}")]
    Document(String),
}

/// Whether `record` fits as a new record `key` of a document that reads as `view`.
///
/// # Errors
/// [`Unfit`] names the first thing that does not.
pub fn record(kind: Kind, view: &View, key: Key, record: &Record) -> Result<(), Unfit> {
    if view.records.contains_key(&key) || view.unread.contains(&key) {
        return Err(Unfit::KeyTaken(key));
    }
    let container = Container::of(&record.body);
    if !kind.containers().contains(&container) {
        return Err(Unfit::NotHere { kind, what: container.name().to_owned() });
    }
    match &record.body {
        Body::Reading(reading) => self::reading(view, reading)?,
        Body::Fact(fact) => self::fact(kind, view, fact)?,
        Body::Item(item) => {
            if item.kind.kind_of_document() != kind {
                return Err(Unfit::NotHere { kind, what: item.kind.name().to_owned() });
            }
        }
        Body::Note(note) => self::note(kind, view, record.by, note)?,
        Body::Photo(photo) => self::photo(kind, photo)?,
        Body::Settlement(settlement) => self::settlement(view, settlement)?,
        Body::Strike(strike) => self::strike(view, record.by, strike)?,
        Body::Join(join) => {
            // A join that closes a ring is no mistake: another device may have joined the two the other way round.
            if join.place.is_within(&join.same_as) || join.same_as.is_within(&join.place) {
                return Err(Unfit::NotHere { kind, what: format!("{} joined to itself", join.place) });
            }
            if view.count_of_joins() >= MOST_JOINS {
                return Err(Unfit::TooManyJoins);
            }
            reason(&join.reason)?;
        }
        Body::TextRead(read) => {
            if !kind.texts().contains(&read.text) {
                return Err(Unfit::NotHere { kind, what: read.text.name().to_owned() });
            }
            references(read.heads.len())?;
        }
    }
    let bytes = record.to_bytes().len();
    if bytes > MOST_RECORD_BYTES {
        return Err(Unfit::TooLong { found: bytes, most: MOST_RECORD_BYTES });
    }
    Ok(())
}

/// Whether a caption fits the photo it is for.
///
/// # Errors
/// [`Unfit::Missing`] and [`Unfit::TooLong`].
pub fn caption(view: &View, photo: Key, text: &str) -> Result<(), Unfit> {
    if !matches!(view.records.get(&photo), Some(Record { body: Body::Photo(_), .. })) {
        return Err(Unfit::Missing(photo));
    }
    short(text, MOST_CAPTION_CHARACTERS)
}

/// Whether a splice fits a shared text of `length` characters.
///
/// # Errors
/// [`Unfit::NotHere`], [`Unfit::OutsideText`] and [`Unfit::TooLong`].
pub fn splice(kind: Kind, text: SharedText, length: usize, at: u32, delete: u32, insert: &str) -> Result<(), Unfit> {
    if !kind.texts().contains(&text) {
        return Err(Unfit::NotHere { kind, what: text.name().to_owned() });
    }
    if delete == 0 && insert.is_empty() {
        return Err(Unfit::Nothing);
    }
    if u64::from(at) + u64::from(delete) > length as u64 {
        return Err(Unfit::OutsideText { length });
    }
    let most = MOST_SPLICE_CHARACTERS as usize;
    if delete > MOST_SPLICE_CHARACTERS {
        return Err(Unfit::TooLong { found: delete as usize, most });
    }
    short(insert, most)
}

fn short(text: &str, most: usize) -> Result<(), Unfit> {
    let found = text.chars().count();
    if found > most { Err(Unfit::TooLong { found, most }) } else { Ok(()) }
}

fn reason(text: &str) -> Result<(), Unfit> {
    if text.trim().is_empty() {
        return Err(Unfit::Empty("a reason"));
    }
    short(text, MOST_REASON_CHARACTERS)
}

const fn references(count: usize) -> Result<(), Unfit> {
    if count > MOST_REFERENCES { Err(Unfit::TooManyReferences) } else { Ok(()) }
}

fn photos_here(view: &View, photos: &[Key]) -> Result<(), Unfit> {
    references(photos.len())?;
    for key in photos {
        match view.records.get(key).map(|record| &record.body) {
            Some(Body::Photo(_)) => {}
            Some(_) => return Err(Unfit::OtherSubject(*key)),
            None => return Err(Unfit::Missing(*key)),
        }
    }
    Ok(())
}

fn reading(view: &View, reading: &Reading) -> Result<(), Unfit> {
    if reading.value.unsigned_abs() > MOST_READING.unsigned_abs() {
        return Err(Unfit::OutOfBounds(i64::from(reading.value)));
    }
    photos_here(view, &reading.photos)?;
    references(reading.supersedes.len())?;
    let slot = (view.same_place(&reading.place), reading.measure);
    for key in &reading.supersedes {
        let earlier = view.reading(*key).ok_or(Unfit::Missing(*key))?;
        if (view.same_place(&earlier.place), earlier.measure) != slot {
            return Err(Unfit::OtherSubject(*key));
        }
    }
    Ok(())
}

fn fact(kind: Kind, view: &View, fact: &Fact) -> Result<(), Unfit> {
    let spec = fact.field.spec();
    let not_here = || Unfit::NotHere { kind, what: spec.name.to_owned() };
    if !spec.kinds.contains(&kind) {
        return Err(not_here());
    }
    match (fact.item, &spec.of) {
        (None, Of::Document) => {}
        (Some(key), Of::Item(kinds)) => match view.records.get(&key).map(|record| &record.body) {
            Some(Body::Item(item)) if kinds.contains(&item.kind) => {}
            Some(_) => return Err(Unfit::OtherSubject(key)),
            None => return Err(Unfit::Missing(key)),
        },
        (Some(key), Of::Document) => return Err(Unfit::OtherSubject(key)),
        (None, Of::Item(_)) => return Err(not_here()),
    }
    value(fact.field, &fact.value)?;
    references(fact.supersedes.len())?;
    for key in &fact.supersedes {
        let earlier = view.fact(*key).ok_or(Unfit::Missing(*key))?;
        if (earlier.item, earlier.field) != (fact.item, fact.field) {
            return Err(Unfit::OtherSubject(*key));
        }
    }
    Ok(())
}

fn value(field: Field, value: &Value) -> Result<(), Unfit> {
    let refuse = |why| Err(Unfit::Value { field, why });
    match (&field.spec().value, value) {
        (ValueKind::Flag, Value::Flag(_)) | (ValueKind::Person, Value::Person(_)) => Ok(()),
        (ValueKind::Number { .. }, Value::Number(number)) => {
            if number.unsigned_abs() > 1_000_000_000 {
                Err(Unfit::OutOfBounds(*number))
            } else {
                Ok(())
            }
        }
        (ValueKind::Text { most }, Value::Text(text)) => short(text, *most),
        (ValueKind::Choice(words), Value::Choice(word)) => {
            if words.contains(&word.as_str()) {
                Ok(())
            } else {
                refuse("one of the field's words")
            }
        }
        (ValueKind::Choices(words), Value::Choices(chosen)) => {
            // In the vocabulary's order and each once, so that the same choice is the same value.
            let at: Option<Vec<usize>> =
                chosen.iter().map(|word| words.iter().position(|known| known == word)).collect();
            match at {
                Some(at) if at.windows(2).all(|pair| pair[0] < pair[1]) => Ok(()),
                _ => refuse("some of the field's words, each once, in their order"),
            }
        }
        (ValueKind::Date, Value::Date(date)) => {
            let format = time::macros::format_description!("[year]-[month]-[day]");
            match time::Date::parse(date, &format) {
                Ok(parsed) if date.len() == 10 && (1850..=2200).contains(&parsed.year()) => Ok(()),
                _ => refuse("a date as YYYY-MM-DD between 1850 and 2200"),
            }
        }
        (ValueKind::Dimension { .. }, Value::Dimension(dimension)) => {
            if dimension.mm.unsigned_abs() > MOST_READING.unsigned_abs() {
                return Err(Unfit::OutOfBounds(i64::from(dimension.mm)));
            }
            cites(&dimension.cites)
        }
        (ValueKind::Cites, Value::Cites(list)) => cites(list),
        (ValueKind::Place, Value::Text(text)) => {
            if text.parse::<Place>().is_ok() {
                Ok(())
            } else {
                refuse("a place such as bathroom-1/door-1")
            }
        }
        (ValueKind::Place, _) => refuse("a place such as bathroom-1/door-1"),
        (ValueKind::Flag, _) => refuse("yes or no"),
        (ValueKind::Person, _) => refuse("a member of staff"),
        (ValueKind::Number { .. }, _) => refuse("a whole number"),
        (ValueKind::Text { .. }, _) => refuse("text"),
        (ValueKind::Choice(_), _) => refuse("one of the field's words"),
        (ValueKind::Choices(_), _) => refuse("some of the field's words"),
        (ValueKind::Date, _) => refuse("a date as YYYY-MM-DD"),
        (ValueKind::Dimension { .. }, _) => refuse("millimetres with a tolerance"),
        (ValueKind::Cites, _) => refuse("readings or photos"),
    }
}

fn cites(cites: &[Cite]) -> Result<(), Unfit> {
    references(cites.len())
}

fn note(kind: Kind, view: &View, by: AccountId, note: &Note) -> Result<(), Unfit> {
    if !note.section.kinds().contains(&kind) {
        return Err(Unfit::NotHere { kind, what: note.section.name().to_owned() });
    }
    if note.text.trim().is_empty() {
        return Err(Unfit::Empty("a note"));
    }
    short(&note.text, MOST_NOTE_CHARACTERS)?;
    photos_here(view, &note.photos)?;
    for (key, must_be_own) in [(note.amends, true), (note.addendum_to, false)] {
        let Some(key) = key else { continue };
        match view.records.get(&key) {
            Some(Record { body: Body::Note(_), by: author, .. }) => {
                if must_be_own && *author != by {
                    return Err(Unfit::NotTheAuthor(key));
                }
            }
            Some(_) => return Err(Unfit::OtherSubject(key)),
            None => return Err(Unfit::Missing(key)),
        }
    }
    Ok(())
}

fn photo(kind: Kind, photo: &Photo) -> Result<(), Unfit> {
    let shows_person = photo.shows_person || photo.subject == PhotoSubject::Person;
    if shows_person && !matches!(kind, Kind::Clinical | Kind::Restricted) {
        return Err(Unfit::PersonInPhoto);
    }
    if !photo.consent {
        return Err(Unfit::NoConsent);
    }
    let sides = [photo.width, photo.height];
    if sides.iter().any(|side| *side == 0 || *side > MOST_PHOTO_SIDE) || photo.bytes == 0 {
        return Err(Unfit::OutOfBounds(i64::from(photo.width.max(photo.height))));
    }
    references(photo.share.len())
}

fn settlement(view: &View, settlement: &Settlement) -> Result<(), Unfit> {
    reason(&settlement.reason)?;
    references(settlement.over.len())?;
    if settlement.over.is_empty() {
        return Err(Unfit::Nothing);
    }
    let subject = |key: Key| match view.subject(key) {
        Some(subject @ (Subject::Reading(..) | Subject::Fact(_))) => Ok(subject),
        _ if view.records.contains_key(&key) => Err(Unfit::OtherSubject(key)),
        _ => Err(Unfit::Missing(key)),
    };
    let chosen = subject(settlement.chosen)?;
    for key in &settlement.over {
        if *key == settlement.chosen || subject(*key)? != chosen {
            return Err(Unfit::OtherSubject(*key));
        }
    }
    Ok(())
}

fn strike(view: &View, by: AccountId, strike: &Strike) -> Result<(), Unfit> {
    reason(&strike.reason)?;
    let record = view.records.get(&strike.key).ok_or(Unfit::Missing(strike.key))?;
    match record.body {
        Body::Strike(_) => Err(Unfit::NotStrikable(strike.key)),
        // A clinician's signed entry is its author's: others write an addendum.
        Body::Note(_) if record.by != by => Err(Unfit::NotTheAuthor(strike.key)),
        _ => Ok(()),
    }
}
