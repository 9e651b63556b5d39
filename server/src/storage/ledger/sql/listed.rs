//! Rows of many cases in few statements: each is a way to the database's thread and back, which costs more than a row.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use super::SqlLedger;
use crate::storage::StorageError;

/// How many ids one statement lists.
const AT_ONCE: usize = 32;

impl SqlLedger {
    /// The rows of these ids: `select` ends before the list of them, `rest` comes behind it.
    pub(super) async fn listed<T: ToString + Sync>(
        &self,
        select: &str,
        ids: &[T],
        rest: &str,
    ) -> Result<Vec<SqliteRow>, StorageError> {
        self.listed_with(select, ids, (rest, None)).await
    }

    /// As [`Self::listed`]; behind `rest` comes a value.
    pub(super) async fn listed_with<T: ToString + Sync>(
        &self,
        select: &str,
        ids: &[T],
        (rest, value): (&str, Option<String>),
    ) -> Result<Vec<SqliteRow>, StorageError> {
        let mut rows = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let mut statement: QueryBuilder<Sqlite> = QueryBuilder::new(select);
            push_list(&mut statement, ids);
            statement.push(rest);
            if let Some(value) = &value {
                statement.push_bind(value.clone());
            }
            rows.extend(self.readers().all(statement.build()).await?);
        }
        Ok(rows)
    }
}

/// ` IN (…)` of one length or of another, so that there are few statements for the database to prepare: what is short of
/// that names its last id again.
fn push_list<T: ToString>(statement: &mut QueryBuilder<Sqlite>, ids: &[T]) {
    let Some(last) = ids.last() else { return };
    let length = if ids.len() == 1 { 1 } else { AT_ONCE };
    let mut list = statement.push(" IN (").separated(", ");
    for id in ids.iter().chain(std::iter::repeat(last)).take(length) {
        list.push_bind(id.to_string());
    }
    statement.push(")");
}
