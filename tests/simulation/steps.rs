//! The steps of a run: what may happen next, and what comes of it.

use grabrail_server::storage::ledger::faults::Death;
use sync_core::device::{DeviceError, DocumentSummary, LinkError, StoreError, SyncReport};
use sync_core::domain::kind::Kind;
use sync_core::id::CaseId;

use crate::acts;
use crate::dice::Dice;
use crate::network::Line;
use crate::time::{HOUR, TEN_YEARS};
use crate::world::{Outcome, Trouble, World};

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
    Enrol,
    SwitchOff,
    Clock,
}

/// Each as often as its number, where the run has such trouble.
const STEPS: [(Step, usize); 19] = [
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
    (Step::Enrol, 3),
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
            Step::Enrol if copies => match self.one_that_is_stopped() {
                Some(stopped) => self.enrols_anew(stopped).await,
                None => self.syncs(who).await,
            },
            Step::SwitchOff => {
                self.tablets[who].switch_off();
                Outcome::of(Some(who), "is switched off and on")
            }
            Step::Clock if clocks => {
                let millis = self.dice.pick(&[-TEN_YEARS, TEN_YEARS, -HOUR, 24 * HOUR]).unwrap();
                self.tablets[who].clock.jumps(millis);
                self.tablets[who].jumped = Some(self.council.now());
                self.council.counts("clocks that jumped", 1);
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
    pub(crate) fn outcome(&mut self, who: usize, said: String, done: Result<(), DeviceError>) -> Outcome {
        let tablet = &self.tablets[who];
        let line = match &done {
            Ok(()) => said,
            Err(error) => format!("{said}: {error}"),
        };
        let mut outcome = Outcome::of(Some(who), line);
        outcome.ok = done.is_ok();
        let died = tablet.disk.is_dead();
        if died {
            self.council.counts("devices that died", 1);
        }
        if matches!(done, Err(DeviceError::Store(StoreError::DiskFull))) {
            self.council.counts("full disks of devices", 1);
        }
        outcome.wrong = match done {
            Ok(()) => None,
            Err(_) if died => None,
            Err(DeviceError::Store(StoreError::DiskFull)) if self.trouble.full => None,
            Err(DeviceError::Link(LinkError::Tampered | LinkError::Unreadable(_))) if self.trouble.network => None,
            // What comes cut is no request; what the server fails over by itself is a fault of its.
            Err(DeviceError::Link(LinkError::Problem { status: 400, .. })) if self.trouble.network => None,
            Err(
                error @ (DeviceError::Store(_)
                | DeviceError::SetAside(_)
                | DeviceError::Unreadable(_)
                | DeviceError::OtherServer
                | DeviceError::Link(
                    LinkError::Tampered | LinkError::Unreadable(_) | LinkError::Problem { status: 400 | 500, .. },
                )),
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
        let mut alarm = None;
        if let Err(DeviceError::Link(LinkError::Problem { kind, .. })) = &done {
            let alone = kind.ends_with("device-stopped") && !self.is_taken_for_a_copy(who);
            if alone {
                self.council.counts("copies told so alone", 1);
                let never = !self.tablets[who].copied;
                alarm = never.then(|| "is told that a copy of it has spoken, and nobody copied it".to_owned());
            } else if kind.ends_with("device-stopped") || kind.ends_with("device-unknown") {
                self.stopped.insert(self.tablets[who].id);
            }
            if kind.ends_with("device-stopped") {
                self.tablets[who].told = self.tablets[who].id;
            }
        }
        let mut outcome = self.outcome(who, said, done);
        outcome.wrong = outcome.wrong.or(alarm);
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
        let nothing = || (None, ("has nothing to do".to_owned(), Ok(())));
        let lease = device.lease().await;
        let (of, (said, done)) = match step {
            Step::Visit => {
                let started = device.start_visit("Elsie Marsh", "4 Mill Lane", None).await;
                (None, ("starts a visit".to_owned(), started.map(drop)))
            }
            Step::Carry => {
                let case = dice.pick(&self.cases).unwrap();
                (None, ("chooses to carry a case".to_owned(), device.carry(case).await))
            }
            Step::Read => match dice.pick(&all) {
                Some((case, document)) => {
                    let read = device.open_document(document.document).await.map(drop);
                    (Some(case), (format!("opens {}", document.name), read))
                }
                None => nothing(),
            },
            Step::Prescribe => match dice.pick(&cases) {
                Some(case) => (Some(case), acts::prescribe(device, &glance, case, dice).await),
                None => nothing(),
            },
            Step::Begin => match dice.pick(&cases) {
                Some(case) => {
                    let kind = dice.pick(&[Kind::Survey, Kind::Survey, Kind::Restricted]).unwrap();
                    (Some(case), (format!("begins a {kind}"), device.begin(case, kind).await.map(drop)))
                }
                None => nothing(),
            },
            Step::Ask => match pick_to_ask(&writable, dice) {
                Some((case, document)) => {
                    let (said, done) = acts::ask(device, (case, &document), dice).await;
                    (Some(case), (format!("{said} {}", document.name), done))
                }
                None => nothing(),
            },
            _ => match dice.pick(&writable) {
                Some((case, document)) => {
                    let (said, done) = acts::edit(device, &glance, (case, &document), dice).await;
                    (Some(case), (format!("{said} in {}", document.name), done))
                }
                None => nothing(),
            },
        };
        // Who finds nothing to do in a document has only looked for it.
        let opens = matches!(step, Step::Edit | Step::Read) && !said.starts_with("finds no");
        let status = glance.device().status().await.unwrap();
        let wrong = match (&lease, of) {
            (Ok(lease), Some(case)) => self.lease_binds(who, (*lease, &status), case, (opens, &done)).err(),
            _ => None,
        };
        let mut outcome = self.outcome(who, said, done);
        outcome.wrong = outcome.wrong.or(wrong);
        outcome
    }

    /// Another step than asking for something: whoever can do it, does.
    pub(crate) async fn asks(&mut self) -> Outcome {
        self.acts(Step::Ask).await
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
