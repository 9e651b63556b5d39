//! Devices in terminals, as `grabrail field` is typed: each verb once as it should be, and as it should not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use grabrail_tests::{Field, PASSPHRASE, World, built};
use serde_json::{Value, json};
use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::id::{AskId, CaseId, Hash};

use super::office::{get, noise};
use super::power::behind_a_line;

/// Runs the program at a terminal and types an answer at each of these prompts: how it ended, and all that was shown.
#[track_caller]
pub(crate) fn at_a_terminal(arguments: &[&str], typed: &[(&str, &str)]) -> (i64, String) {
    let mut python = Command::new("python3");
    python.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("TERM", "xterm").args(["-I", "-B"]);
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("story/terminal.py")).arg(json!(typed).to_string());
    let ended = python.arg(built("grabrail")).args(arguments).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(told["not_asked"], json!([]), "{told}");
    (told["code"].as_i64().unwrap(), told["shown"].as_str().unwrap().to_owned())
}

/// A device of somebody, enrolled and synced.
fn device(world: &World, who: &str) -> Field {
    let field = world.field(who);
    field.done(&["enrol", &world.code(who), "--name", who]);
    field.done(&["sync"]);
    field
}

/// A council with Olu's case R-1, and her device.
async fn council() -> (World, Field) {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let olu = device(&world, "olu");
    (world, olu)
}

/// All that a command which is refused must leave as it was.
fn known(field: &Field) -> Value {
    let mut status = field.done(&["status"]);
    let cases = field.done(&["cases"]);
    let opened = cases.as_array().unwrap().iter().map(|card| field.done(&["open", card["case"].as_str().unwrap()]));
    json!([
        opened.collect::<Vec<_>>(),
        status["status"]["waiting"].take(),
        status["asked"].take(),
        status["notices"].take()
    ])
}

/// Runs a command that has to be refused with this kind of problem and exit code, and to change nothing: why.
#[track_caller]
fn refused(field: &Field, arguments: &[&str], kind: &str, code: i32) -> String {
    let before = known(field);
    let said = field.say(arguments);
    assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{arguments:?}: {}", said.err);
    let problem: Value = serde_json::from_str(&said.err).unwrap_or_else(|_| panic!("{} is no problem", said.err));
    let expected = format!("urn:grabrail:problem:{kind}");
    assert_eq!(problem["type"].as_str(), Some(expected.as_str()), "{arguments:?}: {problem}");
    assert!(problem["title"].is_string(), "{problem}");
    assert_eq!(known(field), before, "{arguments:?} changed something");
    problem["detail"].as_str().unwrap().to_owned()
}

/// Syncs a device that has one ask waiting: whether it was granted, else why not.
#[track_caller]
fn verdict(field: &Field) -> Result<(), String> {
    let report = field.done(&["sync"]);
    match (report["granted"].as_u64(), report["denied"].as_u64()) {
        (Some(1), Some(0)) => Ok(()),
        (Some(0), Some(1)) => {
            let news = field.done(&["status"])["notices"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(news["notice"]["notice"], "ask-refused", "{news}");
            Err(news["notice"]["reason"].to_string())
        }
        _ => panic!("not one ask: {report}"),
    }
}

#[track_caller]
fn key(said: &Value) -> String {
    said["key"].as_str().unwrap_or_else(|| panic!("no key: {said}")).to_owned()
}

/// The prescription of R-1 as a device's card tells it.
fn prescription(field: &Field) -> Value {
    field.done(&["open", "R-1"])["card"]["prescriptions"][0].clone()
}

/// Measures the WC and prescribes a rail beside it: the item's key.
fn rail(field: &Field) -> String {
    let height = key(&field.done(&["measure", "R-1", "bathroom-1/toilet-1", "wc-seat-height", "43cm"]));
    let begun = field.done(&["prescribe", "R-1", "grab-rail"]);
    assert_eq!(begun["name"], "prescription:1");
    let item = begun["items"][0].as_str().unwrap().to_owned();
    let cites = format!("home/{height}");
    let set = |field_name: &str, value: &str, more: &[&str]| {
        let mut words = vec!["set", "R-1", "prescription:1", field_name, value];
        words.extend(more);
        field.done(&words);
    };
    set("prescription.need", "To stand up from the toilet unaided", &[]);
    set("prescription.route", "minor", &[]);
    set("grab-rail.height", "680", &["--item", &item, "--min", "--cites", &cites]);
    set("item.required-load", "135", &["--item", &item]);
    field.done(&["text", "R-1", "prescription:1", "reasoning", "She fell twice in October"]);
    item
}

/// Grace decides at the API on the prescription of R-1: signs off what she is shown, or recalls its first version.
async fn grace(world: &World, token: &str, field: &Field, verb: &str) {
    let card = field.done(&["open", "R-1"])["card"].clone();
    let document = card["prescriptions"][0]["document"].as_str().unwrap().to_owned();
    let (status, shown) = get(world, token, &format!("/v1/prescriptions/{document}")).await;
    assert_eq!(status, 200, "{shown}");
    let mut ask =
        json!({ "id": AskId::mint(&mut SystemChance), "case": card["case"], "ask": verb, "document": document });
    let more = match verb {
        "sign_off" => json!({
            "heads": shown["heads"], "basis": shown["basis"], "grounds": "Necessary and appropriate",
            "conditions": ["Site meeting with the OT"],
        }),
        _ => json!({ "number": 1, "reason": "She told of her illness" }),
    };
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let url = format!("{}/v1/asks", world.server.url());
    let posting = world.server.http().post(url).bearer_auth(token).header("content-type", "application/json");
    let answer = posting.body(ask.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(status, 200, "{verb}: {}", String::from_utf8_lossy(&answer.bytes().await.unwrap()));
}

#[tokio::test]
async fn a_visit_nobody_planned_is_begun_without_signal_and_carried_by_the_senior_once_it_is_synced() {
    let (mut world, olu) = council().await;
    for (who, role) in [("sue", Role::Surveyor), ("eve", Role::Ot), ("gwen", Role::SeniorOt)] {
        world.account(who, role);
    }
    let (sue, eve, gwen) = (device(&world, "sue"), device(&world, "eve"), device(&world, "gwen"));
    world.server.kill();

    let visit = ["visit", "--name", "Vera Example", "--address", "2 Sample Street", "--born"];
    let with = |born: &'static str| [visit.as_slice(), &[born]].concat();
    assert!(refused(&olu, &with("06/05/1941"), "nothing-there", 1).contains("YYYY-MM-DD"));
    refused(&olu, &["visit", "--name", " ", "--address", "2 Sample Street"], "nothing-there", 1);
    refused(&olu, &["visit", "--name", "Vera Example"], "bad-command", 2);
    refused(&sue, &with("1941-05-06"), "not-allowed", 1);

    let begun = olu.done(&with("1941-05-06"));
    let vera = begun["case"].as_str().unwrap();
    assert_eq!(begun["documents"].as_array().unwrap().len(), 2, "{begun}");
    olu.done(&["measure", vera, "bathroom-1/door-1", "door-clear-width", "712"]);
    assert_eq!(olu.done(&["open", vera])["card"]["state"], "unmatched");
    refused(&olu, &["sync"], "offline", 1);

    world.server.restart().await;
    let report = olu.done(&["sync"]);
    assert_eq!((&report["receipted"], &report["granted"]), (&json!(1), &json!(1)), "{report}");
    let again = olu.done(&["sync"]);
    assert_eq!((&again["receipted"], &again["granted"]), (&json!(0), &json!(0)), "{again}");

    // Gwen, a senior, may see it and takes it along; Eve may not, and is not told whether there is such a case.
    let nobodys = CaseId::mint(&mut SystemChance).to_string();
    for (field, case, cases) in [(&gwen, vera, 1), (&gwen, vera, 1), (&gwen, &nobodys, 1), (&eve, vera, 0)] {
        field.done(&["carry", case]);
        field.done(&["sync"]);
        assert_eq!(field.done(&["cases"]).as_array().unwrap().len(), cases, "{case}");
    }
    assert_eq!(gwen.done(&["show", vera, "home"])["readings"][0]["value"], 712);
    refused(&eve, &["show", vera, "home"], "no-such-case", 2);
    refused(&eve, &["carry", "R-1"], "bad-value", 2);
}

#[tokio::test]
async fn an_assessment_is_complete_once_what_must_be_asked_was_asked() {
    let (world, olu) = council().await;
    world.account("eve", Role::Ot);
    world.account("sue", Role::Surveyor);
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let (eve, sue) = (device(&world, "eve"), device(&world, "sue"));
    refused(&olu, &["complete", "R-1"], "nothing-there", 1);
    refused(&eve, &["complete", "R-1"], "no-such-case", 2);
    refused(&sue, &["complete", "R-1"], "no-such-document", 2);
    refused(&olu, &["complete", "R-1", "--in", "clinical:2"], "no-such-document", 2);
    refused(&olu, &["complete", "R-1", "--in", "home"], "nothing-there", 1);

    let set = |field_name: &str, value: &str| drop(olu.done(&["set", "R-1", "clinical", field_name, value]));
    set("visit.carer-present", "no");
    olu.done(&["complete", "R-1"]);
    let why = verdict(&olu).unwrap_err();
    assert!(why.contains("Why no carer was present") && why.contains("Feels safe and secure"), "{why}");
    let missing = olu.tell(&["findings", "R-1"]).done();
    assert!(missing.contains("[visit.carer-absent-reason]"), "what is missing can be set by its name: {missing}");
    set("visit.carer-absent-reason", "At work until six");
    set("client.feels-safe-and-secure", "yes");
    set("carer.assessment-trigger-screening", "not-triggered");
    set("carer.assessment-trigger-assessment", "declined");
    olu.done(&["complete", "R-1"]);
    assert_eq!(verdict(&olu), Ok(()));
}

#[tokio::test]
async fn a_prescription_is_submitted_once_and_taken_back_once() {
    let (world, olu) = council().await;
    world.account("sue", Role::Surveyor);
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let sue = device(&world, "sue");
    refused(&olu, &["submit", "R-1", "prescription:1"], "no-such-document", 2);
    let empty = olu.done(&["prescribe", "R-1"]);
    assert_eq!((&empty["name"], &empty["items"]), (&json!("prescription:1"), &json!([])));
    olu.done(&["set", "R-1", "prescription:1", "prescription.need", "Not yet known"]);
    olu.done(&["set", "R-1", "prescription:1", "prescription.route", "minor"]);
    assert!(refused(&olu, &["submit", "R-1", "prescription:1"], "findings", 1).contains("prescribed"));
    olu.done(&["item", "R-1", "prescription:1", "grab-rail"]);
    olu.done(&["sync"]);
    refused(&sue, &["submit", "R-1", "prescription:1"], "no-such-document", 2);
    refused(&sue, &["withdraw", "R-1", "prescription:1"], "no-such-document", 2);
    refused(&olu, &["withdraw", "R-1", "home"], "nothing-there", 1);

    let state = || prescription(&olu)["state"]["state"].clone();
    let steps = [("withdraw", false, "draft"), ("submit", true, "submitted"), ("submit", false, "submitted")];
    for (verb, granted, after) in steps.into_iter().chain([("withdraw", true, "draft"), ("withdraw", false, "draft")]) {
        olu.done(&[verb, "R-1", "prescription:1"]);
        assert_eq!(verdict(&olu).is_ok(), granted, "{verb}");
        assert_eq!(state(), after, "{verb}");
    }
    let told = olu.tell(&["status"]).done();
    assert!(told.contains("asked withdraw of prescription:1 in R-1: granted"), "{told}");
    assert!(told.contains("a prescription that is draft can't be withdrawn"), "{told}");
    let listed = olu.tell(&["cases"]).done();
    assert!(listed.contains("prescription:1 (Grab rail): draft"), "named by what it prescribes: {listed}");
}

#[tokio::test]
async fn a_reading_of_the_wrong_room_is_struck_and_two_names_of_one_room_are_joined() {
    let (world, olu) = council().await;
    for (who, role) in [("bo", Role::Ot), ("sue", Role::Surveyor)] {
        world.account(who, role);
    }
    world.say(&["case", "allocate", "R-1", "bo"], "").done();
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let (bo, sue) = (device(&world, "bo"), device(&world, "sue"));
    let wrong = key(&olu.done(&["measure", "R-1", "hall-1/door-1", "door-clear-width", "71.2cm"]));
    let door = key(&olu.done(&["measure", "R-1", "shower-room-1/door-1", "door-clear-width", "735"]));
    let strike = |key: &'static str| ["strike", "R-1", "home", key, "--reason", "The neighbour's door"];
    refused(&olu, &["strike", "R-1", "home", &wrong], "bad-command", 2);
    refused(&olu, &["strike", "R-1", "home", &wrong, "--reason", " "], "unfit", 1);
    refused(&olu, &["strike", "R-1", "home", "the door", "--reason", "Wrong"], "bad-value", 2);
    refused(&olu, &strike("900.1"), "unfit", 1);
    refused(&sue, &strike("900.1"), "no-such-document", 2);
    let struck = olu.done(&["strike", "R-1", "home", &wrong, "--reason", "The neighbour's door"]);
    let shown = || olu.done(&["show", "R-1", "home"]);
    let record = |shown: &Value| -> Value {
        shown["records"].as_array().unwrap().iter().find(|record| record["key"] == wrong.as_str()).unwrap().clone()
    };
    assert_eq!(record(&shown())["struck"], struck["key"], "it stays readable");
    assert_eq!(shown()["readings"].as_array().unwrap().len(), 1, "{}", shown());
    let told = olu.tell(&["show", "R-1", "home"]).done();
    assert!(told.contains(&format!("{wrong}  struck (olu of the story): The neighbour's door")), "{told}");
    let before = shown()["readings"].clone();
    olu.done(&["strike", "R-1", "home", &wrong, "--reason", "Struck again"]);
    assert_eq!(shown()["readings"], before, "struck twice is struck");

    let join = |place: &'static str, same_as: &'static str| ["join", "R-1", place, same_as, "--reason", "One room"];
    assert!(refused(&olu, &join("shower-room", "bathroom-1"), "bad-value", 2).contains("bathroom-1/door-2"));
    assert!(refused(&olu, &join("shower-rom-1", "bathroom-1"), "bad-value", 2).contains("did you mean shower-room"));
    refused(&olu, &join("shower-room-1", "shower-room-1"), "unfit", 1);
    refused(&olu, &["join", "R-1", "shower-room-1", "bathroom-1"], "bad-command", 2);
    refused(&sue, &join("shower-room-1", "bathroom-1"), "no-such-document", 2);
    for _ in 0..2 {
        olu.done(&join("shower-room-1", "bathroom-1"));
        assert_eq!(shown()["readings"][0]["place"], "bathroom-1/door-1", "joined twice is joined");
    }
    olu.done(&["sync"]);
    bo.done(&["sync"]);
    let reading = bo.done(&["show", "R-1", "home"])["readings"][0].clone();
    assert_eq!((&reading["place"], &reading["shown"]), (&json!("bathroom-1/door-1"), &json!(door)));
    // Measured under the name that was kept, the door is one door, and two widths of it disagree.
    bo.done(&["measure", "R-1", "bathroom-1/door-1", "door-clear-width", "760"]);
    assert_eq!(bo.done(&["clashes", "R-1"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_goal_and_a_restricted_document_are_begun_where_they_belong() {
    let (world, olu) = council().await;
    world.account("sue", Role::Surveyor);
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let sue = device(&world, "sue");
    refused(&olu, &["item", "R-1", "home", "outcome"], "unfit", 1);
    let why = refused(&olu, &["item", "R-1", "clinical", "outcom"], "bad-value", 2);
    assert!(why.contains("did you mean outcome?") && why.contains("words items"), "{why}");
    refused(&olu, &["item", "R-2", "clinical", "outcome"], "no-such-case", 2);
    refused(&sue, &["item", "R-1", "clinical", "outcome"], "no-such-document", 2);
    let goals: Vec<String> = (0..2).map(|_| key(&olu.done(&["item", "R-1", "clinical", "outcome"]))).collect();
    assert_ne!(goals[0], goals[1]);
    let why = refused(&olu, &["set", "R-1", "clinical", "outcome.goal", "To cook"], "bad-value", 2);
    assert!(goals.iter().all(|goal| why.contains(goal.as_str())), "the goals are named: {why}");
    olu.done(&["set", "R-1", "clinical", "outcome.goal", "To cook", "--item", &goals[1]]);

    // A second home would take the first one's name away from everything typed.
    refused(&olu, &["begin", "R-1", "home"], "bad-value", 2);
    refused(&olu, &["begin", "R-1", "survey"], "not-allowed", 1);
    refused(&sue, &["begin", "R-1", "restricted"], "not-allowed", 1);
    refused(&sue, &["begin", "R-1", "prescription"], "not-allowed", 1);
    assert_eq!(olu.done(&["begin", "R-1", "restricted"])["name"], "restricted");
    let entry = ["entry", "R-1", "restricted", "safeguarding", "Her nephew keeps her pension."];
    olu.done(&entry);
    refused(&sue, &entry, "no-such-document", 2);
    assert_eq!(olu.done(&["sync"])["receipted"], 4);
}

#[tokio::test]
async fn a_surveyor_reads_what_was_signed_by_its_items_decides_on_it_and_loses_it_by_a_recall() {
    let (world, olu) = council().await;
    world.account("sue", Role::Surveyor);
    world.account("grace", Role::SeniorOt);
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let token = world.server.signed_in("grace").await;
    let sue = device(&world, "sue");
    let item = rail(&olu);
    olu.done(&["submit", "R-1", "prescription:1"]);
    assert_eq!(verdict(&olu), Ok(()));
    sue.done(&["sync"]);
    assert_eq!(sue.done(&["open", "R-1"])["card"]["prescriptions"], json!([]), "nothing is signed yet");
    assert_eq!(sue.done(&["begin", "R-1", "survey"])["name"], "survey:1");
    let decide = |word: &'static str| ["decide", "R-1", "survey:1", "prescription:1", word];
    refused(&sue, &decide("yes"), "no-such-document", 2);
    assert!(refused(&sue, &decide("perhaps"), "bad-value", 2).contains("with-change"));
    grace(&world, &token, &olu, "sign_off").await;
    sue.done(&["sync"]);

    // What was signed, by whom and when, under what it prescribes; no state, for Housing is told none.
    let card = prescription(&sue);
    assert_eq!((&card["name"], &card["prescribes"]), (&json!("prescription:1"), &json!(["grab-rail"])));
    assert_eq!((&card["version"]["number"], &card["version"]["signer"]), (&json!(1), &json!("grace of the story")));
    assert!(card.get("state").is_none() && card["standing"]["standing"] == "current", "{card}");
    let signed = "prescription:1 (Grab rail): version 1 signed off by grace of the story on 2";
    for told in [sue.tell(&["open", "R-1"]).done(), sue.tell(&["cases"]).done()] {
        assert!(told.contains(signed) && !told.contains("draft"), "{told}");
    }
    let told = sue.tell(&["show", "R-1", "prescription:1"]).done();
    for line in ["Grab rail", "on condition: Site meeting", "at least 680 mm", "430 mm (tape, olu of the story)"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("October"), "the reasoning is the council's: {told}");

    refused(&sue, &decide("yes"), "nothing-there", 1);
    let about = format!("prescription:1/{item}");
    let remark = ["remark", "R-1", "survey:1", "Lath and plaster", "--about", &about];
    sue.done(&remark);
    sue.done(&decide("no"));
    let why = verdict(&sue).unwrap_err();
    assert!(why.contains("reason"), "{why}");
    sue.done(&[decide("yes").as_slice(), &["--number", "2"]].concat());
    assert!(verdict(&sue).is_err(), "there is no second version");
    sue.done(&decide("yes"));
    assert_eq!(verdict(&sue), Ok(()));
    olu.done(&["sync"]);
    olu.done(&decide("yes"));
    assert!(verdict(&olu).unwrap_err().contains("not_allowed"), "Housing decides");

    // Measured again since: both lanes are told that it changed, and the signed version reads as before.
    olu.done(&["measure", "R-1", "bathroom-1/toilet-1", "wc-seat-height", "433"]);
    olu.done(&["sync"]);
    sue.done(&["sync"]);
    assert_eq!(prescription(&sue)["changed_since"], true);
    for field in [&sue, &olu] {
        let told = field.tell(&["cases"]).done();
        assert!(told.contains("changed since sign-off"), "{told}");
    }
    let again = sue.tell(&["show", "R-1", "prescription:1"]).done();
    assert!(again.contains("changed since sign-off") && again.contains("430 mm"), "{again}");

    grace(&world, &token, &olu, "recall").await;
    sue.done(&decide("yes"));
    assert!(verdict(&sue).unwrap_err().contains("heads_moved"), "her tablet had not heard of the recall");
    let why = refused(&sue, &["show", "R-1", "prescription:1"], "nothing-there", 1);
    assert!(why.contains("recalled on 2") && why.contains("nothing may be built"), "{why}");
    refused(&sue, &decide("yes"), "nothing-there", 1);
    let told = sue.tell(&["open", "R-1"]).done();
    assert!(told.contains("prescription:1: recalled on 2") && !told.contains("illness"), "{told}");
    olu.done(&["sync"]);
    let told = olu.tell(&["open", "R-1"]).done();
    assert!(told.contains("prescription:1 (Grab rail): recalled") && told.contains("illness"), "{told}");
}

#[tokio::test]
async fn a_photo_is_got_back_by_a_colleagues_device_and_by_nobody_elses() {
    let (mut world, olu) = council().await;
    for (who, role) in [("bo", Role::Ot), ("eve", Role::Ot), ("sue", Role::Surveyor)] {
        world.account(who, role);
    }
    world.say(&["case", "allocate", "R-1", "bo"], "").done();
    world.say(&["case", "assign", "R-1", "sue"], "").done();
    let picture = world.path("door.jpg");
    std::fs::write(&picture, noise(3)).unwrap();
    let photo = ["photo", "R-1", "home", picture.to_str().unwrap(), "--subject", "feature", "--consent"];
    let share = ["--place", "bathroom-1/door-1", "--caption", "The door", "--share", "housing"];
    let text = world.path("notes.txt");
    std::fs::write(&text, "no picture").unwrap();
    let mut notes = photo;
    notes[3] = text.to_str().unwrap();
    refused(&olu, &notes, "not-a-photo", 1);
    refused(&olu, &photo[..4], "bad-command", 2);
    let taken = olu.done(&[photo.as_slice(), &share].concat());
    let (taken_key, hash) = (key(&taken), taken["hash"].as_str().unwrap().to_owned());
    assert_eq!(olu.done(&["sync"])["photos_sent"], 1);
    olu.done(&["release", "R-1", "--consent", "She said yes, at the kitchen table"]);
    assert_eq!(verdict(&olu), Ok(()));
    let (bo, eve, sue) = (device(&world, "bo"), device(&world, "eve"), device(&world, "sue"));

    let to = world.path("got.jpg");
    let to = to.to_str().unwrap();
    let get = |photo: &str| -> Vec<String> { ["photo-get", "R-1", "home", photo, to].map(str::to_owned).into() };
    fn words(line: &[String]) -> Vec<&str> {
        line.iter().map(String::as_str).collect()
    }
    let nowhere = world.path("no-folder").join("got.jpg");
    refused(&bo, &words(&get("900.1")), "no-such-record", 1);
    refused(&bo, &words(&get("the door")), "bad-value", 2);
    refused(&bo, &words(&get(&"0".repeat(64))), "no-such-photo", 1);
    refused(&eve, &words(&get(&hash)), "no-such-case", 2);
    refused(&bo, &["photo-get", "R-1", "clinical", &hash, to], "no-such-photo", 1);
    assert!(!Path::new(to).exists(), "nothing was written");
    let of = |said: &Value| (said["hash"].clone(), said["bytes"].clone());
    let got = bo.done(&words(&get(&taken_key)));
    let bytes = std::fs::read(to).unwrap();
    assert_eq!(got["hash"], hash.as_str());
    assert_eq!(Hash::of(&bytes).to_string(), hash, "what was got is what was taken");
    refused(&bo, &["photo-get", "R-1", "home", &taken_key, nowhere.to_str().unwrap()], "file", 1);

    world.server.kill();
    assert_eq!(of(&bo.done(&words(&get(&taken_key)))), of(&got), "now it is here, and needs no network");
    refused(&sue, &words(&get(&hash)), "offline", 1);
    world.server.restart().await;
    assert_eq!(of(&sue.done(&words(&get(&hash)))), of(&got), "a surveyor, of the home that was released");
    let told = sue.tell(&["show", "R-1", "home"]).done();
    assert!(told.contains(&hash) && told.contains("The door"), "{told}");
}

#[tokio::test]
async fn whatever_is_typed_wrongly_is_a_problem_object_for_scripts_and_words_for_people() {
    let (_world, olu) = council().await;
    for (arguments, kind) in [
        (["csaes"].as_slice(), "bad-command"),
        (&["show", "R-1"], "bad-command"),
        (&["cases", "--loud"], "bad-command"),
        (&["settle", "R-1", "1.1"], "bad-command"),
        (&["measure", "R-1", "bathroom-1", "door-width", "712"], "bad-value"),
        (&["measure", "R-1", "hall-1/door-1", "door-clear-width", "712", "--method", "guess"], "bad-value"),
        (&["measure", "R-1", "hall-1/door-1", "door-clear-width", "28in"], "bad-value"),
        (&["set", "R-1", "clinical", "person.wieght", "82"], "bad-value"),
        (&["set", "R-1", "clinical", "visit.carer-present", "maybe"], "bad-value"),
        (&["words", "nouns"], "bad-value"),
    ] {
        refused(&olu, arguments, kind, 2);
        let told = olu.tell(arguments);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!told.err.contains('{') && told.err.contains(": "), "{arguments:?}: {}", told.err);
    }
    let nearest = olu.fails(&["set", "R-1", "clinical", "weight", "82"]);
    assert_eq!(nearest["nearest"][0], "person.weight", "{nearest}");
    // Help and version are for reading.
    for arguments in [["--help"].as_slice(), &["help", "set"], &["join", "--help"]] {
        let said = olu.say(arguments);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(said.out.contains("grabrail field ") && !said.out.contains("--argon2-at-once"), "{}", said.out);
    }
}

#[tokio::test]
async fn the_words_are_listed_without_a_store_and_nothing_else_is_done_without_one() {
    let grabrail = |arguments: &[&str]| {
        let ended = Command::new(built("grabrail")).env_clear().arg("field").args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let list = |arguments: &[&str]| -> Vec<Value> {
        let (code, out, err) = grabrail(arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_str(&out).unwrap()
    };
    let door = &list(&["words", "measures", "door-clear-width", "--json"])[0];
    assert_eq!((&door["unit"], &door["least"], &door["most"]), (&json!("millimetre"), &json!(400), &json!(1500)));
    let fields = list(&["--json", "words", "fields", "grab-rail"]);
    let height = fields.iter().find(|field| field["name"] == "grab-rail.height").unwrap();
    assert_eq!((&height["takes"], &height["kinds"]), (&json!("dimension"), &json!(["prescription"])), "{height}");
    let route = &list(&["words", "fields", "prescription.route", "--json"])[0];
    assert!(route["choices"].as_array().unwrap().contains(&json!("dfg")), "{route}");
    assert!(list(&["words", "items", "prescription", "--json"]).iter().any(|item| item["name"] == "stairlift"));
    assert!(list(&["words", "places", "--json"]).iter().any(|place| place["name"] == "bathroom"));
    let (_, table, _) = grabrail(&["words", "measures", "stairs"]);
    let line = table.lines().find(|line| line.starts_with("stair-rise ")).unwrap();
    assert!(line.ends_with("80 mm to 260 mm"), "{line}");

    let (code, out, err) = grabrail(&["cases", "--json"]);
    let problem: Value = serde_json::from_str(&err).unwrap();
    assert_eq!((code, out.as_str(), &problem["title"]), (Some(2), "", &json!("bad-command")));
    assert!(problem["detail"].as_str().unwrap().contains("--store"), "{problem}");
}

#[tokio::test]
async fn no_bar_is_drawn_where_nobody_watches() {
    let (world, olu) = council().await;
    let picture = world.path("door.jpg");
    std::fs::write(&picture, noise(4)).unwrap();
    let photo = ["photo", "R-1", "home", picture.to_str().unwrap(), "--subject", "feature", "--consent"];
    for arguments in [photo.as_slice(), &["sync"]] {
        let said = olu.tell(arguments);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(!said.out.contains(['\r', '\u{1b}']), "{:?}", said.out);
    }
    assert!(olu.tell(&["status"]).done().contains("0 photos; 1 case here"));
}

#[tokio::test]
async fn a_bar_moves_with_the_photos_where_somebody_watches_and_is_gone_at_the_end() {
    let (world, line) = behind_a_line().await;
    let olu = device(&world, "olu");
    let picture = world.path("picture");
    let take = |bytes: &[u8]| {
        std::fs::write(&picture, bytes).unwrap();
        olu.done(&["photo", "R-1", "home", picture.to_str().unwrap(), "--subject", "feature", "--consent"]);
    };
    let store = olu.store().to_str().unwrap().to_owned();
    let watched = move |more: &[&str]| {
        let asked = [("Passphrase of this device: ", PASSPHRASE)];
        let (code, shown) = at_a_terminal(&[&["field", "--store", &store], more].concat(), &asked);
        assert_eq!(code, 0, "{shown}");
        assert!(!shown.contains(PASSPHRASE), "{shown}");
        shown
    };
    let small = include_bytes!("../../sync-core/src/device/fixtures/photos/progressive.jpg");
    take(small);
    take(&noise(5));
    // The small one is through, and the line stops in the large one for as long as somebody looks at the bar.
    line.stops_in_a_photo(40_000);
    let watching = tokio::task::spawn_blocking({
        let watched = watched.clone();
        move || watched(&["sync"])
    });
    line.stopped().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    line.goes_on();
    let shown = watching.await.unwrap();
    assert!(shown.contains("photos ") && shown.contains("1/2"), "{shown:?}");
    let (bars, report) = shown.rsplit_once('\u{1b}').unwrap();
    assert!(bars.contains("/2") && !report.contains("/2"), "{shown:?}");
    assert!(report.contains("2 photos sent, 0 waiting"), "{shown:?}");

    // A script that runs at a terminal reads JSON, and no half of a bar.
    take(&noise(6));
    let shown = watched(&["--json", "sync"]);
    assert!(shown.contains("\"photos_sent\"") && !shown.contains('\u{1b}') && !shown.contains("/1"), "{shown:?}");
    assert_eq!(olu.done(&["status"])["status"]["waiting"]["photos"], 0);
}
