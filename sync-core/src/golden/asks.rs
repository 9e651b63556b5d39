//! The golden asks.

use super::{at, hash, named};
use crate::domain::signoff::Anchored;
use crate::domain::testing::{document, stamp};
use crate::domain::vocabulary::Field;
use crate::id::{AskId, CaseId};
use crate::protocol::ask::{OpenCase, Practicable};
use crate::protocol::{Ask, Request};

fn requests() -> Vec<(String, Request)> {
    let (document, heads) = (document(1), vec![hash(1)]);
    let open = |born| OpenCase {
        name: "Gwen Pugh".to_owned(),
        address: "1 High Street".to_owned(),
        born,
        home: crate::domain::testing::document(8),
        clinical: crate::domain::testing::document(9),
    };
    let reasons = vec![
        Anchored {
            item: Some(at(7, 9)),
            field: Field::named("item.required-load"),
            text: "under her weight".to_owned(),
        },
        Anchored { item: None, field: None, text: "see also the rails".to_owned() },
    ];
    let decision = |decision| Request::SurveyDecision {
        survey: document,
        heads: vec![hash(1)],
        prescription: crate::domain::testing::document(2),
        number: 1,
        decision,
        reason: "joists".to_owned(),
    };
    named(vec![
        ("open_case", Request::OpenCase(open(Some("1941-02-03".to_owned())))),
        ("open_case-born-unknown", Request::OpenCase(open(None))),
        ("release", Request::Release { document, heads: heads.clone(), consent: "said yes on the visit".to_owned() }),
        ("close_case", Request::CloseCase { reason: "works done".to_owned() }),
        ("end_release", Request::EndRelease { document, reason: "consent taken back".to_owned() }),
        ("complete_assessment", Request::CompleteAssessment { document, heads: heads.clone() }),
        ("submit", Request::Submit { document, heads: heads.clone() }),
        ("withdraw", Request::Withdraw { document }),
        ("return", Request::Return { document, heads: heads.clone(), reasons }),
        ("reject", Request::Reject { document, heads: heads.clone(), grounds: "not necessary".to_owned() }),
        (
            "sign_off",
            Request::SignOff {
                document,
                heads,
                grounds: "necessary".to_owned(),
                conditions: vec!["consent".to_owned()],
                basis: None,
            },
        ),
        (
            "sign_off-basis",
            Request::SignOff {
                document,
                heads: vec![hash(1)],
                grounds: "necessary".to_owned(),
                conditions: vec![],
                basis: Some(hash(4)),
            },
        ),
        ("recall", Request::Recall { document, number: 1, reason: "wrong wall".to_owned() }),
        ("survey_decision-yes", decision(Practicable::Yes)),
        ("survey_decision-with-change", decision(Practicable::WithChange)),
        ("survey_decision-no", decision(Practicable::No)),
        ("take_over", Request::TakeOver { document, reason: "her author has left".to_owned() }),
        ("break_glass", Request::BreakGlass { reason: "he fell and nobody of the team is in".to_owned() }),
    ])
}

/// One of each ask; new ones come at the end.
pub(crate) fn asks() -> Vec<(String, Ask)> {
    let ask = |request| Ask { id: AskId::from_bytes([8; 16]), at: stamp(), case: CaseId::from_bytes([9; 16]), request };
    requests().into_iter().map(|(name, request)| (name, ask(request))).collect()
}
