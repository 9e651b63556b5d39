use std::collections::HashMap;
use std::fmt;

use tokio::sync::OwnedMutexGuard;

use super::backend::Backend;
use super::{Shelf, StoreError};
use crate::clock::Chance;
use crate::id::{CaseId, Generation};

/// Writes that are kept together or not at all. Dropped without [`commit`](Self::commit), nothing happened; after anything
/// failed or was cancelled, everything else says [`StoreError::Ended`] and nothing happened either. That there is no room
/// for a write is told by it, by what is asked later, or by the commit.
pub struct Transaction {
    rows: OwnedMutexGuard<Backend>,
    whole: bool,
    /// Small values that were read or written in it, so that each is opened once: a caseload that comes reads the rows of
    /// its documents again and again.
    seen: HashMap<(Shelf, Vec<u8>), Option<Vec<u8>>>,
}

/// How many values are remembered at most, and how large each.
const MOST_SEEN: usize = 4096;
const LARGEST_SEEN: usize = 1024;

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("whole", &self.whole).finish_non_exhaustive()
    }
}

impl Transaction {
    pub(super) fn of(rows: OwnedMutexGuard<Backend>) -> Self {
        Self { rows, whole: true, seen: HashMap::new() }
    }

    fn reading(&mut self) -> Result<&mut Backend, StoreError> {
        if self.whole { Ok(&mut self.rows) } else { Err(StoreError::Ended) }
    }

    /// The rows for a call that may write, if only what was written before; the transaction is whole again only when
    /// [`wrote`](Self::wrote) says that it was done.
    fn writing(&mut self) -> Result<&mut Backend, StoreError> {
        if !self.whole {
            return Err(StoreError::Ended);
        }
        self.whole = false;
        Ok(&mut self.rows)
    }

    /// Remembers what stands under a key; what is too large is read again.
    fn see(&mut self, shelf: Shelf, key: &[u8], value: Option<&[u8]>) {
        if self.seen.len() >= MOST_SEEN || value.is_some_and(|value| value.len() > LARGEST_SEEN) {
            self.seen.remove(&(shelf, key.to_vec()));
        } else {
            self.seen.insert((shelf, key.to_vec()), value.map(<[u8]>::to_vec));
        }
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
        self.see(shelf, key, Some(value));
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
        self.see(shelf, key, None);
        self.wrote(done)
    }

    /// Removes the value with this number; whether there was one on this shelf.
    pub async fn remove_n(&mut self, shelf: Shelf, n: i64) -> Result<bool, StoreError> {
        Ok(self.remove_these(shelf, &[n]).await? > 0)
    }

    /// Removes the values with these numbers; how many of them there were on this shelf.
    pub async fn remove_these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<u64, StoreError> {
        if ns.is_empty() {
            return self.reading().map(|_| 0);
        }
        self.seen.clear();
        let done = self.writing()?.remove_these(shelf, ns).await?;
        self.wrote(done)
    }

    /// Removes a whole group; how many values it had.
    pub async fn remove_group(&mut self, shelf: Shelf, group: &[u8]) -> Result<u64, StoreError> {
        self.seen.clear();
        let done = self.writing()?.remove_group(shelf, group).await?;
        self.wrote(done)
    }

    /// Destroys the case's key and all its values, on every shelf; how many there were. Once committed, the file
    /// and its write-ahead log hold neither.
    pub async fn purge_case(&mut self, case: CaseId) -> Result<u64, StoreError> {
        self.seen.clear();
        let done = self.writing()?.purge_case(case).await?;
        self.wrote(done)
    }

    /// Destroys the keys of all cases but these, and all their values, as [`purge_case`](Self::purge_case) does; how many
    /// values there were.
    pub async fn purge_cases_but(&mut self, kept: &[CaseId]) -> Result<u64, StoreError> {
        self.seen.clear();
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
        self.seen.clear();
        let done = self.writing()?.renew_generation(chance).await?;
        self.wrote(done)
    }

    /// Keeps everything: when this returns, it is on the disk.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.reading()?.commit().await
    }

    /// As [`super::Store::get`], seeing this transaction's own writes.
    pub async fn get(&mut self, shelf: Shelf, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading()?;
        if let Some(value) = self.seen.get(&(shelf, key.to_vec())) {
            return Ok(value.clone());
        }
        let value = self.writing()?.get(shelf, key).await?;
        self.see(shelf, key, value.as_deref());
        self.wrote(value)
    }

    /// As [`super::Store::get_n`], seeing this transaction's own writes.
    pub async fn get_n(&mut self, shelf: Shelf, n: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.these(shelf, &[n]).await?.pop().map(|(_, value)| value))
    }

    /// As [`super::Store::these`], seeing this transaction's own writes.
    pub async fn these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let done = self.writing()?.these(shelf, ns).await?;
        self.wrote(done)
    }

    /// As [`super::Store::under`], seeing this transaction's own writes. Asking for each, or writing it, is quick then.
    pub async fn under(&mut self, shelf: Shelf, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return self.reading().map(|_| Vec::new());
        }
        let done = self.writing()?.under(shelf, keys).await?;
        for (key, value) in keys.iter().zip(&done) {
            self.see(shelf, key, value.as_deref());
        }
        self.wrote(done)
    }

    /// As [`super::Store::list`], seeing this transaction's own writes.
    pub async fn list(
        &mut self,
        shelf: Shelf,
        group: &[u8],
        after_n: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let done = self.writing()?.list(shelf, group, after_n, limit).await?;
        self.wrote(done)
    }

    /// As [`super::Store::all`], seeing this transaction's own writes.
    pub async fn all(&mut self, shelf: Shelf, limit: u32) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let done = self.writing()?.all(shelf, limit).await?;
        self.wrote(done)
    }

    /// As [`super::Store::count`], seeing this transaction's own writes.
    pub async fn count(&mut self, shelf: Shelf) -> Result<u64, StoreError> {
        let done = self.writing()?.count(shelf).await?;
        self.wrote(done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, furnished, read_everything};
    use super::*;
    use crate::clock::Seeded;

    #[tokio::test]
    async fn what_a_transaction_reads_again_is_as_it_last_left_it() {
        let home = furnished().await;
        let store = home.open().await.unwrap();
        let mut writing = store.begin().await.unwrap();
        let (shelf, key) = (Shelf::Card, b"card 1".as_slice());
        let put = async |writing: &mut Transaction, value: &[u8]| {
            writing.put(shelf, Some(case(1)), b"cards", key, value).await.unwrap()
        };
        let first = writing.get(shelf, key).await.unwrap();
        assert!(first.is_some() && first == writing.get(shelf, key).await.unwrap());
        put(&mut writing, b"second").await;
        assert_eq!(writing.get(shelf, key).await.unwrap().as_deref(), Some(b"second".as_slice()));
        // Too large to remember, and small again.
        let large = vec![7; LARGEST_SEEN + 1];
        put(&mut writing, &large).await;
        assert_eq!(writing.get(shelf, key).await.unwrap(), Some(large));
        put(&mut writing, b"third").await;
        // However it goes, it is gone.
        assert!(writing.remove(shelf, key).await.unwrap());
        assert_eq!(writing.get(shelf, key).await.unwrap(), None);
        for way in 0..4 {
            let n = put(&mut writing, b"fourth").await;
            assert!(writing.get(shelf, key).await.unwrap().is_some());
            match way {
                0 => assert!(writing.remove_n(shelf, n).await.unwrap()),
                1 => assert!(writing.remove_group(shelf, b"cards").await.unwrap() > 0),
                2 => assert!(writing.purge_cases_but(&[case(2)]).await.unwrap() > 0),
                _ => assert!(writing.purge_case(case(1)).await.unwrap() > 0),
            }
            assert_eq!(writing.get(shelf, key).await.unwrap(), None, "{way}");
        }
        // More than are remembered.
        let many = |n: usize| n.to_be_bytes();
        for n in 0..MOST_SEEN + 10 {
            writing.put(Shelf::Meta, None, b"", &many(n), b"before").await.unwrap();
        }
        for n in [0, MOST_SEEN + 9] {
            writing.put(Shelf::Meta, None, b"", &many(n), &many(n)).await.unwrap();
            assert_eq!(writing.get(Shelf::Meta, &many(n)).await.unwrap(), Some(many(n).to_vec()));
        }
        writing.renew_generation(&mut Seeded::new(3)).await.unwrap();
        assert_eq!(writing.get(Shelf::Meta, &many(0)).await.unwrap(), Some(many(0).to_vec()));
        writing.commit().await.unwrap();
        assert_eq!(store.get(shelf, key).await.unwrap(), None);
        assert_eq!(store.get(Shelf::Meta, &many(MOST_SEEN + 9)).await.unwrap(), Some(many(MOST_SEEN + 9).to_vec()));
    }

    #[tokio::test]
    async fn a_commit_that_nobody_waited_for_leaves_the_generation_that_the_file_has() {
        let home = furnished().await;
        let store = home.open().await.unwrap();
        let before = read_everything(&store).await.unwrap();
        let mut writing = store.begin().await.unwrap();
        let second = writing.renew_generation(&mut Seeded::new(2)).await.unwrap();
        {
            // It is sent, and its caller dropped.
            let mut commit = std::pin::pin!(writing.commit());
            let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(commit.as_mut().poll(&mut nobody).is_pending());
        }
        assert_eq!(read_everything(&store).await.unwrap(), before);
        assert_eq!(store.generation(), second);
        let third = store.renew_generation(&mut Seeded::new(3)).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(home.open().await.unwrap().generation(), third);
    }
}
