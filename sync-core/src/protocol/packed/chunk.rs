//! An uncompressed change chunk of Automerge, taken apart and put together again.
//!
//! Only the one form that an honest device makes is taken apart: no time, no message, nothing behind the columns.

use sha2::{Digest, Sha256};

use super::number::{Bytes, counted, number, size, width};
use crate::id::Hash;

/// The first bytes of every chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The type of an uncompressed change chunk.
const CHANGE: u8 = 1;
/// The columns that edits of ours fill.
pub(super) mod column {
    pub(in super::super) const OBJECT_ACTOR: u64 = 0x01;
    pub(in super::super) const OBJECT_COUNTER: u64 = 0x02;
    pub(in super::super) const KEY_ACTOR: u64 = 0x11;
    pub(in super::super) const KEY_COUNTER: u64 = 0x13;
    pub(in super::super) const KEY_STRING: u64 = 0x15;
    pub(in super::super) const INSERT: u64 = 0x34;
    /// Every operation has an entry in it.
    pub(in super::super) const ACTION: u64 = 0x42;
    pub(in super::super) const VALUE_META: u64 = 0x56;
    pub(in super::super) const VALUE: u64 = 0x57;
    pub(in super::super) const PRED_GROUP: u64 = 0x70;
}
/// The most columns that are taken apart; Automerge knows half as many.
pub(super) const MOST_COLUMNS: usize = 32;

/// A change chunk's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk<'b> {
    /// The changes it builds on, sorted.
    pub(super) dependencies: Vec<Hash>,
    pub(super) actor: &'b [u8],
    pub(super) seq: u64,
    pub(super) start_op: u64,
    pub(super) others: Vec<&'b [u8]>,
    /// Specification and data of each column.
    pub(super) columns: Vec<(u64, &'b [u8])>,
}

impl<'b> Chunk<'b> {
    /// Takes a chunk apart; `None` when [`Chunk::build`] would not give the same bytes again.
    pub(super) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut header = Bytes(bytes);
        header.take(9)?;
        let mut body = Bytes(header.counted()?);
        let count = body.size()?;
        let dependencies = body.take(count.checked_mul(32)?)?.as_chunks::<32>().0;
        let dependencies = dependencies.iter().map(|hash| Hash::from_bytes(*hash)).collect();
        let (actor, seq, start_op) = (body.counted()?, body.number()?, body.number()?);
        let _time_and_message = body.take(2)?;
        let count = body.size()?;
        let others = (0..count).map(|_| body.counted()).collect::<Option<_>>()?;
        let count = body.size().filter(|count| *count <= MOST_COLUMNS)?;
        let meta = (0..count).map(|_| Some((body.number()?, body.size()?))).collect::<Option<Vec<_>>>()?;
        let columns = meta.into_iter().map(|(kind, length)| Some((kind, body.take(length)?))).collect::<Option<_>>()?;
        let chunk = Self { dependencies, actor, seq, start_op, others, columns };
        (chunk.build().1 == bytes).then_some(chunk)
    }

    /// How many bytes the body takes, but for its columns' data.
    pub(super) fn head_size(&self) -> usize {
        let counted = |of: &[u8]| width(of.len() as u64) + of.len();
        let columns = self.columns.iter().map(|(kind, data)| width(*kind) + width(data.len() as u64)).sum::<usize>();
        width(self.dependencies.len() as u64)
            + 32 * self.dependencies.len()
            + counted(self.actor)
            + width(self.seq)
            + width(self.start_op)
            + 2
            + width(self.others.len() as u64)
            + self.others.iter().map(|other| counted(other)).sum::<usize>()
            + width(self.columns.len() as u64)
            + columns
    }

    /// The chunk in its one form, and its hash.
    pub(super) fn build(&self) -> (Hash, Vec<u8>) {
        let length = self.head_size() + self.columns.iter().map(|(_, data)| data.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(length + 19);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(CHANGE);
        size(&mut bytes, length);
        size(&mut bytes, self.dependencies.len());
        for hash in &self.dependencies {
            bytes.extend_from_slice(hash.as_bytes());
        }
        counted(&mut bytes, self.actor);
        number(&mut bytes, self.seq);
        number(&mut bytes, self.start_op);
        bytes.extend_from_slice(&[0, 0]);
        size(&mut bytes, self.others.len());
        for other in &self.others {
            counted(&mut bytes, other);
        }
        size(&mut bytes, self.columns.len());
        for (kind, data) in &self.columns {
            number(&mut bytes, *kind);
            size(&mut bytes, data.len());
        }
        for (_, data) in &self.columns {
            bytes.extend_from_slice(data);
        }
        let hash: [u8; 32] = Sha256::digest(&bytes[8..]).into();
        bytes[4..8].copy_from_slice(&hash[..4]);
        (Hash::from_bytes(hash), bytes)
    }

    /// The number of its last operation.
    pub(super) fn max_op(&self) -> u64 {
        let actions = self.columns.iter().find(|(kind, _)| *kind == column::ACTION);
        let operations = actions.and_then(|(_, data)| entries(Bytes(data))).unwrap_or(0);
        self.start_op.saturating_add(operations).saturating_sub(1)
    }
}

/// How many entries a run-length encoded column of numbers has; they are counted, not written out.
fn entries(mut column: Bytes<'_>) -> Option<u64> {
    let mut entries = 0_u64;
    while !column.0.is_empty() {
        let run = column.signed()?;
        let count = match run {
            0 => column.number()?,
            1.. => {
                column.number()?;
                run.unsigned_abs()
            }
            ..0 => {
                for _ in 0..run.unsigned_abs() {
                    column.number()?;
                }
                run.unsigned_abs()
            }
        };
        entries = entries.saturating_add(count);
    }
    Some(entries)
}
