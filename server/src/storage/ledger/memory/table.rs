//! A table that can take back what a plan wrote.

use std::collections::BTreeMap;

use sync_core::clock::Timestamp;

use super::CommitError;
use crate::storage::devices::day;

/// Rows by their key, and what they were before the plan that is being written.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    pub(super) rows: BTreeMap<K, V>,
    before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), before: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn set(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.before.push((key, before));
    }

    pub(super) fn remove(&mut self, key: &K) {
        let before = self.rows.remove(key);
        self.before.push((key.clone(), before));
    }

    /// Adds what must be new.
    pub(super) fn add(&mut self, key: K, value: V) -> Result<(), CommitError> {
        if self.rows.contains_key(&key) {
            return Err(CommitError::Moved);
        }
        self.set(key, value);
        Ok(())
    }

    pub(super) fn settle(&mut self, keep: bool) {
        for (key, before) in self.before.drain(..).rev() {
            match before {
                _ if keep => {}
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

/// Bytes by the day (UTC) on which something was last counted.
impl<K: Ord + Clone> Table<K, (i64, u64)> {
    pub(super) fn of_day(&self, of: K, at: Timestamp) -> u64 {
        self.rows.get(&of).filter(|(counted, _)| *counted == day(at)).map_or(0, |row| row.1)
    }

    /// Counts towards a day of at most so many bytes.
    pub(super) fn count(&mut self, of: K, (bytes, most): (u64, u64), at: Timestamp) -> Result<(), CommitError> {
        let bytes = self.of_day(of.clone(), at).saturating_add(bytes);
        if bytes > most {
            return Err(CommitError::DayFull);
        }
        self.set(of, (day(at), bytes));
        Ok(())
    }
}
