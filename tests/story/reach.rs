//! Who reaches what: at the API, on a surveyor's tablet, and in the server's log.

use grabrail_tests::World;
use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::device::{NoteInput, Replace};
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Cite, SharedText, Value};
use sync_core::domain::vocabulary::{ItemKind, Method, Section};
use sync_core::id::{CaseId, DocumentId, Hash};
use sync_core::protocol::Request;

use crate::office::{Ear, NEED, REASONING, Visit, ask, fetch, field, get, heads, photo, seat};

/// What a person gets at each path.
type Row<'a> = (&'a str, &'a str, [u16; 6]);

/// Compares a table of people and paths with what the server answers. Whatever is not there for them is answered as
/// what is not there at all, byte for byte.
async fn holds(world: &World, when: &str, rows: &[Row<'_>], paths: &[String; 6], unknown: &[String; 6]) {
    for (who, token, wanted) in rows {
        for ((path, unknown), wanted) in paths.iter().zip(unknown).zip(wanted) {
            let (status, body) = fetch(world, token, path).await;
            assert_eq!(status, *wanted, "{when}, {who}: {path}: {}", String::from_utf8_lossy(&body));
            if status == 404 {
                let (as_unknown, nothing) = fetch(world, token, unknown).await;
                assert_eq!((status, body), (as_unknown, nothing), "{when}, {who}: {path} is told from {unknown}");
            }
        }
    }
}

#[tokio::test]
async fn each_person_reaches_at_the_api_what_is_theirs_and_the_rest_is_as_if_it_were_not_there() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, case) = (&visit.world, visit.case);
    let mut tokens = Vec::new();
    for (who, role) in [
        ("eve", Role::Ot),
        ("sue", Role::Surveyor),
        ("sid", Role::Surveyor),
        ("grace", Role::SeniorOt),
        ("ida", Role::Administrator),
        ("aud", Role::Auditor),
        ("stu", Role::Store),
        ("pru", Role::Performance),
    ] {
        tokens.push(visit.joined_by(who, role).await);
    }
    let [eve, sue, sid, grace, ida, aud, stu, pru] = tokens.try_into().unwrap();
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    let asha = visit.joined_from_outside("asha", Role::SeniorOt).await;
    world.case("R-2", "eve");
    visit.case_is("assign", "sue");
    visit.commissioned("ben");

    let (_, shared) = photo(&visit.tablet, visit.home, 20, true).await;
    let (_, kept) = photo(&visit.tablet, visit.home, 30, false).await;
    let document = visit.submitted_rail().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let path_of = |case: CaseId, document: DocumentId, home: DocumentId, photos: [Hash; 2]| {
        [
            format!("/v1/cases/{case}"),
            format!("/v1/prescriptions/{document}"),
            format!("/v1/prescriptions/{document}/versions/1"),
            "/v1/quarantine".to_owned(),
            format!("/v1/photos/{case}/{home}/{}", photos[0]),
            format!("/v1/photos/{case}/{home}/{}", photos[1]),
        ]
    };
    let paths = path_of(case, document, visit.home, [shared, kept]);
    let chance = &mut SystemChance;
    let (ghost, nowhere) = (DocumentId::mint(chance), CaseId::mint(chance));
    let unknown = path_of(nowhere, ghost, ghost, [Hash::of(b"one"), Hash::of(b"other")]);

    let nobody = [404, 404, 404, 403, 404, 404];
    let of_the_case = ("olu, OT of the case", visit.token.as_str(), [200, 200, 200, 403, 200, 200]);
    let senior = ("grace, senior", grace.as_str(), [200, 200, 200, 200, 200, 200]);
    let strangers: [Row<'_>; 7] = [
        ("eve, OT of another case", &eve, nobody),
        ("sid, surveyor not assigned", &sid, nobody),
        ("ida, administrator", &ida, nobody),
        ("aud, auditor", &aud, nobody),
        ("stu, store", &stu, nobody),
        ("pru, performance", &pru, nobody),
        ("asha, senior of another organisation", &asha, nobody),
    ];
    let commissioned = ("ben, commissioned", ben.as_str(), [200, 404, 404, 403, 200, 200]);
    let assigned = ("sue, assigned", sue.as_str(), [200, 404, 200, 403, 404, 404]);
    holds(world, "before the release", &[of_the_case, senior, commissioned, assigned], &paths, &unknown).await;
    holds(world, "before the release", &strangers, &paths, &unknown).await;

    let (now, consent) = (heads(&visit.tablet, visit.home).await, "She said yes".to_owned());
    let release = Request::Release { document: visit.home, heads: now, consent };
    assert_eq!(ask(world, &visit.token, case, release).await, Ok(()));
    world.say(&["case", "end", "R-1", "ben", "commissioned"], "").done();
    let ended = ("ben, whose commission ended", ben.as_str(), nobody);
    let assigned = ("sue, assigned", sue.as_str(), [200, 404, 200, 403, 200, 404]);
    holds(world, "after the release", &[of_the_case, senior, ended, assigned], &paths, &unknown).await;
    holds(world, "after the release", &strangers, &paths, &unknown).await;

    let recall = Request::Recall { document, number: 1, reason: "Measured wrong".to_owned() };
    assert_eq!(ask(world, &grace, case, recall).await, Ok(()));
    let assigned = ("sue, assigned", sue.as_str(), [200, 404, 404, 403, 200, 404]);
    holds(world, "after the recall", &[of_the_case, senior, assigned], &paths, &unknown).await;
    world.say(&["case", "end", "R-1", "sue", "assigned"], "").done();
    holds(world, "after her assignment", &[("sue, no more assigned", &sue, nobody)], &paths, &unknown).await;
    for path in &paths {
        assert_eq!(fetch(world, "", path).await.0, 401, "nobody without signing in: {path}");
    }
}

#[tokio::test]
async fn a_surveyor_is_told_nothing_of_the_client_that_is_not_needed_to_build() {
    let visit = Visit::by("olu", Role::Ot).await;
    let file = visit.world.path("more.csv");
    let row = "R-1,Doris Example,\"1 Sample Street, Exampleton\",dog in the kitchen,1948-03-09,9434765919";
    std::fs::write(&file, format!("reference,name,address,visitor_risk,born,nhs_number\n{row}\n")).unwrap();
    visit.world.say(&["case", "import", file.to_str().unwrap()], "").done();
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let mut tablet = visit.world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    let path = format!("/v1/cases/{}", visit.case);
    let at_the_api = String::from_utf8(fetch(&visit.world, &sue, &path).await.1).unwrap();
    for needed in ["Doris Example", "1 Sample Street", "dog in the kitchen"] {
        assert!(ear.heard(needed) && at_the_api.contains(needed), "{needed}");
    }
    for never in ["1948-03-09", "9434765919"] {
        assert!(!ear.heard(never) && !at_the_api.contains(never), "{never}");
        let (_, whole) = fetch(&visit.world, &visit.token, &path).await;
        assert!(String::from_utf8(whole).unwrap().contains(never), "the OT has it: {never}");
    }
}

#[tokio::test]
async fn nothing_unsigned_comes_to_a_surveyors_tablet_and_what_was_signed_reads_the_same_for_ever() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let mut tablet = visit.world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    let device = &visit.tablet.device;
    let reasons = Value::Text("A stool was too low".to_owned());

    let document = visit.submitted_rail().await;
    device.set(document, None, field("prescription.alternatives"), reasons).await.unwrap();
    device.withdraw(document).await.unwrap();
    device.submit(document).await.unwrap();
    visit.tablet.sync().await;
    tablet.sync().await;
    let card = tablet.device.card(visit.case).await.unwrap();
    assert!(card.prescriptions.is_empty(), "{:?}", card.prescriptions);
    assert!(card.documents.iter().all(|document| document.kind == Kind::Survey), "{:?}", card.documents);
    assert!(!ear.heard(NEED), "an unsigned specification came to Housing");
    // By themselves the changes may be compressed: no document came at all.
    assert!(ear.replies().iter().all(|reply| reply.documents.is_empty()));

    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    tablet.sync().await;
    let signed_on = async |tablet: &grabrail_tests::Tablet| {
        let card = tablet.device.card(visit.case).await.unwrap();
        assert_eq!(card.prescriptions.len(), 1);
        let prescription = card.prescriptions[0].clone();
        (prescription.signed.unwrap().to_bytes(), prescription.changed_since)
    };
    let (signed, changed) = signed_on(&tablet).await;
    assert!(ear.heard(NEED) && !changed);
    let at_the_api = format!("/v1/prescriptions/{document}/versions/1");
    let evidence = fetch(&visit.world, &grace, &at_the_api).await;
    let kinds: Vec<Kind> = tablet.device.documents(visit.case).await.unwrap().iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [Kind::Thread], "with the signed version comes its thread, and no document else");

    let later = "To stand up from the toilet with a helper";
    device.set(document, None, field("prescription.need"), Value::Text(later.to_owned())).await.unwrap();
    device.write_text(document, SharedText::Reasoning, "She fell again".to_owned()).await.unwrap();
    visit.tablet.sync().await;
    let before = ear.replies().len();
    tablet.sync().await;
    assert!(ear.replies().len() > before);
    assert_eq!(signed_on(&tablet).await, (signed.clone(), true), "the same bytes, changed since");
    device.submit(document).await.unwrap();
    visit.tablet.sync().await;
    tablet.sync().await;
    assert_eq!(signed_on(&tablet).await, (signed.clone(), true), "a submission is no signed version");
    let tablet = tablet.restarted().await;
    assert_eq!(signed_on(&tablet).await, (signed, true));
    assert_eq!(fetch(&visit.world, &grace, &at_the_api).await, evidence, "nor does the evidence change");
    for words in [REASONING, "A stool was too low", later, "She fell again"] {
        assert!(!ear.heard(words), "{words} came to Housing");
    }
}

#[tokio::test]
async fn a_later_reading_or_clash_behind_a_signed_height_shows_as_changed_and_nothing_else_changes() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let document = visit.submitted_rail().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let mut tablet = visit.world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    let signed = tablet.device.card(visit.case).await.unwrap().prescriptions[0].clone();
    assert!(!signed.changed_since);
    seat(&visit.tablet, visit.home, 487, Method::Tape, Vec::new()).await;
    visit.tablet.sync().await;
    tablet.sync().await;
    let now = tablet.device.card(visit.case).await.unwrap().prescriptions[0].clone();
    assert!(now.changed_since);
    assert_eq!((now.signed, now.standing), (signed.signed, signed.standing));
    assert!(ear.replies().iter().flat_map(|reply| &reply.cards).all(|card| card.home.is_none()), "nothing is released");
    let (_, card) = get(&visit.world, &visit.token, &format!("/v1/cases/{}", visit.case)).await;
    assert_eq!(card["prescriptions"][0]["changed_since"], true, "{card}");
}

#[tokio::test]
async fn the_servers_log_names_no_client_no_one_who_signs_in_and_nothing_they_wrote() {
    let visit = Visit::by("olu.prescriber", Role::Ot).await;
    let world = &visit.world;
    let file = world.path("more.csv");
    let row = "R-1,Doris Example,\"1 Sample Street, Exampleton\",07700 900123,dog in the kitchen,1948-03-09,9434765919";
    std::fs::write(&file, format!("reference,name,address,contact,visitor_risk,born,nhs_number\n{row}\n")).unwrap();
    world.say(&["case", "import", file.to_str().unwrap()], "").done();
    let grace = visit.joined_by("grace.signer", Role::SeniorOt).await;
    let sue = visit.joined_by("sue.surveyor", Role::Surveyor).await;
    visit.case_is("assign", "sue.surveyor");
    let (shows, hash) = photo(&visit.tablet, visit.home, 40, true).await;
    let key = seat(&visit.tablet, visit.home, 430, Method::Tape, vec![shows]).await;
    let observed = NoteInput::new(Section::Observation, "Tires by noon");
    visit.tablet.device.note(visit.clinical, observed).await.unwrap();
    let document = visit.rail(vec![Cite { document: visit.home, key }]).await;
    visit.tablet.device.submit(document).await.unwrap();
    visit.tablet.sync().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    world.tablet("sue.surveyor").await.sync().await;
    let photo = format!("/v1/photos/{}/{}/{hash}", visit.case, visit.home);
    assert_eq!(fetch(world, &sue, &photo).await.0, 200, "it shows a reading that is signed");
    // Things that go wrong too: a wrong password, bad JSON, a path that nobody has, work that came too late.
    let post = async |path: &str, token: &str, body: &str| {
        let url = format!("{}{path}", world.server.url());
        let posting = world.server.http().post(url).bearer_auth(token).header("content-type", "application/json");
        posting.body(body.to_owned()).send().await.unwrap().status().as_u16()
    };
    let wrong = r#"{"sign_in":"grace.signer","password":"wrong words for Doris Example"}"#;
    assert_eq!(post("/v1/sessions", "", wrong).await, 401);
    assert_eq!(post("/v1/asks", &grace, r#"{"ask":"Doris Example","id":"Tires by noon"}"#).await, 422);
    assert_eq!(get(world, &sue, "/v1/cases/Doris%20Example?name=Doris+Example").await.0, 404);
    visit.tablet.device.start_visit("Vera Example", "2 Sample Street", None).await.unwrap();
    world.say(&["case", "end", "R-1", "olu.prescriber", "allocated"], "").done();
    let late = sync_core::device::MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: sync_core::domain::vocabulary::Measure::named("door-clear-width").unwrap(),
        value: 712,
        method: Method::Tape,
        photos: Vec::new(),
        supersedes: Replace::Mine,
    };
    visit.tablet.device.measure(visit.home, late).await.unwrap();
    let report = visit.tablet.sync().await;
    assert_eq!(report.refused, [visit.home], "{report:?}");

    let log = world.server.log();
    assert!(log.contains("/v1/photos/{case}/{document}/{hash}") && log.contains("/v1/sync"), "it does log: {log}");
    let lower = log.to_lowercase();
    for never in [
        "Doris",
        "Vera",
        "Sample Street",
        "Exampleton",
        "07700",
        "dog in the kitchen",
        "1948-03-09",
        "9434765919",
        "yellow bathroom",
        "Tires by noon",
        REASONING,
        NEED,
        grabrail_tests::PASSWORD,
        grabrail_tests::PASSPHRASE,
        "wrong words",
        "olu.prescriber",
        "grace.signer",
        "sue.surveyor",
        "of the story",
        grace.as_str(),
        visit.token.as_str(),
    ] {
        assert!(!lower.contains(&never.to_lowercase()), "the log holds {never:?}:\n{log}");
    }
}

#[tokio::test]
async fn a_photo_of_the_clinical_document_stays_from_housing_though_a_signed_prescription_cites_it() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let (key, hash) = photo(&visit.tablet, visit.clinical, 50, false).await;
    let seat = visit.seat(430, Method::Tape).await;
    let document = visit.rail(vec![seat]).await;
    let cites = Value::Cites(vec![Cite { document: visit.clinical, key }]);
    visit.tablet.device.set(document, None, field("prescription.photos"), cites).await.unwrap();
    visit.tablet.sync().await;
    // Refused here would be as good.
    if visit.submit_at_the_api(document).await.is_ok() {
        assert_eq!(visit.sign(&grace, document).await, Ok(()));
    }
    let mut tablet = visit.world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    assert!(!ear.heard("Her yellow bathroom"), "the caption of a clinical photo came to Housing");
    let path = format!("/v1/photos/{}/{}/{hash}", visit.case, visit.clinical);
    assert_eq!(fetch(&visit.world, &sue, &path).await.0, 404, "a clinical photo was given to Housing");
}

/// Invariant 5: what was shown and is shown no more stays on no device.
#[tokio::test]
async fn a_photo_leaves_the_surveyors_tablet_when_it_is_struck_or_what_cites_it_is_recalled() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let (door, of_door) = photo(&visit.tablet, visit.home, 50, true).await;
    let (toilet, of_toilet) = photo(&visit.tablet, visit.home, 60, true).await;
    let key = seat(&visit.tablet, visit.home, 430, Method::Tape, vec![toilet]).await;
    let document = visit.rail(vec![Cite { document: visit.home, key }]).await;
    visit.tablet.device.submit(document).await.unwrap();
    visit.tablet.sync().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let tablet = visit.world.tablet("sue").await;
    tablet.sync().await;
    let given = async |hash| tablet.device.photo_bytes(Some(&tablet.link), visit.home, hash).await.is_ok();
    let kept = async || tablet.device.photos(visit.home).await.unwrap().len();
    assert_eq!(
        (given(of_toilet).await, given(of_door).await),
        (true, false),
        "what is signed, before the home is released"
    );

    visit.tablet.device.release(visit.home, "She agreed on the visit").await.unwrap();
    visit.tablet.sync().await;
    tablet.sync().await;
    assert!(given(of_door).await);
    assert_eq!(kept().await, 2);
    visit.tablet.device.strike(visit.home, door, "Her face is in the mirror".to_owned()).await.unwrap();
    visit.tablet.sync().await;
    tablet.sync().await;
    assert_eq!((given(of_door).await, kept().await), (false, 1));

    visit.tablet.device.strike(visit.home, toilet, "And here".to_owned()).await.unwrap();
    visit.tablet.sync().await;
    tablet.sync().await;
    assert_eq!((given(of_toilet).await, kept().await), (true, 1), "what was signed reads the same for ever");
    let recall = Request::Recall { document, number: 1, reason: "Wrong wall".to_owned() };
    assert_eq!(ask(&visit.world, &grace, visit.case, recall).await, Ok(()));
    tablet.sync().await;
    assert_eq!((given(of_toilet).await, kept().await), (false, 0));
}

#[tokio::test]
async fn a_risk_recorded_in_the_home_reaches_the_surveyor_if_whoever_recorded_it_says_so() {
    let visit = Visit::by("olu", Role::Ot).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let device = &visit.tablet.device;
    let words = |words: &[&str]| Value::Choices(words.iter().map(|word| (*word).to_owned()).collect());
    for (detail, shared_with) in [("Dog in the kitchen", words(&["housing"])), ("Her brother hits", words(&["store"]))]
    {
        let risk = device.item(visit.home, ItemKind::VisitorRisk).await.unwrap();
        let detail = Value::Text(detail.to_owned());
        device.set(visit.home, Some(risk), field("visitor-risk.detail"), detail).await.unwrap();
        device.set(visit.home, Some(risk), field("visitor-risk.shared-with"), shared_with).await.unwrap();
    }
    let parking = Value::Text("Behind the house".to_owned());
    device.set(visit.home, None, field("access.parking"), parking).await.unwrap();
    device.release(visit.home, "She agreed").await.unwrap();
    visit.tablet.sync().await;
    let mut tablet = visit.world.tablet("sue").await;
    let ear = Ear::to(&mut tablet, true);
    tablet.sync().await;
    assert!(ear.heard("Dog in the kitchen") && ear.heard("Behind the house") && !ear.heard("Her brother hits"));
}

#[tokio::test]
async fn a_colleague_of_the_team_or_on_duty_reaches_the_case_carries_it_when_chosen_and_loses_it_at_the_end() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, path) = (&visit.world, format!("/v1/cases/{}", visit.case));
    let bo = visit.joined_by("bo", Role::Ot).await;
    visit.joined_by("sue", Role::Surveyor).await;
    let tablet = world.tablet("bo").await;
    for tie in ["team", "duty"] {
        assert_eq!(get(world, &bo, &path).await.0, 404);
        world.say(&["case", "tie", "R-1", "bo", tie], "").done();
        assert_eq!(get(world, &bo, &path).await.1["relations"], serde_json::json!([tie]));
        assert_eq!(tablet.sync().await.cards, 0, "reading is no copy");
        tablet.device.carry(visit.case).await.unwrap();
        assert_eq!(tablet.sync().await.cards, 1);
        seat(&tablet, visit.home, 430, Method::Tape, Vec::new()).await;
        assert_eq!(tablet.sync().await.receipted, 1);
        world.say(&["case", "end", "R-1", "bo", tie], "").done();
        assert_eq!(tablet.sync().await.purged, [visit.case]);
    }
    for (who, tie, code) in [("sue", "team", 1), ("bo", "break_glass", 2), ("nobody", "duty", 1)] {
        let said = world.say(&["case", "tie", "R-1", who, tie], "");
        assert_eq!(said.code, Some(code), "{who} {tie}: {}{}", said.out, said.err);
    }
}
