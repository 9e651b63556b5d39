//! Contracts: what every store of a kind must do, run on each of them. A store that is missing fails, it is never
//! skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod accounts;
mod blobs;
mod case_keys;
mod device_store;
mod devices;
mod keys;
mod ledger;
mod organisations;
mod sessions;
mod stores;
