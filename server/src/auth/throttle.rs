//! Slows down who guesses passwords: five failures are free, then each one doubles the wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

const FREE: u32 = 5;
/// Longest wait, in milliseconds.
const LONGEST: u64 = 15 * 60 * 1000;
/// A name nobody tried for so long is forgotten, in milliseconds.
const FORGET: u64 = 60 * 60 * 1000;
/// Most (name, address) pairs remembered: a flood of names must not fill the memory.
const MOST: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// Of the last one, in the clock's monotonic milliseconds.
    at: u64,
}

impl Failures {
    fn wait(self) -> u64 {
        match self.count.checked_sub(FREE) {
            None => 0,
            Some(over) => 1000_u64.checked_shl(over.min(20)).unwrap_or(LONGEST).min(LONGEST),
        }
    }
}

/// Failed sign-ins by name and address, in memory.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<(String, IpAddr), Failures>>);

impl Throttle {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, IpAddr), Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `name` may be tried from `address` at `elapsed` (monotonic milliseconds).
    ///
    /// # Errors
    /// In how many seconds it may.
    pub fn may_try(&self, name: &str, address: IpAddr, elapsed: u64) -> Result<(), u64> {
        let failures = self.lock().get(&key(name, address)).copied();
        let until = failures.map_or(0, |failures| failures.at.saturating_add(failures.wait()));
        if elapsed >= until || failures.is_none_or(|failures| failures.wait() == 0) {
            Ok(())
        } else {
            Err((until - elapsed).div_ceil(1000))
        }
    }

    /// One more failure.
    pub fn failed(&self, name: &str, address: IpAddr, elapsed: u64) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.retain(|_, failures| elapsed.saturating_sub(failures.at) < FORGET);
        }
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, failures)| failures.at).map(|(key, _)| key.clone());
            oldest.map(|key| known.remove(&key));
        }
        let failures = known.entry(key(name, address)).or_insert(Failures { count: 0, at: elapsed });
        if elapsed.saturating_sub(failures.at) >= FORGET {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), at: elapsed };
    }

    /// The right password forgets the wrong ones.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        self.lock().remove(&key(name, address));
    }
}

fn key(name: &str, address: IpAddr) -> (String, IpAddr) {
    (name.chars().take(64).collect(), address)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    #[test]
    fn after_five_failures_the_wait_grows_and_success_ends_it() {
        let throttle = Throttle::default();
        for _ in 0..4 {
            throttle.failed("ana", HERE, 0);
            assert_eq!(throttle.may_try("ana", HERE, 0), Ok(()));
        }
        throttle.failed("ana", HERE, 0);
        assert_eq!(throttle.may_try("ana", HERE, 0), Err(1));
        assert_eq!(throttle.may_try("ana", HERE, 1000), Ok(()));
        throttle.failed("ana", HERE, 1000);
        assert_eq!(throttle.may_try("ana", HERE, 1000), Err(2));
        assert_eq!(throttle.may_try("ana", THERE, 1000), Ok(()));
        assert_eq!(throttle.may_try("ben", HERE, 1000), Ok(()));
        for _ in 0..100 {
            throttle.failed("ana", HERE, 1000);
        }
        assert_eq!(throttle.may_try("ana", HERE, 1000), Err(LONGEST / 1000));
        throttle.succeeded("ana", HERE);
        assert_eq!(throttle.may_try("ana", HERE, 1000), Ok(()));
    }

    #[test]
    fn a_flood_of_names_does_not_fill_the_memory() {
        let throttle = Throttle::default();
        for at in 0..MOST as u64 + 50 {
            throttle.failed(&at.to_string(), HERE, at);
        }
        assert!(throttle.lock().len() <= MOST);
    }
}
