//! What is signed, and by whom: exactly what was looked at, by people who are on the register.

use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::domain::record::{SharedText, Value};
use sync_core::domain::signoff::Anchored;
use sync_core::domain::vocabulary::Method;
use sync_core::protocol::Request;
use sync_core::protocol::ask::AskRefusal;

use crate::office::{REASONING, Visit, ask, basis, field, get, heads, rail, state};

/// Invariant 3: the same heads over other readings are not what the signer looked at.
#[tokio::test]
async fn a_signer_signs_what_they_looked_at_and_not_a_reading_that_came_since_and_agrees() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let document = visit.submitted_rail().await;
    let looked_at = basis(&visit.world, &grace, document).await;
    assert!(looked_at.is_some());
    visit.seat(432, Method::Tape).await;
    visit.tablet.sync().await;
    let heads = heads(&visit.tablet, document).await;
    let sign = async |basis| {
        let (grounds, conditions) = ("Necessary".to_owned(), Vec::new());
        let request = Request::SignOff { document, heads: heads.clone(), grounds, conditions, basis };
        ask(&visit.world, &grace, visit.case, request).await
    };
    assert_eq!(sign(looked_at).await, Err(AskRefusal::HeadsMoved));
    assert!(matches!(sign(None).await, Err(AskRefusal::Particulars { field, .. }) if field == "basis"));
    assert_eq!(state(&visit.world, &grace, document).await, "submitted");
    assert_eq!(sign(basis(&visit.world, &grace, document).await).await, Ok(()), "she looked again");
}

#[tokio::test]
async fn nobody_prescribes_or_signs_as_an_occupational_therapist_without_a_registration() {
    let visit = Visit::by("olu", Role::Ot).await;
    let unregistered = |sign_in: &str, role: &str| {
        let account = ["account", "add", sign_in, "--name", "Peg Unwin", "--role", role];
        visit.world.say(&account, grabrail_tests::PASSWORD).done();
    };
    unregistered("peg", "senior_ot");
    unregistered("bo", "ot");
    let peg = visit.world.server.signed_in("peg").await;
    let document = visit.submitted_rail().await;
    let said = visit.sign(&peg, document).await;
    assert_eq!(said, Err(AskRefusal::Unregistered { name: "Peg Unwin".to_owned() }));
    assert_eq!(state(&visit.world, &peg, document).await, "submitted");

    visit.case_is("allocate", "bo");
    let bo = visit.world.tablet("bo").await;
    bo.sync().await;
    let cite = visit.seat(431, Method::Laser).await;
    visit.tablet.sync().await;
    bo.sync().await;
    let bos = rail(&bo, visit.case, vec![cite], 135).await;
    bo.device.submit(bos).await.unwrap();
    assert_eq!(bo.sync().await.denied, 1);
    assert_eq!(state(&visit.world, &peg, bos).await, "draft");

    // A number that nobody looked up proves nothing.
    visit.world.say(&["account", "hcpc", "bo", "OT4711"], "").done();
    visit.world.say(&["account", "hcpc", "peg", "OT4712"], "").done();
    assert_eq!(visit.world.say(&["account", "hcpc", "peg", "4712"], "").code, Some(2), "not a number of theirs");
    let unchecked = AskRefusal::RegistrationUnchecked { name: Some("Peg Unwin".to_owned()), days: Some(30) };
    assert_eq!(visit.sign(&peg, document).await, Err(unchecked));
    bo.device.submit(bos).await.unwrap();
    assert_eq!(bo.sync().await.denied, 1);

    let looked_up = |sign_in, number, says| {
        let look = ["account", "hcpc", sign_in, number, "--register", says, "--by", "grace"];
        visit.world.say(&look, "").done();
    };
    let _grace = visit.joined_by("grace", Role::SeniorOt).await;
    looked_up("peg", "OT4712", "suspended");
    let suspended = AskRefusal::NotOnRegister { name: "Peg Unwin".to_owned(), says: "suspended".to_owned() };
    assert_eq!(visit.sign(&peg, document).await, Err(suspended));
    assert_eq!(state(&visit.world, &peg, document).await, "submitted", "nothing changed");

    looked_up("peg", "OT4712", "registered");
    // Conditions of practice are for the signer to weigh.
    looked_up("bo", "OT4711", "conditions");
    let listed = visit.world.say(&["account", "registrations"], "").done();
    let line = |sign_in| listed.lines().find(|line| line.starts_with(sign_in)).unwrap();
    assert!(line("bo").contains("OT4711  conditions, looked up at ") && line("bo").contains(" by grace, good until "));
    assert!(line("olu").contains(" by the command line, good until "), "{listed}");
    bo.device.submit(bos).await.unwrap();
    assert_eq!(bo.sync().await.granted, 1);
    assert_eq!(visit.sign(&peg, document).await, Ok(()));
}

/// H18: a signer who looks again is told every word that is different, and a second look loses nothing of that.
#[tokio::test]
async fn a_signer_who_looks_again_sees_what_is_different_field_by_field_and_word_by_word() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let document = visit.submitted_rail().await;
    let since = async |token: &str| {
        let (status, shown) = get(&visit.world, token, &format!("/v1/prescriptions/{document}")).await;
        assert_eq!(status, 200, "{shown}");
        shown["since"].clone()
    };
    assert_eq!(since(&grace).await, Json::Null, "she has not looked before");
    assert_eq!(since(&grace).await, Json::Null, "nothing is different");
    let reason =
        |item, name: Option<&str>, text: &str| Anchored { item, field: name.map(field), text: text.to_owned() };
    let returned = async |reasons| {
        let heads = heads(&visit.tablet, document).await;
        ask(&visit.world, &grace, visit.case, Request::Return { document, heads, reasons }).await
    };
    let no_anchor = |answer| match answer {
        Err(AskRefusal::Particulars { field, why }) if field == "reasons" => why,
        other => panic!("{other:?}"),
    };
    let unknown = Some(sync_core::id::Key { device: 99, counter: 99 });
    assert!(no_anchor(returned(vec![reason(unknown, None, "Which rail?")]).await).contains("no item 99.99"));
    assert!(no_anchor(returned(vec![reason(None, Some("stairlift.track"), "Curved?")]).await).contains("no field"));
    assert!(no_anchor(returned(Vec::new()).await).contains("1 to 50"), "a return without a reason");
    assert_eq!(state(&visit.world, &grace, document).await, "submitted", "nothing changed");
    let often = reason(None, None, "How often did she fall?");
    let cost = reason(None, Some("prescription.cost"), "What may it cost?");
    assert_eq!(returned(vec![often, cost]).await, Ok(()));
    visit.tablet.sync().await;
    // What to mend is on the author's tablet, offline, and what was mended says so.
    let to_do = async || {
        let to_do = visit.tablet.device.to_do(visit.case).await.unwrap();
        to_do.into_iter().map(|one| (one.text, one.answered)).collect::<Vec<_>>()
    };
    let told =
        |often, cost| vec![("How often did she fall?".to_owned(), often), ("What may it cost?".to_owned(), cost)];
    assert_eq!(to_do().await, told(false, false));
    let device = &visit.tablet.device;
    device.write_text(document, SharedText::Reasoning, format!("{REASONING}, and once since")).await.unwrap();
    assert_eq!(to_do().await, told(true, false));
    device.set(document, None, field("prescription.cost"), Value::Number(18_000)).await.unwrap();
    assert_eq!(to_do().await, told(true, true));
    device.submit(document).await.unwrap();
    visit.tablet.sync().await;
    assert_eq!(to_do().await, [], "it waits for her again");

    let told = since(&grace).await;
    assert_eq!(since(&grace).await, told, "as often as she looks at this version");
    assert_eq!(since(&visit.token).await, Json::Null, "its author is no signer");
    let changes = told["changes"].as_array().unwrap();
    let of = |path: &str| changes.iter().find(|change| change["path"] == path).unwrap();
    assert_eq!(changes.len(), 2, "{told}");
    let cost = of("specification/prescription.cost");
    assert_eq!((&cost["before"], &cost["after"]), (&Json::Null, &json!({ "value": { "number": 18_000 } })));
    let words = of("justification/reasoning")["words"].as_array().unwrap();
    assert!(
        words.iter().any(|words| words["added"].as_str().is_some_and(|added| added.contains("once since"))),
        "{told}"
    );
    assert!(words.iter().all(|words| words["removed"].as_str().is_none_or(|gone| gone == "October")), "{told}");
}
