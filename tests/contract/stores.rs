//! The stores there are, each made empty for a behaviour; and the clock they read, set by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use grabrail_server::chance::SharedChance;
use grabrail_server::storage::accounts::{Account, NewAccount};
use grabrail_server::storage::audit::By;
use grabrail_server::storage::{ServeLock, Storage, StorageError};
use sync_core::access::Role;
use sync_core::clock::{Clock, Seeded, Timestamp};

/// Makes a test of each behaviour on each store there is. Another store is one more line in the first rule, with a
/// constructor of that name beside [`Store::in_sql`].
macro_rules! held_by_every_store {
    ($($behaviour:ident;)*) => {
        held_by_every_store! { in_sql: $($behaviour;)* }
    };
    ($store:ident: $($behaviour:ident;)*) => {
        mod $store {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(&$crate::stores::Store::$store()).await })*
        }
    };
}
pub(crate) use held_by_every_store;

/// A store of one kind, removed at the end.
pub(crate) struct Store {
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
    chance: SharedChance,
}

impl Store {
    /// The embedded SQLite.
    pub(crate) fn in_sql() -> Self {
        Self::seeded(7)
    }

    /// A second store of the same kind, of another server.
    pub(crate) fn another(&self) -> Self {
        Self::seeded(8)
    }

    fn seeded(seed: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::default(),
            // Shared by every run of the server on it: two runs don't draw the same nonces.
            chance: SharedChance::new(Seeded::new(seed)),
        }
    }

    /// Its data folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) async fn open(&self) -> Storage {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Storage, StorageError> {
        Storage::open(&self.path(), self.clock.clone(), self.chance.clone()).await
    }

    pub(crate) async fn serve(&self) -> (Storage, ServeLock) {
        Storage::serve(&self.path(), self.clock.clone(), self.chance.clone()).await.unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// Milliseconds since [`START`], moved by hand.
#[derive(Debug, Default)]
struct HandClock(AtomicI64);

/// 2026-11-16T09:00:00Z.
const START: i64 = 1_794_819_600_000;

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + self.0.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Whoever is behind what a behaviour writes.
pub(crate) const BY: By = By::console(Timestamp::from_millis(START));

/// What an occupational therapist's account at the council is made of.
pub(crate) async fn new_account(storage: &Storage, sign_in: &str) -> NewAccount {
    NewAccount {
        sign_in: sign_in.parse().unwrap(),
        full_name: "Olu Ade".to_owned(),
        role: Role::Ot,
        organisation: storage.authority("Example Council").await.unwrap().id,
        hcpc_number: None,
        password_hash: Some("a hash".to_owned()),
    }
}

/// The account of an occupational therapist at the council.
pub(crate) async fn account(storage: &Storage, sign_in: &str) -> Account {
    storage.add_account(new_account(storage, sign_in).await).await.unwrap()
}

/// The files under `folder`, of all depths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
