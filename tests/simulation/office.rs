//! The office: who is tied to which case, who is employed, what is decided, and how it comes into the ledger.

use std::task::Poll;

use grabrail_server::documents::{self, Documents};
use grabrail_server::storage::audit::By;
use grabrail_server::storage::ledger::{CaseRow, CommissionRow, DocumentRow, Ledger, Plan, RelationRow, Write};
use sync_core::access::{Relation, Role};
use sync_core::clock::Stamp;
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::{Anchored, State};
use sync_core::domain::specification;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DocumentId};
use sync_core::protocol::Ask;
use sync_core::protocol::Request;
use sync_core::protocol::ask::Answer;
use sync_core::protocol::card::CaseState;

use crate::time::HOUR;
use crate::world::{Outcome, World, Writing};

impl World {
    /// A supervisor decides on a prescription at the API: one that waits, or one that is signed.
    pub(crate) async fn decides(&mut self) -> Outcome {
        self.restarts();
        let supervisors: Vec<AccountId> = self.people.clone();
        let Some(account) = self.dice.pick(&supervisors) else { return Outcome::of(None, "nobody decides") };
        let ledger = self.council.ledger.clone();
        let waiting: Vec<_> = ledger.submitted().await.unwrap();
        let chosen = self.dice.pick(&waiting);
        let (case, request) = match chosen {
            _ if self.dice.one_in(8) => self.stands_in().await,
            Some(row) if row.state.submitted().is_some() => {
                let heads = row.state.submitted().unwrap().clone();
                let document = row.document;
                let request = match self.dice.below(6) {
                    0 => Request::Reject { document, heads, grounds: "not necessary".to_owned() },
                    1 => {
                        let reason = Anchored { item: None, field: None, text: "say why".to_owned() };
                        Request::Return { document, heads, reasons: vec![reason] }
                    }
                    _ => {
                        let row = ledger.document(document).await.unwrap().unwrap();
                        let (_, whole) = documents::load(&ledger, &row).await.unwrap();
                        let view = whole.at(&heads).unwrap_or(whole).view();
                        let behind = Documents::default().views_behind(&ledger, row.case).await.unwrap();
                        let basis = Some(specification::basis(&view, &behind));
                        Request::SignOff { document, heads, grounds: "needed".to_owned(), conditions: vec![], basis }
                    }
                };
                (row.case, request)
            }
            _ => {
                let case = self.dice.pick(&self.cases).unwrap();
                let prescriptions = ledger.prescriptions_of(&[case]).await.unwrap();
                let signed = prescriptions.into_iter().find(|row| matches!(row.state, State::SignedOff { .. }));
                let Some(row) = signed.filter(|_| self.dice.one_in(4)) else { return self.asks().await };
                (case, Request::Recall { document: row.document, number: 1, reason: "the client moved".to_owned() })
            }
        };
        let name = request.name();
        let id = AskId::mint(&mut self.council.chance());
        let at = Stamp { claimed: self.council.now(), elapsed: 0, offset: None };
        let verdict = self.council.decides(account, &Ask { id, at, case, request }).await;
        let who = self.council.account(account).person.name;
        let said = match &verdict {
            None => "the server failed".to_owned(),
            Some(verdict) => match &verdict.answer {
                Answer::Granted => {
                    self.model.promises_ask(id);
                    "granted".to_owned()
                }
                Answer::Refused(why) => why.to_string(),
            },
        };
        Outcome::of(None, format!("{who} asks to {name}: {said}"))
    }

    /// What somebody asks who stands in for others, wherever it is.
    async fn stands_in(&mut self) -> (CaseId, Request) {
        let case = self.dice.pick(&self.cases).unwrap();
        let prescriptions = self.council.ledger.prescriptions_of(&[case]).await.unwrap();
        let reason = "nobody else is in".to_owned();
        match self.dice.pick(&prescriptions) {
            Some(row) if self.dice.one_in(2) => (case, Request::TakeOver { document: row.document, reason }),
            _ => (case, Request::BreakGlass { reason }),
        }
    }

    /// Writes what the office does; `false` when the server could not. A slow ledger may take its time over it.
    async fn writes(&mut self, writes: Vec<Write>) -> bool {
        let ledger = self.council.ledger.clone();
        let by = By::console(self.council.now());
        let mut writing: Writing = Box::pin(async move { ledger.commit(Plan { by, writes }).await.is_ok() });
        let begun = std::future::poll_fn(|context| Poll::Ready(writing.as_mut().poll(context)));
        match begun.await {
            Poll::Ready(done) => done,
            Poll::Pending => {
                self.writing.push(writing);
                self.model.late += 1;
                true
            }
        }
    }

    /// What a slow ledger has not written yet is written, behind what came later.
    pub(crate) async fn catches_up(&mut self) {
        for writing in std::mem::take(&mut self.writing) {
            writing.await;
        }
    }

    /// Ties somebody to a case as their role allows.
    pub(crate) async fn ties(&mut self) -> Outcome {
        let (account, case) = (self.dice.pick(&self.people).unwrap(), self.dice.pick(&self.cases).unwrap());
        let later = self.dice.one_in(4);
        let ends = self.dice.one_in(4).then(|| self.council.now().plus_millis(30 * HOUR));
        let done = self.tie(account, case, later, ends.map(|_| 30)).await;
        let name = self.council.account(account).person.name;
        Outcome::of(None, format!("{name} is tied to a case: {done}"))
    }

    pub(crate) async fn tie(&mut self, account: AccountId, case: CaseId, later: bool, hours: Option<i64>) -> bool {
        let person = self.council.account(account).person;
        let now = self.council.now();
        let starts = if later { now.plus_millis(10 * HOUR) } else { now };
        let ends = hours.map(|hours| starts.plus_millis(hours * HOUR));
        let relation = match person.role {
            Role::Surveyor | Role::GrantsOfficer => Relation::Assigned,
            Role::PrivateOt => Relation::Commissioned,
            _ => self.dice.pick(&[Relation::Allocated, Relation::Allocated, Relation::Team, Relation::Duty]).unwrap(),
        };
        let mut row = RelationRow { account, case, relation, commission: None, starts, ends };
        let mut writes = Vec::new();
        if relation == Relation::Commissioned {
            let (chance, ends) = (&mut self.council.chance(), ends.unwrap_or(starts.plus_millis(300 * HOUR)));
            let commission = CommissionId::mint(chance);
            (row.commission, row.ends) = (Some(commission), Some(ends));
            let organisation = person.organisation;
            let scope = "stairs".to_owned();
            writes.push(Write::Commission(CommissionRow {
                commission,
                case,
                account,
                organisation,
                starts,
                ends,
                scope,
            }));
            let document = DocumentId::mint(chance);
            writes.push(Write::Document(planned(case, Kind::Clinical, document, Some(commission))));
        }
        writes.insert(0, Write::Relation(row));
        self.writes(writes).await
    }

    pub(crate) async fn unties(&mut self) -> Outcome {
        let (account, now) = (self.dice.pick(&self.people).unwrap(), self.council.now());
        let relations = self.council.ledger.relations_of(account).await.unwrap();
        let running: Vec<RelationRow> = relations.into_iter().filter(|row| !row.over(now)).collect();
        let Some(row) = self.dice.pick(&running) else { return Outcome::of(None, "nobody is untied") };
        let mut writes = Vec::new();
        if let Some(commission) = row.commission
            && let Some(commission) = self.council.ledger.commission(commission).await.unwrap()
        {
            writes.push(Write::Commission(CommissionRow { ends: now, ..commission }));
        }
        let said = format!("{} ends for {}", row.relation.name(), self.council.account(account).person.name);
        writes.push(Write::Relation(RelationRow { ends: Some(now), ..row }));
        let done = self.writes(writes).await;
        Outcome::of(None, format!("{said}: {done}"))
    }

    /// The client takes back that Housing may see their home.
    pub(crate) async fn withdraws(&mut self) -> Outcome {
        let case = self.dice.pick(&self.cases).unwrap();
        let Some(row) = self.council.ledger.case(case).await.unwrap().filter(|row| row.released.is_some()) else {
            return Outcome::of(None, "there is no release to withdraw");
        };
        let done = self.writes(vec![Write::Case(CaseRow { released: None, ..row })]).await;
        Outcome::of(None, format!("a release is withdrawn: {done}"))
    }

    /// Somebody's role changes, or their account is disabled or enabled.
    pub(crate) async fn employs(&mut self) -> Outcome {
        let account = self.dice.pick(&self.people).unwrap();
        let role = self.dice.pick(&[Role::Ot, Role::OtAssistant, Role::SeniorOt]).unwrap();
        let disables = self.dice.one_in(3);
        let mut said = String::new();
        let done = self.council.changes(account, |account| {
            if disables {
                account.enabled = !account.enabled;
            } else if account.person.of_council && account.person.role != Role::Surveyor {
                account.person.role = role;
            }
            said = format!("{} is {} {}", account.person.name, account.person.role, account.enabled);
        });
        let done = done.await;
        self.council.counts(if disables { "accounts disabled or enabled" } else { "roles changed" }, 1);
        Outcome::of(None, format!("{said}: {done}"))
    }

    /// The server starts again, if it died.
    pub(crate) fn restarts(&mut self) {
        if self.council.ledger.faults().is_dead() {
            self.council.counts("deaths of the server", 1);
            self.writing.clear();
            self.council.ledger.faults().restart();
        }
    }

    /// Opens a case with its planned documents.
    pub(crate) async fn opens(&mut self, reference: &str) -> CaseId {
        let chance = &mut self.council.chance();
        let case = CaseId::mint(chance);
        let (home, clinical) = (DocumentId::mint(chance), DocumentId::mint(chance));
        let row = CaseRow {
            case,
            reference: Some(reference.to_owned()),
            organisation: self.council.organisation,
            state: CaseState::Open,
            name: "Edith Fictional".to_owned(),
            address: "1 Made Up Street".to_owned(),
            contact: None,
            visitor_risk: None,
            uprn: None,
            born: None,
            nhs_number: None,
            opened_by: None,
            created: self.council.now(),
            released: None,
            version: 0,
        };
        let home = Write::Document(planned(case, Kind::Home, home, None));
        let clinical = Write::Document(planned(case, Kind::Clinical, clinical, None));
        assert!(self.writes(vec![Write::Case(row), home, clinical]).await);
        case
    }
}

fn planned(case: CaseId, kind: Kind, document: DocumentId, commission: Option<CommissionId>) -> DocumentRow {
    let heads = vec![kind.skeleton_hash()];
    DocumentRow { document, case, kind, commission, about: None, authors: Vec::new(), version: 0, heads }
}
