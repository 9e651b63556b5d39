//! One request of a device at a time, and one reply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sync_core::id::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::error::Problem;
use crate::storage::StorageError;

/// The most replies in several parts that are sent at once: each takes about 10 MiB as long as it is, most of it for
/// packing its parts as one stream.
const REPLIES: usize = 64;
/// How long one more of them waits for another to end before its device is asked to come later: less than a request may
/// take; tests wait less.
const WAITS: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 20_000 });
/// After how many seconds that device is welcome again.
const LATER: u64 = 30;

/// The devices whose requests are settled or wait to be, each with a turn of its own: on however many connections a
/// device speaks, one of its requests is unpacked, judged and answered, until the first part of its reply is made; and
/// of its replies the newest is sent on. What waits takes what it has as it travels. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Turns {
    devices: Arc<Mutex<BTreeMap<DeviceId, Weak<OfDevice>>>>,
    replies: Arc<Semaphore>,
}

/// What there is once of each device.
#[derive(Debug)]
struct OfDevice {
    turn: Arc<Semaphore>,
    /// Dropped, it ends the newest reply.
    newest: Mutex<Option<oneshot::Sender<()>>>,
}

/// A device's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    device: Arc<OfDevice>,
    replies: Arc<Semaphore>,
}

/// The newest reply of a device, as long as it is known here.
#[derive(Debug)]
pub(super) struct Newest {
    // A request that comes later must find it, whether or not one waits meanwhile.
    _device: Arc<OfDevice>,
    ended: Option<oneshot::Receiver<()>>,
}

/// The place of a reply in several parts among all that are sent.
pub(super) type Place = OwnedSemaphorePermit;

impl Default for Turns {
    fn default() -> Self {
        Self { devices: Arc::default(), replies: Arc::new(Semaphore::new(REPLIES)) }
    }
}

impl Turns {
    /// The device's turn, and whether it had to be waited for.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] never: nobody closes it.
    pub async fn of(&self, id: DeviceId) -> Result<(Turn, bool), StorageError> {
        let (device, replies) = (self.known(id), self.replies.clone());
        if let Ok(permit) = device.turn.clone().try_acquire_owned() {
            return Ok((Turn { _permit: permit, device, replies }, false));
        }
        let permit = device.turn.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StorageError::Damaged("the queue of requests"))?;
        Ok((Turn { _permit: permit, device, replies }, true))
    }

    fn known(&self, id: DeviceId) -> Arc<OfDevice> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = devices.get(&id).and_then(Weak::upgrade) {
            return known;
        }
        devices.retain(|_, device| device.strong_count() > 0);
        let device = Arc::new(OfDevice { turn: Arc::new(Semaphore::new(1)), newest: Mutex::default() });
        devices.insert(id, Arc::downgrade(&device));
        device
    }

    /// How many replies in several parts are being sent.
    #[cfg(test)]
    pub(super) fn sending(&self) -> usize {
        REPLIES - self.replies.available_permits()
    }

    /// Takes every place but so many.
    #[cfg(test)]
    pub(super) fn crowd(&self, left: usize) -> Place {
        let most = u32::try_from(REPLIES - left).unwrap();
        self.replies.clone().try_acquire_many_owned(most).unwrap()
    }
}

impl Turn {
    /// Begins a reply: the one before ends, and lets go of what it has.
    pub(super) fn reply(&self) -> Newest {
        let (newest, ended) = oneshot::channel();
        *self.device.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(newest);
        Newest { _device: self.device.clone(), ended: Some(ended) }
    }

    /// A place for a reply in several parts.
    ///
    /// # Errors
    /// *Later*, when none gets free in time: the same request, sent again, is answered then.
    pub(super) async fn place(&self) -> Result<Place, Problem> {
        match timeout(WAITS, self.replies.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Problem::later(LATER, "Many devices are being sent their cases. What this one brought is kept.")),
        }
    }
}

impl Newest {
    /// Waits until a later request of the device ends this reply.
    pub(super) fn ended(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let ended = self.ended.take();
        async move {
            match ended {
                // Nothing is ever sent: it is dropped.
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        }
    }
}
