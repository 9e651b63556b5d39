//! More work than one request takes, and more news than one reply brings.

use super::*;
use crate::device::sync::MOST_CHANGES;

#[tokio::test]
async fn a_push_of_three_pages_cut_at_every_reply_sends_nothing_again_that_was_acknowledged() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 92);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().requests.clear();
    server.state().pushed.clear();
    let notes = 2 * MOST_CHANGES + MOST_CHANGES / 2;
    for number in 0..notes {
        device.note(clinical, NoteInput::new(Section::Visit, format!("Note {number}."))).await.unwrap();
    }
    device.complete_assessment(clinical).await.unwrap();
    let mut left = notes;
    for page in 1..=3 {
        // The request arrives and its reply does not; then one reply arrives, and the line is dead behind it.
        server.state().line = Line::LosesReply;
        device.sync(&tablet.link()).await.unwrap_err();
        assert_eq!(device.status().await.unwrap().waiting.changes, left);
        server.state().line = Line::Once;
        assert_eq!(device.sync(&tablet.link()).await.is_ok(), page == 3);
        left = left.saturating_sub(MOST_CHANGES);
        assert_eq!(device.status().await.unwrap().waiting.changes, left, "page {page} is acknowledged");
        assert_eq!(server.state().asks.is_empty(), page < 3, "what is asked of a version goes behind all of it");
    }
    let mut requests = server.state().requests.clone();
    assert_eq!(requests.len(), 6);
    requests.dedup();
    assert_eq!(requests.len(), 3, "each page went as it was made");
    let state = server.state();
    let rest = MOST_CHANGES / 2;
    assert_eq!(state.pushed, [MOST_CHANGES, MOST_CHANGES, MOST_CHANGES, MOST_CHANGES, rest, rest]);
    assert_eq!((state.documents[&clinical].view().records.len(), state.quarantine.len()), (notes, 0));
    let heads = state.documents[&clinical].heads();
    assert!(
        state.asks.iter().all(|ask| *ask == Request::CompleteAssessment { document: clinical, heads: heads.clone() })
    );
}

#[tokio::test]
async fn news_of_three_pages_come_in_one_sync_and_what_is_cut_between_two_goes_on_there() {
    let server = Server::new();
    let cases: Vec<_> = (77..81).map(|number| server.another_case(Role::Ot, number)).collect();
    // Somebody else has written in all eight documents.
    let author = Tablet::new(&server, 93);
    let device = author.enrolled().await;
    device.sync(&author.link()).await.unwrap();
    for (_, home, clinical) in cases {
        device.measure(home, door(712)).await.unwrap();
        device.note(clinical, NoteInput::new(Section::Visit, "Steep stairs.")).await.unwrap();
    }
    device.sync(&author.link()).await.unwrap();
    server.state().page = Some(3);
    let all: Vec<DocumentId> = server.state().documents.keys().copied().collect();
    assert_eq!(all.len(), 8);

    // All pages, one behind the other, in one sync.
    let tablet = Tablet::new(&server, 94);
    let device = tablet.enrolled().await;
    server.state().news.clear();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.changes), (3, 8));
    let pages: Vec<usize> = server.state().news.iter().map(Vec::len).collect();
    assert_eq!(pages, [3, 3, 2]);
    assert_eq!(std::mem::take(&mut server.state().news).concat(), all);
    for document in &all {
        assert_eq!(view(&device, *document).await.records.len(), 1);
    }
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
    assert_eq!(std::mem::take(&mut server.state().news), [vec![]], "nothing is new");

    // Cut between the first and the second, and then the second on its way.
    let cut = Tablet::new(&server, 95);
    let device = cut.enrolled().await;
    server.state().line = Line::Once;
    device.sync(&cut.link()).await.unwrap_err();
    for (at, document) in all.iter().enumerate() {
        let records = view(&device, *document).await.records.len();
        assert_eq!(records, usize::from(at < 3), "the first page is here");
    }
    server.state().line = Line::LosesReply;
    device.sync(&cut.link()).await.unwrap_err();
    let device = cut.reopened(device).await;
    server.state().line = Line::Good;
    let report = device.sync(&cut.link()).await.unwrap();
    assert_eq!((report.exchanges, report.changes), (2, 5));
    let news = std::mem::take(&mut server.state().news);
    let sent: Vec<&[DocumentId]> = news.iter().map(Vec::as_slice).collect();
    assert_eq!(sent, [&all[..3], &all[3..6], &all[3..6], &all[6..]], "only what was lost is sent again");
    for document in &all {
        assert_eq!(view(&device, *document).await.records.len(), 1);
    }
}
