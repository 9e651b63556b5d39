//! Those who stand in for others: who takes over from an author who left, and who breaks the glass.

use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::Value;
use sync_core::id::DocumentId;
use sync_core::protocol::Request;
use sync_core::protocol::ask::AskRefusal;

use crate::office::{Visit, ask, fetch, field, get, state};

/// Asks to take it over.
async fn take_over(visit: &Visit, token: &str, document: DocumentId) -> Result<(), AskRefusal> {
    let reason = "Olu has left the team".to_owned();
    ask(&visit.world, token, visit.case, Request::TakeOver { document, reason }).await
}

async fn break_glass(visit: &Visit, token: &str) -> Result<(), AskRefusal> {
    let reason = "He fell, and nobody of the team answers".to_owned();
    ask(&visit.world, token, visit.case, Request::BreakGlass { reason }).await
}

/// What supervisors are told of.
async fn told(visit: &Visit, token: &str) -> Vec<Json> {
    let (status, told) = get(&visit.world, token, "/v1/asks").await;
    assert_eq!(status, 200, "{told}");
    told.as_array().unwrap().clone()
}

/// The prescriptions that somebody may take over, as their card says.
async fn orphaned(visit: &Visit, token: &str) -> Json {
    get(&visit.world, token, &format!("/v1/cases/{}", visit.case)).await.1["orphaned"].clone()
}

/// H11: a leaver is one command, and what they submitted is not lost: a colleague goes on with it, and somebody else
/// signs.
#[tokio::test]
async fn whoever_takes_over_from_an_author_who_left_goes_on_with_the_prescription_and_does_not_sign_it() {
    let visit = Visit::by("olu", Role::Ot).await;
    let (world, document) = (&visit.world, visit.submitted_rail().await);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let petra = visit.joined_by("petra", Role::PrincipalOt).await;
    let ana = visit.joined_by("ana", Role::Ot).await;
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    assert_eq!(take_over(&visit, &ana, document).await, Err(AskRefusal::Unknown), "nothing ties her to it");
    visit.case_is("allocate", "ana");
    visit.commissioned("ben");
    let still_there = |answer| match answer {
        Err(AskRefusal::Particulars { field, why }) => {
            assert!(field == "document" && why.contains("still on"), "{why}")
        }
        other => panic!("{other:?}"),
    };
    still_there(take_over(&visit, &ana, document).await);
    assert_eq!(orphaned(&visit, &ana).await, Json::Null);

    world.say(&["account", "disable", "olu"], "").done();
    assert_eq!(orphaned(&visit, &ana).await, json!([document]));
    assert_eq!(orphaned(&visit, &ben).await, Json::Null);
    assert_eq!(take_over(&visit, &ben, document).await, Err(AskRefusal::Unknown), "a private OT takes nothing over");
    assert!(matches!(
        ask(world, &ana, visit.case, Request::TakeOver { document, reason: " ".to_owned() }).await,
        Err(AskRefusal::Particulars { field, .. }) if field == "reason"
    ));
    assert_eq!(take_over(&visit, &ana, document).await, Ok(()));
    assert!(matches!(take_over(&visit, &ana, document).await, Err(AskRefusal::Particulars { .. })), "twice");
    assert_eq!(orphaned(&visit, &ana).await, Json::Null);
    let line = &told(&visit, &grace).await[0];
    assert_eq!((&line["request"], &line["refused"]), (&json!("take_over"), &Json::Null));
    assert_eq!((&line["name"], &line["reason"]), (&json!("ana of the story"), &json!("Olu has left the team")));
    assert_eq!(get(world, &ana, "/v1/asks").await.0, 403);

    // Nobody asks the register after somebody who left, once a colleague answers for their work.
    world.say(&["account", "hcpc", "olu", "OT12345", "--register", "not_found"], "").done();
    let tablet = world.tablet("ana").await;
    tablet.sync().await;
    tablet.device.withdraw(document).await.unwrap();
    let need = Value::Text("To stand up, and to sit down again".to_owned());
    tablet.device.set(document, None, field("prescription.need"), need).await.unwrap();
    tablet.device.submit(document).await.unwrap();
    assert_eq!(tablet.sync().await.granted, 2);
    assert_eq!(state(world, &grace, document).await, "submitted");

    // Four eyes: whoever took it over, word or no word of theirs in it, does not sign it.
    world.say(&["account", "change", "ana", "--role", "senior_ot"], "").done();
    let sign = async |token: &str| {
        let (_, shown) = get(world, token, &format!("/v1/prescriptions/{document}")).await;
        let heads = serde_json::from_value(shown["heads"].clone()).unwrap();
        let basis = shown["basis"].as_str().map(|basis| basis.parse().unwrap());
        let (grounds, conditions) = ("Necessary and appropriate".to_owned(), Vec::new());
        ask(world, token, visit.case, Request::SignOff { document, heads, grounds, conditions, basis }).await
    };
    assert_eq!(sign(&ana).await, Err(AskRefusal::OwnWork));
    assert_eq!(sign(&petra).await, Ok(()));
}

/// H11, H13: an emergency opens a case to the council's own OTs, for a while, and a supervisor is told why.
#[tokio::test]
async fn whoever_breaks_the_glass_says_why_reaches_the_case_and_supervisors_are_told() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let ana = visit.joined_by("ana", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let asha = visit.joined_from_outside("asha", Role::Ot).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    let ida = visit.joined_by("ida", Role::Administrator).await;
    let path = format!("/v1/cases/{}", visit.case);
    assert_eq!(get(world, &ana, &path).await.0, 404);

    // Those who may find it by its reference; to others there is no such reference.
    let unknown = fetch(world, &ana, "/v1/references/R-9").await;
    let (status, found) = get(world, &ana, "/v1/references/R-1").await;
    assert_eq!((status, found), (200, json!({ "case": visit.case })));
    for stranger in [&asha, &sue, &ida] {
        let theirs = fetch(world, stranger, "/v1/references/R-1").await;
        assert_eq!((theirs.0, unknown.0), (404, 404));
        assert_eq!(break_glass(&visit, stranger).await, Err(AskRefusal::Unknown));
    }
    assert_eq!(told(&visit, &grace).await.len(), 0, "what is not here for them leaves no trace");

    let empty = Request::BreakGlass { reason: String::new() };
    assert!(matches!(ask(world, &ana, visit.case, empty).await, Err(AskRefusal::Particulars { .. })));
    assert_eq!(get(world, &ana, &path).await.0, 404);
    assert_eq!(break_glass(&visit, &ana).await, Ok(()));
    let (status, card) = get(world, &ana, &path).await;
    assert_eq!((status, &card["relations"]), (200, &json!(["break_glass"])));
    assert!(card["ends"].is_string(), "{card}");
    let line = &told(&visit, &grace).await[0];
    assert_eq!((&line["request"], &line["name"]), (&json!("break_glass"), &json!("ana of the story")));
    assert_eq!(line["reason"], "He fell, and nobody of the team answers");
    let log = world.say(&["audit", "list", "--account", "ana", "--case", "R-1"], "").done();
    assert!(log.contains("denied") && log.contains(r#""relation":"break_glass""#) && !log.contains("fell"), "{log}");

    let tablet = world.tablet("ana").await;
    tablet.sync().await;
    tablet.document(Kind::Clinical).await;
    assert!(
        matches!(break_glass(&visit, &visit.token).await, Err(AskRefusal::Particulars { field, .. }) if field == "case")
    );
    // Over before its time.
    world.say(&["case", "end", "R-1", "ana", "break_glass"], "").done();
    tablet.sync().await;
    assert_eq!(tablet.device.cases().await.unwrap().len(), 0);
}
