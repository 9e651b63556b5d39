//! The case card: what a device is told of a case besides its documents, made for one principal.
//!
//! Every field here is on an allow-list: what is not named never leaves. A card for Housing has no NHS number, no date
//! of birth, no reasons and no justification, and it carries the home and the prescriptions as projections.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::{Lane, Relation, Role};
use crate::clock::{Stamp, Timestamp};
use crate::domain::kind::Kind;
use crate::domain::record::Body;
use crate::domain::signed::SignedVersion;
use crate::domain::signoff::{SignedStanding, State};
use crate::domain::view::View;
use crate::domain::vocabulary::photo::ShareWith;
use crate::domain::vocabulary::{Measure, Method, Place};
use crate::id::{AccountId, CaseId, CommissionId, DocumentId, Hash, Key};

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
        Self { document, released, readings, photos: photos.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::edit::Edit;
    use crate::domain::record::{Photo, Reading};
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
        // Of a clash Housing sees every reading, and that it is one.
        ann.measure("bathroom-1/door-1", 740);
        let home = HomeProjection::of(document(1), stamp().claimed, &ann.view());
        assert!(home.readings.len() == 2 && home.readings.iter().all(|reading| reading.clash));
    }
}
