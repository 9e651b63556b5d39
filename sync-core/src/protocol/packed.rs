//! Changes as they travel: without what the receiver knows or can derive.
//!
//! Exact or nothing: unpacking rebuilds every chunk byte for byte, and its hash is computed from what was rebuilt, so
//! that a signature over the hashes covers what travelled.

mod chunk;
mod columns;
mod layout;
mod memory;
mod number;
mod numbers;
mod records;
mod rows;
mod shape;
mod words;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use self::number::Bytes;
use crate::domain::document::{Document, Unreadable};
use crate::domain::kind::Kind;
use crate::envelope::{Sender, actor};
use crate::guard::{chunk_hash, take_in};
use crate::id::{AccountId, DocumentId, Hash, Heads};

/// Changes of one document, packed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Packed(#[n(0)] ByteVec);

/// What both ends know before any of the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    kind: Kind,
    base: Heads,
    author: Option<Author>,
}

/// Who makes changes that are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Author {
    actor: [u8; 16],
    account: AccountId,
    /// Of their device, in the keys of what it adds.
    number: u32,
}

/// How much may come out of packed changes of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackLimits {
    /// Changes.
    pub changes: usize,
    /// Bytes of all of them, rebuilt.
    pub bytes: usize,
}

impl PackLimits {
    /// What a device takes from its server, of one document in one part of a reply.
    pub const REPLY: Self = Self { changes: 1 << 20, bytes: 256 << 20 };
}

/// Why packed changes can't be rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPack {
    /// More changes, or more bytes, than the limit.
    #[error("{found} {what}, at most {most} are taken")]
    TooLarge {
        /// Of what: `changes` or `bytes`.
        what: &'static str,
        /// How much there was at least.
        found: usize,
        /// How much is taken.
        most: usize,
    },
    /// Not packed by this version, or damaged.
    #[error("the changes are not packed as this version does it, or damaged")]
    Damaged,
    /// What comes out is no change.
    #[error("change {at} is no change chunk in its one form")]
    NotAChange {
        /// Which, from 0.
        at: u32,
    },
}

/// The first byte: which layout follows. A layout, once used, keeps its meaning for ever.
const LAYOUT: u8 = 1;

impl Known {
    /// Of a push: the document's kind, the heads it builds on, its author and their actor in the document.
    pub fn push(sender: &Sender, (document, kind): (DocumentId, Kind), fork: u32, base: &Heads) -> Self {
        let (actor, account, number) = (actor(sender, document, fork), sender.account, sender.number);
        Self { kind, base: base.clone(), author: Some(Author { actor, account, number }) }
    }

    /// Of news: that a document of this kind begins with its skeleton.
    pub fn news(kind: Kind) -> Self {
        Self { kind, base: vec![kind.skeleton_hash()], author: None }
    }
}

impl BadPack {
    const fn over(limits: PackLimits) -> Self {
        Self::TooLarge { what: "bytes", found: limits.bytes.saturating_add(1), most: limits.bytes }
    }
}

impl Packed {
    /// Packs raw change chunks, in their order. One that could not be rebuilt exactly travels whole.
    pub fn pack<B: AsRef<[u8]>>(changes: &[B], known: &Known) -> Self {
        let changes: Vec<&[u8]> = changes.iter().map(AsRef::as_ref).collect();
        let packed = |whole| {
            let mut bytes = vec![LAYOUT];
            layout::pack(&mut bytes, &changes, known, whole);
            Self(bytes.into())
        };
        let short = packed(false);
        let all = PackLimits { changes: changes.len(), bytes: usize::MAX };
        let again = short.unpack(known, all).is_ok_and(|again| again.iter().map(|(_, bytes)| bytes).eq(&changes));
        if again { short } else { packed(true) }
    }

    /// Each change's hash and raw chunk, in their order.
    ///
    /// # Errors
    /// [`BadPack`], before more than the limits allow is held in memory.
    pub fn unpack(&self, known: &Known, limits: PackLimits) -> Result<Vec<(Hash, Vec<u8>)>, BadPack> {
        match self.0.split_first() {
            Some((&LAYOUT, bytes)) => layout::unpack(bytes, known, limits),
            _ => Err(BadPack::Damaged),
        }
    }

    /// What was kept as it travels, by whoever packed it.
    pub fn kept(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// A document of this kind with these changes, all that it has but its skeleton.
    ///
    /// # Errors
    /// [`Unreadable`], when they can't be unpacked or make no document.
    pub fn document(&self, kind: Kind) -> Result<Document, Unreadable> {
        let changes = self.unpack(&Known::news(kind), PackLimits::REPLY);
        let changes = changes.map_err(|bad| Unreadable::Refused(bad.to_string()))?;
        let raw: Vec<&[u8]> = changes.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        let mut document = Document::new(kind)?;
        take_in(&mut document, &raw)?;
        Ok(document)
    }

    /// As it travels.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many changes it says it has.
    pub fn len(&self) -> usize {
        self.0.get(1..).and_then(|bytes| Bytes(bytes).size()).unwrap_or(0)
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The changes that an uncompressed change chunk says it builds on; `None` when it is none.
pub fn dependencies(chunk: &[u8]) -> Option<Heads> {
    chunk_hash(chunk)?;
    // Magic, checksum and type; then the body behind its length.
    let mut header = Bytes(chunk.get(9..)?);
    let mut body = Bytes(header.counted()?);
    let count = body.size()?;
    let hashes = body.take(count.checked_mul(32)?)?.as_chunks::<32>().0;
    Some(hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect())
}

#[cfg(test)]
mod tests;
