//! Who signed submitted versions, before there is a signed one and after.

use sqlx::Row as _;
use sync_core::id::{DocumentId, Hash};

use super::documents::{heads_bytes, read_heads};
use super::sealed::Spot;
use super::{SqlLedger, Writing, moved};
use crate::storage::ledger::{CommitError, SignOffRow};
use crate::storage::{StorageError, bytes, text, time};

pub(super) async fn sign_offs(ledger: &SqlLedger, document: DocumentId) -> Result<Vec<SignOffRow>, StorageError> {
    let sql = "SELECT ask_id, case_id, account_id, signed_at, heads, basis, submitted_by, submitted_at, sealed \
               FROM sign_offs WHERE document_id = $1 ORDER BY n, place";
    let rows = ledger.readers().all(sqlx::query(sql).bind(document.to_string())).await?;
    let mut signed = Vec::with_capacity(rows.len());
    for row in &rows {
        let (ask, case) = (text(row, "ask_id")?, text(row, "case_id")?);
        let words = ledger.unseal_value(Spot::sign_off(case, ask), row.try_get("sealed")?).await?;
        let (grounds, conditions): (String, Vec<String>) = words;
        signed.push(SignOffRow {
            ask,
            document,
            case,
            account: text(row, "account_id")?,
            at: time(row, "signed_at")?,
            heads: read_heads(row)?,
            basis: Hash::from_bytes(bytes(row, "basis")?),
            submitted: (text(row, "submitted_by")?, time(row, "submitted_at")?),
            grounds,
            conditions,
        });
    }
    Ok(signed)
}

impl Writing<'_> {
    pub(super) async fn sign_off(&mut self, row: SignOffRow) -> Result<(), CommitError> {
        let place = self.next_place();
        let words = (row.grounds, row.conditions);
        let sealed = self.ledger.seal_value(Spot::sign_off(row.case, row.ask), &words).await?;
        let (submitted_by, submitted_at) = row.submitted;
        let sql = "INSERT INTO sign_offs (ask_id, document_id, case_id, account_id, signed_at, heads, basis, \
                   submitted_by, submitted_at, n, place, sealed) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        sqlx::query(sql)
            .bind(row.ask.to_string())
            .bind(row.document.to_string())
            .bind(row.case.to_string())
            .bind(row.account.to_string())
            .bind(row.at.millis())
            .bind(heads_bytes(&row.heads)?)
            .bind(row.basis.as_bytes().as_slice())
            .bind(submitted_by.to_string())
            .bind(submitted_at.millis())
            .bind(self.n)
            .bind(place)
            .bind(sealed)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        self.touch(row.case).await
    }
}
