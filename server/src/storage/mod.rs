//! All the server's SQL and files.
//!
//! One SQLite database holds the rows, a second the cases' keys, a folder the photos. SQL is written once for SQLite
//! and PostgreSQL: `$1` parameters, text ids, `i64` milliseconds, bytes, bool; `RETURNING` and `ON CONFLICT`; no
//! function of one of them alone. What only SQLite knows (pragmas, the copy before a migration) is in this file and
//! [`migrations`].

pub mod accounts;
pub mod audit;
pub mod blobs;
mod counters;
pub mod devices;
pub mod folder;
pub mod keys;
pub mod ledger;
pub mod looks;
mod migrations;
pub mod organisations;
mod readers;
pub mod seal;
pub mod sessions;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Connection, Row, Sqlite, Transaction};
use sync_core::clock::{Clock, Timestamp};

pub use self::folder::{DataFolder, ServeLock};
use self::readers::Readers;
use crate::chance::SharedChance;

/// Why storage didn't do what was asked. Nothing is half-written when one of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk or its quota is full, or the system lets the file grow no further.
    #[error("the disk is full; free some space, nothing was lost or half-written")]
    DiskFull,
    /// A file or folder couldn't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refused.
    #[error("the database: {0}")]
    Sql(sqlx::Error),
    /// A row or file holds what no version of this program wrote.
    #[error("{0} is damaged; restore it from a backup")]
    Damaged(&'static str),
    /// Others than the server's own account may read the data.
    #[error("{path} has mode {found:o} and must have {wanted:o}: run `chmod {wanted:o} {path}`")]
    TooOpen {
        /// Which file or folder.
        path: PathBuf,
        /// Its mode.
        found: u32,
        /// What it must be.
        wanted: u32,
    },
    /// Another process serves this folder.
    #[error("{0} is already being served by another process; stop that one first")]
    Served(PathBuf),
    /// The database was written by a newer program.
    #[error(
        "the database has schema {found} and this program knows {known}: run the newer program, or restore the copy made before its migration"
    )]
    Newer {
        /// The database's schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// A migration is due while another process serves the folder.
    #[error("the database must be migrated first: stop the server, and start this version of it")]
    MigrationDue,
    /// The copy made before a migration doesn't hold what the database holds.
    #[error("the copy at {0} could not be verified; nothing was migrated")]
    CopyNotVerified(PathBuf),
    /// The database can't promise that what it acknowledged survives a power cut.
    #[error("the database runs with {setting}={found} where {wanted} is needed to survive a power cut")]
    NotDurable {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// What must be unique is there already.
    #[error("{0} is taken already")]
    Taken(&'static str),
    /// Something sealed couldn't be sealed or opened.
    #[error(transparent)]
    Seal(#[from] seal::SealError),
}

impl StorageError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        /// SQLITE_FULL; and SQLITE_IOERR_WRITE, which is what SQLite makes of a quota or of a bound on files. Of a disk
        /// that fails it makes the same; nothing was stored then either, and the operator has to look.
        const FULL: [&str; 2] = ["13", "778"];
        match error.as_database_error().and_then(|error| error.code()) {
            Some(code) if FULL.contains(&&*code) => {
                tracing::error!(%error, "the database can't be written");
                Self::DiskFull
            }
            _ => Self::Sql(error),
        }
    }
}

/// A transaction that may write. Dropped without `commit`, it leaves nothing.
pub type Write = Transaction<'static, Sqlite>;

/// One data folder, open.
#[derive(Debug, Clone)]
pub struct Storage {
    folder: DataFolder,
    /// One connection: writers queue here, not on SQLite's lock.
    writer: SqlitePool,
    readers: Readers,
    /// Plans of the ledger that wait to be written together.
    queue: ledger::sql::Queue,
    /// Requests' counters that are written behind.
    counters: counters::Counters,
    vault: seal::Vault,
    blobs: blobs::Blobs,
    clock: Arc<dyn Clock>,
    chance: SharedChance,
}

/// How long a writer waits for another process's transaction (an administrative verb beside the server).
const BUSY: Duration = Duration::from_secs(10);

impl Storage {
    /// Opens the data folder at `path`, making and migrating what is due.
    ///
    /// # Errors
    /// Each of [`StorageError`]'s: too open, newer, damaged, full.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, chance: SharedChance) -> Result<Self, StorageError> {
        let folder = DataFolder::open(path)?;
        Self::open_folder(folder, clock, chance, false).await
    }

    /// Opens the data folder to serve it: no other process may, while the lock that comes with it is held.
    ///
    /// # Errors
    /// As [`Storage::open`], and [`StorageError::Served`].
    pub async fn serve(
        path: &Path,
        clock: Arc<dyn Clock>,
        chance: SharedChance,
    ) -> Result<(Self, ServeLock), StorageError> {
        let folder = DataFolder::open(path)?;
        let lock = folder.lock()?;
        let storage = Self::open_folder(folder, clock, chance, true).await?;
        let swept = storage.blobs.sweep().await?;
        if swept > 0 {
            tracing::info!(swept, "removed photos that were still being written when the server was last ended");
        }
        Ok((storage, lock))
    }

    async fn open_folder(
        folder: DataFolder,
        clock: Arc<dyn Clock>,
        chance: SharedChance,
        locked: bool,
    ) -> Result<Self, StorageError> {
        let database = folder.private_file(folder::DATABASE)?;
        let writer = connect(&database).await?;
        assert_durable(&writer).await?;
        migrations::run(&writer, &folder, clock.now(), locked).await?;
        let readers = Readers::open(options(&database).pragma("query_only", "ON")).await?;
        let vault = seal::Vault::open(&folder, clock.clone(), chance.clone()).await?;
        let blobs = blobs::Blobs::new(folder.subfolder("photos")?, chance.clone());
        let (queue, counters) = Default::default();
        let storage = Self { folder, writer, readers, queue, counters, vault, blobs, clock, chance };
        storage.found_identity().await?;
        Ok(storage)
    }

    /// The folder all of it is in.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The cases' keys.
    pub fn vault(&self) -> &seal::Vault {
        &self.vault
    }

    /// The photos' bytes.
    pub fn blobs(&self) -> &blobs::Blobs {
        &self.blobs
    }

    /// Begins a transaction that may write; there is one at a time.
    ///
    /// # Errors
    /// [`StorageError::Sql`] when the database can't be locked.
    pub async fn write(&self) -> Result<Write, StorageError> {
        // IMMEDIATE: what the transaction reads can't change before it writes.
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Connections that only read.
    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    #[cfg(test)]
    pub(crate) async fn execute_raw(&self, sql: &str) {
        let mut write = self.write().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut *write).await.unwrap();
        write.commit().await.unwrap();
    }

    /// What time it is for rows that are written now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether rows can be read and the disk takes writes.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn ready(&self) -> Result<(), StorageError> {
        self.readers.one(sqlx::query("SELECT server_id FROM server")).await?;
        let folder = self.folder.clone();
        blocking(move || folder.probe()).await
    }

    /// Lets go of the files, once what runs has ended.
    pub async fn close(&self) {
        if let Err(error) = self.keep_counters().await {
            tracing::error!(%error, "the last requests' counters could not be written");
        }
        self.readers.close().await;
        self.vault.close().await;
        // Last, so that SQLite folds the log into the database.
        self.writer.close().await;
    }
}

/// Runs what blocks off the async workers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StorageError::Io { path: PathBuf::new(), source: io::Error::other(error) }),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten: erased rows don't linger in free pages.
        .pragma("secure_delete", "ON")
}

/// One connection that writes.
async fn connect(path: &Path) -> Result<SqlitePool, StorageError> {
    let pool = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
    // A file is there, and the connection was asked for a sign of life when it was given back.
    let pool = pool.test_before_acquire(false);
    // On a full disk SQLite ends the transaction itself; sqlx's rollback then fails and it counts one that isn't there,
    // so that the next couldn't begin. Such a connection is replaced.
    let pool = pool.before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    Ok(pool.connect_with(options(path).journal_mode(SqliteJournalMode::Wal)).await?)
}

/// 2,000 simulated power cuts lost acknowledged commits in 1,488 runs at `synchronous=NORMAL`, in none at `FULL`.
async fn assert_durable(pool: &SqlitePool) -> Result<(), StorageError> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await?;
    if synchronous < 2 {
        return Err(StorageError::NotDurable {
            setting: "synchronous",
            found: synchronous.to_string(),
            wanted: "FULL",
        });
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
    if journal != "wal" {
        return Err(StorageError::NotDurable { setting: "journal_mode", found: journal, wanted: "wal" });
    }
    Ok(())
}

/// A column that holds something with one text: an id, a role.
pub(crate) fn text<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StorageError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| StorageError::Damaged(column))
}

/// As [`text`], of a column that may be null.
pub(crate) fn text_if_any<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<Option<T>, StorageError> {
    let text = row.try_get::<Option<&str>, _>(column)?;
    text.map(|text| text.parse().map_err(|_| StorageError::Damaged(column))).transpose()
}

/// A column that holds exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(row: &SqliteRow, column: &'static str) -> Result<[u8; N], StorageError> {
    row.try_get::<&[u8], _>(column)?.try_into().map_err(|_| StorageError::Damaged(column))
}

/// As [`bytes`], of a column that may be null.
pub(crate) fn bytes_if_any<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<[u8; N]>, StorageError> {
    let bytes = row.try_get::<Option<&[u8]>, _>(column)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_| StorageError::Damaged(column))).transpose()
}

/// A column of milliseconds.
pub(crate) fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, StorageError> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

/// As [`time`], of a column that may be null.
pub(crate) fn time_if_any(row: &SqliteRow, column: &'static str) -> Result<Option<Timestamp>, StorageError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

/// Says which unique thing was there already; any other error as it is.
pub(crate) fn taken(error: sqlx::Error, what: &'static str) -> StorageError {
    match error.as_database_error() {
        Some(inner) if inner.is_unique_violation() => StorageError::Taken(what),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn every_connection_writes_through_to_the_disk_and_a_lesser_promise_is_refused() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        assert_durable(&storage.writer).await.unwrap();
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&storage.writer).await.unwrap();
        let refused = assert_durable(&storage.writer).await;
        assert!(matches!(refused, Err(StorageError::NotDurable { setting: "synchronous", .. })));
    }

    #[tokio::test]
    async fn a_full_disk_is_its_own_error_and_leaves_nothing_half_written() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        sqlx::query("PRAGMA max_page_count = 1").execute(&storage.writer).await.unwrap();
        let mut refused = None;
        for at in 0..5000 {
            if let Err(error) = storage.add_organisation(&format!("{at} {}", "x".repeat(190))).await {
                refused = Some((at, error));
                break;
            }
        }
        let (at, error) = refused.unwrap();
        assert!(matches!(error, StorageError::DiskFull), "{error}");
        assert_eq!(storage.organisations().await.unwrap().len(), at);
    }

    #[tokio::test]
    async fn a_folder_being_served_can_be_administered_and_not_served_twice() {
        let bench = Bench::new(1);
        let data = bench.data();
        let serve = || Storage::serve(&data, bench.clock.clone(), bench.chance.clone());
        let (served, lock) = serve().await.unwrap();
        assert!(matches!(serve().await, Err(StorageError::Served(_))));
        let beside = bench.storage().await;
        beside.add_organisation("Hill Therapy").await.unwrap();
        assert_eq!(served.organisations().await.unwrap().len(), 1);
        assert_eq!(served.server_id().await.unwrap(), beside.server_id().await.unwrap());
        drop(lock);
        serve().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_opened_again_is_the_same_server() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        let (id, epochs, keys) =
            (storage.server_id().await.unwrap(), storage.epochs().await.unwrap(), storage.server_keys().await.unwrap());
        storage.close().await;
        let storage = bench.storage().await;
        assert_eq!(storage.server_id().await.unwrap(), id);
        assert_eq!((storage.epochs().await.unwrap(), storage.server_keys().await.unwrap()), (epochs, keys.clone()));
        for key in &keys {
            assert_eq!(storage.key_secret(key).await.unwrap().verifying_key().as_bytes(), &key.public);
        }
    }
}
