//! What is saved of a document so that it opens quickly, and that it never hides what came or went since.

use super::rows::{ChangeRow, DocumentRow, Snapshot, Writer, to_bytes};
use super::*;
use crate::domain::document::Document;
use crate::domain::edit::Edit;
use crate::domain::testing::stamp;
use crate::id::{AccountId, Hash};

async fn row(device: &Device, document: DocumentId) -> DocumentRow {
    device.reader().document(document).await.unwrap().unwrap()
}

async fn changes(device: &Device, document: DocumentId) -> Vec<(i64, ChangeRow)> {
    device.reader().group(Shelf::Change, document.as_bytes(), 0).await.unwrap()
}

async fn snapshot(device: &Device, document: DocumentId) -> Option<Snapshot> {
    device.reader().row(Shelf::Document, &Snapshot::key(document)).await.unwrap()
}

/// Writes other bytes in a change's place.
async fn put_bytes(device: &Device, row: &DocumentRow, hash: Hash, bytes: &[u8]) {
    let mut write = Writer::begin(&device.store).await.unwrap();
    let (key, value) = (ChangeRow::key(row.document, hash), ChangeRow { hash, bytes: bytes.to_vec().into() });
    write.0.put(Shelf::Change, Some(row.case), row.document.as_bytes(), &key, &to_bytes(&value)).await.unwrap();
    write.commit().await.unwrap();
}

async fn words(device: &Device, document: DocumentId) -> Vec<String> {
    view(device, document).await.notes().map(|(_, note)| note.text.clone()).collect()
}

fn note(words: &str) -> NoteInput {
    NoteInput::new(Section::Visit, words)
}

/// A document read as it is now, and what would be saved of it.
async fn read(device: &Device, document: DocumentId) -> (DocumentRow, Snapshot) {
    let before = row(device, document).await;
    let up_to = changes(device, document).await.last().unwrap().0;
    let bytes = device.load(&before).await.unwrap().save().into();
    (before, Snapshot { bytes, up_to })
}

#[tokio::test]
async fn a_document_of_many_changes_is_read_from_its_snapshot_and_the_changes_behind_it() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 16);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    for value in 0..70 {
        device.measure(home, MeasureInput { supersedes: Replace::None, ..door(700 + value) }).await.unwrap();
    }
    let first = view(&device, home).await;
    assert_eq!(first.records.len(), 70);
    let device = tablet.reopened(device).await;
    assert_eq!(view(&device, home).await, first);

    // Were a change that is in the snapshot read again, the document could not be read.
    let kept = snapshot(&device, home).await.unwrap();
    let (row, typed) = (row(&device, home).await, changes(&device, home).await);
    let (n, oldest) = &typed[0];
    assert!(*n < kept.up_to && kept.up_to < typed.last().unwrap().0);
    put_bytes(&device, &row, oldest.hash, b"no change").await;
    assert_eq!(view(&device, home).await, first);
    device.measure(home, MeasureInput { supersedes: Replace::None, ..door(800) }).await.unwrap();
    let device = tablet.reopened(device).await;
    let next = view(&device, home).await;
    assert_eq!(next.records.len(), 71);

    // And were the snapshot lost, the changes tell all of it.
    put_bytes(&device, &row, oldest.hash, &oldest.bytes).await;
    let mut write = Writer::begin(&device.store).await.unwrap();
    let lost = to_bytes(&Snapshot { bytes: b"no document".to_vec().into(), up_to: kept.up_to });
    write.0.put(Shelf::Document, Some(row.case), rows::group::SNAPSHOTS, &Snapshot::key(home), &lost).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(view(&device, home).await, next);
    assert!(snapshot(&device, home).await.unwrap().up_to > kept.up_to, "a new one is kept in its place");
}

#[tokio::test]
async fn what_was_read_before_refused_work_was_taken_back_does_not_bring_it_back() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 17);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    for text in ["Seen.", "Forbidden words.", "Manages the stairs."] {
        device.note(clinical, note(text)).await.unwrap();
    }
    // The screen reads it; before what was read is saved, the server refuses a part of it.
    let (before, old) = read(&device, clinical).await;
    server.state().forbidden = Some(b"Forbidden");
    device.sync(&tablet.link()).await.unwrap();
    device.keep_snapshot(&before, old).await;
    assert!(snapshot(&device, clinical).await.is_none());
    assert_eq!(words(&device, clinical).await, ["Seen.", "Manages the stairs."]);
    // What is typed next builds on what the server has.
    device.note(clinical, note("Later.")).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
    // Of what is still here, it is kept.
    let (now, new) = read(&device, clinical).await;
    device.keep_snapshot(&now, new).await;
    assert!(snapshot(&device, clinical).await.is_some());
}

#[tokio::test]
async fn what_was_read_before_a_new_enrolment_is_not_kept_though_as_much_was_typed_and_sent_as_before() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    server.state().one_person = true;
    let tablet = Tablet::new(&server, 18);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Seen.")).await.unwrap();
    let (before, old) = read(&device, clinical).await;
    server.state().stopped = true;
    device.sync(&tablet.link()).await.unwrap_err();
    server.state().stopped = false;
    device.enrol(&tablet.link(), &server.text(), "anew").await.unwrap();
    // What waits is made anew in the new device's name, and the line breaks before it is sent.
    server.state().line = Line::Once;
    device.sync(&tablet.link()).await.unwrap_err();
    let now = row(&device, clinical).await;
    assert_eq!((now.fork, now.changes, &now.server_heads), (before.fork, before.changes, &before.server_heads));
    device.keep_snapshot(&before, old).await;
    assert!(snapshot(&device, clinical).await.is_none());
}

#[tokio::test]
async fn what_was_read_before_a_document_came_whole_does_not_hide_it() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let (one, other) = (Tablet::new(&server, 19), Tablet::new(&server, 20));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    for (device, tablet) in [(&ana, &one), (&ben, &other)] {
        device.sync(&tablet.link()).await.unwrap();
    }
    ana.note(clinical, note("Ana's.")).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ben.note(clinical, note("Ben's.")).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    let (before, old) = read(&ana, clinical).await;
    server.state().frames.insert(clinical, None);
    ana.sync(&one.link()).await.unwrap();
    ana.keep_snapshot(&before, old).await;
    assert!(snapshot(&ana, clinical).await.is_none());
    assert_eq!(words(&ana, clinical).await, ["Ana's.", "Ben's."]);
}

#[tokio::test]
async fn what_could_be_read_by_the_time_it_was_said_to_be_unreadable_is_read_and_nobody_is_alarmed() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 21);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.measure(home, door(713)).await.unwrap();
    let (whole, typed) = (row(&device, home).await, changes(&device, home).await);
    let mut write = Writer::begin(&device.store).await.unwrap();
    write.0.remove_n(Shelf::Change, typed[0].0).await.unwrap();
    write.put_document(&DocumentRow { changes: 1, ..whole.clone() }).await.unwrap();
    write.commit().await.unwrap();
    // The missing change comes while the document is being read.
    let comes = async {
        let mut write = Writer::begin(&device.store).await.unwrap();
        let mut row = write.document(home).await.unwrap().unwrap();
        write.put_change(&mut row, typed[0].1.hash, typed[0].1.bytes.to_vec()).await.unwrap();
        write.put_document(&row).await.unwrap();
        write.commit().await.unwrap();
    };
    // Whoever waits for the store gets it in turn.
    let held = Writer::begin(&device.store).await.unwrap();
    let (read, (), ()) = tokio::join!(device.load(&whole), comes, async { drop(held) });
    assert_eq!(read.unwrap().view().records.len(), 2);
    assert!(device.state(home).await.unwrap().set_aside.is_none() && device.notices().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_of_the_server_that_is_over_a_bound_is_set_aside_before_automerge_sees_it() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 82);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.note(clinical, note("Steady on her feet.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let words = |many: usize| {
        let splice = |insert: String| Edit::Splice { text: SharedText::Summary, at: 0, delete: 0, insert };
        let edits: Vec<Edit> = [20_000, 20_000, many - 40_000].map(|many| splice("x".repeat(many))).to_vec();
        let by = AccountId::from_bytes([5; 16]);
        let mut other = Document::new(Kind::Home).unwrap();
        other.edit([7; 16], by, stamp(), &mut std::iter::empty(), &edits).unwrap()
    };
    for (many, opens) in [(50_000, true), (50_001, false)] {
        let (hash, bytes) = words(many);
        let row = row(&device, home).await;
        put_bytes(&device, &row, hash, &bytes).await;
        let opened = device.open_document(home).await;
        assert_eq!(opened.is_ok(), opens, "{opened:?}");
        assert!(opens || matches!(&opened, Err(DeviceError::SetAside(why)) if why.contains("50001 operations")));
        let mut write = Writer::begin(&device.store).await.unwrap();
        write.0.remove(Shelf::Change, &ChangeRow::key(home, hash)).await.unwrap();
        write.commit().await.unwrap();
    }
    view(&device, clinical).await;
}
