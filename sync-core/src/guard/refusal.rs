//! Why the guard refuses.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::Hash;

/// Why a push was not taken in. Stored with what is quarantined and sent to the device: a format for ever.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// More of something than a bound allows.
    #[error("too large: {found} {what}, at most {most} are taken")]
    #[n(0)]
    TooLarge {
        /// Of what.
        #[n(0)]
        what: String,
        /// How much there was.
        #[n(1)]
        found: u64,
        /// How much is allowed.
        #[n(2)]
        most: u64,
    },
    /// Not an uncompressed change chunk with its right checksum and nothing behind it.
    #[error("change {at} is not a change chunk in its one form")]
    #[n(1)]
    NotAChange {
        /// Which change of the push, from 0.
        #[n(0)]
        at: u32,
    },
    /// The signature is not this device's over this push.
    #[error("the signature does not fit what was pushed")]
    #[n(2)]
    Signature,
    /// The change is made in another actor's name.
    #[error("change {at} is made in the name of another actor")]
    #[n(3)]
    Actor {
        /// Which change.
        #[n(0)]
        at: u32,
    },
    /// The actor's changes are not contiguous: some of them are missing before this one.
    #[error("change {at} is number {found} of its actor, {expected} was expected")]
    #[n(4)]
    Sequence {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Its number.
        #[n(1)]
        found: u64,
        /// The number expected.
        #[n(2)]
        expected: u64,
    },
    /// The operations do not begin right behind those the change builds on.
    #[error("change {at} begins at operation {found}, {expected} was expected")]
    #[n(5)]
    StartOp {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Where it begins.
        #[n(1)]
        found: u64,
        /// Where it should.
        #[n(2)]
        expected: u64,
    },
    /// The change builds on changes that the server does not have.
    #[error("change {at} builds on {} that are not here", missing.len())]
    #[n(6)]
    Missing {
        /// Which change.
        #[n(0)]
        at: u32,
        /// The hashes that are missing.
        #[n(1)]
        missing: Vec<Hash>,
    },
    /// The change carries a time, a message, an author or trailing bytes: claims live in the data.
    #[error("change {at} carries what belongs into the data")]
    #[n(7)]
    Decorated {
        /// Which change.
        #[n(0)]
        at: u32,
    },
    /// An operation that nobody may make: on a container, on a key of somebody else, a delete, a mark.
    #[error("change {at}, operation {operation}, does what no edit does")]
    #[n(8)]
    Operation {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Which operation in it, from 0.
        #[n(1)]
        operation: u32,
    },
    /// A record that does not fit the document.
    #[error("change {at}: {why}")]
    #[n(9)]
    Unfit {
        /// Which change.
        #[n(0)]
        at: u32,
        /// Why, in words.
        #[n(1)]
        why: String,
    },
    /// The person may not do this.
    #[error("your role or your part in this case does not allow this")]
    #[n(10)]
    NotAllowed,
    /// The document belongs to another case, or is of another kind.
    #[error("this document is of another case or kind")]
    #[n(11)]
    OtherDocument,
    /// What was pushed would leave a document that can't be read again.
    #[error("the document could not be read again with this change")]
    #[n(12)]
    Unreadable,
    /// An earlier push of this request or actor was refused and this one builds on it.
    #[error("it builds on what was refused before")]
    #[n(13)]
    Blocked,
    /// Not now, and not kept: a bound of the day, until tomorrow, or an organisation that its person left, until the
    /// device has signed in the name of the new one. Nothing is lost, the device brings it again.
    #[error("this can't be taken now: it goes through later")]
    #[n(14)]
    Later,
    /// Two changes that differ bear the same actor and number: a clone or a restored copy of the store wrote on, or
    /// somebody has its key. The first stands.
    #[error("change {at} is another change number {seq} of its actor than the one that is here")]
    #[n(15)]
    Equivocation {
        /// Which change.
        #[n(0)]
        at: u32,
        /// The number that is taken.
        #[n(1)]
        seq: u64,
    },
    /// The change does not build on the change of its actor before it, or names an operation of a change that it does
    /// not build on.
    #[error("change {at} speaks of what it does not build on")]
    #[n(16)]
    Detached {
        /// Which change.
        #[n(0)]
        at: u32,
    },
}
