//! Schemas, in order. A migration runs after a verified copy, and an older program refuses a newer schema.
//!
//! Each `sqlite/NNNN_name.sql` will have a `postgres/NNNN_name.sql` of the same number. One that was released is
//! never changed: the next says what is different.

use std::path::Path;

use sqlx::SqlitePool;
use sync_core::clock::Timestamp;

use super::{DataFolder, StorageError, blocking, connect, folder};

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const ALL: &[Migration] = &[
    Migration { number: 1, name: "accounts", sql: include_str!("migrations/sqlite/0001_accounts.sql") },
    Migration { number: 2, name: "ledger", sql: include_str!("migrations/sqlite/0002_ledger.sql") },
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
    let pool = connect(path, 1, true).await?;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&pool).await?;
    let held = at(&pool).await?;
    pool.close().await;
    if check == "ok" && held == schema { Ok(()) } else { Err(StorageError::CopyNotVerified(path.to_owned())) }
}
