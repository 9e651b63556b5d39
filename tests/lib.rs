//! A council in a temporary folder: its server as a process of its own, its staff, and their devices.
//!
//! The binaries are those beside the test, so whoever runs a story builds the workspace first, as `tests/run` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a story can't go on without has failed the story"
)]

mod world;

pub use world::field::Field;
pub use world::line::Line;
pub use world::server::Server;
pub use world::tablet::{PASSPHRASE, Tablet};
pub use world::verb::Said;
pub use world::{PASSWORD, World, built, count, is_long};
