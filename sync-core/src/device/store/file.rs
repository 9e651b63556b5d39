use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::StoreError;
use super::behind::Behind;
use super::rows::{NO_GENERATION, Rows, generation_place, read_generations};
use crate::clock::{Chance, SystemChance};
use crate::device::seal::{DataKey, Place};
use crate::device::vault::{self, Unlock};
use crate::id::Generation;

/// SQLite's `application_id` of a device's store: "Grbl".
const APPLICATION: u32 = 0x4772_626c;
/// The newest format this version knows: SQLite's `user_version`.
const FORMAT: i64 = 1;
const SCHEMA: &str = include_str!("../schema.sql");
/// What SQLite puts beside its file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Sealed in the header, to tell whether a key is this store's.
const CHECK: &[u8] = b"grabrail device store";

/// The path with something added to its last part.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Holds the one-writer lock until the file is dropped.
fn take_lock(path: &Path) -> Result<File, StoreError> {
    let lock = private().create(true).truncate(false).open(with_suffix(path, ".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Files for nobody but their owner.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        // A store that was only dropped closes a moment later; whoever reopens it waits for that.
        .busy_timeout(Duration::from_secs(5))
        .pragma("secure_delete", "ON")
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
        // Apple's fsync leaves data in the drive's cache without these; elsewhere they do nothing.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .disable_statement_logging()
}

fn digest(store: &[u8], wrapped: &[u8], check: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new().chain_update(b"grabrail device store header 1");
    for part in [store, wrapped, check] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn check_place(store: &[u8; 16]) -> Place<'_> {
    let generation = NO_GENERATION;
    Place { store, generation, table: "header", row: b"", column: "check_value", version: 1 }
}

pub(super) async fn create(path: &Path, unlock: &Unlock, chance: &mut dyn Chance) -> Result<Rows, StoreError> {
    if path.try_exists()? {
        return Err(StoreError::AlreadyExists);
    }
    let lock = take_lock(path)?;
    if path.try_exists()? {
        return Err(StoreError::AlreadyExists);
    }
    for suffix in BESIDE {
        if with_suffix(path, suffix).try_exists()? {
            // The log of a store that somebody removed: SQLite would read it into the new one.
            set_aside(path)?;
        }
    }
    // Made under another name and moved into place whole. What a crashed attempt left never held anything.
    let fresh = with_suffix(path, ".new");
    for suffix in ["", BESIDE[0], BESIDE[1], BESIDE[2]] {
        match fs::remove_file(with_suffix(&fresh, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let mut store = [0; 16];
    chance.fill(&mut store);
    let key = DataKey::mint(chance);
    let wrapped = vault::wrap(&key, unlock, &store, chance).await?;
    private().create_new(true).open(&fresh)?.sync_all()?;
    let mut connection = options(&fresh).journal_mode(SqliteJournalMode::Delete).connect().await?;
    let filled = fill(&mut connection, &store, &key, &wrapped, chance).await;
    let closed = connection.close().await;
    filled?;
    closed?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path)?;
    let mut connection = connect(path).await?;
    match read(&mut connection, Key::Known(key)).await {
        Ok(opened) => Ok(opened.into_rows(connection, lock)),
        Err(error) => {
            // The first error is the one that says why.
            let _ = connection.close().await;
            Err(error)
        }
    }
}

/// Makes the move of a file survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

async fn fill(
    connection: &mut SqliteConnection,
    store: &[u8; 16],
    key: &DataKey,
    wrapped: &[u8],
    chance: &mut dyn Chance,
) -> Result<(), StoreError> {
    let values = key.sealing();
    let check = values.seal(&check_place(store), CHECK, chance)?;
    let generation = Generation::mint(chance);
    let first = 1_i64;
    let sealed = values.seal(&generation_place(store, &first.to_be_bytes()), generation.as_bytes(), chance)?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    // PRAGMA takes no parameters; the numbers are this file's own.
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT};"
    )))
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO header (id, store, wrapped, check_value, digest) VALUES (1, $1, $2, $3, $4)")
        .bind(&store[..])
        .bind(wrapped)
        .bind(&check[..])
        .bind(&digest(store, wrapped, &check)[..])
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO generation (n, sealed) VALUES ($1, $2)")
        .bind(first)
        .bind(sealed)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn open(path: &Path, unlock: &Unlock) -> Result<Rows, StoreError> {
    if !path.try_exists()? {
        return Err(StoreError::Missing);
    }
    let lock = take_lock(path)?;
    match open_locked(path, unlock).await {
        Ok((opened, connection)) => Ok(opened.into_rows(connection, lock)),
        Err(StoreError::Corrupt { .. }) => Err(StoreError::Corrupt { set_aside: set_aside(path).ok() }),
        Err(other) => Err(other),
    }
}

async fn open_locked(path: &Path, unlock: &Unlock) -> Result<(Opened, SqliteConnection), StoreError> {
    // Before SQLite: it would take an emptied file for a new database, and drop the write-ahead log beside it.
    let mut head = [0; 100];
    match File::open(path)?.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(StoreError::corrupt()),
        other => other?,
    }
    if !head.starts_with(b"SQLite format 3\0") || head[68..72] != APPLICATION.to_be_bytes() {
        return Err(StoreError::corrupt());
    }
    let mut connection = connect(path).await?;
    match read(&mut connection, Key::By(unlock)).await {
        Ok(opened) => Ok((opened, connection)),
        Err(error) => {
            // The first error is the one that says why.
            let _ = connection.close().await;
            Err(error)
        }
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(options(path).journal_mode(SqliteJournalMode::Wal).connect().await?)
}

/// Moves the store's files aside under the first free name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..10_000_u32 {
        let aside = with_suffix(path, &format!(".corrupt-{number}"));
        let mut taken = aside.try_exists()?;
        for suffix in BESIDE {
            taken |= with_suffix(&aside, suffix).try_exists()?;
        }
        if taken {
            continue;
        }
        // The log first: left behind alone, SQLite would read it into the next store of this name.
        for suffix in [BESIDE[0], BESIDE[1], BESIDE[2], ""] {
            let from = with_suffix(path, suffix);
            match fs::rename(from, with_suffix(&aside, suffix)) {
                // Never there, or gone meanwhile: a connection that could not be made takes its own log with it as it ends.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        sync_folder(path)?;
        return Ok(aside);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// How the data key is come by.
enum Key<'a> {
    By(&'a Unlock),
    Known(DataKey),
}

/// What a sound file holds besides its rows.
struct Opened {
    store: [u8; 16],
    key: DataKey,
    generations: Vec<Generation>,
    present: Generation,
}

impl Opened {
    fn into_rows(self, connection: SqliteConnection, lock: File) -> Rows {
        Rows {
            connection,
            store: self.store,
            values: self.key.sealing(),
            names: self.key.naming(),
            cases: HashMap::new(),
            all_cases: false,
            settled: self.generations.len(),
            generations: self.generations,
            present: Arc::new(RwLock::new(self.present)),
            in_transaction: false,
            behind: Behind::default(),
            purged: false,
            chance: SystemChance,
            lock,
        }
    }
}

async fn read(connection: &mut SqliteConnection, key: Key<'_>) -> Result<Opened, StoreError> {
    read_sound(connection, key).await.map_err(|error| match error {
        // Our statements are right: SQLite's general error (1) or a missing row means another schema than ours.
        StoreError::Sql(sqlx::Error::RowNotFound) => StoreError::corrupt(),
        StoreError::Sql(error) if StoreError::sqlite_code(&error) == Some(1) => StoreError::corrupt(),
        other => other,
    })
}

async fn read_sound(connection: &mut SqliteConnection, key: Key<'_>) -> Result<Opened, StoreError> {
    let format: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if format > FORMAT {
        return Err(StoreError::Newer { found: format, known: FORMAT });
    }
    if format < 1 {
        return Err(StoreError::corrupt());
    }
    let sound: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await?;
    if sound != "ok" {
        return Err(StoreError::corrupt());
    }
    assert_settings(connection).await?;

    let header =
        sqlx::query("SELECT store, wrapped, check_value, digest FROM header").fetch_one(&mut *connection).await?;
    let (wrapped, check): (&[u8], &[u8]) = (header.try_get("wrapped")?, header.try_get("check_value")?);
    let store: [u8; 16] = header.try_get::<&[u8], _>("store")?.try_into().map_err(|_| StoreError::corrupt())?;
    if header.try_get::<&[u8], _>("digest")? != digest(&store, wrapped, check) {
        return Err(StoreError::corrupt());
    }
    let key = match key {
        Key::Known(key) => key,
        Key::By(unlock) => vault::unwrap(wrapped, unlock, &store).await?,
    };
    let values = key.sealing();
    // The header is as it was written, so a check that doesn't unseal speaks of the key.
    if values.unseal(&check_place(&store), check).ok().as_deref() != Some(CHECK) {
        return Err(StoreError::WrongKey);
    }

    let generations = read_generations(connection, &store, &values).await?;
    let present = generations.last().copied().ok_or_else(StoreError::corrupt)?;
    Ok(Opened { store, key, generations, present })
}

/// The promises of this store rest on these; SQLite ignores a setting it can't take.
async fn assert_settings(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    let secure_delete: i64 = sqlx::query_scalar("PRAGMA secure_delete").fetch_one(&mut *connection).await?;
    for (taken, setting) in [
        (journal == "wal", "journal_mode=WAL"),
        (synchronous == 2, "synchronous=FULL"),
        (secure_delete == 1, "secure_delete=ON"),
    ] {
        if !taken {
            return Err(StoreError::NotDurable { setting });
        }
    }
    Ok(())
}
