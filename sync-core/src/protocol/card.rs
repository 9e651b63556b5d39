//! The case card: what a device is told of a case besides its documents, made for one principal.
//!
//! Every field here is on an allow-list: what is not named never leaves. A card for Housing has no NHS number, no date
//! of birth, no reasons and no justification, and it carries the home and the prescriptions as projections.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::{Lane, Relation, Role};
use crate::clock::{Stamp, Timestamp};
use crate::domain::kind::Kind;
use crate::domain::record::{Body, Value};
use crate::domain::signed::{Content, SignedVersion};
use crate::domain::signoff::{SignedStanding, State};
use crate::domain::view::View;
use crate::domain::vocabulary::photo::ShareWith;
use crate::domain::vocabulary::{Field, ItemKind, Measure, Method, Place};
use crate::id::{AccountId, CaseId, CommissionId, DocumentId, Hash, Heads, Key};
use crate::protocol::ask::Practicable;

/// What one person's device knows of one case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CaseCard {
    /// The case.
    #[n(0)]
    pub case: CaseId,
    /// The referral's number in the council's own system, if the case was imported.
    #[n(1)]
    pub reference: Option<String>,
    /// The lane the card was made for.
    #[n(2)]
    pub lane: Lane,
    /// Where the case stands.
    #[n(3)]
    pub state: CaseState,
    /// The client.
    #[n(4)]
    pub client: ClientCard,
    /// What ties this person to the case.
    #[n(5)]
    pub relations: Vec<Relation>,
    /// The documents this person may have on a device, planned ones too.
    #[n(6)]
    pub documents: Vec<DocumentCard>,
    /// The prescriptions this person may know of.
    #[n(7)]
    pub prescriptions: Vec<PrescriptionCard>,
    /// The released home; for Housing only.
    #[n(8)]
    pub home: Option<HomeProjection>,
    /// Everyone who has a part in the case, so that names can be shown offline.
    #[n(9)]
    pub people: Vec<PersonCard>,
    /// The first moment at which the commission is over, if this person's relation is one that ends.
    #[n(10)]
    pub ends: Option<Timestamp>,
    /// Prescriptions whose authors are all gone, which this person may take over; none is `None`.
    #[n(11)]
    pub orphaned: Option<Vec<DocumentId>>,
}

impl CaseCard {
    /// The photos that it shows of documents that this person may not read: those of the released home, and those that
    /// signed versions cite.
    pub fn photos(&self) -> BTreeSet<(DocumentId, Hash)> {
        let mut photos = BTreeSet::new();
        if let Some(home) = &self.home {
            let of_readings = home.readings.iter().flat_map(|reading| &reading.photos);
            let hashes = home.photos.iter().map(|photo| &photo.hash).chain(of_readings);
            photos.extend(hashes.map(|hash| (home.document, *hash)));
        }
        let signed = self.prescriptions.iter().filter_map(|prescription| prescription.signed.as_ref());
        for field in signed.flat_map(|signed| &signed.fields) {
            // `specification/photos/DOCUMENT/KEY`, and readings alike.
            let Some(document) = field.path.split('/').nth(2).and_then(|document| document.parse().ok()) else {
                continue;
            };
            match &field.content {
                Content::Photo { hash, .. } => drop(photos.insert((document, *hash))),
                Content::Reading { photos: shown, .. } => photos.extend(shown.iter().map(|hash| (document, *hash))),
                _ => {}
            }
        }
        photos
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum CaseState {
    /// Being worked on.
    #[n(0)]
    Open,
    /// Begun by a visit nobody planned; not yet matched to a referral.
    #[n(1)]
    Unmatched,
    /// Closed.
    #[n(2)]
    Closed,
}

/// The client as this person may know them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ClientCard {
    /// Full name.
    #[n(0)]
    pub name: String,
    /// Where the home is.
    #[n(1)]
    pub address: String,
    /// Telephone and how to get in; no door code.
    #[n(2)]
    pub contact: Option<String>,
    /// What a visitor must beware of.
    #[n(3)]
    pub visitor_risk: Option<String>,
    /// Unique Property Reference Number.
    #[n(4)]
    pub uprn: Option<String>,
    /// Date of birth, YYYY-MM-DD; never on a card for Housing.
    #[n(5)]
    pub born: Option<String>,
    /// NHS number; never on a card for Housing.
    #[n(6)]
    pub nhs_number: Option<String>,
}

/// A document as the device may open it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct DocumentCard {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// Its kind.
    #[n(1)]
    pub kind: Kind,
    /// Whether this person may write in it.
    #[n(2)]
    pub writable: bool,
    /// The commission whose assessment it belongs to.
    #[n(3)]
    pub commission: Option<CommissionId>,
    /// For a thread: the prescription it is about.
    #[n(4)]
    pub about: Option<DocumentId>,
    /// For an assessment: that it was completed, most recently.
    #[n(5)]
    pub completed: Option<Completed>,
}

/// That somebody called an assessment complete, and the server agreed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Completed {
    /// Who.
    #[n(0)]
    pub by: AccountId,
    /// When, by the server's clock.
    #[n(1)]
    pub at: Timestamp,
    /// The version that was complete.
    #[n(2)]
    pub heads: Heads,
}

/// A prescription as this person may know of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PrescriptionCard {
    /// The prescription.
    #[n(0)]
    pub document: DocumentId,
    /// Where the version being worked on stands; for Housing always [`State::Draft`], which says nothing.
    #[n(1)]
    pub state: State,
    /// The thread of questions and answers about it.
    #[n(2)]
    pub thread: DocumentId,
    /// The newest signed version that stands or stood; for Housing a copy without the justification, and none at all
    /// once it is superseded or recalled.
    #[n(3)]
    #[serde(skip)]
    pub signed: Option<SignedVersion>,
    /// What became of it.
    #[n(4)]
    pub standing: Option<SignedStanding>,
    /// Whether what it was made of has changed since it was signed.
    #[n(5)]
    pub changed_since: bool,
    /// What Housing decided on its signed versions, in the order of deciding; the last one on a version is the one that
    /// counts.
    #[n(6)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub decisions: Vec<SurveyDecided>,
}

/// Housing's decision whether what was signed is reasonable and practicable (HGCRA 1996 s.24(3)(b)).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SurveyDecided {
    /// The signed version it is about.
    #[n(0)]
    pub number: u32,
    /// The decision.
    #[n(1)]
    pub decision: Practicable,
    /// Why, where it is not a plain yes.
    #[n(2)]
    pub reason: String,
    /// Who decided.
    #[n(3)]
    pub by: AccountId,
    /// When, by the server's clock.
    #[n(4)]
    pub at: Timestamp,
    /// The survey it rests on.
    #[n(5)]
    pub survey: DocumentId,
}

/// Somebody with a part in the case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PersonCard {
    /// Their account.
    #[n(0)]
    pub account: AccountId,
    /// Full name.
    #[n(1)]
    pub name: String,
    /// Role.
    #[n(2)]
    pub role: Role,
    /// The organisation's name.
    #[n(3)]
    pub organisation: String,
}

/// What Housing sees of a released home: current readings and photos of the building, never the document.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HomeProjection {
    /// The home document it is drawn from.
    #[n(0)]
    pub document: DocumentId,
    /// When it was released.
    #[n(1)]
    pub released: Timestamp,
    /// The readings that stand; of a clash, every one.
    #[n(2)]
    pub readings: Vec<ProjectedReading>,
    /// Photos of the building that are shared with Housing.
    #[n(3)]
    pub photos: Vec<ProjectedPhoto>,
    /// How to get in, and what a visitor must beware of where it may be told to Housing; of a clash, every value.
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub facts: Vec<ProjectedFact>,
}

/// A fact of the home as Housing sees it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProjectedFact {
    /// The risk it is about; `None`: the way in.
    #[n(0)]
    pub item: Option<Key>,
    /// What.
    #[n(1)]
    pub field: Field,
    /// The value.
    #[n(2)]
    pub value: Value,
    /// Who said so.
    #[n(3)]
    pub by: AccountId,
    /// When.
    #[n(4)]
    pub at: Stamp,
}

/// A reading as Housing sees it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProjectedReading {
    /// Its key in the home document.
    #[n(0)]
    pub key: Key,
    /// Where.
    #[n(1)]
    pub place: Place,
    /// What.
    #[n(2)]
    pub measure: Measure,
    /// The value in the measure's unit.
    #[n(3)]
    pub value: i32,
    /// How.
    #[n(4)]
    pub method: Method,
    /// Who.
    #[n(5)]
    pub by: AccountId,
    /// When.
    #[n(6)]
    pub at: Stamp,
    /// Whether another reading that stands disagrees with it.
    #[n(7)]
    pub clash: bool,
    /// The photos that show it.
    #[n(8)]
    pub photos: Vec<Hash>,
}

/// A photo of the building as Housing sees it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProjectedPhoto {
    /// Its hash.
    #[n(0)]
    pub hash: Hash,
    /// Where it was taken.
    #[n(1)]
    pub place: Option<Place>,
    /// Its caption.
    #[n(2)]
    pub caption: Option<String>,
}

impl HomeProjection {
    /// Draws the projection from a home: what is not named here stays where it is.
    pub fn of(document: DocumentId, released: Timestamp, home: &View) -> Self {
        // Of the building, and shared with Housing by whoever took it: nobody outside the lane sees it unless that is said.
        let photo = |key: &Key| match &home.records.get(key)?.body {
            Body::Photo(photo) => {
                let shared = photo.share.contains(&ShareWith::Housing);
                (shared && home.struck(*key).is_none() && !photo.shows_person).then_some(photo)
            }
            _ => None,
        };
        let mut readings = Vec::new();
        for register in home.readings().into_values() {
            for key in register.current {
                let (Some(record), Some(reading)) = (home.records.get(&key), home.reading(key)) else { continue };
                readings.push(ProjectedReading {
                    key,
                    place: home.same_place(&reading.place),
                    measure: reading.measure,
                    value: reading.value,
                    method: reading.method,
                    by: record.by,
                    at: record.at,
                    clash: register.clash,
                    photos: reading.photos.iter().filter_map(photo).map(|photo| photo.hash).collect(),
                });
            }
        }
        let photos = home.photos().filter_map(|(key, _)| Some((key, photo(&key)?)));
        let photos = photos.map(|(key, photo)| ProjectedPhoto {
            hash: photo.hash,
            place: photo.place,
            caption: home.captions.get(&key).cloned(),
        });
        Self { document, released, readings, photos: photos.collect(), facts: facts_for_housing(home) }
    }
}

/// The way in, and the risks to visitors that whoever recorded them lets Housing be told.
fn facts_for_housing(home: &View) -> Vec<ProjectedFact> {
    let shared_with = Field::named("visitor-risk.shared-with");
    let all = home.facts();
    let told = |risk: Key| {
        let said = shared_with.and_then(|field| all.get(&(Some(risk), field)));
        let current = said.map(|register| register.current.as_slice()).unwrap_or_default();
        let says = |key: &Key| match home.fact(*key).map(|fact| &fact.value) {
            Some(Value::Choices(words)) => words.iter().any(|word| word == "housing"),
            _ => false,
        };
        // Where people disagree whether it may be told, it is not.
        !current.is_empty() && current.iter().all(says)
    };
    let risks: BTreeSet<Key> = home
        .items()
        .filter(|(key, item)| item.kind == ItemKind::VisitorRisk && told(*key))
        .map(|(key, _)| key)
        .collect();
    let mut facts = Vec::new();
    for ((item, field), register) in &all {
        let (item, field) = (*item, *field);
        let group = field.name().split_once('.').map(|(group, _)| group);
        let shown = match item {
            Some(item) => risks.contains(&item) && Some(field) != shared_with,
            None => group == Some("access"),
        };
        if !shown {
            continue;
        }
        for key in &register.current {
            let (Some(record), Some(fact)) = (home.records.get(key), home.fact(*key)) else { continue };
            facts.push(ProjectedFact { item, field, value: fact.value.clone(), by: record.by, at: record.at });
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::edit::Edit;
    use crate::domain::record::{Item, Photo, Reading};
    use crate::domain::testing::{Tablet, document, photo, reading, stamp};

    /// Invariant 5, for what Housing sees of a home.
    #[test]
    fn housing_sees_current_readings_and_the_photos_shared_with_it() {
        let mut ann = Tablet::new(Kind::Home, 1);
        let share = vec![ShareWith::Housing];
        let shared = ann.add(Body::Photo(Photo { share: share.clone(), ..photo(1) }));
        ann.edit(Edit::Caption { photo: shared, text: "the door".to_owned() }).unwrap();
        let kept = ann.add(Body::Photo(photo(2)));
        let struck = ann.add(Body::Photo(Photo { share, ..photo(3) }));
        ann.strike(struck);
        let old = ann.measure("bathroom-1/door-1", 700);
        let photos = vec![shared, kept, struck];
        let supersedes = vec![old];
        let now = Reading { photos, supersedes, ..reading("bathroom-1/door-1", "door-clear-width", 712) };
        let now = ann.add(Body::Reading(now));
        let home = HomeProjection::of(document(1), stamp().claimed, &ann.view());
        let caption = Some("the door".to_owned());
        assert_eq!(home.photos, [ProjectedPhoto { hash: Hash::from_bytes([1; 32]), place: None, caption }]);
        assert_eq!(home.readings.len(), 1);
        assert_eq!((home.readings[0].key, home.readings[0].clash), (now, false));
        assert_eq!(home.readings[0].photos, [Hash::from_bytes([1; 32])]);
        // The way in, and of the risks what may be told to Housing.
        ann.say(None, "access.parking", Value::Text("behind the house".to_owned()));
        ann.say(None, "property.landlord-name", Value::Text("nobody's business".to_owned()));
        let dog = ann.add(Body::Item(Item { kind: ItemKind::VisitorRisk }));
        let kin = ann.add(Body::Item(Item { kind: ItemKind::VisitorRisk }));
        let housing = Value::Choices(vec!["housing".to_owned(), "contractor".to_owned()]);
        ann.say(Some(dog), "visitor-risk.shared-with", housing);
        ann.say(Some(dog), "visitor-risk.detail", Value::Text("dog in the kitchen".to_owned()));
        ann.say(Some(kin), "visitor-risk.shared-with", Value::Choices(vec!["store".to_owned()]));
        ann.say(Some(kin), "visitor-risk.detail", Value::Text("her brother is violent".to_owned()));
        let home = HomeProjection::of(document(1), stamp().claimed, &ann.view());
        let told: Vec<_> = home.facts.iter().map(|fact| (fact.item, fact.field.name())).collect();
        assert_eq!(told, [(None, "access.parking"), (Some(dog), "visitor-risk.detail")]);
        // Of a clash Housing sees every reading, and that it is one.
        ann.measure("bathroom-1/door-1", 740);
        let home = HomeProjection::of(document(1), stamp().claimed, &ann.view());
        assert!(home.readings.len() == 2 && home.readings.iter().all(|reading| reading.clash));
    }
}
