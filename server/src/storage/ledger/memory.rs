//! The ledger in memory: for simulation, which replays byte for byte as no database does.
//!
//! Nothing is sealed, nothing waits, and it needs no [`Storage`](crate::storage::Storage). Held to the same contract
//! suite as the one that serves. A [slow](MemoryLedger::slow) one writes plans out of the order of their numbers, as
//! PostgreSQL may: what reads it looks no further than the first number that is still to come.

mod aside;
mod audit;
mod coming;
mod feed;
mod table;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::domain::signoff::State;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Epoch, Hash, Heads, QuarantineId};
use sync_core::protocol::Verdict;
use sync_core::protocol::sync::Choice;

use self::coming::Coming;
use self::table::Table;
use super::faults::Faults;
use super::{
    AsideRow, AskRow, BackupRow, Carried, CarryRow, CaseRow, ChangeRow, CommissionRow, CommitError, Counted,
    DocumentRow, Ledger, News, Number, PhotoRow, Plan, PrescriptionRow, Pulse, PurgeRow, QuarantineRow, RelationRow,
    SignOffRow, SignedRow, Since, WITHHELD, Write,
};
use crate::storage::StorageError;
use crate::storage::audit::{Entry, Sought};

/// A ledger that ends with its process. Clones are handles of the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    tables: Arc<Mutex<Tables>>,
    /// How many turns of others a plan waits between taking its number and being written.
    turns: Option<fn(Number) -> u32>,
    faults: Arc<Faults>,
}

/// A place in the ledger: of a plan, and of a row within it.
type Spot = (Number, i64);

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty,)*) => {
        #[derive(Debug, Default)]
        struct Tables {
            /// The last number that was taken.
            last: Number,
            /// Numbers that were taken by plans that are still to be written.
            coming: BTreeSet<Number>,
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
    frames: DocumentId => (i64, Vec<u8>),
    /// The order of the changes.
    order: Spot => (DocumentId, Hash),
    changes: (DocumentId, Hash) => (Spot, ChangeRow),
    prescriptions: DocumentId => PrescriptionRow,
    sign_offs: AskId => (Spot, SignOffRow),
    signed: (DocumentId, u32) => SignedRow,
    quarantine: QuarantineId => (Spot, QuarantineRow),
    asks: AskId => (Spot, AskRow),
    photos: (DocumentId, Hash) => (Spot, PhotoRow),
    /// The last day on which a device brought something, and how many bytes.
    brought: DeviceId => (i64, u64),
    /// The last day on which an account asked something at the API, and how many bytes.
    asked: AccountId => (i64, u64),
    /// The places at which relations were last written.
    ties: (CaseId, AccountId, Relation) => Number,
    carries: (DeviceId, Option<DocumentId>, CaseId) => Carried,
    chosen: (DeviceId, CaseId) => bool,
    /// The newest backups, and where they were recorded.
    backups: Epoch => (Number, BackupRow),
    purges: (DeviceId, CaseId, Option<DocumentId>, Vec<u8>) => (Spot, PurgeRow),
    audit: u64 => (Hash, Entry),
}

impl Tables {
    /// Where the ledger ends: the last number behind which none is still to come.
    fn end(&self) -> Number {
        self.coming.first().map_or(self.last, |first| first - 1)
    }

    /// Writes a plan at a place that it has, or at the next one if it is written.
    fn commit(&mut self, plan: Plan, has: Option<Number>) -> Result<Number, CommitError> {
        let (n, mut place) = (has.unwrap_or(self.last + 1), 0);
        // First, so that what ties somebody to the case is what tied them when they did it.
        self.log(&plan);
        let written = plan.writes.into_iter().try_for_each(|write| self.write(write, n, &mut place));
        self.settle(written.is_ok());
        self.coming.remove(&n);
        written?;
        self.last = self.last.max(n);
        Ok(n)
    }

    /// Sets rows of what is carried anew.
    fn recarry(&mut self, of: impl Fn(&Carried) -> bool, anew: impl Fn(&mut Carried)) {
        let found: Vec<_> =
            self.carries.rows.iter().filter(|(_, row)| of(row)).map(|(key, row)| (*key, *row)).collect();
        for (key, mut row) in found {
            anew(&mut row);
            self.carries.set(key, row);
        }
    }

    fn touch(&mut self, n: Number, case: CaseId) {
        let card = |row: &Carried| row.row.case == case && row.row.document.is_none();
        self.recarry(card, |row| row.touched = row.touched.max(n));
    }

    /// Whether cards of a case show what documents say.
    fn shows(&self, case: CaseId) -> bool {
        let released = self.cases.rows.get(&case).is_some_and(|row| row.released.is_some());
        released || self.signed.rows.values().any(|row| row.case == case)
    }

    fn carry(&mut self, row: CarryRow, shown: Option<Hash>) {
        let key = (row.device, row.document, row.case);
        let touched = self.carries.rows.get(&key).map_or(0, |before| before.touched);
        self.carries.set(key, Carried { row, touched, shown, reason: None });
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
                self.ties.set((row.case, row.account, row.relation), n);
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
                let mut new = false;
                for (hash, bytes) in changes {
                    if self.changes.rows.contains_key(&(document, hash)) {
                        continue;
                    }
                    *place += 1;
                    let spot = (n, *place);
                    self.order.set(spot, (document, hash));
                    let change = ChangeRow { hash, document, device, account, n, bytes };
                    self.changes.set((document, hash), (spot, change));
                    new = true;
                }
                if new {
                    let others = |row: &Carried| row.row.document == Some(document) && row.row.device != device;
                    self.recarry(others, |row| row.touched = row.touched.max(n));
                }
            }
            Write::Frame { document, version, packed, .. } => {
                if self.frames.rows.get(&document).is_none_or(|(kept, _)| *kept < version) {
                    self.frames.set(document, (version, packed));
                }
            }
            Write::Author { document, account, .. } => {
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
                if let Some(case) = self.cases.rows.get(&row.case).filter(|_| row.version == 0).cloned() {
                    self.cases.set(row.case, CaseRow { version: case.version + 1, ..case });
                }
                row.version += 1;
                self.touch(n, row.case);
                self.prescriptions.set(row.document, row);
            }
            Write::SignOff(row) => {
                self.touch(n, row.case);
                self.sign_offs.add(row.ask, (spot, row))?;
            }
            Write::Signed(row) => {
                self.touch(n, row.case);
                self.signed.add((row.document, row.number), row)?;
            }
            Write::Standing { document, number, standing, .. } => {
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
            Write::Carry(row) => self.carry(CarryRow { n, ..row }, None),
            Write::Card { device, case, shown } => {
                self.carry(CarryRow { device, case, document: None, n }, Some(shown));
            }
            Write::Withhold { device, case, document, reason } => {
                self.recarry(
                    |row| within(&row.row, device, case, document) && row.row.n != WITHHELD,
                    |row| (row.row.n, row.reason) = (WITHHELD, Some(reason)),
                );
            }
            Write::Uncarry { device, case, document } => {
                let rows = self.carries.rows.iter();
                let found = rows.filter(|(_, row)| within(&row.row, device, case, document)).map(|(key, _)| *key);
                for key in found.collect::<Vec<_>>() {
                    self.carries.remove(&key);
                }
                if document.is_none() {
                    self.chosen.remove(&(device, case));
                }
            }
            // Summed at every reading.
            Write::Resum(_) => {}
            Write::Choose { device, choice } => self.chosen.set((device, choice.case), choice.carry),
            Write::Backup(row) => {
                let known = self.backups.rows.get(&row.epoch).map_or(0, |(_, known)| known.up_to);
                if row.up_to < known || row.up_to > self.end() {
                    return Err(CommitError::Moved);
                }
                self.backups.set(row.epoch, (n, row));
            }
            Write::Purged(row) => {
                let key = (row.device, row.case, row.document, row.signature.clone());
                if !self.purges.rows.contains_key(&key) {
                    self.purges.set(key, (spot, row));
                }
            }
            Write::Touch(case) => self.touch(n, case),
            Write::TouchShown(case) if self.shows(case) => self.touch(n, case),
            Write::TouchShown(_) => {}
            Write::Brought { device, bytes, at, most } => self.brought.count(device, (bytes, most), at)?,
            Write::Asked { account, bytes, at, most } => self.asked.count(account, (bytes, most), at)?,
            // Logged with the rest of its plan.
            Write::Act(_) => {}
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
}

/// Whether a row is of a case on a device, or of one document of it.
fn within(row: &CarryRow, device: DeviceId, case: CaseId, document: Option<DocumentId>) -> bool {
    row.device == device && row.case == case && (document.is_none() || row.document == document)
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

    /// An empty ledger in which a plan, once it has its number, lets others go first for so many turns of theirs: one
    /// with a higher number may be there before it.
    pub fn slow(turns: fn(Number) -> u32) -> Self {
        Self { turns: Some(turns), ..Self::default() }
    }

    /// What is to go wrong with its commits.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Whoever panicked in here left at most an unfinished plan: it is taken back first.
        self.tables.lock().unwrap_or_else(|poisoned: PoisonError<MutexGuard<'_, Tables>>| {
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

    async fn cases_of(&self, cases: &[CaseId]) -> Result<Vec<CaseRow>, StorageError> {
        Ok(self.tables().cases.rows.values().filter(|row| cases.contains(&row.case)).cloned().collect())
    }

    async fn relations_to(&self, cases: &[CaseId]) -> Result<Vec<RelationRow>, StorageError> {
        Ok(self.tables().relations.rows.values().filter(|row| cases.contains(&row.case)).cloned().collect())
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

    async fn documents(&self, documents: &[DocumentId]) -> Result<Vec<DocumentRow>, StorageError> {
        let tables = self.tables();
        let wanted: BTreeSet<&DocumentId> = documents.iter().collect();
        Ok(wanted.into_iter().filter_map(|document| tables.documents.rows.get(document)).cloned().collect())
    }

    async fn documents_of(&self, cases: &[CaseId]) -> Result<Vec<DocumentRow>, StorageError> {
        Ok(self.tables().documents.rows.values().filter(|row| cases.contains(&row.case)).cloned().collect())
    }

    async fn snapshot(&self, document: DocumentId) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        Ok(self.tables().snapshots.rows.get(&document).cloned())
    }

    async fn frames_of(&self, cases: &[CaseId]) -> Result<Vec<(DocumentId, Heads, Vec<u8>)>, StorageError> {
        let tables = self.tables();
        let documents = tables.documents.rows.values().filter(|row| cases.contains(&row.case));
        let frame = |row: &DocumentRow| {
            let (version, packed) = tables.frames.rows.get(&row.document)?;
            (*version == row.version).then(|| (row.document, row.heads.clone(), packed.clone()))
        };
        Ok(documents.filter_map(frame).collect())
    }

    async fn changes(&self, document: DocumentId, after: Number) -> Result<Vec<ChangeRow>, StorageError> {
        let tables = self.tables();
        let (first, last) = (Hash::from_bytes([0; 32]), Hash::from_bytes([u8::MAX; 32]));
        let rows = tables.changes.rows.range((document, first)..=(document, last)).map(|(_, row)| row);
        Ok(by_place(rows.filter(|(_, row)| row.n > after).collect()))
    }

    async fn prescription(&self, document: DocumentId) -> Result<Option<PrescriptionRow>, StorageError> {
        Ok(self.tables().prescriptions.rows.get(&document).cloned())
    }

    async fn prescriptions_of(&self, cases: &[CaseId]) -> Result<Vec<PrescriptionRow>, StorageError> {
        Ok(self.tables().prescriptions.rows.values().filter(|row| cases.contains(&row.case)).cloned().collect())
    }

    async fn submitted(&self) -> Result<Vec<PrescriptionRow>, StorageError> {
        let waits =
            |row: &&PrescriptionRow| matches!(row.state, State::Submitted { .. } | State::AwaitingPhotos { .. });
        let mut rows: Vec<PrescriptionRow> = self.tables().prescriptions.rows.values().filter(waits).cloned().collect();
        rows.sort_by_key(|row| (row.submitted.map(|(_, at)| at), row.document));
        Ok(rows)
    }

    async fn sign_offs(&self, document: DocumentId) -> Result<Vec<SignOffRow>, StorageError> {
        let tables = self.tables();
        Ok(by_place(tables.sign_offs.rows.values().filter(|(_, row)| row.document == document).collect()))
    }

    async fn signed(&self, document: DocumentId) -> Result<Vec<SignedRow>, StorageError> {
        let tables = self.tables();
        Ok(tables.signed.rows.range((document, 0)..=(document, u32::MAX)).map(|(_, row)| row.clone()).collect())
    }

    async fn ask(&self, ask: AskId) -> Result<Option<AskRow>, StorageError> {
        Ok(self.tables().asks.rows.get(&ask).map(|(_, row)| row.clone()))
    }

    async fn asks(&self, after: Number, most: usize) -> Result<Vec<AskRow>, StorageError> {
        let tables = self.tables();
        let behind = by_place(tables.asks.rows.values().filter(|(_, row)| row.n > after).collect());
        let last = most.checked_sub(1).and_then(|at| behind.get(at).or(behind.last())).map_or(after, |row| row.n);
        Ok(behind.into_iter().take_while(|row| row.n <= last).collect())
    }

    async fn decided(&self, cases: &[CaseId]) -> Result<Vec<AskRow>, StorageError> {
        let tables = self.tables();
        let shown = |(_, row): &&(Spot, AskRow)| cases.contains(&row.case) && row.decides.is_some();
        Ok(by_place(tables.asks.rows.values().filter(shown).collect()))
    }

    async fn decided_on(&self, document: DocumentId) -> Result<Vec<AskRow>, StorageError> {
        let tables = self.tables();
        Ok(by_place(tables.asks.rows.values().filter(|(_, row)| row.decides == Some(document)).collect()))
    }

    async fn verdicts_of(&self, account: AccountId, after: Number, most: usize) -> Result<Vec<Verdict>, StorageError> {
        let tables = self.tables();
        let new = |(_, row): &&(Spot, AskRow)| row.account == account && row.n > after;
        let asks = by_place(tables.asks.rows.values().filter(new).collect());
        let older = asks.len().saturating_sub(most);
        Ok(asks.into_iter().skip(older).map(|row| row.verdict).collect())
    }

    async fn told(&self, before: Option<AskId>, most: usize) -> Result<Vec<AskRow>, StorageError> {
        Ok(self.tables().told(before, most))
    }

    async fn set_aside(&self, before: Option<QuarantineId>, most: usize) -> Result<Vec<AsideRow>, StorageError> {
        Ok(self.tables().set_aside(before, most))
    }

    async fn quarantine(&self, case: Option<CaseId>) -> Result<Vec<QuarantineRow>, StorageError> {
        let tables = self.tables();
        let wanted = |(_, row): &&(Spot, QuarantineRow)| case.is_none_or(|case| row.case == case);
        let mut rows = by_place(tables.quarantine.rows.values().filter(wanted).collect());
        rows.reverse();
        Ok(rows)
    }

    async fn purges(&self, case: CaseId) -> Result<Vec<PurgeRow>, StorageError> {
        Ok(by_place(self.tables().purges.rows.values().filter(|(_, row)| row.case == case).collect()))
    }

    async fn photo(&self, document: DocumentId, hash: Hash) -> Result<Option<PhotoRow>, StorageError> {
        Ok(self.tables().photos.rows.get(&(document, hash)).map(|(_, row)| *row))
    }

    async fn photos_of(&self, document: DocumentId) -> Result<Vec<PhotoRow>, StorageError> {
        let tables = self.tables();
        Ok(by_place(tables.photos.rows.values().filter(|(_, row)| row.document == document).collect()))
    }

    async fn carried(&self, device: DeviceId) -> Result<Vec<CarryRow>, StorageError> {
        let tables = self.tables();
        let rows = tables.carries.rows.values().filter(|row| row.row.device == device);
        let mut rows: Vec<CarryRow> = rows.map(|row| row.row).collect();
        rows.sort_unstable();
        Ok(rows)
    }

    async fn carried_of(&self, device: DeviceId, cases: &[CaseId]) -> Result<Vec<Carried>, StorageError> {
        let tables = self.tables();
        let rows = tables.carries.rows.values();
        let rows = rows.filter(|row| row.row.device == device && cases.contains(&row.row.case));
        let mut rows: Vec<Carried> = rows.copied().collect();
        rows.sort_unstable();
        Ok(rows)
    }

    async fn chosen(&self, device: DeviceId) -> Result<Vec<Choice>, StorageError> {
        let tables = self.tables();
        let rows = tables.chosen.rows.iter().filter(|((of, _), _)| *of == device);
        Ok(rows.map(|(&(_, case), &carry)| Choice { case, carry }).collect())
    }

    async fn pulse(
        &self,
        device: DeviceId,
        account: AccountId,
        since: Since,
        now: Timestamp,
    ) -> Result<Pulse, StorageError> {
        Ok(self.tables().pulse(device, account, since, now))
    }

    async fn documents_carried(&self, device: DeviceId) -> Result<(Number, Vec<(DocumentId, Heads)>), StorageError> {
        let tables = self.tables();
        Ok((tables.end(), tables.documents_carried(device).into_iter().collect()))
    }

    async fn news(&self, device: DeviceId, after: Number, most: usize) -> Result<News, StorageError> {
        Ok(self.tables().news(device, after, most))
    }

    async fn brought(&self, device: DeviceId, at: Timestamp) -> Result<u64, StorageError> {
        Ok(self.tables().brought.of_day(device, at))
    }

    async fn audited(&self, sought: &Sought, after: u64, most: usize) -> Result<Vec<Entry>, StorageError> {
        Ok(self.tables().audited(sought, after, most))
    }

    async fn end(&self) -> Result<Number, StorageError> {
        Ok(self.tables().end())
    }

    async fn commit(&self, plan: Plan) -> Result<Number, CommitError> {
        if plan.writes.is_empty() {
            return self.end().await.map_err(CommitError::from);
        }
        let Some(turns) = self.turns else {
            return self.faults.around(|| self.tables().commit(plan, None));
        };
        let coming = Coming::take(self);
        for _ in 0..turns(coming.n) {
            tokio::task::yield_now().await;
        }
        self.faults.around(|| self.tables().commit(plan, Some(coming.n)))
    }
}
