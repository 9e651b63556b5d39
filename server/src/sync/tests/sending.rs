//! Replies in several parts whose reader is slow, has gone, or is one of many.

use std::future::poll_fn;
use std::time::Duration;

use super::*;
use crate::sync::{Cut, Patience, Sending};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

/// A phone that has heard nothing yet of three cases.
async fn scene(app: &App) -> Phone {
    let ana = account(app, "ana", Role::Ot).await;
    for reference in ["R1", "R2", "R3"] {
        cases::relate(app, case(app, reference).await, &ana, Relation::Allocated).await.unwrap();
    }
    Phone::of(app, &ana).await
}

/// A reply of which the first part is on its way.
async fn begun(app: &App, phone: &mut Phone, asking: Duration) -> Result<Sending, ProblemKind> {
    phone.counter += 1;
    again(app, phone, asking).await
}

async fn again(app: &App, phone: &Phone, asking: Duration) -> Result<Sending, ProblemKind> {
    let request = phone.identity.request(nothing(None), phone.counter);
    let mut settled = settle_in_parts(app, &request, 1).await.map_err(|problem| problem.kind())?;
    let (first, last) = settled.next_part().await.map_err(|problem| problem.kind())?.unwrap();
    assert!(!last);
    Ok(Sending::begin(settled, first.len(), Patience { making: LONG, asking }))
}

async fn part(sending: &mut Sending) -> Option<Result<Vec<u8>, Cut>> {
    poll_fn(|context| sending.poll_part(context)).await
}

/// Waits until so many replies have what they are made with.
async fn alive(app: &App, count: usize) {
    for _ in 0..1000 {
        if app.turns.sending() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} replies are kept", app.turns.sending());
}

#[tokio::test]
async fn a_reply_that_nobody_reads_on_is_let_go_of_and_one_that_is_read_comes_whole() {
    let bench = Bench::new(41);
    let app = bench.app().await;
    let mut phone = scene(&app).await;
    let mut read = begun(&app, &mut phone, LONG).await.unwrap();
    assert_eq!(app.turns.sending(), 1);
    for _ in 0..2 {
        assert!(matches!(part(&mut read).await, Some(Ok(_))));
    }
    assert!(part(&mut read).await.is_none(), "three cases are three parts");
    alive(&app, 0).await;
    let mut stalled = begun(&app, &mut phone, SHORT).await.unwrap();
    // Its reader is still there, and takes nothing.
    alive(&app, 0).await;
    assert!(matches!(part(&mut stalled).await, Some(Err(Cut))));
    drop(begun(&app, &mut phone, LONG).await.unwrap());
    alive(&app, 0).await;
}

#[tokio::test]
async fn however_often_a_device_asks_and_does_not_read_one_of_its_replies_is_kept() {
    let bench = Bench::new(42);
    let app = bench.app().await;
    let mut phone = scene(&app).await;
    let mut unread = Vec::new();
    for _ in 0..10 {
        unread.push(begun(&app, &mut phone, LONG).await.unwrap());
        // The same once more, as if its reply had been lost.
        unread.push(again(&app, &phone, LONG).await.unwrap());
        alive(&app, 1).await;
    }
    let mut newest = unread.pop().unwrap();
    for mut old in unread {
        assert!(matches!(part(&mut old).await, Some(Err(Cut))));
    }
    assert!(matches!(part(&mut newest).await, Some(Ok(_))));
    // One that is answered in one part ends it as well.
    phone.cursor = phone.send(&app, nothing(None)).await.unwrap().cursor;
    alive(&app, 0).await;
}

#[tokio::test]
async fn while_many_are_sent_their_cases_one_more_is_asked_to_come_later_and_small_news_go_on() {
    let bench = Bench::new(43);
    let app = bench.app().await;
    let mut phone = scene(&app).await;
    let many = app.turns.crowd(1);
    let first = begun(&app, &mut phone, LONG).await.unwrap();
    let eve = account(&app, "eve", Role::Ot).await;
    for reference in ["R1", "R2"] {
        let case = cases::find(&app, reference).await.unwrap().case;
        cases::relate(&app, case, &eve, Relation::Allocated).await.unwrap();
    }
    let mut eves = Phone::of(&app, &eve).await;
    assert_eq!(begun(&app, &mut eves, LONG).await.unwrap_err(), ProblemKind::Later);
    assert_eq!(eves.send(&app, nothing(None)).await.unwrap().cards.len(), 2, "all of it in one part needs no place");
    eves.counter += 1;
    assert_eq!(again(&app, &eves, LONG).await.unwrap_err(), ProblemKind::Later);
    drop(first);
    let mut same = again(&app, &eves, LONG).await.unwrap();
    assert!(matches!(part(&mut same).await, Some(Ok(_))));
    drop(many);
}
