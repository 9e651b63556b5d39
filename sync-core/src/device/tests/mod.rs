//! The device as its person meets it: real store files, a server in the same process.

mod anew;
mod chosen;
mod lease;
mod moved;
mod pages;
mod parts;
mod purge;
mod reconcile;
mod refused;
mod safe;
mod server;
mod snapshots;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

use self::server::{Line, NOW, Server};
use super::vault::tests::Keyring;
use super::*;
use crate::access::Role;
use crate::clock::{Clock, Seeded, Timestamp};
use crate::domain::kind::Kind;
use crate::domain::record::{Cite, SharedText, Tolerance, Value};
use crate::domain::view::View;
use crate::domain::vocabulary::photo::PhotoSubject;
use crate::domain::vocabulary::{Field, ItemKind, Measure, Method, Section};
use crate::id::{CaseId, DocumentId, Key};
use crate::protocol::Request;

#[derive(Debug)]
struct Wall(AtomicI64);

impl Wall {
    fn move_by(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn elapsed(&self) -> u64 {
        7
    }
}

struct Tablet {
    folder: TempDir,
    seed: u64,
    clock: Arc<Wall>,
    server: Server,
}

impl Tablet {
    fn new(server: &Server, seed: u64) -> Self {
        let clock = Arc::new(Wall(AtomicI64::new(NOW)));
        Self { folder: TempDir::new().unwrap(), seed, clock, server: server.clone() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn unlock() -> Unlock {
        Unlock::Vault(Arc::new(Keyring(1)))
    }

    fn link(&self) -> Link {
        Link::over(self.server.clone())
    }

    async fn enrolled(&self) -> Device {
        let chance = Box::new(Seeded::new(self.seed));
        let device = Device::create(&self.path(), &Self::unlock(), self.clock.clone(), chance).await.unwrap();
        device.enrol(&self.link(), &self.server.text(), "tablet").await.unwrap();
        device
    }

    async fn reopened(&self, device: Device) -> Device {
        device.close().await.unwrap();
        let chance = Box::new(Seeded::new(self.seed + 1000));
        Device::open(&self.path(), &Self::unlock(), self.clock.clone(), chance).await.unwrap()
    }
}

fn door(value: i32) -> MeasureInput {
    MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").unwrap(),
        value,
        method: Method::Tape,
        photos: vec![],
        supersedes: Replace::Mine,
    }
}

fn jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([200, 10, 10]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn photo() -> PhotoInput {
    PhotoInput {
        place: Some("bathroom-1".parse().unwrap()),
        subject: PhotoSubject::Room,
        caption: Some("The bathroom".to_owned()),
        consent: true,
        shows_person: false,
        share: vec![],
        angle: None,
        scale: None,
    }
}

async fn view(device: &Device, document: DocumentId) -> View {
    device.open_document(document).await.unwrap()
}

#[tokio::test]
async fn what_was_typed_offline_survives_a_restart_and_settles_in_one_exchange() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 1);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(device.cases().await.unwrap().len(), 1);
    let key = device.measure(home, door(712)).await.unwrap();
    let mended = device.measure(home, door(715)).await.unwrap();
    device.write_text(home, SharedText::Summary, "Narrow hall.".to_owned()).await.unwrap();
    assert_eq!(device.state(home).await.unwrap().kept, Some(Kept::OnThisDevice));
    assert_eq!((key.to_string(), mended.to_string()), ("7.1".to_owned(), "7.2".to_owned()));
    let device = tablet.reopened(device).await;
    assert_eq!(device.status().await.unwrap().waiting.changes, 3);
    let before = view(&device, home).await;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.exchanges), (3, 1));
    let state = device.state(home).await.unwrap();
    assert_eq!((state.kept, state.unsent), (Some(Kept::ServerHas), 0));
    assert_eq!(view(&device, home).await, before);
    assert_eq!(server.state().documents[&home].view(), before);
    assert!(device.clashes(case).await.unwrap().is_empty());
    assert_eq!(device.measure(home, door(716)).await.unwrap().to_string(), "7.3");
    assert_eq!(device.receipts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_with_the_same_bytes_and_nothing_is_called_sent_before() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 2);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    server.state().line = Line::LosesReply;
    let lost = device.sync(&tablet.link()).await;
    assert!(matches!(lost, Err(DeviceError::Link(LinkError::Offline(_)))));
    assert_eq!(device.state(home).await.unwrap().kept, Some(Kept::OnThisDevice));
    // Typed meanwhile, and after a restart: it goes with the next request, not with this one.
    let device = tablet.reopened(device).await;
    device.measure(home, door(713)).await.unwrap();
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.exchanges), (2, 2));
    let requests = server.state().requests.clone();
    assert_eq!(requests[1], requests[2]);
    assert_ne!(requests[2], requests[3]);
}

#[tokio::test]
async fn a_captive_portal_a_forger_and_a_dead_line_change_nothing() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 3);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    for (line, expected) in [
        (Line::Portal, LinkError::NotOurServer),
        (Line::Forged, LinkError::Tampered),
        (Line::Dead, LinkError::Offline("no signal".to_owned())),
    ] {
        server.state().line = line;
        match device.sync(&tablet.link()).await {
            Err(DeviceError::Link(error)) => assert_eq!(error, expected),
            other => panic!("{line:?}: {other:?}"),
        }
        let state = device.state(home).await.unwrap();
        assert_eq!((state.kept, state.unsent), (Some(Kept::OnThisDevice), 1));
    }
    server.state().line = Line::Good;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
}

#[tokio::test]
async fn two_people_see_their_clash_and_one_settles_it_by_name() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let (one, other) = (Tablet::new(&server, 4), Tablet::new(&server, 5));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ana.measure(home, door(712)).await.unwrap();
    let bens = ben.measure(home, door(737)).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    for device in [&ana, &ben] {
        let clashes = device.clashes(case).await.unwrap();
        assert_eq!(clashes.len(), 1);
        let values: Vec<_> = clashes[0].values.iter().map(|value| value.value.as_str()).collect();
        assert_eq!(values, ["712 mm", "737 mm"]);
    }
    ana.settle(home, vec![], bens, "measured again together".to_owned()).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    assert!(ana.clashes(case).await.unwrap().is_empty() && ben.clashes(case).await.unwrap().is_empty());
    assert_eq!(view(&ana, home).await, view(&ben, home).await);
}

#[tokio::test]
async fn what_a_days_bound_puts_off_waits_without_a_notice_and_goes_up_another_day() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 7);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().refuse = vec![(home, crate::guard::Refusal::Later)];
    device.measure(home, door(712)).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Visited.")).await.unwrap();
    // Once in a sync, however often it is said; and in the next one again, with what was typed since.
    for (waiting, receipted) in [(1, 1), (2, 0)] {
        let requests = server.state().requests.len();
        let report = device.sync(&tablet.link()).await.unwrap();
        assert_eq!((report.refused, report.receipted), (vec![], receipted));
        assert_eq!(server.state().requests.len(), requests + 1);
        let state = device.state(home).await.unwrap();
        assert_eq!((state.kept, state.unsent, state.refused), (Some(Kept::OnThisDevice), waiting, 0));
        assert!(device.notices().await.unwrap().is_empty());
        device.measure(home, door(713)).await.unwrap();
    }
    // A case that is to go does not take with it what nobody else has.
    server.state().purge = vec![case];
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged, []);
    server.state().refuse.clear();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.purged), (3, vec![case]));
    assert_eq!(server.state().documents[&home].view().records.len(), 3);
}

#[tokio::test]
async fn what_is_asked_of_a_version_that_a_days_bound_puts_off_waits_with_it_and_is_granted_another_day() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 18);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().refuse = vec![(clinical, crate::guard::Refusal::Later)];
    device.note(clinical, NoteInput::new(Section::Visit, "Visited.")).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    server.state().line = Line::Good;
    // Asked behind a request that goes again as it was, or with its version: what else is asked has its answer.
    for (asks, exchanges) in [(1, 2), (2, 1)] {
        device.complete_assessment(clinical).await.unwrap();
        device.measure(home, door(712)).await.unwrap();
        device.release(home, "She agreed at the visit.").await.unwrap();
        let report = device.sync(&tablet.link()).await.unwrap();
        assert_eq!((report.granted, report.denied, report.exchanges), (1, 0, exchanges));
        assert_eq!(device.status().await.unwrap().waiting.asks, asks);
    }
    // Closed, the case would take it in no more.
    device.close_case(case, "Moved away").await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().granted, 0);
    assert!(device.notices().await.unwrap().is_empty());
    // Nor does it keep the case from going once the server has all of it.
    server.state().purge = vec![case];
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged, []);
    server.state().refuse.clear();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.granted, report.denied, report.purged), (1, 3, 0, vec![case]));
}

#[tokio::test]
async fn what_is_left_open_is_asked_again_before_what_was_asked_behind_it() {
    let server = Server::new();
    let (case, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 19);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Visited.")).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    server.state().full = 2;
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.close_case(case, "Moved away").await.unwrap();
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.granted, report.exchanges), (2, 2));
    let asks = server.state().asks.clone();
    assert!(matches!(asks[..], [Request::CompleteAssessment { .. }, Request::CloseCase { .. }]), "{asks:?}");
}

#[tokio::test]
async fn photos_follow_the_text_and_are_fetched_by_others_when_looked_at() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let (one, other) = (Tablet::new(&server, 8), Tablet::new(&server, 9));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    let (key, hash) = ana.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    assert_eq!(ana.photos(home).await.unwrap()[0].kept, Kept::OnThisDevice);
    let report = ana.sync(&one.link()).await.unwrap();
    assert_eq!((report.photos_sent, report.photos_waiting), (1, 0));
    assert_eq!(ana.photos(home).await.unwrap()[0].kept, Kept::ServerHas);
    assert_eq!(ana.sync(&one.link()).await.unwrap().photos_sent, 0);
    ben.sync(&other.link()).await.unwrap();
    assert_eq!(view(&ben, home).await.captions[&key], "The bathroom");
    assert!(matches!(ben.photo_bytes(None, home, hash).await, Err(DeviceError::NoSuchPhoto(_))));
    let bytes = ben.photo_bytes(Some(&other.link()), home, hash).await.unwrap();
    assert_eq!(crate::id::Hash::of(&bytes), hash);
    server.state().line = Line::Dead;
    assert_eq!(ben.photo_bytes(Some(&other.link()), home, hash).await.unwrap(), bytes);
    // Somebody else's bytes under this hash are not believed.
    server.state().line = Line::Good;
    let wrong = crate::id::Hash::of(b"another");
    server.state().photos.insert((home, wrong), b"not that".to_vec());
    let tampered = ben.photo_bytes(Some(&other.link()), home, wrong).await;
    assert!(matches!(tampered, Err(DeviceError::Link(LinkError::Tampered))));
}

#[tokio::test]
async fn a_prescription_is_submitted_only_when_nothing_blocks_it() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 10);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let weight = Field::named("person.weight").unwrap();
    device.set(clinical, None, weight, Value::Number(120)).await.unwrap();
    let reading = device.measure(home, door(712)).await.unwrap();
    let prescription = device.prescribe(case).await.unwrap();
    assert!(matches!(device.submit(prescription).await, Err(DeviceError::NothingThere(_))));
    let item = device.prescribe_item(prescription, ItemKind::Stairlift).await.unwrap();
    let load = Field::named("item.required-load").unwrap();
    device.set(prescription, Some(item), load, Value::Number(100)).await.unwrap();
    let input = DimensionInput {
        item,
        field: Field::named("stairlift.clear-width-remaining").unwrap(),
        mm: 450,
        tolerance: Tolerance::Min,
        cites: vec![Cite { document: home, key: reading }],
    };
    device.dimension(prescription, input).await.unwrap();
    match device.submit(prescription).await {
        Err(DeviceError::Findings(findings)) => {
            let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
            assert!(said.iter().any(|words| words.contains("100 kg")), "{said:?}");
            assert!(said.iter().any(|words| words.contains("Route")), "{said:?}");
        }
        other => panic!("{other:?}"),
    }
    device.set(prescription, Some(item), load, Value::Number(130)).await.unwrap();
    let route = Field::named("prescription.route").unwrap();
    device.set(prescription, None, route, Value::Choice("dfg".to_owned())).await.unwrap();
    device.submit(prescription).await.unwrap();
    assert_eq!(device.prescribed(prescription).await.unwrap(), [ItemKind::Stairlift]);
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.granted, report.exchanges), (1, 1));
    assert_eq!(server.state().reads, 0, "to name a prescription by its items is not to read it");
    let heads = server.state().documents[&prescription].heads();
    assert_eq!(server.state().asks, [Request::Submit { document: prescription, heads }]);
    assert!(device.pending_asks().await.unwrap().is_empty());
    let names: Vec<String> = device.documents(case).await.unwrap().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["home", "clinical", "prescription:1"]);
}

#[tokio::test]
async fn a_visit_nobody_planned_starts_offline_and_its_case_is_opened_first() {
    let server = Server::new();
    let tablet = Tablet::new(&server, 11);
    let device = tablet.enrolled().await;
    server.state().line = Line::Dead;
    let case = device.start_visit("Fred Fictional", "2 Made Up Street", Some("1941-02-03")).await.unwrap();
    let documents = device.documents(case).await.unwrap();
    let home = documents.iter().find(|document| document.kind == Kind::Home).unwrap().document;
    device.measure(home, door(700)).await.unwrap();
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!(report.receipted, 1);
    assert!(matches!(server.state().asks[..], [Request::OpenCase(_)]));
    assert!(matches!(device.start_visit("", "x", None).await, Err(DeviceError::NothingThere(_))));
    assert!(matches!(device.start_visit("A", "x", Some("3.2.1941")).await, Err(DeviceError::NothingThere(_))));
}

#[tokio::test]
async fn a_clock_ten_years_off_breaks_nothing_and_its_offset_is_told() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 12);
    let ten_years = 10 * 365 * 86_400_000;
    tablet.clock.0.store(NOW + ten_years, Ordering::Relaxed);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let key: Key = device.measure(home, door(712)).await.unwrap();
    let stamp = view(&device, home).await.records[&key].at;
    let offset = stamp.offset.unwrap();
    assert!((ten_years..ten_years + 60_000).contains(&offset));
    tablet.clock.0.store(NOW - ten_years, Ordering::Relaxed);
    let device = tablet.reopened(device).await;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
}

#[tokio::test]
async fn what_was_read_is_handed_in_once() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 13);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    view(&device, home).await;
    view(&device, home).await;
    device.sync(&tablet.link()).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().reads, 2);
}

#[tokio::test]
async fn a_watcher_is_told_and_a_wrong_document_or_person_is_typed() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 14);
    let device = tablet.enrolled().await;
    let unknown = DocumentId::from_bytes([9; 17]);
    assert!(matches!(device.measure(unknown, door(1)).await, Err(DeviceError::NoSuchDocument(_))));
    assert!(matches!(device.card(CaseId::from_bytes([9; 16])).await, Err(DeviceError::NoSuchCase(_))));
    server.state().cards[0].documents[0].writable = false;
    device.sync(&tablet.link()).await.unwrap();
    assert!(matches!(device.measure(home, door(1)).await, Err(DeviceError::NotAllowed)));
    assert!(matches!(device.survey(case).await, Err(DeviceError::NotAllowed)));
    server.state().cards[0].documents[0].writable = true;
    device.sync(&tablet.link()).await.unwrap();
    let mut events = device.watch();
    assert!(matches!(device.measure(home, door(i32::MAX)).await, Err(DeviceError::Unfit(_))));
    device.measure(home, door(712)).await.unwrap();
    assert_eq!(events.try_recv().unwrap(), Event::Document { case, document: home });
    let again = device.enrol(&tablet.link(), &server.text(), "x").await;
    assert!(matches!(again, Err(DeviceError::AlreadyEnrolled(_))));
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 15);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    // A change whose dependency never came.
    let mut row = device.reader().document(home).await.unwrap().unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.measure(home, door(713)).await.unwrap();
    let mut write = rows::Writer::begin(&device.store).await.unwrap();
    let changes = write.group::<rows::ChangeRow>(Shelf::Change, home.as_bytes(), 0).await.unwrap();
    write.0.remove_n(Shelf::Change, changes[0].0).await.unwrap();
    row.changes = 1;
    write.commit().await.unwrap();
    assert!(matches!(device.open_document(home).await, Err(DeviceError::SetAside(_))));
    assert!(device.state(home).await.unwrap().set_aside.is_some());
    assert!(matches!(device.notices().await.unwrap()[..], [(_, Notice::SetAside { .. })]));
    device.note(clinical, NoteInput::new(Section::Visit, "Visited.")).await.unwrap();
    device.findings(case).await.unwrap();
}

#[tokio::test]
async fn an_edit_on_a_full_disk_is_typed_and_changes_nothing() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 17);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let before = view(&device, home).await;
    device.store.leave_room_for(4).await;
    let long = "x".repeat(8_000);
    let full = loop {
        // The pages in use have some room left; each entry takes more than one.
        match device.note(home, NoteInput::new(Section::Property, long.clone())).await {
            Ok(_) => continue,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, DeviceError::Store(StoreError::DiskFull)), "{full:?}");
    let unsent = device.state(home).await.unwrap().unsent;
    device.store.leave_room_for(10_000).await;
    let now = view(&device, home).await;
    assert_eq!(now.records.len(), unsent);
    assert!(before.records.iter().all(|(key, record)| now.records[key] == *record));
    device.measure(home, door(713)).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, unsent + 1);
}
