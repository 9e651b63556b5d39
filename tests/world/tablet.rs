//! A person's device: the real store in a real file, the real way over HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::clock::{SystemChance, SystemClock};
use sync_core::device::{Device, DeviceError, Link, LinkOptions, StoreError, SyncReport, Unlock};
use sync_core::domain::kind::Kind;
use sync_core::id::{CaseId, DocumentId};
use zeroize::Zeroizing;

/// What opens every store in a story.
pub const PASSPHRASE: &str = "a tablet in the rain";

/// A device in somebody's hand.
#[derive(Debug)]
pub struct Tablet {
    /// The facade, as the bindings and the terminal have it.
    pub device: Device,
    /// The way to the server.
    pub link: Link,
    path: PathBuf,
}

fn unlock() -> Unlock {
    Unlock::Passphrase(Zeroizing::new(PASSPHRASE.to_owned()))
}

impl Tablet {
    pub(crate) async fn blank(path: &Path, options: &LinkOptions) -> Self {
        let clock = Arc::new(SystemClock::new());
        let device = Device::create(path, &unlock(), clock, Box::new(SystemChance)).await.unwrap();
        let link = Link::new(options).unwrap();
        Self { device, link, path: path.to_owned() }
    }

    /// Hands in and takes; fails the story when it can't.
    pub async fn sync(&self) -> SyncReport {
        self.device.sync(&self.link).await.unwrap()
    }

    /// The only case on the device.
    pub async fn case(&self) -> CaseId {
        let cases = self.device.cases().await.unwrap();
        assert_eq!(cases.len(), 1, "{cases:?}");
        cases[0].case
    }

    /// The first document of a kind in the only case.
    pub async fn document(&self, kind: Kind) -> DocumentId {
        let documents = self.device.documents(self.case().await).await.unwrap();
        documents.iter().find(|document| document.kind == kind).unwrap().document
    }

    /// Switched off and on again: the store is closed and opened from its file.
    pub async fn restarted(self) -> Self {
        let Self { device, link, path } = self;
        device.close().await.unwrap();
        let mut tries = 0;
        loop {
            let clock = Arc::new(SystemClock::new());
            match Device::open(&path, &unlock(), clock, Box::new(SystemChance)).await {
                // A process that another story is starting holds every file of this one until it is another program.
                Err(DeviceError::Store(StoreError::InUse)) if tries < 100 => tries += 1,
                opened => return Self { device: opened.unwrap(), link, path },
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Its store copied while it was off, as a backup of a whole machine would: the tablet and the copy, both on.
    pub async fn copied(self, to: &Path) -> (Self, Self) {
        let Self { device, link, path } = self;
        device.close().await.unwrap();
        std::fs::copy(&path, to).unwrap();
        let on = async |path: &Path| {
            let clock = Arc::new(SystemClock::new());
            Device::open(path, &unlock(), clock, Box::new(SystemChance)).await.unwrap()
        };
        let copy =
            Self { device: on(to).await, link: Link::new(&LinkOptions::default()).unwrap(), path: to.to_owned() };
        (Self { device: on(&path).await, link, path }, copy)
    }
}
