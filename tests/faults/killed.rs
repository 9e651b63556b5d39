//! Processes that are killed at any moment, as a power cut or the system would: the server under its devices, a device
//! under its person.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grabrail_tests::{Tablet, built, count, is_long};
use sync_core::clock::{Chance as _, Clock as _, Seeded, SystemClock};
use sync_core::id::Key;
use tokio::time::sleep;

use crate::council::{another, council, homes, reading, records, waiting};

/// How often the server is killed, in the long form and the short one.
const SERVER_KILLS: [usize; 2] = [10_000, 150];
/// How often the device is.
const DEVICE_KILLS: [usize; 2] = [5_000, 120];
/// After how many kills there is another device, which is killed while it is enrolled too.
const EACH: usize = 15;
/// In how many homes they measure, one after the other: of all that the long form has, one would be a document of more
/// changes times actors than the guard takes.
const HOMES: usize = 24;
/// How often what a device said it has sent is looked for on another.
const LOOKED_FOR: usize = 6;
/// How many devices speak to a server that is killed.
const DEVICES: usize = 4;
/// The most milliseconds until the next kill.
const LIFE: u64 = 250;
/// In how many milliseconds the server takes requests again, and a device says what it has.
const BACK: u64 = 2_000;

fn times([long, short]: [usize; 2]) -> usize {
    if is_long() { long } else { short }
}

fn milliseconds(chance: &mut Seeded, most: u64) -> Duration {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    Duration::from_millis(u64::from_be_bytes(bytes) % most)
}

/// Measures and syncs until told to stop; the keys the server acknowledged, each told only once.
async fn works(tablet: Tablet, which: usize, stop: Arc<AtomicBool>) -> (Tablet, BTreeSet<Key>, usize) {
    let home = homes(&tablet.device).await[which];
    let (mut made, mut acknowledged, mut cut) = (Vec::new(), BTreeSet::new(), 0);
    for value in (600..1400).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        made.push(tablet.device.measure(home, reading(value)).await.unwrap());
        if tablet.device.sync(&tablet.link).await.is_err() {
            cut += 1;
            sleep(Duration::from_millis(5)).await;
        }
        // Whether or not the whole sync went well: what does not wait any more, the server has said it has.
        let acknowledged_now = made.len() - waiting(&tablet.device).await;
        acknowledged.extend(&made[..acknowledged_now]);
    }
    (tablet, acknowledged, cut)
}

/// Invariant 1.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_server_acknowledged_is_lost_whenever_it_is_killed_under_load() {
    let mut world = council(DEVICES, "").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut at_work = Vec::new();
    for which in 0..DEVICES {
        let tablet = another(&world, &format!("tablet-{which}")).await;
        at_work.push(tokio::spawn(works(tablet, which, Arc::clone(&stop))));
    }
    let (clock, mut chance) = (SystemClock::new(), Seeded::new(9));
    let (kills, mut slowest) = (times(SERVER_KILLS), 0);
    for _ in 0..kills {
        sleep(milliseconds(&mut chance, LIFE)).await;
        world.server.kill();
        let died = clock.elapsed();
        world.server.restart().await;
        slowest = slowest.max(clock.elapsed() - died);
    }
    stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut cut, mut tablets) = (BTreeSet::new(), 0, Vec::new());
    for working in at_work {
        let (tablet, keys, cuts) = working.await.unwrap();
        acknowledged.extend(keys);
        cut += cuts;
        tablets.push(tablet);
    }
    // Before anybody could send anything again.
    let next = another(&world, "next").await;
    let there = records(&next.device).await;
    assert_eq!(acknowledged.difference(&there).collect::<Vec<_>>(), Vec::<&Key>::new(), "acknowledged and lost");
    assert!(acknowledged.len() > kills && cut > 0, "{} acknowledged, {cut} cut: no load", acknowledged.len());
    // And once all have spoken, everybody has everything.
    for tablet in &tablets {
        tablet.sync().await;
        assert_eq!(waiting(&tablet.device).await, 0);
    }
    tablets.push(next);
    for tablet in &tablets {
        tablet.sync().await;
    }
    let all = records(&tablets[0].device).await;
    for tablet in &tablets {
        assert_eq!(records(&tablet.device).await, all);
    }
    count(&format!(
        "{kills} kills of the server, {} acknowledged, {cut} syncs cut; slowest start {slowest} ms",
        acknowledged.len()
    ));
    assert!(slowest < BACK, "a killed server took {slowest} ms to take requests again, of {BACK}");
}

/// Invariants 1 and 8.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_device_said_was_kept_is_lost_whenever_it_is_killed() {
    let world = council(HOMES, "").await;
    let witness = another(&world, "witness").await;
    let homes = homes(&witness.device).await;
    let mut all: BTreeSet<Key> = BTreeSet::new();
    let mut chance = Seeded::new(5);
    let (kills, mut syncs, mut looked, mut slowest) = (times(DEVICE_KILLS), 0, 0, 0);
    let (mut store, mut code, mut kept) = (PathBuf::new(), String::new(), BTreeSet::new());
    for kill in 0..kills {
        if kill % EACH == 0 {
            // Another device, with a code of its own.
            store = world.path(&format!("device-under-load-{kill}.store"));
            (code, kept) = (world.code(crate::council::OT), BTreeSet::new());
        }
        let mut command = Command::new(built("device-under-load"));
        // The last one of each hands in what waits and ends by itself.
        let last = kill % EACH == EACH - 1 || kill + 1 == kills;
        let home = homes[kill / EACH % HOMES].to_string();
        command.arg(&store).arg(&code).arg(home).args(last.then_some("hand-in"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let clock = SystemClock::new();
        let mut device = command.spawn().unwrap();
        let said = BufReader::new(device.stdout.take().unwrap());
        // Of the first lives of a device, some end while it is being enrolled.
        let life = milliseconds(&mut chance, LIFE) + Duration::from_millis(if kill % EACH < 3 { 0 } else { 60 });
        let ends = tokio::spawn(async move {
            if !last {
                sleep(life).await;
                // An error says that it has ended, which its lines tell.
                let _ = device.kill();
            }
            device.wait().unwrap()
        });
        let heard = tokio::task::spawn_blocking(move || {
            // A line that was cut was not said. The first one says what is here.
            let mut opened = None;
            let mut lines = Vec::new();
            for line in said.lines().map_while(Result::ok) {
                opened.get_or_insert_with(|| clock.elapsed());
                lines.push(line);
            }
            (lines, opened)
        });
        let (mut here, mut made, mut sent): (Option<BTreeSet<Key>>, Vec<Key>, _) = (None, Vec::new(), None);
        let (lines, opened) = heard.await.unwrap();
        slowest = slowest.max(opened.unwrap_or_default());
        for line in lines {
            match line.split_once(' ') {
                Some(("here", keys)) => here = Some(keys.split(',').filter_map(|key| key.parse().ok()).collect()),
                Some(("made", key)) => made.push(key.parse().unwrap()),
                // All that it had by then.
                Some(("sent", _)) => {
                    syncs += 1;
                    sent = Some(here.iter().flatten().chain(&made).copied().collect::<BTreeSet<Key>>());
                }
                _ => panic!("{line}"),
            }
        }
        let ended = ends.await.unwrap();
        assert!(!last || ended.success(), "kill {kill}: it could not hand in: {ended}");
        // Killed before it could say anything, it has lost nothing either: the next one tells.
        if let Some(here) = here {
            assert_eq!(kept.difference(&here).collect::<Vec<_>>(), Vec::<&Key>::new(), "kill {kill}: lost");
        }
        kept.extend(&made);
        all.extend(made);
        // Before it could send anything again.
        if let Some(sent) = sent.filter(|_| kill % LOOKED_FOR == 0 || last) {
            witness.sync().await;
            let there = records(&witness.device).await;
            assert_eq!(sent.difference(&there).collect::<Vec<_>>(), Vec::<&Key>::new(), "kill {kill}: said to be sent");
            looked += 1;
        }
    }
    let kept = all;
    assert!(kept.len() > kills && syncs > 0, "{} kept, {syncs} syncs: no load", kept.len());
    assert!(looked > kills / EACH, "what was said to be sent was looked for only {looked} times");
    let next = another(&world, "next").await;
    let there = records(&next.device).await;
    assert_eq!(kept.difference(&there).collect::<Vec<_>>(), Vec::<&Key>::new(), "kept and never delivered");
    count(&format!(
        "{kills} kills of a device, {} readings kept, {syncs} syncs, looked for elsewhere {looked} times; slowest start \
         {slowest} ms",
        kept.len()
    ));
    assert!(slowest < BACK, "a killed device took {slowest} ms to say what it has, of {BACK}");
}
