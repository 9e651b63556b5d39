//! Rows of the audit log.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::envelope::Signed;
use sync_core::id::{AccountId, CaseId};

use super::{Broken, By, Done, End, Entry, SignedCheckpoint, Walk};
use crate::storage::{Storage, StorageError, Write, bytes, text, text_if_any, time};

/// How many rows one statement writes, or how many cases it asks about.
const TOGETHER: usize = 32;
/// How many rows are walked between two questions to the database.
const WALKED: usize = 1_000;

/// Which entries are wanted: those that fit all that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sought {
    /// Of this case.
    pub case: Option<CaseId>,
    /// By this account, or about it.
    pub account: Option<AccountId>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
}

impl Sought {
    /// Whether an entry fits.
    pub fn fits(&self, entry: &Entry) -> bool {
        let Self { case, account, from, until } = *self;
        case.is_none_or(|case| entry.case == Some(case))
            && account.is_none_or(|account| entry.account == Some(account) || entry.act.whom() == Some(account))
            && from.is_none_or(|from| entry.at >= from)
            && until.is_none_or(|until| entry.at < until)
    }
}

impl Storage {
    /// Adds to the log, in the transaction that does what is logged.
    pub(in crate::storage) async fn log(&self, write: &mut Write, by: By, done: Vec<Done>) -> Result<(), StorageError> {
        if done.is_empty() {
            return Ok(());
        }
        let purposes = purposes(write, by, &done).await?;
        let mut end = end(write).await?;
        let entries = done.into_iter().map(|done| {
            let purpose = done.case.and_then(|case| purposes.get(&case)).cloned().unwrap_or_default();
            end.add(by, purpose, done)
        });
        let entries: Vec<(Entry, Vec<u8>)> = entries.collect();
        // Statements of two lengths, so that there are few for the database to prepare.
        let (many, few) = entries.as_chunks::<TOGETHER>();
        for entries in many.iter().map(|entries| &entries[..]).chain(few.chunks(1)) {
            let mut insert: QueryBuilder<Sqlite> =
                QueryBuilder::new("INSERT INTO audit (n, at, account_id, whom_id, case_id, entry) ");
            insert.push_values(entries, |mut row, (entry, bytes)| {
                row.push_bind(entry.n.cast_signed())
                    .push_bind(entry.at.millis())
                    .push_bind(entry.account.map(|account| account.to_string()))
                    .push_bind(entry.act.whom().map(|whom| whom.to_string()))
                    .push_bind(entry.case.map(|case| case.to_string()))
                    .push_bind(bytes.clone());
            });
            insert.build().execute(&mut **write).await?;
        }
        Ok(())
    }

    /// Entries behind the one of number `after` that fit, oldest first, at most so many.
    ///
    /// # Errors
    /// What storage says.
    pub async fn audited(&self, sought: &Sought, after: u64, most: usize) -> Result<Vec<Entry>, StorageError> {
        let mut select: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT entry FROM audit WHERE n > ");
        select.push_bind(after.cast_signed());
        if let Some(case) = sought.case {
            select.push(" AND case_id = ").push_bind(case.to_string());
        }
        if let Some(account) = sought.account {
            select.push(" AND (account_id = ").push_bind(account.to_string());
            select.push(" OR whom_id = ").push_bind(account.to_string()).push(")");
        }
        if let Some(from) = sought.from {
            select.push(" AND at >= ").push_bind(from.millis());
        }
        if let Some(until) = sought.until {
            select.push(" AND at < ").push_bind(until.millis());
        }
        select.push(" ORDER BY n LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        let rows = self.readers().all(select.build()).await?;
        rows.iter().map(|row| read(row.try_get("entry")?)).collect()
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// What storage says.
    pub async fn audit_end(&self) -> Result<End, StorageError> {
        let row = self.readers().first(sqlx::query("SELECT n, entry FROM audit ORDER BY n DESC LIMIT 1")).await?;
        row.as_ref().map_or_else(|| Ok(End::default()), end_of)
    }

    /// Keeps how far the log had come, as it was signed. The same again changes nothing.
    ///
    /// # Errors
    /// What storage says.
    pub async fn keep_checkpoint(&self, signed: &SignedCheckpoint) -> Result<(), StorageError> {
        let mut write = self.write().await?;
        let sql = "INSERT INTO audit_checkpoints (n, checkpoint, signature) VALUES ($1, $2, $3) \
                   ON CONFLICT (n) DO NOTHING";
        sqlx::query(sql)
            .bind(signed.checkpoint.n.cast_signed())
            .bind(signed.checkpoint.to_bytes())
            .bind(signed.signature.0.as_slice())
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// The checkpoints, oldest first.
    ///
    /// # Errors
    /// What storage says.
    pub async fn checkpoints(&self) -> Result<Vec<SignedCheckpoint>, StorageError> {
        let sql = "SELECT checkpoint, signature FROM audit_checkpoints ORDER BY n";
        self.readers().all(sqlx::query(sql)).await?.iter().map(checkpoint).collect()
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// What storage says.
    pub async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, StorageError> {
        let sql = "SELECT checkpoint, signature FROM audit_checkpoints ORDER BY n DESC LIMIT 1";
        self.readers().first(sqlx::query(sql)).await?.as_ref().map(checkpoint).transpose()
    }

    /// Walks the whole log. Hands on each entry's number and hash, and says where it ends or what is wrong with it.
    ///
    /// # Errors
    /// What storage says.
    pub async fn walk_audit(&self, mut at: impl FnMut(End)) -> Result<Result<End, Broken>, StorageError> {
        let mut walk = Walk::default();
        loop {
            let sql = "SELECT n, at, account_id, whom_id, case_id, entry FROM audit WHERE n > $1 ORDER BY n LIMIT $2";
            let after = walk.end().n.cast_signed();
            let query = sqlx::query(sql).bind(after).bind(i64::try_from(WALKED).unwrap_or(i64::MAX));
            let rows = self.readers().all(query).await?;
            for row in &rows {
                let entry = match walk.next(row.try_get("entry")?) {
                    Ok(entry) => entry,
                    Err(broken) => return Ok(Err(broken)),
                };
                let (whom, n): (_, i64) = (entry.act.whom(), row.try_get("n")?);
                let said = (time(row, "at")?, text_if_any(row, "account_id")?, text_if_any(row, "whom_id")?);
                let same = said == (entry.at, entry.account, whom) && text_if_any(row, "case_id")? == entry.case;
                if !same || n.cast_unsigned() != entry.n {
                    return Ok(Err(Broken::Row(entry.n)));
                }
                at(walk.end());
            }
            if rows.len() < WALKED {
                return Ok(Ok(walk.end()));
            }
        }
    }
}

fn read(entry: &[u8]) -> Result<Entry, StorageError> {
    minicbor::decode(entry).map_err(|_| StorageError::Damaged("audit"))
}

fn checkpoint(row: &SqliteRow) -> Result<SignedCheckpoint, StorageError> {
    let checkpoint = minicbor::decode(row.try_get("checkpoint")?);
    let checkpoint = checkpoint.map_err(|_| StorageError::Damaged("audit_checkpoints"))?;
    Ok(SignedCheckpoint { checkpoint, signature: Signed(bytes(row, "signature")?) })
}

fn end_of(row: &SqliteRow) -> Result<End, StorageError> {
    let n: i64 = row.try_get("n")?;
    Ok(End { n: n.cast_unsigned(), hash: Entry::hash_of(row.try_get("entry")?) })
}

async fn end(write: &mut Write) -> Result<End, StorageError> {
    let query = sqlx::query("SELECT n, entry FROM audit ORDER BY n DESC LIMIT 1");
    let row = query.fetch_optional(&mut **write).await?;
    row.as_ref().map_or_else(|| Ok(End::default()), end_of)
}

/// What ties whoever is behind it to each case, as it stands before what is logged is done.
async fn purposes(write: &mut Write, by: By, done: &[Done]) -> Result<BTreeMap<CaseId, Vec<Relation>>, StorageError> {
    let mut purposes: BTreeMap<CaseId, Vec<Relation>> = BTreeMap::new();
    let Some(account) = by.account else { return Ok(purposes) };
    let cases: BTreeSet<CaseId> = done.iter().filter_map(|done| done.case).collect();
    let cases: Vec<CaseId> = cases.into_iter().collect();
    for cases in cases.chunks(TOGETHER) {
        let mut select: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT case_id, relation FROM reach WHERE account_id = ");
        select.push_bind(account.to_string()).push(" AND starts_at <= ").push_bind(by.at.millis());
        select.push(" AND (ends_at IS NULL OR ends_at > ").push_bind(by.at.millis()).push(") AND case_id IN (");
        let length = if cases.len() == 1 { 1 } else { TOGETHER };
        let mut list = select.separated(", ");
        // What is short of that names its last case again.
        for case in cases.iter().chain(cases.last().into_iter().cycle()).take(length) {
            list.push_bind(case.to_string());
        }
        select.push(")");
        for row in select.build().fetch_all(&mut **write).await? {
            purposes.entry(text(&row, "case_id")?).or_default().push(text(&row, "relation")?);
        }
    }
    for purpose in purposes.values_mut() {
        purpose.sort_unstable();
    }
    Ok(purposes)
}

#[cfg(test)]
mod tests {
    use sync_core::access::Role;

    use super::super::Act;
    use super::*;
    use crate::storage::ledger::{Ledger as _, Plan, Write as Written};
    use crate::testing::{BY, Bench, account};

    async fn logged(storage: &Storage, count: usize) {
        let read = Written::Act(Done { case: None, document: None, act: Act::SignedIn });
        storage.ledger().commit(Plan { by: BY, writes: vec![read; count] }).await.unwrap();
    }

    /// H19.
    #[tokio::test]
    async fn rows_of_the_log_are_neither_changed_nor_deleted_and_if_they_were_all_the_same_it_shows() {
        let bench = Bench::new(71);
        let app = bench.app().await;
        let ana = account(&app, "ana", Role::Ot).await;
        logged(&app.storage, 70).await;
        let end = app.storage.audit_end().await.unwrap();
        let walk = async || app.storage.walk_audit(|_| {}).await.unwrap();
        assert_eq!(walk().await, Ok(end));
        let sql = async |sql: &'static str| {
            let mut write = app.storage.write().await.unwrap();
            let done = sqlx::query(sql).execute(&mut *write).await;
            if done.is_ok() {
                write.commit().await.unwrap();
            }
            done.map_err(|error| error.to_string())
        };
        for refused in ["UPDATE audit SET at = 0 WHERE n = 3", "DELETE FROM audit WHERE n = 3"] {
            assert!(sql(refused).await.unwrap_err().contains("only added to"));
        }
        assert_eq!(walk().await, Ok(end));

        // Whoever has the file can take the triggers away.
        sql("DROP TRIGGER audit_is_not_changed").await.unwrap();
        sql("DROP TRIGGER audit_is_not_deleted").await.unwrap();
        sql("UPDATE audit SET account_id = 'a' WHERE n = 3").await.unwrap();
        assert!(app.storage.walk_audit(|_| {}).await.is_err(), "no account's id");
        sql("UPDATE audit SET account_id = NULL, at = at + 1 WHERE n = 3").await.unwrap();
        assert_eq!(walk().await, Err(Broken::Row(3)));
        sql("UPDATE audit SET at = at - 1 WHERE n = 3").await.unwrap();
        assert_eq!(walk().await, Ok(end));
        sql("UPDATE audit SET entry = (SELECT entry FROM audit WHERE n = 4) WHERE n = 3").await.unwrap();
        assert_eq!(walk().await, Err(Broken::Missing(3)));
        sql("UPDATE audit SET entry = x'00' WHERE n = 3").await.unwrap();
        assert_eq!(walk().await, Err(Broken::Unreadable(3)));
        sql("DELETE FROM audit WHERE n = 3").await.unwrap();
        assert_eq!(walk().await, Err(Broken::Missing(3)));
        assert_eq!(
            app.storage.audited(&Sought { account: Some(ana.id), ..Sought::default() }, 0, 9).await.unwrap()[0].n,
            1
        );
    }

    /// What is looked for in a log of years is found by an index.
    #[tokio::test]
    async fn the_log_is_read_by_its_indexes() {
        let bench = Bench::new(72);
        let storage = bench.storage().await;
        for (rest, index) in [
            ("n > 5 AND case_id = 'c' ORDER BY n LIMIT 9", "audit_case (case_id=? AND n>?)"),
            ("n > 5 AND (account_id = 'a' OR whom_id = 'a') ORDER BY n LIMIT 9", "audit_whom (whom_id=? AND n>?)"),
            ("n > 5 ORDER BY n LIMIT 9", "PRIMARY KEY (rowid>?)"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN SELECT entry FROM audit WHERE {rest}");
            let rows = storage.readers().all(sqlx::query(sqlx::AssertSqlSafe(sql))).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "{rest}: {plan:?}");
        }
    }
}
