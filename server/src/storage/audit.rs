//! The audit log: who did what to which case, when and by what right. Each entry is chained to the one before by its
//! hash, so that none can be altered, left out or put in unnoticed; a checkpoint is the server's signature over how far
//! the chain had come. Entries hold ids and no personal text: what was typed as a reason lies with the ask that an
//! entry names. The bytes of entries and checkpoints are formats for ever (golden in `sync-core/golden/`).

mod rows;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sync_core::access::{Relation, Role};
use sync_core::clock::Timestamp;
use sync_core::envelope::{PublicKey, Signed};
use sync_core::id::{
    AccountId, AskId, CaseId, DeviceId, DocumentId, Hash, KeyId, OrganisationId, QuarantineId, ServerId,
};
use sync_core::protocol::sync::PurgeReason;

use super::keys::{KeyPurpose, ServerKey};

pub use self::rows::Sought;

/// What the hash of every entry begins with.
pub const ENTRY_TAG: &str = "grabrail audit entry 1";
/// The tag that every checkpoint begins with.
pub const CHECKPOINT_TAG: &str = "grabrail audit checkpoint 1";

/// Who is behind something, and when, by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// When.
    pub at: Timestamp,
    /// Who; `None`: whoever is at the server's command line, or the server by itself.
    pub account: Option<AccountId>,
    /// By which device; `None`: at the API or the command line.
    pub device: Option<DeviceId>,
}

impl By {
    /// Somebody at the API.
    pub const fn person(account: AccountId, at: Timestamp) -> Self {
        Self { at, account: Some(account), device: None }
    }

    /// Whoever is at the server's command line, or the server by itself.
    pub const fn console(at: Timestamp) -> Self {
        Self { at, account: None, device: None }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Something of the case was read at the API: a document, or the case's card.
    #[n(0)]
    Read {
        /// Of the document only this photo.
        #[n(0)]
        photo: Option<Hash>,
    },
    /// A document was opened on a device, by its word and its clock.
    #[n(1)]
    Opened {
        /// First.
        #[n(0)]
        first: Timestamp,
        /// And last, since the device last told.
        #[n(1)]
        last: Timestamp,
        /// How often.
        #[n(2)]
        times: u32,
    },
    /// A device was sent this much of the case whole.
    #[n(2)]
    Sent {
        /// How many documents.
        #[n(0)]
        documents: u32,
        /// Whether the case's card was sent.
        #[n(1)]
        card: bool,
    },
    /// Changes were taken into a document.
    #[n(3)]
    Wrote {
        /// How many.
        #[n(0)]
        changes: u32,
    },
    /// A document was begun.
    #[n(4)]
    Began,
    /// A photo was taken in.
    #[n(5)]
    PhotoCame {
        /// Its hash.
        #[n(0)]
        hash: Hash,
    },
    /// A signed version left as an evidence pack.
    #[n(6)]
    Exported {
        /// Which signed version.
        #[n(0)]
        number: u32,
    },
    /// Something was asked, and decided.
    #[n(7)]
    Asked {
        /// The ask.
        #[n(0)]
        ask: AskId,
        /// What: `sign_off`.
        #[n(1)]
        request: String,
        /// Whether it was granted; if not, why lies with the ask.
        #[n(2)]
        granted: bool,
    },
    /// What a device pushed was refused, and set aside.
    #[n(8)]
    SetAside {
        /// Where it lies.
        #[n(0)]
        quarantine: QuarantineId,
    },
    /// Somebody asked to see what is not there, or not theirs to see.
    #[n(9)]
    Denied,
    /// A prescription was signed off.
    #[n(10)]
    Signed {
        /// As which signed version.
        #[n(0)]
        number: u32,
    },
    /// A signed version was superseded or recalled.
    #[n(11)]
    Withdrawn {
        /// Which.
        #[n(0)]
        number: u32,
    },
    /// The row of a case was made or changed: opened, particulars, released, closed.
    #[n(12)]
    CaseChanged,
    /// Somebody was tied to the case, or their tie got an end.
    #[n(13)]
    Tied {
        /// Who.
        #[n(0)]
        whom: AccountId,
        /// How.
        #[n(1)]
        relation: Relation,
        /// From when on.
        #[n(2)]
        starts: Timestamp,
        /// Until when.
        #[n(3)]
        ends: Option<Timestamp>,
    },
    /// Somebody was taken on as a co-author of a document.
    #[n(14)]
    Joined {
        /// Who.
        #[n(0)]
        whom: AccountId,
    },
    /// A device was ordered to purge the case, or a document of it.
    #[n(15)]
    Withheld {
        /// Which device.
        #[n(0)]
        from: DeviceId,
        /// Why.
        #[n(1)]
        reason: PurgeReason,
    },
    /// A device signed that it has purged the case, or a document of it.
    #[n(16)]
    Purged,
    /// An account was added or changed.
    #[n(17)]
    AccountChanged {
        /// Whose.
        #[n(0)]
        whom: AccountId,
        /// What became of it.
        #[n(1)]
        #[serde(flatten)]
        change: AccountChange,
    },
    /// A device was enrolled, stopped or revoked, or a code for one was made.
    #[n(18)]
    DeviceChanged {
        /// Whose.
        #[n(0)]
        whom: AccountId,
        /// Which; a code is for none yet.
        #[n(1)]
        which: Option<DeviceId>,
        /// What became of it.
        #[n(2)]
        change: DeviceChange,
    },
    /// A key of the server was retired for the next.
    #[n(19)]
    KeyRotated {
        /// The next.
        #[n(0)]
        key: KeyId,
    },
    /// Somebody signed in with their password.
    #[n(20)]
    SignedIn,
    /// The audit log itself was read or exported.
    #[n(21)]
    Audited,
}

/// What became of an account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum AccountChange {
    /// It was added.
    #[n(0)]
    Added {
        /// With this role.
        #[n(0)]
        role: Role,
        /// In this organisation.
        #[n(1)]
        organisation: OrganisationId,
    },
    /// It got another role.
    #[n(1)]
    Role {
        /// This one.
        #[n(0)]
        role: Role,
    },
    /// It moved to another organisation.
    #[n(2)]
    Organisation {
        /// This one.
        #[n(0)]
        organisation: OrganisationId,
    },
    /// It may sign in again, and its devices are heard.
    #[n(3)]
    Enabled,
    /// It may not, and they are not.
    #[n(4)]
    Disabled,
    /// It got another password.
    #[n(5)]
    Password,
    /// A look at the HCPC's register was recorded, or another number.
    #[n(6)]
    Registration {
        /// What the register said; `None`: nobody looked.
        #[n(0)]
        says: Option<String>,
    },
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum DeviceChange {
    /// A code to enrol one was made.
    #[n(0)]
    Code,
    /// It was enrolled.
    #[n(1)]
    Enrolled,
    /// It was revoked.
    #[n(2)]
    Revoked,
    /// It was stopped: there were two of it.
    #[n(3)]
    Stopped,
}

impl Act {
    /// Whose rights or work it is about, besides whoever did it.
    pub const fn whom(&self) -> Option<AccountId> {
        match self {
            Self::Tied { whom, .. }
            | Self::Joined { whom }
            | Self::AccountChanged { whom, .. }
            | Self::DeviceChanged { whom, .. } => Some(*whom),
            _ => None,
        }
    }
}

/// An act and what it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The case.
    pub case: Option<CaseId>,
    /// The document.
    pub document: Option<DocumentId>,
    /// What.
    pub act: Act,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Entry {
    /// Counts up from 1 without a gap.
    #[n(0)]
    pub n: u64,
    /// The hash of the entry before; zeros before the first.
    #[n(1)]
    pub before: Hash,
    /// When, by the server's clock.
    #[n(2)]
    pub at: Timestamp,
    /// Who; `None`: whoever was at the server's command line, or the server by itself.
    #[n(3)]
    pub account: Option<AccountId>,
    /// By which device.
    #[n(4)]
    pub device: Option<DeviceId>,
    /// The case.
    #[n(5)]
    pub case: Option<CaseId>,
    /// The document.
    #[n(6)]
    pub document: Option<DocumentId>,
    /// What tied whoever did it to the case when it was done. With no tie: a supervisor's office, or none at all.
    #[n(7)]
    pub purpose: Vec<Relation>,
    /// What was done.
    #[n(8)]
    #[serde(flatten)]
    pub act: Act,
}

/// The hash before the first entry.
pub const NOTHING: Hash = Hash::from_bytes([0; 32]);

impl Entry {
    /// The bytes that are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// The hash of an entry's bytes, which the next one names.
    pub fn hash_of(bytes: &[u8]) -> Hash {
        let hash = Sha256::new().chain_update(ENTRY_TAG).chain_update(bytes).finalize();
        Hash::from_bytes(hash.into())
    }
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The last entry's number; 0: there is none.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Default for End {
    fn default() -> Self {
        Self { n: 0, hash: NOTHING }
    }
}

impl End {
    /// The next entry, which becomes the end.
    pub fn add(&mut self, by: By, purpose: Vec<Relation>, done: Done) -> (Entry, Vec<u8>) {
        let Done { case, document, act } = done;
        let By { at, account, device } = by;
        let entry =
            Entry { n: self.n.saturating_add(1), before: self.hash, at, account, device, case, document, purpose, act };
        let bytes = entry.to_bytes();
        *self = Self { n: entry.n, hash: Entry::hash_of(&bytes) };
        (entry, bytes)
    }
}

/// How far the chain had come, as the server signs it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`CHECKPOINT_TAG`].
    #[n(0)]
    pub tag: String,
    /// The server.
    #[n(1)]
    pub server: ServerId,
    /// The last entry.
    #[n(2)]
    pub n: u64,
    /// Its hash.
    #[n(3)]
    pub hash: Hash,
    /// When, by the server's clock.
    #[n(4)]
    pub at: Timestamp,
    /// The key of the signature: one that signs prescriptions off, whose public half the council gives out.
    #[n(5)]
    pub key: KeyId,
}

impl Checkpoint {
    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// A checkpoint with the server's signature: what to keep elsewhere, so that a log whose end was cut off, or that was
/// made anew from its beginning, does not pass for whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The signature of [`Checkpoint::to_bytes`].
    pub signature: Signed,
}

impl SignedCheckpoint {
    /// Whether this server signed it, by one of these keys, retired ones too.
    pub fn is_signed(&self, server: ServerId, keys: &[ServerKey]) -> bool {
        let Checkpoint { tag, server: of, key, .. } = &self.checkpoint;
        let mut by = keys.iter().filter(|known| known.id == *key && known.purpose == KeyPurpose::Signoff);
        let signed = by.any(|key| PublicKey(key.public).verifies(&self.checkpoint.to_bytes(), &self.signature));
        tag == CHECKPOINT_TAG && *of == server && signed
    }
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not there.
    #[error("entry {0} is missing")]
    Missing(u64),
    /// Bytes that are no entry.
    #[error("entry {0} can't be read")]
    Unreadable(u64),
    /// An entry says that it follows on another than the one before it.
    #[error("entry {0}, or the one before it, was altered")]
    Altered(u64),
    /// The columns by which it is found say something else than the entry.
    #[error("the row of entry {0} does not say what the entry says")]
    Row(u64),
    /// A checkpoint that no key of this server signed.
    #[error("the checkpoint at entry {0} was not signed by this server")]
    Forged(u64),
    /// The chain is another than the one that a checkpoint was signed over.
    #[error("the server signed another entry {0} than is here")]
    Replaced(u64),
    /// A checkpoint was signed over more than is here.
    #[error("the server signed that there were {signed} entries, and {here} are here: the last ones are missing")]
    Cut {
        /// What was signed.
        signed: u64,
        /// What is here.
        here: u64,
    },
}

/// Walks a chain from its beginning.
#[derive(Debug, Default)]
pub struct Walk {
    end: End,
}

impl Walk {
    /// The next entry's bytes.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn next(&mut self, bytes: &[u8]) -> Result<Entry, Broken> {
        let n = self.end.n.saturating_add(1);
        let entry: Entry = minicbor::decode(bytes).map_err(|_| Broken::Unreadable(n))?;
        if entry.n > n {
            return Err(Broken::Missing(n));
        }
        if entry.n != n || entry.before != self.end.hash || entry.to_bytes() != bytes {
            return Err(Broken::Altered(n));
        }
        self.end = End { n, hash: Entry::hash_of(bytes) };
        Ok(entry)
    }

    /// Where it has come.
    pub const fn end(&self) -> End {
        self.end
    }
}

#[cfg(test)]
mod tests;
