//! The Grabrail server: one binary, one data folder, one Welfare Authority.
//!
//! Arrows, held by `tests/tidy`: `routes, console -> services -> storage, blobs`. Only `storage/` says SQL; only
//! `routes/`, `console/`, `auth` and `error` say HTTP. Time and chance are arguments.

pub mod chance;
pub mod storage;
