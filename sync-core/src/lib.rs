//! What Grabrail's devices and its server share.
//!
//! Arrows, held by `tests/tidy`: `domain <- access <- guard, protocol <- engine <- device`. No IO outside `device`
//! (feature `device`); time and chance are arguments everywhere.

pub mod access;
pub mod clock;
#[cfg(feature = "device")]
pub mod device;
pub mod domain;
pub mod engine;
pub mod envelope;
#[cfg(test)]
mod golden;
pub mod guard;
pub mod id;
pub mod photo_bytes;
pub mod protocol;
