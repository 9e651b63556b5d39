//! One request of a device at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sync_core::id::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::storage::StorageError;

/// The devices whose requests are settled or wait to be, each with a turn of its own: on however many connections a device
/// speaks, one of its requests is unpacked, judged and answered. What waits, and a reply while it is sent, takes what it
/// has as it travels. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<BTreeMap<DeviceId, Weak<Semaphore>>>>);

impl Turns {
    /// The device's turn, until it is dropped, and whether it had to be waited for.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] never: nobody closes it.
    pub async fn of(&self, device: DeviceId) -> Result<(OwnedSemaphorePermit, bool), StorageError> {
        let turns = self.known(device);
        if let Ok(turn) = turns.clone().try_acquire_owned() {
            return Ok((turn, false));
        }
        let turn = turns.acquire_owned().await.map_err(|_| StorageError::Damaged("the queue of requests"))?;
        Ok((turn, true))
    }

    fn known(&self, device: DeviceId) -> Arc<Semaphore> {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = devices.get(&device).and_then(Weak::upgrade) {
            return known;
        }
        devices.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(1));
        devices.insert(device, Arc::downgrade(&turns));
        turns
    }
}
