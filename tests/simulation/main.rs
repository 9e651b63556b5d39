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
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use grabrail_tests::is_long;

use crate::world::{Ran, run};

/// Seeds of a run that takes its minutes, and of one that takes its time.
const SEEDS: (u64, u64) = (600, 100_000);
/// Steps of one seed, before the quiet.
const STEPS: usize = 100;
/// Seeds that are run twice, of a run that takes its minutes and of one that takes its time.
const TWICE: (u64, u64) = (12, 1_000);
/// Failures after which no more are looked for, in a run that takes its minutes and in one that takes its time.
const ENOUGH: (usize, usize) = (1, 3);
/// After how many seeds a run says how far it is.
const PROGRESS: u64 = 1_000;

/// The seeds that were asked for: `GRABRAIL_SEED=n` for one that is told step by step, `GRABRAIL_SEED=n..m` for a range,
/// as where a long run was broken off.
#[allow(clippy::disallowed_methods, reason = "the one place where the simulation is told what to run")]
fn asked() -> Option<Range<u64>> {
    let seeds = std::env::var("GRABRAIL_SEED").ok()?;
    let number = |text: &str| text.parse::<u64>().expect("GRABRAIL_SEED is a number, or two as in 0..100");
    Some(match seeds.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&seeds)..number(&seeds) + 1,
    })
}

/// What has to happen in a whole run for its being green to mean something.
const EVER: [&str; 35] = [
    "requests dropped",
    "replies dropped",
    "requests duplicated",
    network::LATE,
    "requests truncated",
    "replies truncated",
    "sign-in pages",
    "requests that go on from a cut",
    "requests that tell heads",
    "devices that died",
    "transactions lost with a device",
    "deaths of the server",
    "counters that a crash took",
    "full disks of devices",
    "The server's disk is full",
    "clocks that jumped",
    "devices put back",
    "devices cloned",
    "devices stopped",
    "devices enrolled anew",
    "devices revoked",
    "accounts disabled or enabled",
    "roles changed",
    "plans written late",
    "orders to purge",
    "pushes refused",
    "pushes in quarantine",
    "changes done again",
    "acts that the lease refused",
    "documents that came whole",
    "versions signed",
    "times that the glass was broken",
    "prescriptions taken over",
    "versions signed by two",
    "clashes seen",
];

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

/// Runs these seeds on every core there is, until enough have failed. What the failed ones say, and how often what
/// happened.
fn all_of(seeds: &Range<u64>) -> (Vec<String>, BTreeMap<&'static str, u64>) {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let totals: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    let enough = if is_long() { ENOUGH.1 } else { ENOUGH.0 };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().unwrap_or_else(PoisonError::into_inner).len() >= enough {
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
                    if (seed + 1) % PROGRESS == 0 {
                        tell(&format!(
                            "seeds up to {seed} of {}: go on with GRABRAIL_SEED={seed}..{}",
                            seeds.end, seeds.end
                        ));
                    }
                }
            });
        }
    });
    (failed.into_inner().unwrap(), totals.into_inner().unwrap())
}

#[test]
fn whatever_goes_wrong_the_invariants_hold_and_in_quiet_all_agree() {
    let seeds = asked().unwrap_or(0..if is_long() { SEEDS.1 } else { SEEDS.0 });
    if seeds.end - seeds.start == 1 {
        let ran = once(seeds.start);
        tell(&format!("{}\n{:?}\ntrace {}", ran.trace.join("\n"), ran.counts, ran.digest));
        assert_eq!(ran.broken, None, "seed {}", ran.seed);
        return;
    }
    let (failed, totals) = all_of(&seeds);
    let what: Vec<String> = totals.iter().map(|(what, many)| format!("{many} {what}")).collect();
    tell(&format!("{} seeds of {STEPS} steps: {}", seeds.end - seeds.start, what.join(", ")));
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    if seeds.start == 0 && seeds.end >= SEEDS.0 {
        let never: Vec<&str> = EVER.iter().filter(|what| !totals.contains_key(*what)).copied().collect();
        assert!(never.is_empty(), "these never happened, so nothing was learnt of them: {never:?}");
    }
}

/// Invariant 10: a failure that a seed shows once can be looked into as often as it takes.
#[test]
fn the_same_seed_replays_byte_for_byte() {
    if asked().is_some() {
        return;
    }
    for seed in 0..if is_long() { TWICE.1 } else { TWICE.0 } {
        let (first, second) = (once(seed), once(seed));
        for (one, other) in first.trace.iter().zip(&second.trace) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}
