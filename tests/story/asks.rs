//! What people ask the server to decide: who may, in which state, and what stands in the way.

use grabrail_tests::Tablet;
use serde_json::json;
use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::device::NoteInput;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Cite, SharedText, Value};
use sync_core::domain::signoff::{Anchored, Transition};
use sync_core::domain::vocabulary::{Method, Section};
use sync_core::id::{AskId, CaseId, DocumentId, Hash};
use sync_core::protocol::Request;
use sync_core::protocol::ask::{AskRefusal, OpenCase, Practicable};

use crate::office::{Ear, Visit, ask, basis, field, findings, get, heads, photo, post_ask, rail, seat, state, waits};

fn refused_in(state: &str, transition: Transition) -> Result<(), AskRefusal> {
    Err(AskRefusal::State { state: state.to_owned(), transition })
}

/// Lets somebody write in a prescription, as taking it over will once that can be asked; or takes it away again.
async fn co_author(visit: &Visit, document: DocumentId, tablet: &Tablet, is: bool) {
    let path = visit.world.data().join("grabrail.sqlite");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let query = if is {
        sqlx::query(
            "INSERT INTO document_authors (document_id, account_id, case_id, n, place) VALUES ($1, $2, $3, 0, 9)",
        )
    } else {
        sqlx::query("DELETE FROM document_authors WHERE document_id = $1 AND account_id = $2 AND case_id = $3")
    };
    let account = tablet.device.account().unwrap().to_string();
    let done = query.bind(document.to_string()).bind(account).bind(visit.case.to_string()).execute(&pool).await;
    assert_eq!(done.unwrap().rows_affected(), 1);
    pool.close().await;
}

#[tokio::test]
async fn nobody_signs_off_what_they_wrote_a_word_in_even_one_deleted_since_and_a_third_may() {
    let visit = Visit::by("gwen", Role::SeniorOt).await;
    let moira = visit.joined_by("moira", Role::SeniorOt).await;
    let peg = visit.joined_by("peg", Role::PrincipalOt).await;
    let document = visit.submitted_rail().await;
    let path = format!("/v1/prescriptions/{document}");

    assert_eq!(visit.sign(&visit.token, document).await, Err(AskRefusal::OwnWork));
    let (_, after) = get(&visit.world, &peg, &path).await;
    assert_eq!((&after["state"]["state"], &after["versions"]), (&json!("submitted"), &json!([])), "{after}");

    visit.case_is("allocate", "moira");
    let tablet = visit.world.tablet("moira").await;
    co_author(&visit, document, &tablet, true).await;
    tablet.sync().await;
    let words = async |tablet: &Tablet| {
        tablet.device.open_document(document).await.unwrap().texts[&SharedText::Reasoning].clone()
    };
    let before = words(&tablet).await;
    for text in [format!("{before} badly"), before.clone()] {
        tablet.device.write_text(document, SharedText::Reasoning, text).await.unwrap();
        assert_eq!(tablet.sync().await.receipted, 1);
    }
    co_author(&visit, document, &tablet, false).await;
    visit.tablet.sync().await;
    assert_eq!(words(&visit.tablet).await, before, "her word is gone from what is read");
    visit.tablet.device.withdraw(document).await.unwrap();
    visit.tablet.device.submit(document).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 2);

    assert_eq!(visit.sign(&moira, document).await, Err(AskRefusal::OwnWork), "her word is in the history");
    assert_eq!(visit.sign(&visit.token, document).await, Err(AskRefusal::OwnWork));
    let (_, after) = get(&visit.world, &peg, &path).await;
    assert_eq!((&after["state"]["state"], &after["versions"]), (&json!("submitted"), &json!([])), "{after}");

    assert_eq!(visit.sign(&peg, document).await, Ok(()));
    let (status, evidence) = get(&visit.world, &peg, &format!("{path}/versions/1")).await;
    assert_eq!(status, 200, "{evidence}");
    let names = evidence.to_string();
    assert!(names.contains("gwen of the story") && names.contains("moira of the story"), "{evidence}");
}

#[tokio::test]
async fn no_private_ot_signs_off_their_own_or_anybody_elses() {
    let visit = Visit::by("olu", Role::Ot).await;
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    let asha = visit.joined_from_outside("asha", Role::SeniorOt).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.commissioned("ben");
    let olus = visit.submitted_rail().await;
    assert_eq!(visit.sign(&ben, olus).await, Err(AskRefusal::Unknown), "he may not read it either");
    assert_eq!(visit.sign(&asha, olus).await, Err(AskRefusal::Unknown), "a senior of another organisation");

    let phone = visit.world.tablet("ben").await;
    phone.sync().await;
    let cite = Cite { document: visit.home, key: seat(&phone, visit.home, 431, Method::Laser, Vec::new()).await };
    let bens = rail(&phone, visit.case, vec![cite], 135).await;
    phone.device.submit(bens).await.unwrap();
    assert_eq!(phone.sync().await.granted, 1);
    let sign_off = Request::SignOff {
        document: bens,
        heads: heads(&phone, bens).await,
        grounds: "Mine".to_owned(),
        conditions: Vec::new(),
        basis: basis(&visit.world, &grace, bens).await,
    };
    assert_eq!(ask(&visit.world, &ben, visit.case, sign_off.clone()).await, Err(AskRefusal::NotAllowed));
    assert_eq!(state(&visit.world, &grace, bens).await, "submitted");
    assert_eq!(ask(&visit.world, &grace, visit.case, sign_off).await, Ok(()));
}

#[tokio::test]
async fn a_prescription_submitted_past_the_tablet_with_a_bad_citation_or_load_stays_a_draft() {
    let visit = Visit::by("olu", Role::Ot).await;
    let device = &visit.tablet.device;
    device.set(visit.clinical, None, field("person.weight"), Value::Number(118)).await.unwrap();
    let good = visit.seat(430, Method::Tape).await;
    let guess = visit.seat(432, Method::Estimate).await;
    let mistaken = visit.seat(433, Method::Tape).await;
    device.strike(visit.home, mistaken.key, "Another toilet".to_owned()).await.unwrap();
    let nowhere = Cite { document: visit.home, key: sync_core::id::Key { device: 900, counter: 1 } };
    let cases = [
        (visit.rail(vec![guess]).await, "rests on an estimate"),
        (visit.rail(vec![mistaken]).await, "was struck"),
        (visit.rail(vec![nowhere]).await, "is not here"),
        (rail(&visit.tablet, visit.case, vec![good], 100).await, "100 kg is under the client's weight"),
        (device.prescribe(visit.case).await.unwrap(), "nothing is prescribed"),
    ];
    let empty = cases[4].0;
    device.set(empty, None, field("prescription.need"), Value::Text("Not yet known".to_owned())).await.unwrap();
    visit.tablet.sync().await;
    for (document, what) in cases {
        assert!(device.submit(document).await.is_err(), "the tablet says it first: {what}");
        let said = findings(visit.submit_at_the_api(document).await);
        assert!(said.contains(what), "{said}");
        // The weight may come from an assessment that the one who prescribes may not read.
        assert!(!said.contains("118"), "{said}");
        assert_eq!(state(&visit.world, &visit.token, document).await, "draft", "{what}");
    }
    let document = visit.rail(vec![good]).await;
    visit.tablet.sync().await;
    assert_eq!(visit.submit_at_the_api(document).await, Ok(()));
}

#[tokio::test]
async fn a_clash_that_a_colleagues_tablet_brought_first_keeps_a_prescription_submitted_offline_a_draft() {
    let visit = Visit::by("olu", Role::Ot).await;
    visit.joined_by("bo", Role::Ot).await;
    visit.case_is("allocate", "bo");
    let bo = visit.world.tablet("bo").await;
    bo.sync().await;
    seat(&bo, visit.home, 470, Method::Tape, Vec::new()).await;

    let mine = visit.seat(430, Method::Tape).await;
    let document = visit.rail(vec![mine]).await;
    visit.tablet.device.submit(document).await.unwrap();
    bo.sync().await;
    let report = visit.tablet.sync().await;
    assert_eq!((report.granted, report.denied), (0, 1), "{report:?}");
    let asked = visit.tablet.device.asked().await.unwrap();
    assert!(format!("{asked:?}").contains("clashes with another"), "{asked:?}");
    assert_eq!(state(&visit.world, &visit.token, document).await, "draft");

    visit.tablet.device.settle(visit.home, Vec::new(), mine.key, "Measured again".to_owned()).await.unwrap();
    visit.tablet.device.submit(document).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
    assert_eq!(state(&visit.world, &visit.token, document).await, "submitted");
}

#[tokio::test]
async fn a_clash_or_a_strike_that_came_after_the_submission_stands_in_the_way_of_signing() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("bo", Role::Ot).await;
    visit.case_is("allocate", "bo");
    let document = visit.submitted_rail().await;
    let bo = visit.world.tablet("bo").await;
    bo.sync().await;
    let other = seat(&bo, visit.home, 470, Method::Tape, Vec::new()).await;
    bo.sync().await;
    let said = findings(visit.sign(&grace, document).await);
    assert!(said.contains("clashes with another"), "{said}");
    bo.device.strike(visit.home, other, "Another toilet".to_owned()).await.unwrap();
    bo.device.set(visit.clinical, None, field("person.weight"), Value::Number(140)).await.unwrap();
    bo.sync().await;
    let said = findings(visit.sign(&grace, document).await);
    assert!(said.contains("under the client's weight") && !said.contains("clash"), "{said}");
    assert_eq!(state(&visit.world, &grace, document).await, "submitted");
    bo.device.set(visit.clinical, None, field("person.weight"), Value::Number(80)).await.unwrap();
    bo.sync().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
}

#[tokio::test]
async fn a_submission_whose_photo_has_not_arrived_is_invisible_to_signers_until_it_has() {
    let mut visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    Ear::to(&mut visit.tablet, false);
    let (shows, _) = photo(&visit.tablet, visit.home, 10, true).await;
    let key = seat(&visit.tablet, visit.home, 430, Method::Tape, vec![shows]).await;
    let document = visit.rail(vec![Cite { document: visit.home, key }]).await;
    visit.tablet.device.submit(document).await.unwrap();
    let report = visit.tablet.sync().await;
    assert_eq!((report.granted, report.photos_waiting), (1, 1), "{report:?}");

    let path = format!("/v1/prescriptions/{document}");
    assert_eq!(state(&visit.world, &visit.token, document).await, "awaiting_photos");
    assert!(!waits(&visit.world, &grace, document).await);
    assert_eq!(get(&visit.world, &grace, &path).await.0, 404);
    assert_eq!(visit.sign(&grace, document).await, refused_in("awaiting photos", Transition::SignOff));

    Ear::to(&mut visit.tablet, true);
    let report = visit.tablet.sync().await;
    assert_eq!((report.photos_sent, report.photos_waiting), (1, 0), "{report:?}");
    assert!(waits(&visit.world, &grace, document).await);
    assert_eq!(get(&visit.world, &grace, &path).await.0, 200);
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    assert!(!waits(&visit.world, &grace, document).await);
}

fn open_case(name: &str, born: &str) -> Request {
    let chance = &mut SystemChance;
    Request::OpenCase(OpenCase {
        name: name.to_owned(),
        address: "2 Sample Street".to_owned(),
        born: Some(born.to_owned()),
        home: DocumentId::mint(chance),
        clinical: DocumentId::mint(chance),
    })
}

#[tokio::test]
async fn an_ot_opens_a_case_at_an_unplanned_visit_and_a_private_ot_or_a_surveyor_does_not() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    let case = CaseId::mint(&mut SystemChance);
    let path = format!("/v1/cases/{case}");
    for token in [&ben, &sue, &grace] {
        assert_eq!(get(world, token, &path).await.0, 404);
    }
    for token in [&ben, &sue] {
        let answer = ask(world, token, case, open_case("Vera Example", "1941-05-06")).await;
        assert_eq!(answer, Err(AskRefusal::NotAllowed));
    }
    for (name, born, what) in [(" ", "1941-05-06", "name"), ("Vera Example", "06/05/1941", "born")] {
        match ask(world, &visit.token, case, open_case(name, born)).await {
            Err(AskRefusal::Particulars { field, .. }) => assert_eq!(field, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(get(world, &visit.token, &path).await.0, 404, "what was refused left nothing");
    let vera = visit.tablet.device.start_visit("Vera Example", "2 Sample Street", Some("1941-05-06")).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
    let path = format!("/v1/cases/{vera}");
    for (token, status) in [(&visit.token, 200), (&grace, 200), (&ben, 404), (&sue, 404)] {
        let (found, card) = get(world, token, &path).await;
        assert_eq!(found, status);
        assert!(status == 404 || card["state"] == "unmatched", "{card}");
    }
    let taken = ask(world, &visit.token, vera, open_case("Vera Example", "1941-05-06")).await;
    assert_eq!(taken, Err(AskRefusal::IdTaken), "a case that is there is not opened again");
}

#[tokio::test]
async fn only_a_council_ot_on_the_case_releases_the_home_and_says_how_the_client_agreed() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    let eve = visit.joined_by("eve", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let tess = visit.joined_by("tess", Role::OtAssistant).await;
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    let agnes = visit.joined_from_outside("agnes", Role::Ot).await;
    visit.case_is("assign", "sue");
    visit.case_is("allocate", "tess");
    visit.case_is("allocate", "agnes");
    visit.commissioned("ben");
    visit.seat(430, Method::Tape).await;
    visit.tablet.sync().await;
    let now = heads(&visit.tablet, visit.home).await;
    let release = |consent: &str, heads: &[Hash]| Request::Release {
        document: visit.home,
        heads: heads.to_vec(),
        consent: consent.to_owned(),
    };
    let says = "She said yes, at the kitchen table";
    for (token, refusal) in [
        (&tess, AskRefusal::NotAllowed),
        (&ben, AskRefusal::NotAllowed),
        (&agnes, AskRefusal::NotAllowed),
        (&grace, AskRefusal::NotAllowed),
        (&sue, AskRefusal::NotAllowed),
        (&eve, AskRefusal::Unknown),
    ] {
        assert_eq!(ask(world, token, visit.case, release(says, &now)).await, Err(refusal));
    }
    let unseen = ask(world, &visit.token, visit.case, release(says, &[Hash::of(b"unseen")])).await;
    assert_eq!(unseen, Err(AskRefusal::HeadsUnknown));
    let silent = ask(world, &visit.token, visit.case, release(" ", &now)).await;
    assert!(matches!(silent, Err(AskRefusal::Particulars { .. })), "{silent:?}");
    let path = format!("/v1/cases/{}", visit.case);
    assert!(get(world, &sue, &path).await.1["home"].is_null(), "nothing is released yet");
    assert_eq!(ask(world, &visit.token, visit.case, release(says, &now)).await, Ok(()));
    assert_eq!(get(world, &sue, &path).await.1["home"]["readings"][0]["value"], 430);
}

#[tokio::test]
async fn an_assessment_is_not_complete_without_what_must_be_asked_and_is_with_it() {
    let visit = Visit::by("olu", Role::Ot).await;
    let device = &visit.tablet.device;
    let complete = async || {
        visit.tablet.sync().await;
        let (document, heads) = (visit.clinical, heads(&visit.tablet, visit.clinical).await);
        ask(&visit.world, &visit.token, visit.case, Request::CompleteAssessment { document, heads }).await
    };
    device.set(visit.clinical, None, field("visit.carer-present"), Value::Flag(false)).await.unwrap();
    let said = findings(complete().await);
    for label in ["Why no carer was present", "Feels safe and secure", "at screening", "at assessment"] {
        assert!(said.contains(label), "{label}: {said}");
    }
    let choice = |word: &str| Value::Choice(word.to_owned());
    for (name, value) in [
        ("visit.carer-absent-reason", Value::Text("At work until six".to_owned())),
        ("client.feels-safe-and-secure", choice("yes")),
        ("carer.assessment-trigger-screening", choice("not-triggered")),
    ] {
        device.set(visit.clinical, None, field(name), value).await.unwrap();
    }
    let said = findings(complete().await);
    assert!(
        said.contains("at assessment") && !said.contains("Why no carer") && !said.contains("at screening"),
        "{said}"
    );
    let last = field("carer.assessment-trigger-assessment");
    device.set(visit.clinical, None, last, choice("declined")).await.unwrap();
    let path = format!("/v1/cases/{}", visit.case);
    let (_, card) = get(&visit.world, &visit.token, &path).await;
    let completed = |card: &serde_json::Value| -> Vec<serde_json::Value> {
        let documents = card["documents"].as_array().unwrap().iter();
        documents.map(|document| document["completed"].clone()).filter(|completed| !completed.is_null()).collect()
    };
    assert_eq!(completed(&card), [] as [serde_json::Value; 0], "what was refused is not shown");
    assert_eq!(complete().await, Ok(()));
    let (_, card) = get(&visit.world, &visit.token, &path).await;
    let heads_now = heads(&visit.tablet, visit.clinical).await;
    assert_eq!(completed(&card)[0]["heads"], json!(heads_now), "{card}");
    visit.tablet.sync().await;
    let card = visit.tablet.device.card(visit.case).await.unwrap();
    let clinical = card.documents.iter().find(|document| document.document == visit.clinical).unwrap();
    assert_eq!(clinical.completed.as_ref().map(|completed| &completed.heads), Some(&heads_now));
    let eve = visit.joined_by("eve", Role::Ot).await;
    let (document, heads) = (visit.clinical, heads(&visit.tablet, visit.clinical).await);
    let request = Request::CompleteAssessment { document, heads };
    assert_eq!(ask(&visit.world, &eve, visit.case, request).await, Err(AskRefusal::Unknown));
}

#[tokio::test]
async fn a_prescription_is_submitted_taken_back_returned_rejected_and_recalled_each_from_its_own_states() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, case) = (&visit.world, visit.case);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let document = visit.submitted_rail().await;
    let seen = heads(&visit.tablet, document).await;
    let (submit, withdraw) = (Request::Submit { document, heads: seen.clone() }, Request::Withdraw { document });
    let reasons = vec![Anchored { item: None, field: None, text: "Which wall?".to_owned() }];
    let give_back = Request::Return { document, heads: seen.clone(), reasons };
    let reject = Request::Reject { document, heads: seen.clone(), grounds: "Not needed".to_owned() };
    let by_olu = async |request: &Request| ask(world, &visit.token, case, request.clone()).await;
    let by_grace = async |request: &Request| ask(world, &grace, case, request.clone()).await;

    assert_eq!(by_olu(&submit).await, refused_in("submitted", Transition::Submit));
    for decision in [&give_back, &reject] {
        assert_eq!(by_olu(decision).await, Err(AskRefusal::NotAllowed), "a signer decides");
    }
    assert_eq!(by_grace(&withdraw).await, Err(AskRefusal::NotAllowed), "an author takes it back");
    assert_eq!(by_olu(&withdraw).await, Ok(()));
    assert_eq!(by_olu(&withdraw).await, refused_in("draft", Transition::Withdraw));
    for (decision, transition) in [(&give_back, Transition::Return), (&reject, Transition::Reject)] {
        assert_eq!(by_grace(decision).await, refused_in("draft", transition));
    }
    assert_eq!(visit.sign(&grace, document).await, refused_in("draft", Transition::SignOff));

    assert_eq!(by_olu(&submit).await, Ok(()));
    let other = Request::Return { document, heads: vec![Hash::of(b"unseen")], reasons: vec![] };
    assert!(matches!(by_grace(&other).await, Err(AskRefusal::Particulars { .. })), "a return says why");
    assert_eq!(by_grace(&give_back).await, Ok(()));
    assert_eq!(state(world, &visit.token, document).await, "returned");
    assert_eq!(by_olu(&submit).await, Ok(()), "what was returned may be submitted as it is");
    assert_eq!(by_grace(&reject).await, Ok(()));
    assert_eq!(state(world, &visit.token, document).await, "rejected");
    let said = findings(by_olu(&submit).await);
    assert!(said.contains("change it before you submit it again"), "{said}");

    let device = &visit.tablet.device;
    device.write_text(document, SharedText::Reasoning, "She fell again".to_owned()).await.unwrap();
    visit.tablet.sync().await;
    assert_eq!(visit.submit_at_the_api(document).await, Ok(()));
    let (grounds, conditions, basis) = ("Seen".to_owned(), Vec::new(), basis(world, &grace, document).await);
    let stale = Request::SignOff { document, heads: seen, grounds, conditions, basis };
    assert_eq!(by_grace(&stale).await, Err(AskRefusal::HeadsMoved), "she looked at another version");
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let said = findings(visit.submit_at_the_api(document).await);
    assert!(said.contains("decided"), "{said}");

    let recall = |number| Request::Recall { document, number, reason: "Measured wrong".to_owned() };
    assert_eq!(by_olu(&recall(1)).await, Err(AskRefusal::NotAllowed));
    assert_eq!(by_grace(&recall(2)).await, Err(AskRefusal::Unknown));
    assert_eq!(by_grace(&recall(1)).await, Ok(()));
    assert_eq!(by_grace(&recall(1)).await, refused_in("recalled", Transition::Recall));
    assert_eq!(state(world, &visit.token, document).await, "recalled");
}

#[tokio::test]
async fn a_surveyor_decides_on_what_is_signed_and_no_more_once_it_is_recalled() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, case) = (&visit.world, visit.case);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    let sid = visit.joined_by("sid", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let document = visit.submitted_rail().await;
    let tablet = world.tablet("sue").await;
    tablet.sync().await;
    let survey = tablet.device.survey(case).await.unwrap();
    tablet.device.note(survey, NoteInput::new(Section::Remark, "Lath and plaster")).await.unwrap();
    tablet.sync().await;
    let seen = heads(&tablet, survey).await;
    let decide = |number, decision, reason: &str| Request::SurveyDecision {
        survey,
        heads: seen.clone(),
        prescription: document,
        number,
        decision,
        reason: reason.to_owned(),
    };
    let yes = || decide(1, Practicable::Yes, "");
    assert_eq!(ask(world, &sue, case, yes()).await, Err(AskRefusal::Unknown), "nothing is signed yet");
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    assert_eq!(ask(world, &sid, case, yes()).await, Err(AskRefusal::Unknown));
    assert_eq!(ask(world, &visit.token, case, yes()).await, Err(AskRefusal::NotAllowed));
    let silent = ask(world, &sue, case, decide(1, Practicable::WithChange, " ")).await;
    assert!(matches!(silent, Err(AskRefusal::Particulars { .. })), "{silent:?}");
    assert_eq!(ask(world, &sue, case, decide(2, Practicable::Yes, "")).await, Err(AskRefusal::Unknown));
    let joists = decide(1, Practicable::WithChange, "The joists run the other way");
    assert_eq!(ask(world, &sue, case, joists).await, Ok(()));
    assert_eq!(ask(world, &sue, case, yes()).await, Ok(()));
    // Both stand in the order of deciding, for the OT as for Housing.
    visit.tablet.sync().await;
    tablet.sync().await;
    for device in [&visit.tablet.device, &tablet.device] {
        let card = device.card(case).await.unwrap();
        let decided: Vec<_> = card.prescriptions[0].decisions.iter().map(|d| (d.decision, d.reason.as_str())).collect();
        let joists = (Practicable::WithChange, "The joists run the other way");
        assert_eq!(decided, [joists, (Practicable::Yes, "")]);
        let by = card.prescriptions[0].decisions[0].by;
        assert!(card.people.iter().any(|person| person.account == by && person.name == "sue of the story"));
    }
    let (_, card) = get(world, &visit.token, &format!("/v1/cases/{case}")).await;
    assert_eq!(card["prescriptions"][0]["decisions"][1]["decision"], "yes", "{card}");
    // Every decision is on the cards of all who carry the case: no reason is longer than others, and they end.
    let long = ask(world, &sue, case, decide(1, Practicable::Yes, &"x".repeat(4_001))).await;
    assert!(matches!(long, Err(AskRefusal::Particulars { .. })), "{long:?}");
    for _ in 2..20 {
        assert_eq!(ask(world, &sue, case, yes()).await, Ok(()));
    }
    let again = ask(world, &sue, case, yes()).await.unwrap_err();
    assert!(again.to_string().contains("have a new version signed"), "{again}");
    let recall = Request::Recall { document, number: 1, reason: "Measured wrong".to_owned() };
    assert_eq!(ask(world, &grace, case, recall).await, Ok(()));
    // Her tablet has not heard of it yet.
    assert_eq!(ask(world, &sue, case, yes()).await, Err(AskRefusal::HeadsMoved));
}

#[tokio::test]
async fn the_same_ask_twice_is_one_verdict_and_its_id_is_good_for_nothing_else() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, case) = (&visit.world, visit.case);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let document = visit.submitted_rail().await;
    let id = AskId::mint(&mut SystemChance);
    let withdraw = Request::Withdraw { document };
    let first = post_ask(world, &visit.token, id, case, &withdraw).await;
    assert_eq!(first.0, 200, "{first:?}");
    assert_eq!(post_ask(world, &visit.token, id, case, &withdraw).await, first, "asked again, answered the same");
    let refusal_of = |(status, answer): (u16, serde_json::Value)| {
        assert_eq!(status, 409, "{answer}");
        answer["verdict"]["answer"]["refused"].clone()
    };
    let submit = Request::Submit { document, heads: heads(&visit.tablet, document).await };
    assert_eq!(refusal_of(post_ask(world, &visit.token, id, case, &submit).await), "id_taken");
    assert_eq!(refusal_of(post_ask(world, &grace, id, case, &withdraw).await), "id_taken", "hers is another ask");
    assert_eq!(state(world, &visit.token, document).await, "draft", "nothing else was done under that id");

    // A refusal is a verdict too: it stays what it was, though the same would be granted now.
    let id = AskId::mint(&mut SystemChance);
    let refused = post_ask(world, &visit.token, id, case, &withdraw).await;
    assert!(refusal_of(refused.clone()).to_string().contains("draft"));
    assert_eq!(visit.submit_at_the_api(document).await, Ok(()));
    assert_eq!(post_ask(world, &visit.token, id, case, &withdraw).await, refused);
    assert_eq!(state(world, &visit.token, document).await, "submitted");
}

#[tokio::test]
async fn an_ask_about_what_is_not_theirs_is_answered_as_one_about_what_is_not_there() {
    let visit = Visit::by("olu", Role::Ot).await;
    let document = visit.submitted_rail().await;
    let heads = heads(&visit.tablet, document).await;
    let (ghost, nowhere) = (DocumentId::mint(&mut SystemChance), CaseId::mint(&mut SystemChance));
    let home = visit.home;
    for (who, role) in [
        ("eve", Role::Ot),
        ("sid", Role::Surveyor),
        ("ben", Role::PrivateOt),
        ("ida", Role::Administrator),
        ("aud", Role::Auditor),
    ] {
        let token = visit.joined_by(who, role).await;
        let asks = |document: DocumentId, home: DocumentId| {
            let (heads, reason) = (heads.clone(), "Why not".to_owned());
            let number = 1;
            [
                Request::Submit { document, heads: heads.clone() },
                Request::Withdraw { document },
                Request::Reject { document, heads: heads.clone(), grounds: reason.clone() },
                Request::SignOff {
                    document,
                    heads: heads.clone(),
                    grounds: reason.clone(),
                    conditions: vec![],
                    basis: Some(Hash::of(b"unseen")),
                },
                Request::Recall { document, number, reason: reason.clone() },
                Request::Release { document: home, heads, consent: reason },
            ]
        };
        let pairs = asks(document, home).into_iter().zip(asks(ghost, ghost));
        for (theirs, ghosts) in pairs {
            let mut answers = Vec::new();
            for (case, request) in
                [(visit.case, &theirs), (visit.case, &ghosts), (nowhere, &theirs), (nowhere, &ghosts)]
            {
                let id = AskId::mint(&mut SystemChance);
                let (status, mut answer) = post_ask(&visit.world, &token, id, case, request).await;
                assert_eq!(answer["verdict"]["ask"], json!(id));
                (answer["verdict"]["ask"], answer["verdict"]["at"]) = (json!(null), json!(null));
                answers.push((status, answer));
            }
            assert_eq!(answers[0].1["verdict"]["answer"]["refused"], "unknown", "{who}: {:?}", answers[0]);
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{who}, {}: {answers:#?}", theirs.name());
        }
    }
    assert_eq!(state(&visit.world, &visit.token, document).await, "submitted");
    assert_eq!(visit.tablet.document(Kind::Home).await, home);
}
