//! The encrypted store of one device and account: one SQLite file, one writer.
//!
//! Rows lie on [`Shelf`s](Shelf), in groups, some under a key of their own; every value is sealed (see
//! [`super::seal`]) and every name is hashed, so keys and groups can be looked up and not listed: a value that needs
//! its key carries it. A lock file beside the store (`NAME.lock`) keeps a second process out. Every commit is on the
//! disk when it returns (write-ahead log, `synchronous=FULL`).

mod backend;
mod behind;
mod error;
mod file;
mod memory;
mod rows;
mod transaction;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

use self::backend::Backend;
pub use self::error::StoreError;
pub use self::memory::{MemoryDisk, MemoryRow};
pub use self::transaction::Transaction;
use super::vault::Unlock;
use crate::clock::Chance;
use crate::id::Generation;

/// What kind of thing a row is. The numbers are in the file: never changed, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Shelf {
    /// Single facts about the device: its enrolment, counters, cursors.
    Meta = 1,
    /// Case cards, projections and signed versions, as the server sent them.
    Card = 2,
    /// Documents: what is known of each.
    Document = 3,
    /// The changes of documents.
    Change = 4,
    /// What waits to be sent, with its intention.
    Outbox = 5,
    /// The server's receipts.
    Receipt = 6,
    /// What is known of each photo.
    Photo = 7,
    /// The bytes of photos, apart so that listing photos doesn't read them.
    PhotoBytes = 8,
    /// News for the person.
    Notice = 9,
    /// Who read what on this device, until it is handed in.
    ReadLog = 10,
}

impl Shelf {
    const fn number(self) -> i64 {
        self as i64
    }
}

/// An open store. Reads here see what is committed; they wait while a [`Transaction`] is open, so inside one read
/// through it: a read here by whoever holds the transaction would wait for ever.
pub struct Store {
    rows: Arc<Mutex<Backend>>,
    present: Arc<RwLock<Generation>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a store at `path` (its folder exists) and opens it. The keys, the store's id and its first generation
    /// come from `chance`. A crash on the way leaves nothing at `path`.
    pub async fn create(path: &Path, unlock: &Unlock, chance: &mut dyn Chance) -> Result<Self, StoreError> {
        file::create(path, unlock, chance).await.map(|rows| Self::of(Backend::File(Box::new(rows))))
    }

    /// Opens the store at `path`. A damaged one is set aside beside it ([`StoreError::Corrupt`]), never deleted.
    pub async fn open(path: &Path, unlock: &Unlock) -> Result<Self, StoreError> {
        file::open(path, unlock).await.map(|rows| Self::of(Backend::File(Box::new(rows))))
    }

    /// Opens the store on a disk in memory, for simulation; on an empty one it is made, its first generation of `chance`.
    pub async fn in_memory(disk: &MemoryDisk, chance: &mut dyn Chance) -> Result<Self, StoreError> {
        memory::open(disk, chance).map(|rows| Self::of(Backend::Memory(rows)))
    }

    fn of(rows: Backend) -> Self {
        Self { present: rows.present(), rows: Arc::new(Mutex::new(rows)) }
    }

    /// The present generation: a new enrolment begins a new one.
    pub fn generation(&self) -> Generation {
        *self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new generation, in a transaction of its own. Older values stay readable.
    pub async fn renew_generation(&self, chance: &mut dyn Chance) -> Result<Generation, StoreError> {
        let mut transaction = self.begin().await?;
        let generation = transaction.renew_generation(chance).await?;
        transaction.commit().await?;
        Ok(generation)
    }

    /// Begins a write transaction, once the one before it has ended.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut rows = self.settled().await?;
        rows.begin().await?;
        Ok(Transaction::of(rows))
    }

    /// Closes the file and waits until it is closed. A store that is only dropped is closed too, a moment later.
    /// While a transaction is open, the store closes when that ends.
    pub async fn close(self) -> Result<(), StoreError> {
        match Arc::try_unwrap(self.rows) {
            Ok(rows) => rows.into_inner().close().await,
            Err(_) => Ok(()),
        }
    }

    async fn settled(&self) -> Result<OwnedMutexGuard<Backend>, StoreError> {
        let mut rows = Arc::clone(&self.rows).lock_owned().await;
        rows.settle().await?;
        Ok(rows)
    }

    /// The value under this key; `None` when there is none.
    pub async fn get(&self, shelf: Shelf, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.settled().await?.get(shelf, key).await
    }

    /// The value with this number; `None` when there is none on this shelf.
    pub async fn get_n(&self, shelf: Shelf, n: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.these(shelf, &[n]).await?.pop().map(|(_, value)| value))
    }

    /// The values under these keys, in the order of the keys; `None` where there is none.
    pub async fn under(&self, shelf: Shelf, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.settled().await?.under(shelf, keys).await
    }

    /// The values with these numbers, in their order; those that are not on this shelf are left out.
    pub async fn these(&self, shelf: Shelf, ns: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.settled().await?.these(shelf, ns).await
    }

    /// At most `limit` values of a group with numbers above `after_n`, in the order they were first written.
    pub async fn list(
        &self,
        shelf: Shelf,
        group: &[u8],
        after_n: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.settled().await?.list(shelf, group, after_n, limit).await
    }

    /// At most `limit` values of a shelf, in the order they were first written.
    pub async fn all(&self, shelf: Shelf, limit: u32) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.settled().await?.all(shelf, limit).await
    }

    /// How many rows a shelf has.
    pub async fn count(&self, shelf: Shelf) -> Result<u64, StoreError> {
        self.settled().await?.count(shelf).await
    }
}
