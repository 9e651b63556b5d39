//! The habits of the house, held by reading its source: arrows, words, sizes, places, and that the README tells the
//! truth. Each rule is a function over files, so that a made-up offender shows that it can fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod arrows;
mod layout;
mod readme;
mod source;
mod words;

use source::Source;

/// Fails with every offence, one a line.
#[track_caller]
fn none(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// A made-up file.
fn made_up(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}
