//! The golden case cards: for each lane, with little in them, and with what was decided and told since.

use super::{at, hash, named};
use crate::access::{Lane, Relation, Role};
use crate::domain::kind::Kind;
use crate::domain::record::Value;
use crate::domain::signed::tests::version;
use crate::domain::signoff::{SignedStanding, State};
use crate::domain::testing::{document, reading, stamp};
use crate::domain::vocabulary::Field;
use crate::id::{AccountId, CaseId, CommissionId};
use crate::protocol::CaseCard;
use crate::protocol::ask::Practicable;
use crate::protocol::card::{
    CaseState, ClientCard, Completed, DocumentCard, HomeProjection, PersonCard, PrescriptionCard, ProjectedFact,
    ProjectedPhoto, ProjectedReading, SurveyDecided,
};

fn card(lane: Lane) -> CaseCard {
    let council = lane == Lane::Council;
    let signed = if council { version() } else { version().for_housing() };
    let prescription = |state, signed, standing| PrescriptionCard {
        document: document(3),
        state,
        thread: document(6),
        signed,
        standing,
        changed_since: true,
        decisions: vec![],
    };
    CaseCard {
        case: CaseId::from_bytes([9; 16]),
        reference: Some("REF-1".to_owned()),
        lane,
        state: CaseState::Open,
        client: ClientCard {
            name: "Gwen Pugh".to_owned(),
            address: "1 High Street".to_owned(),
            contact: Some("029 2018 0000".to_owned()),
            visitor_risk: Some("dog".to_owned()),
            uprn: Some("10090000001".to_owned()),
            born: council.then(|| "1941-02-03".to_owned()),
            nhs_number: council.then(|| "9434765919".to_owned()),
        },
        relations: if council { Relation::ALL.to_vec() } else { vec![Relation::Assigned] },
        documents: vec![DocumentCard {
            document: document(6),
            kind: Kind::Thread,
            writable: true,
            commission: council.then_some(CommissionId::from_bytes([4; 16])),
            about: Some(document(3)),
            completed: None,
        }],
        prescriptions: vec![
            prescription(State::Draft, Some(signed), Some(SignedStanding::Current)),
            prescription(State::Draft, None, Some(SignedStanding::Superseded { by: 2 })),
            prescription(
                State::Draft,
                None,
                Some(SignedStanding::Recalled { at: stamp().claimed, reason: "wrong wall".to_owned() }),
            ),
        ],
        home: (!council).then(|| HomeProjection {
            document: document(1),
            released: stamp().claimed,
            readings: vec![ProjectedReading {
                key: at(7, 1),
                place: "bathroom-1/door-1".parse().unwrap(),
                measure: reading("bathroom-1", "door-clear-width", 0).measure,
                value: 712,
                method: reading("bathroom-1", "door-clear-width", 0).method,
                by: AccountId::from_bytes([5; 16]),
                at: stamp(),
                clash: true,
                photos: vec![hash(5)],
            }],
            photos: vec![ProjectedPhoto { hash: hash(5), place: None, caption: Some("the door".to_owned()) }],
            facts: vec![],
        }),
        people: vec![PersonCard {
            account: AccountId::from_bytes([5; 16]),
            name: "Ann".to_owned(),
            role: Role::Ot,
            organisation: "Cardiff Council".to_owned(),
        }],
        ends: council.then_some(stamp().claimed),
        orphaned: None,
    }
}

pub(super) fn cards() -> Vec<(String, CaseCard)> {
    let bare = CaseCard {
        reference: None,
        state: CaseState::Unmatched,
        client: ClientCard {
            contact: None,
            visitor_risk: None,
            uprn: None,
            born: None,
            nhs_number: None,
            ..card(Lane::Council).client
        },
        relations: vec![],
        documents: vec![],
        prescriptions: vec![],
        people: vec![],
        ends: None,
        orphaned: None,
        ..card(Lane::Council)
    };
    let mut decided = card(Lane::Council);
    let by = AccountId::from_bytes([5; 16]);
    for document in &mut decided.documents {
        document.completed = Some(Completed { by, at: stamp().claimed, heads: vec![hash(1)] });
    }
    for prescription in &mut decided.prescriptions {
        let (decision, reason) = (Practicable::WithChange, "the joists run the other way".to_owned());
        let survey = document(5);
        prescription.decisions = vec![SurveyDecided { number: 1, decision, reason, by, at: stamp().claimed, survey }];
    }
    let mut told = card(Lane::Housing);
    if let Some(home) = &mut told.home {
        let (item, field) = (Some(at(7, 3)), Field::named("visitor-risk.detail").unwrap());
        let value = Value::Text("dog in the kitchen".to_owned());
        home.facts = vec![ProjectedFact { item, field, value, by, at: stamp() }];
    }
    let mut orphaned = card(Lane::Council);
    orphaned.orphaned = Some(vec![document(6)]);
    named(vec![
        ("council", card(Lane::Council)),
        ("housing", card(Lane::Housing)),
        ("bare", bare),
        ("council-decided", decided),
        ("housing-facts", told),
        ("council-orphaned", orphaned),
    ])
}
