//! What travels, and nothing else does.
//!
//! CBOR with numbered places ([`minicbor`]), compressed with zstd, signed on both ways. A place, once used, keeps its
//! meaning for ever; new ones are added at the end. Limits are checked before anything is built of what was received.

pub mod ask;
pub mod card;
pub mod codec;
pub mod digest;
pub mod enrolment;
pub mod pace;
pub mod packed;
pub mod place;
pub mod sync;

pub use ask::{Ask, Request, Verdict};
pub use card::CaseCard;
pub use digest::CarriedDigest;
pub use packed::{Known, PackLimits, Packed};
pub use place::{Backup, Place};
pub use sync::{Push, SignedReply, SignedRequest, SyncReply, SyncRequest};
