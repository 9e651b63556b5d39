//! What devices said they have destroyed.

use sync_core::id::{CaseId, DocumentId};

use super::{CommitError, PurgeRow, SqlLedger, StorageError, Writing};
use crate::storage::{text, time};
use sqlx::Row as _;

/// In the place of a document's id where a whole case went: ids are never empty.
const WHOLE: &str = "";

pub(super) async fn purges(ledger: &SqlLedger, case: CaseId) -> Result<Vec<PurgeRow>, StorageError> {
    let sql = "SELECT device_id, case_id, document_id, came_at, receipt, signature FROM purge_receipts \
               WHERE case_id = $1 ORDER BY n, place";
    let rows = ledger.readers().all(sqlx::query(sql).bind(case.to_string())).await?;
    let purge = |row: &sqlx::sqlite::SqliteRow| {
        let document: String = row.try_get("document_id")?;
        let document: Option<DocumentId> = if document == WHOLE { None } else { Some(text(row, "document_id")?) };
        Ok(PurgeRow {
            case: text(row, "case_id")?,
            document,
            device: text(row, "device_id")?,
            at: time(row, "came_at")?,
            receipt: row.try_get("receipt")?,
            signature: row.try_get("signature")?,
        })
    };
    rows.iter().map(purge).collect()
}

impl Writing<'_> {
    pub(super) async fn purged(&mut self, row: PurgeRow) -> Result<(), CommitError> {
        let place = self.next_place();
        let sql = "INSERT INTO purge_receipts (device_id, case_id, document_id, signature, receipt, came_at, n, place) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (device_id, case_id, document_id, signature) DO NOTHING";
        sqlx::query(sql)
            .bind(row.device.to_string())
            .bind(row.case.to_string())
            .bind(row.document.map_or_else(|| WHOLE.to_owned(), |document| document.to_string()))
            .bind(row.signature)
            .bind(row.receipt)
            .bind(row.at.millis())
            .bind(self.n)
            .bind(place)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}
