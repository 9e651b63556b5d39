//! What can only be seen, or done, from inside: the sealed columns themselves, a full disk, and how statements find
//! their rows. The rest is in `tests/contract`.

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use sync_core::access::Relation;
use sync_core::clock::{Seeded, SystemClock, Timestamp};
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::State;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Hash};

use super::carries::{NEWS_MORE, NEWS_SIZES, NEWS_WHOLE, PULSE};
use super::sealed::Spot;
use super::*;
use crate::chance::SharedChance;
use crate::storage::seal::SealError;
use crate::testing::BY;

const CASE: CaseId = CaseId::from_bytes([1; 16]);
const DOCUMENT: DocumentId = DocumentId::from_bytes([2; 17]);

async fn ledger() -> (tempfile::TempDir, SqlLedger) {
    let folder = tempfile::tempdir().unwrap();
    let chance = SharedChance::new(Seeded::new(1));
    let storage = Storage::open(&folder.path().join("data"), Arc::new(SystemClock::new()), chance).await.unwrap();
    let ledger = storage.ledger();
    let row = DocumentRow {
        document: DOCUMENT,
        case: CASE,
        kind: Kind::Home,
        commission: None,
        about: None,
        authors: Vec::new(),
        version: 0,
        heads: Vec::new(),
    };
    ledger.commit(Plan { by: BY, writes: vec![Write::Document(row)] }).await.unwrap();
    (folder, ledger)
}

fn append(version: i64, changes: &[Vec<u8>]) -> Plan {
    let append = Write::Append {
        document: DOCUMENT,
        case: CASE,
        version,
        device: DeviceId::from_bytes([3; 16]),
        account: AccountId::from_bytes([4; 16]),
        envelope: (b"what was signed".to_vec(), b"signature".to_vec()),
        changes: changes.iter().map(|bytes| (Hash::of(bytes), bytes.clone())).collect(),
        heads: Vec::new(),
        snapshot: format!("snapshot {version}").into_bytes(),
        at: Timestamp::from_millis(5),
    };
    Plan { by: BY, writes: vec![append] }
}

async fn run(ledger: &SqlLedger, sql: &'static str) {
    let mut write = ledger.storage.write().await.unwrap();
    assert!(sqlx::query(sql).execute(&mut *write).await.unwrap().rows_affected() > 0);
    write.commit().await.unwrap();
}

fn not_here<T: std::fmt::Debug>(result: Result<T, StorageError>) {
    assert!(matches!(result, Err(StorageError::Seal(SealError::NotHere))), "{result:?}");
}

#[tokio::test]
async fn each_change_keeps_the_envelope_it_came_in() {
    let (_folder, ledger) = ledger().await;
    ledger.commit(append(0, &[b"one".to_vec(), b"two".to_vec()])).await.unwrap();
    let sql = "SELECT e.version, e.sealed FROM changes c \
               JOIN envelopes e ON e.document_id = c.document_id AND e.version = c.version WHERE c.hash = $1";
    let hash = Hash::of(b"two").to_string();
    let row = ledger.readers().one(sqlx::query(sql).bind(hash)).await.unwrap();
    let spot = Spot::envelope(CASE, DOCUMENT, row.get("version"));
    let (envelope, signature): (ByteVec, ByteVec) = ledger.unseal_value(spot, row.get("sealed")).await.unwrap();
    assert_eq!((envelope.as_slice(), signature.as_slice()), (b"what was signed".as_slice(), b"signature".as_slice()));
}

#[tokio::test]
async fn a_change_moved_to_another_row_does_not_open() {
    let (_folder, ledger) = ledger().await;
    ledger.commit(append(0, &[b"one".to_vec(), b"two".to_vec()])).await.unwrap();
    assert_eq!(ledger.changes(DOCUMENT, 0).await.unwrap().len(), 2);
    run(&ledger, "UPDATE changes SET sealed = (SELECT sealed FROM changes ORDER BY place LIMIT 1)").await;
    not_here(ledger.changes(DOCUMENT, 0).await);
}

#[tokio::test]
async fn an_old_snapshot_put_back_does_not_open() {
    let (_folder, ledger) = ledger().await;
    ledger.commit(append(0, &[])).await.unwrap();
    run(&ledger, "INSERT INTO snapshots SELECT 'kept', case_id, version, sealed FROM snapshots").await;
    ledger.commit(append(1, &[])).await.unwrap();
    assert_eq!(ledger.snapshot(DOCUMENT).await.unwrap(), Some((2, b"snapshot 1".to_vec())));
    run(&ledger, "UPDATE snapshots SET sealed = (SELECT sealed FROM snapshots WHERE document_id = 'kept')").await;
    not_here(ledger.snapshot(DOCUMENT).await);
}

#[tokio::test]
async fn what_is_larger_than_could_be_read_again_is_not_written() {
    let (_folder, ledger) = ledger().await;
    let result = ledger.commit(append(0, &[vec![0; (64 << 20) + 1]])).await;
    assert!(matches!(result, Err(CommitError::Storage(StorageError::Seal(SealError::TooLarge(_))))), "{result:?}");
    assert_eq!(ledger.end().await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_disk_is_said_leaves_nothing_half_written_and_hinders_nothing_afterwards() {
    let (_folder, ledger) = ledger().await;
    let mut noise = vec![0; 1 << 20];
    sync_core::clock::Chance::fill(&mut Seeded::new(9), &mut noise);
    let plan = append(0, &[b"small".to_vec(), noise]);
    for _ in 0..3 {
        // As far as SQLite can tell: the file may not grow.
        run_pragma(&ledger, "PRAGMA max_page_count = 1").await;
        let result = ledger.commit(plan.clone()).await;
        assert!(matches!(result, Err(CommitError::Storage(StorageError::DiskFull))), "{result:?}");
        assert_eq!(ledger.end().await.unwrap(), 1);
        assert_eq!(ledger.document(DOCUMENT).await.unwrap().unwrap().version, 0);
        assert_eq!(ledger.changes(DOCUMENT, 0).await.unwrap(), []);
    }
    run_pragma(&ledger, "PRAGMA max_page_count = 1000000").await;
    assert_eq!(ledger.commit(plan).await.unwrap(), 2);
    assert_eq!(ledger.changes(DOCUMENT, 0).await.unwrap().len(), 2);
}

async fn run_pragma(ledger: &SqlLedger, sql: &'static str) {
    sqlx::query(sql).execute(&ledger.storage.writer).await.unwrap();
}

#[tokio::test]
async fn an_erased_case_takes_nothing_more_and_reads_as_erased() {
    let (_folder, ledger) = ledger().await;
    ledger.commit(append(0, &[b"one".to_vec()])).await.unwrap();
    ledger.storage.vault().destroy(CASE).await.unwrap();
    let erased = |error: &StorageError| matches!(error, StorageError::Seal(SealError::Erased));
    assert!(erased(&ledger.changes(DOCUMENT, 0).await.unwrap_err()));
    let Err(CommitError::Storage(error)) = ledger.commit(append(1, &[])).await else { panic!("it was written") };
    assert!(erased(&error));
    assert_eq!(ledger.end().await.unwrap(), 2);
}

#[tokio::test]
async fn a_damaged_row_is_said_to_be_damaged() {
    let (_folder, ledger) = ledger().await;
    let row = PrescriptionRow {
        document: DOCUMENT,
        case: CASE,
        thread: DOCUMENT,
        state: State::Draft,
        submitted: None,
        version: 0,
    };
    ledger.commit(Plan { by: BY, writes: vec![Write::Prescription(row)] }).await.unwrap();
    run(&ledger, "UPDATE prescriptions SET thread_id = 'elsewhere'").await;
    assert!(matches!(ledger.prescription(DOCUMENT).await, Err(StorageError::Damaged("thread_id"))));
    run(&ledger, "UPDATE documents SET kind = 'diary'").await;
    assert!(matches!(ledger.document(DOCUMENT).await, Err(StorageError::Damaged("kind"))));
}

fn chosen(device: u8) -> Write {
    Write::Choose { device: DeviceId::from_bytes([device; 16]), choice: Choice { case: CASE, carry: true } }
}

/// Commits plans that all wait while the database is held by somebody else.
async fn together(ledger: &SqlLedger, plans: Vec<Plan>) -> Vec<Result<Number, CommitError>> {
    let held = ledger.storage.write().await.unwrap();
    let commit = |plan: Plan| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.commit(plan).await })
    };
    let waiting: Vec<_> = plans.into_iter().map(commit).collect();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(held);
    let mut answers = Vec::new();
    for one in waiting {
        answers.push(one.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn plans_that_come_together_have_each_its_own_answer_and_one_that_moved_leaves_nothing() {
    let (_folder, ledger) = ledger().await;
    let nobody = CaseId::from_bytes([9; 16]);
    let plan = |device: u8| {
        let moved = Write::Expect { of: Counted::Case(nobody), version: 1 };
        Plan { by: BY, writes: [chosen(device)].into_iter().chain(device.is_multiple_of(3).then_some(moved)).collect() }
    };
    let answers = together(&ledger, (1..=30).map(plan).collect()).await;
    let mut numbers = Vec::new();
    for (device, answer) in (1..=30).zip(answers) {
        let kept = ledger.chosen(DeviceId::from_bytes([device; 16])).await.unwrap().len();
        match answer {
            Ok(n) => numbers.push(n),
            Err(CommitError::Moved) => assert_eq!(device % 3, 0),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(kept, usize::from(device % 3 != 0), "plan {device}");
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=21).collect::<Vec<_>>(), "no number is taken by what was not written");
    assert_eq!(ledger.end().await.unwrap(), 21);
}

#[tokio::test]
async fn what_a_full_disk_refuses_is_refused_to_all_who_came_together() {
    let (_folder, ledger) = ledger().await;
    sqlx::query("PRAGMA max_page_count = 1").execute(&ledger.storage.writer).await.unwrap();
    let mut chance = Seeded::new(3);
    let mut large = vec![0; 1 << 20];
    sync_core::clock::Chance::fill(&mut chance, &mut large);
    let mut plans: Vec<Plan> = (1..=9).map(|device| Plan { by: BY, writes: vec![chosen(device)] }).collect();
    plans.insert(5, append(0, &[large]));
    let end = ledger.end().await.unwrap();
    // Its key is there, so that it comes with the others.
    ledger.storage.vault().case_key(CASE).await.unwrap();
    let answers = together(&ledger, plans).await;
    // The first of them may have gone before the others.
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(written <= 1, "{answers:?}");
    let full =
        |answer: &&Result<Number, CommitError>| matches!(answer, Err(CommitError::Storage(StorageError::DiskFull)));
    assert_eq!(answers.iter().filter(full).count(), answers.len() - written, "{answers:?}");
    let mut kept = 0;
    for device in 1..=9 {
        kept += ledger.chosen(DeviceId::from_bytes([device; 16])).await.unwrap().len();
    }
    assert_eq!((kept, ledger.end().await.unwrap()), (written, end + i64::try_from(written).unwrap()));
    sqlx::query("PRAGMA max_page_count = 1000000").execute(&ledger.storage.writer).await.unwrap();
    assert!(ledger.commit(Plan { by: BY, writes: vec![chosen(7)] }).await.is_ok(), "once there is room");
}

/// Whether a step of a plan reads one row; or, of what one device, person or document has, a range from a number or a
/// time on: no more than what is new.
fn reads_no_more_than_the_news(step: &str) -> bool {
    let mut words = step.split(' ');
    match (words.next(), words.next()) {
        // By equality alone it would be all that one has, and by a number alone what is new for everybody: both are
        // called a search too.
        (Some("SEARCH"), Some("carries" | "changes" | "reach" | "asks")) => {
            step.contains("=? AND ") && step.contains(">?")
        }
        // The one row of a key: no other of its columns follows.
        (Some("SEARCH"), Some("counters" | "carried_digests" | "accounts")) => {
            step.ends_with("(name=?)") || step.ends_with("(device_id=?)") || step.ends_with("(id=?)")
        }
        // No table. And one row for each life of the server (epoch), which a restore alone ends: neither cases nor
        // changes add any, so that there is no index.
        (Some("SCAN"), Some("CONSTANT" | "backups")) => true,
        // Whatever else is read has to be thought of here first.
        (Some("SCAN" | "SEARCH"), _) => false,
        // How what was found is put together and into its order.
        _ => true,
    }
}

/// The steps of a statement's plan that walk through more than what is new.
async fn walks(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    // Not persistent: one that is kept is only told again when an index goes, and not made anew.
    let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).persistent(false);
    // Any values: the plan is made before they are known.
    let bound = explain.bind("device").bind("account").bind(1_i64).bind(1_i64).bind(1_i64);
    let rows = bound.fetch_all(connection).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    assert!(steps.iter().any(|step| step.starts_with("SEARCH carries ")), "the plan is read wrongly: {steps:?}");
    steps.into_iter().filter(|step| !reads_no_more_than_the_news(step)).collect()
}

#[tokio::test]
async fn what_is_new_is_found_by_indexes_and_never_by_walking_through_what_is_carried() {
    let (_folder, ledger) = ledger().await;
    let (device, account) = (DeviceId::from_bytes([5; 16]), AccountId::from_bytes([6; 16]));
    let (starts, n) = (Timestamp::from_millis(3), 0);
    let relation = Relation::Allocated;
    let tie = RelationRow { account, case: CASE, relation, commission: None, starts, ends: None };
    let carry = |document| Write::Carry(CarryRow { device, case: CASE, document, n });
    let writes = vec![Write::Relation(tie), carry(None), carry(Some(DOCUMENT))];
    ledger.commit(Plan { by: BY, writes }).await.unwrap();
    ledger.commit(append(0, &[b"one".to_vec(), b"two".to_vec()])).await.unwrap();

    let of_pulse = ["carries_sent", "carries_touched", "reach_account", "reach_starts", "reach_ends", "asks_account"];
    let of_news = ["carries_touched", "changes_document"];
    let statements: [(&str, &[&str]); 4] =
        [(PULSE, &of_pulse), (NEWS_SIZES, &of_news), (NEWS_MORE, &of_news), (NEWS_WHOLE, &of_news)];
    for (statement, indexes) in statements {
        let mut write = ledger.storage.write().await.unwrap();
        assert_eq!(walks(&mut write, statement).await, Vec::<String>::new(), "{statement}");
        write.rollback().await.unwrap();
        // Each of them is needed, and missed: without it all is walked through that a device or a person has.
        for index in indexes {
            let mut write = ledger.storage.write().await.unwrap();
            let without = sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {index}")));
            without.execute(&mut *write).await.unwrap();
            assert_ne!(walks(&mut write, statement).await, Vec::<String>::new(), "without {index}: {statement}");
            write.rollback().await.unwrap();
        }
    }
}
