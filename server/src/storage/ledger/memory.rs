//! The ledger in memory: for simulation, which replays byte for byte as no database does.
//!
//! Nothing is sealed, nothing waits, and it needs no [`Storage`](crate::storage::Storage). Held to the same contract
//! suite as the one that serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::access::Relation;
use sync_core::domain::signoff::State;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Hash, QuarantineId};
use sync_core::protocol::Verdict;

use super::faults::Faults;
use super::{
    AskRow, CarryRow, CaseRow, ChangeRow, CommissionRow, CommitError, Counted, DocumentRow, Ledger, News, Number,
    PhotoRow, Plan, PrescriptionRow, QuarantineRow, RelationRow, SignedRow, WITHHELD, Write,
};
use crate::storage::StorageError;

/// A ledger that ends with its process. Clones are handles of the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(Arc<Mutex<Tables>>, Arc<Faults>);

/// A place in the ledger: of a plan, and of a row within it.
type Spot = (Number, i64);

/// Rows by their key, and what they were before the plan that is being written.
#[derive(Debug)]
struct Table<K, V> {
    rows: BTreeMap<K, V>,
    before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), before: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    fn set(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.before.push((key, before));
    }

    fn remove(&mut self, key: &K) {
        let before = self.rows.remove(key);
        self.before.push((key.clone(), before));
    }

    /// Adds what must be new.
    fn add(&mut self, key: K, value: V) -> Result<(), CommitError> {
        if self.rows.contains_key(&key) {
            return Err(CommitError::Moved);
        }
        self.set(key, value);
        Ok(())
    }

    fn settle(&mut self, keep: bool) {
        for (key, before) in self.before.drain(..).rev() {
            match before {
                _ if keep => {}
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty,)*) => {
        #[derive(Debug, Default)]
        struct Tables {
            end: Number,
            $($(#[$doc])* $name: Table<$key, $value>,)*
        }

        impl Tables {
            /// Ends a plan: what it wrote stays, or all is as it was before.
            fn settle(&mut self, keep: bool) {
                $(self.$name.settle(keep);)*
            }
        }
    };
}

tables! {
    cases: CaseId => CaseRow,
    relations: (CaseId, AccountId, Relation) => RelationRow,
    commissions: CommissionId => CommissionRow,
    documents: DocumentId => DocumentRow,
    snapshots: DocumentId => (i64, Vec<u8>),
    /// The order of the changes.
    order: Spot => (DocumentId, Hash),
    changes: (DocumentId, Hash) => (Spot, ChangeRow),
    prescriptions: DocumentId => PrescriptionRow,
    signed: (DocumentId, u32) => SignedRow,
    quarantine: QuarantineId => (Spot, QuarantineRow),
    asks: AskId => (Spot, AskRow),
    photos: (DocumentId, Hash) => (Spot, PhotoRow),
    carries: (DeviceId, Option<DocumentId>, CaseId) => Number,
    touches: (Number, CaseId) => (),
}

impl Tables {
    fn commit(&mut self, plan: Plan) -> Result<Number, CommitError> {
        if plan.writes.is_empty() {
            return Ok(self.end);
        }
        let (n, mut place) = (self.end + 1, 0);
        let written = plan.writes.into_iter().try_for_each(|write| self.write(write, n, &mut place));
        self.settle(written.is_ok());
        written?;
        self.end = n;
        Ok(n)
    }

    fn touch(&mut self, n: Number, case: CaseId) {
        self.touches.set((n, case), ());
    }

    fn write(&mut self, write: Write, n: Number, place: &mut i64) -> Result<(), CommitError> {
        *place += 1;
        let spot = (n, *place);
        match write {
            Write::Case(mut row) => {
                if self.cases.rows.get(&row.case).map_or(0, |here| here.version) != row.version {
                    return Err(CommitError::Moved);
                }
                let taken = |other: &CaseRow| other.case != row.case && other.reference == row.reference;
                if row.reference.is_some() && self.cases.rows.values().any(taken) {
                    return Err(CommitError::Moved);
                }
                row.version += 1;
                self.touch(n, row.case);
                self.cases.set(row.case, row);
            }
            Write::Relation(row) => {
                if let Some(mut case) = self.cases.rows.get(&row.case).cloned() {
                    case.version += 1;
                    self.cases.set(row.case, case);
                }
                self.touch(n, row.case);
                self.relations.set((row.case, row.account, row.relation), row);
            }
            Write::Commission(row) => self.commissions.set(row.commission, row),
            Write::Document(row) => {
                let authors = row.authors.iter().fold(Vec::new(), |mut once: Vec<AccountId>, author| {
                    if !once.contains(author) {
                        once.push(*author);
                    }
                    once
                });
                self.touch(n, row.case);
                self.documents.add(row.document, DocumentRow { authors, ..row })?;
            }
            Write::Append { document, case, version, device, account, changes, heads, snapshot, .. } => {
                // The envelope and when it came are proof for later; nothing reads them here.
                let mut row = self.documents.rows.get(&document).cloned().ok_or(CommitError::Moved)?;
                if row.version != version || row.case != case {
                    return Err(CommitError::Moved);
                }
                row.version += 1;
                row.heads = heads;
                self.snapshots.set(document, (row.version, snapshot));
                self.documents.set(document, row);
                for (hash, bytes) in changes {
                    if self.changes.rows.contains_key(&(document, hash)) {
                        continue;
                    }
                    *place += 1;
                    let spot = (n, *place);
                    self.order.set(spot, (document, hash));
                    let change = ChangeRow { hash, document, device, account, n, bytes };
                    self.changes.set((document, hash), (spot, change));
                }
            }
            Write::Author { document, account } => {
                let mut row = self.documents.rows.get(&document).cloned().ok_or(CommitError::Moved)?;
                if !row.authors.contains(&account) {
                    row.authors.push(account);
                }
                self.touch(n, row.case);
                self.documents.set(document, row);
            }
            Write::Prescription(mut row) => {
                let here = self.prescriptions.rows.get(&row.document);
                if here.map_or(0, |here| here.version) != row.version || here.is_some_and(|here| here.case != row.case)
                {
                    return Err(CommitError::Moved);
                }
                row.version += 1;
                self.touch(n, row.case);
                self.prescriptions.set(row.document, row);
            }
            Write::Signed(row) => {
                self.touch(n, row.case);
                self.signed.add((row.document, row.number), row)?;
            }
            Write::Standing { document, number, standing } => {
                let row = self.signed.rows.get(&(document, number)).cloned().ok_or(CommitError::Moved)?;
                self.touch(n, row.case);
                self.signed.set((document, number), SignedRow { standing, ..row });
            }
            Write::Quarantine(row) => self.quarantine.add(row.quarantine, (spot, row))?,
            Write::Ask(row) => {
                if row.decides.is_some() {
                    self.touch(n, row.case);
                }
                self.asks.add(row.ask, (spot, AskRow { n, ..row }))?;
            }
            Write::Photo(row) => {
                let key = (row.document, row.hash);
                if !self.photos.rows.contains_key(&key) {
                    self.touch(n, row.case);
                    self.photos.set(key, (spot, row));
                }
            }
            Write::Carry(row) => self.carries.set((row.device, row.document, row.case), n),
            Write::Withhold { device, case, document } => {
                for key in self.carried_of(device, case, document) {
                    self.carries.set(key, WITHHELD);
                }
            }
            Write::Uncarry { device, case, document } => {
                for key in self.carried_of(device, case, document) {
                    self.carries.remove(&key);
                }
            }
            Write::Touch(case) => self.touch(n, case),
            Write::Expect { of, version } => {
                let stands = match of {
                    Counted::Case(case) => self.cases.rows.get(&case).map(|row| row.version),
                    Counted::Document(document) => self.documents.rows.get(&document).map(|row| row.version),
                    Counted::Prescription(document) => self.prescriptions.rows.get(&document).map(|row| row.version),
                };
                if stands != Some(version) {
                    return Err(CommitError::Moved);
                }
            }
        }
        Ok(())
    }

    /// The keys of what a device carries of a case, or of one document of it.
    fn carried_of(
        &self,
        device: DeviceId,
        case: CaseId,
        document: Option<DocumentId>,
    ) -> Vec<(DeviceId, Option<DocumentId>, CaseId)> {
        let of = |key: &&(DeviceId, Option<DocumentId>, CaseId)| {
            key.0 == device && key.2 == case && (document.is_none() || key.1 == document)
        };
        self.carries.rows.keys().filter(of).copied().collect()
    }

    fn carries(&self, device: DeviceId, document: DocumentId) -> bool {
        let (first, last) = (CaseId::from_bytes([0; 16]), CaseId::from_bytes([u8::MAX; 16]));
        self.carries.rows.range((device, Some(document), first)..=(device, Some(document), last)).next().is_some()
    }

    fn news(&self, device: DeviceId, after: Number, most: usize) -> News {
        let most = most.max(1);
        let mut news = News { until: self.end, ..News::default() };
        for key in self.order.rows.range((after.saturating_add(1), 0)..).map(|(_, key)| key) {
            let Some((_, change)) = self.changes.rows.get(key) else { continue };
            if change.device == device || !self.carries(device, change.document) {
                continue;
            }
            // A page ends between plans only.
            match news.changes.last() {
                Some(last) if news.changes.len() >= most && last.n < change.n => {
                    (news.until, news.more) = (last.n, true);
                    break;
                }
                _ => news.changes.push(change.clone()),
            }
        }
        let first = CaseId::from_bytes([0; 16]);
        let touches = self.touches.rows.range((after.saturating_add(1), first)..).map(|(key, ())| *key);
        let touched = touches.take_while(|(n, _)| *n <= news.until).map(|(_, case)| case);
        news.touched = touched.filter(|case| self.carries.rows.contains_key(&(device, None, *case))).collect();
        news.touched.sort_unstable();
        news.touched.dedup();
        news
    }
}

/// The values in the order of their places.
fn by_place<V: Clone>(mut rows: Vec<&(Spot, V)>) -> Vec<V> {
    rows.sort_by_key(|(spot, _)| *spot);
    rows.into_iter().map(|(_, row)| row.clone()).collect()
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is to go wrong with its commits.
    pub fn faults(&self) -> &Faults {
        &self.1
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Whoever panicked in here left at most an unfinished plan, which the next one's end would settle wrongly:
        // take it back first.
        self.0.lock().unwrap_or_else(|poisoned: PoisonError<MutexGuard<'_, Tables>>| {
            let mut tables = poisoned.into_inner();
            tables.settle(false);
            tables
        })
    }
}

impl Ledger for MemoryLedger {
    async fn case(&self, case: CaseId) -> Result<Option<CaseRow>, StorageError> {
        Ok(self.tables().cases.rows.get(&case).cloned())
    }

    async fn case_by_reference(&self, reference: &str) -> Result<Option<CaseRow>, StorageError> {
        let tables = self.tables();
        Ok(tables.cases.rows.values().find(|row| row.reference.as_deref() == Some(reference)).cloned())
    }

    async fn cases(&self) -> Result<Vec<CaseRow>, StorageError> {
        let mut cases: Vec<CaseRow> = self.tables().cases.rows.values().cloned().collect();
        cases.sort_by_key(|row| (row.created, row.case));
        Ok(cases)
    }

    async fn relations_to(&self, case: CaseId) -> Result<Vec<RelationRow>, StorageError> {
        Ok(self.tables().relations.rows.values().filter(|row| row.case == case).cloned().collect())
    }

    async fn relations_of(&self, account: AccountId) -> Result<Vec<RelationRow>, StorageError> {
        Ok(self.tables().relations.rows.values().filter(|row| row.account == account).cloned().collect())
    }

    async fn commission(&self, commission: CommissionId) -> Result<Option<CommissionRow>, StorageError> {
        Ok(self.tables().commissions.rows.get(&commission).cloned())
    }

    async fn document(&self, document: DocumentId) -> Result<Option<DocumentRow>, StorageError> {
        Ok(self.tables().documents.rows.get(&document).cloned())
    }

    async fn documents_of(&self, case: CaseId) -> Result<Vec<DocumentRow>, StorageError> {
        Ok(self.tables().documents.rows.values().filter(|row| row.case == case).cloned().collect())
    }

    async fn snapshot(&self, document: DocumentId) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        Ok(self.tables().snapshots.rows.get(&document).cloned())
    }

    async fn changes(&self, document: DocumentId) -> Result<Vec<ChangeRow>, StorageError> {
        let tables = self.tables();
        let (first, last) = (Hash::from_bytes([0; 32]), Hash::from_bytes([u8::MAX; 32]));
        Ok(by_place(tables.changes.rows.range((document, first)..=(document, last)).map(|(_, row)| row).collect()))
    }

    async fn prescription(&self, document: DocumentId) -> Result<Option<PrescriptionRow>, StorageError> {
        Ok(self.tables().prescriptions.rows.get(&document).cloned())
    }

    async fn prescriptions_of(&self, case: CaseId) -> Result<Vec<PrescriptionRow>, StorageError> {
        Ok(self.tables().prescriptions.rows.values().filter(|row| row.case == case).cloned().collect())
    }

    async fn submitted(&self) -> Result<Vec<PrescriptionRow>, StorageError> {
        let waits =
            |row: &&PrescriptionRow| matches!(row.state, State::Submitted { .. } | State::AwaitingPhotos { .. });
        let mut rows: Vec<PrescriptionRow> = self.tables().prescriptions.rows.values().filter(waits).cloned().collect();
        rows.sort_by_key(|row| (row.submitted.map(|(_, at)| at), row.document));
        Ok(rows)
    }

    async fn signed(&self, document: DocumentId) -> Result<Vec<SignedRow>, StorageError> {
        let tables = self.tables();
        Ok(tables.signed.rows.range((document, 0)..=(document, u32::MAX)).map(|(_, row)| row.clone()).collect())
    }

    async fn ask(&self, ask: AskId) -> Result<Option<AskRow>, StorageError> {
        Ok(self.tables().asks.rows.get(&ask).map(|(_, row)| row.clone()))
    }

    async fn decided(&self, case: CaseId) -> Result<Vec<AskRow>, StorageError> {
        let tables = self.tables();
        let shown = |(_, row): &&(Spot, AskRow)| row.case == case && row.decides.is_some();
        Ok(by_place(tables.asks.rows.values().filter(shown).collect()))
    }

    async fn verdicts_of(&self, account: AccountId, after: Number) -> Result<Vec<Verdict>, StorageError> {
        let tables = self.tables();
        let new = |(_, row): &&(Spot, AskRow)| row.account == account && row.n > after;
        let asks = by_place(tables.asks.rows.values().filter(new).collect());
        Ok(asks.into_iter().map(|row| row.verdict).collect())
    }

    async fn quarantine(&self, case: Option<CaseId>) -> Result<Vec<QuarantineRow>, StorageError> {
        let tables = self.tables();
        let wanted = |(_, row): &&(Spot, QuarantineRow)| case.is_none_or(|case| row.case == case);
        let mut rows = by_place(tables.quarantine.rows.values().filter(wanted).collect());
        rows.reverse();
        Ok(rows)
    }

    async fn photo(&self, document: DocumentId, hash: Hash) -> Result<Option<PhotoRow>, StorageError> {
        Ok(self.tables().photos.rows.get(&(document, hash)).map(|(_, row)| *row))
    }

    async fn photos_of(&self, document: DocumentId) -> Result<Vec<PhotoRow>, StorageError> {
        let tables = self.tables();
        Ok(by_place(tables.photos.rows.values().filter(|(_, row)| row.document == document).collect()))
    }

    async fn documents_carried(&self, device: DeviceId) -> Result<Vec<DocumentRow>, StorageError> {
        let tables = self.tables();
        let carried = |row: &&DocumentRow| tables.carries(device, row.document);
        let mut rows: BTreeMap<DocumentId, DocumentRow> =
            tables.documents.rows.values().filter(carried).map(|row| (row.document, row.clone())).collect();
        let about: Vec<DocumentId> = rows.values().filter_map(|row| row.about).collect();
        rows.extend(about.into_iter().filter_map(|id| Some((id, tables.documents.rows.get(&id)?.clone()))));
        Ok(rows.into_values().collect())
    }

    async fn carried(&self, device: DeviceId) -> Result<Vec<CarryRow>, StorageError> {
        let tables = self.tables();
        let rows = tables.carries.rows.iter().filter(|((of, ..), _)| *of == device);
        let mut rows: Vec<CarryRow> =
            rows.map(|(&(device, document, case), &n)| CarryRow { device, case, document, n }).collect();
        rows.sort_unstable();
        Ok(rows)
    }

    async fn news(&self, device: DeviceId, after: Number, most: usize) -> Result<News, StorageError> {
        Ok(self.tables().news(device, after, most))
    }

    async fn end(&self) -> Result<Number, StorageError> {
        Ok(self.tables().end)
    }

    async fn commit(&self, plan: Plan) -> Result<Number, CommitError> {
        self.1.around(|| self.tables().commit(plan))
    }
}
