//! A run: a council, its people with their devices, bad weather, and in the end quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{Ledger, Number};
use sha2::{Digest, Sha256};
use sync_core::access::Role;
use sync_core::device::MemoryDisk;
use sync_core::id::{AccountId, CaseId, DeviceId};

use crate::council::Council;
use crate::dice::Dice;
use crate::model::Model;
use crate::network::{LATE, Line, Weather};
use crate::tablet::Tablet;
use crate::time::{DeviceClock, HOUR, TEN_YEARS, Time};

/// What came of a step.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The device that it happened on.
    pub(crate) who: Option<usize>,
    pub(crate) line: String,
    pub(crate) ok: bool,
    /// Whether it was a sync of which nothing was lost on the way.
    pub(crate) synced: bool,
    /// What no fault explains.
    pub(crate) wrong: Option<String>,
}

impl Outcome {
    pub(crate) fn of(who: Option<usize>, line: impl Into<String>) -> Self {
        Self { who, line: line.into(), ok: true, synced: false, wrong: None }
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) seed: u64,
    /// What happened, a line a step.
    pub(crate) trace: Vec<String>,
    /// SHA-256 of all of it and of all that was left in the end.
    pub(crate) digest: String,
    /// The invariant that did not hold.
    pub(crate) broken: Option<String>,
    /// How often what happened: to tell whether the run was worth running.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// What goes wrong in a run: each run has troubles of its own, so that each meets every other, and each is alone at times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trouble {
    /// Exchanges are lost, cut, doubled, late.
    pub(crate) network: bool,
    /// Devices die.
    pub(crate) deaths: bool,
    /// Disks are full.
    pub(crate) full: bool,
    /// The server dies.
    pub(crate) server: bool,
    /// Clocks are set wrongly.
    pub(crate) clocks: bool,
    /// Rights end.
    pub(crate) rights: bool,
    /// People change roles, accounts are disabled and devices revoked.
    pub(crate) staff: bool,
    /// Devices are put back to earlier copies, and copied.
    pub(crate) copies: bool,
    /// The server writes plans out of the order of their numbers.
    pub(crate) slow: bool,
}

impl Trouble {
    fn of(dice: &mut Dice) -> Self {
        Self {
            network: dice.one_in(2),
            deaths: dice.one_in(2),
            full: dice.one_in(2),
            server: dice.one_in(2),
            clocks: dice.one_in(2),
            rights: dice.one_in(2),
            staff: dice.one_in(3),
            copies: dice.one_in(3),
            slow: dice.one_in(3),
        }
    }
}

/// How often everybody syncs and whoever was stopped is enrolled anew, until no copies are left to be noticed.
const ROUNDS_OF_COPIES: usize = 12;

/// A plan of the office's that is still being written.
pub(crate) type Writing = Pin<Box<dyn Future<Output = bool>>>;

/// How long a slow ledger takes over a plan.
fn turns(n: Number) -> u32 {
    u32::from(n % 3 != 0)
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) council: Arc<Council>,
    pub(crate) weather: Weather,
    /// What the office began to write.
    pub(crate) writing: Vec<Writing>,
    pub(crate) people: Vec<AccountId>,
    pub(crate) cases: Vec<CaseId>,
    pub(crate) tablets: Vec<Tablet>,
    /// Earlier copies of tablets.
    pub(crate) backups: BTreeMap<usize, MemoryDisk>,
    /// The devices that the server hears no more.
    pub(crate) stopped: BTreeSet<Option<DeviceId>>,
    /// What goes wrong.
    pub(crate) trouble: Trouble,
    pub(crate) model: Model,
}

/// The most devices that there are at once, copies among them.
pub(crate) const MOST_DEVICES: usize = 8;

const CAST: [(&str, Role); 6] = [
    ("Ana", Role::Ot),
    ("Sam", Role::SeniorOt),
    ("Ben", Role::PrivateOt),
    ("Una", Role::Surveyor),
    ("Olu", Role::Ot),
    ("Pia", Role::PrincipalOt),
];

/// Rounds of quiet in which everybody syncs once, after which all is as it should be.
const QUIET: usize = 3;

impl World {
    async fn begin(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let time = Time::default();
        let trouble = Trouble::of(&mut dice);
        let ledger = if trouble.slow { MemoryLedger::slow(turns) } else { MemoryLedger::new() };
        let council = Arc::new(Council::new(&mut dice, &time, ledger));
        let bad = trouble.network.then(|| 2 + dice.below(10));
        let weather = Weather::new(Dice::new(dice.number()), None);
        let mut world = Self {
            dice,
            council,
            weather,
            writing: Vec::new(),
            people: Vec::new(),
            cases: Vec::new(),
            tablets: Vec::new(),
            backups: BTreeMap::new(),
            stopped: BTreeSet::new(),
            trouble,
            model: Model::default(),
        };
        for (name, role) in CAST {
            world.people.push(world.council.hires(name, role));
        }
        let cases = 2 + world.dice.below(4);
        for number in 0..cases {
            let case = world.opens(&format!("R{number}")).await;
            world.cases.push(case);
            world.catches_up().await;
            for person in 0..CAST.len() {
                if !world.dice.one_in(3) {
                    world.tie(world.people[person], case, false, None).await;
                }
            }
        }
        world.catches_up().await;
        for number in 0..3 + world.dice.below(MOST_DEVICES - 2) {
            world.enrols(number % CAST.len(), number / CAST.len()).await;
        }
        world.weather.blows(bad);
        world
    }

    async fn enrols(&mut self, person: usize, number: usize) {
        let account = self.people[person];
        let skew = self.dice.pick(&[0, 0, 0, HOUR, -HOUR, TEN_YEARS, -TEN_YEARS]).unwrap();
        let clock = DeviceClock::new(&self.council.time, skew);
        let name = format!("{}-{number}", CAST[person].0);
        let mut tablet = Tablet::new(name, account, MemoryDisk::default(), clock);
        let (link, text) = (Line::link(&self.council, &self.weather), self.council.code_for(account));
        let device = tablet.on(&mut self.dice).await.unwrap();
        device.enrol(&link, &text, "tablet").await.unwrap();
        device.sync(&link).await.unwrap();
        tablet.id = device.status().await.unwrap().enrolled.map(|enrolled| enrolled.device);
        self.tablets.push(tablet);
    }

    /// Takes note of a step and holds everything to the invariants.
    async fn holds(&mut self, ran: &mut Ran, outcome: Outcome) -> Result<(), String> {
        let number = ran.trace.len();
        let who = outcome.who.map_or("", |who| self.tablets[who].name.as_str());
        ran.trace.push(format!("{number}: {who} {}", outcome.line));
        if let Some(wrong) = outcome.wrong {
            return Err(format!("no fault explains this: {wrong}"));
        }
        let broken = self.check(outcome.who, outcome.synced).await;
        self.restarts();
        broken
    }

    async fn lives(&mut self, ran: &mut Ran, steps: usize) -> Result<(), String> {
        self.check(None, false).await?;
        for _ in 0..steps {
            let outcome = self.step().await;
            self.holds(ran, outcome).await?;
        }
        let Trouble { copies, .. } = std::mem::take(&mut self.trouble);
        self.weather.clears();
        self.restarts();
        // Nothing that was still to go wrong does.
        self.council.ledger.faults().restart();
        self.catches_up().await;
        for tablet in &self.tablets {
            tablet.disk.mend();
        }
        if copies {
            self.tells_copies_apart(ran).await?;
        } else {
            self.frees_the_overtaken(ran).await?;
        }
        for _ in 0..QUIET {
            self.all_sync(ran).await?;
        }
        match self.one_that_is_stopped() {
            Some(stopped) => Err(format!("{} is stopped, and is no copy any more", self.tablets[stopped].name)),
            None => self.converged().await,
        }
    }

    /// A copy shows only once both have spoken, and who was stopped is enrolled anew then: the rounds of quiet begin behind
    /// that.
    async fn tells_copies_apart(&mut self, ran: &mut Ran) -> Result<(), String> {
        for _ in 0..ROUNDS_OF_COPIES {
            self.all_sync(ran).await?;
            let Some(stopped) = self.one_that_is_stopped() else {
                if self.has_copies() {
                    continue;
                }
                break;
            };
            let outcome = self.enrols_anew(stopped).await;
            self.holds(ran, outcome).await?;
        }
        Ok(())
    }

    /// A request that comes behind two newer ones of its device can't be told from a copy's. Nothing else stops a device
    /// that nobody copied.
    async fn frees_the_overtaken(&mut self, ran: &mut Ran) -> Result<(), String> {
        for _ in 0..ROUNDS_OF_COPIES {
            let Some(stopped) = self.one_that_is_stopped() else { break };
            if !self.council.counted().contains_key(LATE) {
                return Err(format!("{} was stopped, and nobody copied it", self.tablets[stopped].name));
            }
            // Its person hears of it first.
            let outcome = self.syncs(stopped).await;
            self.holds(ran, outcome).await?;
            let outcome = self.enrols_anew(stopped).await;
            self.holds(ran, outcome).await?;
        }
        Ok(())
    }

    async fn all_sync(&mut self, ran: &mut Ran) -> Result<(), String> {
        for who in 0..self.tablets.len() {
            let outcome = self.syncs(who).await;
            self.holds(ran, outcome).await?;
        }
        Ok(())
    }

    /// The hash of all that happened and all that is left of it.
    async fn digest(&self, ran: &Ran) -> String {
        let mut hasher = Sha256::new();
        for line in &ran.trace {
            hasher.update(line.as_bytes());
        }
        for tablet in &self.tablets {
            hasher.update(format!("{:?}", tablet.disk.rows()).as_bytes());
        }
        for case in self.council.ledger.cases().await.unwrap() {
            for row in self.council.ledger.documents_of(&[case.case]).await.unwrap() {
                hasher.update(format!("{row:?}{:?}", self.council.ledger.changes(row.document, 0).await).as_bytes());
            }
        }
        let mut text = String::new();
        for byte in &hasher.finalize()[..8] {
            write!(text, "{byte:02x}").unwrap();
        }
        text
    }
}

/// Runs one seed.
pub(crate) async fn run(seed: u64, steps: usize) -> Ran {
    let mut world = World::begin(seed).await;
    let mut ran = Ran { seed, ..Ran::default() };
    ran.broken = world.lives(&mut ran, steps).await.err();
    ran.digest = world.digest(&ran).await;
    ran.counts = world.model.counts(&world.council).await;
    ran.counts.insert("devices stopped", u64::try_from(world.stopped.len()).unwrap());
    ran.counts.extend(world.weather.counted());
    ran.counts.extend(world.council.counted());
    ran.counts.insert("transactions lost with a device", world.tablets.iter().map(|tablet| tablet.disk.lost()).sum());
    ran.counts.retain(|_, many| *many > 0);
    ran
}
