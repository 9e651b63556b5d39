//! Case cards, and where prescriptions stand.

use utoipa::ToSchema;

use super::asks::{Anchored, Practicable};
use super::evidence::FieldValue;
use super::words::{
    AccountId, CaseId, CommissionId, DocumentId, FieldName, Hash, Heads, Key, Kind, Measure, Method, Place, Relation,
    Role, Stamp, Timestamp,
};

/// What one person may know of one case.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct CaseCard {
    /// The case.
    case: CaseId,
    /// The referral's number in the council's own system, if the case was imported.
    reference: Option<String>,
    /// The lane the card was made for.
    lane: Lane,
    /// Where the case stands.
    state: CaseState,
    /// The client.
    client: ClientCard,
    /// What ties this person to the case.
    relations: Vec<Relation>,
    /// The documents this person may have on a device, planned ones too.
    documents: Vec<DocumentCard>,
    /// The prescriptions this person may know of.
    prescriptions: Vec<PrescriptionCard>,
    /// The released home; for Housing only.
    home: Option<HomeProjection>,
    /// Everyone who has a part in the case.
    people: Vec<PersonCard>,
    /// When the commission is over, if this person's relation is one that ends.
    ends: Option<Timestamp>,
    /// Prescriptions whose authors are all gone, which this person may take over.
    orphaned: Option<Vec<DocumentId>>,
}

/// Which side of the council.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum Lane {
    Council,
    Housing,
}

/// Where a case stands.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum CaseState {
    Open,
    Unmatched,
    Closed,
}

/// The client as this person may know them.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct ClientCard {
    /// Full name.
    name: String,
    /// Where the home is.
    address: String,
    /// Telephone and how to get in; no door code.
    contact: Option<String>,
    /// What a visitor must beware of.
    visitor_risk: Option<String>,
    /// Unique Property Reference Number.
    uprn: Option<String>,
    /// Date of birth, YYYY-MM-DD; never on a card for Housing.
    born: Option<String>,
    /// NHS number; never on a card for Housing.
    nhs_number: Option<String>,
}

/// A document of the case.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct DocumentCard {
    /// The document.
    document: DocumentId,
    /// Its kind.
    kind: Kind,
    /// Whether this person may write in it.
    writable: bool,
    /// The commission whose assessment it belongs to.
    commission: Option<CommissionId>,
    /// For a thread: the prescription it is about.
    about: Option<DocumentId>,
    /// For an assessment: that it was completed, most recently.
    completed: Option<Completed>,
}

/// That somebody called an assessment complete, and the server agreed.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Completed {
    /// Who.
    by: AccountId,
    /// When, by the server's clock.
    at: Timestamp,
    /// The version that was complete.
    heads: Heads,
}

/// A prescription as this person may know of it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct PrescriptionCard {
    /// The prescription.
    document: DocumentId,
    /// Where the version being worked on stands; for Housing always `draft`, which says nothing.
    state: State,
    /// The thread of questions and answers about it.
    thread: DocumentId,
    /// What became of its newest signed version.
    standing: Option<SignedStanding>,
    /// Whether what it was made of has changed since it was signed.
    changed_since: bool,
    /// What Housing decided on its signed versions, in the order of deciding.
    decisions: Vec<SurveyDecided>,
}

/// Housing's decision on a signed version.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct SurveyDecided {
    /// The signed version it is about.
    number: u32,
    /// The decision.
    decision: Practicable,
    /// Why, where it is not a plain yes.
    reason: String,
    /// Who decided.
    by: AccountId,
    /// When, by the server's clock.
    at: Timestamp,
    /// The survey it rests on.
    survey: DocumentId,
}

/// Where the version of a prescription being worked on stands.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[serde(tag = "state")]
pub(in crate::routes) enum State {
    /// Being written.
    Draft,
    /// Submitted, but cited photos have not arrived; signers do not see it.
    AwaitingPhotos {
        /// The version submitted.
        heads: Heads,
        /// The photos that are still missing.
        missing: Vec<Hash>,
    },
    /// Waiting for a signer.
    Submitted {
        /// The version submitted.
        heads: Heads,
    },
    /// Back with its author.
    Returned {
        /// The version that was returned.
        heads: Heads,
        /// What to mend.
        reasons: Vec<Anchored>,
    },
    /// Refused for good; a version with other content may be submitted.
    Rejected {
        /// The version that was rejected.
        heads: Heads,
        /// Why.
        grounds: String,
    },
    /// Signed.
    SignedOff {
        /// The version that was signed.
        heads: Heads,
        /// Which signed version it became.
        number: u32,
    },
    /// Its newest signed version was recalled.
    Recalled {
        /// Which signed version.
        number: u32,
        /// Why.
        reason: String,
    },
}

/// What became of a signed version.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[serde(tag = "standing")]
pub(in crate::routes) enum SignedStanding {
    /// It may be built from.
    Current,
    /// A later signed version replaced it.
    Superseded {
        /// The later version.
        by: u32,
    },
    /// A supervisor recalled it.
    Recalled {
        /// When, by the server's clock.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// Somebody with a part in the case.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct PersonCard {
    /// Their account.
    account: AccountId,
    /// Full name.
    name: String,
    /// Role.
    role: Role,
    /// The organisation's name.
    organisation: String,
}

/// What Housing sees of a released home: current readings, and photos of the building that were shared with it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct HomeProjection {
    /// The home document, which names the photos.
    document: DocumentId,
    /// When it was released.
    released: Timestamp,
    /// Every reading that stands.
    readings: Vec<ProjectedReading>,
    /// The photos.
    photos: Vec<ProjectedPhoto>,
    /// How to get in, and what a visitor must beware of where it may be told to Housing; of a clash, every value.
    facts: Vec<ProjectedFact>,
}

/// A fact of the home as Housing sees it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct ProjectedFact {
    /// The risk it is about; none: the way in.
    item: Option<Key>,
    /// What.
    field: FieldName,
    /// The value.
    value: FieldValue,
    /// Who said so.
    by: AccountId,
    /// When.
    at: Stamp,
}

/// A reading as Housing sees it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct ProjectedReading {
    /// The record.
    key: Key,
    /// Where.
    place: Place,
    /// What.
    measure: Measure,
    /// The value in the measure's unit: whole millimetres, kilograms, counts.
    value: i32,
    /// How.
    method: Method,
    /// Who.
    by: AccountId,
    /// When.
    at: Stamp,
    /// Whether another reading that stands disagrees with it.
    clash: bool,
    /// The photos that show it.
    photos: Vec<Hash>,
}

/// A photo of the building as Housing sees it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct ProjectedPhoto {
    /// Its hash.
    hash: Hash,
    /// Where it was taken.
    place: Option<Place>,
    /// Its caption.
    caption: Option<String>,
}
