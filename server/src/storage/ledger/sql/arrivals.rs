//! What arrived besides changes: asks, pushes set aside, photos.

use minicbor::bytes::ByteVec;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, AskId, CaseId, DocumentId, Hash, QuarantineId};
use sync_core::protocol::Verdict;

use super::sealed::Spot;
use super::{SqlLedger, Writing, moved};
use crate::storage::devices::day;
use crate::storage::ledger::aside::pushed;
use crate::storage::ledger::{AsideRow, AskRow, CommitError, Number, PhotoRow, QuarantineRow};
use crate::storage::{StorageError, text, text_if_any, time};

macro_rules! select_quarantine {
    ($rest:literal) => {
        concat!(
            "SELECT quarantine_id, case_id, document_id, device_id, account_id, came_at, sealed_reason, sealed_push ",
            "FROM quarantine ",
            $rest,
            " ORDER BY n DESC, place DESC"
        )
    };
}

/// Without the push, unless its changes were never counted.
macro_rules! select_aside {
    ($rest:literal) => {
        concat!(
            "SELECT quarantine_id, case_id, document_id, account_id, came_at, sealed_reason, changes, ",
            "CASE WHEN changes IS NULL THEN sealed_push END AS push FROM quarantine ",
            $rest,
            " ORDER BY n DESC, place DESC LIMIT $1"
        )
    };
}

macro_rules! select_photo {
    ($rest:literal) => {
        concat!("SELECT document_id, hash, case_id, bytes, account_id, came_at FROM photos ", $rest)
    };
}

macro_rules! select_ask {
    ($rest:literal) => {
        concat!("SELECT ask_id, case_id, account_id, decides, told, n, sealed, sealed_verdict FROM asks ", $rest)
    };
}

async fn read_ask(ledger: &SqlLedger, row: &SqliteRow) -> Result<AskRow, StorageError> {
    let (ask, case) = (text(row, "ask_id")?, text(row, "case_id")?);
    let (digest, bytes): (Hash, ByteVec) = ledger.unseal_value(Spot::ask(case, ask), row.try_get("sealed")?).await?;
    Ok(AskRow {
        ask,
        case,
        account: text(row, "account_id")?,
        decides: text_if_any(row, "decides")?,
        told: row.try_get("told")?,
        digest,
        bytes: bytes.into(),
        verdict: ledger.unseal_value(Spot::verdict(case, ask), row.try_get("sealed_verdict")?).await?,
        n: row.try_get("n")?,
    })
}

pub(super) async fn ask(ledger: &SqlLedger, ask: AskId) -> Result<Option<AskRow>, StorageError> {
    let sql = select_ask!("WHERE ask_id = $1");
    let row = ledger.readers().first(sqlx::query(sql).bind(ask.to_string())).await?;
    match row {
        Some(row) => Ok(Some(read_ask(ledger, &row).await?)),
        None => Ok(None),
    }
}

pub(super) async fn asks(ledger: &SqlLedger, after: Number, most: usize) -> Result<Vec<AskRow>, StorageError> {
    let select = select_ask!(
        "WHERE n > $1 AND n <= (SELECT coalesce(max(n), 0) FROM (SELECT n FROM asks WHERE n > $1 ORDER BY n LIMIT $2)) \
         ORDER BY n, place"
    );
    let query = sqlx::query(select).bind(after).bind(i64::try_from(most).unwrap_or(i64::MAX));
    let mut asks = Vec::new();
    for row in &ledger.readers().all(query).await? {
        asks.push(read_ask(ledger, row).await?);
    }
    Ok(asks)
}

pub(super) async fn decided(ledger: &SqlLedger, cases: &[CaseId]) -> Result<Vec<AskRow>, StorageError> {
    let select = select_ask!("WHERE decides IS NOT NULL AND case_id");
    let rows = ledger.listed(select, cases, " ORDER BY n, place").await?;
    let mut asks = Vec::with_capacity(rows.len());
    for row in &rows {
        asks.push(read_ask(ledger, row).await?);
    }
    asks.sort_by_key(|row| row.n);
    Ok(asks)
}

pub(super) async fn decided_on(ledger: &SqlLedger, document: DocumentId) -> Result<Vec<AskRow>, StorageError> {
    let query = sqlx::query(select_ask!("WHERE decides = $1 ORDER BY n, place")).bind(document.to_string());
    let rows = ledger.readers().all(query).await?;
    let mut asks = Vec::with_capacity(rows.len());
    for row in &rows {
        asks.push(read_ask(ledger, row).await?);
    }
    Ok(asks)
}

pub(super) async fn told(ledger: &SqlLedger, before: Option<AskId>, most: usize) -> Result<Vec<AskRow>, StorageError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let query = match before {
        Some(before) => {
            let older = select_ask!(
                "WHERE told AND (n, place) < (SELECT n, place FROM asks WHERE ask_id = $2) \
                 ORDER BY n DESC, place DESC LIMIT $1"
            );
            sqlx::query(older).bind(most).bind(before.to_string())
        }
        None => sqlx::query(select_ask!("WHERE told ORDER BY n DESC, place DESC LIMIT $1")).bind(most),
    };
    let mut asks = Vec::new();
    for row in &ledger.readers().all(query).await? {
        asks.push(read_ask(ledger, row).await?);
    }
    Ok(asks)
}

pub(super) async fn verdicts_of(
    ledger: &SqlLedger,
    account: AccountId,
    after: Number,
    most: usize,
) -> Result<Vec<Verdict>, StorageError> {
    let sql = "SELECT ask_id, case_id, sealed_verdict FROM asks WHERE account_id = $1 AND n > $2 \
               ORDER BY n DESC, place DESC LIMIT $3";
    let query = sqlx::query(sql).bind(account.to_string()).bind(after).bind(i64::try_from(most).unwrap_or(i64::MAX));
    let rows = ledger.readers().all(query).await?;
    let mut verdicts = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let spot = Spot::verdict(text(row, "case_id")?, text(row, "ask_id")?);
        verdicts.push(ledger.unseal_value(spot, row.try_get("sealed_verdict")?).await?);
    }
    Ok(verdicts)
}

pub(super) async fn set_aside(
    ledger: &SqlLedger,
    before: Option<QuarantineId>,
    most: usize,
) -> Result<Vec<AsideRow>, StorageError> {
    let query = match before {
        Some(before) => {
            let older = select_aside!("WHERE (n, place) < (SELECT n, place FROM quarantine WHERE quarantine_id = $2)");
            sqlx::query(older).bind(i64::try_from(most).unwrap_or(i64::MAX)).bind(before.to_string())
        }
        None => sqlx::query(select_aside!("")).bind(i64::try_from(most).unwrap_or(i64::MAX)),
    };
    let rows = ledger.readers().all(query).await?;
    let mut aside = Vec::with_capacity(rows.len());
    for row in &rows {
        let (quarantine, case) = (text(row, "quarantine_id")?, text(row, "case_id")?);
        aside.push(AsideRow {
            quarantine,
            case,
            document: text(row, "document_id")?,
            account: text(row, "account_id")?,
            at: time(row, "came_at")?,
            reason: ledger.unseal_value(Spot::reason(case, quarantine), row.try_get("sealed_reason")?).await?,
            changes: match row.try_get::<Option<i64>, _>("changes")? {
                Some(changes) => usize::try_from(changes).map_err(|_| StorageError::Damaged("changes"))?,
                // Set aside before they were counted.
                None => pushed(&ledger.unseal(Spot::push(case, quarantine), row.try_get("push")?).await?),
            },
        });
    }
    Ok(aside)
}

pub(super) async fn quarantine(ledger: &SqlLedger, case: Option<CaseId>) -> Result<Vec<QuarantineRow>, StorageError> {
    let query = match case {
        Some(case) => sqlx::query(select_quarantine!("WHERE case_id = $1")).bind(case.to_string()),
        None => sqlx::query(select_quarantine!("")),
    };
    let rows = ledger.readers().all(query).await?;
    let mut aside = Vec::with_capacity(rows.len());
    for row in &rows {
        let (quarantine, case) = (text(row, "quarantine_id")?, text(row, "case_id")?);
        aside.push(QuarantineRow {
            quarantine,
            case,
            document: text(row, "document_id")?,
            device: text(row, "device_id")?,
            account: text(row, "account_id")?,
            at: time(row, "came_at")?,
            reason: ledger.unseal_value(Spot::reason(case, quarantine), row.try_get("sealed_reason")?).await?,
            push: ledger.unseal(Spot::push(case, quarantine), row.try_get("sealed_push")?).await?,
        });
    }
    Ok(aside)
}

fn read_photo(row: &SqliteRow) -> Result<PhotoRow, StorageError> {
    Ok(PhotoRow {
        case: text(row, "case_id")?,
        document: text(row, "document_id")?,
        hash: text(row, "hash")?,
        bytes: row.try_get("bytes")?,
        account: text(row, "account_id")?,
        at: time(row, "came_at")?,
    })
}

pub(super) async fn photo(
    ledger: &SqlLedger,
    document: DocumentId,
    hash: Hash,
) -> Result<Option<PhotoRow>, StorageError> {
    let row = ledger
        .readers()
        .first(
            sqlx::query(select_photo!("WHERE document_id = $1 AND hash = $2"))
                .bind(document.to_string())
                .bind(hash.to_string()),
        )
        .await?;
    row.as_ref().map(read_photo).transpose()
}

pub(super) async fn photos_of(ledger: &SqlLedger, document: DocumentId) -> Result<Vec<PhotoRow>, StorageError> {
    let rows = ledger
        .readers()
        .all(sqlx::query(select_photo!("WHERE document_id = $1 ORDER BY n, place")).bind(document.to_string()))
        .await?;
    rows.iter().map(read_photo).collect()
}

impl Writing<'_> {
    pub(super) async fn ask(&mut self, row: AskRow) -> Result<(), CommitError> {
        let content = (row.digest, ByteVec::from(row.bytes));
        let content = self.ledger.seal_value(Spot::ask(row.case, row.ask), &content).await?;
        let verdict = self.ledger.seal_value(Spot::verdict(row.case, row.ask), &row.verdict).await?;
        let place = self.next_place();
        let sql = "INSERT INTO asks (ask_id, case_id, account_id, decides, n, place, sealed, sealed_verdict, told) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        sqlx::query(sql)
            .bind(row.ask.to_string())
            .bind(row.case.to_string())
            .bind(row.account.to_string())
            .bind(row.decides.map(|document| document.to_string()))
            .bind(self.n)
            .bind(place)
            .bind(content)
            .bind(verdict)
            .bind(row.told)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        if row.decides.is_some() { self.touch(row.case).await } else { Ok(()) }
    }

    pub(super) async fn quarantine(&mut self, row: QuarantineRow) -> Result<(), CommitError> {
        let reason = self.ledger.seal_value(Spot::reason(row.case, row.quarantine), &row.reason).await?;
        let push = self.ledger.seal(Spot::push(row.case, row.quarantine), &row.push).await?;
        let changes = i64::try_from(row.changes()).unwrap_or(i64::MAX);
        let place = self.next_place();
        let sql = "INSERT INTO quarantine (quarantine_id, case_id, document_id, device_id, account_id, came_at, n, \
                   place, sealed_reason, sealed_push, changes) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        sqlx::query(sql)
            .bind(row.quarantine.to_string())
            .bind(row.case.to_string())
            .bind(row.document.to_string())
            .bind(row.device.to_string())
            .bind(row.account.to_string())
            .bind(row.at.millis())
            .bind(self.n)
            .bind(place)
            .bind(reason)
            .bind(push)
            .bind(changes)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        Ok(())
    }

    /// Counts what an account asks towards its day, or finds that full.
    pub(super) async fn asked(
        &mut self,
        account: AccountId,
        (bytes, most): (u64, u64),
        at: Timestamp,
    ) -> Result<(), CommitError> {
        if bytes > most {
            return Err(CommitError::DayFull);
        }
        let sql = "INSERT INTO asked_days (account_id, day, bytes) VALUES ($1, $2, $3) ON CONFLICT (account_id) \
                   DO UPDATE SET bytes = CASE WHEN asked_days.day = $2 THEN asked_days.bytes ELSE 0 END + $3, day = $2 \
                   WHERE CASE WHEN asked_days.day = $2 THEN asked_days.bytes ELSE 0 END + $3 <= $4";
        let counted = sqlx::query(sql)
            .bind(account.to_string())
            .bind(day(at))
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .execute(&mut *self.transaction)
            .await?;
        if counted.rows_affected() == 1 { Ok(()) } else { Err(CommitError::DayFull) }
    }

    pub(super) async fn photo(&mut self, row: PhotoRow) -> Result<(), CommitError> {
        let place = self.next_place();
        let sql = "INSERT INTO photos (document_id, hash, case_id, bytes, account_id, came_at, n, place) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (document_id, hash) DO NOTHING";
        let added = sqlx::query(sql)
            .bind(row.document.to_string())
            .bind(row.hash.to_string())
            .bind(row.case.to_string())
            .bind(row.bytes)
            .bind(row.account.to_string())
            .bind(row.at.millis())
            .bind(self.n)
            .bind(place)
            .execute(&mut *self.transaction)
            .await?;
        if added.rows_affected() == 1 { self.touch(row.case).await } else { Ok(()) }
    }
}
