//! Schemas, in order. A migration runs after a verified copy, and an older program refuses a newer schema.
//!
//! Each `sqlite/NNNN_name.sql` will have a `postgres/NNNN_name.sql` of the same number. One that was released is
//! never changed: the next says what is different.

use std::path::Path;

use sqlx::SqlitePool;
use sync_core::clock::Timestamp;

use super::{DataFolder, StorageError, blocking, folder, options};

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const ALL: &[Migration] = &[
    Migration { number: 1, name: "accounts", sql: include_str!("migrations/sqlite/0001_accounts.sql") },
    Migration { number: 2, name: "ledger", sql: include_str!("migrations/sqlite/0002_ledger.sql") },
    Migration { number: 3, name: "cases", sql: include_str!("migrations/sqlite/0003_cases.sql") },
    Migration { number: 4, name: "decisions", sql: include_str!("migrations/sqlite/0004_decisions.sql") },
    Migration { number: 5, name: "feed", sql: include_str!("migrations/sqlite/0005_feed.sql") },
    Migration { number: 6, name: "purges", sql: include_str!("migrations/sqlite/0006_purges.sql") },
    Migration { number: 7, name: "frames", sql: include_str!("migrations/sqlite/0007_frames.sql") },
    Migration { number: 8, name: "backups", sql: include_str!("migrations/sqlite/0008_backups.sql") },
    Migration { number: 9, name: "bounds", sql: include_str!("migrations/sqlite/0009_bounds.sql") },
    Migration { number: 10, name: "audit", sql: include_str!("migrations/sqlite/0010_audit.sql") },
    Migration { number: 11, name: "sign_offs", sql: include_str!("migrations/sqlite/0011_sign_offs.sql") },
    Migration { number: 12, name: "told", sql: include_str!("migrations/sqlite/0012_told.sql") },
    Migration { number: 13, name: "looks", sql: include_str!("migrations/sqlite/0013_looks.sql") },
];

/// Brings the database to the newest schema this program knows. `locked` when the caller already holds the folder's lock.
pub(super) async fn run(
    pool: &SqlitePool,
    folder: &DataFolder,
    now: Timestamp,
    locked: bool,
) -> Result<(), StorageError> {
    run_list(pool, folder, now, locked, ALL).await
}

async fn run_list(
    pool: &SqlitePool,
    folder: &DataFolder,
    now: Timestamp,
    locked: bool,
    all: &'static [Migration],
) -> Result<(), StorageError> {
    let known = all.last().map_or(0, |last| last.number);
    match at(pool).await? {
        found if found > known => return Err(StorageError::Newer { found, known }),
        found if found == known => return Ok(()),
        _ => {}
    }
    // Nobody may serve the folder while its tables change under it. Whoever waited here may find the work done.
    let _lock = if locked { None } else { Some(folder.lock().map_err(due)?) };
    let found = at(pool).await?;
    if found > 0 && found < known {
        copy(pool, folder, found, now).await?;
    }
    for migration in all.iter().filter(|migration| migration.number > found) {
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)")
            .bind(migration.number)
            .bind(migration.name)
            .bind(now.millis())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        tracing::info!(schema = migration.number, name = migration.name, "migrated");
    }
    Ok(())
}

fn due(error: StorageError) -> StorageError {
    match error {
        StorageError::Served(_) => StorageError::MigrationDue,
        other => other,
    }
}

/// The schema the database has; 0 when it is empty.
async fn at(pool: &SqlitePool) -> Result<i64, StorageError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(pool).await?;
    if tables == 0 {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM schema_migrations").fetch_one(pool).await?)
}

/// Copies the database beside itself and checks the copy whole. It stays until the operator removes it.
async fn copy(pool: &SqlitePool, folder: &DataFolder, found: i64, now: Timestamp) -> Result<(), StorageError> {
    folder.subfolder(COPIES)?;
    let path = folder.private_file(&format!("{COPIES}/schema-{found}-{}.sqlite", now.millis()))?;
    let target = path.to_str().ok_or(StorageError::Damaged("the data folder's path (it must be UTF-8)"))?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(pool).await?;
    verify(&path, found).await.map_err(|_| StorageError::CopyNotVerified(path.clone()))?;
    blocking(move || {
        let synced = std::fs::File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|error| StorageError::io(&path, error))?;
        path.parent().map_or(Ok(()), folder::sync_folder)
    })
    .await
}

const COPIES: &str = "before-migration";

async fn verify(path: &Path, schema: i64) -> Result<(), StorageError> {
    let pool = SqlitePool::connect_with(options(path).pragma("query_only", "ON")).await?;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&pool).await?;
    let held = at(&pool).await?;
    pool.close().await;
    if check == "ok" && held == schema { Ok(()) } else { Err(StorageError::CopyNotVerified(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage, connect};
    use crate::testing::Bench;

    /// What some later program knows.
    const NEXT: &[Migration] = &[
        Migration { number: 1, name: "accounts", sql: include_str!("migrations/sqlite/0001_accounts.sql") },
        Migration { number: 1000, name: "notes", sql: "ALTER TABLE organisations ADD COLUMN note TEXT" },
    ];

    /// A folder whose database is the dump of a schema.
    async fn dumped(bench: &Bench, dump: &'static str) -> (DataFolder, SqlitePool) {
        let folder = DataFolder::open(&bench.data()).unwrap();
        let pool = connect(&folder.private_file(folder::DATABASE).unwrap()).await.unwrap();
        sqlx::raw_sql(dump).execute(&pool).await.unwrap();
        (folder, pool)
    }

    #[tokio::test]
    async fn a_database_of_schema_1_is_migrated_and_holds_what_it_held() {
        let bench = Bench::new(1);
        dumped(&bench, include_str!("fixtures/schema-1.sql")).await.1.close().await;
        let storage = bench.storage().await;
        let names: Vec<_> = storage.organisations().await.unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["Example Council", "Hill Therapy"]);
        let accounts = storage.accounts().await.unwrap();
        assert_eq!(accounts.len(), 2);
        assert_eq!(accounts[1].hcpc_number.as_deref(), Some("OT123456"));
        assert_eq!(storage.server_keys().await.unwrap().len(), 4);
        assert_eq!(at(&storage.writer).await.unwrap(), ALL[ALL.len() - 1].number);
    }

    #[tokio::test]
    async fn a_database_of_schema_2_or_3_reads_with_its_case_and_who_has_to_do_with_it() {
        use crate::storage::ledger::Ledger as _;
        for dump in [include_str!("fixtures/schema-2.sql"), include_str!("fixtures/schema-3.sql")] {
            let bench = Bench::new(1);
            dumped(&bench, dump).await.1.close().await;
            let storage = bench.storage().await;
            let ledger = storage.ledger();
            let case = ledger.case_by_reference("W-1001").await.unwrap().unwrap();
            assert_eq!((case.name.as_str(), case.nhs_number.as_deref()), ("Elsie Marsh", Some("9434765919")));
            assert!(case.version >= 1 && case.released.is_none(), "{case:?}");
            assert_eq!(ledger.relations_to(&[case.case]).await.unwrap().len(), 2);
            assert_eq!(ledger.documents_of(&[case.case]).await.unwrap().len(), 3);
            assert_eq!(at(&storage.writer).await.unwrap(), ALL[ALL.len() - 1].number);
        }
    }

    /// Every sealed column of a folder that was written once opens for ever, with the keys it was sealed with.
    async fn everything_sealed_reads(dump: &'static str) -> (Bench, Storage) {
        use std::io::Write as _;

        use crate::storage::ledger::Ledger as _;
        const WORDS: &str = "she fell twice on the stairs in March and told nobody";
        let bench = Bench::new(1);
        let (folder, pool) = dumped(&bench, dump).await;
        pool.close().await;
        let keys = connect(&folder.private_file(folder::CASE_KEYS).unwrap()).await.unwrap();
        sqlx::raw_sql(include_str!("fixtures/schema-4-keys.sql")).execute(&keys).await.unwrap();
        keys.close().await;
        let path = folder.private_file(folder::DATA_KEY).unwrap();
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(include_bytes!("fixtures/schema-4-data.key")).unwrap();

        let storage = bench.storage().await;
        let ledger = storage.ledger();
        let case = ledger.case_by_reference("W-1001").await.unwrap().unwrap().case;
        let says = |what: &str, read: String| assert!(read.contains(WORDS), "{what}: {read}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [relation] = ledger.relations_to(&[case]).await.unwrap().try_into().unwrap();
        assert_eq!(relation.commission, None);
        let [document] = ledger.documents_of(&[case]).await.unwrap().try_into().unwrap();
        let changes = ledger.changes(document.document, 0).await.unwrap();
        assert_eq!(changes.len(), 3);
        changes.iter().for_each(|change| says("change", text(&change.bytes)));
        let (version, saved) = ledger.snapshot(document.document).await.unwrap().unwrap();
        assert_eq!(version, document.version);
        says("snapshot", text(&saved));
        let [prescription] = ledger.prescriptions_of(&[case]).await.unwrap().try_into().unwrap();
        assert!(prescription.state.submitted().is_some());
        let [signed] = ledger.signed(prescription.document).await.unwrap().try_into().unwrap();
        says("signed version", format!("{:?}", signed.signed));
        says("standing", format!("{:?}", signed.standing));
        let [aside] = ledger.quarantine(Some(case)).await.unwrap().try_into().unwrap();
        says("reason", aside.reason.to_string());
        says("push", text(&aside.push));
        // Set aside before its changes were counted.
        let [listed] = ledger.set_aside(None, 9).await.unwrap().try_into().unwrap();
        assert_eq!((listed.reason, listed.changes), (aside.reason.clone(), aside.changes()));
        let [decided] = ledger.decided(&[case]).await.unwrap().try_into().unwrap();
        says("ask", text(&decided.bytes));
        assert_eq!(ledger.verdicts_of(decided.account, 0, 9).await.unwrap(), [decided.verdict]);
        assert_eq!(ledger.photos_of(document.document).await.unwrap().len(), 1);
        assert_eq!(at(&storage.writer).await.unwrap(), ALL[ALL.len() - 1].number);
        // With the bench its folder would go.
        (bench, storage)
    }

    /// What a device carries, with all that its feed begins with.
    async fn carried(storage: &Storage) -> Vec<crate::storage::ledger::Carried> {
        use crate::storage::ledger::{Ledger as _, Since};
        let device = "vrl7e333snhyumkfh5mqwldvgq".parse().unwrap();
        let account = "w246wewmnth36oboat72h62ole".parse().unwrap();
        let since = Since { n: -1, at: Timestamp::from_millis(0) };
        let pulse = storage.ledger().pulse(device, account, since, Timestamp::from_millis(0)).await.unwrap();
        assert_eq!((pulse.end, pulse.tied.len(), pulse.decided), (1, 1, true));
        pulse.carried
    }

    #[tokio::test]
    async fn a_folder_of_schema_4_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-4.sql")).await;
        let [card] = carried(&storage).await.try_into().unwrap();
        assert_eq!((card.row.n, card.touched, card.shown, card.reason), (1, 1, None, None), "as it was touched");
    }

    #[tokio::test]
    async fn a_folder_of_schema_5_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        use sync_core::protocol::sync::PurgeReason;

        use crate::storage::ledger::{Ledger as _, WITHHELD};
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-5.sql")).await;
        let [card] = carried(&storage).await.try_into().unwrap();
        assert_eq!((card.row.n, card.touched, card.reason), (WITHHELD, 1, Some(PurgeReason::Closed)));
        assert!(card.shown.is_some());
        assert!(storage.ledger().chosen(card.row.device).await.unwrap()[0].carry);
    }

    #[tokio::test]
    async fn a_folder_of_schema_6_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        use crate::storage::ledger::{Ledger as _, WITHHELD};
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-6.sql")).await;
        let [card] = carried(&storage).await.try_into().unwrap();
        assert_eq!(card.row.n, WITHHELD);
        let [whole, one] = storage.ledger().purges(card.row.case).await.unwrap().try_into().unwrap();
        assert_eq!((whole.device, whole.document), (card.row.device, None));
        assert_eq!((one.device, one.document.is_some()), (card.row.device, true));
        assert_eq!((&whole.receipt[..], whole.signature.len()), (&b"the receipt"[..], 64));
    }

    #[tokio::test]
    async fn a_folder_of_schema_7_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        use crate::storage::ledger::Ledger as _;
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-7.sql")).await;
        let [card] = carried(&storage).await.try_into().unwrap();
        let [(document, heads, packed)] =
            storage.ledger().frames_of(&[card.row.case]).await.unwrap().try_into().unwrap();
        let row = storage.ledger().document(document).await.unwrap().unwrap();
        assert_eq!(heads, row.heads);
        assert!(String::from_utf8_lossy(&packed).contains("she fell twice on the stairs"));
    }

    #[tokio::test]
    async fn a_folder_of_schema_8_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        use crate::storage::ledger::{Ledger as _, Since};
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-8.sql")).await;
        let device = carried(&storage).await[0].row.device;
        let since = Since { n: 0, at: Timestamp::from_millis(0) };
        let account = "w246wewmnth36oboat72h62ole".parse().unwrap();
        let pulse = storage.ledger().pulse(device, account, since, Timestamp::from_millis(0)).await.unwrap();
        assert_eq!(pulse.backups.len(), 1);
    }

    #[tokio::test]
    async fn a_folder_of_schema_9_opens_with_its_keys_and_everything_sealed_in_it_reads() {
        use crate::storage::audit::{End, Sought};
        use crate::storage::ledger::Ledger as _;
        let (_bench, storage) = everything_sealed_reads(include_str!("fixtures/schema-9.sql")).await;
        carried(&storage).await;
        // What was done before there was a log is in none, and nobody was told of what was asked.
        assert_eq!(storage.audit_end().await.unwrap(), End::default());
        assert_eq!(storage.ledger().audited(&Sought::default(), 0, 9).await.unwrap(), []);
        assert_eq!(storage.ledger().told(None, 9).await.unwrap(), []);
        assert_eq!(storage.ledger().asks(0, 9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_migration_runs_once_after_a_copy_that_holds_the_old_schema() {
        let bench = Bench::new(1);
        let (folder, pool) = dumped(&bench, include_str!("fixtures/schema-1.sql")).await;
        let now = Timestamp::from_millis(5);
        for _ in 0..2 {
            run_list(&pool, &folder, now, false, NEXT).await.unwrap();
            assert_eq!(at(&pool).await.unwrap(), 1000);
        }
        let copy = bench.data().join("before-migration/schema-1-5.sqlite");
        verify(&copy, 1).await.unwrap();
        assert!(matches!(verify(&copy, 2).await, Err(StorageError::CopyNotVerified(_))));
        assert_eq!(std::fs::read_dir(bench.data().join("before-migration")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_newer_database_is_refused_and_left_alone() {
        let bench = Bench::new(1);
        let (folder, pool) = dumped(&bench, include_str!("fixtures/schema-1.sql")).await;
        run_list(&pool, &folder, Timestamp::from_millis(5), false, NEXT).await.unwrap();
        pool.close().await;
        let refused = Storage::open(&bench.data(), bench.clock.clone(), bench.chance.clone()).await.unwrap_err();
        let newest = ALL[ALL.len() - 1].number;
        assert!(matches!(refused, StorageError::Newer { found: 1000, known } if known == newest), "{refused}");
    }

    #[tokio::test]
    async fn nothing_is_migrated_beside_a_running_server() {
        let bench = Bench::new(1);
        let (folder, pool) = dumped(&bench, include_str!("fixtures/schema-1.sql")).await;
        let _held = folder.lock().unwrap();
        let refused = run_list(&pool, &folder, Timestamp::from_millis(5), false, NEXT).await;
        assert!(matches!(refused, Err(StorageError::MigrationDue)));
        assert_eq!(at(&pool).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_the_schema_it_found() {
        const BROKEN: &[Migration] = &[
            Migration { number: 1, name: "accounts", sql: "" },
            Migration { number: 2, name: "broken", sql: "CREATE TABLE half (x TEXT); INSERT INTO nowhere VALUES (1)" },
        ];
        let bench = Bench::new(1);
        let (folder, pool) = dumped(&bench, include_str!("fixtures/schema-1.sql")).await;
        assert!(run_list(&pool, &folder, Timestamp::from_millis(5), false, BROKEN).await.is_err());
        assert_eq!(at(&pool).await.unwrap(), 1);
        assert!(sqlx::query("SELECT x FROM half").fetch_all(&pool).await.is_err());
    }
}
