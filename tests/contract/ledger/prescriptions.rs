//! Prescriptions and signed versions.

use grabrail_server::storage::ledger::{Ledger, PrescriptionRow, SignOffRow, SignedRow, Write};
use sync_core::domain::signoff::{SignedStanding, State};
use sync_core::id::DocumentId;

use super::hand::{Hand, SECRET};
use super::{put, refused};

pub(super) async fn versions<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(20);
    let case = hand.case();
    let new = hand.prescription_row(case);
    refused(ledger, [Write::Prescription(PrescriptionRow { version: 1, ..new.clone() })]).await;
    put(ledger, [Write::Prescription(new.clone())]).await;
    refused(ledger, [Write::Prescription(new.clone())]).await;
    let mut row = PrescriptionRow { version: 1, ..new.clone() };
    assert_eq!(ledger.prescription(new.document).await.unwrap().as_ref(), Some(&row));
    for round in 0..12 {
        row.state = hand.state();
        row.submitted = (round % 3 > 0).then(|| (hand.account(), hand.now()));
        put(ledger, [Write::Prescription(row.clone())]).await;
        refused(ledger, [Write::Prescription(row.clone())]).await;
        row.version += 1;
        assert_eq!(ledger.prescription(row.document).await.unwrap().as_ref(), Some(&row));
    }
    let other_case = hand.case();
    refused(ledger, [Write::Prescription(PrescriptionRow { case: other_case, ..row.clone() })]).await;
    let second = hand.prescription_row(case);
    put(ledger, [Write::Prescription(second.clone())]).await;
    let mut all = vec![row, PrescriptionRow { version: 1, ..second }];
    all.sort_by_key(|row| row.document);
    assert_eq!(ledger.prescriptions_of(&[case]).await.unwrap(), all);
    assert_eq!(ledger.prescriptions_of(&[other_case]).await.unwrap(), []);
    assert_eq!(ledger.prescription(DocumentId::mint(&mut hand.chance)).await.unwrap(), None);
}

pub(super) async fn waiting<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(21);
    let (heads, missing) = (hand.heads(), vec![hand.hash()]);
    let states = [
        State::Submitted { heads: heads.clone() },
        State::Draft,
        State::AwaitingPhotos { heads: heads.clone(), missing },
        State::Rejected { heads: heads.clone(), grounds: "no".to_owned() },
        State::Submitted { heads: heads.clone() },
        State::SignedOff { heads, number: 1 },
    ];
    let mut rows = Vec::new();
    for state in states {
        let submitted = Some((hand.account(), hand.now()));
        let case = hand.case();
        rows.push(PrescriptionRow { state, submitted, ..hand.prescription_row(case) });
    }
    // Written in another order than they were submitted in.
    for row in rows.iter().rev() {
        put(ledger, [Write::Prescription(row.clone())]).await;
    }
    let waiting = [0, 2, 4].map(|at: usize| PrescriptionRow { version: 1, ..rows[at].clone() });
    assert_eq!(ledger.submitted().await.unwrap(), waiting);
    put(ledger, [Write::Prescription(PrescriptionRow { state: State::Draft, ..waiting[0].clone() })]).await;
    assert_eq!(ledger.submitted().await.unwrap(), waiting[1..]);
}

pub(super) async fn signed_once<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(22);
    let case = hand.case();
    let document = DocumentId::mint(&mut hand.chance);
    let (first, second) = (hand.signed_row(document, case, 1), hand.signed_row(document, case, 2));
    put(ledger, [Write::Signed(first.clone())]).await;
    refused(ledger, [Write::Signed(hand.signed_row(document, case, 1))]).await;
    let by = SignedStanding::Superseded { by: 2 };
    put(ledger, [Write::Standing { document, case, number: 1, standing: by.clone() }, Write::Signed(second.clone())])
        .await;
    let recalled = SignedStanding::Recalled { at: hand.now(), reason: SECRET.to_owned() };
    put(ledger, [Write::Standing { document, case, number: 2, standing: recalled.clone() }]).await;
    let expected = [SignedRow { standing: by, ..first }, SignedRow { standing: recalled.clone(), ..second }];
    assert_eq!(ledger.signed(document).await.unwrap(), expected);
    refused(ledger, [Write::Standing { document, case, number: 3, standing: recalled }]).await;
    assert_eq!(ledger.signed(DocumentId::mint(&mut hand.chance)).await.unwrap(), []);
}

pub(super) async fn sign_offs<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(23);
    let case = hand.case();
    let document = DocumentId::mint(&mut hand.chance);
    let mut row = || hand.sign_off_row(document, case);
    let [first, second, third] = [row(), row(), row()];
    // The same person again is another signature: whether it counts is for others to say.
    let third = SignOffRow { account: first.account, ..third };
    put(ledger, [Write::SignOff(second.clone()), Write::SignOff(first.clone())]).await;
    put(ledger, [Write::SignOff(third.clone())]).await;
    refused(ledger, [Write::SignOff(SignOffRow { ask: first.ask, ..hand.sign_off_row(document, case) })]).await;
    let other = DocumentId::mint(&mut hand.chance);
    let elsewhere = hand.sign_off_row(other, case);
    put(ledger, [Write::SignOff(elsewhere.clone())]).await;
    assert_eq!(ledger.sign_offs(document).await.unwrap(), [second, first, third], "in the ledger's order");
    assert_eq!(ledger.sign_offs(other).await.unwrap(), [elsewhere]);
    assert_eq!(ledger.sign_offs(DocumentId::mint(&mut hand.chance)).await.unwrap(), []);
    assert_eq!(ledger.signed(document).await.unwrap(), [], "a signature is no signed version");
}
