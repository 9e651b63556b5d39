//! What only the ledger on a disk can do wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grabrail_server::storage::ledger::{CaseRow, CommitError, Ledger, Plan, Write};

use super::hand::{Hand, SECRET};
use super::put;
use crate::stores::{BY, Store, files};

#[tokio::test]
async fn what_was_acknowledged_reads_the_same_after_a_restart() {
    let store = Store::in_sql();
    let mut hand = Hand::new(50);
    let case = hand.case_row();
    let writes = hand.one_of_each(&case);
    let (account, device, document) = writes
        .iter()
        .find_map(|write| match write {
            Write::Append { account, device, document, .. } => Some((*account, *device, *document)),
            _ => None,
        })
        .unwrap();
    let signed = writes
        .iter()
        .find_map(|write| match write {
            Write::Signed(row) => Some(row.document),
            _ => None,
        })
        .unwrap();
    let mut reads = Vec::new();
    for run in [1, 2] {
        let storage = store.open().await;
        let ledger = storage.ledger();
        if run == 1 {
            put(&ledger, std::iter::once(Write::Case(case.clone())).chain(writes.clone())).await;
        }
        reads.push(format!(
            "{:?}",
            (
                ledger.cases().await.unwrap(),
                ledger.documents_of(&[case.case]).await.unwrap(),
                ledger.changes(document, 0).await.unwrap(),
                (ledger.snapshot(document).await.unwrap(), ledger.frames_of(&[case.case]).await.unwrap()),
                (ledger.sign_offs(signed).await.unwrap(), ledger.signed(signed).await.unwrap()),
                ledger.submitted().await.unwrap(),
                ledger.quarantine(None).await.unwrap(),
                ledger.decided(&[case.case]).await.unwrap(),
                ledger.verdicts_of(account, 0, 9).await.unwrap(),
                ledger.carried(device).await.unwrap(),
                ledger.end().await.unwrap(),
            )
        ));
        if run == 2 {
            assert_eq!(put(&ledger, [Write::Touch(case.case)]).await, 2);
        }
        // The first is dropped as a crash would: nothing is closed.
    }
    assert_eq!(reads[0], reads[1]);
    assert!(reads[0].contains(&case.name) && reads[0].contains(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_pushes_from_two_threads_on_one_version_exactly_one_wins() {
    let store = Store::in_sql();
    let storage = store.open().await;
    let ledger = storage.ledger();
    let mut hand = Hand::new(51);
    let row = hand.lone_document();
    put(&ledger, [Write::Document(row.clone())]).await;
    for version in 0..10 {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let from = hand.sender();
                let plan = Plan { by: BY, writes: vec![hand.append((row.document, row.case), version, from, 1)] };
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.commit(plan).await })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(CommitError::Moved) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(ledger.changes(row.document, 0).await.unwrap().len(), 10);
    storage.close().await;
}

#[tokio::test]
async fn a_plan_given_up_in_the_middle_is_there_whole_or_not_at_all() {
    let store = Store::in_sql();
    let storage = store.open().await;
    let ledger = storage.ledger();
    let mut hand = Hand::new(52);
    let (mut gone, mut there, mut steps) = (0, 0, 1);
    while steps < 100_000 && (gone < 25 || there < 3) {
        let case = hand.case_row();
        let mut writes = vec![Write::Case(case.clone())];
        writes.extend(hand.one_of_each(&case));
        writes.push(Write::Quarantine(hand.quarantine_row(case.case)));
        let before = ledger.end().await.unwrap();
        tokio::select! {
            biased;
            done = ledger.commit(Plan { by: BY, writes }) => drop(done.unwrap()),
            () = yields(steps) => {}
        }
        // Another plan: the dropped one holds nothing up, and by then it is known what became of it.
        let end = put(&ledger, [Write::Touch(case.case)]).await;
        let whole = match end - before {
            1 => false,
            2 => true,
            other => panic!("{other} plans"),
        };
        assert_eq!(ledger.case(case.case).await.unwrap().is_some(), whole);
        assert_eq!(ledger.documents_of(&[case.case]).await.unwrap().len(), usize::from(whole));
        assert_eq!(ledger.prescriptions_of(&[case.case]).await.unwrap().len(), usize::from(whole));
        assert_eq!(ledger.quarantine(Some(case.case)).await.unwrap().len(), 2 * usize::from(whole));
        if whole {
            there += 1
        } else {
            gone += 1
        }
        steps += 1 + steps / 8;
    }
    assert!(gone > 0 && there > 0, "{gone} gone, {there} there: nothing was given up in the middle");
    storage.close().await;
}

async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_of_a_document_can_be_read_from_the_files() {
    let store = Store::in_sql();
    let storage = store.open().await;
    let ledger = storage.ledger();
    let mut hand = Hand::new(53);
    let case = hand.case_row();
    let mut writes = vec![Write::Case(case.clone())];
    writes.extend(hand.one_of_each(&case));
    put(&ledger, writes).await;
    let account = hand.account();
    for _ in 0..40 {
        let mut row = hand.prescription_row(case.case);
        row.state = hand.state();
        put(&ledger, [Write::Prescription(row)]).await;
        put(&ledger, [Write::Ask(hand.ask_row(case.case, account))]).await;
    }
    // In the log first, then in the database itself.
    let held = |text: &str| holding(&store.path(), text.as_bytes());
    assert!(held(&case.name).iter().any(|file| file.ends_with("-wal")), "the scan finds what is there");
    assert_eq!(held(SECRET), [] as [String; 0]);
    storage.close().await;
    assert!(!held(&case.name).is_empty());
    for words in [SECRET, "fell twice", "in March", "Grace Osei", "Bathroom and stairs"] {
        assert_eq!(held(words), [] as [String; 0], "{words}");
    }
}

/// The files under `folder` that hold `bytes`.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let holds = |path: &PathBuf| std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes);
    files(folder).iter().filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

#[tokio::test]
async fn two_handles_see_each_others_commits_at_once() {
    let store = Store::in_sql();
    let storage = store.open().await;
    let (one, two) = (storage.ledger(), Arc::new(storage.clone()).ledger());
    let mut hand = Hand::new(54);
    for _ in 0..20 {
        let case = hand.case_row();
        let n = put(&one, [Write::Case(case.clone())]).await;
        assert_eq!(two.case(case.case).await.unwrap(), Some(CaseRow { version: 1, ..case }));
        assert_eq!(two.end().await.unwrap(), n);
    }
    storage.close().await;
}
