//! Cases, relations, commissions.

use grabrail_server::storage::ledger::{
    CarryRow, CaseRow, CommissionRow, Counted, DocumentRow, Ledger, RelationRow, Since, Write,
};
use sync_core::access::Relation;
use sync_core::id::{CaseId, CommissionId};
use sync_core::protocol::CarriedDigest;
use sync_core::protocol::card::CaseState;
use sync_core::protocol::sync::PurgeReason;

use super::hand::Hand;
use super::{put, refused};

pub(super) async fn reads_back<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(2);
    let whole = CaseRow { released: Some(hand.released()), ..hand.case_row() };
    let bare = CaseRow {
        reference: None,
        state: CaseState::Unmatched,
        contact: None,
        visitor_risk: None,
        uprn: None,
        born: None,
        nhs_number: None,
        opened_by: Some(hand.account()),
        ..hand.case_row()
    };
    let bare_too = CaseRow { state: CaseState::Closed, case: hand.case(), ..bare.clone() };
    put(ledger, [&bare_too, &bare, &whole].map(|row| Write::Case(row.clone()))).await;
    // Each is at its first version now.
    let [whole, bare, bare_too] = [whole, bare, bare_too].map(written);
    for row in [&whole, &bare, &bare_too] {
        assert_eq!(ledger.case(row.case).await.unwrap().as_ref(), Some(row));
    }
    let found = ledger.case_by_reference(whole.reference.as_deref().unwrap()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&whole));
    assert_eq!(ledger.case_by_reference("").await.unwrap(), None);
    assert_eq!(ledger.case(CaseId::mint(&mut hand.chance)).await.unwrap(), None);
    let mut all = vec![whole, bare, bare_too];
    all.sort_by_key(|row| (row.created, row.case));
    assert_eq!(ledger.cases().await.unwrap(), all);
}

/// A row as it reads back once it was written.
fn written(row: CaseRow) -> CaseRow {
    CaseRow { version: row.version + 1, ..row }
}

pub(super) async fn particulars<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(3);
    let old = hand.case_row();
    let new = CaseRow {
        name: "Ada Whitcombe-Hall".to_owned(),
        reference: Some("REF-2".to_owned()),
        contact: None,
        ..written(old.clone())
    };
    put(ledger, [Write::Case(old.clone())]).await;
    put(ledger, [Write::Case(new.clone())]).await;
    let new = written(new);
    assert_eq!(ledger.cases().await.unwrap(), [new]);
    assert_eq!(ledger.case_by_reference(old.reference.as_deref().unwrap()).await.unwrap(), None);
}

/// Two who looked at the same case: one of them has to look again. Whoever is tied to it meanwhile counts too.
pub(super) async fn moves<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(7);
    let new = hand.case_row();
    refused(ledger, [Write::Case(CaseRow { version: 1, ..new.clone() })]).await;
    put(ledger, [Write::Case(new.clone())]).await;
    refused(ledger, [Write::Case(new.clone())]).await;
    let seen = written(new);
    let released = CaseRow { released: Some(hand.released()), ..seen.clone() };
    put(ledger, [Write::Case(released.clone())]).await;
    refused(ledger, [Write::Case(CaseRow { name: "Somebody Else".to_owned(), ..seen.clone() })]).await;
    let released = written(released);
    assert_eq!(ledger.case(seen.case).await.unwrap(), Some(released.clone()));

    let account = hand.account();
    let related = put(ledger, [Write::Relation(hand.relation_row(seen.case, account))]).await;
    refused(ledger, [Write::Case(CaseRow { contact: None, ..released.clone() })]).await;
    let expect = |version| Write::Expect { of: Counted::Case(seen.case), version };
    refused(ledger, [Write::Touch(seen.case), expect(released.version)]).await;
    put(ledger, [Write::Touch(seen.case), expect(released.version + 1)]).await;
    assert_eq!(ledger.end().await.unwrap(), related + 1);
}

pub(super) async fn reference_once<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(4);
    let (first, second) = (hand.case_row(), hand.case_row());
    put(ledger, [Write::Case(first.clone()), Write::Case(second.clone())]).await;
    let third = CaseRow { reference: first.reference.clone(), ..hand.case_row() };
    refused(ledger, [Write::Case(third.clone())]).await;
    let (first, second) = (written(first), written(second));
    refused(ledger, [Write::Case(CaseRow { reference: first.reference.clone(), ..second.clone() })]).await;
    assert_eq!(ledger.cases().await.unwrap(), [first, second]);
}

pub(super) async fn relations_end<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(5);
    let (case, other) = (hand.case_row(), hand.case_row());
    let (ot, private) = (hand.account(), hand.account());
    let allocated = hand.relation_row(case.case, ot);
    let team = RelationRow { relation: Relation::Team, ..allocated.clone() };
    let elsewhere = hand.relation_row(other.case, ot);
    let commissioned = RelationRow {
        relation: Relation::Commissioned,
        commission: Some(CommissionId::mint(&mut hand.chance)),
        ends: Some(hand.now()),
        ..hand.relation_row(case.case, private)
    };
    let all = [&allocated, &team, &elsewhere, &commissioned];
    put(ledger, all.map(|row| Write::Relation(row.clone()))).await;
    let sorted = |mut rows: Vec<RelationRow>| {
        rows.sort_by_key(|row| (row.case, row.account, row.relation));
        rows
    };
    let to = ledger.relations_to(&[case.case]).await.unwrap();
    assert_eq!(to, sorted(vec![allocated.clone(), team.clone(), commissioned.clone()]));
    assert_eq!(
        ledger.relations_of(ot).await.unwrap(),
        sorted(vec![allocated.clone(), team.clone(), elsewhere.clone()])
    );

    let end = hand.now();
    let ended = RelationRow { ends: Some(end), ..allocated.clone() };
    put(ledger, [Write::Relation(ended.clone())]).await;
    assert_eq!(ledger.relations_of(ot).await.unwrap(), sorted(vec![ended.clone(), team, elsewhere]));
    assert!(ended.holds(end.plus_millis(-1)) && !ended.holds(end));
    assert!(!ended.holds(ended.starts.plus_millis(-1)));
    assert_eq!(ledger.relations_of(hand.account()).await.unwrap(), []);
}

pub(super) async fn commissions<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(6);
    let case = hand.case_row();
    let account = hand.account();
    let row = hand.commission_row(case.case, account);
    put(ledger, [Write::Commission(row.clone())]).await;
    assert_eq!(ledger.commission(row.commission).await.unwrap().as_ref(), Some(&row));
    let longer = CommissionRow { ends: hand.now(), scope: "And the step outside".to_owned(), ..row.clone() };
    for _ in 0..2 {
        put(ledger, [Write::Commission(longer.clone())]).await;
        assert_eq!(ledger.commission(row.commission).await.unwrap().as_ref(), Some(&longer));
    }
    assert_eq!(ledger.commission(CommissionId::mint(&mut hand.chance)).await.unwrap(), None);
}

/// More cases than one statement lists, more rows than one statement writes.
pub(super) async fn many<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(6);
    let (ot, device) = (hand.account(), hand.device());
    let mut cases: Vec<CaseRow> = (0..70).map(|_| hand.case_row()).collect();
    let documents: Vec<DocumentRow> = cases.iter().map(|row| hand.document_row(row.case)).collect();
    let relations: Vec<RelationRow> = cases.iter().map(|row| hand.relation_row(row.case, ot)).collect();
    let mut digest = CarriedDigest::default();
    for (case, (document, relation)) in cases.iter_mut().zip(documents.iter().zip(&relations)) {
        put(ledger, [Write::Case(case.clone()), Write::Document(document.clone()), Write::Relation(relation.clone())])
            .await;
        digest.add(document.document, &document.heads);
        case.version = 2;
    }
    let carry = |case, document| Write::Carry(CarryRow { device, case, document, n: 0 });
    let sent = documents.iter().flat_map(|row| [carry(row.case, Some(row.document)), carry(row.case, None)]);
    let n = put(ledger, sent).await;

    cases.sort_by_key(|row| row.case);
    let ids: Vec<CaseId> = cases.iter().map(|row| row.case).collect();
    assert_eq!(ledger.cases_of(&ids).await.unwrap(), cases);
    let of: Vec<CaseId> = ledger.relations_to(&ids).await.unwrap().into_iter().map(|row| row.case).collect();
    assert_eq!(of, ids);
    let mut all = documents;
    all.sort_by_key(|row| row.document);
    assert_eq!(ledger.documents_of(&ids).await.unwrap(), all);
    let carried = ledger.carried_of(device, &ids).await.unwrap();
    assert!(carried.is_sorted() && carried.len() == 140 && carried.iter().all(|row| row.row.n == n));
    let since = Since { n: 0, at: hand.now() };
    assert_eq!(ledger.pulse(device, ot, since, since.at).await.unwrap().digest, digest);
    // The same noted again counts once; what was withheld meanwhile counts again.
    let (first, second) = (&all[0], &all[1]);
    let (case, document, reason) = (first.case, Some(first.document), PurgeReason::Withdrawn);
    let withheld = Write::Withhold { device, case, document, reason };
    put(ledger, [withheld, carry(second.case, Some(second.document)), carry(case, document), carry(case, document)])
        .await;
    assert_eq!(ledger.pulse(device, ot, since, since.at).await.unwrap().digest, digest);
}
