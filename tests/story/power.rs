//! The power goes: the server's or the tablet's, in the middle of a photo or at any other moment.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use grabrail_tests::{Field, Line, World, is_long};
use serde_json::Value;
use sync_core::access::Role;
use sync_core::clock::{Clock as _, SystemChance, SystemClock};
use sync_core::device::{Kept, PhotoSource};
use sync_core::domain::kind::Kind;
use sync_core::id::{AskId, CaseId, DocumentId, Hash};
use sync_core::protocol::Request;
use tokio::time::sleep;

use super::office::{NEED, Visit, basis, bathroom, door, fetch, heads, noise, post_ask, state};

/// A photo as somebody who is signed in is given it; `None`: there is none for them.
async fn given(world: &World, token: &str, (case, document): (CaseId, DocumentId), hash: Hash) -> Option<Vec<u8>> {
    let url = format!("{}/v1/photos/{case}/{document}/{hash}", world.server.url());
    let answer = world.server.http().get(url).bearer_auth(token).send().await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap().to_vec();
    assert!(matches!(status, 200 | 404), "{status}: {}", String::from_utf8_lossy(&bytes));
    (status == 200).then_some(bytes)
}

/// The files of photos under a folder.
fn photo_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: std::path::PathBuf| if path.is_dir() { photo_files(&path) } else { 1 };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}

pub(crate) async fn behind_a_line() -> (World, Line) {
    let line = Line::open();
    let world = World::start_with(&format!("public_url = \"{}\"\n", line.url()), None).await;
    line.leads_to(world.server.address());
    world.account("olu", Role::Ot);
    world.account("sal", Role::SeniorOt);
    world.case("R-1", "olu");
    (world, line)
}

#[tokio::test]
async fn a_photo_in_whose_middle_the_server_died_is_never_there_by_half_and_whole_after_the_next_sync() {
    let (mut world, line) = behind_a_line().await;
    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let (case, home) = (tablet.case().await, tablet.document(Kind::Home).await);
    tablet.device.measure(home, door()).await.unwrap();
    let (_, hash) = tablet.device.photo(home, PhotoSource::Bytes(noise(1)), bathroom()).await.unwrap();
    let bytes = tablet.device.photo_bytes(None, home, hash).await.unwrap();

    // The text has gone through, and half of the photo, when the power goes.
    line.stops_in_a_photo(bytes.len() / 2);
    let (report, ()) = tokio::join!(tablet.sync(), async {
        line.stopped().await;
        world.server.kill();
        line.cuts();
    });
    assert_eq!((report.receipted, report.photos_sent, report.photos_waiting), (2, 0, 1));
    assert_eq!(tablet.device.photos(home).await.unwrap()[0].kept, Kept::OnThisDevice);

    world.server.restart().await;
    let sal = world.server.signed_in("sal").await;
    assert_eq!(given(&world, &sal, (case, home), hash).await, None);
    assert_eq!(photo_files(&world.data().join("photos")), 0, "half a photo lies there");
    let report = tablet.sync().await;
    assert_eq!((report.photos_sent, report.photos_waiting, report.photo_trouble), (1, 0, None));
    assert_eq!(tablet.device.photos(home).await.unwrap()[0].kept, Kept::ServerHas);
    assert!(given(&world, &sal, (case, home), hash).await.is_some_and(|given| given == bytes));

    // What it said it has, it has when the power goes once more.
    world.server.kill();
    world.server.restart().await;
    let sal = world.server.signed_in("sal").await;
    assert!(given(&world, &sal, (case, home), hash).await.is_some_and(|given| given == bytes));
}

#[tokio::test]
async fn whenever_the_server_dies_around_a_photo_the_tablet_says_sent_only_of_what_is_there() {
    let (mut world, line) = behind_a_line().await;
    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let (case, home) = (tablet.case().await, tablet.document(Kind::Home).await);
    let (mut taken, mut kept) = (Vec::new(), 0);
    for round in 0..if is_long() { 40 } else { 8 } {
        let (_, hash) = tablet.device.photo(home, PhotoSource::Bytes(noise(round)), bathroom()).await.unwrap();
        taken.push((hash, tablet.device.photo_bytes(None, home, hash).await.unwrap()));
        // All but the last of the one that waits longest is there; the rest comes, and the power goes some moments
        // later.
        let photos = tablet.device.photos(home).await.unwrap();
        let first = photos.iter().find(|photo| photo.kept == Kept::OnThisDevice).unwrap();
        line.stops_in_a_photo(first.bytes as usize);
        let (report, ()) = tokio::join!(tablet.sync(), async {
            line.stopped().await;
            line.goes_on();
            sleep(Duration::from_millis(round * 3)).await;
            world.server.kill();
        });
        kept += report.photos_sent;
        world.server.restart().await;
        let sal = world.server.signed_in("sal").await;
        let photos = tablet.device.photos(home).await.unwrap();
        assert_eq!(photos.iter().filter(|photo| photo.kept == Kept::ServerHas).count(), kept, "round {round}");
        for (hash, bytes) in &taken {
            let there = given(&world, &sal, (case, home), *hash).await;
            assert!(there.as_ref().is_none_or(|there| there == bytes), "round {round}: other bytes are served");
            let photo = photos.iter().find(|photo| photo.hash == *hash).unwrap();
            assert!(photo.kept == Kept::OnThisDevice || there.is_some(), "round {round}: sent, and not there");
        }
    }
    tablet.sync().await;
    assert!(tablet.device.photos(home).await.unwrap().iter().all(|photo| photo.kept == Kept::ServerHas));
    let sal = world.server.signed_in("sal").await;
    for (hash, bytes) in taken {
        assert!(given(&world, &sal, (case, home), hash).await.is_some_and(|given| given == bytes));
    }
}

/// A device in a terminal, with the case on it.
fn enrolled(world: &World, name: &str) -> Field {
    let field = world.field(name);
    field.done(&["enrol", &world.code("olu"), "--name", name]);
    field.done(&["sync"]);
    field
}

/// Ends a process as a power cut would: what it said, if it had done all it was asked before.
fn kill(mut child: Child) -> Option<Value> {
    // An error says that it had ended.
    let _ = child.kill();
    let ended = child.wait_with_output().unwrap();
    ended.status.success().then(|| serde_json::from_slice(&ended.stdout).unwrap())
}

fn photo_of(file: &str) -> [&str; 9] {
    ["photo", "R-1", "home", file, "--subject", "room", "--place", "bathroom-1", "--consent"]
}

/// The records of the home as a device shows them.
fn records(field: &Field) -> Vec<Value> {
    field.done(&["show", "R-1", "home"])["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_tablet_that_dies_in_the_middle_of_a_photo_delivers_it_once_when_it_is_on_again() {
    let (world, line) = behind_a_line().await;
    let field = enrolled(&world, "tablet");
    let file = world.path("bathroom.jpg");
    std::fs::write(&file, noise(1)).unwrap();
    field.done(&["measure", "R-1", "bathroom-1/door-1", "door-clear-width", "735"]);
    let taken = field.done(&photo_of(file.to_str().unwrap()));
    let hash: Hash = serde_json::from_value(taken["hash"].clone()).unwrap();
    let kept = world.path("kept.jpg");
    let photo_get = ["photo-get", "R-1", "home", taken["key"].as_str().unwrap(), kept.to_str().unwrap()];

    line.stops_in_a_photo(40_000);
    let dying = field.start(&["sync"]);
    line.stopped().await;
    assert_eq!(kill(dying), None);
    line.cuts();

    // On again: the reading, the photo and what waits are whole; the text had its receipt, the photo has none.
    let waiting = field.done(&["status"])["status"]["waiting"].clone();
    assert_eq!((&waiting["changes"], &waiting["photos"]), (&Value::from(0), &Value::from(1)), "{waiting}");
    let before = records(&field);
    assert_eq!(before.len(), 2);
    field.done(&photo_get);
    let bytes = std::fs::read(&kept).unwrap();
    assert_eq!(Hash::of(&bytes), hash);
    let opened = field.done(&["open", "R-1"]);
    let case: CaseId = serde_json::from_value(opened["card"]["case"].clone()).unwrap();
    let home = opened["documents"].as_array().unwrap().iter().find(|document| document["kind"] == "home").unwrap();
    let home: DocumentId = serde_json::from_value(home["document"].clone()).unwrap();
    let sal = world.server.signed_in("sal").await;
    assert_eq!(given(&world, &sal, (case, home), hash).await, None);

    let report = field.done(&["sync"]);
    assert_eq!((&report["photos_sent"], &report["receipted"]), (&Value::from(1), &Value::from(0)), "{report}");
    assert!(given(&world, &sal, (case, home), hash).await.is_some_and(|given| given == bytes));
    assert_eq!(field.done(&["sync"])["photos_sent"], 0);
    assert_eq!(records(&enrolled(&world, "next")), before);
}

#[tokio::test]
async fn whenever_a_tablet_dies_its_store_opens_and_what_was_said_to_be_done_is_delivered_once() {
    let (world, _line) = behind_a_line().await;
    let field = enrolled(&world, "tablet");
    let rounds = if is_long() { 60 } else { 9 };
    let (mut done, mut begun, mut takes) = (Vec::new(), 0, Vec::new());
    let clock = SystemClock::new();
    for round in 0..=rounds {
        let file = world.path(&format!("{round}.jpg"));
        std::fs::write(&file, noise(round)).unwrap();
        let value = (700 + round).to_string();
        // Nothing replaces another, so what is there twice would be seen.
        let measure = ["measure", "R-1", "bathroom-1/door-1", "door-clear-width", &value, "--replace", "none"];
        let commands = [&measure[..], &photo_of(file.to_str().unwrap()), &["sync"]];
        // Each part of each command is met, and the three are not cut at the same part.
        for (which, (command, step)) in commands.into_iter().zip([1, 7, 11]).enumerate() {
            let began = clock.elapsed();
            let said = if round == 0 {
                let said = field.done(command);
                takes.push(clock.elapsed() - began);
                Some(said)
            } else {
                let child = field.start(command);
                sleep(Duration::from_millis(takes[which] * (1 + round * step % rounds) / rounds)).await;
                let said = kill(child);
                field.done(&["status"]);
                said
            };
            if command != ["sync"] {
                begun += 1;
                done.extend(said.map(|said| said["key"].clone()));
            }
        }
    }
    let here = records(&field);
    field.done(&["sync"]);
    let last = field.done(&["sync"]);
    assert!(["receipted", "photos_sent", "photos_waiting"].iter().all(|count| last[*count] == 0), "{last}");

    // Another device has the very same: all that was said to be done, nothing twice, every photo whole.
    let next = enrolled(&world, "next");
    let there = records(&next);
    assert_eq!(there, here);
    assert!((done.len()..=begun).contains(&there.len()), "{} of {} done, {begun} begun", there.len(), done.len());
    assert!(done.iter().all(|key| there.iter().any(|record| record["key"] == *key)), "{done:?}: {there:?}");
    let mut bodies: Vec<String> = there.iter().map(|record| record["body"].to_string()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), there.len(), "something is there twice");
    let kept = world.path("kept.jpg");
    for record in there.iter().filter(|record| !record["hash"].is_null()) {
        next.done(&["photo-get", "R-1", "home", record["key"].as_str().unwrap(), kept.to_str().unwrap()]);
        assert_eq!(Hash::of(&std::fs::read(&kept).unwrap()).to_string(), record["hash"]);
    }
}

/// The server's power goes.
async fn the_server_dies_and_is_on_again(visit: &mut Visit) {
    visit.world.server.kill();
    visit.world.server.restart().await;
}

/// Asks, and the power goes when the answer is in; then the same is asked again.
async fn granted_for_ever(visit: &mut Visit, token: &str, request: &Request) {
    let (id, case) = (AskId::mint(&mut SystemChance), visit.case);
    let answer = post_ask(&visit.world, token, id, case, request).await;
    the_server_dies_and_is_on_again(visit).await;
    assert_eq!((answer.0, &answer.1["answer"]), (200, &Value::from("granted")), "{answer:?}");
    assert_eq!(post_ask(&visit.world, token, id, case, request).await, answer, "asked again, answered the same");
}

/// Invariant 1.
#[tokio::test]
async fn what_was_granted_stays_granted_and_signed_when_the_server_dies_right_after_the_answer() {
    let mut visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let cite = visit.seat(430, sync_core::domain::vocabulary::Method::Tape).await;
    let document = visit.rail(vec![cite]).await;
    assert!(visit.tablet.sync().await.receipted > 0);
    let (token, seen) = (visit.token.clone(), heads(&visit.tablet, document).await);

    granted_for_ever(&mut visit, &token, &Request::Submit { document, heads: seen.clone() }).await;
    assert_eq!(state(&visit.world, &grace, document).await, "submitted");

    let basis = basis(&visit.world, &grace, document).await;
    let (grounds, conditions) = ("Necessary and appropriate".to_owned(), vec!["Into the studs".to_owned()]);
    granted_for_ever(&mut visit, &grace, &Request::SignOff { document, heads: seen, grounds, conditions, basis }).await;
    assert_eq!(state(&visit.world, &grace, document).await, "signed_off");
    let path = format!("/v1/prescriptions/{document}/versions/1");
    let evidence = fetch(&visit.world, &grace, &path).await;
    let words = String::from_utf8(evidence.1.clone()).unwrap();
    assert!(evidence.0 == 200 && words.contains(NEED) && words.contains("Into the studs"), "{words}");
    let file = visit.world.path("evidence.json");
    std::fs::write(&file, &evidence.1).unwrap();
    let said = visit.world.say(&["verify", file.to_str().unwrap()], "");
    assert!(said.code == Some(2) && said.out.contains("consistent"), "no key was named: {}{}", said.out, said.err);
    assert_eq!(fetch(&visit.world, &grace, &format!("/v1/prescriptions/{document}/versions/2")).await.0, 404);

    the_server_dies_and_is_on_again(&mut visit).await;
    assert_eq!(state(&visit.world, &grace, document).await, "signed_off");
    assert_eq!(fetch(&visit.world, &grace, &path).await, evidence);
}
