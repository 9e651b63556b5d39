//! The ledger: what devices and people did, in the server's order, and what may follow from it.
//!
//! Services read rows, decide without IO, and hand over a [`Plan`]: it is written in one transaction, or, when
//! something it rests on has moved meanwhile, not at all. Two stores keep the ledger: [`sql`] for real, [`memory`] for
//! simulation; `tests/contract` holds both to the same suite.

mod aside;
mod audit;
pub mod faults;
mod feed;
pub mod memory;
mod plan;
mod signing;
pub mod sql;

use std::future::Future;

use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::domain::kind::Kind;
use sync_core::id::{
    AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Hash, Heads, OrganisationId, QuarantineId,
};
use sync_core::protocol::Verdict;
use sync_core::protocol::card::CaseState;
use sync_core::protocol::sync::Choice;

pub use self::aside::{AsideRow, QuarantineRow};
use self::feed::Page;
pub use self::feed::{BackupRow, Carried, CarryRow, News, Pulse, Since, WITHHELD};
pub use self::plan::{CommitError, Counted, Plan, Write};
pub use self::signing::{PrescriptionRow, SignOffRow, SignedRow};
use super::StorageError;
use super::audit::{Entry, Sought};

/// A place in the ledger's order; every write takes the next one. 0 comes before the first.
pub type Number = i64;

/// One client's referral. Name, address and the like are plain rows; everything a document says is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// The case.
    pub case: CaseId,
    /// The referral's number in the council's own system; unique where there is one.
    pub reference: Option<String>,
    /// The organisation of whoever opened it: the council for every imported case.
    pub organisation: OrganisationId,
    /// Where it stands.
    pub state: CaseState,
    /// The client's full name.
    pub name: String,
    /// Where the home is.
    pub address: String,
    /// Telephone and how to get in.
    pub contact: Option<String>,
    /// What a visitor must beware of.
    pub visitor_risk: Option<String>,
    /// Unique Property Reference Number.
    pub uprn: Option<String>,
    /// Date of birth, YYYY-MM-DD.
    pub born: Option<String>,
    /// NHS number, ten digits.
    pub nhs_number: Option<String>,
    /// Who began it with a visit nobody planned.
    pub opened_by: Option<AccountId>,
    /// When the row was made.
    pub created: Timestamp,
    /// The home that Housing may see the projection of.
    pub released: Option<Released>,
    /// Counts the changes of this row and of who is tied to the case; a plan that rests on another count is not
    /// written. 0: not there yet.
    pub version: i64,
}

/// A home that was released to Housing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Which home: a case may have several, and only this one was.
    pub home: DocumentId,
    /// Since when.
    pub at: Timestamp,
    /// Who released it.
    pub by: AccountId,
}

/// What ties an account to a case, from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRow {
    /// Who.
    pub account: AccountId,
    /// To what.
    pub case: CaseId,
    /// How.
    pub relation: Relation,
    /// For [`Relation::Commissioned`]: the commission.
    pub commission: Option<CommissionId>,
    /// From this moment.
    pub starts: Timestamp,
    /// Until this moment, if an end is set.
    pub ends: Option<Timestamp>,
}

impl RelationRow {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.starts <= now && !self.over(now)
    }

    /// Whether it has ended at `now`.
    pub fn over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

/// Housing's order to a private OT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommissionRow {
    /// The commission.
    pub commission: CommissionId,
    /// The case.
    pub case: CaseId,
    /// The private OT.
    pub account: AccountId,
    /// Their organisation.
    pub organisation: OrganisationId,
    /// From this moment.
    pub starts: Timestamp,
    /// Until this moment.
    pub ends: Timestamp,
    /// What was ordered, in words.
    pub scope: String,
}

/// A document's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The document.
    pub document: DocumentId,
    /// The case.
    pub case: CaseId,
    /// Its kind.
    pub kind: Kind,
    /// The commission whose assessment it belongs to.
    pub commission: Option<CommissionId>,
    /// For a thread: the prescription.
    pub about: Option<DocumentId>,
    /// Who began it and who was taken on as a co-author.
    pub authors: Vec<AccountId>,
    /// Counts its pushes; a plan that rests on another count is not written.
    pub version: i64,
    /// The exact version it stands at.
    pub heads: Heads,
}

/// A change as it was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its hash.
    pub hash: Hash,
    /// The document.
    pub document: DocumentId,
    /// The device that pushed it.
    pub device: DeviceId,
    /// The person.
    pub account: AccountId,
    /// Its place in the ledger.
    pub n: Number,
    /// The raw chunk.
    pub bytes: Vec<u8>,
}

/// An ask and what was decided on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskRow {
    /// The ask.
    pub ask: AskId,
    /// The case.
    pub case: CaseId,
    /// Who asked.
    pub account: AccountId,
    /// The document whose card shows what was granted; `None` where no card does.
    pub decides: Option<DocumentId>,
    /// Whether supervisors are told of it: somebody stood in for others, or asked too late.
    pub told: bool,
    /// The hash of the ask's bytes: the same id with another content is another ask, and refused.
    pub digest: Hash,
    /// The ask as it came (CBOR of [`sync_core::protocol::Ask`]).
    pub bytes: Vec<u8>,
    /// What was decided.
    pub verdict: Verdict,
    /// Its place in the ledger.
    pub n: Number,
}

/// A photo whose bytes are here and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoRow {
    /// The case.
    pub case: CaseId,
    /// The document it is a photo of.
    pub document: DocumentId,
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// How many bytes.
    pub bytes: i64,
    /// Who uploaded it.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
}

/// A device's signed word that it has destroyed a case, or one document of it. It holds ids only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeRow {
    /// The case.
    pub case: CaseId,
    /// One document of it; `None`: everything.
    pub document: Option<DocumentId>,
    /// The device.
    pub device: DeviceId,
    /// When its word came.
    pub at: Timestamp,
    /// What was signed ([`sync_core::protocol::sync::PurgeReceipt::to_bytes`]); it may name more than this.
    pub receipt: Vec<u8>,
    /// The device's signature over it.
    pub signature: Vec<u8>,
}

/// What a ledger can be asked. Reads see every plan that was acknowledged before they began.
pub trait Ledger: Send + Sync {
    /// A case.
    fn case(&self, case: CaseId) -> impl Future<Output = Result<Option<CaseRow>, StorageError>> + Send;
    /// A case by the council's own number.
    fn case_by_reference(&self, reference: &str) -> impl Future<Output = Result<Option<CaseRow>, StorageError>> + Send;
    /// Every case, by creation.
    fn cases(&self) -> impl Future<Output = Result<Vec<CaseRow>, StorageError>> + Send;
    /// Those of these cases that are there, by id.
    fn cases_of(&self, cases: &[CaseId]) -> impl Future<Output = Result<Vec<CaseRow>, StorageError>> + Send;
    /// Every relation to these cases, ended ones too, by case.
    fn relations_to(&self, cases: &[CaseId]) -> impl Future<Output = Result<Vec<RelationRow>, StorageError>> + Send;
    /// Every relation of an account, ended ones too.
    fn relations_of(&self, account: AccountId) -> impl Future<Output = Result<Vec<RelationRow>, StorageError>> + Send;
    /// A commission.
    fn commission(
        &self,
        commission: CommissionId,
    ) -> impl Future<Output = Result<Option<CommissionRow>, StorageError>> + Send;
    /// A document's row.
    fn document(&self, document: DocumentId) -> impl Future<Output = Result<Option<DocumentRow>, StorageError>> + Send;
    /// Those of these documents that are there, by id.
    fn documents(
        &self,
        documents: &[DocumentId],
    ) -> impl Future<Output = Result<Vec<DocumentRow>, StorageError>> + Send;
    /// The rows of these cases' documents, by id.
    fn documents_of(&self, cases: &[CaseId]) -> impl Future<Output = Result<Vec<DocumentRow>, StorageError>> + Send;
    /// A document as it was last saved, with its version; `None` while it has nothing but its skeleton.
    fn snapshot(
        &self,
        document: DocumentId,
    ) -> impl Future<Output = Result<Option<(i64, Vec<u8>)>, StorageError>> + Send;
    /// The frames of these cases' documents, as far as there is one of a document's present version: its heads, and its
    /// changes packed. By document.
    fn frames_of(
        &self,
        cases: &[CaseId],
    ) -> impl Future<Output = Result<Vec<(DocumentId, Heads, Vec<u8>)>, StorageError>> + Send;
    /// The changes of a document behind `after`, in the ledger's order.
    fn changes(
        &self,
        document: DocumentId,
        after: Number,
    ) -> impl Future<Output = Result<Vec<ChangeRow>, StorageError>> + Send;
    /// A prescription's row.
    fn prescription(
        &self,
        document: DocumentId,
    ) -> impl Future<Output = Result<Option<PrescriptionRow>, StorageError>> + Send;
    /// The prescriptions of these cases, by id.
    fn prescriptions_of(
        &self,
        cases: &[CaseId],
    ) -> impl Future<Output = Result<Vec<PrescriptionRow>, StorageError>> + Send;
    /// Every prescription that is submitted or awaits photos, oldest submission first.
    fn submitted(&self) -> impl Future<Output = Result<Vec<PrescriptionRow>, StorageError>> + Send;
    /// Every signature of a prescription's versions, whatever became of them, in the ledger's order.
    fn sign_offs(&self, document: DocumentId) -> impl Future<Output = Result<Vec<SignOffRow>, StorageError>> + Send;
    /// Every signed version of a prescription, by number.
    fn signed(&self, document: DocumentId) -> impl Future<Output = Result<Vec<SignedRow>, StorageError>> + Send;
    /// An ask.
    fn ask(&self, ask: AskId) -> impl Future<Output = Result<Option<AskRow>, StorageError>> + Send;
    /// Every ask behind `after`, in the ledger's order: at most `most`, and the rest of the last plan.
    fn asks(&self, after: Number, most: usize) -> impl Future<Output = Result<Vec<AskRow>, StorageError>> + Send;
    /// The asks of these cases that their cards show, in the ledger's order.
    fn decided(&self, cases: &[CaseId]) -> impl Future<Output = Result<Vec<AskRow>, StorageError>> + Send;
    /// The asks that the card of this document shows, in the ledger's order.
    fn decided_on(&self, document: DocumentId) -> impl Future<Output = Result<Vec<AskRow>, StorageError>> + Send;
    /// The verdicts on an account's asks behind `after`, the newest `most` of them, in the ledger's order.
    fn verdicts_of(
        &self,
        account: AccountId,
        after: Number,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Verdict>, StorageError>> + Send;
    /// The asks that supervisors are told of, newest first: at most `most`, older than `before` if that is there.
    fn told(
        &self,
        before: Option<AskId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<AskRow>, StorageError>> + Send;
    /// What is in quarantine, newest first, without the pushes: at most `most` of it, older than `before` if that is there.
    fn set_aside(
        &self,
        before: Option<QuarantineId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<AsideRow>, StorageError>> + Send;
    /// Everything in quarantine, newest first; of one case, if named.
    fn quarantine(&self, case: Option<CaseId>)
    -> impl Future<Output = Result<Vec<QuarantineRow>, StorageError>> + Send;
    /// What devices said they have destroyed of a case, in the ledger's order.
    fn purges(&self, case: CaseId) -> impl Future<Output = Result<Vec<PurgeRow>, StorageError>> + Send;
    /// A photo.
    fn photo(
        &self,
        document: DocumentId,
        hash: Hash,
    ) -> impl Future<Output = Result<Option<PhotoRow>, StorageError>> + Send;
    /// The photos of a document that have arrived.
    fn photos_of(&self, document: DocumentId) -> impl Future<Output = Result<Vec<PhotoRow>, StorageError>> + Send;
    /// What a device has been sent whole.
    fn carried(&self, device: DeviceId) -> impl Future<Output = Result<Vec<CarryRow>, StorageError>> + Send;
    /// What a device carries of these cases, by case.
    fn carried_of(
        &self,
        device: DeviceId,
        cases: &[CaseId],
    ) -> impl Future<Output = Result<Vec<Carried>, StorageError>> + Send;
    /// What the person of a device chose, by case.
    fn chosen(&self, device: DeviceId) -> impl Future<Output = Result<Vec<Choice>, StorageError>> + Send;
    /// What may concern a device, in time that grows with how much it is.
    fn pulse(
        &self,
        device: DeviceId,
        account: AccountId,
        since: Since,
        now: Timestamp,
    ) -> impl Future<Output = Result<Pulse, StorageError>> + Send;
    /// The documents that a device carries and is not to purge, with their heads, and where the ledger ended then.
    fn documents_carried(
        &self,
        device: DeviceId,
    ) -> impl Future<Output = Result<(Number, Vec<(DocumentId, Heads)>), StorageError>> + Send;
    /// What is new for a device behind `after`: at most `most` changes, fewer where they are large, and the rest of the last
    /// plan. Takes time that grows with the news, not with what the device carries.
    fn news(
        &self,
        device: DeviceId,
        after: Number,
        most: usize,
    ) -> impl Future<Output = Result<News, StorageError>> + Send;
    /// How many bytes a device has brought so far on the day (UTC) of this moment.
    fn brought(&self, device: DeviceId, at: Timestamp) -> impl Future<Output = Result<u64, StorageError>> + Send;
    /// Entries of the audit log behind the one of number `after` that fit, oldest first, at most so many.
    fn audited(
        &self,
        sought: &Sought,
        after: u64,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StorageError>> + Send;
    /// Where the ledger ends.
    fn end(&self) -> impl Future<Output = Result<Number, StorageError>> + Send;
    /// Writes a plan, whole and fsynced, or nothing of it. Returns its place in the ledger.
    fn commit(&self, plan: Plan) -> impl Future<Output = Result<Number, CommitError>> + Send;
}
