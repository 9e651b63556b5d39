//! Pushes that are written together, and what is kept in memory of the documents they went to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_core::protocol::ask::Answer;
use sync_core::protocol::card::DocumentCard;
use sync_core::protocol::sync::Refused;

use super::*;
use crate::documents;
use crate::storage::ledger::DocumentRow;

/// Two people with a case between them, and its home and clinical assessment.
async fn scene(app: &App) -> ([Phone; 2], CaseId, Vec<DocumentCard>) {
    let (ana, eve) = (account(app, "ana", Role::Ot).await, account(app, "eve", Role::Ot).await);
    let case = case(app, "R1").await;
    for who in [&ana, &eve] {
        cases::relate(app, case, who, Relation::Allocated).await.unwrap();
    }
    let (mut anas, mut eves) = (Phone::of(app, &ana).await, Phone::of(app, &eve).await);
    let planned = anas.sync(app, nothing(None)).await.cards.remove(0).documents;
    eves.sync(app, nothing(None)).await;
    ([anas, eves], case, planned)
}

fn item(kind: Kind) -> Edit {
    Edit::Add(Body::Item(Item { kind: if kind == Kind::Home { ItemKind::VisitorRisk } else { ItemKind::Outcome } }))
}

/// One more item in each of these documents, on top of what the server has.
async fn more(app: &App, phone: &Phone, case: CaseId, planned: &[DocumentCard], at: u32) -> Vec<WaitingPush> {
    let (ledger, sender) = (app.storage.ledger(), phone.identity.sender);
    let mut pushes = Vec::new();
    for listed in planned {
        let row = ledger.document(listed.document).await.unwrap().unwrap();
        let (_, mut state) = documents::load(&ledger, &row).await.unwrap();
        let base = state.heads();
        let mut keys = (at..).map(|counter| Key { device: sender.number, counter });
        let edits = [item(listed.kind)];
        let by = actor(&sender, listed.document, 0);
        let made = state.edit(by, sender.account, stamp(), &mut keys, &edits).unwrap();
        let (document, kind) = (listed.document, listed.kind);
        pushes.push(WaitingPush { document, case, kind, fork: 0, base, changes: vec![made] });
    }
    pushes
}

/// How many bytes of a device's day a push takes: with its row, and with the names in what was signed.
pub(super) fn in_a_day(push: &WaitingPush) -> u64 {
    let names = push.base.len() + push.changes.len();
    let bytes: usize = push.changes.iter().map(|(_, change)| change.len()).sum();
    (1024 + 34 * names + bytes) as u64
}

async fn items(app: &App, document: DocumentId) -> usize {
    let ledger = app.storage.ledger();
    let row = ledger.document(document).await.unwrap().unwrap();
    let kept = app.documents.load(&ledger, &row).await.unwrap().1;
    let stored = documents::load(&ledger, &row).await.unwrap().1;
    assert_eq!((kept.heads(), kept.read()), (stored.heads(), stored.read()), "what is kept is what is stored");
    stored.view().items().count()
}

#[tokio::test]
async fn the_pushes_of_a_request_are_written_together() {
    let bench = Bench::new(21);
    let app = bench.app().await;
    let ([mut anas, _], case, planned) = scene(&app).await;
    assert!(planned.len() > 1);
    let pushes = more(&app, &anas, case, &planned, 1).await;
    let reply = anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    assert_eq!(reply.receipts.unwrap().receipts.documents.len(), planned.len());
    let ledger = app.storage.ledger();
    let mut places = BTreeSet::new();
    for listed in &planned {
        let changes = ledger.changes(listed.document, 0).await.unwrap();
        places.extend(changes.iter().map(|change| change.n));
    }
    assert_eq!(places.len(), 1, "one plan, one wait for the disk");
    // Two pushes to one document in one request rest on each other.
    let mut first = more(&app, &anas, case, &planned[..1], 100).await;
    let (row, sender) = (ledger.document(planned[0].document).await.unwrap().unwrap(), anas.identity.sender);
    let (_, mut state) = documents::load(&ledger, &row).await.unwrap();
    state.apply(&[&first[0].changes[0].1]).unwrap();
    let base = state.heads();
    let mut keys = (200..).map(|counter| Key { device: sender.number, counter });
    let edits = [item(row.kind)];
    let by = actor(&sender, row.document, 0);
    let made = state.edit(by, sender.account, stamp(), &mut keys, &edits).unwrap();
    first.push(WaitingPush { base, changes: vec![made], ..first[0].clone() });
    let reply = anas.sync(&app, Waiting { pushes: first, ..nothing(None) }).await;
    assert_eq!((reply.refused.len(), items(&app, row.document).await), (0, 3));
}

#[tokio::test]
async fn what_is_asked_of_a_version_whose_changes_are_missing_waits_for_them() {
    let bench = Bench::new(26);
    let app = bench.app().await;
    let ([mut anas, _], case, planned) = scene(&app).await;
    let (ledger, sender) = (app.storage.ledger(), anas.identity.sender);
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap();
    let first = more(&app, &anas, case, std::slice::from_ref(home), 1).await.remove(0);
    let row = ledger.document(home.document).await.unwrap().unwrap();
    let (_, mut state) = documents::load(&ledger, &row).await.unwrap();
    state.apply(&[&first.changes[0].1]).unwrap();
    let base = state.heads();
    let mut keys = (100..).map(|counter| Key { device: sender.number, counter });
    let by = actor(&sender, home.document, 0);
    let made = state.edit(by, sender.account, stamp(), &mut keys, &[item(Kind::Home)]).unwrap();
    let second = WaitingPush { base, changes: vec![made], ..first.clone() };
    let ask = Ask {
        id: AskId::mint(&mut app.chance.clone()),
        case,
        at: stamp(),
        request: Request::Release {
            document: home.document,
            heads: state.heads(),
            consent: "She agreed at the visit.".to_owned(),
        },
    };
    let waiting = |pushes| Waiting { pushes, asks: vec![ask.clone()], ..nothing(None) };
    // The server lost the first one, as a restore would make it.
    let reply = anas.sync(&app, waiting(vec![second.clone()])).await;
    assert!(matches!(reply.refused[..], [Refused { reason: Refusal::Missing { .. }, .. }]), "{:?}", reply.refused);
    assert_eq!(reply.verdicts, [], "its version is on its way");
    let reply = anas.sync(&app, waiting(vec![first, second])).await;
    assert_eq!((reply.refused.len(), reply.verdicts.len()), (0, 1));
    assert_eq!((reply.verdicts[0].ask, reply.verdicts[0].answer.clone()), (ask.id, Answer::Granted));
}

#[tokio::test]
async fn two_people_who_push_to_the_same_documents_at_once_both_get_all_of_it_in() {
    let bench = Bench::new(22);
    let app = bench.app().await;
    let ([mut anas, mut eves], case, planned) = scene(&app).await;
    let (ledger, mut apart) = (app.storage.ledger(), 0);
    for round in 1..6 {
        let before = ledger.end().await.unwrap();
        let (of_ana, of_eve) =
            (more(&app, &anas, case, &planned, round).await, more(&app, &eves, case, &planned, round).await);
        let (a, b) = tokio::join!(
            anas.send(&app, Waiting { pushes: of_ana, ..nothing(None) }),
            eves.send(&app, Waiting { pushes: of_eve, ..nothing(None) })
        );
        for reply in [a.unwrap(), b.unwrap()] {
            assert_eq!(reply.refused, []);
            assert_eq!(reply.receipts.unwrap().receipts.documents.len(), planned.len());
        }
        let mut places: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for listed in &planned {
            assert_eq!(items(&app, listed.document).await, 2 * round as usize);
            for change in ledger.changes(listed.document, before).await.unwrap() {
                places.entry(change.device).or_default().insert(change.n);
            }
        }
        // Whose documents had moved wrote them one by one.
        apart += places.values().filter(|places| places.len() == planned.len()).count();
    }
    assert!(apart > 0, "nobody's documents ever moved under them");
}

#[tokio::test]
async fn a_kept_document_is_found_only_as_its_row_says_that_it_stands() {
    let bench = Bench::new(23);
    let app = bench.app().await;
    let ([mut anas, _], case, planned) = scene(&app).await;
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap().clone();
    let document = home.document;
    let pushes = more(&app, &anas, case, std::slice::from_ref(&home), 1).await;
    anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    let ledger = app.storage.ledger();
    let before = ledger.document(document).await.unwrap().unwrap();
    // What was judged and whose commit failed: nothing of it may be built on.
    let (_, mut never) = documents::load(&ledger, &before).await.unwrap();
    let push = more(&app, &anas, case, std::slice::from_ref(&home), 50).await.remove(0);
    never.apply(&[&push.changes[0].1]).unwrap();
    app.documents.keep(document, never, 100);
    assert_eq!(items(&app, document).await, 1);
    // What another wrote past this process's memory, as one with the same folder would.
    let stale = documents::load(&ledger, &before).await.unwrap().1;
    let pushes = more(&app, &anas, case, std::slice::from_ref(&home), 2).await;
    anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    app.documents.keep(document, stale, 100);
    assert_eq!(items(&app, document).await, 2);
    let pushes = more(&app, &anas, case, &[home], 3).await;
    let reply = anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    assert_eq!((reply.refused, items(&app, document).await), (vec![], 3));
}

#[tokio::test]
async fn whoever_lost_their_right_is_refused_a_document_that_is_kept() {
    let bench = Bench::new(24);
    let app = bench.app().await;
    let ([mut anas, mut eves], case, planned) = scene(&app).await;
    let pushes = more(&app, &anas, case, &planned, 1).await;
    anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    let pushes = more(&app, &eves, case, &planned, 1).await;
    let eve = eves.identity.sender.account;
    cases::end(&app, case, eve, Relation::Allocated).await.unwrap();
    let reply = eves.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    assert_eq!(reply.refused.len(), planned.len());
    assert!(reply.refused.iter().all(|refused| refused.reason == Refusal::NotAllowed), "{:?}", reply.refused);
    assert!(reply.receipts.is_none() && reply.purges().0 == [case]);
    for listed in &planned {
        assert_eq!(items(&app, listed.document).await, 1);
    }
}

#[tokio::test]
async fn what_is_kept_stays_within_its_bound_and_what_was_used_last_stays() {
    let bench = Bench::new(25);
    let app = bench.app().await;
    let ([mut anas, _], case, planned) = scene(&app).await;
    let pushes = more(&app, &anas, case, &planned, 1).await;
    anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
    let ledger = app.storage.ledger();
    let row = ledger.document(planned[0].document).await.unwrap().unwrap();
    let of = documents::load(&ledger, &row).await.unwrap().1;
    let kept = documents::Documents::default();
    let names: Vec<DocumentId> = (0..40).map(|_| DocumentId::mint(&mut app.chance.clone())).collect();
    let is_kept = |name: DocumentId| kept.keeps(&DocumentRow { document: name, ..row.clone() });
    kept.keep(names[0], of.clone(), 1 << 20);
    for name in &names[1..] {
        assert!(is_kept(names[0]), "it is used again and again");
        kept.keep(*name, of.clone(), 1 << 20);
    }
    assert!(is_kept(names[0]) && is_kept(names[39]) && !is_kept(names[1]));
    assert_eq!(names.iter().filter(|name| is_kept(**name)).count(), 2, "16 MiB hold two of 6");
    kept.keep(names[0], of.clone(), 1 << 30);
    assert!(!is_kept(names[0]), "larger than all the room there is");
    // However little it takes saved, Automerge keeps of each change how far each actor was.
    let mut crowded = of;
    for by in 0..=u8::MAX {
        let mut keys = (1..).map(|counter| Key { device: 100 + u32::from(by), counter });
        let edits = [item(planned[0].kind)];
        crowded.edit([by; 16], anas.identity.sender.account, stamp(), &mut keys, &edits).unwrap();
    }
    assert!(documents::in_memory(&crowded, 100) > 4 * 256 * 256);
}

#[tokio::test]
async fn what_a_push_takes_on_disk_counts_towards_the_day_and_what_is_here_already_does_not() {
    let bench = Bench::new(26);
    let app = bench.app().await;
    let ([mut anas, _], case, planned) = scene(&app).await;
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap().document;
    let push = anas.item(home, case, Kind::Home);
    let (ledger, device) = (app.storage.ledger(), anas.identity.sender.device);
    for _ in 0..2 {
        let pushes = vec![push.clone()];
        let reply = anas.sync(&app, Waiting { pushes, ..nothing(None) }).await;
        assert_eq!(reply.refused, []);
        assert_eq!(ledger.brought(device, app.clock.now()).await.unwrap(), in_a_day(&push));
    }
    // What was signed is kept for ever: a base that names what is nowhere is not, and set aside it counts whole.
    let unknown: Vec<Hash> = (0..1000_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
    let mut next = more(&app, &anas, case, &[planned[0].clone()], 5).await.remove(0);
    next.base = unknown.clone();
    let reply = anas.sync(&app, Waiting { pushes: vec![next], ..nothing(None) }).await;
    assert_eq!(reply.refused[0].reason, Refusal::Missing { at: 0, missing: unknown });
    assert!(ledger.brought(device, app.clock.now()).await.unwrap() > in_a_day(&push) + 34_000);
}

/// A bound of the day means later: nothing is refused or kept twice, and nobody else waits.
#[tokio::test]
async fn over_a_days_bound_work_waits_for_tomorrow_and_asks_and_others_go_on() {
    let bench = Bench::new(9);
    let mut app = bench.app().await;
    let (ana, olu) = (account(&app, "ana", Role::Ot).await, account(&app, "olu", Role::Ot).await);
    let case = case(&app, "R1").await;
    for person in [&ana, &olu] {
        cases::relate(&app, case, person, Relation::Allocated).await.unwrap();
    }
    let rows = app.storage.ledger().documents_of(&[case]).await.unwrap();
    let home = rows.iter().find(|row| row.kind == Kind::Home).unwrap().document;
    let annexe = DocumentId::mint(&mut app.chance.clone());
    let (mut anas, mut olus) = (Phone::of(&app, &ana).await, Phone::of(&app, &olu).await);
    let push = |phone: &Phone, home| Waiting { pushes: vec![phone.item(home, case, Kind::Home)], ..nothing(None) };
    let reasons = |reply: &SyncReply| -> Vec<_> {
        reply.refused.iter().map(|refused| (refused.document, refused.reason.clone(), refused.quarantine)).collect()
    };
    let receipted = |reply: &SyncReply| reply.receipts.as_ref().map_or(0, |signed| signed.receipts.documents.len());
    let bytes = in_a_day(&anas.item(home, case, Kind::Home));
    let (before, device) = (600, anas.identity.sender.device);
    Arc::make_mut(&mut app.config).limits.device_day_bytes = before + bytes + 10;
    let writes = vec![Write::Brought { device, bytes: before, at: app.clock.now(), most: u64::MAX }];
    app.storage.ledger().commit(Plan { by: BY, writes }).await.unwrap();

    // A day's worth goes through, and again without counting again.
    for _ in 0..2 {
        let reply = anas.sync(&app, push(&anas, home)).await;
        assert_eq!((receipted(&reply), reasons(&reply)), (1, vec![]));
    }
    // One more is later, with its asks about it; what is in already and the ask about another document are answered.
    let complete = |document| Ask {
        id: AskId::mint(&mut app.chance.clone()),
        case,
        at: stamp(),
        request: Request::CompleteAssessment { document, heads: vec![] },
    };
    let asks = vec![complete(annexe), complete(home)];
    let pushes = vec![anas.item(annexe, case, Kind::Home), anas.item(home, case, Kind::Home)];
    let waiting = Waiting { pushes, asks: asks.clone(), ..nothing(None) };
    let reply = anas.sync(&app, waiting.clone()).await;
    assert_eq!(reasons(&reply), [(annexe, Refusal::Later, None)]);
    assert_eq!((receipted(&reply), reply.verdicts.len(), reply.verdicts[0].ask), (1, 1, asks[1].id));
    // What can't be taken at all is not kept for ever on a full day either.
    let mut forged = anas.item(home, case, Kind::Home);
    forged.fork = 7;
    let reply = anas.sync(&app, Waiting { pushes: vec![forged.clone()], ..nothing(None) }).await;
    assert_eq!(reasons(&reply), [], "it is in already");
    forged.changes = anas.item(DocumentId::mint(&mut app.chance.clone()), case, Kind::Home).changes;
    let reply = anas.sync(&app, Waiting { pushes: vec![forged.clone()], ..nothing(None) }).await;
    assert_eq!(reasons(&reply), [(home, Refusal::Later, None)]);
    assert_eq!(app.storage.ledger().quarantine(None).await.unwrap(), []);
    // Another device has a day of its own.
    let reply = olus.sync(&app, push(&olus, home)).await;
    assert_eq!((receipted(&reply), reasons(&reply)), (1, vec![]));

    bench.clock.advance(DAY);
    let reply = anas.sync(&app, waiting).await;
    assert_eq!((receipted(&reply), reasons(&reply), reply.verdicts.len()), (2, vec![], 2));
    // What is set aside counts as well.
    let reply = anas.sync(&app, Waiting { pushes: vec![forged.clone()], ..nothing(None) }).await;
    assert_eq!(reasons(&reply), [(home, Refusal::Later, None)]);
    bench.clock.advance(DAY);
    // With what it was signed over.
    Arc::make_mut(&mut app.config).limits.device_day_bytes = bytes + 1000;
    let reply = anas.sync(&app, Waiting { pushes: vec![forged.clone()], ..nothing(None) }).await;
    assert!(reply.refused[0].quarantine.is_some(), "{:?}", reply.refused);
    let brought = app.storage.ledger().brought(anas.identity.sender.device, app.clock.now()).await.unwrap();
    assert!(brought > forged.changes[0].1.len() as u64);
    Arc::make_mut(&mut app.config).limits.device_day_bytes = brought + bytes - 1;
    let reply = anas.sync(&app, push(&anas, DocumentId::mint(&mut app.chance.clone()))).await;
    assert_eq!(reasons(&reply)[0].1, Refusal::Later);
    assert_eq!(app.storage.ledger().quarantine(None).await.unwrap().len(), 1);
}
