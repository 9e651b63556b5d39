//! What holds for every plan, whatever it writes.

use grabrail_server::storage::ledger::{CaseRow, Counted, Ledger, Plan, PrescriptionRow, Write};

use super::hand::Hand;
use super::{put, refused};
use crate::stores::BY;

/// Each plan takes the next number; one that isn't written takes none, and an empty one neither.
pub(super) async fn whole_or_nothing<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(1);
    assert_eq!(ledger.end().await.unwrap(), 0);
    let (case, ask) = (hand.case_row(), hand.ask_row_of_nobody());
    assert_eq!(put(ledger, [Write::Case(case.clone()), Write::Ask(ask.clone())]).await, 1);
    let other = hand.case_row();
    let mut writes = vec![Write::Case(other.clone()), Write::Touch(case.case)];
    writes.extend(hand.one_of_each(&other));
    writes.push(Write::Ask(ask));
    refused(ledger, writes).await;
    assert_eq!(ledger.end().await.unwrap(), 1);
    assert_eq!(ledger.cases().await.unwrap(), [CaseRow { version: 1, ..case }]);
    assert_eq!(ledger.documents_of(&[other.case]).await.unwrap(), []);
    assert_eq!(ledger.relations_to(&[other.case]).await.unwrap(), []);
    assert_eq!(ledger.quarantine(None).await.unwrap(), []);
    assert_eq!(ledger.commit(Plan { by: BY, writes: Vec::new() }).await.unwrap(), 1);
    assert_eq!(put(ledger, [Write::Case(other)]).await, 2);
    assert_eq!(ledger.end().await.unwrap(), 2);
}

/// What a plan rests on has to stand when it is written: a document that moved or is not there takes the plan with it.
pub(super) async fn expects<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(1);
    let case = hand.case_row();
    let document = hand.document_row(case.case);
    let expect = |version| Write::Expect { of: Counted::Document(document.document), version };
    put(ledger, [Write::Case(case.clone())]).await;
    refused(ledger, [Write::Touch(case.case), expect(0)]).await;
    put(ledger, [Write::Document(document.clone()), expect(document.version)]).await;
    let end = ledger.end().await.unwrap();
    refused(ledger, [Write::Touch(case.case), expect(document.version + 1)]).await;
    assert_eq!(ledger.end().await.unwrap(), end);
    put(ledger, [Write::Touch(case.case), expect(document.version)]).await;

    let prescription = hand.prescription_row(case.case);
    let expect = |version| Write::Expect { of: Counted::Prescription(prescription.document), version };
    refused(ledger, [expect(0)]).await;
    put(ledger, [Write::Prescription(prescription.clone()), expect(1)]).await;
    put(ledger, [Write::Prescription(PrescriptionRow { version: 1, ..prescription.clone() })]).await;
    refused(ledger, [Write::Touch(case.case), expect(1)]).await;
}
