//! What a store stands on: the file, or memory.

use std::sync::{Arc, RwLock};

use super::rows::Rows;
use super::{Shelf, StoreError, memory};
use crate::clock::Chance;
use crate::id::{CaseId, Generation};

pub(super) enum Backend {
    File(Box<Rows>),
    Memory(memory::Rows),
}

/// The same call on either; the file takes its time over it.
macro_rules! on_either {
    ($($name:ident($($argument:ident: $of:ty),*) -> $result:ty;)*) => {
        impl Backend {
            $(pub(super) async fn $name(&mut self, $($argument: $of),*) -> Result<$result, StoreError> {
                match self {
                    Self::File(rows) => rows.$name($($argument),*).await,
                    Self::Memory(rows) => rows.$name($($argument),*),
                }
            })*
        }
    };
}

on_either! {
    begin() -> ();
    settle() -> ();
    commit() -> ();
    renew_generation(chance: &mut dyn Chance) -> Generation;
    append(shelf: Shelf, case: Option<CaseId>, group: &[u8], value: &[u8]) -> i64;
    put(shelf: Shelf, case: Option<CaseId>, group: &[u8], key: &[u8], value: &[u8]) -> i64;
    get(shelf: Shelf, key: &[u8]) -> Option<Vec<u8>>;
    these(shelf: Shelf, ns: &[i64]) -> Vec<(i64, Vec<u8>)>;
    under(shelf: Shelf, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>>;
    list(shelf: Shelf, group: &[u8], after_n: i64, limit: u32) -> Vec<(i64, Vec<u8>)>;
    all(shelf: Shelf, limit: u32) -> Vec<(i64, Vec<u8>)>;
    count(shelf: Shelf) -> u64;
    remove(shelf: Shelf, key: &[u8]) -> bool;
    remove_these(shelf: Shelf, ns: &[i64]) -> u64;
    remove_group(shelf: Shelf, group: &[u8]) -> u64;
    purge_case(case: CaseId) -> u64;
    purge_cases_but(kept: &[CaseId]) -> u64;
}

impl Backend {
    pub(super) fn present(&self) -> Arc<RwLock<Generation>> {
        match self {
            Self::File(rows) => Arc::clone(&rows.present),
            Self::Memory(rows) => Arc::clone(&rows.present),
        }
    }

    /// That the next commit leaves no trace of what was removed. Memory keeps none anyway.
    pub(super) fn leave_no_trace(&mut self) {
        match self {
            Self::File(rows) => rows.purged = true,
            Self::Memory(_) => {}
        }
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::File(rows) => rows.close().await,
            Self::Memory(_) => Ok(()),
        }
    }
}
