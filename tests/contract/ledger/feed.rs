//! What a device's feed begins with: what was noted for it since.

use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{Ledger, Number, Plan, Pulse, RelationRow, Since, WITHHELD, Write};
use sync_core::clock::Timestamp;
use sync_core::id::AccountId;
use sync_core::protocol::CarriedDigest;
use sync_core::protocol::sync::{Choice, PurgeReason};

use super::news::Scene;
use super::put;
use crate::stores::BY;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) async fn behind<L: Ledger>(ledger: &L, scene: &Scene, account: AccountId, n: Number) -> Pulse {
    ledger.pulse(scene.reader, account, Since { n, at: at(0) }, at(0)).await.unwrap()
}

pub(super) async fn pulse<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 60).await;
    let (device, case) = (scene.reader, scene.case.case);
    let account = scene.hand.account();
    let quiet = behind(ledger, &scene, account, scene.end).await;
    assert_eq!((quiet.end, quiet.carried.len(), quiet.tied.len(), quiet.decided), (scene.end, 0, 0, false));
    assert_eq!(behind(ledger, &scene, account, -1).await.carried.len(), 2, "from the beginning, all of it");

    let (push, _) = scene.push(0, 2);
    let n = put(ledger, [push]).await;
    let [news] = behind(ledger, &scene, account, scene.end).await.carried.try_into().unwrap();
    assert_eq!((news.row.document, news.touched), (Some(scene.document.document), n));
    assert_eq!(behind(ledger, &scene, account, n).await.carried, []);
    let own = scene.hand.append((scene.document.document, case), 1, (device, account), 1);
    let n = put(ledger, [own, Write::Touch(case)]).await;
    let [card] = behind(ledger, &scene, account, n - 1).await.carried.try_into().unwrap();
    assert_eq!((card.row.document, card.touched, card.shown), (None, n, None), "its own change is no news to it");
    let shown = scene.hand.hash();
    let n = put(ledger, [Write::Card { device, case, shown }]).await;
    let [card] = behind(ledger, &scene, account, n - 1).await.carried.try_into().unwrap();
    assert_eq!((card.row.n, card.shown), (n, Some(shown)));

    let end = n;
    let tie = scene.hand.relation_row(case, account);
    put(ledger, [Write::Relation(tie)]).await;
    assert_eq!(behind(ledger, &scene, account, end).await.tied, [case]);
    let ask = scene.hand.ask_row(case, account);
    let n = put(ledger, [Write::Ask(ask)]).await;
    assert!(behind(ledger, &scene, account, n - 1).await.decided);
    assert!(!behind(ledger, &scene, account, n).await.decided);
    let stranger = scene.hand.account();
    let of_others = behind(ledger, &scene, stranger, end).await;
    assert!(of_others.tied.is_empty() && !of_others.decided);

    let reason = PurgeReason::Closed;
    let n = put(ledger, [Write::Withhold { device, case, document: None, reason }]).await;
    put(ledger, [Write::Withhold { device, case, document: None, reason: PurgeReason::Ended }]).await;
    let orders = behind(ledger, &scene, account, n + 10).await.carried;
    assert_eq!(orders.len(), 2, "behind every cursor");
    assert!(orders.iter().all(|order| (order.row.n, order.reason) == (WITHHELD, Some(reason))), "{orders:?}");
}

pub(super) async fn ties<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 61).await;
    let (account, case) = (scene.hand.account(), scene.case.case);
    let tie = RelationRow { starts: at(100), ends: Some(at(200)), ..scene.hand.relation_row(case, account) };
    let n = put(ledger, [Write::Relation(tie)]).await;
    for (from, to, moved) in [
        (0, 99, false),
        (0, 100, true),
        (99, 100, true),
        (100, 100, false),
        (100, 199, false),
        (100, 200, true),
        (150, 201, true),
        (200, 900, false),
        // A clock that was set back.
        (201, 199, true),
        (199, 101, false),
        (101, 99, true),
    ] {
        let pulse = ledger.pulse(scene.reader, account, Since { n, at: at(from) }, at(to)).await.unwrap();
        assert_eq!(pulse.tied.len(), usize::from(moved), "from {from} to {to}");
    }
}

pub(super) async fn digest<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 62).await;
    let (device, case, document) = (scene.reader, scene.case.case, scene.document.document);
    let account = scene.hand.account();
    let holds = async |scene: &Scene, wanted: &[(_, Vec<_>)]| {
        let mut sum = CarriedDigest::default();
        wanted.iter().for_each(|(document, heads)| sum.add(*document, heads));
        let pulse = behind(ledger, scene, account, 0).await;
        assert_eq!(pulse.digest, sum);
        assert_eq!(ledger.documents_carried(device).await.unwrap(), (pulse.end, wanted.to_vec()));
    };
    holds(&scene, &[(document, scene.document.heads.clone())]).await;
    let (push, _) = scene.push(0, 2);
    let Write::Append { heads, .. } = &push else { unreachable!() };
    let heads = heads.clone();
    put(ledger, [push]).await;
    holds(&scene, &[(document, heads.clone())]).await;
    put(ledger, [Write::Withhold { device, case, document: Some(document), reason: PurgeReason::Ended }]).await;
    holds(&scene, &[]).await;
    let carry = grabrail_server::storage::ledger::CarryRow { device, case, document: Some(document), n: 0 };
    put(ledger, [Write::Carry(carry), Write::Carry(carry)]).await;
    holds(&scene, &[(document, heads)]).await;
    put(ledger, [Write::Resum(device)]).await;
    put(ledger, [Write::Uncarry { device, case, document: None }]).await;
    holds(&scene, &[]).await;
}

pub(super) async fn chosen<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 63).await;
    let (device, case) = (scene.reader, scene.case.case);
    for carry in [true, false] {
        put(ledger, [Write::Choose { device, choice: Choice { case, carry } }]).await;
        assert_eq!(ledger.chosen(device).await.unwrap(), [Choice { case, carry }]);
    }
    assert_eq!(ledger.chosen(scene.hand.device()).await.unwrap(), []);
}

/// A plan that has its number and is written behind one with a higher number, as PostgreSQL may do it.
#[tokio::test]
async fn news_look_no_further_than_a_plan_that_is_still_to_come() {
    let ledger = MemoryLedger::slow(|n| if n % 3 == 2 { 20 } else { 0 });
    let mut scene = Scene::new(&ledger, 64).await;
    assert_eq!(scene.end, 1);
    let other = scene.hand.document_row(scene.case.case);
    let (slow, _) = scene.push(0, 2);
    let late = ledger.commit(Plan { by: BY, writes: vec![slow] });
    let beside = async {
        tokio::task::yield_now().await;
        let n = put(&ledger, [Write::Document(other.clone())]).await;
        assert_eq!(n, 3, "the second number is taken and still to come");
        assert_eq!(ledger.end().await.unwrap(), 1);
        let news = ledger.news(scene.reader, scene.end, 10).await.unwrap();
        assert_eq!((news.until, news.changes.len()), (1, 0), "a cursor at 3 would never hear of 2");
        assert_eq!(behind(&ledger, &scene, scene.writer.1, 1).await.end, 1);
    };
    let (late, ()) = tokio::join!(late, beside);
    assert_eq!(late.unwrap(), 2);
    let news = ledger.news(scene.reader, scene.end, 10).await.unwrap();
    assert_eq!((news.until, news.changes.len()), (3, 2));
}
