//! Rows of many cases in few statements: each is a way to the database's thread and back, which costs more than a row.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};
use sync_core::id::CaseId;

use super::SqlLedger;
use crate::storage::StorageError;

/// How many cases one statement lists.
const AT_ONCE: usize = 32;

impl SqlLedger {
    /// The rows of these cases: `select` ends before the list of them, `rest` comes behind it.
    pub(super) async fn listed(
        &self,
        select: &str,
        cases: &[CaseId],
        rest: &str,
    ) -> Result<Vec<SqliteRow>, StorageError> {
        let mut rows = Vec::new();
        for cases in cases.chunks(AT_ONCE) {
            let mut statement: QueryBuilder<Sqlite> = QueryBuilder::new(select);
            push_list(&mut statement, cases);
            statement.push(rest);
            rows.extend(self.readers().all(statement.build()).await?);
        }
        Ok(rows)
    }

    /// As [`Self::listed`], of rows that are also of one `owner`: `select` ends before that.
    pub(super) async fn listed_of(
        &self,
        select: &str,
        owner: &str,
        and_case: &str,
        cases: &[CaseId],
    ) -> Result<Vec<SqliteRow>, StorageError> {
        let mut rows = Vec::new();
        for cases in cases.chunks(AT_ONCE) {
            let mut statement: QueryBuilder<Sqlite> = QueryBuilder::new(select);
            statement.push_bind(owner).push(and_case);
            push_list(&mut statement, cases);
            rows.extend(self.readers().all(statement.build()).await?);
        }
        Ok(rows)
    }
}

/// ` IN (…)` of one length or of another, so that there are few statements for the database to prepare: what is short of
/// that names its last case again.
fn push_list(statement: &mut QueryBuilder<Sqlite>, cases: &[CaseId]) {
    let Some(last) = cases.last() else { return };
    let length = if cases.len() == 1 { 1 } else { AT_ONCE };
    let mut list = statement.push(" IN (").separated(", ");
    for case in cases.iter().chain(std::iter::repeat(last)).take(length) {
        list.push_bind(case.to_string());
    }
    statement.push(")");
}
