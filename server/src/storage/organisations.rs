//! Rows of organisations: the council itself, agencies, private practices.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::id::OrganisationId;

use super::{Storage, StorageError, taken, text};

/// An organisation. Every account, case and commission names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// Whether it is the Welfare Authority whose data folder this is: one is.
    pub is_authority: bool,
}

impl Storage {
    /// The council itself, made with `name` if there is none yet.
    ///
    /// # Errors
    /// What storage says.
    pub async fn authority(&self, name: &str) -> Result<Organisation, StorageError> {
        let sql = "SELECT id, name, is_authority FROM organisations WHERE is_authority";
        if let Some(row) = self.readers().first(sqlx::query(sql)).await? {
            return organisation(&row);
        }
        match self.insert_organisation(name, true).await {
            // Another process was first.
            Err(StorageError::Taken(_)) => organisation(&self.readers().one(sqlx::query(sql)).await?),
            other => other,
        }
    }

    /// Adds an organisation beside the council.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when one has this name (in any case of letters).
    pub async fn add_organisation(&self, name: &str) -> Result<Organisation, StorageError> {
        self.insert_organisation(name, false).await
    }

    async fn insert_organisation(&self, name: &str, is_authority: bool) -> Result<Organisation, StorageError> {
        let id = OrganisationId::mint(&mut self.chance.clone());
        let sql = "INSERT INTO organisations (id, name, name_key, is_authority, made_at) VALUES ($1, $2, $3, $4, $5)";
        let mut write = self.write().await?;
        sqlx::query(sql)
            .bind(id.to_string())
            .bind(name)
            .bind(name.to_lowercase())
            .bind(is_authority)
            .bind(self.now().millis())
            .execute(&mut *write)
            .await
            .map_err(|error| taken(error, "an organisation of this name"))?;
        self.directory_moves(&mut write, None).await?;
        write.commit().await?;
        Ok(Organisation { id, name: name.to_owned(), is_authority })
    }

    /// One organisation.
    ///
    /// # Errors
    /// What storage says.
    pub async fn organisation(&self, id: OrganisationId) -> Result<Option<Organisation>, StorageError> {
        let sql = "SELECT id, name, is_authority FROM organisations WHERE id = $1";
        let row = self.readers().first(sqlx::query(sql).bind(id.to_string())).await?;
        row.as_ref().map(organisation).transpose()
    }

    /// The organisation of this name, in any case of letters.
    ///
    /// # Errors
    /// What storage says.
    pub async fn organisation_named(&self, name: &str) -> Result<Option<Organisation>, StorageError> {
        let sql = "SELECT id, name, is_authority FROM organisations WHERE name_key = $1";
        let row = self.readers().first(sqlx::query(sql).bind(name.to_lowercase())).await?;
        row.as_ref().map(organisation).transpose()
    }

    /// All organisations, the council first, then by name.
    ///
    /// # Errors
    /// What storage says.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, StorageError> {
        let sql = "SELECT id, name, is_authority FROM organisations ORDER BY is_authority DESC, name_key";
        self.readers().all(sqlx::query(sql)).await?.iter().map(organisation).collect()
    }
}

fn organisation(row: &SqliteRow) -> Result<Organisation, StorageError> {
    Ok(Organisation { id: text(row, "id")?, name: row.try_get("name")?, is_authority: row.try_get("is_authority")? })
}
