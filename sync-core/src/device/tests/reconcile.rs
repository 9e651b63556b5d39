//! Both sides count what is carried; where they differ, they say what they have.

use super::*;
use crate::device::heads::Carried;
use crate::device::rows::{DocumentRow, Writer};
use crate::protocol::{Known, Packed};

/// The sum that the device keeps is the one that its documents make.
async fn keeps_count(server: &Server, device: &Device) {
    let kept = device.reader().single::<Carried>().await.unwrap().unwrap_or_default();
    let mut counted = Carried::default();
    for card in device.cases().await.unwrap() {
        for row in device.reader().document_rows(card.case).await.unwrap() {
            let heads = server.state().documents.get(&row.document).map(|document| document.heads());
            assert_eq!(row.known_heads(), heads.unwrap_or_else(|| vec![row.kind.skeleton_hash()]));
            counted.0.add(row.document, &row.known_heads());
        }
    }
    assert_eq!(kept, counted);
}

#[tokio::test]
async fn two_devices_that_work_in_turn_and_at_once_always_count_as_the_server_does() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    server.state().sums = true;
    let (one, other) = (Tablet::new(&server, 60), Tablet::new(&server, 61));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    for value in 0..4 {
        ana.sync(&one.link()).await.unwrap();
        keeps_count(&server, &ana).await;
        ben.measure(home, door(700 + value)).await.unwrap_or(Key { device: 1, counter: 1 });
        ana.measure(home, door(750 + value)).await.unwrap();
        ana.note(clinical, NoteInput::new(Section::Visit, "Seen.")).await.unwrap();
        ben.sync(&other.link()).await.unwrap();
        keeps_count(&server, &ben).await;
        ana.sync(&one.link()).await.unwrap();
        keeps_count(&server, &ana).await;
    }
    assert!(server.state().told.is_empty(), "nothing ever differed");
    // What leaves counts no more.
    server.state().purge = vec![case];
    ana.sync(&one.link()).await.unwrap();
    assert_eq!(ana.reader().single::<Carried>().await.unwrap().unwrap(), Carried::default());
}

#[tokio::test]
async fn what_a_device_missed_comes_when_the_sums_differ_and_is_asked_for_once() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    server.state().sums = true;
    let (one, other) = (Tablet::new(&server, 62), Tablet::new(&server, 63));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ben.measure(home, door(712)).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    // The feed forgets to tell Ana.
    server.state().silent = vec![home];
    let report = ana.sync(&one.link()).await.unwrap();
    assert_eq!((report.exchanges, view(&ana, home).await.records.len()), (2, 1));
    assert_eq!(server.state().told.len(), 1);
    let told = server.state().told[0].clone();
    assert!(told.contains(&(home, vec![Kind::Home.skeleton_hash()])), "{told:?}");
    keeps_count(&server, &ana).await;
    assert_eq!(ana.sync(&one.link()).await.unwrap().exchanges, 1);
}

#[tokio::test]
async fn much_that_a_device_missed_comes_in_one_sync_piece_by_piece() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().sums = true;
    let (one, other) = (Tablet::new(&server, 68), Tablet::new(&server, 69));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ben.measure(home, door(712)).await.unwrap();
    ben.note(clinical, NoteInput::new(Section::Visit, "Seen.")).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    {
        let mut state = server.state();
        (state.silent, state.pieces) = (vec![home, clinical], Some(1));
    }
    ana.sync(&one.link()).await.unwrap();
    assert_eq!((view(&ana, home).await.records.len(), view(&ana, clinical).await.records.len()), (1, 1));
    assert_eq!(server.state().told.len(), 2, "what it had after the first piece was told anew");
    keeps_count(&server, &ana).await;
    assert_eq!(ana.sync(&one.link()).await.unwrap().exchanges, 1);
}

#[tokio::test]
async fn what_the_server_has_lost_is_told_once_in_a_sync_however_much_more_there_is() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().sums = true;
    let tablet = Tablet::new(&server, 64);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Seen.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    {
        // Neither is ever as the device has it, and of two documents that it lacks one is left.
        let mut state = server.state();
        for (document, kind) in [(home, Kind::Home), (clinical, Kind::Clinical)] {
            state.documents.insert(document, crate::domain::document::Document::new(kind).unwrap());
        }
        (state.silent, state.pieces) = (vec![home, clinical], Some(1));
    }
    for told in 1..3 {
        assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 3);
        assert_eq!(server.state().told.len(), told);
    }
    assert_eq!(view(&device, home).await.records.len(), 1);
}

#[tokio::test]
async fn a_device_whose_own_count_was_wrong_counts_anew_and_asks_nobody() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    server.state().sums = true;
    let tablet = Tablet::new(&server, 64);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    // As a store of the time before sums were kept.
    let mut write = Writer::begin(&device.store).await.unwrap();
    let row = write.document(home).await.unwrap().unwrap();
    write.put_document(&DocumentRow { given: false, server_heads: vec![], ..row }).await.unwrap();
    write.1 = None;
    write.remove_single::<Carried>().await.unwrap();
    write.commit().await.unwrap();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, server.state().told.len()), (1, 0));
    keeps_count(&server, &device).await;
}

#[tokio::test]
async fn sums_that_never_agree_cost_one_question_a_sync_and_no_more() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 65);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    {
        let mut state = server.state();
        state.sums = true;
        // A document of which the device never hears.
        let nobodys = DocumentId::from_bytes([9; 17]);
        state.documents.insert(nobodys, crate::domain::document::Document::new(Kind::Home).unwrap());
    }
    device.measure(home, door(712)).await.unwrap();
    for asked in 1..4 {
        assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 2);
        assert_eq!(server.state().told.len(), asked);
    }
}

#[tokio::test]
async fn a_document_that_came_whole_is_read_at_its_opening_with_what_is_typed_on_top_and_a_bad_one_is_set_aside() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    server.state().sums = true;
    let (one, other) = (Tablet::new(&server, 66), Tablet::new(&server, 67));
    let (ana, ben) = (one.enrolled().await, other.enrolled().await);
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    ana.measure(home, door(712)).await.unwrap();
    ana.note(clinical, NoteInput::new(Section::Visit, "Seen.")).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.measure(home, door(737)).await.unwrap();
    // Ben gets both whole, one of them as no program could read it.
    server.state().frames = [(home, None), (clinical, Some(b"no document".to_vec()))].into();
    ben.sync(&other.link()).await.unwrap();
    assert_eq!(ben.reader().document(home).await.unwrap().unwrap().changes, 1, "nothing was taken apart");
    assert_eq!(view(&ben, home).await.records.len(), 2);
    assert!(matches!(ben.open_document(clinical).await, Err(DeviceError::SetAside(_))));
    assert_eq!(ben.clashes(case).await.unwrap().len(), 1);
    // Nor is one believed that reads well and is another version.
    let empty = Packed::pack::<&[u8]>(&[], &Known::news(Kind::Clinical));
    server.state().frames.insert(clinical, Some(empty.as_bytes().to_vec()));
    ben.sync(&other.link()).await.unwrap();
    assert!(matches!(ben.open_document(clinical).await, Err(DeviceError::SetAside(_))));
    // Later changes come one by one, what the whole held already among them.
    server.state().frames.clear();
    ana.sync(&one.link()).await.unwrap();
    ana.measure(home, door(713)).await.unwrap();
    ana.sync(&one.link()).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    let state = server.state().documents[&home].view();
    assert_eq!(view(&ben, home).await, state);
    assert_eq!(ben.reader().document(home).await.unwrap().unwrap().known_heads(), state.heads);
    let ben = other.reopened(ben).await;
    assert_eq!(view(&ben, home).await, state);
    // And the one that was set aside is whole again once it comes as it is.
    assert_eq!(view(&ben, clinical).await.records.len(), 1);
}

#[tokio::test]
async fn of_a_document_that_came_whole_one_can_ask_without_having_written_in_it() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    let (author, other) = (Tablet::new(&server, 95), Tablet::new(&server, 96));
    let device = author.enrolled().await;
    device.sync(&author.link()).await.unwrap();
    device.note(clinical, NoteInput::new(Section::Visit, "Seen at home.")).await.unwrap();
    device.sync(&author.link()).await.unwrap();
    server.state().frames.insert(clinical, None);
    let device = other.enrolled().await;
    device.sync(&other.link()).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    assert!(matches!(device.release(home, "She said yes").await, Err(DeviceError::NothingThere(_))), "it is empty");
    assert_eq!(device.sync(&other.link()).await.unwrap().granted, 1);
    let heads = server.state().documents[&clinical].heads();
    assert_eq!(server.state().asks, [Request::CompleteAssessment { document: clinical, heads }]);
}
