//! What comes, or is asked for, again: by the same device, in another life of the server, for another reason.

use std::time::Duration;

use super::*;
use crate::storage::devices::TakenRequest;

/// A server that was restored begins a new life, and knows nothing of what it began to send in the one before.
#[tokio::test]
async fn a_caseload_that_was_cut_in_another_life_of_the_server_comes_from_its_beginning() {
    let bench = Bench::new(11);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    for reference in ["R1", "R2", "R3"] {
        cases::relate(&app, case(&app, reference).await, &ana, Relation::Allocated).await.unwrap();
    }
    let mut phone = Phone::of(&app, &ana).await;
    let cut = phone.parts(&app, nothing(None), 1).await[1].progress;
    assert!(cut.is_some());
    let rest = phone.parts(&app, Waiting { progress: cut, ..nothing(None) }, 1).await;
    assert_eq!(rest.iter().map(|part| part.cards.len()).sum::<usize>(), 1);
    let epoch = Epoch::mint(&mut app.chance.clone());
    bench.execute(&format!("INSERT INTO epochs (epoch, number, began_at) VALUES ('{epoch}', 2, 0)")).await;
    let kept_before_epochs = cut.map(|cut| Progress { epoch: None, ..cut });
    for void in [cut, kept_before_epochs] {
        let all = phone.parts(&app, Waiting { progress: void, ..nothing(None) }, 1).await;
        assert_eq!(all.iter().map(|part| part.cards.len()).sum::<usize>(), 3);
        assert!(all.last().unwrap().cursor.is_some_and(|cursor| cursor.epoch == epoch));
    }
}

#[tokio::test]
async fn a_push_that_is_refused_again_and_again_is_set_aside_once() {
    let bench = Bench::new(12);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let home = phone.sync(&app, nothing(None)).await.cards[0].documents[0].document;
    cases::end(&app, case, ana.id, Relation::Allocated).await.unwrap();
    let push = phone.item(home, case, Kind::Home);
    let mut places = Vec::new();
    for _ in 0..3 {
        // Another request each time: what it was said before was lost on the way.
        let again = Waiting { pushes: vec![push.clone()], ..nothing(phone.cursor) };
        places.extend(phone.send(&app, again).await.unwrap().refused.into_iter().map(|refused| refused.quarantine));
    }
    assert!(places[0].is_some() && places.iter().all(|place| *place == places[0]), "{places:?}");
    assert_eq!(app.storage.ledger().quarantine(Some(case)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_leaves_a_device_goes_on_to_say_why_it_was_to_leave_first() {
    let bench = Bench::new(13);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    phone.sync(&app, nothing(None)).await;
    cases::end(&app, case, ana.id, Relation::Allocated).await.unwrap();
    let why = |reply: &SyncReply| reply.purge.iter().map(|purge| (purge.case, purge.reason)).collect::<Vec<_>>();
    assert_eq!(why(&phone.lost(&app).await), [(case, PurgeReason::Ended)]);
    let ledger = app.storage.ledger();
    let row = ledger.case(case).await.unwrap().unwrap();
    let closed = CaseRow { state: sync_core::protocol::card::CaseState::Closed, ..row };
    ledger.commit(Plan { by: BY, writes: vec![Write::Case(closed)] }).await.unwrap();
    assert_eq!(why(&phone.sync(&app, nothing(None)).await), [(case, PurgeReason::Ended)], "told before it was closed");
}

#[tokio::test]
async fn who_asks_again_for_what_was_answered_before_the_last_hears_nothing_and_stops_nobody() {
    let bench = Bench::new(14);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let device = phone.identity.sender.device;
    let again = |phone: &Phone| Phone { identity: phone.identity.clone(), counter: phone.counter - 1, cursor: None };
    phone.lost(&app).await;
    assert_eq!(again(&phone).lost(&app).await.cards.len(), 1, "its reply was lost: it comes again");
    let mut copy = again(&phone);
    phone.sync(&app, nothing(None)).await;
    assert_eq!(copy.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
    assert_eq!(app.storage.device(device).await.unwrap().unwrap().stopped_at, None, "it may only have come late");
    assert_eq!(phone.sync(&app, nothing(None)).await.receipts, None);
    // What is to be purged is told to every copy.
    assert!(app.storage.revoke_device(device).await.unwrap());
    let mut copy = again(&phone);
    phone.sync(&app, nothing(None)).await;
    assert_eq!(copy.lost(&app).await.everything, Some(PurgeReason::Revoked));
}

#[tokio::test]
async fn an_answer_that_waits_or_has_begun_ends_once_its_device_asks_for_something_newer() {
    let bench = Bench::new(15);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    for reference in ["R1", "R2", "R3"] {
        cases::relate(&app, case(&app, reference).await, &ana, Relation::Allocated).await.unwrap();
    }
    let mut phone = Phone::of(&app, &ana).await;
    phone.counter += 1;
    let request = phone.identity.request(nothing(None), phone.counter);
    let mut begun = settle_in_parts(&app, &request, 1).await.unwrap();
    assert!(begun.next_part().await.unwrap().is_some_and(|(_, last)| !last));
    let mut copy = Phone { identity: phone.identity.clone(), counter: phone.counter - 1, cursor: None };
    let (turn, _) = app.turns.of(phone.identity.sender.device).await.unwrap();
    let device = app.storage.device(phone.identity.sender.device).await.unwrap().unwrap();
    let asked = TakenRequest { counter: phone.counter, digest: Hash::of(&request) };
    let app = &app;
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let newer = tokio::spawn({
            let (app, mut phone) = (app.clone(), Phone { identity: phone.identity.clone(), ..phone });
            async move { phone.sync(&app, nothing(None)).await.cards.len() }
        });
        while !app.storage.is_overtaken(&device, asked) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(turn);
        newer.await.unwrap()
    };
    let (overtaken, cards) = tokio::join!(copy.send(app, nothing(None)), meanwhile);
    assert_eq!((overtaken.unwrap_err(), cards), (ProblemKind::DeviceStopped, 3));
    assert!(begun.next_part().await.unwrap().is_none());
}

#[tokio::test]
async fn a_request_that_is_counted_further_than_a_row_holds_is_refused_as_such_and_its_device_goes_on() {
    let bench = Bench::new(16);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut phone = Phone::of(&app, &ana).await;
    for above in [i64::MAX as u64, u64::MAX - 1] {
        phone.counter = above;
        assert_eq!(phone.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::BadRequest);
    }
    phone.counter = 0;
    phone.sync(&app, nothing(None)).await;
    phone.counter = i64::MAX as u64 - 1;
    phone.sync(&app, nothing(None)).await;
}
