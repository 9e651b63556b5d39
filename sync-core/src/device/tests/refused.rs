//! Work that the server refuses: what is right of it goes through, what is not is kept and shown.

use super::*;
use crate::device::rows::OutboxRow;
use crate::device::sync::Done;
use crate::domain::edit::Edit;
use crate::domain::record::{Body, Cite};
use crate::guard::Refusal;

fn note(words: &str) -> NoteInput {
    NoteInput::new(Section::Visit, words)
}

async fn words(device: &Device, document: DocumentId) -> Vec<String> {
    view(device, document).await.notes().map(|(_, note)| note.text.clone()).collect()
}

/// One step of something; whether it is done.
async fn step(work: &mut (impl Future<Output = Result<(), DeviceError>> + Unpin)) -> bool {
    tokio::task::yield_now().await;
    let mut polled = std::pin::pin!(work);
    std::future::poll_fn(|context| std::task::Poll::Ready(polled.as_mut().poll(context).is_ready())).await
}

/// What the server has of a document and what the device has of it are the same, and nothing waits.
async fn is_settled(server: &Server, device: &Device, document: DocumentId) {
    assert_eq!(view(device, document).await, server.state().documents[&document].view());
    let state = device.state(document).await.unwrap();
    assert_eq!((state.kept, state.unsent), (Some(Kept::ServerHas), 0));
}

#[tokio::test]
async fn a_refused_note_is_shown_with_its_reason_and_everything_typed_around_it_goes_through_in_the_same_sync() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 40);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().forbidden = Some(b"words nobody may write");
    device.note(clinical, note("Before.")).await.unwrap();
    let bad = device.note(clinical, note("These are words nobody may write.")).await.unwrap();
    let good = device.note(clinical, note("After.")).await.unwrap();
    let rests = NoteInput { addendum_to: Some(bad), ..note("More on that.") };
    device.note(clinical, rests).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let before = view(&device, clinical).await;

    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.refused.as_slice(), report.replayed, report.receipted), ([clinical].as_slice(), 2, 3));
    assert_eq!(report.exchanges, 2);
    assert_eq!(words(&device, clinical).await, ["Before.", "After."]);
    is_settled(&server, &device, clinical).await;
    is_settled(&server, &device, home).await;
    // As it was done: its key, its time.
    let now = view(&device, clinical).await;
    assert_eq!(now.records[&good], before.records[&good]);

    let refused = device.refused_work().await.unwrap();
    let told: Vec<(&Refusal, &Edit)> = refused.iter().map(|work| (&work.reason, &work.edits[0])).collect();
    assert!(
        matches!(told[0], (Refusal::Unfit { at: 1, .. }, Edit::Add(Body::Note(note))) if note.text.contains("nobody"))
    );
    assert!(matches!(told[1], (Refusal::Blocked, Edit::Add(Body::Note(note))) if note.text == "More on that."));
    assert_eq!((refused.len(), refused[0].at), (2, before.records[&bad].at));
    assert!(refused.iter().all(|work| work.quarantine.is_some()));
    let notices = device.notices().await.unwrap();
    assert!(matches!(notices[..], [(_, Notice::Refused { reason: Refusal::Unfit { .. }, .. })]), "{notices:?}");
    assert_eq!(device.status().await.unwrap().waiting.refused, 2);
    assert_eq!(device.state(clinical).await.unwrap().refused, 2);

    // It is there until it was seen, also after a restart; then it is not, and nothing is sent again.
    let device = tablet.reopened(device).await;
    for work in device.refused_work().await.unwrap() {
        assert!(device.dismiss_refused(work.change).await.unwrap());
        assert!(!device.dismiss_refused(work.change).await.unwrap());
    }
    assert!(device.refused_work().await.unwrap().is_empty());
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
    assert_eq!(server.state().quarantine.len(), 1);
}

#[tokio::test]
async fn what_is_not_allowed_any_more_is_kept_to_be_read_and_holds_nothing_else_up() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 41);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().refuse = vec![(home, Refusal::NotAllowed)];
    device.measure(home, door(712)).await.unwrap();
    device.write_text(home, SharedText::Summary, "Narrow hall.".to_owned()).await.unwrap();
    device.note(clinical, note("Visited.")).await.unwrap();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.refused.as_slice(), report.receipted, report.replayed), ([home].as_slice(), 1, 0));
    let kept = device.refused_work().await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|work| work.reason == Refusal::NotAllowed && work.document == home));
    assert!(matches!(&kept[1].edits[0], Edit::Splice { insert, .. } if insert == "Narrow hall."));
    // What the document shows is what the server has; one notice tells.
    assert!(view(&device, home).await.records.is_empty());
    assert_eq!(device.notices().await.unwrap().len(), 1);
    let requests = server.state().requests.len();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().requests.len(), requests + 1);
    assert_eq!(server.state().quarantine.len(), 1);
    // The right comes back: what is typed from then on goes through.
    server.state().refuse.clear();
    device.measure(home, door(713)).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
    assert_eq!(device.refused_work().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_refusal_that_names_no_change_is_narrowed_down_until_only_the_one_is_left_out() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 42);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    {
        let mut state = server.state();
        state.forbidden = Some(b"too much");
        state.unnamed = true;
    }
    for words in ["One.", "This is too much.", "Three.", "Four."] {
        device.note(clinical, note(words)).await.unwrap();
    }
    // The first sync learns that something is wrong and hands in what comes before it, the second the rest.
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().documents[&clinical].view().notes().count(), 1);
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(words(&device, clinical).await, ["One.", "Three.", "Four."]);
    is_settled(&server, &device, clinical).await;
    let [refused] = device.refused_work().await.unwrap().try_into().unwrap();
    assert!(matches!(&refused.edits[0], Edit::Add(Body::Note(note)) if note.text == "This is too much."));
    // And what is typed next goes as one push again.
    for words in ["Five.", "Six."] {
        device.note(clinical, note(words)).await.unwrap();
    }
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
    is_settled(&server, &device, clinical).await;
}

#[tokio::test]
async fn a_server_that_refuses_the_form_again_and_again_ends_with_the_words_kept_and_no_endless_loop() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 43);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().refuse = vec![(home, Refusal::Sequence { at: 0, found: 1, expected: 2 })];
    device.measure(home, door(712)).await.unwrap();
    for _ in 0..3 {
        let report = device.sync(&tablet.link()).await.unwrap();
        assert_eq!((report.replayed, device.refused_work().await.unwrap().len()), (1, 0));
        assert!(report.exchanges <= 2, "{report:?}");
    }
    for _ in 0..2 {
        device.sync(&tablet.link()).await.unwrap();
    }
    assert_eq!(device.refused_work().await.unwrap().len(), 1);
    let requests = server.state().quarantine.len();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().quarantine.len(), requests);
    // The fork that was tried last is a number that was not used before: once the server takes it, all is well.
    server.state().refuse.clear();
    device.measure(home, door(713)).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
}

#[tokio::test]
async fn two_peoples_words_in_one_text_are_both_there_after_a_refusal_and_in_their_places() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let (one, other) = (Tablet::new(&server, 44), Tablet::new(&server, 45));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    ana.write_text(home, SharedText::Summary, "The hall is narrow. The bath is high.".to_owned()).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    for words in [
        "The hall is narrow. The bath is high. Mind the dog.",
        "Beware! The hall is narrow. The bath is high. Mind the dog.",
    ] {
        ben.write_text(home, SharedText::Summary, words.to_owned()).await.unwrap();
    }
    ben.sync(&other.link()).await.unwrap();
    server.state().forbidden = Some(b"wrong room");
    let reading = ana.measure(home, door(712)).await.unwrap();
    ana.strike(home, reading, "wrong room".to_owned()).await.unwrap();
    ana.write_text(home, SharedText::Summary, "The hall is very narrow. The bath is high.".to_owned()).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    is_settled(&server, &ana, home).await;
    let now = view(&ana, home).await;
    let text = &now.texts[&SharedText::Summary];
    assert!(text.contains("hall is very narrow. The bath is high. Mind the dog."), "{text}");
    assert!(text.starts_with("Beware"), "{text}");
    assert_eq!(now.records.len(), 1);
    assert_eq!(ana.refused_work().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_photo_and_a_submission_follow_their_records_into_the_new_fork() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 46);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().forbidden = Some(b"wrong room");
    let reading = device.measure(home, door(712)).await.unwrap();
    let wrong = device.measure(home, MeasureInput { supersedes: Replace::None, ..door(1) }).await.unwrap();
    device.strike(home, wrong, "wrong room".to_owned()).await.unwrap();
    let (_, hash) = device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    // Asked for while the refused change waits before it: the version that it is about has another name afterwards.
    device.note(clinical, note("Seen.")).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    server.state().line = Line::Dead;
    device.sync(&tablet.link()).await.unwrap_err();
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.photos_sent, report.photos_waiting), (1, 0));
    assert_eq!(device.photos(home).await.unwrap()[0].kept, Kept::ServerHas);
    assert!(server.state().photos.contains_key(&(home, hash)));
    assert!(view(&device, home).await.records.contains_key(&reading));
    assert_eq!(device.documents(case).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_photo_whose_record_was_refused_is_never_sent_and_goes_when_its_person_has_seen_it() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 47);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().refuse = vec![(home, Refusal::NotAllowed)];
    device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    for _ in 0..2 {
        let report = device.sync(&tablet.link()).await.unwrap();
        assert_eq!((report.photos_sent, report.photos_waiting), (0, 1));
    }
    assert!(server.state().photos.is_empty());
    let [refused] = device.refused_work().await.unwrap().try_into().unwrap();
    device.dismiss_refused(refused.change).await.unwrap();
    assert_eq!(device.store.count(Shelf::PhotoBytes).await.unwrap(), 0);
    assert_eq!(device.sync(&tablet.link()).await.unwrap().photos_waiting, 0);
}

#[tokio::test]
async fn a_replay_that_is_cut_off_changes_nothing_and_is_done_at_the_next_sync() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 48);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().forbidden = Some(b"nobody");
    for words in ["One.", "nobody", "Three."] {
        device.note(clinical, note(words)).await.unwrap();
    }
    let long = "x".repeat(7_900);
    for _ in 0..4 {
        device.note(clinical, note(&long)).await.unwrap();
    }
    let all = words(&device, clinical).await;
    // The power goes when the refusal is stored and nothing is done again yet.
    device.round(&tablet.link(), false, &mut Done::default(), &mut SyncReport::default()).await.unwrap();
    let device = tablet.reopened(device).await;
    assert_eq!(words(&device, clinical).await, all);
    let waiting = device.reader().group::<OutboxRow>(Shelf::Outbox, clinical.as_bytes(), 0).await.unwrap();
    assert_eq!(waiting.len(), 7);
    // And again anywhere in the replay: all of it, or nothing.
    let mut cuts = 0;
    for steps in (0..24).map(|doubled| 1_usize << doubled) {
        let (mut replayed, mut report) = (Default::default(), SyncReport::default());
        let mut replay = Box::pin(device.replay_refused(&mut replayed, &mut report));
        let mut done = false;
        for _ in 0..steps {
            done = step(&mut replay).await;
            if done {
                break;
            }
        }
        drop(replay);
        if done || !device.refused_work().await.unwrap().is_empty() {
            break;
        }
        cuts += 1;
        assert_eq!(words(&device, clinical).await, all, "cut off after {steps} steps");
        let waiting = device.reader().group::<OutboxRow>(Shelf::Outbox, clinical.as_bytes(), 0).await.unwrap();
        assert_eq!(waiting.len(), 7, "cut off after {steps} steps");
    }
    assert!(cuts > 2, "{cuts}");
    device.sync(&tablet.link()).await.unwrap();
    is_settled(&server, &device, clinical).await;
    assert_eq!(words(&device, clinical).await.len(), 6);
    assert_eq!(device.refused_work().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_server_lost_is_handed_in_again_and_what_waited_follows_it() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 49);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    for value in [712, 713] {
        device.measure(home, door(value)).await.unwrap();
    }
    device.sync(&tablet.link()).await.unwrap();
    // A backup from before is put back.
    server.state().documents.remove(&home);
    device.measure(home, door(714)).await.unwrap();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.refused.len(), report.receipted, report.exchanges), (0, 3, 2));
    is_settled(&server, &device, home).await;
    assert_eq!(view(&device, home).await.records.len(), 3);
    assert!(device.refused_work().await.unwrap().is_empty());
}

/// The prescription rests on a reading of the same hour, and both wait.
#[tokio::test]
async fn a_citation_of_what_was_refused_is_a_finding_and_no_loss() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 50);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let reading = device.measure(home, door(712)).await.unwrap();
    let prescription = device.prescribe(case).await.unwrap();
    let item = device.prescribe_item(prescription, ItemKind::Stairlift).await.unwrap();
    let input = DimensionInput {
        item,
        field: Field::named("stairlift.clear-width-remaining").unwrap(),
        mm: 450,
        tolerance: Tolerance::Min,
        cites: vec![Cite { document: home, key: reading }],
    };
    device.dimension(prescription, input).await.unwrap();
    server.state().refuse = vec![(home, Refusal::NotAllowed)];
    device.sync(&tablet.link()).await.unwrap();
    is_settled(&server, &device, prescription).await;
    let findings = device.findings(case).await.unwrap();
    assert!(!findings.is_empty());
    assert_eq!(device.refused_work().await.unwrap().len(), 1);
}
