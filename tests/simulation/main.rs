//! Simulation: the real device, engine, guard, access and services over a store and a ledger in memory, in all weathers,
//! by seed. `GRABRAIL_SEED=n tests/run simulation` runs one seed and prints what happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod acts;
mod convergence;
mod council;
mod dice;
mod disk;
mod invariants;
mod lease;
mod machines;
mod model;
mod network;
mod office;
mod oracle;
mod steps;
mod tablet;
mod time;
mod typed;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use grabrail_tests::is_long;

use crate::world::{Ran, run};

/// Seeds of a run that takes its minutes, and of one that takes its time.
const SEEDS: (u64, u64) = (600, 100_000);
/// Steps of one seed, before the quiet.
const STEPS: usize = 100;
/// Seeds that are run twice.
const TWICE: u64 = 12;
/// Failures after which no more are looked for.
const ENOUGH: usize = 3;
/// Runs at once.
const THREADS: usize = 2;

/// The one seed that was asked for.
#[allow(clippy::disallowed_methods, reason = "the one place where the simulation is told what to run")]
fn asked() -> Option<u64> {
    std::env::var("GRABRAIL_SEED").ok().map(|seed| seed.parse().expect("GRABRAIL_SEED is a number"))
}

fn once(seed: u64) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(run(seed, STEPS))
}

/// What a failed run has to say.
fn story(ran: &Ran, broken: &str) -> String {
    let from = ran.trace.len().saturating_sub(25);
    let last = ran.trace[from..].join("\n");
    format!("{last}\n{broken}\nagain: GRABRAIL_SEED={} tests/run simulation", ran.seed)
}

/// Says something of a test that passes: what the macros print is shown of failures only.
#[allow(clippy::explicit_write, reason = "what `eprintln` says of a test that passes is not shown")]
fn tell(what: &str) {
    writeln!(std::io::stderr(), "{what}").unwrap();
}

#[test]
fn whatever_goes_wrong_the_invariants_hold_and_in_quiet_all_agree() {
    if let Some(seed) = asked() {
        let ran = once(seed);
        tell(&format!("{}\n{:?}\ntrace {}", ran.trace.join("\n"), ran.counts, ran.digest));
        assert_eq!(ran.broken, None, "seed {seed}");
        return;
    }
    let seeds = if is_long() { SEEDS.1 } else { SEEDS.0 };
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let totals: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failed.lock().unwrap_or_else(PoisonError::into_inner).len() >= ENOUGH {
                        break;
                    }
                    let ran = once(seed);
                    for (what, many) in &ran.counts {
                        *totals.lock().unwrap().entry(what).or_default() += many;
                    }
                    if let Some(broken) = &ran.broken {
                        let story = format!("after {seed} seeds:\n{}", story(&ran, broken));
                        // At once: the rest of a long run may take a day.
                        tell(&story);
                        failed.lock().unwrap().push(story);
                    }
                }
            });
        }
    });
    let (failed, totals) = (failed.into_inner().unwrap(), totals.into_inner().unwrap());
    tell(&format!("{seeds} seeds of {STEPS} steps: {totals:?}"));
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn the_same_seed_replays_byte_for_byte() {
    if asked().is_some() {
        return;
    }
    for seed in 0..TWICE {
        let (first, second) = (once(seed), once(seed));
        for (one, other) in first.trace.iter().zip(&second.trace) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}
