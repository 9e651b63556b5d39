//! Replies that come in parts, are cut, or are none.

use super::*;
use crate::device::link::LinkError;
use crate::device::rows::Pending;
use crate::envelope::PROTOCOL;
use crate::protocol::sync::{Cursor, Progress};

fn note(words: &str) -> NoteInput {
    NoteInput::new(Section::Visit, words)
}

#[tokio::test]
async fn a_caseload_that_is_cut_goes_on_where_it_was_and_nothing_acknowledged_is_sent_again() {
    let server = Server::new();
    let mut cases: Vec<_> = (0..4).map(|number| server.another_case(Role::Ot, 100 + number)).collect();
    cases.sort();
    let tablet = Tablet::new(&server, 31);
    let device = tablet.enrolled().await;
    let known = |device: &Arc<Device>| {
        let device = device.clone();
        async move { device.cases().await.unwrap().iter().map(|card| card.case).collect::<Vec<_>>() }
    };
    let device = Arc::new(device);
    // Before the first part is whole, nothing has happened: the same bytes go again.
    server.state().line = Line::CutAfter(0);
    for _ in 0..2 {
        assert!(matches!(device.sync(&tablet.link()).await, Err(DeviceError::Link(LinkError::Offline(_)))));
        assert!(known(&device).await.is_empty());
    }
    let sent = server.state().requests.clone();
    assert_eq!(sent[0], sent[1]);
    // Two cases came: they are usable at once, and what was handed in is not handed in again.
    server.state().line = Line::CutAfter(3);
    assert!(matches!(device.sync(&tablet.link()).await, Err(DeviceError::Link(LinkError::Offline(_)))));
    assert_eq!(known(&device).await, [cases[0].0, cases[1].0]);
    device.note(cases[0].2, note("Seen before all had come.")).await.unwrap();
    assert!(device.reader().single::<Pending>().await.unwrap().is_none());
    assert!(device.reader().single::<Cursor>().await.unwrap().is_none());
    server.state().line = Line::CutAfter(2);
    assert!(device.sync(&tablet.link()).await.is_err());
    assert_eq!(known(&device).await, [cases[0].0, cases[1].0, cases[2].0]);
    assert_eq!(device.status().await.unwrap().waiting.changes, 0, "its receipt came with the first part");
    server.state().line = Line::InParts;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.cards), (1, 1), "only the last case was left to come");
    assert_eq!(known(&device).await.len(), 4);
    assert!(device.reader().single::<Progress>().await.unwrap().is_none());
    assert!(device.reader().single::<Cursor>().await.unwrap().is_some());
}

#[tokio::test]
async fn whatever_answers_in_the_servers_place_changes_nothing_and_the_work_goes_once_it_is_gone() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 32);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Typed in the library.")).await.unwrap();
    for (content_type, body) in [
        ("text/html", &b"<html>Welcome</html>"[..]),
        ("application/cbor", b"<html>Welcome</html>"),
        ("application/cbor", b""),
        ("", b""),
        ("application/json", b"{}"),
        ("application/cbor", b"{}"),
        ("application/cbor", &[0x80; 1 << 16]),
    ] {
        server.state().line = Line::Says(content_type, body);
        let answered = device.sync(&tablet.link()).await;
        assert!(matches!(answered, Err(DeviceError::Link(LinkError::NotOurServer))), "{content_type} {answered:?}");
        assert_eq!(device.status().await.unwrap().waiting.changes, 1);
    }
    server.state().line = Line::Good;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
}

#[tokio::test]
async fn a_server_older_or_newer_is_told_apart_and_the_work_waits_until_one_is_updated() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 33);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Typed between two versions.")).await.unwrap();
    for (speaks, who) in [(0, "the server must be updated"), (2, "update the app")] {
        server.state().line = Line::OtherVersion(speaks);
        let Err(DeviceError::Link(error)) = device.sync(&tablet.link()).await else { panic!("version {speaks}") };
        assert_eq!(error, LinkError::Version { server: vec![speaks], app: PROTOCOL });
        assert!(error.to_string().contains(who), "{error}");
        assert_eq!(device.status().await.unwrap().waiting.changes, 1);
        // The next request is made anew, by whatever version then speaks.
        assert!(device.reader().single::<Pending>().await.unwrap().is_none());
    }
    server.state().line = Line::Good;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
}

/// What comes of a document is no change, whenever it comes.
fn damaged(document: DocumentId, case: CaseId) -> crate::engine::Reply {
    crate::engine::Reply {
        effects: vec![crate::engine::Effect::Damaged { document, case }],
        more: false,
        last: true,
        place: None,
    }
}

#[tokio::test]
async fn of_a_document_whose_news_stays_damaged_its_person_is_told_once() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 36);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let never_here = DocumentId::from_bytes([9; 17]);
    for (at, document) in [(1, home), (2, never_here)] {
        for _ in 0..3 {
            device.apply(None, damaged(document, case), &mut SyncReport::default()).await.unwrap();
            assert_eq!(device.notices().await.unwrap().len(), at);
        }
    }
    assert!(device.state(home).await.unwrap().set_aside.is_some());
    // News of it came whole; that it is damaged again is told again.
    device.sync(&tablet.link()).await.unwrap();
    assert!(device.state(home).await.unwrap().set_aside.is_none());
    device.apply(None, damaged(home, case), &mut SyncReport::default()).await.unwrap();
    assert_eq!(device.notices().await.unwrap().len(), 3);
}
