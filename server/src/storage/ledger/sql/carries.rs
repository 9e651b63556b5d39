//! What devices carry, and what is news for them.

use sqlx::Row;
use sync_core::id::{CaseId, DeviceId, DocumentId};

use super::documents::read_change;
use super::{SqlLedger, Writing};
use crate::storage::ledger::{CarryRow, CommitError, Ledger, News, Number, WITHHELD};
use crate::storage::{StorageError, text};

/// What `document_id` says for a case's card.
const CARD: &str = "";

fn document_text(document: Option<DocumentId>) -> String {
    document.map_or_else(|| CARD.to_owned(), |document| document.to_string())
}

pub(super) async fn carried(ledger: &SqlLedger, device: DeviceId) -> Result<Vec<CarryRow>, StorageError> {
    let sql = "SELECT case_id, document_id, n FROM carries WHERE device_id = $1";
    let rows = sqlx::query(sql).bind(device.to_string()).fetch_all(ledger.readers()).await?;
    let mut carried = Vec::with_capacity(rows.len());
    for row in &rows {
        let document = match row.try_get::<&str, _>("document_id")? {
            CARD => None,
            _ => Some(text(row, "document_id")?),
        };
        carried.push(CarryRow { device, case: text(row, "case_id")?, document, n: row.try_get("n")? });
    }
    carried.sort_unstable();
    Ok(carried)
}

/// News are looked for among what is new, by `n`, and each is asked whether the device carries it: that takes time by
/// the news, where beginning with what the device carries would take time by its caseload.
macro_rules! select_news {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM changes WHERE n > $2 AND n <= $3 AND device_id <> $1 AND EXISTS (SELECT 1 FROM carries ",
            "WHERE carries.device_id = $1 AND carries.document_id = changes.document_id) ",
            $rest
        )
    };
}

pub(super) async fn news(
    ledger: &SqlLedger,
    device: DeviceId,
    after: Number,
    most: usize,
) -> Result<News, StorageError> {
    let device = device.to_string();
    // A page of nothing would never end.
    let most = most.max(1);
    // All that follows looks no further than this: what is committed meanwhile is left for the next time.
    let end = ledger.end().await?;
    let sql = select_news!(
        "document_id, hash, case_id, device_id, account_id, n, place, sealed",
        "ORDER BY n, place LIMIT $4"
    );
    let mut rows = sqlx::query(sql)
        .bind(&device)
        .bind(after)
        .bind(end)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(ledger.readers())
        .await?;
    let (mut until, mut more) = (end, false);
    if let (Some(last), true) = (rows.last(), rows.len() >= most) {
        let (n, place): (Number, i64) = (last.try_get("n")?, last.try_get("place")?);
        // The rest of the last plan: a page that ended within one could not be said by a number.
        let sql = select_news!(
            "document_id, hash, case_id, device_id, account_id, n, place, sealed",
            "AND place > $4 ORDER BY place"
        );
        let rest = sqlx::query(sql).bind(&device).bind(n - 1).bind(n).bind(place).fetch_all(ledger.readers()).await?;
        rows.extend(rest);
        let sql = select_news!("n", "ORDER BY n LIMIT 1");
        let next = sqlx::query(sql).bind(&device).bind(n).bind(end).fetch_optional(ledger.readers()).await?;
        if next.is_some() {
            (until, more) = (n, true);
        }
    }
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        changes.push(read_change(ledger, row).await?);
    }
    let sql = "SELECT DISTINCT case_id FROM touches WHERE n > $2 AND n <= $3 AND EXISTS (SELECT 1 FROM carries \
               WHERE carries.device_id = $1 AND carries.document_id = $4 AND carries.case_id = touches.case_id)";
    let rows = sqlx::query(sql).bind(&device).bind(after).bind(until).bind(CARD).fetch_all(ledger.readers()).await?;
    let mut touched = rows.iter().map(|row| text(row, "case_id")).collect::<Result<Vec<CaseId>, _>>()?;
    touched.sort_unstable();
    Ok(News { changes, touched, until, more })
}

impl Writing<'_> {
    pub(super) async fn carry(&mut self, row: CarryRow) -> Result<(), CommitError> {
        let sql = "INSERT INTO carries (device_id, document_id, case_id, n) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (device_id, document_id, case_id) DO UPDATE SET n = excluded.n";
        sqlx::query(sql)
            .bind(row.device.to_string())
            .bind(document_text(row.document))
            .bind(row.case.to_string())
            .bind(self.n)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    pub(super) async fn withhold(
        &mut self,
        device: DeviceId,
        case: CaseId,
        document: Option<DocumentId>,
    ) -> Result<(), CommitError> {
        let sql = match document {
            Some(_) => "UPDATE carries SET n = $3 WHERE device_id = $1 AND case_id = $2 AND document_id = $4",
            None => "UPDATE carries SET n = $3 WHERE device_id = $1 AND case_id = $2",
        };
        let query = sqlx::query(sql).bind(device.to_string()).bind(case.to_string()).bind(WITHHELD);
        let query = match document {
            Some(document) => query.bind(document.to_string()),
            None => query,
        };
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn uncarry(
        &mut self,
        device: DeviceId,
        case: CaseId,
        document: Option<DocumentId>,
    ) -> Result<(), CommitError> {
        let query = match document {
            Some(document) => {
                sqlx::query("DELETE FROM carries WHERE device_id = $1 AND case_id = $2 AND document_id = $3")
                    .bind(device.to_string())
                    .bind(case.to_string())
                    .bind(document.to_string())
            }
            None => sqlx::query("DELETE FROM carries WHERE device_id = $1 AND case_id = $2")
                .bind(device.to_string())
                .bind(case.to_string()),
        };
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn touch(&mut self, case: CaseId) -> Result<(), CommitError> {
        sqlx::query("INSERT INTO touches (n, case_id) VALUES ($1, $2) ON CONFLICT (n, case_id) DO NOTHING")
            .bind(self.n)
            .bind(case.to_string())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}
