//! A device that was copied: both copies are stopped, enrolled anew, and nothing that was typed on either is lost.

use super::*;
use crate::domain::record::{Body, SharedText};

/// The store's files, copied while nobody has it open.
fn copied(from: &Tablet, server: &Server, seed: u64) -> Tablet {
    let copy = Tablet::new(server, seed);
    for suffix in ["", "-wal", "-shm"] {
        let of = |tablet: &Tablet| PathBuf::from(format!("{}{suffix}", tablet.path().display()));
        if of(from).exists() {
            std::fs::copy(of(from), of(&copy)).unwrap();
        }
    }
    copy
}

async fn open(tablet: &Tablet) -> Device {
    let chance = Box::new(Seeded::new(tablet.seed + 2000));
    Device::open(&tablet.path(), &Tablet::unlock(), tablet.clock.clone(), chance).await.unwrap()
}

async fn words(device: &Device, document: DocumentId) -> Vec<String> {
    let mut words: Vec<String> = view(device, document).await.notes().map(|(_, note)| note.text.clone()).collect();
    words.sort_unstable();
    words
}

#[tokio::test]
async fn both_copies_of_a_store_are_enrolled_anew_and_every_word_of_both_arrives_once() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 70);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Before the copy, sent.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let both = device.note(clinical, NoteInput::new(Section::Visit, "Before the copy, waiting.")).await.unwrap();
    device.close().await.unwrap();
    let copy = copied(&tablet, &server, 71);
    let (one, other) = (open(&tablet).await, open(&copy).await);
    // The same keys and the same places in the order, for different things.
    let mine = one.note(clinical, NoteInput::new(Section::Visit, "On the first.")).await.unwrap();
    one.measure(home, door(712)).await.unwrap();
    let theirs = other.note(clinical, NoteInput::new(Section::Visit, "On the copy.")).await.unwrap();
    let more = NoteInput { addendum_to: Some(theirs), ..NoteInput::new(Section::Visit, "More on the copy.") };
    other.note(clinical, more).await.unwrap();
    let again = NoteInput { addendum_to: Some(both), ..NoteInput::new(Section::Visit, "More of before.") };
    other.note(clinical, again).await.unwrap();
    assert_eq!(mine, theirs);

    one.sync(&tablet.link()).await.unwrap();
    server.state().stopped = true;
    let refused = other.sync(&copy.link()).await;
    assert!(
        matches!(&refused, Err(DeviceError::Link(LinkError::Problem { kind, .. })) if kind.ends_with("device-stopped"))
    );
    one.measure(home, door(713)).await.unwrap();
    one.sync(&tablet.link()).await.unwrap_err();
    assert!(one.status().await.unwrap().stopped && other.status().await.unwrap().stopped);
    // Stopped, it goes on being written.
    other.note(clinical, NoteInput::new(Section::Visit, "While stopped.")).await.unwrap();

    server.state().stopped = false;
    for (device, tablet) in [(&other, &copy), (&one, &tablet)] {
        device.enrol(&tablet.link(), &server.text(), "anew").await.unwrap();
        assert!(!device.status().await.unwrap().stopped);
        device.sync(&tablet.link()).await.unwrap();
        assert_eq!(device.status().await.unwrap().waiting.changes, 0);
    }
    other.sync(&copy.link()).await.unwrap();
    assert!(server.state().quarantine.is_empty(), "nothing went up in the old name");
    let all = [
        "Before the copy, sent.",
        "Before the copy, waiting.",
        "More of before.",
        "More on the copy.",
        "On the copy.",
        "On the first.",
        "While stopped.",
    ];
    for device in [&one, &other] {
        assert_eq!(words(device, clinical).await, all);
        assert!(device.refused_work().await.unwrap().is_empty());
        for document in [home, clinical] {
            assert_eq!(view(device, document).await, server.state().documents[&document].view());
        }
    }
    // The references went with the records: to the new key where it is new, to the old one where the server had it.
    let now = view(&other, clinical).await;
    for record in now.records.values() {
        let Body::Note(note) = &record.body else { continue };
        let of = |key: Key| match &now.records[&key].body {
            Body::Note(of) => of.text.as_str(),
            _ => "",
        };
        match note.text.as_str() {
            "More on the copy." => assert_eq!(of(note.addendum_to.unwrap()), "On the copy."),
            "More of before." => assert_eq!(of(note.addendum_to.unwrap()), "Before the copy, waiting."),
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_was_typed_on_a_copy_that_is_cut_off_while_the_first_ones_work_comes_keeps_nothing_else_from_being_read() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 78);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.close().await.unwrap();
    let copy = copied(&tablet, &server, 79);
    let (one, other) = (open(&tablet).await, open(&copy).await);
    for (device, whose) in [(&one, "On the first."), (&other, "On the copy.")] {
        device.note(clinical, NoteInput::new(Section::Visit, whose)).await.unwrap();
        device.write_text(home, SharedText::Summary, whose.to_owned()).await.unwrap();
    }
    one.sync(&tablet.link()).await.unwrap();
    server.state().stopped = true;
    other.sync(&copy.link()).await.unwrap_err();
    server.state().stopped = false;
    other.enrol(&copy.link(), &server.text(), "anew").await.unwrap();
    // What the server has comes, and the line breaks behind it.
    server.state().line = Line::CutAfter(2);
    other.sync(&copy.link()).await.unwrap_err();
    server.state().line = Line::Good;
    let other = copy.reopened(other).await;
    assert_eq!(words(&other, clinical).await, ["On the first."]);
    assert_eq!(view(&other, home).await.texts[&SharedText::Summary], "On the first.");
    assert_eq!(other.status().await.unwrap().waiting.changes, 2, "it waits to be done again");
    // What is asked about this version, or written at a place in its text, would leave that out.
    assert!(matches!(other.complete_assessment(clinical).await, Err(DeviceError::WaitsForSync)));
    for words in ["Mind the dog.", "On the first."] {
        let written = other.write_text(home, SharedText::Summary, words.to_owned());
        assert!(matches!(written.await, Err(DeviceError::WaitsForSync)));
    }
    assert!(other.state(home).await.unwrap().set_aside.is_none());
    other.note(clinical, NoteInput::new(Section::Visit, "Meanwhile.")).await.unwrap();
    other.sync(&copy.link()).await.unwrap();
    assert_eq!(words(&other, clinical).await, ["Meanwhile.", "On the copy.", "On the first."]);
    let summary = view(&other, home).await.texts[&SharedText::Summary].clone();
    assert!(summary.contains("On the first.") && summary.contains("On the copy."), "{summary}");
    assert_eq!(view(&other, clinical).await, server.state().documents[&clinical].view());
    assert_eq!(other.status().await.unwrap().waiting.changes, 0);
}

#[tokio::test]
async fn a_copy_that_hears_the_answer_to_what_both_had_asked_reads_what_the_first_one_did_and_keeps_its_own() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 80);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Before the copy.")).await.unwrap();
    server.state().line = Line::Dead;
    device.sync(&tablet.link()).await.unwrap_err();
    device.close().await.unwrap();
    let copy = copied(&tablet, &server, 81);
    let (one, other) = (open(&tablet).await, open(&copy).await);
    one.note(clinical, NoteInput::new(Section::Visit, "On the first.")).await.unwrap();
    other.note(clinical, NoteInput::new(Section::Visit, "On the copy.")).await.unwrap();
    server.state().line = Line::Good;
    one.sync(&tablet.link()).await.unwrap();
    // The very request that the first one sent, byte for byte; then the line breaks, before the copy is noticed.
    server.state().line = Line::Once;
    other.sync(&copy.link()).await.unwrap_err();
    server.state().line = Line::Good;
    assert!(!other.status().await.unwrap().stopped);
    let other = copy.reopened(other).await;
    assert_eq!(words(&other, clinical).await, ["Before the copy.", "On the first."]);
    let state = other.state(clinical).await.unwrap();
    assert!(state.set_aside.is_none() && state.unsent == 1, "{state:?}");
    server.state().stopped = true;
    other.sync(&copy.link()).await.unwrap_err();
    server.state().stopped = false;
    other.enrol(&copy.link(), &server.text(), "anew").await.unwrap();
    other.sync(&copy.link()).await.unwrap();
    assert_eq!(words(&other, clinical).await, ["Before the copy.", "On the copy.", "On the first."]);
    assert_eq!(view(&other, clinical).await, server.state().documents[&clinical].view());
}

#[tokio::test]
async fn a_device_that_was_not_stopped_and_a_code_of_somebody_else_enrol_nothing() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 72);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let again = device.enrol(&tablet.link(), &server.text(), "x").await;
    assert!(matches!(again, Err(DeviceError::AlreadyEnrolled(_))));
    server.state().stopped = true;
    device.sync(&tablet.link()).await.unwrap_err();
    server.state().stopped = false;
    // Each enrolment of this server is another person's unless it is told otherwise.
    let other = device.enrol(&tablet.link(), &server.text(), "x").await;
    assert!(matches!(other, Err(DeviceError::OtherPerson { .. })), "{other:?}");
    let device = tablet.reopened(device).await;
    assert!(device.status().await.unwrap().stopped);
    assert_eq!(device.state(home).await.unwrap().unsent, 1);
}

#[tokio::test]
async fn a_new_enrolment_whose_first_sync_is_cut_off_does_nothing_twice() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 73);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Taken, its reply lost.")).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    server.state().line = Line::Good;
    server.state().stopped = true;
    device.sync(&tablet.link()).await.unwrap_err();
    device.note(clinical, NoteInput::new(Section::Visit, "Typed later.")).await.unwrap();
    server.state().stopped = false;
    device.enrol(&tablet.link(), &server.text(), "anew").await.unwrap();
    for line in [Line::Dead, Line::LosesReply, Line::Once] {
        server.state().line = line;
        device.sync(&tablet.link()).await.unwrap_err();
    }
    let device = tablet.reopened(device).await;
    server.state().line = Line::Good;
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(words(&device, clinical).await, ["Taken, its reply lost.", "Typed later."]);
    assert_eq!(view(&device, clinical).await, server.state().documents[&clinical].view());
}

/// Invariant 5: the server orders nothing purged that it does not know to be there.
#[tokio::test]
async fn a_case_whose_right_ended_while_the_device_was_stopped_leaves_it_once_it_is_enrolled_anew() {
    let server = Server::new();
    let (stays, _, _) = server.case(Role::Ot);
    let (ended, home, _) = server.another_case(Role::Ot, 78);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 74);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let visit = device.start_visit("Elsie Marsh", "4 Mill Lane", None).await.unwrap();
    server.state().stopped = true;
    device.sync(&tablet.link()).await.unwrap_err();
    {
        let mut state = server.state();
        state.stopped = false;
        state.cards.retain(|card| card.case != ended);
    }
    device.enrol(&tablet.link(), &server.text(), "anew").await.unwrap();
    server.state().line = Line::Once;
    device.sync(&tablet.link()).await.unwrap_err();
    let device = tablet.reopened(device).await;
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!(report.purged, [ended]);
    let here: Vec<CaseId> = device.cases().await.unwrap().into_iter().map(|card| card.case).collect();
    assert_eq!(here, [stays, visit]);
    // What was typed in it was handed in first; that it has gone was told.
    assert_eq!(server.state().quarantine, [1]);
    assert_eq!(server.state().purged, [ended]);
}

/// Invariant 1: what only the device had would go with its case.
#[tokio::test]
async fn work_that_may_not_be_done_again_is_on_the_server_before_it_counts_as_refused() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 75);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Typed too late.")).await.unwrap();
    server.state().stopped = true;
    device.sync(&tablet.link()).await.unwrap_err();
    {
        let mut state = server.state();
        state.stopped = false;
        state.cards[0].documents.retain(|listed| listed.document != clinical);
    }
    device.enrol(&tablet.link(), &server.text(), "anew").await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().quarantine, [1]);
    let refused = device.refused_work().await.unwrap();
    assert_eq!((refused.len(), refused[0].reason.clone()), (1, crate::guard::Refusal::NotAllowed));
    assert!(refused[0].quarantine.is_some());
    assert_eq!(device.status().await.unwrap().waiting.changes, 0);
}
