//! A device that does not hear of its server for too long.

use std::sync::atomic::AtomicU64;

use super::rows::Writer;
use super::store::MemoryDisk;
use super::*;

const HOUR: i64 = 3_600_000;
const MINUTE: u64 = 60_000;

/// A wall clock that stands still, and a run's own that goes on.
#[derive(Debug, Default)]
struct Stopwatch(AtomicU64);

impl Stopwatch {
    fn move_by(&self, minutes: u64) {
        self.0.fetch_add(minutes * MINUTE, Ordering::Relaxed);
    }
}

impl Clock for Stopwatch {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW)
    }

    fn elapsed(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A store on a file, with nothing in it yet.
async fn created(tablet: &Tablet, clock: &Arc<Stopwatch>) -> Device {
    let chance = Box::new(Seeded::new(tablet.seed));
    Device::create(&tablet.path(), &Tablet::unlock(), clock.clone(), chance).await.unwrap()
}

/// A store in memory, as it was left.
async fn opened(disk: &MemoryDisk, clock: &Arc<Stopwatch>) -> Device {
    let mut chance = Seeded::new(83);
    let store = Store::in_memory(disk, &mut chance).await.unwrap();
    Device::over(store, clock.clone(), Box::new(chance)).await.unwrap()
}

/// Enrols a device with a case and a lease of so many hours, which has just begun.
async fn lease(device: &Device, hours: u16) {
    let server = Server::new();
    server.case(Role::Ot);
    server.state().lease_hours = Some(hours);
    device.enrol(&Link::over(server.clone()), &server.text(), "tablet").await.unwrap();
    device.sync(&Link::over(server)).await.unwrap();
}

#[tokio::test]
async fn after_a_week_offline_the_visit_goes_on_other_cases_wait_and_the_first_contact_opens_them() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().lease_hours = Some(168);
    let tablet = Tablet::new(&server, 80);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(device.status().await.unwrap().lease, Lease::Open);
    tablet.clock.move_by(150 * HOUR);
    assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 18 });
    device.open_document(home).await.unwrap();
    tablet.clock.move_by(18 * HOUR);
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
    // Opened in this run: it is written to its end.
    device.measure(home, door(712)).await.unwrap();
    // A clock set back, and a restart, open nothing; what waits to be handed in keeps its case open.
    tablet.clock.move_by(-10 * 365 * 24 * HOUR);
    let device = tablet.reopened(device).await;
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
    device.note(clinical, NoteInput::new(Section::Visit, "Still here.")).await.unwrap();
    // With nothing waiting, the case stays closed.
    tablet.clock.move_by(10 * 365 * 24 * HOUR);
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 2);
    assert_eq!(device.lease().await.unwrap(), Lease::Open);
    tablet.clock.move_by(200 * HOUR);
    let device = tablet.reopened(device).await;
    for _ in 0..2 {
        assert!(matches!(device.open_document(home).await, Err(DeviceError::LeaseOver)));
        assert!(matches!(device.measure(home, door(713)).await, Err(DeviceError::LeaseOver)));
    }
    // A visit that begins now is one of this device's own.
    let case = device.start_visit("Fred Fictional", "2 Made Up Street", None).await.unwrap();
    let begun = device.documents(case).await.unwrap()[0].document;
    device.open_document(begun).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(view(&device, home).await.records.len(), 1);
}

#[tokio::test]
async fn of_a_case_that_the_lease_closed_the_list_says_that_it_exists_and_nothing_else_opens() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let (other, other_home, _) = server.another_case(Role::Ot, 78);
    server.state().lease_hours = Some(168);
    let tablet = Tablet::new(&server, 81);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let (_, hash) = device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    let prescription = device.prescribe(case).await.unwrap();
    device.prescribe_item(prescription, ItemKind::GrabRail).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Forbidden words.")).await.unwrap();
    server.state().forbidden = Some(b"Forbidden");
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(device.refused_work().await.unwrap().len(), 1);
    // What is asked there is refused, in words about what was typed.
    server.state().denies = true;
    device.note(clinical, NoteInput::new(Section::Visit, "Nothing else.")).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    device.close_case(other, "Moved away").await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let told = device.notices().await.unwrap();
    let of_clinical = told.iter().filter(|(_, notice)| notice.repeats() == Some(clinical)).count();
    assert_eq!((told.len(), of_clinical), (3, 2), "the note, the assessment, and what no document's words are in");
    device.open_document(other_home).await.unwrap();
    let whole = device.cases().await.unwrap();
    tablet.clock.move_by(200 * HOUR);

    let cards = device.cases().await.unwrap();
    assert_eq!(cards.iter().map(|card| card.case).collect::<Vec<_>>(), [case, other]);
    // The visit that is open is there with all its particulars; of what was not opened since, only that it exists.
    assert_eq!(cards, whole, "everything was opened in this run");
    let device = tablet.reopened(device).await;
    device.measure(other_home, door(712)).await.unwrap_err();
    let cards = device.cases().await.unwrap();
    for card in &cards {
        let text = serde_json::to_string(card).unwrap();
        assert!(text.contains(&card.case.to_string()) && !text.contains("Fictional") && !text.contains("Made Up"));
        assert!(card.documents.is_empty() && card.people.is_empty() && card.prescriptions.is_empty());
    }
    let status = device.status().await.unwrap();
    assert_eq!((status.cases, status.waiting.refused, status.lease), (2, 1, Lease::Closed));
    let link = tablet.link();
    let shut = [
        device.card(case).await.map(drop),
        device.documents(case).await.map(drop),
        device.findings(case).await.map(drop),
        device.clashes(case).await.map(drop),
        device.open_document(clinical).await.map(drop),
        device.photos(home).await.map(drop),
        device.photo_bytes(None, home, hash).await.map(drop),
        device.photo_bytes(Some(&link), home, hash).await.map(drop),
        device.prescribed(prescription).await.map(drop),
        device.prescription_findings(prescription).await.map(drop),
        device.begin(case, Kind::Prescription).await.map(drop),
        device.close_case(case, "Moved away").await.map(drop),
        device.release(home, "She said yes").await.map(drop),
        device.measure(home, door(712)).await.map(drop),
    ];
    for (at, answer) in shut.iter().enumerate() {
        assert!(matches!(answer, Err(DeviceError::LeaseOver)), "{at}: {answer:?}");
    }
    assert!(device.refused_work().await.unwrap().is_empty() && device.asked().await.unwrap().is_empty());
    let still = device.notices().await.unwrap();
    assert!(matches!(&still[..], [(_, Notice::AskRefused { document: None, .. })]), "{still:?}");

    device.sync(&link).await.unwrap();
    assert_eq!(device.cases().await.unwrap(), whole);
    assert_eq!(device.refused_work().await.unwrap().len(), 1);
    assert_eq!((device.notices().await.unwrap(), device.asked().await.unwrap().len()), (told, 2));
    assert_eq!(crate::id::Hash::of(&device.photo_bytes(None, home, hash).await.unwrap()), hash);
}

#[tokio::test]
async fn a_contact_that_comes_while_the_lease_is_looked_at_opens_it_and_nothing_shuts_it_again() {
    let (tablet, clock) = (Tablet::new(&Server::new(), 82), Arc::new(Stopwatch::default()));
    let device = created(&tablet, &clock).await;
    lease(&device, 168).await;
    clock.move_by(200 * 60);
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
    // As a reply is applied: the store hears of it, and the run counts anew a moment later.
    let contact = async {
        let mut write = Writer::begin(&device.store).await.unwrap();
        write.heard(Timestamp::from_millis(NOW + 1), None).await.unwrap();
        write.commit().await.unwrap();
    };
    // Whoever waits for the store gets it in turn.
    let held = Writer::begin(&device.store).await.unwrap();
    let (shut, (), ()) = tokio::join!(device.shut(), contact, async { drop(held) });
    let case = device.cases().await.unwrap()[0].case;
    assert!(!shut.unwrap().holds(case));
    assert_eq!(device.lease().await.unwrap(), Lease::Open);
    // The count of this run goes on from there.
    device.shut().await.unwrap();
    clock.move_by(167 * 60);
    assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 1 });
}

#[tokio::test]
async fn runs_of_a_few_minutes_use_the_lease_up_as_one_long_run_does_and_killing_them_does_not_help() {
    // Closed as it should be, each run counts the four minutes that it took; killed, one.
    for (killed, runs) in [(false, 15), (true, 60)] {
        let (disk, clock) = (MemoryDisk::default(), Arc::new(Stopwatch::default()));
        let mut device = opened(&disk, &clock).await;
        lease(&device, 1).await;
        for run in 0..runs {
            assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 1 }, "{killed} {run}");
            if killed {
                drop(device);
            } else {
                clock.move_by(4);
                device.close().await.unwrap();
            }
            device = opened(&disk, &clock).await;
        }
        assert_eq!(device.lease().await.unwrap(), Lease::Closed, "{killed}");
    }
}

#[tokio::test]
async fn where_there_is_no_room_to_note_that_it_was_opened_a_device_opens_and_counts_from_there() {
    let (disk, clock) = (MemoryDisk::default(), Arc::new(Stopwatch::default()));
    let device = opened(&disk, &clock).await;
    lease(&device, 1).await;
    drop(device);
    disk.fills_in(1);
    let device = opened(&disk, &clock).await;
    assert_eq!(device.cases().await.unwrap().len(), 1);
    clock.move_by(59);
    assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 1 });
    clock.move_by(1);
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
}

#[tokio::test]
async fn where_there_is_no_room_to_note_what_was_counted_the_cases_are_still_listed_and_the_count_goes_on() {
    let (disk, clock) = (MemoryDisk::default(), Arc::new(Stopwatch::default()));
    let device = opened(&disk, &clock).await;
    lease(&device, 1).await;
    let case = device.cases().await.unwrap()[0].case;
    for minutes in [5, 54] {
        clock.move_by(minutes);
        disk.fills_in(1);
        assert_eq!(device.cases().await.unwrap().len(), 1);
        disk.fills_in(1);
        assert_eq!(device.documents(case).await.unwrap().len(), 2);
        assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 1 });
    }
    clock.move_by(1);
    disk.fills_in(1);
    assert!(matches!(device.card(case).await, Err(DeviceError::LeaseOver)), "unwritten, it counts all the same");
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
}
