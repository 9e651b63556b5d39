//! Intentions: everything a person can do to a document, as one enum.
//!
//! The device keeps the intention beside the change it made of it until the server's receipt is in, so that work which
//! was refused can be done again on top of what the server has.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::record::{Body, SharedText};
use crate::id::Key;

/// The most characters one splice may take in or take out.
pub const MOST_SPLICE_CHARACTERS: u32 = 20_000;
/// The most characters of a caption.
pub const MOST_CAPTION_CHARACTERS: usize = 300;

/// One intention.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Record something, under a new key.
    #[n(0)]
    Add(#[n(0)] Body),
    /// Write a photo's caption: the last writer wins, the history stays.
    #[n(1)]
    Caption {
        /// The photo's record.
        #[n(0)]
        photo: Key,
        /// At most [`MOST_CAPTION_CHARACTERS`].
        #[n(1)]
        text: String,
    },
    /// Write in a shared text.
    #[n(2)]
    Splice {
        /// Which text.
        #[n(0)]
        text: SharedText,
        /// Characters (Unicode scalar values) before the place.
        #[n(1)]
        at: u32,
        /// Characters to take out there.
        #[n(2)]
        delete: u32,
        /// What to put in.
        #[n(3)]
        insert: String,
    },
}
