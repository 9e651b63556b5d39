//! What lies where, and how much of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::source::{Source, all, exceptions, paths, root};
use crate::{made_up, none};

/// All there is at the root, beside dotfiles.
const ROOT: &[&str] = &["Cargo.lock", "Cargo.toml", "README.md", "mobile-bindings", "server", "sync-core", "tests"];

/// Folders of bytes that are formats for ever.
const GOLDEN: &[&str] = &["sync-core/golden/", "server/src/storage/fixtures/"];

/// A file of this many lines, its tests not counted, has a second name hidden in it.
const LONG: usize = 600;

fn strangers(paths: &[String]) -> Vec<String> {
    let at_root: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('/').next()).collect();
    let strange = at_root.into_iter().filter(|name| !ROOT.contains(name) && !name.starts_with('.'));
    strange.map(|name| format!("{name} doesn't belong at the root")).collect()
}

fn long_files(sources: &[Source], excepted: &[(String, String)]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let (lines, known) =
            (source.without_tests().lines().count(), excepted.iter().any(|(path, _)| *path == source.path));
        match (lines >= LONG, known) {
            (true, false) => offences.push(format!("{} has {lines} lines: look for a second name in it", source.path)),
            (false, true) => offences.push(format!("{} has {lines} lines: strike it from long_files.txt", source.path)),
            _ => {}
        }
    }
    offences
}

fn unproved(paths: &[String], sources: &[Source]) -> Vec<String> {
    let golden = paths.iter().filter(|path| GOLDEN.iter().any(|folder| path.starts_with(folder)));
    let named = |name: &str| sources.iter().any(|source| source.path.ends_with(".rs") && source.text.contains(name));
    golden
        .filter(|path| !named(path.rsplit('/').next().unwrap_or_default()))
        .map(|path| format!("{path} is named by no test"))
        .collect()
}

/// Ways to break the code that do not fit the code any more.
fn stale(patches: &[PathBuf]) -> Vec<String> {
    let applies = |patch: &&PathBuf| {
        let tried = Command::new("git").args(["apply", "--check"]).arg(patch).current_dir(root()).output().unwrap();
        tried.status.success()
    };
    let stale = patches.iter().filter(|patch| !applies(patch));
    stale.map(|patch| format!("{} does not apply: make it anew", patch.display())).collect()
}

#[test]
fn every_way_to_break_the_code_on_purpose_still_applies() {
    let patches = paths().into_iter().filter(|path| path.starts_with("tests/sabotage/") && path.ends_with(".patch"));
    let patches: Vec<PathBuf> = patches.map(|path| root().join(path)).collect();
    assert!(patches.len() >= 10);
    none(stale(&patches));
}

#[test]
fn a_patch_of_other_code_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let patch = folder.path().join("other.patch");
    std::fs::write(&patch, "--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-Nothing of ours.\n+Something.\n").unwrap();
    assert_eq!(stale(&[patch]).len(), 1);
}

#[test]
fn nothing_else_lies_at_the_root() {
    none(strangers(&paths()));
}

#[test]
fn no_file_is_longer_than_one_name_can_hold() {
    none(long_files(&all(), &exceptions("long_files.txt")));
}

#[test]
fn every_golden_file_is_held_by_a_test() {
    none(unproved(&paths(), &all()));
}

#[test]
fn a_stray_a_long_and_an_unproved_file_are_found() {
    assert_eq!(strangers(&["notes.txt".to_owned(), ".ci/run".to_owned(), "server/a.rs".to_owned()]).len(), 1);
    let long = "fn f() {}\n".repeat(LONG);
    assert_eq!(long_files(&made_up("server/src/a.rs", &long), &[]).len(), 1);
    let known = [("server/src/a.rs".to_owned(), "it is a table".to_owned())];
    assert!(long_files(&made_up("server/src/a.rs", &long), &known).is_empty());
    assert_eq!(long_files(&made_up("server/src/a.rs", ""), &known).len(), 1);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(long_files(&made_up("server/src/a.rs", &tested), &[]).is_empty());
    let golden = ["sync-core/golden/b-1.bin".to_owned()];
    assert_eq!(unproved(&golden, &made_up("a.rs", "a-1.bin")).len(), 1);
    assert!(unproved(&golden, &made_up("a.rs", "include_bytes!(\"b-1.bin\")")).is_empty());
}
