//! The council's IT: starting, asking, stopping.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use grabrail_tests::{PASSWORD, World};
use serde_json::{Value, json};
use sync_core::access::Role;

use crate::office::{Visit, get};
use crate::terminal::at_a_terminal;

#[tokio::test]
async fn a_server_starts_in_an_empty_folder_tells_its_api_and_stops_when_ordered() {
    let mut world = World::start().await;

    let (status, kind, body) = world.server.get("/openapi.json").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    let openapi: Value = serde_json::from_slice(&body).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1."), "{}", openapi["openapi"]);
    let paths = openapi["paths"].as_object().unwrap();
    for path in ["/healthz", "/readyz", "/v1/sessions", "/v1/devices", "/v1/sync"] {
        assert!(paths.contains_key(path), "{path} is not told of");
    }

    let (status, kind, _) = world.server.get("/v1/nothing-here").await;
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));

    assert_eq!(world.server.stop().await.code(), Some(0));
    assert!(world.server.log().contains("stopped"), "{}", world.server.log());
}

#[tokio::test]
async fn the_data_folder_is_nobody_elses() {
    let world = World::start().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.data()), 0o700);
    for entry in std::fs::read_dir(world.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn verbs_work_beside_a_running_server_and_a_password_is_never_an_argument() {
    let world = World::start().await;
    world.account("ana", Role::Administrator);
    let listed = world.say(&["account", "list"], "").done();
    assert!(listed.contains("ana") && listed.contains("administrator"), "{listed}");
    let refused = world.say(&["account", "add", "bo", "--name", "Bo", "--role", "ot", "--password", "x"], "");
    assert_eq!(refused.code, Some(2), "{}", refused.err);

    assert_eq!(signing_in(&world, "ana", PASSWORD).await, 201);
}

/// Signs in at the API: the status.
async fn signing_in(world: &World, sign_in: &str, password: &str) -> u16 {
    let request = json!({ "sign_in": sign_in, "password": password });
    let posting = world.server.http().post(format!("{}/v1/sessions", world.server.url()));
    let reply = posting.header("content-type", "application/json").body(request.to_string()).send().await.unwrap();
    reply.status().as_u16()
}

#[tokio::test]
async fn at_a_terminal_a_password_is_asked_for_twice_and_never_shown() {
    let world = World::start().await;
    let settings = world.path("grabrail.toml");
    let add = ["account", "add", "ana", "--name", "Ana", "--role", "administrator", "--config"];
    let add = [add.as_slice(), &[settings.to_str().unwrap()]].concat();
    let typed = |first, second| {
        let (code, shown) = at_a_terminal(&add, &[("New password of ana: ", first), ("Again: ", second)]);
        assert!(!shown.contains(first) && !shown.contains(second), "{shown}");
        (code, shown)
    };
    let (code, shown) = typed(PASSWORD, "four words by foot");
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("differ"), "{shown}");
    assert!(!world.say(&["account", "list"], "").done().contains("ana"), "nothing was added");
    assert_eq!(signing_in(&world, "ana", PASSWORD).await, 401);

    let (code, shown) = typed(PASSWORD, PASSWORD);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(signing_in(&world, "ana", PASSWORD).await, 201);
    assert_eq!(signing_in(&world, "ana", "four words by foot").await, 401);
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let world = World::start().await;
    let second = world.say(&["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(second.code, Some(1), "{}{}", second.out, second.err);
}

/// H12: who sees what is one table, and IT reads it in words: the whole, and for one person before one case.
#[tokio::test]
async fn the_table_of_rights_is_printed_and_explained_for_one_person_before_one_case() {
    let world = World::start().await;
    for (sign_in, role) in [("olu", Role::Ot), ("sue", Role::Surveyor), ("ida", Role::Administrator)] {
        world.account(sign_in, role);
    }
    world.case("W-1", "olu");
    world.say(&["case", "assign", "W-1", "sue"], "").done();

    let table = world.say(&["access"], "").done();
    for line in sync_core::access::TABLE {
        assert!(table.contains(line.because), "{}", line.because);
    }
    assert!(table.ends_with("what no line grants is denied"), "{table}");

    let olus = world.say(&["access", "olu", "W-1"], "").done();
    assert!(olus.contains("  allocated from "), "{olus}");
    assert!(olus.contains("  write: the OT team writes the council's own assessment"), "{olus}");
    assert!(olus.contains("they may begin a prescription document"), "{olus}");
    assert!(olus.ends_with("left out of what they are shown: nothing"), "{olus}");

    let sues = world.say(&["access", "sue", "W-1"], "").done();
    assert!(sues.contains("  read_projection: Housing sees a released home's measurements"), "{sues}");
    assert!(sues.contains("nothing: the table has no line for a surveyor so tied to it"), "the assessment: {sues}");
    assert!(sues.ends_with("shown: identifiers, justification, withdrawn, recall_reason, working"), "{sues}");
    assert!(!sues.contains("Doris") && !sues.contains("Sample Street"), "ids only: {sues}");

    let idas = world.say(&["access", "ida", "W-1"], "").done();
    assert!(idas.contains("nothing ties them to it") && idas.contains("to them there is no such case"), "{idas}");
    assert!(!idas.contains("shown:"), "{idas}");

    // What ended says so, and what it gave is gone.
    world.say(&["case", "end", "W-1", "olu", "allocated"], "").done();
    let olus = world.say(&["access", "olu", "W-1"], "").done();
    assert!(olus.contains(", not now") && !olus.contains("write:"), "{olus}");
    world.say(&["account", "disable", "sue"], "").done();
    let sues = world.say(&["access", "sue", "W-1"], "").done();
    assert!(sues.contains("the account is disabled"), "{sues}");
    assert_eq!(world.say(&["access", "olu"], "").code, Some(2), "a person without a case");
    assert_eq!(world.say(&["access", "olu", "W-9"], "").code, Some(1));
}

/// Signs another rail of this visit off: its evidence pack.
async fn signed(visit: &Visit, signer: &str) -> Value {
    let document = visit.submitted_rail().await;
    assert_eq!(visit.sign(signer, document).await, Ok(()));
    let (status, evidence) = get(&visit.world, signer, &format!("/v1/prescriptions/{document}/versions/1")).await;
    assert_eq!(status, 200, "{evidence}");
    evidence
}

/// `grabrail verify` on this pack: the exit code and what was said.
fn verified(visit: &Visit, evidence: &Value, key: &str) -> (Option<i32>, String) {
    let file = visit.world.path("evidence.json");
    std::fs::write(&file, evidence.to_string()).unwrap();
    let said = visit.world.say(&["verify", file.to_str().unwrap(), "--key", key], "");
    (said.code, said.out + &said.err)
}

#[tokio::test]
async fn what_the_old_key_signed_stays_provable_with_it_and_what_the_new_one_signs_only_with_the_new_one() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let key = || visit.world.say(&["keys", "public"], "").done();
    let (old_key, old) = (key(), signed(&visit, &grace).await);
    let told = visit.world.say(&["keys", "rotate", "signoff"], "").done();
    let (new_key, new) = (key(), signed(&visit, &grace).await);
    assert_eq!(told, new_key);
    assert_ne!(old_key, new_key);
    for (evidence, key, is_whole) in
        [(&old, &old_key, true), (&new, &new_key, true), (&old, &new_key, false), (&new, &old_key, false)]
    {
        let (code, said) = verified(&visit, evidence, key);
        assert_eq!(code, Some(if is_whole { 0 } else { 1 }), "{said}");
        assert_eq!(said.contains("another key signed it"), !is_whole, "{said}");
    }
    let listed = visit.world.say(&["keys", "list"], "").done();
    assert!(listed.contains(&old_key) && listed.contains(&new_key), "kept for ever: {listed}");
}

#[tokio::test]
async fn a_member_added_to_an_evidence_pack_at_any_depth_is_refused_and_named() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let evidence = signed(&visit, &grace).await;
    let key = visit.world.say(&["keys", "public"], "").done();
    let (code, said) = verified(&visit, &evidence, &key);
    assert_eq!(code, Some(0), "{said}");

    let mut objects = Vec::new();
    every_object(&evidence, String::new(), &mut objects);
    let ends = |end: &str| objects.iter().any(|at| at.ends_with(end));
    for depth in ["", "/header/signer", "/authors/0", "/reading/reading", "/reading/at", "/dimension/cites/0"] {
        assert!(ends(depth), "no {depth} in {objects:?}");
    }
    for at in objects {
        let mut added = evidence.clone();
        let object = added.pointer_mut(&at).and_then(Value::as_object_mut).unwrap();
        // One of a choice by its name: it holds one member, whatever the second is called.
        let is_choice = object.len() == 1;
        object.insert("approved_by".to_owned(), json!("the mayor"));
        let (code, said) = verified(&visit, &added, &key);
        assert_eq!(code, Some(1), "{at}: {said}");
        assert!(said.contains("NOT VERIFIED") && (is_choice || said.contains("`approved_by`")), "{at}: {said}");
    }
}

/// The places (RFC 6901) of all objects in a value.
fn every_object(value: &Value, at: String, found: &mut Vec<String>) {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            every_object(member, format!("{at}/{name}"), found);
        }
        found.push(at);
    } else if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            every_object(item, format!("{at}/{index}"), found);
        }
    }
}
