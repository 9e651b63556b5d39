//! The ledger in the database.
//!
//! One file per subject; [`group`] has the transaction. A plan first takes the ledger's next number, which is also what
//! plans queue on: numbers become visible in their order, in PostgreSQL too.

mod arrivals;
mod backups;
mod carries;
mod cases;
mod documents;
mod group;
mod listed;
mod prescriptions;
mod purges;
mod sealed;
mod sign_offs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Hash, Heads, QuarantineId};
use sync_core::protocol::sync::Choice;
use sync_core::protocol::{CarriedDigest, Verdict};

use super::{
    AsideRow, AskRow, Carried, CarryRow, CaseRow, ChangeRow, CommissionRow, CommitError, Counted, DocumentRow, Ledger,
    News, Number, PhotoRow, Plan, PrescriptionRow, Pulse, PurgeRow, QuarantineRow, RelationRow, SignOffRow, SignedRow,
    Since, Write,
};
use crate::storage::audit::{Entry, Sought};
use crate::storage::readers::Readers;
use crate::storage::{Storage, StorageError};

/// The ledger of one data folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqlLedger {
    storage: Storage,
}

impl Storage {
    /// The ledger that this folder holds.
    pub fn ledger(&self) -> SqlLedger {
        SqlLedger { storage: self.clone() }
    }
}

impl SqlLedger {
    fn readers(&self) -> &Readers {
        self.storage.readers()
    }

    /// Fetches the keys a plan seals with before anybody has to wait for the plan.
    async fn warm(&self, plan: &Plan) -> Result<(), StorageError> {
        let cases: BTreeSet<CaseId> = plan.writes.iter().filter_map(Write::seals).collect();
        for case in cases {
            self.storage.vault().case_key(case).await?;
        }
        Ok(())
    }
}

impl Write {
    /// The case whose key this is sealed with, as far as the write itself tells.
    fn seals(&self) -> Option<CaseId> {
        match self {
            Self::Commission(CommissionRow { case, .. })
            | Self::Append { case, .. }
            | Self::Frame { case, .. }
            | Self::Prescription(PrescriptionRow { case, .. })
            | Self::SignOff(SignOffRow { case, .. })
            | Self::Signed(SignedRow { case, .. })
            | Self::Quarantine(QuarantineRow { case, .. })
            | Self::Ask(AskRow { case, .. }) => Some(*case),
            Self::Case(_)
            | Self::Relation(_)
            | Self::Document(_)
            | Self::Author { .. }
            | Self::Standing { .. }
            | Self::Photo(_)
            | Self::Carry(_)
            | Self::Card { .. }
            | Self::Withhold { .. }
            | Self::Uncarry { .. }
            | Self::Resum(_)
            | Self::Choose { .. }
            | Self::Backup(_)
            | Self::Purged(_)
            | Self::Touch(_)
            | Self::TouchShown(_)
            | Self::Brought { .. }
            | Self::Asked { .. }
            | Self::Act(_)
            | Self::Expect { .. } => None,
        }
    }
}

pub(in crate::storage) use self::group::Queue;

/// A plan that is being written, in a transaction that other plans may share.
struct Writing<'a> {
    ledger: &'a SqlLedger,
    transaction: crate::storage::Write,
    /// The plan's place in the ledger.
    n: Number,
    /// Counts the plan's rows.
    place: i64,
    /// The sums of what devices carry, as far as this plan moves them.
    digests: BTreeMap<DeviceId, CarriedDigest>,
}

impl Writing<'_> {
    async fn expect(&mut self, of: Counted, version: i64) -> Result<(), CommitError> {
        let (sql, id) = match of {
            Counted::Case(case) => ("SELECT version FROM cases WHERE case_id = $1", case.to_string()),
            Counted::Document(document) => {
                ("SELECT version FROM documents WHERE document_id = $1", document.to_string())
            }
            Counted::Prescription(document) => {
                ("SELECT version FROM prescriptions WHERE document_id = $1", document.to_string())
            }
        };
        let stands: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(&mut *self.transaction).await?;
        if stands == Some(version) { Ok(()) } else { Err(CommitError::Moved) }
    }

    fn next_place(&mut self) -> i64 {
        self.place += 1;
        self.place
    }

    async fn write(&mut self, write: Write) -> Result<(), CommitError> {
        match write {
            Write::Case(row) => self.case(row).await,
            Write::Relation(row) => self.relation(row).await,
            Write::Commission(row) => self.commission(row).await,
            Write::Document(row) => self.document(row).await,
            Write::Append { document, case, version, device, account, envelope, changes, heads, snapshot, at } => {
                let push = documents::Append { document, case, version, device, account, at };
                self.append(push, envelope, changes, &heads, &snapshot).await
            }
            Write::Frame { document, case, version, packed } => self.frame((case, document), version, &packed).await,
            Write::Author { document, account, .. } => self.author(document, account).await,
            Write::Prescription(row) => self.prescription(row).await,
            Write::SignOff(row) => self.sign_off(row).await,
            Write::Signed(row) => self.signed(row).await,
            Write::Standing { document, number, standing, .. } => self.standing(document, number, &standing).await,
            Write::Quarantine(row) => self.quarantine(row).await,
            Write::Ask(row) => self.ask(row).await,
            Write::Photo(row) => self.photo(row).await,
            Write::Carry(row) => self.carry(vec![row]).await,
            Write::Card { device, case, shown } => self.card(device, case, shown).await,
            Write::Withhold { device, case, document, reason } => self.withhold((device, case), document, reason).await,
            Write::Uncarry { device, case, document } => self.uncarry(device, case, document).await,
            Write::Resum(device) => {
                let digest = self.summed(device).await?;
                self.digests.insert(device, digest);
                Ok(())
            }
            Write::Choose { device, choice } => self.choose(device, choice).await,
            Write::Backup(row) => self.backup(row).await,
            Write::Purged(row) => self.purged(row).await,
            Write::Touch(case) => self.touch(case).await,
            Write::TouchShown(case) => self.touch_shown(case).await,
            Write::Brought { device, bytes, at, most } => {
                let counted = self.ledger.storage.count_bytes(&mut self.transaction, device, (bytes, most), at).await?;
                if counted { Ok(()) } else { Err(CommitError::DayFull) }
            }
            Write::Asked { account, bytes, at, most } => self.asked(account, (bytes, most), at).await,
            // Logged with the rest of its plan.
            Write::Act(_) => Ok(()),
            Write::Expect { of, version } => self.expect(of, version).await,
        }
    }
}

/// What must be unique and is there already has moved meanwhile; any other error is storage's.
fn moved(error: sqlx::Error) -> CommitError {
    match error.as_database_error() {
        Some(inner) if inner.is_unique_violation() => CommitError::Moved,
        _ => StorageError::from(error).into(),
    }
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl Ledger for SqlLedger {
    async fn case(&self, case: CaseId) -> Result<Option<CaseRow>, StorageError> {
        cases::case(self, case).await
    }

    async fn case_by_reference(&self, reference: &str) -> Result<Option<CaseRow>, StorageError> {
        cases::case_by_reference(self, reference).await
    }

    async fn cases(&self) -> Result<Vec<CaseRow>, StorageError> {
        cases::cases(self).await
    }

    async fn cases_of(&self, cases: &[CaseId]) -> Result<Vec<CaseRow>, StorageError> {
        cases::cases_of(self, cases).await
    }

    async fn relations_to(&self, cases: &[CaseId]) -> Result<Vec<RelationRow>, StorageError> {
        cases::relations_to(self, cases).await
    }

    async fn relations_of(&self, account: AccountId) -> Result<Vec<RelationRow>, StorageError> {
        cases::relations_of(self, account).await
    }

    async fn commission(&self, commission: CommissionId) -> Result<Option<CommissionRow>, StorageError> {
        cases::commission(self, commission).await
    }

    async fn document(&self, document: DocumentId) -> Result<Option<DocumentRow>, StorageError> {
        documents::document(self, document).await
    }

    async fn documents(&self, documents: &[DocumentId]) -> Result<Vec<DocumentRow>, StorageError> {
        documents::documents(self, documents).await
    }

    async fn documents_of(&self, cases: &[CaseId]) -> Result<Vec<DocumentRow>, StorageError> {
        documents::documents_of(self, cases).await
    }

    async fn snapshot(&self, document: DocumentId) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        documents::snapshot(self, document).await
    }

    async fn frames_of(&self, cases: &[CaseId]) -> Result<Vec<(DocumentId, Heads, Vec<u8>)>, StorageError> {
        documents::frames_of(self, cases).await
    }

    async fn changes(&self, document: DocumentId, after: Number) -> Result<Vec<ChangeRow>, StorageError> {
        documents::changes(self, document, after).await
    }

    async fn prescription(&self, document: DocumentId) -> Result<Option<PrescriptionRow>, StorageError> {
        prescriptions::prescription(self, document).await
    }

    async fn prescriptions_of(&self, cases: &[CaseId]) -> Result<Vec<PrescriptionRow>, StorageError> {
        prescriptions::prescriptions_of(self, cases).await
    }

    async fn submitted(&self) -> Result<Vec<PrescriptionRow>, StorageError> {
        prescriptions::submitted(self).await
    }

    async fn sign_offs(&self, document: DocumentId) -> Result<Vec<SignOffRow>, StorageError> {
        sign_offs::sign_offs(self, document).await
    }

    async fn signed(&self, document: DocumentId) -> Result<Vec<SignedRow>, StorageError> {
        prescriptions::signed(self, document).await
    }

    async fn ask(&self, ask: AskId) -> Result<Option<AskRow>, StorageError> {
        arrivals::ask(self, ask).await
    }

    async fn asks(&self, after: Number, most: usize) -> Result<Vec<AskRow>, StorageError> {
        arrivals::asks(self, after, most).await
    }

    async fn decided(&self, cases: &[CaseId]) -> Result<Vec<AskRow>, StorageError> {
        arrivals::decided(self, cases).await
    }

    async fn decided_on(&self, document: DocumentId) -> Result<Vec<AskRow>, StorageError> {
        arrivals::decided_on(self, document).await
    }

    async fn verdicts_of(&self, account: AccountId, after: Number, most: usize) -> Result<Vec<Verdict>, StorageError> {
        arrivals::verdicts_of(self, account, after, most).await
    }

    async fn told(&self, before: Option<AskId>, most: usize) -> Result<Vec<AskRow>, StorageError> {
        arrivals::told(self, before, most).await
    }

    async fn set_aside(&self, before: Option<QuarantineId>, most: usize) -> Result<Vec<AsideRow>, StorageError> {
        arrivals::set_aside(self, before, most).await
    }

    async fn quarantine(&self, case: Option<CaseId>) -> Result<Vec<QuarantineRow>, StorageError> {
        arrivals::quarantine(self, case).await
    }

    async fn purges(&self, case: CaseId) -> Result<Vec<PurgeRow>, StorageError> {
        purges::purges(self, case).await
    }

    async fn photo(&self, document: DocumentId, hash: Hash) -> Result<Option<PhotoRow>, StorageError> {
        arrivals::photo(self, document, hash).await
    }

    async fn photos_of(&self, document: DocumentId) -> Result<Vec<PhotoRow>, StorageError> {
        arrivals::photos_of(self, document).await
    }

    async fn carried_of(&self, device: DeviceId, cases: &[CaseId]) -> Result<Vec<Carried>, StorageError> {
        carries::carried_of(self, device, cases).await
    }

    async fn chosen(&self, device: DeviceId) -> Result<Vec<Choice>, StorageError> {
        carries::chosen(self, device).await
    }

    async fn pulse(
        &self,
        device: DeviceId,
        account: AccountId,
        since: Since,
        now: Timestamp,
    ) -> Result<Pulse, StorageError> {
        carries::pulse(self, device, account, since, now).await
    }

    async fn documents_carried(&self, device: DeviceId) -> Result<(Number, Vec<(DocumentId, Heads)>), StorageError> {
        carries::documents_carried(self, device).await
    }

    async fn carried(&self, device: DeviceId) -> Result<Vec<CarryRow>, StorageError> {
        carries::carried(self, device).await
    }

    async fn news(&self, device: DeviceId, after: Number, most: usize) -> Result<News, StorageError> {
        carries::news(self, device, after, most).await
    }

    async fn brought(&self, device: DeviceId, at: Timestamp) -> Result<u64, StorageError> {
        self.storage.counted_bytes(device, at).await
    }

    async fn audited(&self, sought: &Sought, after: u64, most: usize) -> Result<Vec<Entry>, StorageError> {
        self.storage.audited(sought, after, most).await
    }

    async fn end(&self) -> Result<Number, StorageError> {
        let row = self.readers().one(sqlx::query("SELECT value FROM counters WHERE name = 'ledger'")).await?;
        Ok(row.try_get("value")?)
    }

    async fn commit(&self, plan: Plan) -> Result<Number, CommitError> {
        if plan.writes.is_empty() {
            return Ok(self.end().await?);
        }
        self.warm(&plan).await?;
        self.together(plan).await
    }
}
