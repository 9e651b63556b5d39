//! Strangers' bytes (invariant 6): every input of the corpus, and what a seeded mutator makes of them, goes through what
//! reads bytes of clients and of servers. None may panic, take more than two seconds or more than 256 MB.
//!
//! With `--long`, `tests/run` has libFuzzer look for more: `libfuzzer/`, with the same targets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod mutate;
mod targets;

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use grabrail_tests::is_long;
use sync_core::clock::{Clock as _, Seeded, SystemClock};
use sync_core::guard::Bounds;
use sync_core::id::Hash;

use crate::mutate::mutated;
use crate::targets::{Scene, TARGETS, Target};

/// The longest that one input may take.
const LONGEST: Duration = Duration::from_secs(2);
/// The most memory that one input may take, in kB.
const MOST_KB: u64 = 256 << 10;
/// How long the mutator goes on with one target.
const MUTATING: Duration = Duration::from_secs(9);
/// The same with `--long`.
const MUTATING_LONG: Duration = Duration::from_secs(120);
/// What the mutator begins with; an input it fails on is named by its number.
const SEED: u64 = 3;

thread_local! { static QUIET: Cell<bool> = const { Cell::new(false) }; }

/// Memory is measured for the whole process, so one target runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = std::panic::take_hook();
        // Automerge's panics are caught where they belong; telling of each would take longer than all else.
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                told(panic);
            }
        }));
    });
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line of `/proc/self/status`, in kB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How long this thread has run so far, whatever else the machine had to do.
fn own_time() -> Duration {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

/// Runs a target on one input; why it must not be so, if it panicked, or took too long or too much.
fn run((name, target): Target, scene: &Scene, input: &[u8]) -> Result<Duration, String> {
    // From now on the most memory is counted anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let began = own_time();
    QUIET.set(true);
    let ran = catch_unwind(AssertUnwindSafe(|| target(scene, input)));
    QUIET.set(false);
    let (took, most) = (own_time().saturating_sub(began), status("VmHWM").saturating_sub(before));
    match ran {
        Err(_) => Err(format!("{name}: a panic escaped")),
        Ok(()) if took > LONGEST => Err(format!("{name}: {took:?}")),
        Ok(()) if most > MOST_KB => Err(format!("{name}: {most} kB")),
        Ok(()) => Ok(took),
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The inputs of a target, by name. Where there are none yet, what honest programs send is written, and the test fails,
/// so that somebody commits it.
fn corpus(scene: &Scene, target: &str) -> Vec<(String, Vec<u8>)> {
    if !folder(target).exists() {
        fs::create_dir_all(folder(target)).unwrap();
        for input in honest(scene, target) {
            fs::write(folder(target).join(&Hash::of(&input).to_string()[..12]), input).unwrap();
        }
        panic!("wrote what honest programs send to the corpus of {target}: commit it");
    }
    let files = fs::read_dir(folder(target)).unwrap().map(|file| file.unwrap().path());
    let mut inputs: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// Said past the test's own capture: how much was tried is part of the result.
fn say(line: &str) {
    grabrail_tests::count(&format!("fuzz: {line}"));
}

/// The values of a golden file.
fn golden(file: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-core/golden").join(file);
    let text = fs::read_to_string(path).unwrap();
    let hex = text.lines().filter_map(|line| line.split_once(' '));
    hex.map(|(_, hex)| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()).collect()
}

/// What honest programs send: a target's inputs that get all the way in.
fn honest(scene: &Scene, target: &str) -> Vec<Vec<u8>> {
    match target {
        "scan" => scene.honest().iter().flat_map(|input| targets::contents_in(input)).collect(),
        "push" => [golden("sync-request-1.txt"), golden("sync-packed-1.txt"), scene.requests()].concat(),
        "guard" => scene.honest(),
        _ => [golden("sync-reply-1.txt"), golden("sync-packed-1.txt"), scene.replies()].concat(),
    }
}

#[test]
fn honest_inputs_get_all_the_way_in() {
    let scene = Scene::new();
    for input in scene.honest() {
        assert_eq!(scene.judge(&input).map(|_| ()), Ok(()));
    }
    for reply in golden("sync-reply-1.txt") {
        assert!(scene.believes(&reply), "a golden reply is not of this scene's server any more");
    }
    let visits = scene.honest();
    for ((request, reply), visit) in scene.requests().iter().zip(scene.replies()).zip(&visits) {
        let changes = targets::contents_in(visit).len();
        assert_eq!(scene.brings(request, &reply), (changes, changes));
        assert!(scene.believes(&reply));
    }
}

#[test]
fn every_input_of_the_corpus_comes_back_in_time_and_within_bounds() {
    let _alone = alone();
    let scene = Scene::new();
    for target in TARGETS {
        let inputs = corpus(&scene, target.0);
        assert!(inputs.len() > 10, "the corpus of {} is missing", target.0);
        let mut longest = Duration::ZERO;
        for (name, input) in &inputs {
            longest = longest.max(run(target, &scene, input).unwrap_or_else(|why| panic!("{name}: {why}")));
        }
        say(&format!("{}: {} inputs of the corpus, the longest {longest:?}", target.0, inputs.len()));
    }
}

#[test]
fn whatever_the_mutator_makes_of_them_comes_back_in_time_and_within_bounds() {
    let _alone = alone();
    let scene = Scene::new();
    let most = if is_long() { MUTATING_LONG } else { MUTATING };
    for target in TARGETS {
        let mut inputs = honest(&scene, target.0);
        inputs.extend(corpus(&scene, target.0).into_iter().map(|(_, input)| input));
        let (mut chance, began, mut tried, mut longest) =
            (Seeded::new(SEED), SystemClock::new(), 0_u64, Duration::ZERO);
        while Duration::from_millis(began.elapsed()) < most {
            let input = mutated(&inputs, &mut chance);
            let took = run(target, &scene, &input).unwrap_or_else(|why| {
                let hex = data_encoding::HEXLOWER.encode(&input);
                panic!("input {tried} of seed {SEED}: {why}\n{hex}")
            });
            (tried, longest) = (tried + 1, longest.max(took));
        }
        assert!(tried > 100, "{}: only {tried} inputs", target.0);
        say(&format!("{}: {tried} mutants of seed {SEED}, the longest {longest:?}", target.0));
    }
}

/// As large as a document may get: the smallest push goes through all of it, on the server and on a device.
#[test]
fn a_small_push_to_a_document_at_its_bounds_is_judged_in_time_and_within_bounds() {
    let _alone = alone();
    let bounds = Bounds::default();
    // As full as leaves room for what comes, and for what the scene has written in it.
    let grown = [(bounds.document_operations - 50_000, 30_000), (bounds.document_changes - 100, 1)];
    let grown = grown.map(|(operations, each)| {
        let what = format!("{operations} operations, {each} to a change");
        (what, Scene::new().grown(operations, each))
    });
    // As many as may write in it, and as many changes as those may make; and the other way round.
    let crowded = [bounds.document_actors - 10, bounds.document_clocks / bounds.document_changes - 3].map(|actors| {
        let changes = bounds.document_changes.min(bounds.document_clocks / (actors + 3)) - 100;
        let what = format!("{actors} actors and {changes} changes");
        (what, Scene::new().crowded(u32::try_from(actors).unwrap(), changes))
    });
    let noted = bounds.document_inflated - (1 << 20);
    let noted = [(format!("{noted} bytes of notes"), Scene::new().noted(noted))];
    for (what, scene) in grown.into_iter().chain(crowded).chain(noted) {
        let input = scene.honest().remove(0);
        assert_eq!(scene.judge(&input).map(drop), Ok(()));
        let judged: Target = ("guard", |scene, input| drop(scene.judge(input)));
        let took = run(judged, &scene, &input).unwrap();
        let opened: Target = ("reply", Scene::opens);
        let opens = run(opened, &scene, &[]).unwrap();
        say(&format!("guard: a push to a document of {what}, {took:?}; opened in {opens:?}"));
    }
}

/// What a change may say of itself that its few bytes do not hold, and what an envelope may: the bombs of the design.
#[test]
fn a_bomb_of_each_kind_goes_off_nowhere() {
    let _alone = alone();
    let scene = Scene::new();
    let zeros = zstd::bulk::compress(&vec![0; 80 << 20], 1).unwrap();
    for target in TARGETS {
        for bomb in [targets::bomb(i64::MAX), targets::bomb(1_000_000_000), targets::bomb(50_000), zeros.clone()] {
            let chunk = targets::chunk(&bomb);
            let listed = targets::listed(std::slice::from_ref(&chunk));
            for input in [bomb, listed].into_iter().chain(scene.carried(&chunk)) {
                run(target, &scene, &input).unwrap();
            }
        }
    }
}
