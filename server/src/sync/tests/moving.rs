//! What changes while a request is answered, and what one device may cost.

use std::sync::Arc;
use std::time::Duration;

use sync_core::id::DeviceId;
use sync_core::protocol::ask::Answer;
use sync_core::protocol::card::CaseState;

use tokio::time::timeout;

use super::*;
use crate::storage::devices::TakenRequest;
use crate::sync::Session;
use crate::sync::parts::Parts;

/// Answers a request of somebody who is somebody else by the time it is answered; the parts, unsent.
async fn answered(app: &App, phone: &Phone, cursor: Option<Cursor>, meanwhile: impl AsyncFnOnce()) -> Parts {
    let heard = app.storage.heard(phone.identity.sender.device).await.unwrap().unwrap();
    let directory = app.directory.at(&app.storage, heard.directory).await.unwrap();
    let request = TakenRequest { counter: phone.counter + 1, digest: Hash::of(b"asked") };
    let session = Session { app: app.clone(), directory, heard, request, now: app.clock.now() };
    meanwhile().await;
    let ledger = app.storage.ledger();
    let said = sync_core::protocol::SyncRequest { cursor, ..sync_core::protocol::SyncRequest::new(stamp()) };
    let answer = session.desk(&ledger).unwrap().settle(&said).await.unwrap();
    let signer = app.keys.signer(KeyPurpose::Reply).await.unwrap();
    let sign = |bytes: &[u8]| sync_core::envelope::Signed(signer.sign(bytes));
    let mut parts = answer.parts((signer.key.id, sign), None, None, PART);
    let part = parts.next(&session.desk(&ledger).unwrap()).await.unwrap().unwrap();
    assert!(part.last && part.reply.cards.is_empty() && part.reply.digest.is_none(), "nothing of who they were");
    assert!(part.reply.more, "the device asks again");
    assert_eq!(part.reply.cursor.unwrap().n, cursor.map_or(0, |cursor| cursor.n));
    parts
}

#[tokio::test]
async fn whoever_becomes_somebody_else_while_they_are_answered_is_answered_as_who_they_are() {
    let bench = Bench::new(21);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    for number in 0..2 {
        let case = case(&app, &format!("R{number}")).await;
        cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    }
    // Before she has anything, and once she has it all.
    let mut phone = Phone::of(&app, &ana).await;
    let change = async || app.storage.set_role(ana.id, Role::Surveyor).await.unwrap();
    answered(&app, &phone, None, async || assert!(change().await)).await;
    let reply = phone.sync(&app, nothing(None)).await;
    assert_eq!(reply.position.map(|position| position.role), Some(Role::Surveyor));
    let back = async || app.storage.set_role(ana.id, Role::Ot).await.unwrap();
    answered(&app, &phone, phone.cursor, async || assert!(back().await)).await;
    let reply = phone.sync(&app, nothing(None)).await;
    assert_eq!(reply.position.map(|position| position.role), Some(Role::Ot));
}

#[tokio::test]
async fn who_reads_slowly_learns_nothing_more_once_their_right_ended_or_they_were_revoked() {
    let bench = Bench::new(22);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(case(&app, &format!("R{number}")).await);
        cases::relate(&app, all[number], &ana, Relation::Allocated).await.unwrap();
    }
    all.sort();
    let mut phone = Phone::of(&app, &ana).await;
    let begun = async |phone: &mut Phone| {
        phone.counter += 1;
        let request = phone.identity.request(nothing(None), phone.counter);
        let mut settled = settle_in_parts(&app, &request, 1).await.unwrap();
        assert!(settled.next_part().await.unwrap().is_some_and(|(_, last)| !last));
        settled
    };
    // Of a case that was hers when she asked, and is not when its turn comes.
    let mut settled = begun(&mut phone).await;
    bench.clock.advance(1000);
    cases::end(&app, all[3], ana.id, Relation::Allocated).await.unwrap();
    let mut came = 0;
    while settled.next_part().await.unwrap().is_some() {
        came += 1;
    }
    let reply = phone.sync(&app, nothing(None)).await;
    let cards: Vec<_> = reply.cards.iter().map(|card| card.case).collect();
    assert_eq!((came, cards.contains(&all[3])), (3, false), "the case that ended is no part of what was left");

    // Somebody else, or revoked: the rest does not come.
    let mut settled = begun(&mut phone).await;
    app.storage.set_role(ana.id, Role::SeniorOt).await.unwrap();
    assert!(settled.next_part().await.unwrap().is_none());
    let mut settled = begun(&mut phone).await;
    app.storage.revoke_device(phone.identity.sender.device).await.unwrap();
    assert!(settled.next_part().await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_kept_of_a_device_counts_towards_its_day_whatever_it_is() {
    let bench = Bench::new(23);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let (mut phone, ledger) = (Phone::of(&app, &ana).await, app.storage.ledger());
    let device = phone.identity.sender.device;
    // Heads by the thousand, signed and set aside with the change.
    let home = ledger.documents_of(&[case]).await.unwrap().into_iter().find(|row| row.kind == Kind::Home).unwrap();
    let mut push = phone.item(home.document, case, Kind::Home);
    push.base = (0..1001_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
    let reply = phone.sync(&app, Waiting { pushes: vec![push], ..nothing(None) }).await;
    assert!(matches!(&reply.refused[0].reason, Refusal::TooLarge { found: 1001, most: 1000, .. }), "{reply:?}");
    let aside = ledger.brought(device, app.clock.now()).await.unwrap();
    assert!(aside > 32_000, "{aside} bytes counted of {:?}", reply.refused);
    // An ask that is refused is kept all the same.
    let heads = (0..100_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
    let ask = Ask {
        id: AskId::mint(&mut app.chance.clone()),
        case,
        at: stamp(),
        request: Request::Release { document: home.document, heads, consent: String::new() },
    };
    let reply = phone.sync(&app, Waiting { asks: vec![ask], ..nothing(None) }).await;
    assert!(matches!(reply.verdicts[0].answer, Answer::Refused(_)));
    assert!(ledger.brought(device, app.clock.now()).await.unwrap() > aside + 3200);
}

#[tokio::test]
async fn asks_go_on_when_a_days_changes_are_full_but_not_without_end() {
    let bench = Bench::new(24);
    let mut app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut config = (*app.config).clone();
    config.limits.device_day_bytes = 2_000;
    app.config = Arc::new(config);
    let mut phone = Phone::of(&app, &ana).await;
    let document = DocumentId::mint(&mut app.chance.clone());
    let ask = |app: &App| Ask {
        id: AskId::mint(&mut app.chance.clone()),
        case,
        at: stamp(),
        request: Request::CompleteAssessment { document, heads: vec![Hash::of(b"somewhere")] },
    };
    let asks: Vec<Ask> = (0..20).map(|_| ask(&app)).collect();
    let reply = phone.sync(&app, Waiting { asks: asks.clone(), ..nothing(None) }).await;
    let answered = reply.verdicts.len();
    // However little they say, their rows take their room.
    assert_eq!(answered, 4_000 / 512);
    let reply = phone.sync(&app, Waiting { asks: asks[answered..answered + 1].to_vec(), ..nothing(None) }).await;
    assert_eq!(reply.verdicts, []);
    bench.clock.advance(DAY);
    let reply = phone.sync(&app, Waiting { asks: asks[answered..answered + 1].to_vec(), ..nothing(None) }).await;
    assert_eq!(reply.verdicts.len(), 1, "the next day it is");
}

#[tokio::test]
async fn a_prescription_begun_while_its_case_is_being_closed_is_noticed() {
    let bench = Bench::new(25);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let ledger = app.storage.ledger();
    let seen = ledger.case(case).await.unwrap().unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let begun = phone.item(DocumentId::mint(&mut app.chance.clone()), case, Kind::Prescription);
    let reply = phone.sync(&app, Waiting { pushes: vec![begun], ..nothing(None) }).await;
    assert_eq!(reply.refused, []);
    let closing = Plan { by: BY, writes: vec![Write::Case(CaseRow { state: CaseState::Closed, ..seen })] };
    assert!(ledger.commit(closing).await.is_err(), "whoever saw no prescription decides again");
}

#[tokio::test]
async fn a_request_that_waits_for_another_of_its_device_is_answered_as_things_stand_then() {
    let bench = Bench::new(26);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let device = phone.identity.sender.device;
    // By then a copy of it has spoken.
    let mut another = Phone::of(&app, &ana).await;
    let mut copy = Phone { identity: another.identity.clone(), ..another };
    another.counter = 5;
    another.sync(&app, nothing(None)).await;
    let (turn, _) = app.turns.of(another.identity.sender.device).await.unwrap();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(copy.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
        drop(turn);
    };
    let (stopped, ()) = tokio::join!(another.send(&app, nothing(None)), meanwhile);
    assert_eq!(stopped.unwrap_err(), ProblemKind::DeviceStopped);

    // Or it was revoked.
    let (turn, waited) = app.turns.of(device).await.unwrap();
    assert!(!waited);
    let other = app.turns.of(DeviceId::from_bytes([7; 16]));
    assert!(!other.await.unwrap().1, "another device waits for none");
    let app = &app;
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(app.storage.revoke_device(device).await.unwrap());
        drop(turn);
    };
    let (reply, ()) = tokio::join!(phone.send(app, nothing(None)), meanwhile);
    let reply = reply.unwrap();
    assert_eq!((reply.cards.len(), reply.everything), (0, Some(PurgeReason::Revoked)));
}

#[tokio::test]
async fn what_somebody_sent_who_hangs_up_is_taken_in_before_their_next_request_is() {
    let bench = Bench::new(27);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let planned = phone.sync(&app, nothing(None)).await.cards.remove(0).documents;
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap().document;
    let waiting = Waiting { pushes: vec![phone.item(home, case, Kind::Home)], ..nothing(None) };
    // Hung up as soon as it is at work, wherever that is.
    let turns = app.turns.clone();
    let device = phone.identity.sender.device;
    tokio::select! {
        biased;
        () = async { while timeout(Duration::ZERO, turns.of(device)).await.is_ok() { tokio::task::yield_now().await } } => {}
        reply = phone.send(&app, waiting) => panic!("it was answered first: {reply:?}"),
    }
    let reply = phone.sync(&app, nothing(None)).await;
    assert!(reply.receipts.is_none() && reply.refused.is_empty());
    let changes = app.storage.ledger().changes(home, 0).await.unwrap();
    assert_eq!(changes.len(), 1, "it was taken in all the same");
}

#[tokio::test]
async fn what_a_visit_that_nobody_planned_holds_waits_for_the_day_on_which_it_is_opened() {
    let bench = Bench::new(28);
    let mut app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    // Room for no ask.
    Arc::make_mut(&mut app.config).limits.device_day_bytes = 200;
    let mut phone = Phone::of(&app, &ana).await;
    let mut chance = app.chance.clone();
    let case = CaseId::mint(&mut chance);
    let (home, clinical) = (DocumentId::mint(&mut chance), DocumentId::mint(&mut chance));
    let opening =
        OpenCase { name: "Elsie Marsh".to_owned(), address: "4 Mill Lane".to_owned(), born: None, home, clinical };
    let ask = Ask { id: AskId::mint(&mut chance), case, at: stamp(), request: Request::OpenCase(opening) };
    let push = phone.item(home, case, Kind::Home);
    let closing = Request::CloseCase { reason: "It was the neighbour.".to_owned() };
    let close = Ask { id: AskId::mint(&mut chance), case, at: stamp(), request: closing };
    let waiting = Waiting { pushes: vec![push], asks: vec![ask, close], ..nothing(None) };
    let reply = phone.sync(&app, waiting.clone()).await;
    let reasons: Vec<_> = reply.refused.iter().map(|refused| (&refused.reason, refused.quarantine)).collect();
    assert_eq!((reply.verdicts.len(), reasons), (0, vec![(&Refusal::Later, None)]));
    Arc::make_mut(&mut app.config).limits.device_day_bytes = 20_000;
    let reply = phone.sync(&app, waiting).await;
    assert!(reply.verdicts.iter().all(|verdict| verdict.answer == Answer::Granted), "{:?}", reply.verdicts);
    assert_eq!((reply.verdicts.len(), reply.refused.len()), (2, 0));
    assert_eq!(app.storage.ledger().changes(home, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_one_request_comes_to_unpacked_is_bounded_and_the_rest_comes_with_the_next() {
    let bench = Bench::new(29);
    let mut app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let annexes: Vec<DocumentId> = (0..8).map(|_| DocumentId::mint(&mut app.chance.clone())).collect();
    let pushes: Vec<WaitingPush> = annexes.iter().map(|of| phone.item(*of, case, Kind::Home)).collect();
    let bytes = pushes[0].changes[0].1.len();
    let mut came = Vec::new();
    // As many as fit in 1 KiB, or in what one push may have.
    for push_bytes in [bytes, 1500] {
        Arc::make_mut(&mut app.config).limits.push_bytes = push_bytes;
        let reply = phone.sync(&app, Waiting { pushes: pushes.clone(), ..nothing(None) }).await;
        assert!(reply.refused.iter().all(|refused| refused.reason == Refusal::Later), "{:?}", reply.refused);
        came.push((
            reply.receipts.map_or(0, |signed| signed.receipts.documents.len()),
            push_bytes.max(1 << 10) / bytes,
        ));
    }
    assert!(came.iter().all(|(came, fit)| *came == *fit.min(&8)) && came[0].0 < 8, "{came:?} of {bytes} bytes each");
}

#[tokio::test]
async fn a_case_is_not_closed_before_what_was_put_off_is_in_it() {
    let bench = Bench::new(30);
    let mut app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let planned = phone.sync(&app, nothing(None)).await.cards.remove(0).documents;
    let clinical = planned.iter().find(|listed| listed.kind == Kind::Clinical).unwrap().document;
    let mut state = Document::new(Kind::Clinical).unwrap();
    let base = state.heads();
    let mut keys = (1..).map(|counter| Key { device: phone.identity.sender.number, counter });
    let by = actor(&phone.identity.sender, clinical, 0);
    let edits = [Edit::Add(Body::Item(Item { kind: ItemKind::Outcome }))];
    let made = state.edit(by, ana.id, stamp(), &mut keys, &edits).unwrap();
    let push = WaitingPush { document: clinical, case, kind: Kind::Clinical, fork: 0, base, changes: vec![made] };
    let bytes = pushes::in_a_day(&push);
    let request = Request::CloseCase { reason: "Moved away".to_owned() };
    let close = Ask { id: AskId::mint(&mut app.chance.clone()), case, at: stamp(), request };
    let waiting = Waiting { pushes: vec![push], asks: vec![close], ..nothing(None) };
    // No room for the change, and enough for what is asked.
    let device = phone.identity.sender.device;
    Arc::make_mut(&mut app.config).limits.device_day_bytes = 2_000;
    let writes = vec![Write::Brought { device, bytes: 2_000 - bytes + 1, at: app.clock.now(), most: u64::MAX }];
    app.storage.ledger().commit(Plan { by: BY, writes }).await.unwrap();
    let reply = phone.sync(&app, waiting.clone()).await;
    assert_eq!((reply.refused[0].reason.clone(), reply.verdicts.len()), (Refusal::Later, 0));
    bench.clock.advance(DAY);
    let reply = phone.sync(&app, waiting).await;
    assert_eq!((reply.refused.len(), reply.verdicts[0].answer.clone()), (0, Answer::Granted));
    assert_eq!(app.storage.ledger().changes(clinical, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_case_is_not_closed_beside_work_that_is_refused_and_may_be_done_again() {
    let bench = Bench::new(31);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    let planned = phone.sync(&app, nothing(None)).await.cards.remove(0).documents;
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap().document;
    let whole = phone.item(home, case, Kind::Home);
    let refused = WaitingPush { base: (0..1001_u32).map(|n| Hash::of(&n.to_be_bytes())).collect(), ..whole.clone() };
    let request = Request::CloseCase { reason: "Moved away".to_owned() };
    let close = Ask { id: AskId::mint(&mut app.chance.clone()), case, at: stamp(), request };
    let with = |push| Waiting { pushes: vec![push], asks: vec![close.clone()], ..nothing(None) };
    let reply = phone.sync(&app, with(refused)).await;
    assert!(matches!(reply.refused[0].reason, Refusal::TooLarge { .. }), "{:?}", reply.refused);
    assert_eq!(reply.verdicts, []);
    // Done again, it goes in, and the case is closed behind it.
    let reply = phone.sync(&app, with(whole)).await;
    assert_eq!((reply.refused.len(), reply.verdicts[0].answer.clone()), (0, Answer::Granted));
    assert_eq!(app.storage.ledger().changes(home, 0).await.unwrap().len(), 1);
}
