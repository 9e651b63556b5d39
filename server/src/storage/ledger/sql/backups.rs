//! What is known of backups.

use sqlx::sqlite::SqliteRow;
use sync_core::id::Hash;

use super::{CommitError, Writing};
use crate::storage::ledger::BackupRow;
use crate::storage::{StorageError, bytes, text, time};

/// A row as the pulse reads it, in columns that are there for all of it.
pub(super) fn read_backup(row: &SqliteRow) -> Result<BackupRow, StorageError> {
    use sqlx::Row as _;
    Ok(BackupRow {
        epoch: text(row, "case_id")?,
        up_to: row.try_get("n")?,
        digest: Hash::from_bytes(bytes(row, "shown")?),
        at: time(row, "touched")?,
    })
}

impl Writing<'_> {
    pub(super) async fn backup(&mut self, row: BackupRow) -> Result<(), CommitError> {
        // The plan's own place is behind everything that a backup made before it can hold.
        if row.up_to < 0 || row.up_to >= self.n {
            return Err(CommitError::Moved);
        }
        let sql = "INSERT INTO backups (epoch, up_to, digest, recorded_at, n) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (epoch) DO UPDATE SET up_to = excluded.up_to, digest = excluded.digest, \
                   recorded_at = excluded.recorded_at, n = excluded.n WHERE excluded.up_to >= backups.up_to";
        let query = sqlx::query(sql).bind(row.epoch.to_string()).bind(row.up_to).bind(row.digest.as_bytes().to_vec());
        let written = query.bind(row.at.millis()).bind(self.n).execute(&mut *self.transaction).await?;
        if written.rows_affected() == 1 { Ok(()) } else { Err(CommitError::Moved) }
    }
}
