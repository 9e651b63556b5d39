//! Faults on real processes and real connections: kills, cuts, requests that come again, pages that are not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod again;
mod council;
mod cut;
mod killed;
mod portal;
mod shears;
mod stream;
