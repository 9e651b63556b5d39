//! Rows to write, made by a seed. What they say is no document that Automerge would read: a ledger doesn't look.

use grabrail_server::storage::audit::{Act, Done};
use grabrail_server::storage::ledger::{
    AskRow, BackupRow, CarryRow, CaseRow, CommissionRow, DocumentRow, Number, PhotoRow, PrescriptionRow, PurgeRow,
    QuarantineRow, RelationRow, Released, SignOffRow, SignedRow, Write,
};
use sync_core::access::{Relation, Role};
use sync_core::clock::{Chance, Seeded, Timestamp};
use sync_core::domain::kind::Kind;
use sync_core::domain::signed::{Content, HEADER_TAG, Header, Sealed, Signatory};
use sync_core::domain::signoff::{Anchored, SignedStanding, State};
use sync_core::envelope::Signed;
use sync_core::guard::Refusal;
use sync_core::id::{
    AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Epoch, Hash, Heads, KeyId, OrganisationId,
    QuarantineId, ServerId,
};
use sync_core::protocol::Verdict;
use sync_core::protocol::ask::{Answer, AskRefusal};
use sync_core::protocol::card::CaseState;
use sync_core::protocol::sync::{Choice, PurgeReason, WholePush};

/// Words that are in everything that must be sealed, and in nothing else.
pub(super) const SECRET: &str = "she fell twice on the stairs in March and told nobody";

pub(crate) struct Hand {
    pub(super) chance: Seeded,
    clock: i64,
}

impl Hand {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: Seeded::new(seed), clock: 1_790_000_000_000 }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 4];
        self.chance.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(super) fn now(&mut self) -> Timestamp {
        self.clock += 1000;
        Timestamp::from_millis(self.clock)
    }

    pub(super) fn hash(&mut self) -> Hash {
        let mut bytes = [0; 32];
        self.chance.fill(&mut bytes);
        Hash::from_bytes(bytes)
    }

    pub(super) fn heads(&mut self) -> Heads {
        let mut heads: Heads = (0..=self.below(2)).map(|_| self.hash()).collect();
        heads.sort_unstable();
        heads
    }

    pub(super) fn account(&mut self) -> AccountId {
        AccountId::mint(&mut self.chance)
    }

    pub(super) fn device(&mut self) -> DeviceId {
        DeviceId::mint(&mut self.chance)
    }

    /// Whose push it is.
    pub(super) fn sender(&mut self) -> (DeviceId, AccountId) {
        (self.device(), self.account())
    }

    pub(super) fn case(&mut self) -> CaseId {
        CaseId::mint(&mut self.chance)
    }

    pub(super) fn case_row(&mut self) -> CaseRow {
        let case = self.case();
        CaseRow {
            case,
            reference: Some(format!("REF-{case}")),
            organisation: OrganisationId::mint(&mut self.chance),
            state: CaseState::Open,
            name: "Ada Whitcombe".to_owned(),
            address: "3 Mill Lane, Ambridge".to_owned(),
            contact: Some("Ring twice".to_owned()),
            visitor_risk: Some("Dog".to_owned()),
            uprn: Some("100012345678".to_owned()),
            born: Some("1941-02-28".to_owned()),
            nhs_number: Some("9434765919".to_owned()),
            opened_by: None,
            created: self.now(),
            released: None,
            version: 0,
        }
    }

    pub(super) fn released(&mut self) -> Released {
        Released { home: DocumentId::mint(&mut self.chance), at: self.now(), by: self.account() }
    }

    pub(super) fn relation_row(&mut self, case: CaseId, account: AccountId) -> RelationRow {
        let starts = self.now();
        RelationRow { account, case, relation: Relation::Allocated, commission: None, starts, ends: None }
    }

    pub(super) fn commission_row(&mut self, case: CaseId, account: AccountId) -> CommissionRow {
        CommissionRow {
            commission: CommissionId::mint(&mut self.chance),
            case,
            account,
            organisation: OrganisationId::mint(&mut self.chance),
            starts: self.now(),
            ends: self.now(),
            scope: format!("Bathroom and stairs: {SECRET}"),
        }
    }

    pub(super) fn document_row(&mut self, case: CaseId) -> DocumentRow {
        DocumentRow {
            document: DocumentId::mint(&mut self.chance),
            case,
            kind: Kind::Clinical,
            commission: Some(CommissionId::mint(&mut self.chance)),
            about: None,
            authors: vec![self.account()],
            version: 0,
            heads: self.heads(),
        }
    }

    /// A document of a case of its own.
    pub(super) fn lone_document(&mut self) -> DocumentRow {
        let case = self.case();
        self.document_row(case)
    }

    /// Takes `count` new changes into a document that stands at `version`.
    pub(super) fn append(
        &mut self,
        (document, case): (DocumentId, CaseId),
        version: i64,
        (device, account): (DeviceId, AccountId),
        count: usize,
    ) -> Write {
        let changes = (0..count).map(|_| {
            let hash = self.hash();
            (hash, format!("change {hash}: {SECRET}").into_bytes())
        });
        let changes = changes.collect();
        Write::Append {
            document,
            case,
            version,
            device,
            account,
            envelope: (format!("envelope: {SECRET}").into_bytes(), vec![5; 64]),
            changes,
            heads: self.heads(),
            snapshot: format!("saved at {}: {SECRET}", version + 1).into_bytes(),
            at: self.now(),
        }
    }

    pub(super) fn prescription_row(&mut self, case: CaseId) -> PrescriptionRow {
        PrescriptionRow {
            document: DocumentId::mint(&mut self.chance),
            case,
            thread: DocumentId::mint(&mut self.chance),
            state: State::Draft,
            submitted: None,
            version: 0,
        }
    }

    pub(super) fn state(&mut self) -> State {
        let heads = self.heads();
        match self.below(6) {
            0 => State::Draft,
            1 => State::AwaitingPhotos { heads, missing: vec![self.hash()] },
            2 => State::Submitted { heads },
            3 => {
                let reasons = vec![Anchored { item: None, field: None, text: SECRET.to_owned() }];
                State::Returned { heads, reasons }
            }
            4 => State::Rejected { heads, grounds: SECRET.to_owned() },
            _ => State::Recalled { number: 1, reason: SECRET.to_owned() },
        }
    }

    pub(super) fn signed_row(&mut self, document: DocumentId, case: CaseId, number: u32) -> SignedRow {
        let signer = Signatory {
            account: self.account(),
            name: "Grace Osei".to_owned(),
            role: Role::SeniorOt,
            hcpc: Some("OT012345".to_owned()),
            organisation: "Borsetshire Council".to_owned(),
            hcpc_checked: Some(self.now()),
        };
        let contents = vec![("justification/reasoning".to_owned(), Content::Text(SECRET.to_owned()))];
        let sealed = Sealed::new(contents, &mut self.chance);
        let header = Header {
            tag: HEADER_TAG.to_owned(),
            server: ServerId::mint(&mut self.chance),
            authority: "Borsetshire Council".to_owned(),
            case,
            prescription: document,
            number,
            heads: self.heads(),
            root: sealed.root(),
            authors: vec![signer.clone()],
            signer,
            at: self.now(),
            conditions: vec![SECRET.to_owned()],
            key: KeyId::mint(&mut self.chance),
            co_signers: None,
        };
        let signed = sealed.with_signature(header, Signed([3; 64]));
        let basis = signed.header.root;
        SignedRow { document, case, number, signed, basis, standing: SignedStanding::Current }
    }

    pub(super) fn sign_off_row(&mut self, document: DocumentId, case: CaseId) -> SignOffRow {
        SignOffRow {
            ask: AskId::mint(&mut self.chance),
            document,
            case,
            account: self.account(),
            at: self.now(),
            heads: self.heads(),
            basis: self.hash(),
            submitted: (self.account(), self.now()),
            grounds: SECRET.to_owned(),
            conditions: vec![SECRET.to_owned()],
        }
    }

    pub(super) fn ask_row(&mut self, case: CaseId, account: AccountId) -> AskRow {
        let ask = AskId::mint(&mut self.chance);
        let bytes = format!("ask {ask}: {SECRET}").into_bytes();
        let answer = match self.below(2) {
            0 => Answer::Granted,
            _ => Answer::Refused(AskRefusal::Findings { findings: vec![SECRET.to_owned()] }),
        };
        let verdict = Verdict { ask, at: self.now(), answer };
        let decides = (self.below(2) == 0).then(|| DocumentId::mint(&mut self.chance));
        let told = self.below(2) == 0;
        AskRow { ask, case, account, decides, told, digest: Hash::of(&bytes), bytes, verdict, n: 0 }
    }

    pub(super) fn ask_row_of_nobody(&mut self) -> AskRow {
        let (case, account) = (self.case(), self.account());
        self.ask_row(case, account)
    }

    pub(crate) fn quarantine_row(&mut self, case: CaseId) -> QuarantineRow {
        QuarantineRow {
            quarantine: QuarantineId::mint(&mut self.chance),
            case,
            document: DocumentId::mint(&mut self.chance),
            device: self.device(),
            account: self.account(),
            at: self.now(),
            reason: Refusal::TooLarge { what: SECRET.to_owned(), found: 2, most: 1 },
            push: format!("push: {SECRET}").into_bytes(),
        }
    }

    /// A push of so many changes, as the row tells of it.
    pub(super) fn whole_push(&mut self, row: &QuarantineRow, changes: usize) -> WholePush {
        WholePush {
            document: row.document,
            case: row.case,
            kind: Kind::Home,
            fork: 0,
            base: vec![self.hash()],
            changes: vec![b"a change".to_vec().into(); changes],
            signature: Signed([0; 64]),
        }
    }

    /// Of four signatures, so that a word is heard twice.
    pub(super) fn purge_row(&mut self, device: DeviceId, case: CaseId, document: Option<DocumentId>) -> PurgeRow {
        let signature = vec![u8::try_from(self.below(4)).unwrap_or(0); 64];
        PurgeRow { case, document, device, at: self.now(), receipt: vec![1, 2, 3], signature }
    }

    pub(super) fn photo_row(&mut self, document: DocumentId, case: CaseId) -> PhotoRow {
        PhotoRow { case, document, hash: self.hash(), bytes: 250_000, account: self.account(), at: self.now() }
    }

    /// Of one of two lives of the server.
    pub(super) fn backup_row(&mut self, up_to: Number) -> BackupRow {
        let epoch = Epoch::from_bytes([self.pick(&[1, 2]); 16]);
        BackupRow { epoch, up_to, digest: self.hash(), at: self.now() }
    }

    /// One of every write but `Case`, for a case that is there or comes earlier in the plan.
    pub(super) fn one_of_each(&mut self, case: &CaseRow) -> Vec<Write> {
        let case = case.case;
        let (device, account) = (self.device(), self.account());
        let document = self.document_row(case);
        let at = (document.document, case);
        let prescription = self.prescription_row(case);
        let signed = self.signed_row(prescription.document, case, 1);
        let recalled = SignedStanding::Recalled { at: self.now(), reason: SECRET.to_owned() };
        let carry = CarryRow { device, case, document: None, n: 0 };
        vec![
            Write::Relation(self.relation_row(case, account)),
            Write::Commission(self.commission_row(case, account)),
            Write::Document(document.clone()),
            self.append(at, 0, (device, account), 3),
            Write::Frame { document: document.document, case, version: 1, packed: SECRET.as_bytes().to_vec() },
            Write::Author { document: document.document, case, account },
            Write::Prescription(PrescriptionRow { state: State::Submitted { heads: self.heads() }, ..prescription }),
            Write::SignOff(self.sign_off_row(signed.document, case)),
            Write::Signed(signed.clone()),
            Write::Standing { document: signed.document, case, number: 1, standing: recalled },
            Write::Quarantine(self.quarantine_row(case)),
            Write::Ask(self.ask_row(case, account)),
            Write::Photo(self.photo_row(document.document, case)),
            Write::Carry(carry),
            Write::Carry(CarryRow { document: Some(document.document), ..carry }),
            Write::Card { device, case, shown: self.hash() },
            Write::Choose { device, choice: Choice { case, carry: true } },
            Write::Resum(device),
            Write::Withhold { device, case, document: Some(document.document), reason: PurgeReason::Ended },
            Write::Uncarry { device, case, document: Some(document.document) },
            Write::Purged(self.purge_row(device, case, Some(document.document))),
            Write::Backup(self.backup_row(0)),
            Write::Asked { account, bytes: 1, at: self.now(), most: 1 << 20 },
            Write::Act(Done { case: Some(case), document: None, act: Act::Denied }),
            Write::Touch(case),
            // A version was signed above.
            Write::TouchShown(case),
        ]
    }
}
