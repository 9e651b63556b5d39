//! Rows of who the server is: its id, its epochs, and the keys it signs with.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::SigningKey;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::clock::Timestamp;
use sync_core::id::{Epoch, KeyId, ServerId};

use super::audit::{Act, By, Done};
use super::{Storage, StorageError, Write, bytes, text, time, time_if_any};

/// What a server key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Replies to devices and their receipts.
    Reply,
    /// Signed versions of prescriptions.
    Signoff,
    /// Access tokens.
    Token,
}

impl KeyPurpose {
    /// Every purpose there is.
    pub const ALL: [Self; 3] = [Self::Reply, Self::Signoff, Self::Token];

    /// The one spelling: `signoff`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Signoff => "signoff",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no purpose of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's keys are for `reply`, `signoff` or `token`")]
pub struct NotAPurpose;

impl FromStr for KeyPurpose {
    type Err = NotAPurpose;
    fn from_str(text: &str) -> Result<Self, NotAPurpose> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == text).ok_or(NotAPurpose)
    }
}

/// A key of the server, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKey {
    /// Its id.
    pub id: KeyId,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// Signs from then on.
    pub valid_from: Timestamp,
    /// Signs no more since then; what it signed stays provable.
    pub retired_at: Option<Timestamp>,
}

impl Storage {
    /// Makes, once, what the server is: id, first epoch, a key of each purpose.
    pub(super) async fn found_identity(&self) -> Result<(), StorageError> {
        let there: i64 = self.readers().one(sqlx::query("SELECT count(*) FROM server")).await?.try_get(0)?;
        if there > 0 {
            return Ok(());
        }
        let now = self.now();
        let mut chance = self.chance.clone();
        let mut write = self.write().await?;
        let made =
            sqlx::query("INSERT INTO server (only, server_id, made_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING")
                .bind(ServerId::mint(&mut chance).to_string())
                .bind(now.millis())
                .execute(&mut *write)
                .await?;
        if made.rows_affected() == 1 {
            sqlx::query("INSERT INTO epochs (epoch, number, began_at) VALUES ($1, 1, $2)")
                .bind(Epoch::mint(&mut chance).to_string())
                .bind(now.millis())
                .execute(&mut *write)
                .await?;
            for purpose in KeyPurpose::ALL {
                self.add_key(&mut write, purpose, now).await?;
            }
        }
        Ok(write.commit().await?)
    }

    /// The data folder's id.
    ///
    /// # Errors
    /// What storage says.
    pub async fn server_id(&self) -> Result<ServerId, StorageError> {
        let row = self.readers().one(sqlx::query("SELECT server_id FROM server")).await?;
        text(&row, "server_id")
    }

    /// The data folder's lives, the present one first, then its ancestors.
    ///
    /// # Errors
    /// What storage says.
    pub async fn epochs(&self) -> Result<Vec<Epoch>, StorageError> {
        let rows = self.readers().all(sqlx::query("SELECT epoch FROM epochs ORDER BY number DESC")).await?;
        rows.iter().map(|row| text(row, "epoch")).collect()
    }

    /// Every key there ever was, oldest first.
    ///
    /// # Errors
    /// What storage says.
    pub async fn server_keys(&self) -> Result<Vec<ServerKey>, StorageError> {
        let sql = "SELECT id, purpose, public_key, valid_from, retired_at FROM server_keys ORDER BY valid_from, id";
        self.readers().all(sqlx::query(sql)).await?.iter().map(server_key).collect()
    }

    /// One key, retired or not.
    ///
    /// # Errors
    /// What storage says.
    pub async fn server_key(&self, id: KeyId) -> Result<Option<ServerKey>, StorageError> {
        let sql = "SELECT id, purpose, public_key, valid_from, retired_at FROM server_keys WHERE id = $1";
        let row = self.readers().first(sqlx::query(sql).bind(id.to_string())).await?;
        row.as_ref().map(server_key).transpose()
    }

    /// The key that signs for `purpose` now.
    ///
    /// # Errors
    /// What storage says.
    pub async fn current_key(&self, purpose: KeyPurpose) -> Result<ServerKey, StorageError> {
        let sql = "SELECT id, purpose, public_key, valid_from, retired_at FROM server_keys \
                   WHERE purpose = $1 AND retired_at IS NULL";
        server_key(&self.readers().one(sqlx::query(sql).bind(purpose.name())).await?)
    }

    /// The secret half of a key.
    pub(crate) async fn key_secret(&self, key: &ServerKey) -> Result<SigningKey, StorageError> {
        let id = key.id.to_string();
        let row = sqlx::query("SELECT wrapped_secret FROM server_keys WHERE id = $1").bind(&id);
        let row = self.readers().one(row).await?;
        let secret = self.vault.unwrap(key.purpose.name(), &id, row.try_get("wrapped_secret")?)?;
        let secret = secret.as_slice().try_into().map_err(|_| StorageError::Damaged("wrapped_secret"))?;
        let secret = SigningKey::from_bytes(secret);
        if secret.verifying_key().as_bytes() == &key.public {
            Ok(secret)
        } else {
            Err(StorageError::Damaged("wrapped_secret"))
        }
    }

    /// Retires the present key of `purpose` and makes the next; both in one step.
    ///
    /// # Errors
    /// What storage says.
    pub async fn rotate_key(&self, purpose: KeyPurpose) -> Result<ServerKey, StorageError> {
        let now = self.now();
        let mut write = self.write().await?;
        sqlx::query("UPDATE server_keys SET retired_at = $1 WHERE purpose = $2 AND retired_at IS NULL")
            .bind(now.millis())
            .bind(purpose.name())
            .execute(&mut *write)
            .await?;
        let key = self.add_key(&mut write, purpose, now).await?;
        let done = Done { case: None, document: None, act: Act::KeyRotated { key: key.id } };
        self.log(&mut write, By::console(now), vec![done]).await?;
        write.commit().await?;
        Ok(key)
    }

    async fn add_key(&self, write: &mut Write, purpose: KeyPurpose, now: Timestamp) -> Result<ServerKey, StorageError> {
        let mut chance = self.chance.clone();
        let id = KeyId::mint(&mut chance);
        let secret = SigningKey::from_bytes(&self.chance.bytes());
        let public = secret.verifying_key().to_bytes();
        let sql = "INSERT INTO server_keys (id, purpose, public_key, wrapped_secret, valid_from) \
                   VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(sql)
            .bind(id.to_string())
            .bind(purpose.name())
            .bind(public.as_slice())
            .bind(self.vault.wrap(purpose.name(), &id.to_string(), secret.as_bytes()))
            .bind(now.millis())
            .execute(&mut **write)
            .await?;
        Ok(ServerKey { id, purpose, public, valid_from: now, retired_at: None })
    }
}

fn server_key(row: &SqliteRow) -> Result<ServerKey, StorageError> {
    Ok(ServerKey {
        id: text(row, "id")?,
        purpose: text(row, "purpose")?,
        public: bytes(row, "public_key")?,
        valid_from: time(row, "valid_from")?,
        retired_at: time_if_any(row, "retired_at")?,
    })
}
