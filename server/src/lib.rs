//! The Grabrail server: one binary, one data folder, one Welfare Authority.
//!
//! Arrows, held by `tests/tidy`: routes, verbs, `demo` and `field` -> the services (`sync`, `asks`, `photos` …)
//! -> `storage`. Only `storage/` says SQL; only `routes/`, `auth`, `error`, the verb `serve`, `demo` and `field` say HTTP.
//! Time and chance are arguments.

pub mod app;
pub mod asks;
pub mod audit;
pub mod auth;
pub mod cards;
pub mod cases;
pub mod chance;
pub mod config;
#[cfg(feature = "field")]
pub mod demo;
pub mod differences;
pub mod documents;
pub mod error;
#[cfg(feature = "field")]
pub mod field;
pub mod figures;
pub mod keys;
pub mod photos;
pub mod reach;
pub mod ready;
pub mod routes;
pub mod storage;
pub mod sync;
#[cfg(test)]
mod testing;
pub mod uploads;
pub mod verbs;
