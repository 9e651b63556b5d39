//! Stories: people, devices and a real server, each step checked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy's own exception covers only functions marked `#[test]`"
)]

mod asks;
mod audited;
mod backed_up;
mod bindings;
mod closed;
mod copied;
mod cramped;
mod delegated;
mod demo;
mod described;
mod disk;
mod figures;
mod full;
mod hostile;
mod kept;
mod office;
mod operator;
mod power;
mod reach;
mod refused;
mod revoked;
mod rights;
mod secure;
mod signing;
mod skewed;
mod slow;
mod small;
mod stood_in;
mod stop;
mod superseded;
mod terminal;
mod visit;
