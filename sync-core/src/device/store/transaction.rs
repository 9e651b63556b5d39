use std::fmt;

use tokio::sync::OwnedMutexGuard;

use super::backend::Backend;
use super::{Shelf, StoreError};
use crate::clock::Chance;
use crate::id::{CaseId, Generation};

/// Writes that are kept together or not at all. Dropped without [`commit`](Self::commit), nothing happened; after a
/// write failed or was cancelled, everything else says [`StoreError::Ended`] and nothing happened either.
pub struct Transaction {
    rows: OwnedMutexGuard<Backend>,
    whole: bool,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("whole", &self.whole).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(super) fn of(rows: OwnedMutexGuard<Backend>) -> Self {
        Self { rows, whole: true }
    }

    fn reading(&mut self) -> Result<&mut Backend, StoreError> {
        if self.whole { Ok(&mut self.rows) } else { Err(StoreError::Ended) }
    }

    /// The rows for a write; the transaction is whole again only when [`wrote`](Self::wrote) says that it was done.
    fn writing(&mut self) -> Result<&mut Backend, StoreError> {
        if !self.whole {
            return Err(StoreError::Ended);
        }
        self.whole = false;
        Ok(&mut self.rows)
    }

    fn wrote<T>(&mut self, done: T) -> Result<T, StoreError> {
        self.whole = true;
        Ok(done)
    }

    /// Writes the value under this key of this shelf, over an older one, and returns its number. With a case it is
    /// sealed under the case's key (made at its first use) and goes when the case is purged.
    pub async fn put(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        key: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let done = self.writing()?.put(shelf, case, group, key, value).await?;
        self.wrote(done)
    }

    /// Adds a value without a key to a group and returns its number, larger than any before it on any shelf.
    pub async fn append(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let done = self.writing()?.append(shelf, case, group, value).await?;
        self.wrote(done)
    }

    /// Removes the value under this key; whether there was one.
    pub async fn remove(&mut self, shelf: Shelf, key: &[u8]) -> Result<bool, StoreError> {
        let done = self.writing()?.remove(shelf, key).await?;
        self.wrote(done)
    }

    /// Removes the value with this number; whether there was one on this shelf.
    pub async fn remove_n(&mut self, shelf: Shelf, n: i64) -> Result<bool, StoreError> {
        let done = self.writing()?.remove_n(shelf, n).await?;
        self.wrote(done)
    }

    /// Removes a whole group; how many values it had.
    pub async fn remove_group(&mut self, shelf: Shelf, group: &[u8]) -> Result<u64, StoreError> {
        let done = self.writing()?.remove_group(shelf, group).await?;
        self.wrote(done)
    }

    /// Destroys the case's key and all its values, on every shelf; how many there were. Once committed, the file
    /// and its write-ahead log hold neither.
    pub async fn purge_case(&mut self, case: CaseId) -> Result<u64, StoreError> {
        let done = self.writing()?.purge_case(case).await?;
        self.wrote(done)
    }

    /// Destroys the keys of all cases but these, and all their values, as [`purge_case`](Self::purge_case) does; how many
    /// values there were.
    pub async fn purge_cases_but(&mut self, kept: &[CaseId]) -> Result<u64, StoreError> {
        let done = self.writing()?.purge_cases_but(kept).await?;
        self.wrote(done)
    }

    /// Says that of what is removed or overwritten here no trace may stay: once committed, neither the file nor its
    /// write-ahead log holds it.
    pub fn leave_no_trace(&mut self) -> Result<(), StoreError> {
        self.reading()?.leave_no_trace();
        Ok(())
    }

    /// Begins a new generation; what this transaction writes from here on belongs to it. Older values stay readable.
    pub async fn renew_generation(&mut self, chance: &mut dyn Chance) -> Result<Generation, StoreError> {
        let done = self.writing()?.renew_generation(chance).await?;
        self.wrote(done)
    }

    /// Keeps everything: when this returns, it is on the disk.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.reading()?.commit().await
    }

    /// As [`super::Store::get`], seeing this transaction's own writes.
    pub async fn get(&mut self, shelf: Shelf, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading()?.get(shelf, key).await
    }

    /// As [`super::Store::get_n`], seeing this transaction's own writes.
    pub async fn get_n(&mut self, shelf: Shelf, n: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading()?.get_n(shelf, n).await
    }

    /// As [`super::Store::list`], seeing this transaction's own writes.
    pub async fn list(
        &mut self,
        shelf: Shelf,
        group: &[u8],
        after_n: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.reading()?.list(shelf, group, after_n, limit).await
    }

    /// As [`super::Store::all`], seeing this transaction's own writes.
    pub async fn all(&mut self, shelf: Shelf, limit: u32) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.reading()?.all(shelf, limit).await
    }

    /// As [`super::Store::count`], seeing this transaction's own writes.
    pub async fn count(&mut self, shelf: Shelf) -> Result<u64, StoreError> {
        self.reading()?.count(shelf).await
    }
}
