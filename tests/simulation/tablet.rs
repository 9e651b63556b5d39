//! A device in somebody's hands: the real facade over a disk in memory, its clock, and what its person sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::clock::{Seeded, Timestamp};
use sync_core::device::{Device, DeviceError, MemoryDisk, Shelf, Store, StoreError};
use sync_core::domain::view::View;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId};

use crate::dice::Dice;
use crate::time::DeviceClock;

#[derive(Debug)]
pub(crate) struct Tablet {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: Arc<DeviceClock>,
    /// `None` while it is off.
    device: Option<Device>,
    /// Its id, once it is enrolled.
    pub(crate) id: Option<DeviceId>,
    /// The code that its person was given last.
    pub(crate) code: Option<String>,
    /// Cases in which something was tried since it was switched on, and whether it was let.
    pub(crate) tried: BTreeMap<CaseId, bool>,
    /// Whether a copy of it may be about that the server has not noticed.
    pub(crate) copied: bool,
    /// As which device it was told that a copy of it has spoken: enrolling it anew may end in a machine that dies, and be
    /// done.
    pub(crate) told: Option<DeviceId>,
    /// When its clock last jumped.
    pub(crate) jumped: Option<Timestamp>,
}

impl Tablet {
    pub(crate) fn new(name: String, account: AccountId, disk: MemoryDisk, clock: DeviceClock) -> Self {
        let (device, id, code, jumped) = (None, None, None, None);
        let (clock, tried, copied, told) = (Arc::new(clock), BTreeMap::new(), false, None);
        Self { name, account, disk, clock, device, id, code, tried, copied, told, jumped }
    }

    /// The device, switched on as it was left if it was off.
    pub(crate) async fn on(&mut self, dice: &mut Dice) -> Result<&Device, DeviceError> {
        if self.disk.is_dead() {
            self.device = None;
        }
        if self.device.is_none() {
            self.clock.boots();
            let mut chance = dice.chance();
            let store = Store::in_memory(&self.disk, &mut chance).await?;
            let device = Device::over(store, self.clock.clone(), Box::new(chance)).await?;
            self.tried.clear();
            self.id = device.status().await?.enrolled.map(|enrolled| enrolled.device);
            self.device = Some(device);
        }
        self.device.as_ref().ok_or(DeviceError::Store(StoreError::Missing))
    }

    pub(crate) fn switch_off(&mut self) {
        self.device = None;
    }

    /// The device while it is on.
    pub(crate) fn device(&self) -> &Device {
        self.device.as_ref().unwrap()
    }

    /// What a person would see who opened its store now. They look at a copy: to look is to read, and that is written
    /// down and handed in. Nor does a lease that is over close their eyes.
    pub(crate) async fn glance(&self) -> Glance {
        let store = Store::in_memory(&self.disk.copy(), &mut Seeded::new(0)).await.unwrap();
        let mut write = store.begin().await.unwrap();
        write.remove(Shelf::Meta, b"contacted").await.unwrap();
        write.commit().await.unwrap();
        Glance(Device::over(store, self.clock.clone(), Box::new(Seeded::new(0))).await.unwrap())
    }
}

/// A copy of a device, to look at.
#[derive(Debug)]
pub(crate) struct Glance(Device);

impl Glance {
    pub(crate) async fn view(&self, document: DocumentId) -> Result<View, DeviceError> {
        self.0.open_document(document).await
    }

    pub(crate) async fn documents(&self) -> Vec<(CaseId, sync_core::device::DocumentSummary)> {
        let mut found = Vec::new();
        for card in self.0.cases().await.unwrap() {
            let documents = self.0.documents(card.case).await.unwrap();
            found.extend(documents.into_iter().map(|document| (card.case, document)));
        }
        found
    }

    pub(crate) fn device(&self) -> &Device {
        &self.0
    }
}
