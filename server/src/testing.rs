//! What the tests of the server's parts stand on: a real data folder, a clock set by hand, seeded chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sync_core::access::Role;
use sync_core::clock::{Clock, Seeded, Timestamp};

use crate::app::App;
use crate::chance::SharedChance;
use crate::config::{Config, Flags};
use crate::storage::Storage;
use crate::storage::accounts::{Account, NewAccount};
use crate::storage::audit::By;

/// 2026-11-16T09:00:00Z.
pub(crate) const START: i64 = 1_794_819_600_000;
pub(crate) const PASSWORD: &str = "a long password";

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + self.0.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

pub(crate) struct Bench {
    pub(crate) temp: tempfile::TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) chance: SharedChance,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            temp: tempfile::tempdir().unwrap(),
            clock: Arc::new(HandClock(AtomicI64::new(0))),
            chance: SharedChance::new(Seeded::new(seed)),
        }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.temp.path().join("data")
    }

    pub(crate) async fn storage(&self) -> Storage {
        Storage::open(&self.data(), self.clock.clone(), self.chance.clone()).await.unwrap()
    }

    /// Does to the database what no part of the server would.
    pub(crate) async fn execute(&self, sql: &str) {
        self.storage().await.execute_raw(sql).await;
    }

    pub(crate) async fn app(&self) -> App {
        self.app_with(Flags::default()).await
    }

    pub(crate) async fn app_with(&self, flags: Flags) -> App {
        let flags = Flags { data: Some(self.data().display().to_string()), ..flags };
        let config = Config::read(&flags, &|_| None).unwrap();
        App::new(config, self.storage().await, self.clock.clone(), self.chance.clone()).await.unwrap()
    }
}

/// Whoever is behind what a test writes.
pub(crate) const BY: By = By::console(Timestamp::from_millis(0));

/// An account of the council that signs in with [`PASSWORD`].
pub(crate) async fn account(app: &App, sign_in: &str, role: Role) -> Account {
    let new = NewAccount {
        sign_in: sign_in.parse().unwrap(),
        full_name: "Olu Ade".to_owned(),
        role,
        organisation: app.storage.authority("Example Council").await.unwrap().id,
        hcpc_number: None,
        password_hash: Some(app.passwords.hash(PASSWORD).await.unwrap()),
    };
    app.storage.add_account(new).await.unwrap()
}
