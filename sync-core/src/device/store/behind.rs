//! Writing behind: what an open transaction knows of rows, and what it has written and not handed to SQLite yet. Each
//! statement is a way to SQLite's thread and back, and a caseload that comes, or the receipts of an evening, would go it
//! thousands of times. Nothing is kept before the commit in any case; that a write finds no room is told by the call that
//! hands it over, be it a later question, or the commit.

use std::collections::{BTreeMap, HashMap, HashSet};

use data_encoding::HEXLOWER;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::StoreError;
use super::rows::{Address, Rows};

/// How many rows are remembered at most.
const MOST_KNOWN: usize = 16_384;
/// How many rows, and bytes of their values, wait for SQLite at most.
const MOST_WAITING: usize = 256;
const MOST_BYTES: usize = 64 << 10;
/// How many rows go into one statement.
const AT_ONCE: usize = 16;

/// A shelf's number and the hash of a key or of a group on it.
pub(super) type Name = (i64, [u8; 32]);

/// Where the row under a key is.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub(super) n: i64,
    version: i64,
    group: [u8; 32],
}

/// A row as SQLite will have it.
pub(super) struct Written {
    pub(super) at: Address,
    pub(super) generation: i64,
    pub(super) version: i64,
    pub(super) sealed: Vec<u8>,
    /// SQLite has no row of this number yet.
    new: bool,
}

#[derive(Default)]
pub(super) struct Behind {
    /// The largest number ever given.
    last: Option<i64>,
    /// The rows under keys, as this transaction found or left them; `None`: there is none.
    known: HashMap<Name, Option<Standing>>,
    /// Rows that wait for SQLite; `None`: to be removed.
    waiting: BTreeMap<i64, Option<Written>>,
    /// The groups that they are in, or leave.
    groups: HashSet<Name>,
    /// Sealed keys of new cases that wait with them.
    cases: Vec<([u8; 32], Vec<u8>)>,
    bytes: usize,
    /// What was being handed over did not arrive, or nobody waited to learn it.
    lost: bool,
}

impl Behind {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.cases.is_empty()
    }

    /// What is known of a key; `None`: nothing.
    pub(super) fn standing(&self, name: Name) -> Option<Option<Standing>> {
        self.known.get(&name).copied()
    }

    /// Remembers the row that was found under a key, or that there is none.
    pub(super) fn found(&mut self, name: Name, standing: Option<Standing>) {
        if self.known.len() < MOST_KNOWN || self.known.contains_key(&name) {
            self.known.insert(name, standing);
        }
    }

    /// A row as it waits; `None`: it does not.
    pub(super) fn waits(&self, n: i64) -> Option<Option<&Written>> {
        self.waiting.get(&n).map(Option::as_ref)
    }

    pub(super) fn new_case(&mut self, case: [u8; 32], sealed: Vec<u8>) {
        self.cases.push((case, sealed));
    }
}

impl Standing {
    pub(super) const fn of(at: &Address, n: i64, version: i64) -> Self {
        Self { n, version, group: at.group }
    }
}

impl Rows {
    /// Hands what waits to SQLite.
    ///
    /// # Errors
    /// What SQLite says of it; [`StoreError::Ended`] once that has failed, or was given up half-way.
    pub(super) async fn hand_over(&mut self) -> Result<(), StoreError> {
        if self.behind.lost {
            return Err(StoreError::Ended);
        }
        if self.behind.is_empty() {
            return Ok(());
        }
        self.behind.lost = true;
        self.behind.groups.clear();
        self.behind.bytes = 0;
        let mut cases = std::mem::take(&mut self.behind.cases).into_iter().peekable();
        while cases.peek().is_some() {
            let mut sql = QueryBuilder::<Sqlite>::new("INSERT INTO case_key (case_hash, sealed) ");
            sql.push_values(cases.by_ref().take(AT_ONCE), |mut values, (case, sealed)| {
                values.push_bind(case.to_vec()).push_bind(sealed);
            });
            sql.build().execute(&mut self.connection).await?;
        }
        let (mut gone, mut written) = (Vec::new(), Vec::new());
        for (n, row) in std::mem::take(&mut self.behind.waiting) {
            match row {
                Some(row) => written.push((n, row)),
                None => gone.push(n),
            }
        }
        // First what goes: another row may stand under its key by now.
        if !gone.is_empty() {
            sqlx::query("DELETE FROM entry WHERE n IN (SELECT value FROM json_each($1))")
                .bind(numbers(&gone))
                .execute(&mut self.connection)
                .await?;
        }
        let mut written = written.into_iter().peekable();
        while written.peek().is_some() {
            let mut sql = QueryBuilder::<Sqlite>::new(
                "INSERT INTO entry (n, shelf, group_hash, key_hash, case_hash, generation, version, value) ",
            );
            sql.push_values(written.by_ref().take(AT_ONCE), |mut values, (n, row)| {
                values.push_bind(n).push_bind(row.at.shelf.number()).push_bind(row.at.group.to_vec());
                values.push_bind(row.at.key.map(Vec::from)).push_bind(row.at.case.map(Vec::from));
                values.push_bind(row.generation).push_bind(row.version).push_bind(row.sealed);
            });
            sql.push(
                " ON CONFLICT (n) DO UPDATE SET group_hash = excluded.group_hash, case_hash = excluded.case_hash,
                 generation = excluded.generation, version = excluded.version, value = excluded.value",
            );
            sql.build().execute(&mut self.connection).await?;
        }
        self.behind.lost = false;
        Ok(())
    }

    /// Hands over what waits if rows of a group are among it.
    pub(super) async fn hand_over_group(&mut self, group: Name) -> Result<(), StoreError> {
        if self.behind.lost || self.behind.groups.contains(&group) { self.hand_over().await } else { Ok(()) }
    }

    /// Where the row under a key is.
    pub(super) async fn standing(&mut self, name: Name) -> Result<Option<Standing>, StoreError> {
        match self.behind.standing(name) {
            Some(known) => Ok(known),
            None => {
                if self.behind.lost {
                    return Err(StoreError::Ended);
                }
                // Of what is not known here nothing waits.
                let found = sqlx::query("SELECT n, version, group_hash FROM entry WHERE shelf = $1 AND key_hash = $2")
                    .bind(name.0)
                    .bind(&name.1[..])
                    .fetch_optional(&mut self.connection)
                    .await?;
                let standing = found.map(|row| {
                    let group = row.try_get::<&[u8], _>("group_hash")?.try_into().map_err(|_| StoreError::corrupt())?;
                    Ok::<_, StoreError>(Standing { n: row.try_get("n")?, version: row.try_get("version")?, group })
                });
                let standing = standing.transpose()?;
                self.behind.found(name, standing);
                Ok(standing)
            }
        }
    }

    /// Hands over what waits if any of these names is among it, and says which of them SQLite may have.
    pub(super) async fn may_stand(&mut self, names: &[Name]) -> Result<Vec<[u8; 32]>, StoreError> {
        let waits =
            |behind: &Behind, name| behind.standing(name).flatten().is_some_and(|row| behind.waits(row.n).is_some());
        if self.behind.lost || names.iter().any(|name| waits(&self.behind, *name)) {
            self.hand_over().await?;
        }
        let may = names.iter().filter(|name| !matches!(self.behind.standing(**name), Some(None)));
        Ok(may.map(|name| name.1).collect())
    }

    /// Writes a row, over the one that stands there, or a new one, once SQLite is handed what waits; its number.
    pub(super) async fn write_behind(
        &mut self,
        at: Address,
        before: Option<Standing>,
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let (n, version) = match before {
            Some(Standing { n, version, .. }) => (n, version.saturating_add(1)),
            None => (self.next_n().await?, 1),
        };
        let sealed = self.seal(&at, n, version, value).await?;
        let generation = i64::try_from(self.generations.len()).unwrap_or(i64::MAX);
        let new = match self.behind.waiting.get(&n) {
            Some(waiting) => waiting.as_ref().is_some_and(|row| row.new),
            None => before.is_none(),
        };
        if let Some(name) = at.name() {
            // Whatever room there is: what waits must be known.
            self.behind.known.insert(name, Some(Standing::of(&at, n, version)));
        }
        let shelf = at.shelf.number();
        self.behind.groups.insert((shelf, at.group));
        self.behind.groups.extend(before.map(|before| (shelf, before.group)));
        self.behind.bytes += sealed.len();
        self.behind.waiting.insert(n, Some(Written { at, generation, version, sealed, new }));
        self.make_room().await?;
        Ok(n)
    }

    /// Removes a row that stands under a key, once SQLite is handed what waits.
    pub(super) async fn remove_behind(&mut self, name: Name, standing: Standing) -> Result<(), StoreError> {
        if self.behind.waits(standing.n).flatten().is_some_and(|row| row.new) {
            // SQLite is to see the number, so that it is not given again.
            self.hand_over().await?;
        }
        self.behind.known.insert(name, None);
        self.behind.groups.insert((name.0, standing.group));
        self.behind.waiting.insert(standing.n, None);
        self.make_room().await
    }

    async fn make_room(&mut self) -> Result<(), StoreError> {
        if self.behind.waiting.len() >= MOST_WAITING || self.behind.bytes >= MOST_BYTES {
            self.hand_over().await?;
        }
        if self.behind.known.len() >= MOST_KNOWN {
            self.hand_over().await?;
            self.behind.known.clear();
        }
        Ok(())
    }

    /// The number of the next new row. Only one connection writes, inside a transaction.
    async fn next_n(&mut self) -> Result<i64, StoreError> {
        let last = match self.behind.last {
            Some(last) => last,
            None => {
                sqlx::query_scalar("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0)")
                    .fetch_one(&mut self.connection)
                    .await?
            }
        };
        let next = last.saturating_add(1);
        self.behind.last = Some(next);
        Ok(next)
    }

    /// Forgets where rows are: what comes now removes some that are not named one by one.
    pub(super) async fn hand_over_and_forget(&mut self) -> Result<(), StoreError> {
        self.hand_over().await?;
        self.behind.known.clear();
        Ok(())
    }
}

/// Row numbers as SQLite's `json_each` reads them.
pub(super) fn numbers(of: &[i64]) -> String {
    let numbers: Vec<String> = of.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Hashes likewise, in hexadecimal.
pub(super) fn hashes(of: &[[u8; 32]]) -> String {
    let hashes: Vec<String> = of.iter().map(|hash| format!("\"{}\"", HEXLOWER.encode(hash))).collect();
    format!("[{}]", hashes.join(","))
}
