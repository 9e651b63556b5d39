//! The steps of a run: what may happen next, and what comes of it.

use std::task::Poll;

use grabrail_server::storage::ledger::faults::Death;
use grabrail_server::storage::ledger::{CaseRow, CommissionRow, DocumentRow, Ledger, Plan, RelationRow, Write};
use sync_core::access::{Relation, Role};
use sync_core::clock::Stamp;
use sync_core::device::{DeviceError, DocumentSummary, LinkError, StoreError, SyncReport};
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::{Anchored, State};
use sync_core::domain::specification;
use sync_core::id::{AccountId, AskId, CaseId, CommissionId, DocumentId};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::card::CaseState;
use sync_core::protocol::{Ask, Request};

use crate::acts;
use crate::dice::Dice;
use crate::network::Line;
use crate::tablet::Tablet;
use crate::time::{DeviceClock, HOUR, TEN_YEARS};
use crate::world::{Outcome, Trouble, World, Writing};

/// A step that anything may go wrong in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Edit,
    Prescribe,
    Begin,
    Ask,
    Visit,
    Carry,
    Read,
    Sync,
    Decide,
    Tie,
    Untie,
    Withdraw,
    Employ,
    Revoke,
    Back,
    Clone,
    SwitchOff,
    Clock,
}

/// Each as often as its number, where the run has such trouble.
const STEPS: [(Step, usize); 18] = [
    (Step::Edit, 34),
    (Step::Prescribe, 6),
    (Step::Begin, 2),
    (Step::Ask, 14),
    (Step::Visit, 1),
    (Step::Carry, 1),
    (Step::Read, 2),
    (Step::Sync, 36),
    (Step::Decide, 12),
    (Step::Tie, 3),
    (Step::Untie, 2),
    (Step::Withdraw, 1),
    (Step::Employ, 2),
    (Step::Revoke, 1),
    (Step::Back, 2),
    (Step::Clone, 1),
    (Step::SwitchOff, 2),
    (Step::Clock, 2),
];

/// How often somebody is looked for who has something to do.
const LOOKS: usize = 4;

impl World {
    /// Does one step of chance.
    pub(crate) async fn step(&mut self) -> Outcome {
        self.council.time.passes(i64::try_from(self.dice.below(1000)).unwrap() * HOUR / 500);
        let mut at = self.dice.below(STEPS.iter().map(|(_, often)| often).sum());
        let step = STEPS.iter().find(|(_, often)| {
            let found = at < *often;
            at = at.saturating_sub(*often);
            found
        });
        let step = step.map_or(Step::Sync, |(step, _)| *step);
        self.brews();
        if self.dice.one_in(4) {
            self.catches_up().await;
        }
        let who = self.dice.below(self.tablets.len());
        let Trouble { rights, staff, copies, clocks, .. } = self.trouble;
        match step {
            Step::Edit | Step::Prescribe | Step::Begin | Step::Ask | Step::Visit | Step::Carry | Step::Read => {
                self.acts(step).await
            }
            Step::Decide => self.decides().await,
            Step::Tie => self.ties().await,
            Step::Untie if rights => self.unties().await,
            Step::Withdraw if rights => self.withdraws().await,
            Step::Employ if staff => self.employs().await,
            Step::Revoke if staff => self.revokes(who),
            Step::Back if copies => self.goes_back(who).await,
            Step::Clone if copies => self.is_cloned(who).await,
            Step::SwitchOff => {
                self.tablets[who].switch_off();
                Outcome::of(Some(who), "is switched off and on")
            }
            Step::Clock if clocks => {
                let millis = self.dice.pick(&[-TEN_YEARS, TEN_YEARS, -HOUR, 24 * HOUR]).unwrap();
                self.tablets[who].clock.jumps(millis);
                Outcome::of(Some(who), format!("its clock jumps by {millis}"))
            }
            _ => self.syncs(who).await,
        }
    }

    /// Lets trouble come over whatever is next.
    fn brews(&mut self) {
        let Trouble { deaths, full, server, .. } = self.trouble;
        let who = self.dice.below(self.tablets.len());
        let many = u64::try_from(1 + self.dice.below(60)).unwrap();
        match self.dice.below(24) {
            0 if deaths => self.tablets[who].disk.dies_in(many * 3, self.dice.one_in(2)),
            1 if full => self.tablets[who].disk.fills_in(1 + many / 4),
            2 if server => {
                let death = if self.dice.one_in(2) { Death::Before } else { Death::After };
                self.council.ledger.faults().dies_in(1 + many / 8, death);
            }
            3 if server && full => self.council.ledger.faults().fills_in(1 + many / 8),
            _ => {}
        }
    }

    /// Notes what came of something on a device. What no fault explains is a violation.
    fn outcome(&mut self, who: usize, said: String, done: Result<(), DeviceError>) -> Outcome {
        let tablet = &self.tablets[who];
        let line = match &done {
            Ok(()) => said,
            Err(error) => format!("{said}: {error}"),
        };
        let mut outcome = Outcome::of(Some(who), line);
        outcome.ok = done.is_ok();
        let died = tablet.disk.is_dead();
        outcome.wrong = match done {
            Ok(()) => None,
            Err(_) if died => None,
            Err(DeviceError::Store(StoreError::DiskFull)) if self.trouble.full => None,
            Err(DeviceError::Link(LinkError::Tampered | LinkError::Unreadable(_))) if self.trouble.network => None,
            Err(
                error @ (DeviceError::Store(_)
                | DeviceError::SetAside(_)
                | DeviceError::Unreadable(_)
                | DeviceError::OtherServer
                | DeviceError::Link(LinkError::Tampered | LinkError::Unreadable(_))),
            ) => Some(format!("{error:?}")),
            Err(_) => None,
        };
        if died {
            self.tablets[who].switch_off();
            outcome.line.push_str(" (and died)");
        }
        outcome
    }

    pub(crate) async fn syncs(&mut self, who: usize) -> Outcome {
        let link = Line::link(&self.council, &self.weather);
        let Self { tablets, dice, .. } = self;
        let report = match tablets[who].on(dice).await {
            Ok(device) => device.sync(&link).await,
            Err(error) => Err(error),
        };
        let weather = self.weather.said().join(", ");
        let (said, done) = match report {
            Ok(report) => (format!("syncs: {}", told(&report)), Ok(())),
            Err(error) => ("syncs".to_owned(), Err(error)),
        };
        if let Err(DeviceError::Link(LinkError::Problem { kind, .. })) = &done
            && (kind == "device-stopped" || kind == "device-unknown")
        {
            self.stopped.insert(self.tablets[who].id);
        }
        let mut outcome = self.outcome(who, said, done);
        outcome.synced = outcome.ok && weather.is_empty();
        if !weather.is_empty() {
            outcome.line.push_str(&format!(" [{weather}]"));
        }
        outcome
    }

    /// Somebody does something on a device: one who has cases, if one is found soon.
    async fn acts(&mut self, step: Step) -> Outcome {
        let mut who = 0;
        for _ in 0..LOOKS {
            who = self.dice.below(self.tablets.len());
            if !self.tablets[who].disk.cases().is_empty() {
                break;
            }
        }
        let Self { tablets, dice, .. } = self;
        if let Err(error) = tablets[who].on(dice).await {
            return self.outcome(who, "switches on".to_owned(), Err(error));
        }
        let glance = tablets[who].glance().await;
        let all = glance.documents().await;
        let device = tablets[who].device();
        let cases: Vec<CaseId> = glance.device().cases().await.unwrap().iter().map(|card| card.case).collect();
        let writable: Vec<(CaseId, DocumentSummary)> =
            all.iter().filter(|(_, document)| document.writable).cloned().collect();
        let nothing = || ("has nothing to do".to_owned(), Ok(()));
        let (said, done) = match step {
            Step::Visit => {
                let started = device.start_visit("Elsie Marsh", "4 Mill Lane", None).await;
                ("starts a visit".to_owned(), started.map(drop))
            }
            Step::Carry => {
                let case = dice.pick(&self.cases).unwrap();
                ("chooses to carry a case".to_owned(), device.carry(case).await)
            }
            Step::Read => match dice.pick(&all) {
                Some((_, document)) => {
                    (format!("opens {}", document.name), device.open_document(document.document).await.map(drop))
                }
                None => nothing(),
            },
            Step::Prescribe => match dice.pick(&cases) {
                Some(case) => acts::prescribe(device, &glance, case, dice).await,
                None => nothing(),
            },
            Step::Begin => match dice.pick(&cases) {
                Some(case) => {
                    let kind = dice.pick(&[Kind::Survey, Kind::Survey, Kind::Restricted]).unwrap();
                    (format!("begins a {kind}"), device.begin(case, kind).await.map(drop))
                }
                None => nothing(),
            },
            Step::Ask => match pick_to_ask(&writable, dice) {
                Some((case, document)) => {
                    let (said, done) = acts::ask(device, (case, &document), dice).await;
                    (format!("{said} {}", document.name), done)
                }
                None => nothing(),
            },
            _ => match dice.pick(&writable) {
                Some((case, document)) => {
                    let (said, done) = acts::edit(device, &glance, (case, &document), dice).await;
                    (format!("{said} in {}", document.name), done)
                }
                None => nothing(),
            },
        };
        self.outcome(who, said, done)
    }

    /// A supervisor decides on a prescription at the API: one that waits, or one that is signed.
    async fn decides(&mut self) -> Outcome {
        self.restarts();
        let supervisors: Vec<AccountId> = self.people.clone();
        let Some(account) = self.dice.pick(&supervisors) else { return Outcome::of(None, "nobody decides") };
        let ledger = self.council.ledger.clone();
        let waiting: Vec<_> = ledger.submitted().await.unwrap();
        let chosen = self.dice.pick(&waiting);
        let (case, request) = match chosen {
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
                        let (_, whole) = grabrail_server::documents::load(&ledger, &row).await.unwrap();
                        let view = whole.at(&heads).unwrap_or(whole).view();
                        let behind = grabrail_server::documents::views_behind(&ledger, row.case).await.unwrap();
                        let basis = Some(specification::basis(&view, &behind));
                        Request::SignOff { document, heads, grounds: "needed".to_owned(), conditions: vec![], basis }
                    }
                };
                (row.case, request)
            }
            _ => {
                let case = self.dice.pick(&self.cases).unwrap();
                let prescriptions = ledger.prescriptions_of(case).await.unwrap();
                let signed = prescriptions.into_iter().find(|row| matches!(row.state, State::SignedOff { .. }));
                let Some(row) = signed.filter(|_| self.dice.one_in(4)) else { return self.acts(Step::Ask).await };
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

    /// Writes what the office does; `false` when the server could not. A slow ledger may take its time over it.
    async fn writes(&mut self, writes: Vec<Write>) -> bool {
        let ledger = self.council.ledger.clone();
        let mut writing: Writing = Box::pin(async move { ledger.commit(Plan { writes }).await.is_ok() });
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
    async fn ties(&mut self) -> Outcome {
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

    async fn unties(&mut self) -> Outcome {
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
    async fn withdraws(&mut self) -> Outcome {
        let case = self.dice.pick(&self.cases).unwrap();
        let Some(row) = self.council.ledger.case(case).await.unwrap().filter(|row| row.released.is_some()) else {
            return Outcome::of(None, "there is no release to withdraw");
        };
        let done = self.writes(vec![Write::Case(CaseRow { released: None, ..row })]).await;
        Outcome::of(None, format!("a release is withdrawn: {done}"))
    }

    /// Somebody's role changes, or their account is disabled or enabled.
    async fn employs(&mut self) -> Outcome {
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
        Outcome::of(None, format!("{said}: {done}"))
    }

    fn revokes(&mut self, who: usize) -> Outcome {
        if let Some(device) = self.tablets[who].id {
            self.council.revokes(device);
        }
        Outcome::of(Some(who), "is revoked")
    }

    /// A device is put back to an earlier copy of itself; if there is none, one is made.
    async fn goes_back(&mut self, who: usize) -> Outcome {
        let copy = self.tablets[who].disk.copy();
        match self.backups.insert(who, copy) {
            Some(earlier) => {
                self.tablets[who].switch_off();
                self.tablets[who].disk = earlier.copy();
                // What was typed since is gone with the machine it was on.
                self.model.typed.remove(&who);
                Outcome::of(Some(who), "is put back to an earlier copy")
            }
            _ => Outcome::of(Some(who), "is copied"),
        }
    }

    /// A copy of a device begins a life of its own beside it.
    async fn is_cloned(&mut self, who: usize) -> Outcome {
        if self.tablets.len() > 8 {
            return Outcome::of(Some(who), "is not cloned");
        }
        let original = &self.tablets[who];
        let clock = DeviceClock::new(&self.council.time, 0);
        let (name, disk) = (format!("{}'", original.name), original.disk.copy());
        let mut clone = Tablet::new(name, original.account, disk, clock);
        clone.id = original.id;
        self.tablets.push(clone);
        Outcome::of(Some(who), "is cloned")
    }

    /// The server starts again, if it died.
    pub(crate) fn restarts(&mut self) {
        if self.council.ledger.faults().is_dead() {
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

/// A document to ask about: a prescription, as often as not.
fn pick_to_ask(writable: &[(CaseId, DocumentSummary)], dice: &mut Dice) -> Option<(CaseId, DocumentSummary)> {
    let prescriptions: Vec<_> = writable.iter().filter(|(_, of)| of.kind == Kind::Prescription).cloned().collect();
    if dice.one_in(2) { dice.pick(&prescriptions) } else { None }.or_else(|| dice.pick(writable))
}

/// What a sync brought, as far as it brought anything.
fn told(report: &SyncReport) -> String {
    let SyncReport { exchanges, receipted, refused, changes, cards, granted, denied, .. } = report;
    let (purged, gone) = (&report.purged, &report.purged_documents);
    let counts = format!("{exchanges} exchanges, {receipted} receipted, {changes} changes, {cards} cards");
    format!("{counts}, {granted} granted, {denied} denied, refused {refused:?}, purged {purged:?} {gone:?}")
}

fn planned(case: CaseId, kind: Kind, document: DocumentId, commission: Option<CommissionId>) -> DocumentRow {
    let heads = vec![kind.skeleton_hash()];
    DocumentRow { document, case, kind, commission, about: None, authors: Vec::new(), version: 0, heads }
}
