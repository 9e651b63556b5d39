//! What the server's parts depend on.

use std::sync::Arc;

use sync_core::clock::Clock;
use sync_core::clock::Timestamp;
use sync_core::id::AccountId;
use sync_core::protocol::enrolment::{EnrolmentCode, EnrolmentText, Fingerprint};

use crate::auth::{Passwords, Throttle};
use crate::chance::SharedChance;
use crate::config::Config;
use crate::documents::Documents;
use crate::keys::Keys;
use crate::reach::KnownDirectory;
use crate::ready::Ready;
use crate::storage::keys::KeyPurpose;
use crate::storage::{Storage, StorageError};
use crate::sync::Turns;
use crate::uploads::Uploads;

/// One server, or one administrative verb, on one data folder.
#[derive(Debug, Clone)]
pub struct App {
    /// What the operator decided.
    pub config: Arc<Config>,
    /// Rows, sealed values and photos.
    pub storage: Storage,
    /// What time it is; set by hand in tests.
    pub clock: Arc<dyn Clock>,
    /// Keys, ids, salts and nonces; seeded in tests.
    pub chance: SharedChance,
    /// Who the server is and what it signs with.
    pub keys: Arc<Keys>,
    /// Everyone, as last read.
    pub directory: Arc<KnownDirectory>,
    /// Documents that were pushed to lately.
    pub documents: Documents,
    /// The devices that are being answered.
    pub turns: Turns,
    /// The large bodies that are being received.
    pub uploads: Uploads,
    /// Whether requests can be taken.
    pub ready: Ready,
    /// Checks passwords, a bounded number at once.
    pub passwords: Arc<Passwords>,
    /// Slows down who guesses passwords.
    pub throttle: Arc<Throttle>,
}

impl App {
    /// Puts the parts together over an open data folder, making the council's organisation at first.
    ///
    /// # Errors
    /// What storage says.
    pub async fn new(
        config: Config,
        storage: Storage,
        clock: Arc<dyn Clock>,
        chance: SharedChance,
    ) -> Result<Self, StorageError> {
        storage.authority(&config.authority).await?;
        Ok(Self {
            keys: Arc::new(Keys::open(storage.clone()).await?),
            passwords: Arc::new(Passwords::new(config.limits.argon2_at_once, chance.clone())),
            throttle: Arc::default(),
            directory: Arc::default(),
            documents: Documents::default(),
            turns: Turns::default(),
            uploads: Uploads::of(&config.limits),
            ready: Ready::default(),
            config: Arc::new(config),
            storage,
            clock,
            chance,
        })
    }

    /// Makes a one-time code for a device of `account`, and the text that carries it; good until the time given.
    ///
    /// # Errors
    /// What storage says.
    pub async fn enrolment_text(&self, account: AccountId) -> Result<(EnrolmentText, Timestamp), StorageError> {
        let code = EnrolmentCode::mint(&mut self.chance.clone());
        let lasts = self.config.limits.code_hours.saturating_mul(60 * 60 * 1000);
        let expires = self.storage.add_enrolment_code(code.hash(), account, lasts).await?;
        let reply = self.storage.current_key(KeyPurpose::Reply).await?;
        let text = EnrolmentText {
            url: self.config.public_url.clone(),
            server: self.keys.server(),
            reply_key: Fingerprint::of(&reply.public),
            code,
        };
        Ok((text, expires))
    }
}
