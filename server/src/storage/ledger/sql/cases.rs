//! Cases, who may reach them, and commissions.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::id::{AccountId, CaseId, CommissionId};
use sync_core::protocol::card::CaseState;

use super::sealed::Spot;
use super::{SqlLedger, Writing, moved};
use crate::storage::ledger::{CaseRow, CommissionRow, CommitError, RelationRow, Released};
use crate::storage::{StorageError, text, text_if_any, time, time_if_any};

macro_rules! select_case {
    ($rest:literal) => {
        concat!(
            "SELECT case_id, reference, organisation_id, state, name, address, contact, visitor_risk, uprn, born, ",
            "nhs_number, opened_by, created_at, released_home, released_at, released_by, version FROM cases ",
            $rest
        )
    };
}

macro_rules! select_relation {
    ($rest:literal) => {
        concat!("SELECT case_id, account_id, relation, commission_id, starts_at, ends_at FROM reach ", $rest)
    };
}

const fn state_name(state: CaseState) -> &'static str {
    match state {
        CaseState::Open => "open",
        CaseState::Unmatched => "unmatched",
        CaseState::Closed => "closed",
    }
}

fn state(row: &SqliteRow) -> Result<CaseState, StorageError> {
    match row.try_get::<&str, _>("state")? {
        "open" => Ok(CaseState::Open),
        "unmatched" => Ok(CaseState::Unmatched),
        "closed" => Ok(CaseState::Closed),
        _ => Err(StorageError::Damaged("state")),
    }
}

fn read_case(row: &SqliteRow) -> Result<CaseRow, StorageError> {
    Ok(CaseRow {
        case: text(row, "case_id")?,
        reference: row.try_get("reference")?,
        organisation: text(row, "organisation_id")?,
        state: state(row)?,
        name: row.try_get("name")?,
        address: row.try_get("address")?,
        contact: row.try_get("contact")?,
        visitor_risk: row.try_get("visitor_risk")?,
        uprn: row.try_get("uprn")?,
        born: row.try_get("born")?,
        nhs_number: row.try_get("nhs_number")?,
        opened_by: text_if_any(row, "opened_by")?,
        created: time(row, "created_at")?,
        released: released(row)?,
        version: row.try_get("version")?,
    })
}

fn released(row: &SqliteRow) -> Result<Option<Released>, StorageError> {
    let (home, by) = (text_if_any(row, "released_home")?, text_if_any(row, "released_by")?);
    let released = home.zip(time_if_any(row, "released_at")?).zip(by);
    Ok(released.map(|((home, at), by)| Released { home, at, by }))
}

fn read_relation(row: &SqliteRow) -> Result<RelationRow, StorageError> {
    Ok(RelationRow {
        account: text(row, "account_id")?,
        case: text(row, "case_id")?,
        relation: text(row, "relation")?,
        commission: text_if_any(row, "commission_id")?,
        starts: time(row, "starts_at")?,
        ends: time_if_any(row, "ends_at")?,
    })
}

pub(super) async fn case(ledger: &SqlLedger, case: CaseId) -> Result<Option<CaseRow>, StorageError> {
    let row = ledger.readers().first(sqlx::query(select_case!("WHERE case_id = $1")).bind(case.to_string())).await?;
    row.as_ref().map(read_case).transpose()
}

pub(super) async fn case_by_reference(ledger: &SqlLedger, reference: &str) -> Result<Option<CaseRow>, StorageError> {
    let row = ledger.readers().first(sqlx::query(select_case!("WHERE reference = $1")).bind(reference)).await?;
    row.as_ref().map(read_case).transpose()
}

pub(super) async fn cases(ledger: &SqlLedger) -> Result<Vec<CaseRow>, StorageError> {
    let rows = ledger.readers().all(sqlx::query(select_case!(""))).await?;
    let mut cases = rows.iter().map(read_case).collect::<Result<Vec<_>, _>>()?;
    // Sorted here: the order of ids as texts is not theirs, and differs between databases.
    cases.sort_by_key(|case| (case.created, case.case));
    Ok(cases)
}

pub(super) async fn cases_of(ledger: &SqlLedger, cases: &[CaseId]) -> Result<Vec<CaseRow>, StorageError> {
    let rows = ledger.listed(select_case!("WHERE case_id"), cases, "").await?;
    let mut cases = rows.iter().map(read_case).collect::<Result<Vec<_>, _>>()?;
    cases.sort_by_key(|row| row.case);
    Ok(cases)
}

pub(super) async fn relations_to(ledger: &SqlLedger, cases: &[CaseId]) -> Result<Vec<RelationRow>, StorageError> {
    let rows = ledger.listed(select_relation!("WHERE case_id"), cases, "").await?;
    let mut relations = rows.iter().map(read_relation).collect::<Result<Vec<_>, _>>()?;
    relations.sort_by_key(|row| (row.case, row.account, row.relation));
    Ok(relations)
}

pub(super) async fn relations_of(ledger: &SqlLedger, account: AccountId) -> Result<Vec<RelationRow>, StorageError> {
    let rows =
        ledger.readers().all(sqlx::query(select_relation!("WHERE account_id = $1")).bind(account.to_string())).await?;
    let mut relations = rows.iter().map(read_relation).collect::<Result<Vec<_>, _>>()?;
    relations.sort_by_key(|row| (row.case, row.relation));
    Ok(relations)
}

pub(super) async fn commission(
    ledger: &SqlLedger,
    commission: CommissionId,
) -> Result<Option<CommissionRow>, StorageError> {
    let sql = "SELECT case_id, account_id, organisation_id, starts_at, ends_at, version, sealed_scope \
               FROM commissions WHERE commission_id = $1";
    let Some(row) = ledger.readers().first(sqlx::query(sql).bind(commission.to_string())).await? else {
        return Ok(None);
    };
    let case = text(&row, "case_id")?;
    let scope = Spot::scope(case, commission, row.try_get("version")?);
    Ok(Some(CommissionRow {
        commission,
        case,
        account: text(&row, "account_id")?,
        organisation: text(&row, "organisation_id")?,
        starts: time(&row, "starts_at")?,
        ends: time(&row, "ends_at")?,
        scope: ledger.unseal_value(scope, row.try_get("sealed_scope")?).await?,
    }))
}

impl Writing<'_> {
    pub(super) async fn case(&mut self, row: CaseRow) -> Result<(), CommitError> {
        let sql = if row.version == 0 {
            "INSERT INTO cases (case_id, reference, organisation_id, state, name, address, contact, visitor_risk, uprn, \
             born, nhs_number, opened_by, created_at, released_home, released_at, released_by, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 + 1)"
        } else {
            "UPDATE cases SET reference = $2, organisation_id = $3, state = $4, name = $5, address = $6, contact = $7, \
             visitor_risk = $8, uprn = $9, born = $10, nhs_number = $11, opened_by = $12, created_at = $13, \
             released_home = $14, released_at = $15, released_by = $16, version = version + 1 \
             WHERE case_id = $1 AND version = $17"
        };
        let written = sqlx::query(sql)
            .bind(row.case.to_string())
            .bind(row.reference)
            .bind(row.organisation.to_string())
            .bind(state_name(row.state))
            .bind(row.name)
            .bind(row.address)
            .bind(row.contact)
            .bind(row.visitor_risk)
            .bind(row.uprn)
            .bind(row.born)
            .bind(row.nhs_number)
            .bind(row.opened_by.map(|by| by.to_string()))
            .bind(row.created.millis())
            .bind(row.released.map(|released| released.home.to_string()))
            .bind(row.released.map(|released| released.at.millis()))
            .bind(row.released.map(|released| released.by.to_string()))
            .bind(row.version)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?
            .rows_affected();
        if written == 0 {
            return Err(CommitError::Moved);
        }
        self.touch(row.case).await
    }

    pub(super) async fn relation(&mut self, row: RelationRow) -> Result<(), CommitError> {
        let sql = "INSERT INTO reach (case_id, account_id, relation, commission_id, starts_at, ends_at, n) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (case_id, account_id, relation) DO UPDATE \
                   SET commission_id = excluded.commission_id, starts_at = excluded.starts_at, \
                   ends_at = excluded.ends_at, n = excluded.n";
        sqlx::query(sql)
            .bind(row.case.to_string())
            .bind(row.account.to_string())
            .bind(row.relation.name())
            .bind(row.commission.map(|commission| commission.to_string()))
            .bind(row.starts.millis())
            .bind(row.ends.map(|ends| ends.millis()))
            .bind(self.n)
            .execute(&mut *self.transaction)
            .await?;
        sqlx::query("UPDATE cases SET version = version + 1 WHERE case_id = $1")
            .bind(row.case.to_string())
            .execute(&mut *self.transaction)
            .await?;
        self.touch(row.case).await
    }

    pub(super) async fn commission(&mut self, row: CommissionRow) -> Result<(), CommitError> {
        let id = row.commission.to_string();
        let version: Option<i64> = sqlx::query_scalar("SELECT version FROM commissions WHERE commission_id = $1")
            .bind(&id)
            .fetch_optional(&mut *self.transaction)
            .await?;
        let version = version.unwrap_or_default() + 1;
        let scope = self.ledger.seal_value(Spot::scope(row.case, row.commission, version), &row.scope).await?;
        let sql = "INSERT INTO commissions (commission_id, case_id, account_id, organisation_id, starts_at, ends_at, \
                   version, sealed_scope) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (commission_id) DO UPDATE SET case_id = excluded.case_id, \
                   account_id = excluded.account_id, organisation_id = excluded.organisation_id, \
                   starts_at = excluded.starts_at, ends_at = excluded.ends_at, version = excluded.version, \
                   sealed_scope = excluded.sealed_scope";
        sqlx::query(sql)
            .bind(id)
            .bind(row.case.to_string())
            .bind(row.account.to_string())
            .bind(row.organisation.to_string())
            .bind(row.starts.millis())
            .bind(row.ends.millis())
            .bind(version)
            .bind(scope)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}
