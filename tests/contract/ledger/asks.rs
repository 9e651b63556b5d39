//! Asks, quarantine, photos, and what was purged.

use grabrail_server::storage::ledger::{AskRow, Ledger, PhotoRow, PurgeRow, Write};
use sync_core::id::{AskId, DeviceId, DocumentId};

use super::hand::Hand;
use super::{put, refused};

pub(super) async fn ask_once<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(30);
    let (case, account) = (hand.case(), hand.account());
    let row = hand.ask_row(case, account);
    let n = put(ledger, [Write::Ask(row.clone())]).await;
    refused(ledger, [Write::Ask(row.clone())]).await;
    refused(ledger, [Write::Ask(AskRow { ask: row.ask, ..hand.ask_row(case, account) })]).await;
    assert_eq!(ledger.ask(row.ask).await.unwrap(), Some(AskRow { n, ..row }));
    assert_eq!(ledger.ask(AskId::mint(&mut hand.chance)).await.unwrap(), None);
}

pub(super) async fn decided<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(34);
    let (case, account, other) = (hand.case(), hand.account(), hand.case());
    let document = DocumentId::mint(&mut hand.chance);
    let mut ask = |case, decides| AskRow { decides, ..hand.ask_row(case, account) };
    let on = Some(document);
    let rows = [ask(case, on), ask(case, None), ask(other, on), ask(case, on)];
    let n = put(ledger, rows.clone().map(Write::Ask)).await;
    let last = ask(case, on);
    let after = put(ledger, [Write::Ask(last.clone())]).await;
    let [first, _, elsewhere, third] = rows.map(|row| AskRow { n, ..row });
    assert_eq!(ledger.decided(&[case]).await.unwrap(), [first, third, AskRow { n: after, ..last }]);
    assert_eq!(ledger.decided(&[other]).await.unwrap(), [elsewhere]);
    assert_eq!(ledger.decided(&[hand.case()]).await.unwrap(), []);
    let everywhere = ledger.decided_on(document).await.unwrap();
    assert_eq!(everywhere.iter().map(|row| row.n).collect::<Vec<_>>(), [n, n, n, after]);
    assert_eq!(ledger.decided_on(DocumentId::mint(&mut hand.chance)).await.unwrap(), []);
}

pub(super) async fn verdicts<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(31);
    let (case, account, other) = (hand.case(), hand.account(), hand.account());
    let (mut verdicts, mut numbers) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let rows = [hand.ask_row(case, account), hand.ask_row(case, other), hand.ask_row(case, account)];
        numbers.push(put(ledger, rows.clone().map(Write::Ask)).await);
        verdicts.extend([rows[0].verdict.clone(), rows[2].verdict.clone()]);
    }
    assert_eq!(ledger.verdicts_of(account, 0, 9).await.unwrap(), verdicts);
    assert_eq!(ledger.verdicts_of(account, numbers[1], 9).await.unwrap(), verdicts[4..]);
    assert_eq!(ledger.verdicts_of(account, numbers[3], 9).await.unwrap(), []);
    assert_eq!(ledger.verdicts_of(account, 0, 3).await.unwrap(), verdicts[5..], "the newest");
    assert_eq!(ledger.verdicts_of(other, 0, 9).await.unwrap().len(), 4);
    assert_eq!(ledger.verdicts_of(hand.account(), 0, 9).await.unwrap(), []);
}

pub(super) async fn all<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(36);
    let (case, account) = (hand.case(), hand.account());
    let mut rows: Vec<AskRow> = Vec::new();
    let mut ends = Vec::new();
    for count in [2, 1, 3] {
        let asks: Vec<AskRow> = (0..count).map(|_| hand.ask_row(case, account)).collect();
        let n = put(ledger, asks.clone().into_iter().map(Write::Ask)).await;
        rows.extend(asks.into_iter().map(|row| AskRow { n, ..row }));
        ends.push(n);
    }
    assert_eq!(ledger.asks(0, 99).await.unwrap(), rows);
    assert_eq!(ledger.asks(0, 1).await.unwrap(), rows[..2], "a plan whole");
    assert_eq!(ledger.asks(ends[0], 2).await.unwrap(), rows[2..]);
    assert_eq!(ledger.asks(ends[1], 99).await.unwrap(), rows[3..]);
    assert_eq!(ledger.asks(ends[2], 99).await.unwrap(), []);
}

pub(super) async fn told<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(35);
    let (case, account) = (hand.case(), hand.account());
    let mut ask = |told| AskRow { told, ..hand.ask_row(case, account) };
    let rows = [ask(true), ask(false), ask(true)];
    let n = put(ledger, rows.clone().map(Write::Ask)).await;
    let last = ask(true);
    let after = put(ledger, [Write::Ask(last.clone())]).await;
    let [first, untold, third] = rows.map(|row| AskRow { n, ..row });
    let told = [AskRow { n: after, ..last }, third, first];
    assert_eq!(ledger.told(None, 9).await.unwrap(), told);
    assert_eq!(ledger.told(None, 2).await.unwrap(), told[..2]);
    assert_eq!(ledger.told(Some(told[1].ask), 9).await.unwrap(), told[2..]);
    assert_eq!(ledger.told(Some(untold.ask), 9).await.unwrap(), told[2..], "behind any ask");
    assert_eq!(ledger.told(Some(AskId::mint(&mut hand.chance)), 9).await.unwrap(), []);
}

pub(super) async fn quarantine<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(32);
    let (case, other) = (hand.case(), hand.case());
    let rows = [hand.quarantine_row(case), hand.quarantine_row(other), hand.quarantine_row(case)];
    put(ledger, [Write::Quarantine(rows[0].clone()), Write::Quarantine(rows[1].clone())]).await;
    put(ledger, [Write::Quarantine(rows[2].clone())]).await;
    refused(ledger, [Write::Quarantine(rows[1].clone())]).await;
    let [first, second, third] = rows;
    assert_eq!(ledger.quarantine(Some(case)).await.unwrap(), [third.clone(), first.clone()]);
    assert_eq!(ledger.quarantine(None).await.unwrap(), [third, second, first]);
    assert_eq!(ledger.quarantine(Some(hand.case())).await.unwrap(), []);
}

pub(super) async fn set_aside<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(36);
    let (case, other) = (hand.case(), hand.case());
    let mut rows = Vec::new();
    for pushed in 0..5 {
        let mut row = hand.quarantine_row(if pushed % 2 == 0 { case } else { other });
        row.push = minicbor::to_vec(hand.whole_push(&row, pushed)).unwrap();
        put(ledger, [Write::Quarantine(row.clone())]).await;
        rows.push(row);
    }
    rows.reverse();
    let page = async |before, most| ledger.set_aside(before, most).await.unwrap();
    let all = page(None, 9).await;
    assert_eq!(all.iter().map(|row| row.changes).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
    for (listed, row) in all.iter().zip(&rows) {
        assert_eq!((listed.quarantine, listed.case, listed.document), (row.quarantine, row.case, row.document));
        assert_eq!((listed.account, listed.at, &listed.reason), (row.account, row.at, &row.reason));
    }
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(all[1].quarantine), 2).await, all[2..4]);
    assert_eq!(page(Some(all[3].quarantine), 2).await, all[4..]);
    assert_eq!(page(Some(all[4].quarantine), 2).await, []);
    assert_eq!(page(Some(hand.quarantine_row(case).quarantine), 2).await, [], "one that is not there");
}

pub(super) async fn photos<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(33);
    let (case, document) = (hand.case(), DocumentId::mint(&mut hand.chance));
    let (first, second) = (hand.photo_row(document, case), hand.photo_row(document, case));
    // The same photo in another document is another photo.
    let elsewhere = PhotoRow { document: DocumentId::mint(&mut hand.chance), ..first };
    put(ledger, [first, second, elsewhere].map(Write::Photo)).await;
    put(ledger, [Write::Photo(PhotoRow { at: hand.now(), account: hand.account(), ..first })]).await;
    assert_eq!(ledger.photo(document, first.hash).await.unwrap(), Some(first));
    assert_eq!(ledger.photos_of(document).await.unwrap(), [first, second]);
    assert_eq!(ledger.photos_of(elsewhere.document).await.unwrap(), [elsewhere]);
    assert_eq!(ledger.photo(elsewhere.document, second.hash).await.unwrap(), None);
}

pub(super) async fn purges<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(35);
    let device = DeviceId::mint(&mut hand.chance);
    let (case, other, document) = (hand.case(), hand.case(), DocumentId::mint(&mut hand.chance));
    let mut row = |case, document, signature: u8| PurgeRow {
        case,
        document,
        device,
        at: hand.now(),
        receipt: vec![1, 2, 3],
        signature: vec![signature; 64],
    };
    let rows = [row(case, None, 1), row(case, Some(document), 1), row(other, None, 1)];
    put(ledger, rows.clone().map(Write::Purged)).await;
    // The same word again, as after a lost reply; then a later one of the same case.
    put(ledger, [Write::Purged(PurgeRow { at: rows[2].at, ..rows[0].clone() })]).await;
    let later = row(case, None, 2);
    put(ledger, [Write::Purged(later.clone())]).await;
    let [first, second, elsewhere] = rows;
    assert_eq!(ledger.purges(case).await.unwrap(), [first, second, later]);
    assert_eq!(ledger.purges(other).await.unwrap(), [elsewhere]);
    assert_eq!(ledger.purges(hand.case()).await.unwrap(), []);
}
