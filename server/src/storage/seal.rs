//! Everything personal in a row is sealed with its case's key, bound to its place; destroying that one key erases the
//! case from every backup.
//!
//! The cases' keys are in a database of their own, each wrapped by the data key (`data.key`). A sealed value is
//! `1 | nonce 24 | XChaCha20-Poly1305(method 1 | length 4 | body)`, the body compressed with zstd when that helps;
//! the associated data is the case and the [`Place`]. Bytes that were sealed elsewhere don't open here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::LocalKey;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::BASE32_NOPAD;
use sqlx::{Row, SqlitePool};
use sync_core::clock::{Chance, Clock};
use sync_core::id::CaseId;
use zeroize::{Zeroize, Zeroizing};
use zstd::bulk::{Compressor, Decompressor};

use super::{DataFolder, StorageError, connect, folder};
use crate::chance::SharedChance;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const RAW: u8 = 0;
const ZSTD: u8 = 1;
const LEVEL: i32 = 3;
const DATA_KEY_PREFIX: &str = "grabrail-data-key-1:";

thread_local! {
    /// Making a context costs more than using it for a small value: a caseload opens a value for each document.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Works with the thread's own context, which is made once.
fn with<T>(
    kept: &'static LocalKey<RefCell<Option<T>>>,
    make: impl FnOnce() -> std::io::Result<T>,
    work: impl FnOnce(&mut T) -> std::io::Result<Vec<u8>>,
) -> std::io::Result<Vec<u8>> {
    kept.with_borrow_mut(|kept| match kept {
        Some(context) => work(context),
        None => work(kept.insert(make()?)),
    })
}

/// Why something couldn't be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was altered, moved, or sealed with another key.
    #[error("a sealed value doesn't open in its place; it was altered or moved")]
    NotHere,
    /// It was sealed by a newer program.
    #[error("a sealed value is of format {0}, which this program doesn't know")]
    Format(u8),
    /// It is larger, opened, than the caller allows; or larger than anything may be sealed (4 GiB).
    #[error("a sealed value is larger than {0} bytes")]
    TooLarge(usize),
    /// The case was erased: its key is gone for ever.
    #[error("the case was erased")]
    Erased,
    /// `data.key` isn't the key this folder's keys are wrapped with.
    #[error("data.key is not this data folder's: put back the one that belongs to it")]
    WrongDataKey,
    /// `data.key` is not a data key at all.
    #[error("data.key is damaged: put back a copy of it")]
    DataKeyDamaged,
}

/// Where a sealed value lives; it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's id.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
    /// Counts up when the row's value is replaced, so that an old one put back doesn't open; 0 where it never is.
    pub version: u64,
}

/// The key of one case. Zeroed when dropped.
#[derive(Clone)]
pub struct CaseKey {
    case: CaseId,
    key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaseKey({})", self.case)
    }
}

impl CaseKey {
    /// The case it is of.
    pub fn case(&self) -> CaseId {
        self.case
    }

    /// Compresses and seals `bytes` for `place`.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] for more than 4 GiB.
    pub fn seal(&self, chance: &mut dyn Chance, place: &Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let length = u32::try_from(bytes.len()).map_err(|_| SealError::TooLarge(u32::MAX as usize))?;
        let compressed = with(&COMPRESSOR, || Compressor::new(LEVEL), |context| context.compress(bytes));
        let compressed = compressed.ok().filter(|small| small.len() < bytes.len());
        let (method, body) = match &compressed {
            Some(small) => (ZSTD, small.as_slice()),
            None => (RAW, bytes),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(5 + body.len()));
        plain.push(method);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(body);
        Ok(close(&self.key, chance, &self.aad(place), &plain))
    }

    /// Opens what was sealed for `place`, if it is at most `cap` bytes.
    ///
    /// # Errors
    /// [`SealError::NotHere`], [`SealError::Format`], [`SealError::TooLarge`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8], cap: usize) -> Result<Vec<u8>, SealError> {
        let plain = Zeroizing::new(open(&self.key, &self.aad(place), sealed)?);
        let (head, body) = plain.split_at_checked(5).ok_or(SealError::NotHere)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > cap {
            return Err(SealError::TooLarge(cap));
        }
        let bytes = match head[0] {
            RAW => body.to_vec(),
            ZSTD => with(&DECOMPRESSOR, Decompressor::new, |context| context.decompress(body, length))
                .map_err(|_| SealError::NotHere)?,
            other => return Err(SealError::Format(other)),
        };
        if bytes.len() == length { Ok(bytes) } else { Err(SealError::NotHere) }
    }

    fn aad(&self, place: &Place<'_>) -> Vec<u8> {
        let mut aad = b"grabrail sealed row 1\0".to_vec();
        aad.extend_from_slice(self.case.as_bytes());
        for part in [place.table, place.row, place.column] {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad.extend_from_slice(&place.version.to_be_bytes());
        aad
    }

    /// For ranges of photos, whose nonces are made elsewhere.
    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

fn close(key: &[u8; 32], chance: &mut dyn Chance, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    chance.fill(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    // The cipher refuses only more than 256 GiB.
    let body = cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad }).unwrap_or_default();
    let mut sealed = Vec::with_capacity(1 + NONCE + body.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&body);
    sealed
}

fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    match sealed.first() {
        Some(&VERSION) if sealed.len() >= 1 + NONCE + TAG => {}
        Some(&VERSION) | None => return Err(SealError::NotHere),
        Some(&other) => return Err(SealError::Format(other)),
    }
    let (nonce, body) = sealed[1..].split_at(NONCE);
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad }).map_err(|_| SealError::NotHere)
}

/// All the cases' keys, and the data key that wraps them.
#[derive(Clone)]
pub struct Vault {
    data_key: Arc<Zeroizing<[u8; 32]>>,
    pool: SqlitePool,
    /// Keys used lately: unwrapping is cheap, the round trip to the file is not.
    known: Arc<Mutex<HashMap<CaseId, CaseKey>>>,
    clock: Arc<dyn Clock>,
    chance: SharedChance,
}

/// How many keys are kept in memory.
const KNOWN: usize = 4096;

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the folder's keys, making the data key and the file at first.
    ///
    /// # Errors
    /// [`SealError::WrongDataKey`], [`SealError::DataKeyDamaged`], or what storage says.
    pub(super) async fn open(
        folder: &DataFolder,
        clock: Arc<dyn Clock>,
        chance: SharedChance,
    ) -> Result<Self, StorageError> {
        let path = folder.private_file(folder::CASE_KEYS)?;
        let pool = connect(&path).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        let check = sqlx::query("SELECT format, wrapped FROM data_key_check").fetch_optional(&pool).await?;
        if let Some(row) = &check {
            let format: i64 = row.try_get("format")?;
            if format > FORMAT {
                return Err(StorageError::Newer { found: format, known: FORMAT });
            }
        }
        // A folder that has keys and lost its data key must not be given a fresh one.
        let data_key = read_data_key(folder, check.is_none().then_some(&chance))?;
        let vault = Self { data_key: Arc::new(data_key), pool, known: Arc::default(), clock, chance };
        match check {
            Some(row) => {
                let wrapped: Vec<u8> = row.try_get("wrapped")?;
                vault.unwrap("check", "", &wrapped).map_err(|_| SealError::WrongDataKey)?;
            }
            None => {
                let wrapped = vault.wrap("check", "", b"");
                sqlx::query("INSERT INTO data_key_check (only, format, wrapped) VALUES (1, $1, $2)")
                    .bind(FORMAT)
                    .bind(wrapped)
                    .execute(&vault.pool)
                    .await?;
            }
        }
        Ok(vault)
    }

    /// The key of `case`, made and stored durably at its first use.
    ///
    /// # Errors
    /// [`SealError::Erased`] when it was destroyed, [`SealError::WrongDataKey`] when it doesn't unwrap, or what
    /// storage says.
    pub async fn case_key(&self, case: CaseId) -> Result<CaseKey, StorageError> {
        if let Some(key) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&case) {
            return Ok(key.clone());
        }
        let id = case.to_string();
        let find = "SELECT wrapped FROM case_keys WHERE case_id = $1";
        let mut row = sqlx::query(find).bind(&id).fetch_optional(&self.pool).await?;
        if row.is_none() {
            let fresh = Zeroizing::new(self.chance.bytes::<32>());
            // Another process may have made it meanwhile: the first one counts.
            sqlx::query("INSERT INTO case_keys (case_id, wrapped, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(&id)
                .bind(self.wrap("case", &id, &*fresh))
                .bind(self.clock.now().millis())
                .execute(&self.pool)
                .await?;
            row = sqlx::query(find).bind(&id).fetch_optional(&self.pool).await?;
        }
        let row = row.ok_or(StorageError::Damaged("case_keys"))?;
        let wrapped = row.try_get::<Option<&[u8]>, _>("wrapped")?.ok_or(SealError::Erased)?;
        let bytes = self.unwrap("case", &id, wrapped)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| StorageError::Damaged("case_keys"))?;
        let key = CaseKey { case, key: Zeroizing::new(key) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(case, key.clone());
        Ok(key)
    }

    /// Seals `bytes` of `case` for `place`.
    ///
    /// # Errors
    /// As [`Vault::case_key`] and [`CaseKey::seal`].
    pub async fn seal(&self, case: CaseId, place: &Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, StorageError> {
        let key = self.case_key(case).await?;
        Ok(key.seal(&mut self.chance.clone(), place, bytes)?)
    }

    /// Opens what [`Vault::seal`] sealed, if it is at most `cap` bytes.
    ///
    /// # Errors
    /// As [`Vault::case_key`] and [`CaseKey::open`].
    pub async fn unseal(
        &self,
        case: CaseId,
        place: &Place<'_>,
        sealed: &[u8],
        cap: usize,
    ) -> Result<Vec<u8>, StorageError> {
        Ok(self.case_key(case).await?.open(place, sealed, cap)?)
    }

    /// Destroys the key of `case`: what was sealed with it is gone, here and in every backup of the rest. Another
    /// process that has the folder open may still know the key until it ends.
    ///
    /// # Errors
    /// What storage says; then the key may still be there.
    pub async fn destroy(&self, case: CaseId) -> Result<(), StorageError> {
        let sql = "INSERT INTO case_keys (case_id, wrapped, made_at, destroyed_at) VALUES ($1, NULL, $2, $2) \
                   ON CONFLICT (case_id) DO UPDATE SET wrapped = NULL, destroyed_at = excluded.destroyed_at \
                   WHERE case_keys.destroyed_at IS NULL";
        sqlx::query(sql).bind(case.to_string()).bind(self.clock.now().millis()).execute(&self.pool).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&case);
        // The log may still hold the page with the key.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    /// Wraps a secret with the data key, bound to what it is for and to its row.
    pub(super) fn wrap(&self, purpose: &str, id: &str, secret: &[u8]) -> Vec<u8> {
        close(&self.data_key, &mut self.chance.clone(), &wrap_aad(purpose, id), secret)
    }

    /// Unwraps what [`Vault::wrap`] wrapped.
    pub(super) fn unwrap(&self, purpose: &str, id: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.data_key, &wrap_aad(purpose, id), wrapped).map(Zeroizing::new)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

const FORMAT: i64 = 1;
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS data_key_check (
    only    BIGINT PRIMARY KEY CHECK (only = 1),
    format  BIGINT NOT NULL,
    wrapped BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS case_keys (
    case_id      TEXT PRIMARY KEY,
    wrapped      BLOB,
    made_at      BIGINT NOT NULL,
    destroyed_at BIGINT
);";

fn wrap_aad(purpose: &str, id: &str) -> Vec<u8> {
    let mut aad = b"grabrail wrapped key 1\0".to_vec();
    for part in [purpose, id] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad
}

/// Reads `data.key`; makes it when `fresh` gives the chance for it and there is none.
fn read_data_key(folder: &DataFolder, fresh: Option<&SharedChance>) -> Result<Zeroizing<[u8; 32]>, StorageError> {
    let path = folder.path().join(folder::DATA_KEY);
    if let (Some(chance), false) = (fresh, path.exists()) {
        let mut key = chance.bytes::<32>();
        let text = Zeroizing::new(format!("{DATA_KEY_PREFIX}{}\n", BASE32_NOPAD.encode(&key).to_ascii_lowercase()));
        key.zeroize();
        // Whole or not there: a half-written key would lock the folder.
        let draft = folder.path().join(".data.key.new");
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(|error| StorageError::io(&path, error))?;
        folder::sync_folder(folder.path())?;
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(SealError::DataKeyDamaged.into()),
        Err(error) => return Err(StorageError::io(&path, error)),
    };
    let letters = text.trim().strip_prefix(DATA_KEY_PREFIX).ok_or(SealError::DataKeyDamaged)?;
    let bytes = BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()).map_err(|_| SealError::DataKeyDamaged)?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SealError::DataKeyDamaged)?;
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use sync_core::clock::Seeded;

    use super::*;

    const PLACE: Place<'static> = Place { table: "changes", row: "r1", column: "body", version: 0 };

    fn key(fill: u8) -> CaseKey {
        CaseKey { case: CaseId::from_bytes([9; 16]), key: Zeroizing::new([fill; 32]) }
    }

    #[test]
    fn sealed_bytes_are_a_format_for_ever() {
        let golden = include_str!("../../../sync-core/golden/server-seal.txt");
        let mut chance = Seeded::new(5);
        let now: String = [b"".as_slice(), b"short"]
            .map(|plain| HEXLOWER.encode(&key(7).seal(&mut chance, &PLACE, plain).unwrap()) + "\n")
            .concat();
        assert!(golden.starts_with(&now), "{now}");
        // Another release of zstd may write other bytes; what this one wrote must open.
        let long = "the door is 750 mm wide; ".repeat(8);
        let last = HEXLOWER.decode(golden.lines().last().unwrap().as_bytes()).unwrap();
        assert_eq!(key(7).open(&PLACE, &last, 1000).unwrap(), long.as_bytes());
    }

    #[test]
    fn a_value_opens_only_in_its_place_with_its_key_and_unaltered() {
        let sealed = key(7).seal(&mut Seeded::new(1), &PLACE, b"a client's words").unwrap();
        assert_eq!(key(7).open(&PLACE, &sealed, 100).unwrap(), b"a client's words");
        let others = [
            Place { table: "change", ..PLACE },
            Place { row: "r2", ..PLACE },
            Place { column: "bod", ..PLACE },
            Place { version: 1, ..PLACE },
            Place { table: "changesr", row: "1", ..PLACE },
        ];
        for other in others {
            assert_eq!(key(7).open(&other, &sealed, 100), Err(SealError::NotHere), "{other:?}");
        }
        assert_eq!(key(8).open(&PLACE, &sealed, 100), Err(SealError::NotHere));
        let other_case = CaseKey { case: CaseId::from_bytes([8; 16]), ..key(7) };
        assert_eq!(other_case.open(&PLACE, &sealed, 100), Err(SealError::NotHere));
        for at in 0..sealed.len() {
            assert!(key(7).open(&PLACE, &sealed[..at], 100).is_err());
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key(7).open(&PLACE, &altered, 100).is_err());
        }
    }

    #[test]
    fn nothing_is_inflated_beyond_the_bound() {
        let sealed = key(7).seal(&mut Seeded::new(1), &PLACE, &vec![0; 1 << 20]).unwrap();
        assert!(sealed.len() < 1000);
        assert_eq!(key(7).open(&PLACE, &sealed, (1 << 20) - 1), Err(SealError::TooLarge((1 << 20) - 1)));
        assert_eq!(key(7).open(&PLACE, &sealed, 1 << 20).unwrap().len(), 1 << 20);
    }
}
