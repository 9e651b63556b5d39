//! What travels in JSON, as the API's description shows it. `sync-core` knows no OpenAPI, so its types have their
//! likeness here, under the same names; the story `described` holds each equal to what serde really reads and writes.
#![allow(dead_code, reason = "they describe sync-core's types and are never made")]

pub(super) mod asks;
pub(super) mod bodies;
pub(super) mod cards;
pub(super) mod enrolment;
pub(super) mod evidence;
pub(super) mod findings;
pub(super) mod words;
