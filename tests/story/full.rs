//! A server with no room left.

use std::path::Path;

use grabrail_tests::{PASSWORD, Tablet, World};
use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::device::{DeviceError, Kept as KeptAt, LinkError, LinkOptions, PhotoSource};
use sync_core::domain::kind::Kind;
use sync_core::id::{AskId, CaseId, DocumentId, Hash};
use sync_core::protocol::Request;

use crate::kept::{Kept, PHOTO_FILES};
use crate::office::{Ear, bathroom, door, fetch, heads, noise_of, post_ask};

/// What a full server says, whoever asks.
#[track_caller]
fn is_full(status: u16, problem: &Json) {
    assert_eq!((status, &problem["type"]), (507, &json!("urn:grabrail:problem:disk-full")), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|why| why.contains("Nothing was stored")), "{problem}");
}

/// The largest file under a folder, in bytes.
fn largest(folder: &Path) -> u64 {
    let size = |path: std::path::PathBuf| {
        if path.is_dir() { largest(&path) } else { std::fs::metadata(&path).unwrap().len() }
    };
    std::fs::read_dir(folder).unwrap().map(|entry| size(entry.unwrap().path())).max().unwrap_or(0)
}

async fn sign_in(world: &World) -> (u16, Json) {
    let body = json!({ "sign_in": "grace", "password": PASSWORD }).to_string();
    let request = world.server.http().post(format!("{}/v1/sessions", world.server.url()));
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

async fn put(world: &World, bearer: &str, path: &str, bytes: Vec<u8>) -> (u16, Json) {
    let request = world.server.http().put(format!("{}{path}", world.server.url())).bearer_auth(bearer);
    let answer = request.body(bytes).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Json::Null))
}

/// A photo of the bathroom, taken on the tablet.
async fn pictured(tablet: &Tablet, home: DocumentId, jpeg: Vec<u8>) -> Hash {
    tablet.device.photo(home, PhotoSource::Bytes(jpeg), bathroom()).await.unwrap().1
}

fn small_jpeg() -> Vec<u8> {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([10, 90, 200]));
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

async fn kept_at(tablet: &Tablet, home: DocumentId, hash: Hash) -> KeptAt {
    let photos = tablet.device.photos(home).await.unwrap();
    photos.iter().find(|photo| photo.hash == hash).unwrap().kept
}

/// No file of the server may grow beyond what is there and a little: the system says so to the process, as it does on
/// a full disk.
#[tokio::test]
async fn a_server_without_room_says_so_changes_nothing_and_takes_everything_once_there_is_room() {
    let mut world = World::start().await;
    world.account("olu", Role::Ot);
    world.account("grace", Role::SeniorOt);
    world.case("R-1", "olu");
    let mut tablet = world.tablet("olu").await;
    tablet.sync().await;
    let (case, home): (CaseId, DocumentId) = (tablet.case().await, tablet.document(Kind::Home).await);
    let clinical = tablet.document(Kind::Clinical).await;
    let token = world.server.signed_in("olu").await;
    // The text of a small photo goes through before, its bytes do not.
    Ear::to(&mut tablet, false);
    let small = pictured(&tablet, home, small_jpeg()).await;
    assert_eq!(tablet.sync().await.photos_waiting, 1);
    world.server.stop().await;
    let most = largest(&world.data()) + 64 * 1024;
    world.server.restart_cramped(most).await;

    // A photo that is larger than any file may be: its text fits.
    let large = pictured(&tablet, home, noise_of(1, (1200, 900))).await;
    let bytes = tablet.device.photo_bytes(None, home, large).await.unwrap();
    assert!(bytes.len() as u64 > most, "{} bytes fit into {most}", bytes.len());
    let ear = Ear::to(&mut tablet, true);
    let report = tablet.sync().await;
    assert_eq!((report.receipted, report.photos_sent, report.photos_waiting), (1, 1, 1), "{report:?}");
    assert!(report.photo_trouble.is_some_and(|why| why.contains("disk is full")));
    assert_eq!(kept_at(&tablet, home, large).await, KeptAt::OnThisDevice);
    let before = Kept::by(&world).await;
    assert_eq!(before.photo_files().len(), 1, "{:?}", before.photo_files());

    // Small things still fit, for a while.
    let mut receipted = 0;
    let full = loop {
        tablet.device.measure(home, door()).await.unwrap();
        match tablet.device.sync(&tablet.link).await {
            Ok(report) => receipted += report.receipted,
            Err(error) => break error,
        }
        assert!(receipted < 500, "there is no end to the room");
    };
    let DeviceError::Link(LinkError::Problem { status: 507, kind, .. }) = &full else { panic!("{full}") };
    assert_eq!(kind, "disk-full");
    let waiting = tablet.device.status().await.unwrap().waiting;
    assert_eq!((waiting.changes, waiting.refused, waiting.photos), (1, 0, 1));

    // What needs less room than a push may still find it.
    let mut rounds = 0;
    loop {
        let withdraw = Request::Withdraw { document: DocumentId::mint(&mut SystemChance) };
        let asked = post_ask(&world, &token, AskId::mint(&mut SystemChance), case, &withdraw).await;
        if (sign_in(&world).await.0, asked.0) == (507, 507) {
            break;
        }
        rounds += 1;
        assert!(rounds < 500, "there is no end to the room");
    }

    // Whoever comes meets the same, and nothing of what they bring is there by half.
    let before = Kept::by(&world).await;
    let bearer = ear.replies().iter().rev().find_map(|reply| reply.photo_bearer.clone()).unwrap();
    let complete = Request::CompleteAssessment { document: clinical, heads: heads(&tablet, clinical).await };
    let ask = AskId::mint(&mut SystemChance);
    for _ in 0..3 {
        let (status, problem) = sign_in(&world).await;
        is_full(status, &problem);
        let (status, problem) = post_ask(&world, &token, ask, case, &complete).await;
        is_full(status, &problem);
        let (status, problem) = put(&world, &bearer, &format!("/v1/photos/{case}/{home}/{large}"), bytes.clone()).await;
        is_full(status, &problem);
        assert!(tablet.device.sync(&tablet.link).await.is_err());
    }
    let after = Kept::by(&world).await;
    // What a device's counter stood at is written behind, a second later where there is room.
    let changed: Vec<&str> = after.changed_since(&before).into_iter().filter(|table| *table != "devices").collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(fetch(&world, &token, &format!("/v1/photos/{case}/{home}/{large}")).await.0, 404);
    // What it has, it still gives, and it lives.
    assert_eq!(fetch(&world, &token, &format!("/v1/cases/{case}")).await.0, 200);
    assert_eq!(fetch(&world, &token, &format!("/v1/photos/{case}/{home}/{small}")).await.0, 200);
    assert_eq!(world.server.get("/healthz").await.0, 204);

    // Room was made.
    world.server.stop().await;
    world.server.restart().await;
    let report = tablet.sync().await;
    assert_eq!((report.receipted, report.photos_sent, report.photos_waiting), (1, 1, 0), "{report:?}");
    assert_eq!(kept_at(&tablet, home, large).await, KeptAt::ServerHas);
    assert_eq!(fetch(&world, &token, &format!("/v1/photos/{case}/{home}/{large}")).await, (200, bytes));
    assert_eq!(sign_in(&world).await.0, 201);
    let verdict = post_ask(&world, &token, ask, case, &complete).await;
    assert!(matches!(verdict.0, 200 | 409), "{verdict:?}");
    assert_eq!(post_ask(&world, &token, ask, case, &complete).await, verdict);
    let last = Kept::by(&world).await;
    assert!(last.changed_since(&after).contains(PHOTO_FILES));
    assert_eq!(last.photo_files().len(), 2, "{:?}", last.photo_files());

    // Whoever comes next has each reading once.
    let next = world.blank_tablet("next", &LinkOptions::default()).await;
    next.device.enrol(&next.link, &world.code("olu"), "next").await.unwrap();
    next.sync().await;
    let (mine, theirs) =
        (tablet.device.open_document(home).await.unwrap(), next.device.open_document(home).await.unwrap());
    assert_eq!(mine.records.len(), receipted + 3, "two photos, what fitted and what did not");
    assert_eq!((mine.heads, mine.records), (theirs.heads, theirs.records));
}
