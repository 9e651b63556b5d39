//! Rows of staff accounts.

use std::fmt;
use std::str::FromStr;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::access::Role;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, OrganisationId};

use super::audit::{AccountChange, Act, By, Done};
use super::ledger::Number;
use super::{Storage, StorageError, Write, taken, text, text_if_any, time_if_any};

/// What a person types to sign in: 1 to 64 ASCII letters, digits and `. _ - @`, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignInName(String);

/// A text that can't be a sign-in name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sign-in name has 1 to 64 letters, digits and `. _ - @`")]
pub struct NotASignInName;

impl SignInName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SignInName {
    type Err = NotASignInName;
    fn from_str(text: &str) -> Result<Self, NotASignInName> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-@".contains(&c);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotASignInName)
        }
    }
}

impl fmt::Display for SignInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the register said of a person's HCPC number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HcpcResult {
    /// On the register with nothing in the way.
    Registered,
    /// On the register, with conditions of practice.
    Conditions,
    /// Suspended from it.
    Suspended,
    /// Not on it.
    NotFound,
}

impl HcpcResult {
    const ALL: [Self; 4] = [Self::Registered, Self::Conditions, Self::Suspended, Self::NotFound];

    /// The one spelling: `not_found`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Conditions => "conditions",
            Self::Suspended => "suspended",
            Self::NotFound => "not_found",
        }
    }

    /// Whether whoever it was said of may practise. Conditions of practice are for the signer to weigh.
    pub const fn lets_practise(self) -> bool {
        matches!(self, Self::Registered | Self::Conditions)
    }
}

/// A text that is no result of a check of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the register says `registered`, `conditions`, `suspended` or `not_found`")]
pub struct NotAnHcpcResult;

impl FromStr for HcpcResult {
    type Err = NotAnHcpcResult;
    fn from_str(text: &str) -> Result<Self, NotAnHcpcResult> {
        Self::ALL.into_iter().find(|result| result.name() == text).ok_or(NotAnHcpcResult)
    }
}

/// When and by whom the register was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HcpcCheck {
    /// When.
    pub at: Timestamp,
    /// What it said.
    pub result: HcpcResult,
    /// Who looked; `None` at the server's command line.
    pub by: Option<AccountId>,
}

impl HcpcCheck {
    /// The first moment at which it is too old, if a look is good for so many days.
    pub fn good_until(&self, days: u32) -> Timestamp {
        self.at.plus_millis(i64::from(days) * 24 * 60 * 60 * 1000)
    }
}

/// A member of staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// What they sign in as.
    pub sign_in: SignInName,
    /// Their name as colleagues and documents show it, 1 to 200 characters.
    pub full_name: String,
    /// Their one role.
    pub role: Role,
    /// Where they work.
    pub organisation: OrganisationId,
    /// Whether they may sign in and their devices may speak.
    pub enabled: bool,
    /// Their registration, `OT` and 1 to 6 digits.
    pub hcpc_number: Option<String>,
    /// The last check of it.
    pub hcpc_check: Option<HcpcCheck>,
}

/// What a new account is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What they sign in as.
    pub sign_in: SignInName,
    /// Their name, 1 to 200 characters.
    pub full_name: String,
    /// Their one role.
    pub role: Role,
    /// Where they work.
    pub organisation: OrganisationId,
    /// Their registration.
    pub hcpc_number: Option<String>,
    /// Argon2id, as a PHC string; `None` when they only ever use a device.
    pub password_hash: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, sign_in, full_name, role, organisation_id, enabled, hcpc_number, hcpc_checked_at, ",
            "hcpc_result, hcpc_checked_by, password_hash FROM accounts ",
            $rest
        )
    };
}

impl Storage {
    /// Adds an account, enabled.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when the sign-in name is.
    pub async fn add_account(&self, new: NewAccount) -> Result<Account, StorageError> {
        let id = AccountId::mint(&mut self.chance.clone());
        let sql = "INSERT INTO accounts (id, sign_in, full_name, role, organisation_id, password_hash, enabled, \
                   hcpc_number, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let mut write = self.write().await?;
        sqlx::query(sql)
            .bind(id.to_string())
            .bind(new.sign_in.as_str())
            .bind(&new.full_name)
            .bind(new.role.name())
            .bind(new.organisation.to_string())
            .bind(&new.password_hash)
            .bind(true)
            .bind(&new.hcpc_number)
            .bind(self.now().millis())
            .execute(&mut *write)
            .await
            .map_err(|error| taken(error, "the sign-in name"))?;
        let added = AccountChange::Added { role: new.role, organisation: new.organisation };
        self.account_changes(&mut write, id, None, added).await?;
        write.commit().await?;
        Ok(Account {
            id,
            sign_in: new.sign_in,
            full_name: new.full_name,
            role: new.role,
            organisation: new.organisation,
            enabled: true,
            hcpc_number: new.hcpc_number,
            hcpc_check: None,
        })
    }

    /// Gives an account another role. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_role(&self, id: AccountId, role: Role) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let query = sqlx::query("UPDATE accounts SET role = $1 WHERE id = $2").bind(role.name()).bind(id.to_string());
        let changed = query.execute(&mut *write).await?;
        if changed.rows_affected() == 1 {
            self.account_changes(&mut write, id, None, AccountChange::Role { role }).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Puts an account into another organisation. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_organisation(&self, id: AccountId, organisation: OrganisationId) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let query = sqlx::query("UPDATE accounts SET organisation_id = $1 WHERE id = $2");
        let changed = query.bind(organisation.to_string()).bind(id.to_string()).execute(&mut *write).await?;
        if changed.rows_affected() == 1 {
            self.account_changes(&mut write, id, None, AccountChange::Organisation { organisation }).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Notes that an account changed: where the ledger stands, and in the audit log.
    async fn account_changes(
        &self,
        write: &mut Write,
        whom: AccountId,
        by: Option<AccountId>,
        change: AccountChange,
    ) -> Result<(), StorageError> {
        self.directory_moves(write, Some(whom)).await?;
        self.log_account(write, whom, by, change).await
    }

    async fn log_account(
        &self,
        write: &mut Write,
        whom: AccountId,
        by: Option<AccountId>,
        change: AccountChange,
    ) -> Result<(), StorageError> {
        let by = By { account: by, ..By::console(self.now()) };
        let done = Done { case: None, document: None, act: Act::AccountChanged { whom, change } };
        self.log(write, by, vec![done]).await
    }

    /// Notes that accounts or organisations changed. An account's change takes a place in the ledger: all that its devices
    /// carry is judged anew.
    pub(super) async fn directory_moves(
        &self,
        write: &mut Write,
        account: Option<AccountId>,
    ) -> Result<(), StorageError> {
        sqlx::query("UPDATE counters SET value = value + 1 WHERE name = 'directory'").execute(&mut **write).await?;
        if let Some(account) = account {
            let sql = "UPDATE counters SET value = value + 1 WHERE name = 'ledger' RETURNING value";
            let n: Number = sqlx::query_scalar(sql).fetch_one(&mut **write).await?;
            let query = sqlx::query("UPDATE accounts SET n = $1 WHERE id = $2").bind(n).bind(account.to_string());
            query.execute(&mut **write).await?;
        }
        Ok(())
    }

    /// Counts the changes of accounts and organisations, by whichever process.
    ///
    /// # Errors
    /// What storage says.
    pub async fn directory_state(&self) -> Result<i64, StorageError> {
        let sql = "SELECT value FROM counters WHERE name = 'directory'";
        Ok(self.readers().one(sqlx::query(sql)).await?.try_get("value")?)
    }

    /// One account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StorageError> {
        let row = self.readers().first(sqlx::query(select!("WHERE id = $1")).bind(id.to_string())).await?;
        row.as_ref().map(account).transpose()
    }

    /// The account that signs in as `name`.
    ///
    /// # Errors
    /// What storage says.
    pub async fn account_named(&self, name: &SignInName) -> Result<Option<Account>, StorageError> {
        Ok(self.account_to_sign_in(name).await?.map(|(account, _)| account))
    }

    /// The account that signs in as `name`, with its password's hash.
    pub(crate) async fn account_to_sign_in(
        &self,
        name: &SignInName,
    ) -> Result<Option<(Account, Option<String>)>, StorageError> {
        let row = self.readers().first(sqlx::query(select!("WHERE sign_in = $1")).bind(name.as_str())).await?;
        row.map(|row| Ok((account(&row)?, row.try_get("password_hash")?))).transpose()
    }

    /// All accounts, by sign-in name.
    ///
    /// # Errors
    /// What storage says.
    pub async fn accounts(&self) -> Result<Vec<Account>, StorageError> {
        let rows = self.readers().all(sqlx::query(select!("ORDER BY sign_in"))).await?;
        rows.iter().map(account).collect()
    }

    /// Enables or disables an account; disabling ends its sessions. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_account_enabled(&self, id: AccountId, enabled: bool) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let changed = sqlx::query("UPDATE accounts SET enabled = $1 WHERE id = $2")
            .bind(enabled)
            .bind(id.to_string())
            .execute(&mut *write)
            .await?;
        if !enabled {
            self.end_sessions(&mut write, id).await?;
        }
        if changed.rows_affected() == 1 {
            let change = if enabled { AccountChange::Enabled } else { AccountChange::Disabled };
            self.account_changes(&mut write, id, None, change).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Gives an account a new password's hash and ends its sessions. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_password_hash(&self, id: AccountId, hash: &str) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let changed = sqlx::query("UPDATE accounts SET password_hash = $1 WHERE id = $2")
            .bind(hash)
            .bind(id.to_string())
            .execute(&mut *write)
            .await?;
        self.end_sessions(&mut write, id).await?;
        if changed.rows_affected() == 1 {
            self.log_account(&mut write, id, None, AccountChange::Password).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Puts an HCPC registration number on record; nobody has looked it up yet. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_hcpc_number(&self, id: AccountId, number: &str) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let sql = "UPDATE accounts SET hcpc_number = $1, hcpc_checked_at = NULL, hcpc_result = NULL, \
                   hcpc_checked_by = NULL WHERE id = $2";
        let changed = sqlx::query(sql).bind(number).bind(id.to_string()).execute(&mut *write).await?;
        if changed.rows_affected() == 1 {
            self.account_changes(&mut write, id, None, AccountChange::Registration { says: None }).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Records a look at the HCPC register. False when there is no such account.
    ///
    /// # Errors
    /// What storage says.
    pub async fn set_hcpc(&self, id: AccountId, number: &str, check: HcpcCheck) -> Result<bool, StorageError> {
        let mut write = self.write().await?;
        let sql = "UPDATE accounts SET hcpc_number = $1, hcpc_checked_at = $2, hcpc_result = $3, hcpc_checked_by = $4 \
                   WHERE id = $5";
        let changed = sqlx::query(sql)
            .bind(number)
            .bind(check.at.millis())
            .bind(check.result.name())
            .bind(check.by.map(|by| by.to_string()))
            .bind(id.to_string())
            .execute(&mut *write)
            .await?;
        if changed.rows_affected() == 1 {
            let says = AccountChange::Registration { says: Some(check.result.name().to_owned()) };
            self.account_changes(&mut write, id, check.by, says).await?;
        }
        write.commit().await?;
        Ok(changed.rows_affected() == 1)
    }
}

pub(super) fn account(row: &SqliteRow) -> Result<Account, StorageError> {
    let by = text_if_any(row, "hcpc_checked_by")?;
    let check = match (time_if_any(row, "hcpc_checked_at")?, text_if_any(row, "hcpc_result")?) {
        (Some(at), Some(result)) => Some(HcpcCheck { at, result, by }),
        _ => None,
    };
    Ok(Account {
        id: text(row, "id")?,
        sign_in: text(row, "sign_in")?,
        full_name: row.try_get("full_name")?,
        role: text(row, "role")?,
        organisation: text(row, "organisation_id")?,
        enabled: row.try_get("enabled")?,
        hcpc_number: row.try_get("hcpc_number")?,
        hcpc_check: check,
    })
}
