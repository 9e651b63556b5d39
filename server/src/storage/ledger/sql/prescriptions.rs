//! Prescriptions on their way to sign-off, and signed versions.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::domain::signoff::{SignedStanding, State};
use sync_core::id::{CaseId, DocumentId, Hash};

use super::sealed::Spot;
use super::{SqlLedger, Writing, moved};
use crate::storage::ledger::{CommitError, PrescriptionRow, SignedRow};
use crate::storage::{StorageError, bytes, text, text_if_any, time_if_any};

macro_rules! select_prescription {
    ($rest:literal) => {
        concat!(
            "SELECT document_id, case_id, thread_id, submitted_by, submitted_at, version, ",
            "sealed_state FROM prescriptions ",
            $rest
        )
    };
}

async fn read_prescription(ledger: &SqlLedger, row: &SqliteRow) -> Result<PrescriptionRow, StorageError> {
    let (document, case) = (text(row, "document_id")?, text(row, "case_id")?);
    let version = row.try_get("version")?;
    let state = Spot::state(case, document, version);
    Ok(PrescriptionRow {
        document,
        case,
        thread: text(row, "thread_id")?,
        state: ledger.unseal_value(state, row.try_get("sealed_state")?).await?,
        submitted: text_if_any(row, "submitted_by")?.zip(time_if_any(row, "submitted_at")?),
        version,
    })
}

async fn read_prescriptions(ledger: &SqlLedger, rows: Vec<SqliteRow>) -> Result<Vec<PrescriptionRow>, StorageError> {
    let mut prescriptions = Vec::with_capacity(rows.len());
    for row in &rows {
        prescriptions.push(read_prescription(ledger, row).await?);
    }
    Ok(prescriptions)
}

pub(super) async fn prescription(
    ledger: &SqlLedger,
    document: DocumentId,
) -> Result<Option<PrescriptionRow>, StorageError> {
    let sql = select_prescription!("WHERE document_id = $1");
    let row = ledger.readers().first(sqlx::query(sql).bind(document.to_string())).await?;
    match row {
        Some(row) => Ok(Some(read_prescription(ledger, &row).await?)),
        None => Ok(None),
    }
}

pub(super) async fn prescriptions_of(
    ledger: &SqlLedger,
    cases: &[CaseId],
) -> Result<Vec<PrescriptionRow>, StorageError> {
    let rows = ledger.listed(select_prescription!("WHERE case_id"), cases, "").await?;
    let mut prescriptions = read_prescriptions(ledger, rows).await?;
    prescriptions.sort_by_key(|row| row.document);
    Ok(prescriptions)
}

pub(super) async fn submitted(ledger: &SqlLedger) -> Result<Vec<PrescriptionRow>, StorageError> {
    let rows = ledger.readers().all(sqlx::query(select_prescription!("WHERE waiting"))).await?;
    let mut prescriptions = read_prescriptions(ledger, rows).await?;
    prescriptions.sort_by_key(|row| (row.submitted.map(|(_, at)| at), row.document));
    Ok(prescriptions)
}

pub(super) async fn signed(ledger: &SqlLedger, document: DocumentId) -> Result<Vec<SignedRow>, StorageError> {
    let sql = "SELECT case_id, number, sealed, basis, standing_version, sealed_standing FROM signed_versions \
               WHERE document_id = $1 ORDER BY number";
    let rows = ledger.readers().all(sqlx::query(sql).bind(document.to_string())).await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        let case = text(row, "case_id")?;
        let number = u32::try_from(row.try_get::<i64, _>("number")?).map_err(|_| StorageError::Damaged("number"))?;
        let standing = Spot::standing(case, document, number, row.try_get("standing_version")?);
        versions.push(SignedRow {
            document,
            case,
            number,
            signed: ledger.unseal_value(Spot::signed(case, document, number), row.try_get("sealed")?).await?,
            basis: Hash::from_bytes(bytes(row, "basis")?),
            standing: ledger.unseal_value(standing, row.try_get("sealed_standing")?).await?,
        });
    }
    Ok(versions)
}

impl Writing<'_> {
    pub(super) async fn prescription(&mut self, row: PrescriptionRow) -> Result<(), CommitError> {
        let version = row.version + 1;
        let state = self.ledger.seal_value(Spot::state(row.case, row.document, version), &row.state).await?;
        let (submitted_by, submitted_at) = row.submitted.unzip();
        // A new row stands at version 0, where no row that is there ever does.
        let sql = if row.version == 0 {
            "INSERT INTO prescriptions (document_id, case_id, thread_id, waiting, submitted_by, submitted_at, \
             version, sealed_state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        } else {
            "UPDATE prescriptions SET thread_id = $3, waiting = $4, submitted_by = $5, submitted_at = $6, \
             version = $7, sealed_state = $8 WHERE document_id = $1 AND case_id = $2 AND version = $7 - 1"
        };
        let written = sqlx::query(sql)
            .bind(row.document.to_string())
            .bind(row.case.to_string())
            .bind(row.thread.to_string())
            .bind(matches!(row.state, State::Submitted { .. } | State::AwaitingPhotos { .. }))
            .bind(submitted_by.map(|by| by.to_string()))
            .bind(submitted_at.map(|at| at.millis()))
            .bind(version)
            .bind(state)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        if written.rows_affected() != 1 {
            return Err(CommitError::Moved);
        }
        if row.version == 0 {
            let sql = "UPDATE cases SET version = version + 1 WHERE case_id = $1";
            sqlx::query(sql).bind(row.case.to_string()).execute(&mut *self.transaction).await?;
        }
        self.touch(row.case).await
    }

    pub(super) async fn signed(&mut self, row: SignedRow) -> Result<(), CommitError> {
        let SignedRow { document, case, number, .. } = row;
        let signed = self.ledger.seal_value(Spot::signed(case, document, number), &row.signed).await?;
        let standing = self.ledger.seal_value(Spot::standing(case, document, number, 1), &row.standing).await?;
        let sql = "INSERT INTO signed_versions (document_id, number, case_id, sealed, basis, standing_version, \
                   sealed_standing) VALUES ($1, $2, $3, $4, $5, 1, $6)";
        sqlx::query(sql)
            .bind(document.to_string())
            .bind(i64::from(number))
            .bind(case.to_string())
            .bind(signed)
            .bind(row.basis.as_bytes().as_slice())
            .bind(standing)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        self.touch(case).await
    }

    pub(super) async fn standing(
        &mut self,
        document: DocumentId,
        number: u32,
        standing: &SignedStanding,
    ) -> Result<(), CommitError> {
        let sql = "UPDATE signed_versions SET standing_version = standing_version + 1 \
                   WHERE document_id = $1 AND number = $2 RETURNING case_id, standing_version";
        let row = sqlx::query(sql)
            .bind(document.to_string())
            .bind(i64::from(number))
            .fetch_optional(&mut *self.transaction)
            .await?
            .ok_or(CommitError::Moved)?;
        let case = text(&row, "case_id")?;
        let spot = Spot::standing(case, document, number, row.try_get("standing_version")?);
        let sealed = self.ledger.seal_value(spot, standing).await?;
        sqlx::query("UPDATE signed_versions SET sealed_standing = $1 WHERE document_id = $2 AND number = $3")
            .bind(sealed)
            .bind(document.to_string())
            .bind(i64::from(number))
            .execute(&mut *self.transaction)
            .await?;
        self.touch(case).await
    }
}
