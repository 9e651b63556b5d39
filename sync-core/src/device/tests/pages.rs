//! More work than one request takes.

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
