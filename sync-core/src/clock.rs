//! Time and chance, as arguments.
//!
//! A device's clock is evidence, not truth: nothing is ordered, expired or resolved by it. What a person did carries
//! a [`Stamp`] (what the device's clock said, how long it had been running, how far off the server found it); the
//! server adds when it received it. Legal dates come from the server or are entered by a person.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z. In JSON: RFC 3339 text in UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] i64);

impl Timestamp {
    /// The instant this many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `millis`; at the ends of what 64 bits hold it stays there.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The civil date in UTC, `YYYY-MM-DD`; `None` outside the years −9999 to 9999.
    pub fn date(self) -> Option<time::Date> {
        OffsetDateTime::from_unix_timestamp(self.seconds()).ok().map(OffsetDateTime::date)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} ms after 1970", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl std::str::FromStr for Timestamp {
    type Err = time::error::Parse;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = OffsetDateTime::parse(text, &Rfc3339)?;
        Ok(Self(at.unix_timestamp().saturating_mul(1000).saturating_add(i64::from(at.millisecond()))))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// When a person did something, as far as their device could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// What the device's clock said.
    #[n(0)]
    pub claimed: Timestamp,
    /// Milliseconds of monotonic time since the device's process began: orders what one run of a device did even
    /// when its clock was set meanwhile.
    #[n(1)]
    pub elapsed: u64,
    /// Device clock minus server clock in milliseconds, as measured at the last contact; `None` before the first.
    #[n(2)]
    pub offset: Option<i64>,
}

/// Where the time comes from. Real at the edge of a process, set by hand in tests and simulation.
pub trait Clock: Send + Sync + fmt::Debug {
    /// What the wall clock says.
    fn now(&self) -> Timestamp;
    /// Milliseconds since some fixed point of this process; never goes back.
    fn elapsed(&self) -> u64;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// The machine's clock, its monotonic time counted from now.
    #[allow(clippy::disallowed_methods, clippy::new_without_default)] // the one place where the real clock is read
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place where the real clock is read
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock set before 1970 is evidence too; it reads as 1970.
        Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    #[allow(clippy::disallowed_methods)] // the one place where the real clock is read
    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Where randomness comes from: keys, ids, salts, nonces.
pub trait Chance: Send {
    /// Fills `bytes` with what nobody can guess (or, seeded, with what a replay repeats).
    fn fill(&mut self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[allow(clippy::disallowed_methods, clippy::expect_used)]
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness no key, nonce or id may be made: there is nothing safe to go on with.
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// Chance that a seed replays byte for byte: SHA-256 over (seed, block number). For tests and simulation.
#[derive(Debug, Clone)]
pub struct Seeded {
    seed: u64,
    block: u64,
    left: Vec<u8>,
}

impl Seeded {
    /// The chance of this seed, from its beginning.
    pub fn new(seed: u64) -> Self {
        Self { seed, block: 0, left: Vec::new() }
    }
}

impl Chance for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.left.is_empty() {
                let mut hasher = Sha256::new();
                hasher.update(b"grabrail seeded chance");
                hasher.update(self.seed.to_be_bytes());
                hasher.update(self.block.to_be_bytes());
                self.block += 1;
                self.left = hasher.finalize().to_vec();
            }
            *byte = self.left.pop().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_it_is_written() {
        let at: Timestamp = "2026-11-16T09:30:00.250Z".parse().unwrap();
        assert_eq!(at.millis() % 1000, 250);
        assert_eq!(at.to_string(), "2026-11-16T09:30:00.25Z");
        assert_eq!(at.date().unwrap().to_string(), "2026-11-16");
        assert!(Timestamp::from_millis(i64::MAX).date().is_none());
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9223372036854775807 ms after 1970");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_asked_for() {
        let (mut a, mut b) = (Seeded::new(7), Seeded::new(7));
        let (mut whole, mut parts) = ([0; 100], [0; 100]);
        a.fill(&mut whole);
        for part in parts.chunks_mut(7) {
            b.fill(part);
        }
        assert_eq!(whole, parts);
        Seeded::new(8).fill(&mut parts);
        assert_ne!(whole, parts);
    }
}
