//! Rights that end, and cases that are closed, beside what somebody still brings and asks.

use std::time::Duration;

use super::*;

/// Ana, her phone, and a case of hers.
async fn scene(app: &App) -> (Account, Phone, CaseId) {
    let ana = account(app, "ana", Role::Ot).await;
    let case = case(app, "R1").await;
    cases::relate(app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(app, &ana).await;
    phone.sync(app, nothing(None)).await;
    (ana, phone, case)
}

fn pushing(app: &App, phone: &Phone, case: CaseId) -> Waiting {
    let item = phone.item(DocumentId::mint(&mut app.chance.clone()), case, Kind::Prescription);
    Waiting { pushes: vec![item], ..nothing(phone.cursor) }
}

/// Whether what was pushed was refused because its author may not, and is kept aside.
fn is_kept_aside(reply: &SyncReply) -> bool {
    matches!(&reply.refused[..], [refused] if refused.reason == Refusal::NotAllowed && refused.quarantine.is_some())
}

#[tokio::test]
async fn a_closed_case_takes_nothing_in_whoever_is_tied_to_it_afterwards() {
    let bench = Bench::new(61);
    let app = bench.app().await;
    let (ana, mut phone, case) = scene(&app).await;
    let ledger = app.storage.ledger();
    let open = ledger.case(case).await.unwrap().unwrap();
    let closed = CaseRow { state: sync_core::protocol::card::CaseState::Closed, ..open };
    ledger.commit(Plan { by: BY, writes: vec![Write::Case(closed)] }).await.unwrap();
    cases::relate(&app, case, &ana, Relation::Team).await.unwrap();
    assert!(is_kept_aside(&phone.sync(&app, pushing(&app, &phone, case)).await));
}

/// Rights are judged in the server's order: one that ends while the guard is at work has ended before the work is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_ends_while_the_guard_is_at_work_ends_before_the_work() {
    let bench = Bench::new(62);
    let app = bench.app().await;
    let (ana, mut phone, case) = scene(&app).await;
    // Both wait for the one who writes: first the right's end, then the work, which was judged before that.
    let writer = app.storage.write().await.unwrap();
    let ending = tokio::spawn({
        let app = app.clone();
        async move { cases::end(&app, case, ana.id, Relation::Allocated).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = pushing(&app, &phone, case);
    let pushed = tokio::spawn({
        let app = app.clone();
        async move { phone.send(&app, waiting).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(writer);
    ending.await.unwrap().unwrap();
    assert!(is_kept_aside(&pushed.await.unwrap().unwrap()));
}

/// Invariant 5: findings say what stands in documents.
#[tokio::test]
async fn a_device_enrolled_after_a_right_ended_is_not_told_what_was_found_in_its_documents() {
    let bench = Bench::new(63);
    let app = bench.app().await;
    let (ana, mut phone, case) = scene(&app).await;
    let ledger = app.storage.ledger();
    let clinical = ledger.documents_of(&[case]).await.unwrap();
    let clinical = clinical.into_iter().find(|row| row.kind == Kind::Clinical).unwrap();
    let request = Request::CompleteAssessment { document: clinical.document, heads: clinical.heads };
    let ask = Ask { id: AskId::mint(&mut app.chance.clone()), at: stamp(), case, request };
    let found = |reply: &SyncReply| {
        assert_eq!(reply.verdicts.len(), 1);
        matches!(reply.verdicts[0].answer, Answer::Refused(AskRefusal::Findings { .. }))
    };
    let asking = || Waiting { asks: vec![ask.clone()], ..nothing(None) };
    assert!(found(&phone.sync(&app, asking()).await), "nothing is in it");
    assert!(found(&Phone::of(&app, &ana).await.sync(&app, nothing(None)).await), "while it is hers");
    cases::end(&app, case, ana.id, Relation::Allocated).await.unwrap();
    assert!(!found(&Phone::of(&app, &ana).await.sync(&app, nothing(None)).await));
    assert!(!found(&phone.sync(&app, asking()).await), "nor whoever asks again");
}

/// Invariant 1: what was asked before a right ended, and came after, is refused and kept; what a stranger asks leaves no
/// trace.
#[tokio::test]
async fn what_is_asked_of_a_case_that_was_once_theirs_is_kept_and_of_any_other_is_not() {
    let bench = Bench::new(64);
    let app = bench.app().await;
    let (ana, _, case) = scene(&app).await;
    let ben = account(&app, "ben", Role::Ot).await;
    cases::end(&app, case, ana.id, Relation::Allocated).await.unwrap();
    for (account, kept) in [(&ana, true), (&ben, false)] {
        let mut phone = Phone::of(&app, account).await;
        let request = Request::CloseCase { reason: "Moved away.".to_owned() };
        let ask = Ask { id: AskId::mint(&mut app.chance.clone()), case, at: stamp(), request };
        let id = ask.id;
        let reply = phone.sync(&app, Waiting { asks: vec![ask], ..nothing(None) }).await;
        assert!(matches!(reply.verdicts[..], [Verdict { answer: Answer::Refused(_), .. }]), "{:?}", reply.verdicts);
        assert_eq!(app.storage.ledger().ask(id).await.unwrap().is_some(), kept, "{}", account.sign_in);
    }
}
