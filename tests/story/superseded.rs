//! A prescription signed twice: what the second version leaves of the first, and a recall of the second.

use sync_core::access::Role;
use sync_core::device::NoteInput;
use sync_core::domain::record::Value;
use sync_core::domain::signoff::SignedStanding;
use sync_core::domain::vocabulary::Section;
use sync_core::protocol::Request;
use sync_core::protocol::ask::{AskRefusal, Practicable};

use crate::office::{Ear, NEED, Visit, ask, fetch, field, get, heads, state};

/// What the second version says instead of [`NEED`].
const LATER: &str = "To stand up with a helper on her left";

/// Invariant 3: a surveyor builds from the newest signed version or from none, and the older one reads the same for
/// ever for those who signed it.
#[tokio::test]
async fn a_second_signed_version_takes_the_first_from_housing_and_its_recall_brings_it_not_back() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, case, device) = (&visit.world, visit.case, &visit.tablet.device);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let document = visit.submitted_rail().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let path = format!("/v1/prescriptions/{document}");
    let version = |number: u32| format!("{path}/versions/{number}");
    let first = fetch(world, &grace, &version(1)).await;
    assert_eq!(first.0, 200);

    let mut tablet = world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    let survey = tablet.device.survey(case).await.unwrap();
    tablet.device.note(survey, NoteInput::new(Section::Remark, "Lath and plaster")).await.unwrap();
    tablet.sync().await;
    assert!(ear.heard(NEED), "the first version came");
    let seen = heads(&tablet, survey).await;
    let decided = async |number| {
        let (heads, decision, reason) = (seen.clone(), Practicable::Yes, String::new());
        let request = Request::SurveyDecision { survey, heads, prescription: document, number, decision, reason };
        ask(world, &sue, case, request).await
    };
    let recalled = async |number| {
        ask(world, &grace, case, Request::Recall { document, number, reason: "Wrong wall".to_owned() }).await
    };

    // A later draft and its submission change nothing of what is signed.
    device.set(document, None, field("prescription.need"), Value::Text(LATER.to_owned())).await.unwrap();
    device.submit(document).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
    assert_eq!(fetch(world, &sue, &version(1)).await.0, 200, "it stands until the next one is signed");
    assert_eq!(fetch(world, &grace, &version(2)).await.0, 404);
    assert_eq!(visit.sign(&grace, document).await, Ok(()));

    assert_eq!(fetch(world, &grace, &version(1)).await, first, "the same bytes as before");
    let (_, shown) = get(world, &grace, &path).await;
    let standings = [&shown["versions"][0]["standing"], &shown["versions"][1]["standing"]];
    assert_eq!(*standings[0], serde_json::json!({ "standing": "superseded", "by": 2 }), "{shown}");
    assert_eq!(*standings[1], serde_json::json!({ "standing": "current" }), "{shown}");
    assert_eq!(fetch(world, &sue, &version(1)).await.0, 404);
    let (status, second) = fetch(world, &sue, &version(2)).await;
    let second = String::from_utf8(second).unwrap();
    assert!(status == 200 && second.contains(LATER) && !second.contains(NEED), "{second}");
    // Her tablet has not heard of it yet, and she decides on what it shows.
    assert_eq!(decided(1).await, Err(AskRefusal::HeadsMoved));

    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    assert!(ear.heard(LATER) && !ear.heard(NEED), "only the second version came");
    let card = tablet.device.card(case).await.unwrap();
    let [prescription] = &card.prescriptions[..] else { panic!("{:?}", card.prescriptions) };
    assert_eq!(prescription.signed.as_ref().unwrap().header.number, 2);
    assert_eq!((&prescription.standing, prescription.changed_since), (&Some(SignedStanding::Current), false));
    let kept = minicbor::to_vec(&card).unwrap();
    let holds = |words: &str| kept.windows(words.len()).any(|window| window == words.as_bytes());
    assert!(holds(LATER) && !holds(NEED), "of the first version nothing is on her tablet");
    assert_eq!(decided(1).await, Err(AskRefusal::HeadsMoved));
    assert_eq!(decided(2).await, Ok(()));

    let again = recalled(1).await;
    assert!(matches!(again, Err(AskRefusal::State { .. })), "what was superseded can't be recalled: {again:?}");
    assert_eq!(recalled(2).await, Ok(()));
    assert_eq!(state(world, &visit.token, document).await, "recalled");
    let ear = Ear::to(&mut tablet, true);
    let tablet = {
        tablet.sync().await;
        tablet.restarted().await
    };
    assert!(!ear.heard(NEED) && !ear.heard(LATER));
    let card = tablet.device.card(case).await.unwrap();
    let [prescription] = &card.prescriptions[..] else { panic!("{:?}", card.prescriptions) };
    assert_eq!(prescription.signed, None, "nothing is left to build from");
    assert!(matches!(prescription.standing, Some(SignedStanding::Recalled { .. })), "{:?}", prescription.standing);
    for number in [1, 2] {
        assert_eq!(fetch(world, &sue, &version(number)).await.0, 404, "version {number}");
        assert_eq!(decided(number).await, Err(AskRefusal::HeadsMoved), "version {number}");
    }
    assert_eq!(fetch(world, &grace, &version(1)).await, first, "nor does a recall change it");
    let (_, shown) = get(world, &grace, &path).await;
    assert_eq!(shown["versions"][0]["standing"]["standing"], "superseded", "{shown}");
}
