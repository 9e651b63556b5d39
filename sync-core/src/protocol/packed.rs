//! Changes as they travel: without what the receiver knows or can derive.
//!
//! Exact or nothing: unpacking rebuilds every chunk byte for byte, and its hash is computed from what was rebuilt, so
//! that a signature over the hashes covers what travelled.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::domain::kind::Kind;
use crate::envelope::{Sender, actor};
use crate::guard::chunk_hash;
use crate::id::{DocumentId, Hash, Heads};

/// Changes of one document, packed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Packed(#[n(0)] ByteVec);

/// What both ends know before any of the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    base: Heads,
    actor: Option<[u8; 16]>,
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

/// The first byte: whole chunks follow, each behind its length.
const WHOLE: u8 = 0;

impl Known {
    /// Of a push: the heads it builds on, and its author's actor in the document.
    pub fn push(sender: &Sender, document: DocumentId, fork: u32, base: &Heads) -> Self {
        Self { base: base.clone(), actor: Some(actor(sender, document, fork)) }
    }

    /// Of news: that a document of this kind begins with its skeleton.
    pub fn news(kind: Kind) -> Self {
        Self { base: vec![kind.skeleton_hash()], actor: None }
    }
}

impl Packed {
    /// Packs raw change chunks, in their order.
    pub fn pack<B: AsRef<[u8]>>(changes: &[B], known: &Known) -> Self {
        let _ = known;
        let mut bytes = vec![WHOLE];
        for change in changes {
            number(&mut bytes, change.as_ref().len());
            bytes.extend_from_slice(change.as_ref());
        }
        Self(bytes.into())
    }

    /// Each change's hash and raw chunk, in their order.
    ///
    /// # Errors
    /// [`BadPack`], before more than the limits allow is held in memory.
    pub fn unpack(&self, known: &Known, limits: PackLimits) -> Result<Vec<(Hash, Vec<u8>)>, BadPack> {
        let _ = known;
        let mut rest = self.0.as_slice();
        if take(&mut rest, 1)? != [WHOLE] {
            return Err(BadPack::Damaged);
        }
        let (mut changes, mut bytes) = (Vec::new(), 0_usize);
        while !rest.is_empty() {
            let length = read_number(&mut rest)?;
            bytes = bytes.saturating_add(length);
            if bytes > limits.bytes {
                return Err(BadPack::TooLarge { what: "bytes", found: bytes, most: limits.bytes });
            }
            if changes.len() == limits.changes {
                return Err(BadPack::TooLarge { what: "changes", found: changes.len() + 1, most: limits.changes });
            }
            let chunk = take(&mut rest, length)?;
            let at = u32::try_from(changes.len()).unwrap_or(u32::MAX);
            changes.push((chunk_hash(chunk).ok_or(BadPack::NotAChange { at })?, chunk.to_vec()));
        }
        Ok(changes)
    }

    /// As it travels.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }
}

fn number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> Result<usize, BadPack> {
    let mut number = 0_u64;
    for place in 0..9 {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return usize::try_from(number).map_err(|_| BadPack::Damaged);
        }
    }
    Err(BadPack::Damaged)
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], BadPack> {
    let (taken, behind) = rest.split_at_checked(length).ok_or(BadPack::Damaged)?;
    *rest = behind;
    Ok(taken)
}

/// The changes that an uncompressed change chunk says it builds on; `None` when it is none.
pub fn dependencies(chunk: &[u8]) -> Option<Heads> {
    chunk_hash(chunk)?;
    // Magic, checksum and type; then the length, which `chunk_hash` found to be right.
    let mut rest = chunk.get(9..)?;
    read_number(&mut rest).ok()?;
    let count = read_number(&mut rest).ok()?;
    let hashes = take(&mut rest, count.checked_mul(32)?).ok()?;
    Some(hashes.as_chunks::<32>().0.iter().map(|hash| Hash::from_bytes(*hash)).collect())
}
