//! The offline lease: how long a device may go without hearing from its server and still open cases.
//!
//! No clock is believed alone. Time since the last contact is the larger of two counts: what the device's runs have counted
//! monotonically, and how far the wall clock has ever been since. A clock set back takes nothing off, a restart adds to
//! what was counted before, and one that jumps ahead can only close what the next contact opens again. A run that is
//! killed has counted a minute at least: it takes more than ten thousand runs to use up a week so, and whoever opens the
//! app every few minutes loses nothing, for the wall clock has gone as far. It binds a running app; a disk in a laboratory
//! is bound by its encryption.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::error::DeviceError;
use super::facade::Device;
use super::rows::{OutboxRow, Writer};
use super::store::{Shelf, Store, StoreError};
use crate::clock::{Clock, Timestamp};
use crate::id::CaseId;
use crate::protocol::CaseCard;
use crate::protocol::card::ClientCard;

const HOUR_MILLIS: u64 = 60 * 60 * 1000;
/// The last hours are warned of.
const WARNING_HOURS: u64 = 24;
/// How often what was counted is written down, in milliseconds.
const NOTED_EVERY: u64 = 5 * 60 * 1000;
/// What a run counts at least, in milliseconds: it is written down as the run begins.
const LEAST_RUN: u64 = 60 * 1000;

/// Whether cases may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "lease")]
pub enum Lease {
    /// Yes.
    Open,
    /// Yes, but not for long: whole hours that are left, rounded up, 1 to 24.
    Warning {
        /// How many.
        hours_left: u64,
    },
    /// Not until the server is heard from. What was opened before goes on, and what waits to be handed in can be read.
    Closed,
}

/// What was counted since the last contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Contacted {
    /// What the wall clock said then.
    #[n(0)]
    pub(super) wall: Timestamp,
    /// The furthest it has been since.
    #[n(1)]
    pub(super) furthest: Timestamp,
    /// Milliseconds of monotonic time that runs before this one counted.
    #[n(2)]
    pub(super) counted: u64,
    /// How long the lease is, in hours, as the server last told; `None`: without end.
    #[n(3)]
    pub(super) hours: Option<u16>,
}

impl Contacted {
    /// As if the server had been heard from at this moment.
    pub(super) const fn at(now: Timestamp, hours: Option<u16>) -> Self {
        Self { wall: now, furthest: now, counted: 0, hours }
    }

    /// With what this run has counted since it began or the server was heard from in it.
    fn noted(self, now: Timestamp, elapsed: u64) -> Self {
        Self { furthest: self.furthest.max(now), counted: self.counted.saturating_add(elapsed), ..self }
    }
}

/// What a run counts, and from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting {
    /// What the store had when it began: with anything else there, it has not begun yet.
    pub(super) on: Option<Contacted>,
    /// The clock's monotonic milliseconds then.
    pub(super) since: u64,
}

/// How the lease stands at `now` by the wall clock, after this run has counted `elapsed` milliseconds since it began or
/// the server was heard from in it. A device that was never told of a lease has none.
pub(super) fn state(contact: Option<Contacted>, now: Timestamp, elapsed: u64) -> Lease {
    let Some(contact) = contact.map(|contact| contact.noted(now, elapsed)) else { return Lease::Open };
    let Some(hours) = contact.hours else { return Lease::Open };
    let by_wall = contact.furthest.millis().saturating_sub(contact.wall.millis());
    let since = contact.counted.max(u64::try_from(by_wall).unwrap_or(0));
    let left = (u64::from(hours) * HOUR_MILLIS).saturating_sub(since);
    match left.div_ceil(HOUR_MILLIS) {
        0 => Lease::Closed,
        hours_left @ 1..=WARNING_HOURS => Lease::Warning { hours_left },
        _ => Lease::Open,
    }
}

/// The cases that the lease shuts: none while it holds, then all but these.
pub(super) struct Shut(Option<BTreeSet<CaseId>>);

impl Shut {
    pub(super) fn holds(&self, case: CaseId) -> bool {
        self.holds_what_is_of(Some(case))
    }

    /// The same where it may not be known which case something is of: then any that is shut may be its.
    pub(super) fn holds_what_is_of(&self, case: Option<CaseId>) -> bool {
        self.0.as_ref().is_some_and(|open| case.is_none_or(|case| !open.contains(&case)))
    }
}

/// Of a case that is shut, that it exists: its id, reference, lane and state, this person's relations to it and when
/// they end; nothing of the client, no document, nothing signed, nobody else. Every field is named, so that a new one
/// is not shown before somebody has thought of it.
pub(super) fn that_it_exists(card: CaseCard) -> CaseCard {
    let CaseCard {
        case,
        reference,
        lane,
        state,
        client: _,
        relations,
        documents: _,
        prescriptions: _,
        home: _,
        people: _,
        ends,
        orphaned: _,
    } = card;
    let client = ClientCard {
        name: String::new(),
        address: String::new(),
        contact: None,
        visitor_risk: None,
        uprn: None,
        born: None,
        nhs_number: None,
    };
    let (documents, prescriptions, people) = (Vec::new(), Vec::new(), Vec::new());
    let (home, orphaned) = (None, None);
    CaseCard { case, reference, lane, state, client, relations, documents, prescriptions, home, people, ends, orphaned }
}

impl Counting {
    /// A run begins: of its first minute the store has the count before it is over.
    ///
    /// # Errors
    /// [`StoreError`]; not when there is no room for the note.
    pub(super) async fn begin(store: &Store, clock: &dyn Clock) -> Result<Self, StoreError> {
        let mut write = Writer::begin(store).await?;
        let (on, since) = (write.single::<Contacted>().await?, clock.elapsed());
        let Some(before) = on.filter(|contact| contact.hours.is_some()) else { return Ok(Self { on, since }) };
        let noted = before.noted(clock.now(), LEAST_RUN);
        match write.note(noted).await? {
            true => Ok(Self { on: Some(noted), since: since.saturating_add(LEAST_RUN) }),
            false => Ok(Self { on, since }),
        }
    }
}

impl Device {
    /// How the offline lease stands.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn lease(&self) -> Result<Lease, DeviceError> {
        let contact = self.reader().single::<Contacted>().await?;
        Ok(state(contact, self.clock.now(), self.counted(contact).unwrap_or(0)))
    }

    /// Milliseconds that this run has counted and the store does not have in `contact` yet; `None`: this run counts on
    /// something else. So it is for a moment behind each contact, and nothing from before it is counted on top of it.
    fn counted(&self, contact: Option<Contacted>) -> Option<u64> {
        let Counting { on, since } = *self.counting.read().unwrap_or_else(PoisonError::into_inner);
        (on == contact).then(|| self.clock.elapsed().saturating_sub(since))
    }

    /// From now on this run counts on this: the store has it.
    pub(super) fn count_on(&self, contact: Option<Contacted>) {
        let counting = Counting { on: contact, since: self.clock.elapsed() };
        *self.counting.write().unwrap_or_else(PoisonError::into_inner) = counting;
    }

    /// The run ends: what it counted is written down, if only a second.
    pub(super) async fn note_end(&self) {
        if let Err(error) = self.note_counted(1_000).await {
            tracing::warn!(%error, "what the offline lease counted since it was last noted is lost");
        }
    }

    /// Writes down what was counted, once that is as much as `least` milliseconds; what the store has then.
    async fn note_counted(&self, least: u64) -> Result<Option<Contacted>, DeviceError> {
        let contact = self.reader().single::<Contacted>().await?;
        let due = |contact: Contacted, counted: u64| {
            let ahead = self.clock.now().millis().saturating_sub(contact.furthest.millis());
            contact.hours.is_some() && counted.max(u64::try_from(ahead).unwrap_or(0)) >= least
        };
        match (contact, self.counted(contact)) {
            (None, Some(_)) => return Ok(None),
            (Some(before), Some(counted)) if !due(before, counted) => return Ok(contact),
            _ => {}
        }
        let mut write = Writer::begin(&self.store).await?;
        // As it is now: the server may have been heard from meanwhile, and no old contact stands against a new one.
        let contact = write.single::<Contacted>().await?;
        let noted = match (contact, self.counted(contact)) {
            (Some(contact), Some(counted)) => contact.noted(self.clock.now(), counted),
            // A contact behind which nobody came to begin the count.
            (contact, _) => {
                self.count_on(contact);
                return Ok(contact);
            }
        };
        if !write.note(noted).await? {
            return Ok(contact);
        }
        self.count_on(Some(noted));
        Ok(Some(noted))
    }

    /// Lets a case be opened now. One that was opened in this run stays open, so that a visit is written to its
    /// end, and so does one with anything that waits to be handed in.
    ///
    /// # Errors
    /// [`DeviceError::LeaseOver`].
    pub(super) async fn lease_lets(&self, case: CaseId) -> Result<(), DeviceError> {
        let shut = self.shut().await?;
        if shut.0.is_none() {
            self.opened().insert(case);
        }
        if shut.holds(case) { Err(DeviceError::LeaseOver) } else { Ok(()) }
    }

    /// That something of a case may be shown, which opens it not.
    ///
    /// # Errors
    /// [`DeviceError::LeaseOver`].
    pub(super) async fn lease_shows(&self, case: CaseId) -> Result<(), DeviceError> {
        if self.shut().await?.holds(case) { Err(DeviceError::LeaseOver) } else { Ok(()) }
    }

    /// Which cases are shut now.
    pub(super) async fn shut(&self) -> Result<Shut, DeviceError> {
        // Boxed: it stands under every call that opens or shows something.
        let contact = Box::pin(self.note_counted(NOTED_EVERY)).await?;
        if state(contact, self.clock.now(), self.counted(contact).unwrap_or(0)) != Lease::Closed {
            return Ok(Shut(None));
        }
        let mut open = self.opened().clone();
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        open.extend(waiting.iter().map(|(_, row)| row.case()));
        Ok(Shut(Some(open)))
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeSet<CaseId>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// The server was heard from: the lease begins anew, as long as it says or as it was.
    pub(super) async fn heard(&mut self, now: Timestamp, hours: Option<u16>) -> Result<(), StoreError> {
        let before = self.single::<Contacted>().await?.and_then(|contact| contact.hours);
        self.put_single(&Contacted::at(now, hours.or(before))).await
    }

    /// Writes down what was counted; whether there was room for it. Nobody is to be kept from what waits on a full
    /// disk, and no document is opened there: that it was read could not be noted either. Where it was not written
    /// down, the run goes on counting on what the store has.
    async fn note(mut self, noted: Contacted) -> Result<bool, StoreError> {
        let written = match self.put_single(&noted).await {
            Ok(()) => self.commit().await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => Ok(true),
            Err(StoreError::DiskFull) => {
                tracing::warn!("there is no room to note what the offline lease counted");
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTACT: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;
    const TEN_YEARS: i64 = 10 * 365 * 24 * HOUR;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(CONTACT + hours * HOUR)
    }

    fn contact() -> Contacted {
        Contacted::at(at(0), Some(168))
    }

    fn elapsed(hours: u64) -> u64 {
        hours * HOUR_MILLIS
    }

    #[test]
    fn a_week_is_open_its_last_day_warns_and_then_it_is_closed() {
        for (hours, expected) in [
            (0, Lease::Open),
            (143, Lease::Open),
            (144, Lease::Warning { hours_left: 24 }),
            (167, Lease::Warning { hours_left: 1 }),
            (168, Lease::Closed),
            (9_000, Lease::Closed),
        ] {
            assert_eq!(state(Some(contact()), at(hours.try_into().unwrap()), elapsed(hours)), expected, "{hours}");
            // Either count alone is enough.
            assert_eq!(state(Some(contact()), at(0), elapsed(hours)), expected, "{hours} counted");
            assert_eq!(state(Some(contact()), at(hours.try_into().unwrap()), 0), expected, "{hours} by the wall");
        }
    }

    #[test]
    fn a_clock_set_back_ten_years_takes_nothing_off_and_one_set_ahead_only_closes() {
        let back = Timestamp::from_millis(CONTACT - TEN_YEARS);
        assert_eq!(state(Some(contact()), back, elapsed(100)), Lease::Open);
        assert_eq!(state(Some(contact()), back, elapsed(168)), Lease::Closed);
        // It was seen 150 hours on; then it was set back, and the app restarted.
        let seen = contact().noted(at(150), elapsed(1));
        assert_eq!(state(Some(seen), back, 0), Lease::Warning { hours_left: 18 });
        let ahead = Timestamp::from_millis(CONTACT + TEN_YEARS);
        assert_eq!(state(Some(contact()), ahead, 0), Lease::Closed);
        assert_eq!(state(Some(contact().noted(ahead, 0)), at(1), 0), Lease::Closed, "until the next contact");
        assert_eq!(state(Some(Contacted::at(at(1), Some(168))), at(1), 0), Lease::Open);
        for extreme in [i64::MIN, i64::MAX] {
            state(Some(contact()), Timestamp::from_millis(extreme), u64::MAX);
            state(Some(Contacted::at(Timestamp::from_millis(extreme), Some(u16::MAX))), at(0), 0);
        }
    }

    #[test]
    fn what_runs_before_counted_adds_up_over_restarts_with_a_clock_that_stands_still() {
        let mut kept = contact();
        for _ in 0..20 {
            kept = kept.noted(at(0), elapsed(8));
        }
        assert_eq!(state(Some(kept), at(0), elapsed(7)), Lease::Warning { hours_left: 1 });
        assert_eq!(state(Some(kept), at(0), elapsed(8)), Lease::Closed);
    }

    #[test]
    fn without_a_word_of_the_server_there_is_no_lease() {
        assert_eq!(state(None, at(9_000), elapsed(9_000)), Lease::Open);
        assert_eq!(state(Some(Contacted::at(at(0), None)), at(9_000), 0), Lease::Open);
    }
}
