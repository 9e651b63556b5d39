//! The last two requests of each device, remembered at once and written behind.
//!
//! A request's counter is judged against what this process remembers, and written with the next transaction of the
//! ledger, or by itself within [`BEHIND`]. So whatever a request brings is never written without its counter, and a
//! request that brings nothing waits for no disk.
//!
//! What a crash can take are the counters of requests of the last second that brought nothing, which then never
//! happened: an honest device goes on above them. A copy of its store that would have been noticed by one of these is
//! noticed at the next request of either that is not above what the other sent last, so later, but before both have
//! brought work under one counter: work is written with its counter. A revocation or a stop is a row and read with each
//! request; only the counters are remembered, and only the process that serves the folder writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::id::DeviceId;

use super::devices::{Counted, Device, TakenRequest};
use super::{Storage, StorageError, Write};

/// How long a counter stays unwritten at most, while the disk takes writes.
const BEHIND: Duration = Duration::from_secs(1);

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

    /// What a request is, after those taken of the device whose row was read a moment ago. Whether it is the first to be
    /// written again comes with it.
    fn take(&self, device: &Device, request: TakenRequest) -> (Counted, bool) {
        let mut remembered = self.remembered();
        // The row may be older than what is remembered, and never newer.
        let known = remembered.taken.get(&device.id).copied().unwrap_or(device.taken);
        let counted = Device { taken: known, ..device.clone() }.count(request);
        if counted != Counted::Next {
            return (counted, false);
        }
        remembered.taken.insert(device.id, [Some(request), known[0]]);
        let first = remembered.unwritten.is_empty();
        remembered.unwritten.insert(device.id);
        (counted, first)
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
        let (counted, first) = self.counters.take(device, request);
        if counted == Counted::Copy {
            self.stop_device(device.id).await?;
        }
        if first {
            let storage = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(BEHIND).await;
                if let Err(error) = storage.keep_counters().await {
                    tracing::error!(%error, "requests' counters could not be written; they go with the next write");
                }
            });
        }
        Ok(counted)
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
