//! A tablet left on a bus, and an OT who left: with the next sync the case is gone from the device, and what was typed
//! before it is kept.

use grabrail_tests::{Tablet, World};
use sync_core::access::Role;
use sync_core::device::{DeviceError, LinkOptions};
use sync_core::id::DocumentId;
use sync_core::protocol::Request;

use crate::disk::{found, pieces, pieces_of_cards};
use crate::office::{Visit, ask, door, get, photo};

/// The quarantine, as a senior is told of it: which document, whose, and how many changes.
async fn quarantine(world: &World, senior: &str) -> Vec<(String, String, u64)> {
    let (status, lines) = get(world, senior, "/v1/quarantine").await;
    assert_eq!(status, 200, "{lines}");
    let line = |line: &serde_json::Value| {
        let word = |name: &str| line[name].as_str().unwrap().to_owned();
        (word("document"), word("name"), line["changes"].as_u64().unwrap())
    };
    lines.as_array().unwrap().iter().map(line).collect()
}

async fn shows_nothing(tablet: &Tablet, home: DocumentId) {
    assert!(tablet.device.cases().await.unwrap().is_empty());
    let opened = tablet.device.open_document(home).await;
    assert!(matches!(opened, Err(DeviceError::NoSuchDocument(document)) if document == home), "{opened:?}");
    assert_eq!(tablet.device.status().await.unwrap().waiting.changes, 0);
}

/// Olu's tablet with a case that was worked on, one thing typed since the last sync; and her phone with the same case.
/// `ends` is told the tablet's id. The phone comes back, as it is then.
async fn a_tablet_gives_up_its_case(ends: impl FnOnce(&Visit, String)) -> (Visit, Tablet) {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    photo(&visit.tablet, visit.home, 70, false).await;
    visit.submitted_rail().await;
    let phone = world.blank_tablet("phone", &LinkOptions::default()).await;
    phone.device.enrol(&phone.link, &world.code("olu"), "phone").await.unwrap();
    phone.sync().await;
    let device = &visit.tablet.device;
    let receipts = device.receipts().await.unwrap();
    assert!(!receipts.is_empty());
    device.measure(visit.home, door()).await.unwrap();
    let store = world.path("olu.store");
    let sealed = pieces(&store).await;
    assert!(sealed.len() > 50 && found(&sealed, &store) > 50, "it is there to be found");

    ends(&visit, device.status().await.unwrap().enrolled.unwrap().device.to_string());
    assert_eq!(device.cases().await.unwrap().len(), 1, "the tablet has not heard of it");
    let report = visit.tablet.sync().await;
    assert_eq!((report.receipted, &report.refused[..], &report.purged[..]), (0, &[visit.home][..], &[visit.case][..]));
    shows_nothing(&visit.tablet, visit.home).await;
    assert_eq!(found(&sealed, &store), 0, "of the case something is left in the store's file");
    assert!(pieces(&store).await.is_empty());
    assert_eq!(device.receipts().await.unwrap(), receipts, "the proof of what was handed in stays");
    let late = vec![(visit.home.to_string(), "olu of the story".to_owned(), 1)];
    assert_eq!(quarantine(world, &grace).await, late, "what was typed before it knew is kept");

    // It stays so, whatever is tried again.
    let Visit { world, tablet, case, home, clinical, token } = visit;
    let tablet = tablet.restarted().await;
    let report = tablet.sync().await;
    assert_eq!((report.cards, report.news, report.purged.len()), (0, 0, 0), "{report:?}");
    shows_nothing(&tablet, home).await;
    assert_eq!(quarantine(&world, &grace).await, late);
    (Visit { world, tablet, case, home, clinical, token }, phone)
}

/// Invariant 5.
#[tokio::test]
async fn a_revoked_tablet_gives_up_its_case_and_what_was_typed_on_it_is_kept() {
    let revoke = |visit: &Visit, device: String| {
        visit.world.say(&["device", "revoke", &device], "").done();
    };
    let (visit, phone) = a_tablet_gives_up_its_case(revoke).await;
    // The device is revoked, not its person.
    assert_eq!(phone.sync().await.purged, []);
    assert_eq!(phone.case().await, visit.case);
    assert_eq!(get(&visit.world, &visit.token, "/v1/cases").await.0, 200);
}

/// Invariant 5: a signed version that was withdrawn is gone from the file, too.
#[tokio::test]
async fn of_a_recalled_specification_nothing_is_left_in_the_surveyors_store() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let document = visit.submitted_rail().await;
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let tablet = visit.world.tablet("sue").await;
    tablet.sync().await;
    let store = visit.world.path("sue.store");
    let card = pieces_of_cards(&store).await;
    assert!(card.len() > 10 && found(&card, &store) == card.len(), "it is there to be found");
    let recall = Request::Recall { document, number: 1, reason: "Wrong wall".to_owned() };
    assert_eq!(ask(&visit.world, &grace, visit.case, recall).await, Ok(()));
    tablet.sync().await;
    assert!(tablet.device.card(visit.case).await.unwrap().prescriptions[0].signed.is_none());
    assert_eq!(found(&card, &store), 0, "of the recalled specification something is left in the store's file");
}

/// Invariant 5.
#[tokio::test]
async fn every_device_of_a_disabled_account_gives_up_its_cases_and_what_was_typed_is_kept() {
    let disable = |visit: &Visit, _: String| {
        visit.world.say(&["account", "disable", "olu"], "").done();
    };
    let (visit, phone) = a_tablet_gives_up_its_case(disable).await;
    assert_eq!(phone.sync().await.purged, [visit.case]);
    shows_nothing(&phone, visit.home).await;
    assert_eq!(get(&visit.world, &visit.token, "/v1/cases").await.0, 401);
}
