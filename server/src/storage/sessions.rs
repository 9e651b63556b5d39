//! Rows of sign-ins at the API.

use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, Hash, SessionId};

use super::accounts::{Account, account};
use super::audit::{Act, By, Done};
use super::{Storage, StorageError, Write, text, time, time_if_any};

/// A person's sign-in; a token is good only while its row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// When the password was given.
    pub authenticated_at: Timestamp,
    /// Ends then, whatever is refreshed.
    pub expires_at: Timestamp,
    /// Ended before, by its person or an administrator.
    pub revoked_at: Option<Timestamp>,
}

impl Session {
    /// Whether it counts at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// What came of handing in a session's secret for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The secret was right and is now the old one.
    Yes(Session),
    /// No such session, it ended, or the secret was never its own.
    Unknown,
    /// The secret was the one before: it was used twice, so somebody else may hold it. The session has been ended.
    UsedBefore,
}

impl Storage {
    /// Begins a session whose secret hashes to `secret`.
    ///
    /// # Errors
    /// What storage says.
    pub async fn begin_session(
        &self,
        account: AccountId,
        secret: Hash,
        lasts_millis: i64,
    ) -> Result<Session, StorageError> {
        let now = self.now();
        let session = Session {
            id: SessionId::mint(&mut self.chance.clone()),
            account,
            authenticated_at: now,
            expires_at: now.plus_millis(lasts_millis),
            revoked_at: None,
        };
        let sql = "INSERT INTO sessions (id, account_id, secret_hash, authenticated_at, expires_at) \
                   VALUES ($1, $2, $3, $4, $5)";
        let mut write = self.write().await?;
        sqlx::query(sql)
            .bind(session.id.to_string())
            .bind(account.to_string())
            .bind(secret.as_bytes().as_slice())
            .bind(now.millis())
            .bind(session.expires_at.millis())
            .execute(&mut *write)
            .await?;
        let done = Done { case: None, document: None, act: Act::SignedIn };
        self.log(&mut write, By::person(account, now), vec![done]).await?;
        write.commit().await?;
        Ok(session)
    }

    /// A session and its account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn session(&self, id: SessionId) -> Result<Option<(Session, Account)>, StorageError> {
        let sql = "SELECT a.id, a.sign_in, a.full_name, a.role, a.organisation_id, a.enabled, a.hcpc_number, \
                   a.hcpc_checked_at, a.hcpc_result, a.hcpc_checked_by, \
                   s.authenticated_at, s.expires_at, s.revoked_at \
                   FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.id = $1";
        let Some(row) = self.readers().first(sqlx::query(sql).bind(id.to_string())).await? else {
            return Ok(None);
        };
        let account = account(&row)?;
        let session = Session {
            id,
            account: account.id,
            authenticated_at: time(&row, "authenticated_at")?,
            expires_at: time(&row, "expires_at")?,
            revoked_at: time_if_any(&row, "revoked_at")?,
        };
        Ok(Some((session, account)))
    }

    /// Exchanges a session's secret for the next one, once.
    ///
    /// # Errors
    /// What storage says.
    pub async fn refresh_session(&self, id: SessionId, held: Hash, next: Hash) -> Result<Refreshed, StorageError> {
        // Whoever guesses waits for no writer, and makes nobody wait for theirs.
        let sql = "SELECT account_id FROM sessions WHERE id = $1 AND (secret_hash = $2 OR previous_hash = $2)";
        let known = sqlx::query(sql).bind(id.to_string()).bind(held.as_bytes().as_slice());
        if self.readers().first(known).await?.is_none() {
            return Ok(Refreshed::Unknown);
        }
        let now = self.now();
        let mut write = self.write().await?;
        let sql = "UPDATE sessions SET previous_hash = secret_hash, secret_hash = $1 \
                   WHERE id = $2 AND secret_hash = $3 AND revoked_at IS NULL AND expires_at > $4 \
                   RETURNING account_id, authenticated_at, expires_at";
        let row = sqlx::query(sql)
            .bind(next.as_bytes().as_slice())
            .bind(id.to_string())
            .bind(held.as_bytes().as_slice())
            .bind(now.millis())
            .fetch_optional(&mut *write)
            .await?;
        if let Some(row) = row {
            let session = Session {
                id,
                account: text(&row, "account_id")?,
                authenticated_at: time(&row, "authenticated_at")?,
                expires_at: time(&row, "expires_at")?,
                revoked_at: None,
            };
            write.commit().await?;
            return Ok(Refreshed::Yes(session));
        }
        let sql = "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND previous_hash = $3 AND revoked_at IS NULL";
        let ended = sqlx::query(sql)
            .bind(now.millis())
            .bind(id.to_string())
            .bind(held.as_bytes().as_slice())
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(if ended.rows_affected() == 1 { Refreshed::UsedBefore } else { Refreshed::Unknown })
    }

    /// Ends a session; ending it twice is no error.
    ///
    /// # Errors
    /// What storage says.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StorageError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(self.now().millis())
            .bind(id.to_string())
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// Ends all sessions of an account.
    pub(super) async fn end_sessions(&self, write: &mut Write, account: AccountId) -> Result<(), StorageError> {
        sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE account_id = $2 AND revoked_at IS NULL")
            .bind(self.now().millis())
            .bind(account.to_string())
            .execute(&mut **write)
            .await?;
        Ok(())
    }
}
