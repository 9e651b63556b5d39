//! The last two requests of each device, remembered at once and written behind.
//!
//! A request's counter is judged against what this process remembers, and written with the next transaction of the
//! ledger, or by itself within [`BEHIND`]. So whatever a request brings is never written without its counter, and a
//! request that brings nothing waits for no disk.
//!
//! What a crash can take are the counters of requests of the last second (or since the disk last took a write) that
//! brought nothing, which then never happened: an honest device goes on above them. A copy of its store that would have
//! been noticed by one of these is noticed at the next request of either that is not above what the other sent last, so
//! later, but before both have brought work under one counter: work is written with its counter. A revocation or a stop
//! is a row and read with each request; only the counters are remembered, and only the process that serves the folder
//! writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::id::DeviceId;

use super::devices::{Counted, Device, TakenRequest};
use super::{Storage, StorageError, Write};

/// How long a counter stays unwritten at most, while the disk takes writes.
const BEHIND: Duration = Duration::from_secs(1);
/// How long at most until the next attempt, while the disk takes none.
const AGAIN: Duration = Duration::from_secs(8);

/// The last two requests of a device, newest first.
type Taken = [Option<TakenRequest>; 2];

/// What this process remembers. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    taken: BTreeMap<DeviceId, Taken>,
    /// Whose are not written yet.
    unwritten: BTreeSet<DeviceId>,
    /// Whether somebody is writing behind; whoever is stays until nothing is unwritten.
    behind: bool,
}

/// Counters that are in a transaction.
#[must_use = "once the transaction is committed, say so"]
pub(super) struct InTransaction<'a> {
    counters: &'a Counters,
    written: Vec<(DeviceId, Taken)>,
}

impl InTransaction<'_> {
    /// The transaction was committed.
    pub(super) fn are_kept(self) {
        let mut remembered = self.counters.remembered();
        for (device, taken) in self.written {
            // Another request of it may have come meanwhile.
            if remembered.taken.get(&device) == Some(&taken) {
                remembered.unwritten.remove(&device);
            }
        }
    }
}

impl Counters {
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request is, after those taken of the device whose row was read a moment ago. Whether somebody is to begin
    /// writing behind comes with it.
    fn take(&self, device: &Device, request: TakenRequest) -> (Counted, bool) {
        let mut remembered = self.remembered();
        // The row may be older than what is remembered, and never newer.
        let known = remembered.taken.get(&device.id).copied().unwrap_or(device.taken);
        let counted = Device { taken: known, ..device.clone() }.count(request);
        if counted != Counted::Next {
            return (counted, false);
        }
        remembered.taken.insert(device.id, [Some(request), known[0]]);
        remembered.unwritten.insert(device.id);
        (counted, !std::mem::replace(&mut remembered.behind, true))
    }

    /// Ends writing behind if there is nothing left of it, or no more will be.
    fn ends(&self, closed: bool) -> bool {
        let mut remembered = self.remembered();
        remembered.behind = !closed && !remembered.unwritten.is_empty();
        !remembered.behind
    }

    /// The last request of the device whose row was read a moment ago.
    fn last(&self, device: &Device) -> Option<TakenRequest> {
        self.remembered().taken.get(&device.id).map_or(device.taken[0], |taken| taken[0])
    }

    /// Writes what is not written yet.
    pub(super) async fn write(&self, write: &mut Write) -> Result<InTransaction<'_>, StorageError> {
        let written: Vec<(DeviceId, Taken)> = {
            let remembered = self.remembered();
            let taken = |device: &DeviceId| remembered.taken.get(device).map(|taken| (*device, *taken));
            remembered.unwritten.iter().filter_map(taken).collect()
        };
        for (device, taken) in &written {
            let number = |at: usize| {
                let number = taken[at].map(|request| i64::try_from(request.counter));
                number.transpose().map_err(|_| StorageError::Damaged("last_counter"))
            };
            let digest = |at: usize| taken[at].map(|request| request.digest.as_bytes().to_vec());
            let sql = "UPDATE devices SET last_counter = $1, last_digest = $2, before_counter = $3, before_digest = $4 \
                       WHERE id = $5";
            sqlx::query(sql)
                .bind(number(0)?)
                .bind(digest(0))
                .bind(number(1)?)
                .bind(digest(1))
                .bind(device.to_string())
                .execute(&mut **write)
                .await?;
        }
        Ok(InTransaction { counters: self, written })
    }
}

impl Storage {
    /// Takes a request whose signature was checked, of a device whose row was read for it: remembers it, or stops the
    /// device.
    ///
    /// # Errors
    /// What storage says; then nothing was remembered.
    pub async fn take_request(&self, device: &Device, request: TakenRequest) -> Result<Counted, StorageError> {
        // What no column holds can't be written behind.
        if i64::try_from(request.counter).is_err() {
            return Err(StorageError::Damaged("last_counter"));
        }
        let (counted, begins) = self.counters.take(device, request);
        if counted == Counted::Copy {
            self.stop_device(device.id).await?;
        }
        if begins {
            let storage = self.clone();
            tokio::spawn(async move { storage.write_behind().await });
        }
        Ok(counted)
    }

    /// Writes counters until there is none left to write: one that came while others were being written, or that could
    /// not be written, waits for nobody's next request.
    async fn write_behind(&self) {
        let mut wait = BEHIND;
        loop {
            tokio::time::sleep(wait).await;
            let kept = self.keep_counters().await;
            if self.counters.ends(self.writer.is_closed()) {
                return;
            }
            match kept {
                Ok(()) => wait = BEHIND,
                Err(error) => {
                    // Once for all attempts that fail behind one another.
                    if wait == BEHIND {
                        tracing::error!(%error, "requests' counters could not be written; it is tried again");
                    }
                    wait = AGAIN.min(2 * wait);
                }
            }
        }
    }

    /// Whether the device, whose row was read a moment ago, has asked for something newer than this request.
    pub fn is_overtaken(&self, device: &Device, request: TakenRequest) -> bool {
        self.counters.last(device).is_some_and(|last| last.counter > request.counter)
    }

    /// Writes the counters that are only remembered yet.
    ///
    /// # Errors
    /// What storage says; they stay remembered.
    pub(super) async fn keep_counters(&self) -> Result<(), StorageError> {
        if self.counters.remembered().unwritten.is_empty() {
            return Ok(());
        }
        let mut write = self.write().await?;
        let counted = self.counters.write(&mut write).await?;
        write.commit().await?;
        counted.are_kept();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sync_core::access::Role;
    use sync_core::id::{Generation, Hash};

    use super::*;
    use crate::storage::devices::NewDevice;
    use crate::testing::{Bench, account};

    /// So many devices of one person, and what storage is to be asked of them.
    async fn scene(bench: &Bench, count: u8) -> (Storage, Vec<Device>) {
        let app = bench.app().await;
        let olu = account(&app, "olu.ot", Role::SeniorOt).await;
        let mut devices = Vec::new();
        for at in 0..count {
            let code = Hash::of(&[at]);
            app.storage.add_enrolment_code(code, olu.id, 1000).await.unwrap();
            let generation = Generation::from_bytes([at; 16]);
            let new = NewDevice { generation, public_key: [at; 32], name: "tablet".to_owned() };
            devices.push(app.storage.enrol(code, new).await.unwrap().unwrap().0);
        }
        (app.storage, devices)
    }

    fn request(counter: u64) -> TakenRequest {
        TakenRequest { counter, digest: Hash::of(b"nothing new") }
    }

    async fn take(storage: &Storage, device: &Device, counter: u64) {
        assert_eq!(storage.take_request(device, request(counter)).await.unwrap(), Counted::Next);
    }

    /// Waits until the device's row says what it asked last, and nobody writes behind any more.
    async fn written(storage: &Storage, device: &Device, counter: u64) {
        for _ in 0..600 {
            let row = storage.device(device.id).await.unwrap().unwrap();
            if row.taken[0] == Some(request(counter)) && !storage.counters.remembered().behind {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the counter stays in memory");
    }

    #[tokio::test]
    async fn a_request_that_comes_while_others_counters_are_written_is_written_too() {
        let bench = Bench::new(1);
        let (storage, devices) = scene(&bench, 2).await;
        let slow = "CREATE VIEW slow AS \
                    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) \
                    SELECT max(x) FROM n; \
                    CREATE TRIGGER slowly AFTER UPDATE ON devices BEGIN SELECT * FROM slow; END";
        storage.execute_raw(slow).await;
        let writer = async |idle: usize| {
            while storage.writer.num_idle() != idle {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        writer(1).await;
        take(&storage, &devices[0], 1).await;
        writer(0).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(storage.device(devices[0].id).await.unwrap().unwrap().taken, [None; 2], "it is being written");
        take(&storage, &devices[1], 1).await;
        written(&storage, &devices[1], 1).await;
        written(&storage, &devices[0], 1).await;
    }

    #[tokio::test]
    async fn a_counter_that_could_not_be_written_is_written_once_the_disk_takes_it_and_a_closed_store_is_let_go_of() {
        let bench = Bench::new(1);
        let (storage, devices) = scene(&bench, 1).await;
        let refuse = async |refuses: &str| {
            let pragma = format!("PRAGMA query_only = {refuses}");
            sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(&storage.writer).await.unwrap();
        };
        refuse("ON").await;
        take(&storage, &devices[0], 1).await;
        tokio::time::sleep(2 * BEHIND).await;
        assert!(storage.keep_counters().await.is_err() && storage.counters.remembered().behind);
        refuse("OFF").await;
        written(&storage, &devices[0], 1).await;
        refuse("ON").await;
        take(&storage, &devices[0], 2).await;
        storage.close().await;
        for _ in 0..600 {
            if !storage.counters.remembered().behind {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("somebody goes on writing to a store that is closed");
    }
}
