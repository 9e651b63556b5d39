//! Who may sign what, and how many have to: the council's delegation, and a prescription that takes two supervisors.

use std::path::Path;

use grabrail_tests::{Tablet, World};
use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::domain::record::Value;
use sync_core::domain::vocabulary::Method;
use sync_core::id::{AskId, DocumentId};
use sync_core::protocol::Request;
use sync_core::protocol::ask::AskRefusal;

use crate::office::{Ear, NEED, Visit, ask, basis, fetch, field, get, heads, post_ask, state, waits};

/// Submits a rail of this visit for a grant.
async fn submitted_grant(visit: &Visit) -> DocumentId {
    let cite = visit.seat(430, Method::Tape).await;
    let document = visit.rail(vec![cite]).await;
    let route = Value::Choice("dfg".to_owned());
    visit.tablet.device.set(document, None, field("prescription.route"), route).await.unwrap();
    submit(visit, document).await;
    document
}

async fn submit(visit: &Visit, document: DocumentId) {
    visit.tablet.device.submit(document).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
    assert_eq!(state(&visit.world, &visit.token, document).await, "submitted");
}

async fn withdraw(visit: &Visit, document: DocumentId) {
    visit.tablet.device.withdraw(document).await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
}

/// What a signer asks who looked at it as it stands.
async fn signature(visit: &Visit, token: &str, document: DocumentId, grounds: &str, condition: &str) -> Request {
    Request::SignOff {
        document,
        heads: heads(&visit.tablet, document).await,
        grounds: grounds.to_owned(),
        conditions: vec![condition.to_owned()],
        basis: basis(&visit.world, token, document).await,
    }
}

/// Its line in the queue.
async fn line(visit: &Visit, token: &str, document: DocumentId) -> Json {
    let (status, queue) = get(&visit.world, token, "/v1/prescriptions").await;
    assert_eq!(status, 200, "{queue}");
    let lines = queue.as_array().unwrap();
    lines.iter().find(|line| line["document"] == json!(document)).unwrap_or_else(|| panic!("{queue}")).clone()
}

/// The names of those who have signed it so far, which its line in the queue and the prescription itself tell alike.
async fn signed_by(visit: &Visit, token: &str, document: DocumentId) -> Vec<String> {
    let line = line(visit, token, document).await;
    let names = |list: &Json| list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let in_queue: Vec<String> = names(&line["signed_by"]);
    let (_, shown) = get(&visit.world, token, &format!("/v1/prescriptions/{document}")).await;
    let told: Vec<&Json> = shown["signed_by"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(json!(told), json!(in_queue));
    assert_eq!(shown["needs"], line["needs"]);
    in_queue
}

/// Housing learns nothing of it: not on its tablet, not at the API.
async fn housing_sees_nothing(visit: &Visit, sue: &str, tablet: &mut Tablet, document: DocumentId) {
    let ear = Ear::to(tablet, true);
    tablet.sync().await;
    assert!(!ear.heard(NEED));
    for card in tablet.device.cases().await.unwrap() {
        assert!(tablet.device.card(card.case).await.unwrap().prescriptions.is_empty());
    }
    assert_eq!(fetch(&visit.world, sue, &format!("/v1/prescriptions/{document}")).await.0, 404);
    assert_eq!(fetch(&visit.world, sue, &format!("/v1/prescriptions/{document}/versions/1")).await.0, 404);
}

/// Invariants 3 and 4, of two signers.
#[tokio::test]
async fn an_assistants_prescription_for_a_grant_takes_two_supervisors_and_housing_sees_it_with_the_second() {
    let visit = Visit::by("asha", Role::OtAssistant).await;
    let (world, case) = (&visit.world, visit.case);
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pia = visit.joined_by("pia", Role::PrincipalOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let mut tablet = world.tablet("sue").await;
    let document = submitted_grant(&visit).await;
    let waiting = line(&visit, &grace, document).await;
    assert_eq!(waiting["needs"]["signatures"], 2, "{waiting}");
    assert_eq!(waiting["needs"]["signers"], json!(["senior_ot", "principal_ot"]));
    assert!(waiting["needs"]["because"].to_string().contains("takes two supervisors"), "{waiting}");

    let first = signature(&visit, &grace, document, "She fell twice", "Not before the scan").await;
    let id = AskId::mint(&mut SystemChance);
    for _ in 0..2 {
        // Asked again, as after a lost answer, it is the same signature.
        let (status, answer) = post_ask(world, &grace, id, case, &first).await;
        assert_eq!((status, &answer["answer"]), (200, &json!("granted")), "{answer}");
    }
    assert_eq!(state(world, &grace, document).await, "submitted");
    assert!(waits(world, &pia, document).await);
    assert_eq!(signed_by(&visit, &pia, document).await, ["grace of the story"]);
    let (_, shown) = get(world, &pia, &format!("/v1/prescriptions/{document}")).await;
    assert_eq!(shown["signed_by"][0]["grounds"], "She fell twice", "{shown}");
    assert_eq!(shown["signed_by"][0]["conditions"], json!(["Not before the scan"]));
    housing_sees_nothing(&visit, &sue, &mut tablet, document).await;

    assert_eq!(ask(world, &grace, case, first).await, Err(AskRefusal::AlreadySigned));
    assert_eq!(visit.sign(&visit.token, document).await, Err(AskRefusal::NotAllowed), "she wrote it");
    assert_eq!(state(world, &grace, document).await, "submitted", "nothing changed");
    let (status, _) = fetch(world, &grace, &format!("/v1/prescriptions/{document}/versions/1")).await;
    assert_eq!(status, 404, "one signature makes no signed version");

    let second = signature(&visit, &pia, document, "I agree with Grace", "Site meeting").await;
    assert_eq!(ask(world, &pia, case, second).await, Ok(()));
    assert_eq!(state(world, &visit.token, document).await, "signed_off");
    assert!(!waits(world, &pia, document).await);

    let path = format!("/v1/prescriptions/{document}/versions/1");
    let (_, whole) = get(world, &grace, &path).await;
    let header = &whole["signed"]["header"];
    assert_eq!(header["signer"]["name"], "pia of the story", "{header}");
    assert_eq!(header["conditions"], json!(["Site meeting"]));
    let [co_signer] = &header["co_signers"].as_array().unwrap()[..] else { panic!("{header}") };
    assert_eq!(co_signer["signatory"]["name"], "grace of the story", "{header}");
    assert!(co_signer["signatory"]["hcpc_checked"].is_string() && header["signer"]["hcpc_checked"].is_string());
    assert_eq!(co_signer["conditions"], json!(["Not before the scan"]));
    let fields = whole["signed"]["fields"].as_array().unwrap();
    let says = |path: &str| fields.iter().find(|field| field["path"] == path).map(|field| field["content"].clone());
    assert_eq!(says("justification/grounds"), Some(json!({ "text": "I agree with Grace" })));
    assert_eq!(says("justification/co-grounds/1"), Some(json!({ "text": "She fell twice" })));
    let (_, housings) = get(world, &sue, &path).await;
    let text = housings.to_string();
    assert!(text.contains("Not before the scan") && text.contains("Site meeting") && !text.contains("She fell twice"));

    let key = world.say(&["keys", "public"], "").done();
    let file = world.path("evidence.json");
    for pack in [&whole, &housings] {
        std::fs::write(&file, pack.to_string()).unwrap();
        let said = world.say(&["verify", file.to_str().unwrap(), "--key", &key], "").done();
        assert!(said.contains("\nsigned by grace of the story (OT12345, on the HCPC register when"), "{said}");
        assert!(said.contains("\nsigned off by pia of the story (OT12345, on the HCPC register when"), "{said}");
    }
    let mut less = whole.clone();
    less["signed"]["header"].as_object_mut().unwrap().remove("co_signers");
    std::fs::write(&file, less.to_string()).unwrap();
    let said = world.say(&["verify", file.to_str().unwrap(), "--key", &key], "");
    assert_eq!(said.code, Some(1), "a signer was left out: {}{}", said.out, said.err);

    tablet.sync().await;
    let card = tablet.device.card(case).await.unwrap();
    let signed = card.prescriptions[0].signed.as_ref().unwrap();
    assert_eq!(signed.header.signed_by(), "grace of the story and pia of the story");
}

#[tokio::test]
async fn a_first_signature_counts_for_one_submission_over_the_same_readings_and_no_longer() {
    let visit = Visit::by("asha", Role::OtAssistant).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pia = visit.joined_by("pia", Role::PrincipalOt).await;
    let document = submitted_grant(&visit).await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    // Nothing in it changes, and all the same somebody took it back.
    withdraw(&visit, document).await;
    let (_, shown) = get(world, &grace, &format!("/v1/prescriptions/{document}")).await;
    assert_eq!(shown["signed_by"], json!([]), "{shown}");
    submit(&visit, document).await;
    assert_eq!(signed_by(&visit, &grace, document).await, [] as [&str; 0]);
    assert_eq!(visit.sign(&pia, document).await, Ok(()));
    assert_eq!(state(world, &grace, document).await, "submitted", "hers is the first again");

    // A reading that agrees: not what she looked at.
    visit.seat(432, Method::Tape).await;
    visit.tablet.sync().await;
    assert_eq!(signed_by(&visit, &grace, document).await, [] as [&str; 0]);
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    assert_eq!(state(world, &grace, document).await, "submitted");
    assert_eq!(signed_by(&visit, &pia, document).await, ["grace of the story"]);
    assert_eq!(visit.sign(&grace, document).await, Err(AskRefusal::AlreadySigned));
    assert_eq!(visit.sign(&pia, document).await, Ok(()), "she looked again");
    assert_eq!(state(world, &grace, document).await, "signed_off");
    let (_, pack) = get(world, &grace, &format!("/v1/prescriptions/{document}/versions/1")).await;
    let co_signers = pack["signed"]["header"]["co_signers"].as_array().unwrap();
    assert_eq!(co_signers.len(), 1, "{co_signers:?}");
    assert_eq!(co_signers[0]["signatory"]["name"], "grace of the story");
}

#[tokio::test]
async fn of_two_who_sign_at_once_both_count_and_one_of_them_is_the_last() {
    let visit = Visit::by("asha", Role::OtAssistant).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pia = visit.joined_by("pia", Role::PrincipalOt).await;
    let document = submitted_grant(&visit).await;
    let signed = tokio::join!(visit.sign(&grace, document), visit.sign(&pia, document));
    assert_eq!(signed, (Ok(()), Ok(())));
    assert_eq!(state(&visit.world, &grace, document).await, "signed_off");
}

/// A first signer who has left the register by the time of the second signs nothing.
#[tokio::test]
async fn a_first_signer_must_be_on_the_register_still_when_the_last_one_signs() {
    let visit = Visit::by("asha", Role::OtAssistant).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pia = visit.joined_by("pia", Role::PrincipalOt).await;
    let document = submitted_grant(&visit).await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let looked_up = |says| world.say(&["account", "hcpc", "grace", "OT12345", "--register", says], "").done();
    looked_up("suspended");
    let suspended = AskRefusal::NotOnRegister { name: "grace of the story".to_owned(), says: "suspended".to_owned() };
    assert_eq!(visit.sign(&pia, document).await, Err(suspended));
    assert_eq!(state(world, &pia, document).await, "submitted");
    looked_up("registered");
    assert_eq!(visit.sign(&pia, document).await, Ok(()));
}

/// A council that has written its own rules into a file.
async fn council_with(rules: &Path) -> World {
    World::start_with(&format!("delegation = \"{}\"\n", rules.display()), None).await
}

const OWN: &str = r#"
version = 3

[[rules]]
signers = ["senior_ot", "principal_ot"]
signatures = 1
because = "supervisors sign"

[[rules]]
cost_from = 1000000
signers = ["principal_ot"]
signatures = 1
because = "from £10,000 on the principal signs"

[[rules]]
items = ["stairlift", "grab-rail"]
authors = ["senior_ot"]
signers = ["senior_ot", "principal_ot"]
signatures = 2
because = "what a senior wrote takes two others"
"#;

#[tokio::test]
async fn what_is_beyond_a_councils_own_delegation_is_refused_in_its_words_and_an_unknown_cost_is_the_highest() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, OWN).unwrap();
    let visit = Visit::in_world(council_with(&rules).await, "olu", Role::Ot).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let pia = visit.joined_by("pia", Role::PrincipalOt).await;
    let told = world.say(&["rules", "delegation"], "").done();
    assert!(told.starts_with(&format!("delegation 3, from {} (set by ", rules.display())), "{told}");
    assert!(told.contains("\nrule 2: any prescription of £10,000.00 or more, or of an unknown cost: "), "{told}");

    let document = submitted_grant(&visit).await;
    let costs = async |pence| {
        withdraw(&visit, document).await;
        let cost = Value::Number(pence);
        visit.tablet.device.set(document, None, field("prescription.cost"), cost).await.unwrap();
        submit(&visit, document).await;
    };
    let beyond = || {
        let because = vec!["from £10,000 on the principal signs".to_owned()];
        Err(AskRefusal::BeyondDelegation { signers: vec![Role::PrincipalOt], because })
    };
    assert_eq!(visit.sign(&grace, document).await, beyond(), "nobody knows what it costs");
    let asked = signature(&visit, &grace, document, "Necessary", "None").await;
    let (_, problem) = post_ask(world, &grace, AskId::mint(&mut SystemChance), visit.case, &asked).await;
    let words = problem["detail"].as_str().unwrap();
    assert!(words.contains("from £10,000 on the principal signs") && words.contains("principal_ot"), "{words}");
    costs(1_000_000).await;
    assert_eq!(visit.sign(&grace, document).await, beyond());
    let waiting = line(&visit, &grace, document).await;
    assert_eq!(waiting["needs"]["signers"], json!(["principal_ot"]), "{waiting}");
    assert_eq!(state(world, &grace, document).await, "submitted", "nothing changed");
    costs(999_999).await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let dear = submitted_grant(&visit).await;
    assert_eq!(visit.sign(&pia, dear).await, Ok(()));

    // A senior's own, which takes two others: she can be neither.
    world.account("gwen", Role::SeniorOt);
    visit.case_is("allocate", "gwen");
    let (gwens, gwen) = (world.tablet("gwen").await, world.server.signed_in("gwen").await);
    gwens.sync().await;
    let cite = visit.seat(431, Method::Laser).await;
    visit.tablet.sync().await;
    gwens.sync().await;
    let own = crate::office::rail(&gwens, visit.case, vec![cite], 135).await;
    gwens.device.set(own, None, field("prescription.cost"), Value::Number(5)).await.unwrap();
    gwens.device.submit(own).await.unwrap();
    assert_eq!(gwens.sync().await.granted, 1);
    let sign = async |token: &str| {
        let (heads, basis) = (heads(&gwens, own).await, basis(world, token, own).await);
        let (grounds, conditions) = ("Necessary".to_owned(), Vec::new());
        let request = Request::SignOff { document: own, heads, grounds, conditions, basis };
        ask(world, token, visit.case, request).await
    };
    assert_eq!(sign(&pia).await, Ok(()));
    assert_eq!(sign(&gwen).await, Err(AskRefusal::OwnWork));
    assert_eq!(state(world, &pia, own).await, "submitted");
    assert_eq!(sign(&grace).await, Ok(()));
    assert_eq!(state(world, &pia, own).await, "signed_off");
}

#[tokio::test]
async fn a_file_of_rules_with_a_fault_is_refused_at_the_start_by_the_rules_number() {
    let world = World::start().await;
    let told = world.say(&["rules", "delegation"], "").done();
    assert!(told.starts_with("delegation 1, as it comes with the program\nrule 1: any prescription: 1 sig"), "{told}");
    assert!(told.ends_with("what none fits, nobody may sign"), "{told}");
    let file = world.path("rules.toml");
    let name = file.to_str().unwrap();
    std::fs::write(&file, OWN).unwrap();
    let said = world.say(&["rules", "check", name], "").done();
    assert!(said.starts_with(&format!("delegation 3, from {name}: as it should be\nrule 1: ")), "{said}");

    std::fs::write(&file, OWN.replace("signers = [\"principal_ot\"]", "signers = [\"ot\"]")).unwrap();
    let fault = "rule 2 (\"from £10,000 on the principal signs\"): ot may not sign; those who may are: senior_ot";
    for (asked, code) in [
        (&["rules", "check", name][..], 1),
        (&["serve", "--listen", "127.0.0.1:0", "--delegation", name], 2),
        (&["account", "list", "--delegation", name], 2),
    ] {
        let said = world.say(asked, "");
        assert_eq!(said.code, Some(code), "{asked:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(fault), "{asked:?}: {}", said.err);
    }
    let said = world.say(&["rules", "delegation", "--delegation", "no/such/file.toml"], "");
    assert!(said.code == Some(2) && said.err.contains("`delegation` (from the flag --delegation)"), "{}", said.err);
}
