//! Documents and their changes.

use grabrail_server::storage::ledger::{CarryRow, CommitError, DocumentRow, Ledger, Plan, Write};
use sync_core::id::DocumentId;

use super::hand::Hand;
use super::{put, refused};
use crate::stores::BY;

pub(super) async fn begins<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(10);
    let case = hand.case();
    let (first, co_author) = (hand.account(), hand.account());
    let document = DocumentRow { authors: vec![co_author, first, co_author], ..hand.document_row(case) };
    let thread = DocumentRow { about: Some(document.document), commission: None, ..hand.document_row(case) };
    let nobodys = DocumentRow { authors: Vec::new(), ..hand.document_row(case) };
    let elsewhere = hand.lone_document();
    let all = [&document, &thread, &nobodys, &elsewhere];
    put(ledger, all.map(|row| Write::Document(row.clone()))).await;

    let mut document = DocumentRow { authors: vec![co_author, first], ..document };
    assert_eq!(ledger.document(document.document).await.unwrap().as_ref(), Some(&document));
    assert_eq!(ledger.snapshot(document.document).await.unwrap(), None);
    refused(ledger, [Write::Document(document.clone())]).await;

    let third = hand.account();
    for account in [first, third, third] {
        put(ledger, [Write::Author { document: document.document, case, account }]).await;
    }
    document.authors.push(third);
    let mut here = vec![document, thread, nobodys];
    here.sort_by_key(|row| row.document);
    assert_eq!(ledger.documents_of(&[case]).await.unwrap(), here);
    let unknown = DocumentId::mint(&mut hand.chance);
    assert_eq!(ledger.document(unknown).await.unwrap(), None);
    refused(ledger, [Write::Author { document: unknown, case, account: first }]).await;
}

pub(super) async fn appends<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(11);
    let row = hand.lone_document();
    let at = (row.document, row.case);
    let mut expected = Vec::new();
    put(ledger, [Write::Document(row.clone())]).await;
    for version in 0..3 {
        let from = hand.sender();
        // Twice in one plan: the second rests on what the first leaves.
        let pushes = [hand.append(at, 2 * version, from, 2), hand.append(at, 2 * version + 1, from, 1)];
        let n = put(ledger, pushes.clone()).await;
        for push in &pushes {
            let Write::Append { changes, .. } = push else { unreachable!() };
            expected.extend(changes.iter().map(|(hash, bytes)| (*hash, from, n, bytes.clone())));
        }
        let Write::Append { heads, snapshot, .. } = &pushes[1] else { unreachable!() };
        let after = ledger.document(row.document).await.unwrap().unwrap();
        assert_eq!(after, DocumentRow { version: 2 * version + 2, heads: heads.clone(), ..row.clone() });
        assert_eq!(ledger.snapshot(row.document).await.unwrap(), Some((after.version, snapshot.clone())));
    }
    let changes = ledger.changes(row.document, 0).await.unwrap();
    assert!(changes.iter().all(|change| change.document == row.document));
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| (change.hash, (change.device, change.account), change.n, change.bytes))
        .collect();
    assert_eq!(changes, expected);
}

pub(super) async fn moved<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(12);
    let row = hand.lone_document();
    let at = (row.document, row.case);
    let from = hand.sender();
    put(ledger, [Write::Document(row.clone()), hand.append(at, 0, from, 1)]).await;
    let (document, changes) =
        (ledger.document(row.document).await.unwrap(), ledger.changes(row.document, 0).await.unwrap());
    let other_case = hand.case();
    let unknown = DocumentId::mint(&mut hand.chance);
    for push in [
        hand.append(at, 0, from, 1),
        hand.append(at, 3, from, 1),
        hand.append((row.document, other_case), 1, from, 1),
        hand.append((unknown, row.case), 0, from, 1),
    ] {
        refused(ledger, [push.clone()]).await;
        // Neither does what comes before it in the plan.
        refused(ledger, [hand.append(at, 1, from, 1), push]).await;
    }
    assert_eq!(ledger.document(row.document).await.unwrap(), document);
    assert_eq!(ledger.changes(row.document, 0).await.unwrap(), changes);
    assert_eq!(ledger.end().await.unwrap(), 1);
}

pub(super) async fn again<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(13);
    let row = hand.lone_document();
    let ((device, account), reader) = (hand.sender(), hand.device());
    let first = hand.append((row.document, row.case), 0, (device, account), 2);
    let carry = CarryRow { device: reader, case: row.case, document: Some(row.document), n: 0 };
    put(ledger, [Write::Document(row.clone()), Write::Carry(carry), first.clone()]).await;
    let before = ledger.changes(row.document, 0).await.unwrap();
    let Write::Append { document, case, account, envelope, mut changes, heads, snapshot, at, .. } = first else {
        unreachable!()
    };
    let (fresh, bytes) = (hand.hash(), b"fresh".to_vec());
    changes.extend([(fresh, bytes.clone()), (fresh, bytes)]);
    let n = put(
        ledger,
        [Write::Append { document, case, version: 1, device, account, envelope, changes, heads, snapshot, at }],
    )
    .await;
    let after = ledger.changes(row.document, 0).await.unwrap();
    assert_eq!(after[..2], before);
    assert_eq!(after[2..].iter().map(|change| (change.hash, change.n)).collect::<Vec<_>>(), [(fresh, n)]);
    assert_eq!(ledger.document(row.document).await.unwrap().unwrap().version, 2);
    let news = ledger.news(reader, n - 1, 10).await.unwrap();
    assert_eq!(news.changes.iter().map(|change| change.hash).collect::<Vec<_>>(), [fresh]);
}

pub(super) async fn frames<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(17);
    let from = hand.sender();
    let (row, other) = (hand.lone_document(), hand.lone_document());
    let (case, document, at) = (row.case, row.document, (row.document, row.case));
    let frame = |version, packed: &str| Write::Frame { document, case, version, packed: packed.as_bytes().to_vec() };
    let read = async || {
        let frames = ledger.frames_of(&[case]).await.unwrap().into_iter();
        frames.map(|(of, heads, packed)| (of, heads, String::from_utf8(packed).unwrap())).collect::<Vec<_>>()
    };
    let first = hand.append(at, 0, from, 1);
    put(ledger, [Write::Document(row.clone()), Write::Document(other.clone()), first, frame(1, "one")]).await;
    let heads = ledger.document(document).await.unwrap().unwrap().heads;
    assert_eq!(read().await, [(document, heads, "one".to_owned())]);
    assert_eq!(ledger.frames_of(&[other.case]).await.unwrap(), []);
    // It has grown: what was packed is not all of it any more.
    let second = hand.append(at, 1, from, 1);
    put(ledger, [second]).await;
    assert_eq!(read().await, []);
    // Whoever packed the older version later does not put it in the place of the newer.
    put(ledger, [frame(2, "two")]).await;
    put(ledger, [frame(1, "one")]).await;
    let heads = ledger.document(document).await.unwrap().unwrap().heads;
    assert_eq!(read().await, [(document, heads, "two".to_owned())]);
}

pub(super) async fn two_documents<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(14);
    let case = hand.case();
    let (one, two) = (hand.document_row(case), hand.document_row(case));
    let from = hand.sender();
    let push = hand.append((one.document, case), 0, from, 1);
    let mut same = push.clone();
    if let Write::Append { document, .. } = &mut same {
        *document = two.document;
    }
    put(ledger, [Write::Document(one.clone()), Write::Document(two.clone()), push, same]).await;
    let (first, second) =
        (ledger.changes(one.document, 0).await.unwrap(), ledger.changes(two.document, 0).await.unwrap());
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!((first[0].hash, &first[0].bytes), (second[0].hash, &second[0].bytes));
}

pub(super) async fn race<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(15);
    let row = hand.lone_document();
    let at = (row.document, row.case);
    put(ledger, [Write::Document(row.clone())]).await;
    for version in 0..20 {
        let from = hand.sender();
        let (one, two) = (hand.append(at, version, from, 1), hand.append(at, version, from, 2));
        let (one, two) = tokio::join!(
            ledger.commit(Plan { by: BY, writes: vec![one] }),
            ledger.commit(Plan { by: BY, writes: vec![two] }),
        );
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(won.is_ok() && matches!(lost, Err(CommitError::Moved)), "{won:?} {lost:?}");
    }
    assert_eq!(ledger.document(row.document).await.unwrap().unwrap().version, 20);
}
