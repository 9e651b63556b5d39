//! The facade's frame: the handle, its status, its events, and what every room of it shares.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::broadcast;

use super::error::DeviceError;
use super::lease::{Counting, Lease};
use super::rows::{Contact, Enrolment, NoticeRow, OutboxRow, PhotoRow, Reader, Stopped, group};
use super::store::{Shelf, Store};
use super::vault::Unlock;
use super::{Kept, Notice};
use crate::access::Role;
use crate::clock::{Chance, Clock, Stamp, Timestamp};
use crate::id::{AccountId, AskId, CaseId, DeviceId, DocumentId, Hash, ServerId};
use crate::protocol::sync::SignedReceipts;

/// How many events a slow watcher may be behind before it misses some.
const EVENTS: usize = 256;

/// A person's device: everything a screen or a terminal does goes through it. One handle a store; share it by `Arc`.
///
/// A future of it that is dropped stops there, and what it had not finished did not happen.
pub struct Device {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Mutex<Box<dyn Chance>>,
    pub(super) enrolled: RwLock<Option<Arc<Enrolment>>>,
    pub(super) offset: RwLock<Option<i64>>,
    /// Held while a document is read to be changed: two edits build on one another, not beside.
    pub(super) editing: tokio::sync::Mutex<()>,
    /// Held while a request is on its way: one conversation at a time.
    pub(super) syncing: tokio::sync::Mutex<()>,
    /// From where on this run counts the time since the last contact.
    pub(super) counting: RwLock<Counting>,
    /// Cases opened in this run while the offline lease held.
    pub(super) opened: Mutex<BTreeSet<CaseId>>,
    events: broadcast::Sender<Event>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Something that a screen may want to show anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// A document has changed, by this device or by what the server sent.
    Document {
        /// The case.
        case: CaseId,
        /// The document.
        document: DocumentId,
    },
    /// A card came or has changed.
    Card {
        /// The case.
        case: CaseId,
    },
    /// A case was removed as the server ordered.
    Purged {
        /// The case.
        case: CaseId,
    },
    /// An ask was decided.
    Verdict {
        /// The ask.
        ask: AskId,
    },
    /// What is known of a photo has changed.
    Photo {
        /// Its document.
        document: DocumentId,
        /// Its hash.
        hash: Hash,
    },
    /// There is news for the person: [`Device::notices`].
    Notice,
    /// A reply came.
    Contact {
        /// The server's clock.
        at: Timestamp,
    },
}

/// What waits to be handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Changes without a receipt.
    pub changes: usize,
    /// What was refused and waits for its person to see it: [`Device::refused_work`].
    pub refused: usize,
    /// Asks without a verdict.
    pub asks: usize,
    /// Photos without a receipt.
    pub photos: usize,
}

/// How the device stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whose device it is; `None` before it is enrolled.
    pub enrolled: Option<EnrolledAs>,
    /// When the server was last spoken to, by the server's clock.
    pub contact: Option<Timestamp>,
    /// Device clock minus server clock in milliseconds, as measured then.
    pub offset: Option<i64>,
    /// What waits to be handed in.
    pub waiting: Waiting,
    /// How many cases are on the device.
    pub cases: usize,
    /// Whether the server told this device that a copy of it has spoken: it is to be enrolled anew, with a new code, and
    /// nothing on it is lost.
    pub stopped: bool,
    /// Whether cases may be opened, by the time since the last contact.
    pub lease: Lease,
}

/// Whose device it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnrolledAs {
    /// Where the server is.
    pub url: String,
    /// The server.
    pub server: ServerId,
    /// The Welfare Authority's name.
    pub authority: String,
    /// The device.
    pub device: DeviceId,
    /// The device's number: the first half of the keys it makes.
    pub number: u32,
    /// What its person calls it.
    pub name: String,
    /// Whose it is.
    pub account: AccountId,
    /// Their name.
    pub full_name: String,
    /// Their role.
    pub role: Role,
}

impl Device {
    /// Makes a device's store at `path` and opens it; it belongs to nobody until [`Device::enrol`].
    ///
    /// # Errors
    /// [`DeviceError::Store`]; nothing is left at `path` then.
    pub async fn create(
        path: &Path,
        unlock: &Unlock,
        clock: Arc<dyn Clock>,
        mut chance: Box<dyn Chance>,
    ) -> Result<Self, DeviceError> {
        let store = Store::create(path, unlock, chance.as_mut()).await?;
        Self::over(store, clock, chance).await
    }

    /// Opens a device's store as it was left.
    ///
    /// # Errors
    /// [`DeviceError::Store`]: a wrong key, in use by another process, damaged (then it is set aside, not deleted).
    pub async fn open(
        path: &Path,
        unlock: &Unlock,
        clock: Arc<dyn Clock>,
        chance: Box<dyn Chance>,
    ) -> Result<Self, DeviceError> {
        Self::over(Store::open(path, unlock).await?, clock, chance).await
    }

    /// A device over a store that is open, as it was left: simulation brings one in memory.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn over(store: Store, clock: Arc<dyn Clock>, chance: Box<dyn Chance>) -> Result<Self, DeviceError> {
        let enrolled = Reader(&store).single::<Enrolment>().await?.map(Arc::new);
        let offset = Reader(&store).single::<Contact>().await?.map(|contact| contact.offset);
        let counting = RwLock::new(Box::pin(Counting::begin(&store, clock.as_ref())).await?);
        Ok(Self {
            store,
            clock,
            counting,
            opened: Mutex::default(),
            chance: Mutex::new(chance),
            enrolled: RwLock::new(enrolled),
            offset: RwLock::new(offset),
            editing: tokio::sync::Mutex::new(()),
            syncing: tokio::sync::Mutex::new(()),
            events: broadcast::channel(EVENTS).0,
        })
    }

    /// Closes the store and waits until it is closed.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn close(self) -> Result<(), DeviceError> {
        self.note_end().await;
        Ok(self.store.close().await?)
    }

    /// What happens on the device from now on. Who is slow is told that they missed some, and asks anew.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody watching is no error.
        let _ = self.events.send(event);
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader(&self.store)
    }

    /// Draws from the device's chance.
    pub(super) fn draw<T>(&self, from: impl FnOnce(&mut dyn Chance) -> T) -> T {
        // Whoever panicked while drawing left nothing half-done that matters.
        from(self.chance.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }

    /// Now, as far as this device can tell.
    pub(super) fn stamp(&self) -> Stamp {
        let offset = *self.offset.read().unwrap_or_else(PoisonError::into_inner);
        Stamp { claimed: self.clock.now(), elapsed: self.clock.elapsed(), offset }
    }

    pub(super) fn enrolment(&self) -> Result<Arc<Enrolment>, DeviceError> {
        let enrolled = self.enrolled.read().unwrap_or_else(PoisonError::into_inner);
        enrolled.clone().ok_or(DeviceError::NotEnrolled)
    }

    /// Goes by the enrolment that the store has: whoever was dropped while it was committed left the one before in
    /// memory. Only for who holds `syncing`, for nobody else changes it.
    pub(super) async fn recall_enrolment(&self) -> Result<(), DeviceError> {
        let stored = self.reader().single::<Enrolment>().await?.map(Arc::new);
        *self.enrolled.write().unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }

    /// Whose device it is.
    ///
    /// # Errors
    /// [`DeviceError::NotEnrolled`].
    pub fn account(&self) -> Result<AccountId, DeviceError> {
        Ok(self.enrolment()?.account)
    }

    /// How the device stands.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn status(&self) -> Result<Status, DeviceError> {
        let contact = self.reader().single::<Contact>().await?;
        let enrolled = self.enrolment().ok().map(|enrolment| EnrolledAs {
            url: enrolment.url.clone(),
            server: enrolment.server,
            authority: enrolment.authority.clone(),
            device: enrolment.device,
            number: enrolment.number,
            name: enrolment.name.clone(),
            account: enrolment.account,
            full_name: enrolment.full_name.clone(),
            role: enrolment.role,
        });
        let cases = self.cases().await?.len();
        let waiting = self.waiting().await?;
        Ok(Status {
            enrolled,
            contact: contact.as_ref().map(|contact| contact.at),
            offset: contact.map(|contact| contact.offset),
            waiting,
            cases,
            lease: self.lease().await?,
            stopped: self.reader().single::<Stopped>().await?.is_some(),
        })
    }

    async fn waiting(&self) -> Result<Waiting, DeviceError> {
        let mut waiting = Waiting::default();
        for (_, row) in self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await? {
            match row {
                OutboxRow::Ask(_) => waiting.asks += 1,
                OutboxRow::Change(_) => waiting.changes += 1,
            }
        }
        waiting.refused = self.all_refused().await?.len();
        let photos = self.reader().whole_shelf::<PhotoRow>(Shelf::Photo).await?;
        waiting.photos = photos.iter().filter(|(_, photo)| photo.kept == Kept::OnThisDevice).count();
        Ok(waiting)
    }

    /// News for the person, oldest first, with when it came. What may repeat the words of a case that the lease has
    /// closed waits with it.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn notices(&self) -> Result<Vec<(Stamp, Notice)>, DeviceError> {
        let shut = self.shut().await?;
        let rows = self.reader().group::<NoticeRow>(Shelf::Notice, group::NOTICES, 0).await?;
        let mut notices = Vec::with_capacity(rows.len());
        for (_, NoticeRow { at, notice }) in rows {
            if let Some(document) = notice.repeats() {
                let case = self.reader().document(document).await?.map(|row| row.case);
                if shut.holds_what_is_of(case) {
                    continue;
                }
            }
            notices.push((at, notice));
        }
        Ok(notices)
    }

    /// Every proof this device was given of what the server took, oldest first. They outlast the cases.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn receipts(&self) -> Result<Vec<SignedReceipts>, DeviceError> {
        let rows = self.reader().group::<SignedReceipts>(Shelf::Receipt, group::RECEIPTS, 0).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}
