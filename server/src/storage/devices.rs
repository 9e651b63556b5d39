//! Rows of enrolled devices and the one-time codes that enrol them.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, DeviceId, Epoch, Generation, Hash, KeyId};

use super::accounts::{Account, account};
use super::audit::{Act, By, DeviceChange, Done};
use super::keys::KeyPurpose;
use super::ledger::Number;
use super::{Storage, StorageError, Write, bytes, bytes_if_any, taken, text, time, time_if_any};

/// An enrolled device: one life of one person's store on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its number, with which the keys it makes in documents begin; never given to another.
    pub number: u32,
    /// Whose it is.
    pub account: AccountId,
    /// The life of its store that was enrolled.
    pub generation: Generation,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// What its person calls it, 1 to 100 characters.
    pub name: String,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// No longer heard but for a purge receipt and what it hands in.
    pub revoked_at: Option<Timestamp>,
    /// A second copy of its store spoke; its person must sign in and enrol anew.
    pub stopped_at: Option<Timestamp>,
    /// The last two requests taken, newest first.
    pub taken: [Option<TakenRequest>; 2],
}

/// A request of a device, as far as the server remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenRequest {
    /// Counts up over the store's life.
    pub counter: u64,
    /// SHA-256 of the body.
    pub digest: Hash,
}

/// What a request's counter says of the device that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A new request.
    Next,
    /// The last one, asked again because its reply was lost.
    Again,
    /// The last but one, asked again. No device asks for something new while it waits for an answer, so a copy of its
    /// store waits for this one; or the network brings it late, and nobody waits. No alarm, and no answer: it would hold
    /// what others built on the work of the other copy, and leave out that work, as what the device brought itself.
    Overtaken,
    /// A clone or a restored copy of the store speaks. The device has been stopped.
    Copy,
}

impl Device {
    /// What `request` would be, after those taken.
    pub fn count(&self, request: TakenRequest) -> Counted {
        if self.taken[0] == Some(request) {
            Counted::Again
        } else if self.taken[1] == Some(request) {
            Counted::Overtaken
        } else if self.taken[0].is_none_or(|last| request.counter > last.counter) {
            Counted::Next
        } else {
            Counted::Copy
        }
    }
}

impl Heard {
    /// Whether the device was revoked or its account disabled: nothing may stay on it.
    pub const fn revoked(&self) -> bool {
        self.device.revoked_at.is_some() || !self.enabled
    }
}

/// A device as a request of it needs to be judged, read at once.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The device.
    pub device: Device,
    /// Whether its account is enabled.
    pub enabled: bool,
    /// The place in the ledger at which the account last changed.
    pub changed: Number,
    /// Which state of all accounts and organisations there is ([`Storage::directory_state`]).
    pub directory: i64,
    /// The server's life.
    pub epoch: Epoch,
    /// The key that signs replies now.
    pub reply_key: KeyId,
}

/// Why a code enrols nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefused {
    /// Never made.
    #[error("this enrolment code is not known")]
    Unknown,
    /// Used by a device already.
    #[error("this enrolment code has been used")]
    Used,
    /// Too old.
    #[error("this enrolment code has expired")]
    Expired,
    /// Its account is disabled.
    #[error("the account of this enrolment code is disabled")]
    Disabled,
}

/// A device that asks to be enrolled, its key proven.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The life of its store.
    pub generation: Generation,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// What its person calls it, 1 to 100 characters.
    pub name: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, number, account_id, generation, public_key, name, enrolled_at, revoked_at, stopped_at, ",
            "last_counter, last_digest, before_counter, before_digest FROM devices ",
            $rest
        )
    };
}

impl Storage {
    /// Keeps a one-time code, by its hash, until it is used or expires.
    ///
    /// # Errors
    /// What storage says.
    pub async fn add_enrolment_code(
        &self,
        code: Hash,
        account: AccountId,
        lasts_millis: i64,
    ) -> Result<Timestamp, StorageError> {
        let now = self.now();
        let expires = now.plus_millis(lasts_millis);
        let mut write = self.write().await?;
        let sql = "INSERT INTO enrolment_codes (code_hash, account_id, made_at, expires_at) VALUES ($1, $2, $3, $4)";
        sqlx::query(sql)
            .bind(code.as_bytes().as_slice())
            .bind(account.to_string())
            .bind(now.millis())
            .bind(expires.millis())
            .execute(&mut *write)
            .await?;
        self.log_device(&mut write, By::console(now), (account, None), DeviceChange::Code).await?;
        write.commit().await?;
        Ok(expires)
    }

    /// Spends a code on a device: both or neither.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when the key or generation was enrolled before; what storage says.
    pub async fn enrol(
        &self,
        code: Hash,
        new: NewDevice,
    ) -> Result<Result<(Device, Account), CodeRefused>, StorageError> {
        // Whoever guesses waits for no writer, and makes nobody wait for theirs.
        let sql = "SELECT account_id FROM enrolment_codes WHERE code_hash = $1";
        let known = self.readers().first(sqlx::query(sql).bind(code.as_bytes().as_slice())).await?;
        if known.is_none() {
            return Ok(Err(CodeRefused::Unknown));
        }
        let now = self.now();
        let mut write = self.write().await?;
        let sql = "SELECT a.id, a.sign_in, a.full_name, a.role, a.organisation_id, a.enabled, a.hcpc_number, \
                   a.hcpc_checked_at, a.hcpc_result, a.hcpc_checked_by, c.expires_at, c.used_at \
                   FROM enrolment_codes c JOIN accounts a ON a.id = c.account_id WHERE c.code_hash = $1";
        let row = sqlx::query(sql).bind(code.as_bytes().as_slice()).fetch_optional(&mut *write).await?;
        let Some(row) = row else { return Ok(Err(CodeRefused::Unknown)) };
        let account = account(&row)?;
        if time_if_any(&row, "used_at")?.is_some() {
            // The device that spent it may ask again, its reply having been lost: key and generation are its own.
            let spent = sqlx::query(select!("WHERE account_id = $1 AND generation = $2 AND public_key = $3"))
                .bind(account.id.to_string())
                .bind(new.generation.to_string())
                .bind(new.public_key.as_slice())
                .fetch_optional(&mut *write)
                .await?;
            let spent = spent.as_ref().map(device).transpose()?;
            return Ok(spent.map(|device| (device, account)).ok_or(CodeRefused::Used));
        } else if now >= time(&row, "expires_at")? {
            return Ok(Err(CodeRefused::Expired));
        } else if !account.enabled {
            return Ok(Err(CodeRefused::Disabled));
        }
        sqlx::query("UPDATE enrolment_codes SET used_at = $1 WHERE code_hash = $2")
            .bind(now.millis())
            .bind(code.as_bytes().as_slice())
            .execute(&mut *write)
            .await?;
        let device = self.insert_device(&mut write, &account, new, now).await?;
        let by = By { at: now, account: Some(account.id), device: Some(device.id) };
        self.log_device(&mut write, by, (account.id, Some(device.id)), DeviceChange::Enrolled).await?;
        write.commit().await?;
        Ok(Ok((device, account)))
    }

    async fn insert_device(
        &self,
        write: &mut Write,
        account: &Account,
        new: NewDevice,
        now: Timestamp,
    ) -> Result<Device, StorageError> {
        let sql = "UPDATE counters SET value = value + 1 WHERE name = 'device' RETURNING value";
        let number: i64 = sqlx::query_scalar(sql).fetch_one(&mut **write).await?;
        let device = Device {
            id: DeviceId::mint(&mut self.chance.clone()),
            number: u32::try_from(number).map_err(|_| StorageError::Damaged("counters"))?,
            account: account.id,
            generation: new.generation,
            public_key: new.public_key,
            name: new.name,
            enrolled_at: now,
            revoked_at: None,
            stopped_at: None,
            taken: [None; 2],
        };
        let sql = "INSERT INTO devices (id, number, account_id, generation, public_key, name, enrolled_at, bytes_day, \
                   bytes_taken) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)";
        sqlx::query(sql)
            .bind(device.id.to_string())
            .bind(number)
            .bind(account.id.to_string())
            .bind(device.generation.to_string())
            .bind(device.public_key.as_slice())
            .bind(&device.name)
            .bind(now.millis())
            .execute(&mut **write)
            .await
            .map_err(|error| taken(error, "the device's key or store generation"))?;
        Ok(device)
    }

    /// One device.
    ///
    /// # Errors
    /// What storage says.
    pub async fn device(&self, id: DeviceId) -> Result<Option<Device>, StorageError> {
        let row = self.readers().first(sqlx::query(select!("WHERE id = $1")).bind(id.to_string())).await?;
        row.as_ref().map(device).transpose()
    }

    /// One device, with all that a request of it is judged by; one statement, so all of it is of one moment.
    ///
    /// # Errors
    /// What storage says.
    pub async fn heard(&self, id: DeviceId) -> Result<Option<Heard>, StorageError> {
        let sql = "SELECT devices.id, devices.number, account_id, generation, devices.public_key, devices.name, enrolled_at, \
                   revoked_at, stopped_at, last_counter, last_digest, before_counter, before_digest, accounts.enabled, \
                   accounts.n AS changed, counters.value AS directory, epochs.epoch, server_keys.id AS reply_key \
                   FROM devices JOIN accounts ON accounts.id = devices.account_id \
                   JOIN counters ON counters.name = 'directory' \
                   JOIN epochs ON epochs.number = (SELECT max(number) FROM epochs) \
                   JOIN server_keys ON server_keys.purpose = $2 AND server_keys.retired_at IS NULL \
                   WHERE devices.id = $1";
        let query = sqlx::query(sql).bind(id.to_string()).bind(KeyPurpose::Reply.name());
        let Some(row) = self.readers().first(query).await? else { return Ok(None) };
        Ok(Some(Heard {
            device: device(&row)?,
            enabled: row.try_get("enabled")?,
            changed: row.try_get("changed")?,
            directory: row.try_get("directory")?,
            epoch: text(&row, "epoch")?,
            reply_key: text(&row, "reply_key")?,
        }))
    }

    /// All devices, by number; only one account's if given.
    ///
    /// # Errors
    /// What storage says.
    pub async fn devices(&self, of: Option<AccountId>) -> Result<Vec<Device>, StorageError> {
        let rows = match of {
            Some(account) => sqlx::query(select!("WHERE account_id = $1 ORDER BY number")).bind(account.to_string()),
            None => sqlx::query(select!("ORDER BY number")),
        };
        self.readers().all(rows).await?.iter().map(device).collect()
    }

    /// Revokes a device for ever. False when there is none such or it was revoked before.
    ///
    /// # Errors
    /// What storage says.
    pub async fn revoke_device(&self, id: DeviceId) -> Result<bool, StorageError> {
        const SQL: &str =
            "UPDATE devices SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL RETURNING account_id";
        self.ends_device(SQL, id, DeviceChange::Revoked).await
    }

    /// Stops a device: a copy of its store spoke.
    pub(super) async fn stop_device(&self, id: DeviceId) -> Result<(), StorageError> {
        const SQL: &str =
            "UPDATE devices SET stopped_at = $1 WHERE id = $2 AND stopped_at IS NULL RETURNING account_id";
        self.ends_device(SQL, id, DeviceChange::Stopped).await.map(|_| ())
    }

    /// Sets the moment at which a device ended so, once. False when there is none such, or it did before.
    async fn ends_device(&self, sql: &'static str, id: DeviceId, change: DeviceChange) -> Result<bool, StorageError> {
        let now = self.now();
        let mut write = self.write().await?;
        let query = sqlx::query(sql).bind(now.millis()).bind(id.to_string());
        let whom = query.fetch_optional(&mut *write).await?;
        if let Some(row) = &whom {
            self.log_device(&mut write, By::console(now), (text(row, "account_id")?, Some(id)), change).await?;
        }
        write.commit().await?;
        Ok(whom.is_some())
    }

    async fn log_device(
        &self,
        write: &mut Write,
        by: By,
        (whom, which): (AccountId, Option<DeviceId>),
        change: DeviceChange,
    ) -> Result<(), StorageError> {
        let done = Done { case: None, document: None, act: Act::DeviceChanged { whom, which, change } };
        self.log(write, by, vec![done]).await
    }

    /// Counts bytes towards what the device may bring on the day of `at`. False, counting nothing, when that would be more
    /// than `most`: later, never refused.
    ///
    /// # Errors
    /// What storage says.
    pub async fn count_bytes(
        &self,
        write: &mut Write,
        id: DeviceId,
        (bytes, most): (u64, u64),
        at: Timestamp,
    ) -> Result<bool, StorageError> {
        if bytes > most {
            return Ok(false);
        }
        let sql = "UPDATE devices SET bytes_taken = CASE WHEN bytes_day = $1 THEN bytes_taken ELSE 0 END + $2, \
                   bytes_day = $1 WHERE id = $3 \
                   AND CASE WHEN bytes_day = $1 THEN bytes_taken ELSE 0 END + $2 <= $4";
        let counted = sqlx::query(sql)
            .bind(day(at))
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .bind(id.to_string())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .execute(&mut **write)
            .await?;
        Ok(counted.rows_affected() == 1)
    }

    /// How many bytes the device has brought so far on the day of `at`.
    ///
    /// # Errors
    /// What storage says.
    pub async fn counted_bytes(&self, id: DeviceId, at: Timestamp) -> Result<u64, StorageError> {
        let sql = "SELECT bytes_taken FROM devices WHERE id = $1 AND bytes_day = $2";
        let row = self.readers().first(sqlx::query(sql).bind(id.to_string()).bind(day(at))).await?;
        let bytes: Option<i64> = row.map(|row| row.try_get("bytes_taken")).transpose()?;
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }
}

/// Which day (UTC) a moment is of, counted from 1970.
pub(crate) const fn day(at: Timestamp) -> i64 {
    at.millis().div_euclid(24 * 60 * 60 * 1000)
}

fn device(row: &SqliteRow) -> Result<Device, StorageError> {
    let number: i64 = row.try_get("number")?;
    let request = |counter: &'static str, digest: &'static str| -> Result<Option<TakenRequest>, StorageError> {
        match (row.try_get::<Option<i64>, _>(counter)?, bytes_if_any(row, digest)?) {
            (Some(number), Some(digest)) => Ok(Some(TakenRequest {
                counter: u64::try_from(number).map_err(|_| StorageError::Damaged(counter))?,
                digest: Hash::from_bytes(digest),
            })),
            _ => Ok(None),
        }
    };
    Ok(Device {
        id: text(row, "id")?,
        number: u32::try_from(number).map_err(|_| StorageError::Damaged("number"))?,
        account: text(row, "account_id")?,
        generation: text(row, "generation")?,
        public_key: bytes(row, "public_key")?,
        name: row.try_get("name")?,
        enrolled_at: time(row, "enrolled_at")?,
        revoked_at: time_if_any(row, "revoked_at")?,
        stopped_at: time_if_any(row, "stopped_at")?,
        taken: [request("last_counter", "last_digest")?, request("before_counter", "before_digest")?],
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sync_core::access::Role;
    use sync_core::id::SessionId;

    use super::*;
    use crate::storage::sessions::Refreshed;
    use crate::testing::{Bench, account};

    #[tokio::test]
    async fn whoever_guesses_codes_or_sessions_is_refused_while_another_writes() {
        let bench = Bench::new(61);
        let app = bench.app().await;
        let ana = account(&app, "ana", Role::Ot).await;
        let hash = || Hash::from_bytes(app.chance.bytes());
        let (code, held, next) = (hash(), hash(), hash());
        let session = app.storage.begin_session(ana.id, held, 1000).await.unwrap().id;
        let new = || NewDevice {
            generation: Generation::from_bytes(app.chance.bytes()),
            public_key: app.chance.bytes(),
            name: "phone".to_owned(),
        };
        let writing = app.storage.write().await.unwrap();
        let guesses = async {
            let unknown = SessionId::from_bytes(app.chance.bytes());
            let enrolled = app.storage.enrol(code, new()).await.unwrap();
            let mut answers = Vec::new();
            for (id, held) in [(unknown, held), (session, next)] {
                answers.push(app.storage.refresh_session(id, held, next).await.unwrap());
            }
            (enrolled, answers)
        };
        let guesses = tokio::time::timeout(Duration::from_secs(2), guesses).await;
        let (enrolled, answers) = guesses.expect("they wait for the writer");
        assert_eq!(enrolled, Err(CodeRefused::Unknown));
        assert_eq!(answers, [Refreshed::Unknown, Refreshed::Unknown]);
        drop(writing);
        assert!(matches!(app.storage.refresh_session(session, held, next).await.unwrap(), Refreshed::Yes(_)));
        assert_eq!(app.storage.refresh_session(session, held, next).await.unwrap(), Refreshed::UsedBefore);
        app.storage.add_enrolment_code(code, ana.id, 1000).await.unwrap();
        assert!(app.storage.enrol(code, new()).await.unwrap().is_ok());
    }
}
