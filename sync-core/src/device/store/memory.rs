//! The store in memory: for simulation, which replays byte for byte and fails when it is told to. Nothing is sealed; it
//! promises all else that the file does, and is held to the same contract.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{Shelf, StoreError};
use crate::clock::Chance;
use crate::device::seal::MAX_VALUE;
use crate::id::{CaseId, Generation};

/// The disk of a simulated machine. Clones are handles of the same one; it outlives the stores opened on it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Platter>>);

/// A row as it lies on a [`MemoryDisk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRow {
    /// What kind of thing it is.
    pub shelf: Shelf,
    /// The case under whose key it would be sealed.
    pub case: Option<CaseId>,
    /// Its group.
    pub group: Vec<u8>,
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Arc<[u8]>,
}

/// What a disk holds, with what the open transaction would take back.
#[derive(Debug, Clone, Default)]
struct Platter {
    kept: Kept,
    undo: Option<Undo>,
    in_use: bool,
    /// Operations until the machine dies, and whether a commit that it dies in is kept.
    dies: Option<(u64, bool)>,
    dead: bool,
    /// Writes until one finds no room.
    fills: Option<u64>,
    /// Transactions that wrote something and died with the machine.
    lost: u64,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    rows: BTreeMap<i64, MemoryRow>,
    by_key: BTreeMap<(Shelf, Vec<u8>), i64>,
    by_group: BTreeSet<(Shelf, Vec<u8>, i64)>,
    by_shelf: BTreeSet<(Shelf, i64)>,
    /// The cases that have a key.
    cases: BTreeSet<CaseId>,
    generations: Vec<Generation>,
    /// The last number given.
    last: i64,
}

#[derive(Debug, Clone)]
struct Undo {
    /// Rows as they were before, newest write last.
    rows: Vec<(i64, Option<MemoryRow>)>,
    cases: BTreeSet<CaseId>,
    generations: usize,
    last: i64,
}

impl Kept {
    /// Puts a row in its place, or takes it away; what was there before.
    fn set(&mut self, n: i64, row: Option<MemoryRow>) -> Option<MemoryRow> {
        let before = self.rows.remove(&n);
        if let Some(before) = &before {
            self.by_shelf.remove(&(before.shelf, n));
            self.by_group.remove(&(before.shelf, before.group.clone(), n));
            if let Some(key) = &before.key {
                self.by_key.remove(&(before.shelf, key.clone()));
            }
        }
        if let Some(row) = row {
            self.by_shelf.insert((row.shelf, n));
            self.by_group.insert((row.shelf, row.group.clone(), n));
            if let Some(key) = &row.key {
                self.by_key.insert((row.shelf, key.clone()), n);
            }
            self.rows.insert(n, row);
        }
        before
    }
}

impl Platter {
    /// Takes back what a transaction left that did not end.
    fn roll_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        for (n, row) in undo.rows.into_iter().rev() {
            self.kept.set(n, row);
        }
        self.kept.cases = undo.cases;
        self.kept.generations.truncate(undo.generations);
        self.kept.last = undo.last;
    }

    /// One more operation: whether the machine dies in it.
    fn dies_now(&mut self) -> Result<Option<bool>, StoreError> {
        if self.dead {
            return Err(died());
        }
        let Some((left, late)) = &mut self.dies else { return Ok(None) };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Ok(None);
        }
        self.dead = true;
        Ok(Some(*late))
    }

    /// The machine dies, and with it what was not committed.
    fn dies(&mut self) -> StoreError {
        self.lost += u64::from(self.undo.as_ref().is_some_and(|undo| !undo.rows.is_empty()));
        died()
    }

    fn operate(&mut self) -> Result<(), StoreError> {
        match self.dies_now()? {
            None => Ok(()),
            Some(_) => Err(self.dies()),
        }
    }

    fn change(&mut self, n: i64, row: Option<MemoryRow>) -> Option<MemoryRow> {
        let before = self.kept.set(n, row);
        if let Some(undo) = &mut self.undo {
            undo.rows.push((n, before.clone()));
        }
        before
    }
}

/// What everything says once the machine has died.
fn died() -> StoreError {
    StoreError::Io(io::Error::other("the simulated machine died"))
}

impl MemoryDisk {
    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `operations`th operation from now is the last: it and all later ones fail, until a store is opened on what
    /// was committed. A commit that the machine dies in is kept if `late`, and its caller never learns of it.
    pub fn dies_in(&self, operations: u64, late: bool) {
        self.platter().dies = Some((operations.max(1), late));
    }

    /// The `writes`th write from now finds no room; the next ones do.
    pub fn fills_in(&self, writes: u64) {
        self.platter().fills = Some(writes.max(1));
    }

    /// Whether the machine has died since a store was last opened.
    pub fn is_dead(&self) -> bool {
        self.platter().dead
    }

    /// How many transactions that wrote something were lost because the machine died in them.
    pub fn lost(&self) -> u64 {
        self.platter().lost
    }

    /// Takes back every fault that has not happened yet.
    pub fn mend(&self) {
        let mut platter = self.platter();
        (platter.dies, platter.fills) = (None, None);
    }

    fn committed(&self) -> Kept {
        let mut platter = self.platter().clone();
        platter.roll_back();
        platter.kept
    }

    /// Another disk with all that is committed on this one: a backup to go back to, or a copy for a thief.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(Platter { kept: self.committed(), ..Platter::default() })))
    }

    /// Every row that is committed, in the order of their numbers.
    pub fn rows(&self) -> Vec<(i64, MemoryRow)> {
        self.committed().rows.into_iter().collect()
    }

    /// The cases that have a key here.
    pub fn cases(&self) -> BTreeSet<CaseId> {
        self.committed().cases
    }
}

/// An open store on a disk.
pub(super) struct Rows {
    disk: MemoryDisk,
    pub(super) present: Arc<RwLock<Generation>>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        let mut platter = self.disk.platter();
        platter.roll_back();
        platter.in_use = false;
    }
}

/// Opens the store on a disk; on an empty one it is made.
pub(super) fn open(disk: &MemoryDisk, chance: &mut dyn Chance) -> Result<Rows, StoreError> {
    let mut platter = disk.platter();
    if platter.in_use {
        return Err(StoreError::InUse);
    }
    platter.roll_back();
    (platter.dead, platter.dies, platter.in_use) = (false, None, true);
    if platter.kept.generations.is_empty() {
        platter.kept.generations.push(Generation::mint(chance));
    }
    let present = platter.kept.generations.last().copied().ok_or_else(StoreError::corrupt)?;
    Ok(Rows { disk: disk.clone(), present: Arc::new(RwLock::new(present)) })
}

impl Rows {
    fn operate(&self) -> Result<MutexGuard<'_, Platter>, StoreError> {
        let mut platter = self.disk.platter();
        platter.operate()?;
        Ok(platter)
    }

    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        let mut platter = self.operate()?;
        let kept = &platter.kept;
        let (cases, generations, last) = (kept.cases.clone(), kept.generations.len(), kept.last);
        platter.undo = Some(Undo { rows: Vec::new(), cases, generations, last });
        Ok(())
    }

    /// Takes back what an earlier transaction left when it was dropped, cancelled or failed.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        self.disk.platter().roll_back();
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        let mut platter = self.disk.platter();
        let dies = platter.dies_now()?;
        if dies == Some(false) {
            return Err(platter.dies());
        }
        platter.undo = None;
        if let Some(&generation) = platter.kept.generations.last() {
            *self.present.write().unwrap_or_else(PoisonError::into_inner) = generation;
        }
        if dies.is_some() { Err(died()) } else { Ok(()) }
    }

    pub(super) fn renew_generation(&mut self, chance: &mut dyn Chance) -> Result<Generation, StoreError> {
        let generation = Generation::mint(chance);
        self.operate()?.kept.generations.push(generation);
        Ok(generation)
    }

    fn write(&mut self, n: Option<i64>, row: MemoryRow) -> Result<i64, StoreError> {
        let mut platter = self.operate()?;
        if row.value.len() > MAX_VALUE {
            return Err(StoreError::TooLarge { bytes: row.value.len(), limit: MAX_VALUE });
        }
        if let Some(left) = &mut platter.fills {
            *left -= 1;
            if *left == 0 {
                platter.fills = None;
                return Err(StoreError::DiskFull);
            }
        }
        let n = n.unwrap_or(platter.kept.last.saturating_add(1));
        platter.kept.last = platter.kept.last.max(n);
        platter.kept.cases.extend(row.case);
        platter.change(n, Some(row));
        Ok(n)
    }

    pub(super) fn append(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        self.write(None, MemoryRow { shelf, case, group: group.to_vec(), key: None, value: value.into() })
    }

    pub(super) fn put(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        key: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let n = self.disk.platter().kept.by_key.get(&(shelf, key.to_vec())).copied();
        self.write(n, MemoryRow { shelf, case, group: group.to_vec(), key: Some(key.to_vec()), value: value.into() })
    }

    pub(super) fn get(&mut self, shelf: Shelf, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let platter = self.operate()?;
        let n = platter.kept.by_key.get(&(shelf, key.to_vec()));
        Ok(n.and_then(|n| platter.kept.rows.get(n)).map(|row| row.value.to_vec()))
    }

    pub(super) fn these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let platter = self.operate()?;
        let ns: BTreeSet<i64> = ns.iter().copied().collect();
        let on_shelf = |n: &i64| platter.kept.rows.get(n).is_some_and(|row| row.shelf == shelf);
        Ok(values(&platter.kept, ns.into_iter().filter(on_shelf), u32::MAX))
    }

    pub(super) fn under(&mut self, shelf: Shelf, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let platter = self.operate()?;
        let value = |key: &Vec<u8>| {
            let n = platter.kept.by_key.get(&(shelf, key.clone()))?;
            platter.kept.rows.get(n).map(|row| row.value.to_vec())
        };
        Ok(keys.iter().map(value).collect())
    }

    pub(super) fn list(
        &mut self,
        shelf: Shelf,
        group: &[u8],
        after_n: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let platter = self.operate()?;
        let first = (shelf, group.to_vec(), after_n.saturating_add(1));
        let found = platter.kept.by_group.range(first..=(shelf, group.to_vec(), i64::MAX));
        Ok(values(&platter.kept, found.map(|(_, _, n)| *n), limit))
    }

    pub(super) fn all(&mut self, shelf: Shelf, limit: u32) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let platter = self.operate()?;
        let found = platter.kept.by_shelf.range((shelf, i64::MIN)..=(shelf, i64::MAX));
        Ok(values(&platter.kept, found.map(|(_, n)| *n), limit))
    }

    pub(super) fn count(&mut self, shelf: Shelf) -> Result<u64, StoreError> {
        let platter = self.operate()?;
        Ok(platter.kept.by_shelf.range((shelf, i64::MIN)..=(shelf, i64::MAX)).count() as u64)
    }

    pub(super) fn remove(&mut self, shelf: Shelf, key: &[u8]) -> Result<bool, StoreError> {
        let mut platter = self.operate()?;
        let n = platter.kept.by_key.get(&(shelf, key.to_vec())).copied();
        Ok(n.is_some_and(|n| platter.change(n, None).is_some()))
    }

    pub(super) fn remove_these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<u64, StoreError> {
        let mut platter = self.operate()?;
        let mut removed = 0;
        for n in ns {
            let here = platter.kept.rows.get(n).is_some_and(|row| row.shelf == shelf);
            removed += u64::from(here && platter.change(*n, None).is_some());
        }
        Ok(removed)
    }

    pub(super) fn remove_group(&mut self, shelf: Shelf, group: &[u8]) -> Result<u64, StoreError> {
        let mut platter = self.operate()?;
        let range = (shelf, group.to_vec(), i64::MIN)..=(shelf, group.to_vec(), i64::MAX);
        let found: Vec<i64> = platter.kept.by_group.range(range).map(|(_, _, n)| *n).collect();
        for n in &found {
            platter.change(*n, None);
        }
        Ok(found.len() as u64)
    }

    pub(super) fn purge_case(&mut self, case: CaseId) -> Result<u64, StoreError> {
        let mut platter = self.operate()?;
        let of_case = |(n, row): (&i64, &MemoryRow)| (row.case == Some(case)).then_some(*n);
        let found: Vec<i64> = platter.kept.rows.iter().filter_map(of_case).collect();
        for n in &found {
            platter.change(*n, None);
        }
        platter.kept.cases.remove(&case);
        Ok(found.len() as u64)
    }

    pub(super) fn purge_cases_but(&mut self, kept: &[CaseId]) -> Result<u64, StoreError> {
        let mut platter = self.operate()?;
        let goes = |case: &CaseId| !kept.contains(case);
        let of_them = |(n, row): (&i64, &MemoryRow)| row.case.as_ref().is_some_and(goes).then_some(*n);
        let found: Vec<i64> = platter.kept.rows.iter().filter_map(of_them).collect();
        for n in &found {
            platter.change(*n, None);
        }
        platter.kept.cases.retain(|case| kept.contains(case));
        Ok(found.len() as u64)
    }
}

fn values(kept: &Kept, found: impl Iterator<Item = i64>, limit: u32) -> Vec<(i64, Vec<u8>)> {
    let rows = found.filter_map(|n| Some((n, kept.rows.get(&n)?.value.to_vec())));
    rows.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}
