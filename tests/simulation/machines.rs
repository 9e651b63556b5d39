//! What becomes of the machines themselves: they are revoked, put back to earlier copies, copied, and enrolled anew.

use crate::disk::OnDisk;
use crate::network::Line;
use crate::tablet::Tablet;
use crate::time::DeviceClock;
use crate::world::{MOST_DEVICES, Outcome, World};

impl World {
    pub(crate) fn revokes(&mut self, who: usize) -> Outcome {
        if let Some(device) = self.tablets[who].id {
            self.council.revokes(device);
            self.council.counts("devices revoked", 1);
        }
        Outcome::of(Some(who), "is revoked")
    }

    /// A device is put back to an earlier copy of itself; if there is none, one is made.
    pub(crate) async fn goes_back(&mut self, who: usize) -> Outcome {
        let copy = self.tablets[who].disk.copy();
        match self.backups.insert(who, copy) {
            Some(earlier) => {
                self.tablets[who].switch_off();
                self.tablets[who].disk = earlier.copy();
                self.tablets[who].copied = true;
                self.tablets[who].told = None;
                // What was typed since is gone with the machine it was on.
                self.remembers(who);
                self.council.counts("devices put back", 1);
                Outcome::of(Some(who), "is put back to an earlier copy")
            }
            _ => Outcome::of(Some(who), "is copied"),
        }
    }

    /// A copy of a device begins a life of its own beside it.
    pub(crate) async fn is_cloned(&mut self, who: usize) -> Outcome {
        if self.tablets.len() >= MOST_DEVICES {
            return Outcome::of(Some(who), "is not cloned");
        }
        let original = &self.tablets[who];
        let clock = DeviceClock::new(&self.council.time, 0);
        let (name, disk) = (format!("{}'", original.name), original.disk.copy());
        let mut clone = Tablet::new(name, original.account, disk, clock);
        clone.id = original.id;
        clone.jumped = Some(self.council.now());
        (clone.copied, clone.told) = (true, original.told);
        self.tablets.push(clone);
        self.tablets[who].copied = true;
        self.remembers(self.tablets.len() - 1);
        self.council.counts("devices cloned", 1);
        Outcome::of(Some(who), "is cloned")
    }

    /// What was typed on a disk that has just come is not to be lost from now on.
    fn remembers(&mut self, who: usize) {
        let on_disk = OnDisk::read(&self.tablets[who].disk, &mut self.model.bases);
        self.model.typed.insert(who, on_disk.typed);
        self.model.asked.insert(who, on_disk.asks);
    }

    /// Whether a device was stopped because of a copy, and its person could be given another code.
    fn is_stopped(&self, who: usize) -> bool {
        let tablet = &self.tablets[who];
        let row = tablet.id.and_then(|id| self.council.device(id));
        let told = tablet.told.is_some() && tablet.told == tablet.id;
        let stopped = row.is_some_and(|row| (row.stopped_at.is_some() || told) && row.revoked_at.is_none());
        stopped && self.council.account(tablet.account).enabled
    }

    /// Whether the server takes a device for one of several copies.
    pub(crate) fn is_taken_for_a_copy(&self, who: usize) -> bool {
        let row = self.tablets[who].id.and_then(|id| self.council.device(id));
        row.is_some_and(|row| row.stopped_at.is_some())
    }

    /// Whether there is a copy, or what was copied, that the server would hear and has not told apart.
    pub(crate) fn has_copies(&self) -> bool {
        self.tablets.iter().any(|tablet| {
            let row = tablet.id.and_then(|id| self.council.device(id));
            tablet.copied
                && row.is_some_and(|row| row.revoked_at.is_none())
                && self.council.account(tablet.account).enabled
        })
    }

    /// One of the stopped devices; any if none is.
    pub(crate) fn one_that_is_stopped(&mut self) -> Option<usize> {
        let stopped: Vec<usize> = (0..self.tablets.len()).filter(|who| self.is_stopped(*who)).collect();
        self.dice.pick(&stopped)
    }

    /// A person whose device was stopped gets a code, or tries the one they have, and enrols it anew.
    pub(crate) async fn enrols_anew(&mut self, who: usize) -> Outcome {
        let link = Line::link(&self.council, &self.weather);
        let Self { tablets, dice, council, .. } = self;
        let account = tablets[who].account;
        let had = tablets[who].code.take().filter(|_| !dice.one_in(3));
        let code = had.unwrap_or_else(|| council.code_for(account));
        tablets[who].code = Some(code.clone());
        let done = match tablets[who].on(dice).await {
            Ok(device) => device.enrol(&link, &code, "tablet").await,
            Err(error) => Err(error),
        };
        if done.is_ok() {
            tablets[who].code = None;
            (tablets[who].copied, tablets[who].told) = (false, None);
            tablets[who].switch_off();
            council.counts("devices enrolled anew", 1);
        }
        let weather = self.weather.said().join(", ");
        let done = match done {
            Ok(()) => self.tablets[who].on(&mut self.dice).await.map(drop),
            other => other,
        };
        self.outcome(who, format!("is enrolled anew [{weather}]"), done)
    }
}
