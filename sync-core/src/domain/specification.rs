//! What is to be signed: the fields of a prescription, sorted into the specification (what Housing reads and builds
//! from) and the justification (why, for the council lane only), with the readings and photos they cite.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::cited::{self, Measured, Stands};
use super::finding::{self, cites_of};
use super::record::{Body, Cite, Record};
use super::signed::{Content, JUSTIFICATION};
use super::view::View;
use super::vocabulary::{Field, Measure, Part, Place};
use crate::id::{AccountId, DocumentId, Hash, Key};

/// The beginning of the path of every field of the specification.
pub const SPECIFICATION: &str = "specification/";

/// Every field of a signed version with its path, given the documents it cites and the names of those who measured.
/// The signer's grounds are added by whoever signs.
pub fn contents(
    view: &View,
    others: &BTreeMap<DocumentId, View>,
    name: &dyn Fn(AccountId) -> String,
) -> Vec<(String, Content)> {
    let (mut contents, mut cites) = (Vec::new(), BTreeSet::new());
    for (key, item) in view.items() {
        contents.push((format!("{SPECIFICATION}items/{key}/kind"), Content::Item(item.kind)));
    }
    for ((item, field), register) in view.facts() {
        let Some(fact) = register.shown.and_then(|key| view.fact(key)) else { continue };
        let part = match field.spec().part {
            Part::Justification => JUSTIFICATION,
            Part::Specification | Part::Whole => SPECIFICATION,
        };
        let path = match item {
            Some(item) => format!("{part}items/{item}/{field}"),
            None => format!("{part}{field}"),
        };
        contents.push((path, Content::Value(fact.value.clone())));
        if part == SPECIFICATION {
            cites.extend(cites_of(&fact.value));
        }
    }
    contents.extend(cites.into_iter().filter_map(|cite| citation(cite, others, name)));
    for (text, words) in &view.texts {
        contents.push((format!("{JUSTIFICATION}{}", text.name()), Content::Text(words.clone())));
    }
    for (key, note) in view.notes() {
        contents.push((format!("{JUSTIFICATION}notes/{key}"), Content::Text(note.text.clone())));
    }
    contents.sort_by(|a, b| a.0.cmp(&b.0));
    contents
}

fn citation(
    cite: &Cite,
    others: &BTreeMap<DocumentId, View>,
    name: &dyn Fn(AccountId) -> String,
) -> Option<(String, Content)> {
    // Housing reads what stands here: a record of another audience's document stays out, cited or not.
    let other = others.get(&cite.document).filter(|other| cited::is_for_housing(other.kind))?;
    let record = other.records.get(&cite.key)?;
    let kind = match &record.body {
        Body::Reading(_) => "readings",
        Body::Photo(_) => "photos",
        _ => return None,
    };
    let content = as_it_stands(other, cite.key, record, name)?;
    Some((format!("{SPECIFICATION}{kind}/{}/{}", cite.document, cite.key), content))
}

fn as_it_stands(other: &View, key: Key, record: &Record, name: &dyn Fn(AccountId) -> String) -> Option<Content> {
    match &record.body {
        Body::Reading(reading) => {
            let photos = reading.photos.iter().filter_map(|key| Some(cited::photo_for_housing(other, *key)?.hash));
            Some(Content::Reading {
                reading: reading.clone(),
                by: record.by,
                name: name(record.by),
                at: record.at,
                photos: photos.collect(),
            })
        }
        Body::Photo(_) => {
            let hash = cited::photo_for_housing(other, key)?.hash;
            Some(Content::Photo { hash, caption: other.captions.get(&key).cloned() })
        }
        _ => None,
    }
}

/// A photo that is signed: its document, key, hash and caption.
type Pictured<'a> = (DocumentId, Key, Hash, Option<&'a str>);

/// With so many keys of what stands where a reading is cited, each place is said once. Few homes have a hundredth.
const MOST_KEYS: usize = 1_000_000;

/// The hash of everything that a signed version rests on: the prescription's heads, what stands in the place of each
/// record it cites, in whichever document of the case it was measured, the photos and captions that are signed with
/// it, and the client's weight. When it is another one later, the prescription has changed since it was signed: a new
/// reading, a clash, a strike, another caption or a new weight, even one that agrees, is something the signer did not
/// see.
pub fn basis(view: &View, others: &BTreeMap<DocumentId, View>) -> Hash {
    let measured = Measured::of(others);
    let mut rests_on: Vec<(DocumentId, Key, Cow<'_, [Stands]>)> = Vec::new();
    let mut measured_at: Vec<Option<(Place, Measure)>> = Vec::new();
    let mut pictured: BTreeSet<Pictured<'_>> = BTreeSet::new();
    for cite in finding::cited(view) {
        let Some(other) = others.get(&cite.document) else { continue };
        let place = other.reading(cite.key).map(|reading| measured.place(reading));
        let stands = match &place {
            Some(place) => Cow::Borrowed(measured.at(place)),
            None if other.is_current(cite.key) => Cow::Owned(vec![(cite.document, vec![cite.key], false)]),
            None => Cow::Borrowed(&[][..]),
        };
        rests_on.push((cite.document, cite.key, stands));
        measured_at.push(place);
        for key in cited::photos_of(other, cite.key) {
            let Some(photo) = cited::photo_for_housing(other, *key) else { continue };
            pictured.insert((cite.document, *key, photo.hash, other.captions.get(key).map(String::as_str)));
        }
    }
    let weights = others
        .iter()
        .filter_map(|(document, other)| Some((*document, other.current_facts(None, Field::named("person.weight")?))));
    let weights: Vec<(DocumentId, Vec<Key>)> = weights.filter(|(_, keys)| !keys.is_empty()).collect();
    let keys: usize = rests_on.iter().flat_map(|(_, _, stands)| stands.iter()).map(|(_, keys, _)| keys.len()).sum();
    let pictured: Vec<Pictured<'_>> = pictured.into_iter().collect();
    let bytes = if keys > MOST_KEYS {
        let mut slots: BTreeMap<&(Place, Measure), &[Stands]> = BTreeMap::new();
        let mut apart = Vec::new();
        for ((document, key, stands), place) in rests_on.iter().zip(&measured_at) {
            slots.extend(place.iter().map(|place| (place, &**stands)));
            apart.push((*document, *key, place, stands.is_empty()));
        }
        minicbor::to_vec(("grabrail basis 3", &view.heads, apart, slots, weights, pictured))
    } else if pictured.is_empty() {
        // What was signed without a photo rests on the same hash as it did before photos were part of it.
        minicbor::to_vec(("grabrail basis 1", &view.heads, rests_on, weights))
    } else {
        minicbor::to_vec(("grabrail basis 2", &view.heads, rests_on, weights, pictured))
    };
    Hash::of(&bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests;
