//! The world's time, and the clocks that tell it more or less.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sync_core::clock::{Clock, Timestamp};

/// 2026-11-16T09:00:00Z.
const START: i64 = 1_794_819_600_000;
/// Ten years, in milliseconds.
pub(crate) const TEN_YEARS: i64 = 10 * 365 * 86_400_000;
/// One hour, in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;

/// Milliseconds since the run began, as they really pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(Arc<AtomicI64>);

impl Time {
    pub(crate) fn passes(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// The right time, which is the server's.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + self.0.load(Ordering::SeqCst))
    }
}

/// A device's clock: set wrongly, and counting from when its process began.
#[derive(Debug)]
pub(crate) struct DeviceClock {
    time: Time,
    skew: AtomicI64,
    began: AtomicI64,
}

impl DeviceClock {
    pub(crate) fn new(time: &Time, skew: i64) -> Self {
        let clock = Self { time: time.clone(), skew: AtomicI64::new(skew), began: AtomicI64::new(0) };
        clock.boots();
        clock
    }

    /// The process begins anew, and with it what counts up.
    pub(crate) fn boots(&self) {
        self.began.store(self.time.0.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(crate) fn jumps(&self, millis: i64) {
        self.skew.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for DeviceClock {
    fn now(&self) -> Timestamp {
        self.time.now().plus_millis(self.skew.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> u64 {
        let elapsed = self.time.0.load(Ordering::SeqCst) - self.began.load(Ordering::SeqCst);
        u64::try_from(elapsed).unwrap_or_default()
    }
}
