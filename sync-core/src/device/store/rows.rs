use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::behind::{Behind, Name, Standing, Written, hashes, numbers};
use super::{Shelf, StoreError};
use crate::clock::{Chance, SystemChance};
use crate::device::seal::{CaseKey, NameKey, Place, SealKey};
use crate::id::{CaseId, Generation};

/// The generation of what belongs to none: the header, the list of generations, the keys of the cases.
pub(super) const NO_GENERATION: Generation = Generation::from_bytes([0; 16]);

/// The place of the `n`th generation's id.
pub(super) fn generation_place<'a>(store: &'a [u8; 16], n: &'a [u8; 8]) -> Place<'a> {
    Place { store, generation: NO_GENERATION, table: "generation", row: n, column: "sealed", version: 1 }
}

/// The place of a case's key.
fn case_key_place<'a>(store: &'a [u8; 16], case: &'a [u8; 32]) -> Place<'a> {
    Place { store, generation: NO_GENERATION, table: "case_key", row: case, column: "sealed", version: 1 }
}

/// Every generation, the present one last.
pub(super) async fn read_generations(
    connection: &mut SqliteConnection,
    store: &[u8; 16],
    values: &SealKey,
) -> Result<Vec<Generation>, StoreError> {
    let mut generations = Vec::new();
    let found = sqlx::query("SELECT n, sealed FROM generation ORDER BY n").fetch_all(&mut *connection).await?;
    for (expected, row) in (1_i64..).zip(&found) {
        let n: i64 = row.try_get("n")?;
        let id = values.unseal(&generation_place(store, &n.to_be_bytes()), row.try_get("sealed")?)?;
        let id: [u8; 16] = id.try_into().map_err(|_| StoreError::corrupt())?;
        if n != expected {
            return Err(StoreError::corrupt());
        }
        generations.push(Generation::from_bytes(id));
    }
    Ok(generations)
}

/// Everything an open store consists of: one connection, the keys, the lock. All SQL on rows is here, and in `behind` that
/// of a transaction's own.
pub(super) struct Rows {
    pub(super) connection: SqliteConnection,
    pub(super) store: [u8; 16],
    pub(super) values: SealKey,
    pub(super) names: NameKey,
    /// Keys of cases met so far, `None`: a damaged one; emptied by a rollback, which may have taken one back.
    pub(super) cases: HashMap<[u8; 32], Option<CaseKey>>,
    /// These are all there are.
    pub(super) all_cases: bool,
    /// Every generation, the present one last; `settled` of them are committed.
    pub(super) generations: Vec<Generation>,
    pub(super) settled: usize,
    /// What [`super::Store::generation`] tells.
    pub(super) present: Arc<RwLock<Generation>>,
    pub(super) in_transaction: bool,
    pub(super) behind: Behind,
    /// Something was purged: what the write-ahead log still holds of it must go.
    pub(super) purged: bool,
    pub(super) chance: SystemChance,
    /// Held until the connection is gone: one writer.
    pub(super) lock: File,
}

/// How many keys are looked up in one statement.
const KEYS_AT_ONCE: usize = 512;
/// The most cases whose keys are read one by one.
const KEYS_BY_THEMSELVES: usize = 4;

/// What identifies a row besides its number.
pub(super) struct Address {
    pub(super) shelf: Shelf,
    pub(super) group: [u8; 32],
    pub(super) key: Option<[u8; 32]>,
    pub(super) case: Option<[u8; 32]>,
}

impl Address {
    /// The key under which it stands.
    pub(super) fn name(&self) -> Option<Name> {
        self.key.map(|key| (self.shelf.number(), key))
    }

    /// The row as its sealing binds it.
    fn row(&self, n: i64) -> Vec<u8> {
        let mut row = Vec::with_capacity(8 + 8 + 3 * 33);
        row.extend_from_slice(&self.shelf.number().to_be_bytes());
        row.extend_from_slice(&n.to_be_bytes());
        row.extend_from_slice(&self.group);
        for hash in [self.key, self.case] {
            row.push(u8::from(hash.is_some()));
            row.extend_from_slice(&hash.unwrap_or_default());
        }
        row
    }
}

impl Rows {
    pub(super) fn key_hash(&self, shelf: Shelf, key: &[u8]) -> [u8; 32] {
        self.names.hash("key", &[&shelf.number().to_be_bytes(), key])
    }

    fn group_hash(&self, shelf: Shelf, group: &[u8]) -> [u8; 32] {
        self.names.hash("group", &[&shelf.number().to_be_bytes(), group])
    }

    fn case_hash(&self, case: CaseId) -> [u8; 32] {
        self.names.hash("case", &[case.as_bytes()])
    }

    /// Of a row without a key.
    fn address(&self, shelf: Shelf, case: Option<CaseId>, group: &[u8]) -> Address {
        Address { shelf, group: self.group_hash(shelf, group), key: None, case: case.map(|case| self.case_hash(case)) }
    }

    /// Begins a write transaction; the caller has settled the last one.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        self.behind = Behind::default();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        Ok(())
    }

    /// Rolls back what an earlier transaction left when it was dropped, cancelled or failed.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        if !self.in_transaction {
            return Ok(());
        }
        self.forget_cases();
        self.behind = Behind::default();
        match sqlx::query("ROLLBACK").execute(&mut self.connection).await {
            Ok(_) => self.generations.truncate(self.settled),
            // Code 1: SQLite rolled back by itself (it does on a full disk) or never began, or it was committed and
            // whoever waited for that was dropped. The file tells.
            Err(error) if StoreError::sqlite_code(&error) == Some(1) => {
                self.generations = read_generations(&mut self.connection, &self.store, &self.values).await?;
                self.kept_generations();
            }
            Err(error) => return Err(error.into()),
        }
        self.in_transaction = false;
        Ok(())
    }

    /// The generations are those that the file has.
    fn kept_generations(&mut self) {
        self.settled = self.generations.len();
        if let Some(&generation) = self.generations.last() {
            *self.present.write().unwrap_or_else(PoisonError::into_inner) = generation;
        }
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.hand_over().await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        self.in_transaction = false;
        self.behind = Behind::default();
        self.kept_generations();
        if self.purged {
            // The log still holds older pages, the purged case's key among them. The transaction is committed
            // whether or not this works now; if not, the next commit or closing does it.
            let emptied =
                sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut self.connection).await;
            match emptied {
                Ok(busy) => self.purged = busy != 0,
                Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied after a purge"),
            }
        }
        Ok(())
    }

    /// Closes the file, then lets go of the lock.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        let Self { connection, lock, .. } = self;
        let closed = connection.close().await;
        drop(lock);
        Ok(closed?)
    }

    pub(super) async fn renew_generation(&mut self, chance: &mut dyn Chance) -> Result<Generation, StoreError> {
        let generation = Generation::mint(chance);
        let n = i64::try_from(self.generations.len()).unwrap_or(i64::MAX).saturating_add(1);
        let sealed = self.values.seal(
            &generation_place(&self.store, &n.to_be_bytes()),
            generation.as_bytes(),
            &mut self.chance,
        )?;
        sqlx::query("INSERT INTO generation (n, sealed) VALUES ($1, $2)")
            .bind(n)
            .bind(sealed)
            .execute(&mut self.connection)
            .await?;
        self.generations.push(generation);
        Ok(generation)
    }

    fn forget_cases(&mut self) {
        self.cases.clear();
        self.all_cases = false;
    }

    /// Makes sure that the case's key is among `self.cases`.
    async fn load_case_key(&mut self, case: [u8; 32]) -> Result<(), StoreError> {
        if self.cases.contains_key(&case) {
            return Ok(());
        }
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM case_key WHERE case_hash = $1")
            .bind(&case[..])
            .fetch_optional(&mut self.connection)
            .await?;
        // A value is sealed under a key that is gone: somebody else deleted it.
        let sealed = found.ok_or_else(StoreError::corrupt)?;
        let key = CaseKey::unwrap(&self.values, &case_key_place(&self.store, &case), &sealed)?;
        self.cases.insert(case, Some(key));
        Ok(())
    }

    /// Makes sure that `self.cases` are all there are.
    async fn load_all_case_keys(&mut self) -> Result<(), StoreError> {
        if self.all_cases {
            return Ok(());
        }
        let found: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT case_hash, sealed FROM case_key").fetch_all(&mut self.connection).await?;
        for (case, sealed) in found {
            let case = case.try_into().map_err(|_| StoreError::corrupt())?;
            if let Entry::Vacant(unknown) = self.cases.entry(case) {
                // One that does not open is told of where its own case is read or written.
                unknown.insert(CaseKey::unwrap(&self.values, &case_key_place(&self.store, &case), &sealed).ok());
            }
        }
        self.all_cases = true;
        Ok(())
    }

    /// Makes sure that the case's key is among `self.cases`; a case without one gets it. All keys are read for the
    /// first case that was not met yet: a caseload brings hundreds.
    async fn load_or_make_case_key(&mut self, case: [u8; 32]) -> Result<(), StoreError> {
        if self.cases.contains_key(&case) {
            return Ok(());
        }
        self.load_all_case_keys().await?;
        if !self.cases.contains_key(&case) {
            let key = CaseKey::mint(&mut self.chance);
            let sealed = key.wrap(&self.values, &case_key_place(&self.store, &case), &mut self.chance)?;
            self.behind.new_case(case, sealed);
            self.cases.insert(case, Some(key));
        }
        Ok(())
    }

    fn sealing_key(&self, case: Option<&[u8; 32]>) -> Result<&SealKey, StoreError> {
        match case {
            None => Ok(&self.values),
            Some(case) => match self.cases.get(case) {
                Some(Some(key)) => Ok(key.sealing()),
                _ => Err(StoreError::corrupt()),
            },
        }
    }

    pub(super) async fn seal(
        &mut self,
        at: &Address,
        n: i64,
        version: i64,
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        if let Some(case) = at.case {
            self.load_or_make_case_key(case).await?;
        }
        let generation = self.generations.last().copied().ok_or_else(StoreError::corrupt)?;
        let row = at.row(n);
        let place = Place { store: &self.store, generation, table: "entry", row: &row, column: "value", version };
        // A copy: every chance of the machine's is the same chance.
        let mut chance = self.chance;
        Ok(self.sealing_key(at.case.as_ref())?.seal(&place, value, &mut chance)?)
    }

    async fn unseal(&mut self, shelf: Shelf, row: &SqliteRow) -> Result<(i64, Vec<u8>), StoreError> {
        let hash = |column: &str| -> Result<Option<[u8; 32]>, StoreError> {
            let bytes: Option<&[u8]> = row.try_get(column)?;
            bytes.map(|bytes| bytes.try_into().map_err(|_| StoreError::corrupt())).transpose()
        };
        let n: i64 = row.try_get("n")?;
        let group = hash("group_hash")?.ok_or_else(StoreError::corrupt)?;
        let at = Address { shelf, group, key: hash("key_hash")?, case: hash("case_hash")? };
        if let Some(case) = at.case {
            self.load_case_key(case).await?;
        }
        let version = row.try_get("version")?;
        let value = self.open(&at, n, row.try_get("generation")?, version, row.try_get("value")?)?;
        if let Some(name) = at.name().filter(|_| self.in_transaction) {
            self.behind.found(name, Some(Standing::of(&at, n, version)));
        }
        Ok((n, value))
    }

    /// Opens a value, the case's key being at hand.
    fn open(&self, at: &Address, n: i64, generation: i64, version: i64, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let generation = usize::try_from(generation)
            .ok()
            .and_then(|ordinal| self.generations.get(ordinal.checked_sub(1)?))
            .copied()
            .ok_or_else(StoreError::corrupt)?;
        let bound = at.row(n);
        let place = Place { store: &self.store, generation, table: "entry", row: &bound, column: "value", version };
        // Too large is damage here: nothing so large was ever sealed.
        self.sealing_key(at.case.as_ref())?.unseal(&place, sealed).map_err(|_| StoreError::corrupt())
    }

    pub(super) async fn append(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let at = self.address(shelf, case, group);
        self.write_behind(at, None, value).await
    }

    pub(super) async fn put(
        &mut self,
        shelf: Shelf,
        case: Option<CaseId>,
        group: &[u8],
        key: &[u8],
        value: &[u8],
    ) -> Result<i64, StoreError> {
        let key = self.key_hash(shelf, key);
        let at = Address { key: Some(key), ..self.address(shelf, case, group) };
        let before = self.standing((shelf.number(), key)).await?;
        self.write_behind(at, before, value).await
    }

    pub(super) async fn get(&mut self, shelf: Shelf, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.key_hash(shelf, key);
        let name = (shelf.number(), key);
        match self.behind.standing(name) {
            Some(None) => return Ok(None),
            Some(Some(Standing { n, .. })) => {
                if let Some(Some(Written { at, generation, version, sealed, .. })) = self.behind.waits(n) {
                    return self.open(at, n, *generation, *version, sealed).map(Some);
                }
            }
            None => {}
        }
        let found = sqlx::query("SELECT * FROM entry WHERE shelf = $1 AND key_hash = $2")
            .bind(shelf.number())
            .bind(&key[..])
            .fetch_optional(&mut self.connection)
            .await?;
        if found.is_none() && self.in_transaction {
            self.behind.found(name, None);
        }
        self.read_one(shelf, found).await
    }

    pub(super) async fn under(&mut self, shelf: Shelf, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let names: Vec<Name> = keys.iter().map(|key| (shelf.number(), self.key_hash(shelf, key))).collect();
        let asked = self.may_stand(&names).await?;
        let mut under: HashMap<[u8; 32], Vec<u8>> = HashMap::new();
        for asked in asked.chunks(KEYS_AT_ONCE) {
            let found = sqlx::query(
                "SELECT * FROM entry WHERE shelf = $1 AND key_hash IN (SELECT unhex(value) FROM json_each($2))",
            )
            .bind(shelf.number())
            .bind(hashes(asked))
            .fetch_all(&mut self.connection)
            .await?;
            let values = self.read_all(shelf, &found).await?;
            for (row, (_, value)) in found.iter().zip(values) {
                let key = row.try_get::<&[u8], _>("key_hash")?.try_into().map_err(|_| StoreError::corrupt())?;
                under.insert(key, value);
            }
        }
        if self.in_transaction {
            for key in asked.iter().filter(|key| !under.contains_key(*key)) {
                self.behind.found((shelf.number(), *key), None);
            }
        }
        Ok(names.iter().map(|(_, key)| under.get(key).cloned()).collect())
    }

    pub(super) async fn these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        if ns.iter().any(|n| self.behind.waits(*n).is_some()) {
            self.hand_over().await?;
        }
        let found =
            sqlx::query("SELECT * FROM entry WHERE shelf = $1 AND n IN (SELECT value FROM json_each($2)) ORDER BY n")
                .bind(shelf.number())
                .bind(numbers(ns))
                .fetch_all(&mut self.connection)
                .await?;
        self.read_all(shelf, &found).await
    }

    pub(super) async fn list(
        &mut self,
        shelf: Shelf,
        group: &[u8],
        after_n: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let group = self.group_hash(shelf, group);
        self.hand_over_group((shelf.number(), group)).await?;
        let found =
            sqlx::query("SELECT * FROM entry WHERE shelf = $1 AND group_hash = $2 AND n > $3 ORDER BY n LIMIT $4")
                .bind(shelf.number())
                .bind(&group[..])
                .bind(after_n)
                .bind(i64::from(limit))
                .fetch_all(&mut self.connection)
                .await?;
        self.read_all(shelf, &found).await
    }

    pub(super) async fn all(&mut self, shelf: Shelf, limit: u32) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.hand_over().await?;
        let found = sqlx::query("SELECT * FROM entry WHERE shelf = $1 ORDER BY n LIMIT $2")
            .bind(shelf.number())
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await?;
        self.read_all(shelf, &found).await
    }

    async fn read_one(&mut self, shelf: Shelf, found: Option<SqliteRow>) -> Result<Option<Vec<u8>>, StoreError> {
        match found {
            None => Ok(None),
            Some(row) => Ok(Some(self.unseal(shelf, &row).await?.1)),
        }
    }

    async fn read_all(&mut self, shelf: Shelf, found: &[SqliteRow]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        // Of many cases all keys at once: each is a statement otherwise.
        let mut unknown = BTreeSet::new();
        for row in found {
            let case: Option<&[u8]> = row.try_get("case_hash")?;
            unknown.extend(
                case.and_then(|case| case.try_into().ok()).filter(|case: &[u8; 32]| !self.cases.contains_key(case)),
            );
        }
        if unknown.len() > KEYS_BY_THEMSELVES {
            self.load_all_case_keys().await?;
        }
        let mut values = Vec::with_capacity(found.len());
        for row in found {
            values.push(self.unseal(shelf, row).await?);
        }
        Ok(values)
    }

    pub(super) async fn count(&mut self, shelf: Shelf) -> Result<u64, StoreError> {
        self.hand_over().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM entry WHERE shelf = $1")
            .bind(shelf.number())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(count.unsigned_abs())
    }

    pub(super) async fn remove(&mut self, shelf: Shelf, key: &[u8]) -> Result<bool, StoreError> {
        let name = (shelf.number(), self.key_hash(shelf, key));
        let Some(standing) = self.standing(name).await? else { return Ok(false) };
        self.remove_behind(name, standing).await?;
        Ok(true)
    }

    pub(super) async fn remove_these(&mut self, shelf: Shelf, ns: &[i64]) -> Result<u64, StoreError> {
        self.hand_over_and_forget().await?;
        let removed = sqlx::query("DELETE FROM entry WHERE shelf = $1 AND n IN (SELECT value FROM json_each($2))")
            .bind(shelf.number())
            .bind(numbers(ns))
            .execute(&mut self.connection)
            .await?;
        Ok(removed.rows_affected())
    }

    pub(super) async fn remove_group(&mut self, shelf: Shelf, group: &[u8]) -> Result<u64, StoreError> {
        let group = self.group_hash(shelf, group);
        self.hand_over_and_forget().await?;
        let removed = sqlx::query("DELETE FROM entry WHERE shelf = $1 AND group_hash = $2")
            .bind(shelf.number())
            .bind(&group[..])
            .execute(&mut self.connection)
            .await?;
        Ok(removed.rows_affected())
    }

    pub(super) async fn purge_case(&mut self, case: CaseId) -> Result<u64, StoreError> {
        let case = self.case_hash(case);
        self.hand_over_and_forget().await?;
        let removed =
            sqlx::query("DELETE FROM entry WHERE case_hash = $1").bind(&case[..]).execute(&mut self.connection).await?;
        sqlx::query("DELETE FROM case_key WHERE case_hash = $1").bind(&case[..]).execute(&mut self.connection).await?;
        self.cases.remove(&case);
        self.purged = true;
        Ok(removed.rows_affected())
    }

    pub(super) async fn purge_cases_but(&mut self, kept: &[CaseId]) -> Result<u64, StoreError> {
        let kept: Vec<_> = kept.iter().map(|case| self.case_hash(*case)).collect();
        self.hand_over_and_forget().await?;
        let sql = "SELECT case_hash FROM case_key UNION SELECT case_hash FROM entry WHERE case_hash IS NOT NULL";
        let cases: Vec<Vec<u8>> = sqlx::query_scalar(sql).fetch_all(&mut self.connection).await?;
        let mut values = 0;
        for case in cases.into_iter().filter(|case| !kept.iter().any(|kept| kept[..] == case[..])) {
            let removed =
                sqlx::query("DELETE FROM entry WHERE case_hash = $1").bind(&case).execute(&mut self.connection).await?;
            sqlx::query("DELETE FROM case_key WHERE case_hash = $1").bind(&case).execute(&mut self.connection).await?;
            values += removed.rows_affected();
            self.purged = true;
        }
        self.forget_cases();
        Ok(values)
    }
}
