//! The same plans on both stores: every answer is the same.

use grabrail_server::storage::audit::{Act, By, Done, Sought};
use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{
    AskRow, CarryRow, CaseRow, CommissionRow, CommitError, Counted, DocumentRow, Ledger, PhotoRow, Plan,
    PrescriptionRow, QuarantineRow, RelationRow, SignOffRow, Since, Write,
};
use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::domain::signoff::SignedStanding;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DeviceId, DocumentId, Hash, QuarantineId};
use sync_core::protocol::sync::{Choice, PurgeReason};

use super::hand::Hand;
use crate::stores::Store;

/// A few of everything, so that plans meet.
struct Pool {
    cases: Vec<CaseId>,
    references: Vec<String>,
    accounts: Vec<AccountId>,
    devices: Vec<DeviceId>,
    documents: Vec<(DocumentId, CaseId)>,
    hashes: Vec<Hash>,
    asks: Vec<AskId>,
    quarantine: Vec<QuarantineId>,
    commissions: Vec<CommissionId>,
}

fn many<T>(count: usize, make: impl FnMut(usize) -> T) -> Vec<T> {
    (0..count).map(make).collect()
}

impl Pool {
    fn new(hand: &mut Hand) -> Self {
        let cases = many(4, |_| CaseId::mint(&mut hand.chance));
        Self {
            references: many(4, |at| format!("R{at}")),
            accounts: many(3, |_| hand.account()),
            devices: many(3, |_| hand.device()),
            documents: many(7, |at| (DocumentId::mint(&mut hand.chance), cases[at % 4])),
            hashes: many(30, |_| hand.hash()),
            asks: many(20, |_| AskId::mint(&mut hand.chance)),
            quarantine: many(20, |_| QuarantineId::mint(&mut hand.chance)),
            commissions: many(3, |_| CommissionId::mint(&mut hand.chance)),
            cases,
        }
    }

    async fn write(&self, hand: &mut Hand, ledger: &MemoryLedger) -> Write {
        let (document, case) = hand.pick(&self.documents);
        let (account, device) = (hand.pick(&self.accounts), hand.pick(&self.devices));
        // Usually the version that is there.
        let off = i64::from(hand.below(8) == 0);
        match hand.below(22) {
            0 => {
                let reference = hand.below(2) == 0;
                let reference = reference.then(|| self.references[hand.below(self.references.len())].clone());
                let case = hand.pick(&self.cases);
                let version = ledger.case(case).await.unwrap().map_or(0, |row| row.version) + off;
                Write::Case(CaseRow { case, version, reference, ..hand.case_row() })
            }
            1 => {
                let ends = (hand.below(2) == 0).then(|| hand.now());
                let row = hand.relation_row(case, account);
                Write::Relation(RelationRow { relation: hand.pick(&Relation::ALL), ends, ..row })
            }
            2 => {
                let row = hand.commission_row(case, account);
                let commission = hand.pick(&self.commissions);
                Write::Commission(CommissionRow { commission, ..row })
            }
            3 | 4 => {
                let authors = vec![account, hand.pick(&self.accounts)];
                Write::Document(DocumentRow { document, authors, ..hand.document_row(case) })
            }
            5..=8 => {
                let version = ledger.document(document).await.unwrap().map_or(0, |row| row.version) + off;
                let count = hand.below(4);
                let mut push = hand.append((document, case), version, (device, account), count);
                if let Write::Append { changes, .. } = &mut push {
                    for (hash, _) in changes {
                        *hash = hand.pick(&self.hashes);
                    }
                }
                push
            }
            9 => Write::Author { document, case, account },
            10 | 11 => {
                let version = ledger.prescription(document).await.unwrap().map_or(0, |row| row.version) + off;
                let (state, submitted) = (hand.state(), (hand.below(2) == 0).then(|| (account, hand.now())));
                let row = hand.prescription_row(case);
                Write::Prescription(PrescriptionRow { document, version, state, submitted, ..row })
            }
            12 => {
                let number = 1 + u32::from(hand.below(2) == 0);
                Write::Signed(hand.signed_row(document, case, number))
            }
            13 => Write::Standing { document, case, number: 1, standing: SignedStanding::Superseded { by: 2 } },
            14 => {
                let quarantine = hand.pick(&self.quarantine);
                Write::Quarantine(QuarantineRow { quarantine, ..hand.quarantine_row(case) })
            }
            15 => {
                let ask = hand.pick(&self.asks);
                Write::Ask(AskRow { ask, ..hand.ask_row(case, account) })
            }
            16 => {
                let of = [Counted::Case(case), Counted::Document(document), Counted::Prescription(document)];
                Write::Expect { of: hand.pick(&of), version: 1 + i64::try_from(hand.below(2)).unwrap() }
            }
            17 => {
                let hash = hand.pick(&self.hashes);
                Write::Photo(PhotoRow { hash, ..hand.photo_row(document, case) })
            }
            20 => {
                let ask = hand.pick(&self.asks);
                Write::SignOff(SignOffRow { ask, ..hand.sign_off_row(document, case) })
            }
            19 => {
                let end = ledger.end().await.unwrap();
                let up_to = hand.pick(&[end, end, end + 1, end / 2]);
                Write::Backup(hand.backup_row(up_to))
            }
            18 => {
                let document = (hand.below(3) > 0).then_some(document);
                Write::Purged(hand.purge_row(device, case, document))
            }
            _ => {
                let document = (hand.below(3) > 0).then_some(document);
                match hand.below(8) {
                    0 => Write::Uncarry { device, case, document },
                    1 => Write::Withhold { device, case, document, reason: PurgeReason::Ended },
                    2 => Write::Card { device, case, shown: hand.pick(&self.hashes) },
                    3 => Write::Choose { device, choice: Choice { case, carry: hand.below(2) == 0 } },
                    4 => Write::Resum(device),
                    5 => Write::Act(Done { case: Some(case), document, act: Act::Denied }),
                    _ => Write::Carry(CarryRow { device, case, document, n: 0 }),
                }
            }
        }
    }

    fn someone(&self, hand: &mut Hand) -> (AccountId, DeviceId) {
        (hand.pick(&self.accounts), hand.pick(&self.devices))
    }

    /// Every read there is, of everything in the pool, in words.
    async fn reads<L: Ledger>(&self, ledger: &L) -> Vec<String> {
        let mut all = Vec::new();
        macro_rules! read {
            ($($call:tt)*) => {
                all.push(format!("{}: {:?}", stringify!($($call)*), ledger.$($call)*.await.unwrap()))
            };
        }
        read!(end());
        read!(cases());
        read!(submitted());
        read!(quarantine(None));
        read!(set_aside(None, 2));
        read!(set_aside(None, 1000));
        read!(told(None, 2));
        read!(asks(0, 1000));
        read!(asks(3, 2));
        read!(told(Some(self.asks[0]), 1000));
        for case in self.cases.iter().copied() {
            read!(case(case));
            read!(quarantine(Some(case)));
            read!(purges(case));
        }
        let lists: Vec<&[CaseId]> = self.cases.chunks(1).chain([&self.cases[..], &[]]).collect();
        for cases in lists.iter().copied() {
            read!(cases_of(cases));
            read!(relations_to(cases));
            read!(documents_of(cases));
            read!(frames_of(cases));
            read!(prescriptions_of(cases));
            read!(decided(cases));
        }
        for reference in &self.references {
            read!(case_by_reference(reference));
        }
        for (document, _) in self.documents.iter().copied() {
            read!(document(document));
            read!(snapshot(document));
            read!(changes(document, 0));
            read!(prescription(document));
            read!(sign_offs(document));
            read!(signed(document));
            read!(decided_on(document));
            read!(photos_of(document));
            for hash in self.hashes.iter().copied().take(3) {
                read!(photo(document, hash));
            }
        }
        for ask in self.asks.iter().copied() {
            read!(ask(ask));
        }
        for commission in self.commissions.iter().copied() {
            read!(commission(commission));
        }
        let moment = Timestamp::from_millis(1_790_000_200_000);
        for (from, until) in [(None, None), (Some(moment), None), (None, Some(moment))] {
            let all = Sought { from, until, ..Sought::default() };
            read!(audited(&all, 0, 1000));
            read!(audited(&all, 7, 3));
            for case in self.cases.iter().copied() {
                read!(audited(&Sought { case: Some(case), ..all }, 0, 1000));
                for account in self.accounts.iter().copied() {
                    read!(audited(&Sought { case: Some(case), account: Some(account), ..all }, 0, 1000));
                }
            }
        }
        let end = ledger.end().await.unwrap();
        for after in [0, end / 2, end] {
            for account in self.accounts.iter().copied() {
                read!(verdicts_of(account, after, 3));
                read!(relations_of(account));
            }
            for device in self.devices.iter().copied() {
                read!(carried(device));
                read!(documents_carried(device));
                read!(chosen(device));
                for cases in lists.iter().copied() {
                    read!(carried_of(device, cases));
                }
                for account in self.accounts.iter().copied() {
                    let (at, now) =
                        (Timestamp::from_millis(1_790_000_100_000), Timestamp::from_millis(1_790_000_400_000));
                    for (at, now) in [(at, now), (now, at), (at, at)] {
                        read!(pulse(device, account, Since { n: after, at }, now));
                        read!(pulse(device, account, Since { n: -1, at }, now));
                    }
                }
                for most in [1, 4, 1000] {
                    read!(news(device, after, most));
                }
            }
        }
        all
    }
}

#[tokio::test]
async fn the_same_plans_leave_both_stores_alike() {
    for seed in 100..103 {
        let mut hand = Hand::new(seed);
        let pool = Pool::new(&mut hand);
        let store = Store::in_sql();
        let storage = store.open().await;
        let (sql, memory) = (storage.ledger(), MemoryLedger::new());
        let (mut taken, mut moved) = (0, 0);
        for round in 0..120 {
            // The same moments that relations begin and end at.
            let (account, device) = (hand.below(3) > 0).then(|| pool.someone(&mut hand)).unzip();
            let mut plan = Plan { by: By { at: hand.now(), account, device }, writes: Vec::new() };
            for _ in 0..=hand.below(3) {
                plan.writes.push(pool.write(&mut hand, &memory).await);
            }
            match (memory.commit(plan.clone()).await, sql.commit(plan.clone()).await) {
                (Ok(here), Ok(there)) => {
                    taken += 1;
                    assert_eq!(here, there, "seed {seed}, round {round}");
                }
                (Err(CommitError::Moved), Err(CommitError::Moved)) => moved += 1,
                (here, there) => panic!("seed {seed}, round {round}: {here:?} but {there:?} of {plan:?}"),
            }
            if round % 20 == 19 {
                let (here, there) = (pool.reads(&memory).await, pool.reads(&sql).await);
                for (here, there) in here.iter().zip(&there) {
                    assert_eq!(here, there, "seed {seed}, round {round}");
                }
                assert_eq!(here.len(), there.len());
            }
        }
        assert!(taken > 30 && moved > 15, "seed {seed}: {taken} taken, {moved} moved");
        storage.close().await;
    }
}
