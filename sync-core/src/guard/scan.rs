//! Step 1: what the raw bytes of a change are, before Automerge sees any of them.
//!
//! Automerge walks every operation of a change when it parses it, and 57 bytes can say that there are a thousand million;
//! it takes numbers in longer writings than they need, columns that it does not know, bytes behind the last column. So
//! the chunk is read here first, by its format, in one pass over its bytes that expands nothing: what passes is one
//! uncompressed change within bounds, in the one form in which Automerge writes it.

use sha2::{Digest, Sha256};

use super::bounds::Bounds;
use super::columns::{Columns, Limits, NotInForm, Reader};
use super::refusal::Refusal;
use crate::id::Hash;

/// The first bytes of every chunk.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The type of an uncompressed change chunk; a compressed one could inflate to anything.
const CHANGE_CHUNK: u8 = 1;

/// What a change says of itself, read without Automerge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// SHA-256 over its type, length and contents: its name.
    pub hash: Hash,
    /// Who made it.
    pub actor: [u8; 16],
    /// Its number among its actor's changes, from 1.
    pub seq: u64,
    /// The number of its first operation.
    pub start_op: u64,
    /// The changes it builds on, sorted.
    pub deps: Vec<Hash>,
    /// How many operations it has, within [`Bounds::operations`].
    pub operations: u64,
    /// How many operations those take the place of, within the same.
    pub replaced: u64,
}

impl Scanned {
    /// The number of its last operation; of one with none, that before its first.
    pub const fn max_op(&self) -> u64 {
        (self.start_op + self.operations).saturating_sub(1)
    }
}

/// Why bytes are not a change as the guard takes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unscannable {
    /// More of something than a bound allows.
    #[error("too large: {found} {what}, at most {most} are taken")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there was.
        found: u64,
        /// How much is allowed.
        most: u64,
    },
    /// Not an uncompressed change chunk with its right checksum, in its one form, with nothing behind it.
    #[error("it is not a change chunk in its one form")]
    NotAChange,
    /// It carries a time, a message or bytes behind its columns.
    #[error("it carries what belongs into the data")]
    Decorated,
}

impl Unscannable {
    /// The refusal of a push whose change number `at`, from 0, this is.
    pub fn at(self, at: u32) -> Refusal {
        match self {
            Self::TooLarge { what, found, most } => Refusal::TooLarge { what: what.to_owned(), found, most },
            Self::NotAChange => Refusal::NotAChange { at },
            Self::Decorated => Refusal::Decorated { at },
        }
    }
}

impl From<NotInForm> for Unscannable {
    fn from(_: NotInForm) -> Self {
        Self::NotAChange
    }
}

/// The hash of a chunk that is exactly one uncompressed change with its right checksum.
pub fn chunk_hash(bytes: &[u8]) -> Option<Hash> {
    chunk(bytes).map(|(hash, _)| hash)
}

/// The hash and the contents of a chunk.
fn chunk(bytes: &[u8]) -> Option<(Hash, &[u8])> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, hashed) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = hashed.split_first()?;
    if *magic != MAGIC || *kind != CHANGE_CHUNK {
        return None;
    }
    let mut reader = Reader::new(rest);
    let length = reader.size().ok()?;
    let contents = reader.rest();
    let hash: [u8; 32] = Sha256::digest(hashed).into();
    (contents.len() == length && hash[..4] == checksum[..]).then_some((Hash::from_bytes(hash), contents))
}

/// Reads what a change says of itself, and that it is one in its one form and within `bounds`. Takes time and memory
/// that grow with its bytes alone, whatever they say.
///
/// # Errors
/// [`Unscannable`].
pub fn scan(bytes: &[u8], bounds: &Bounds) -> Result<Scanned, Unscannable> {
    within("bytes in a change", bytes.len(), bounds.change_bytes)?;
    let (hash, contents) = chunk(bytes).ok_or(Unscannable::NotAChange)?;
    let mut reader = Reader::new(contents);
    let count = reader.size()?;
    within("changes that a change builds on", count, bounds.deps)?;
    let deps: Vec<Hash> = reader.many(count, 32)?.chunks_exact(32).filter_map(hash_of).collect();
    let actor = actor(&mut reader)?;
    let seq = reader.unsigned()?;
    let start_op = reader.unsigned()?;
    let decorated = reader.signed()? != 0 || reader.size()? != 0;
    if decorated {
        return Err(Unscannable::Decorated);
    }
    let count = reader.size()?;
    within("actors in a change", count, bounds.actors)?;
    let mut others: Vec<[u8; 16]> = Vec::new();
    for _ in 0..count {
        others.push(self::actor(&mut reader)?);
    }
    // Sorted, each once, and not its own: as Automerge writes them.
    let sorted = deps.is_sorted_by(|one, next| one < next) && others.is_sorted_by(|one, next| one < next);
    if !sorted || others.contains(&actor) || seq == 0 || start_op == 0 {
        return Err(Unscannable::NotAChange);
    }
    let columns = Columns::read(&mut reader)?;
    if !reader.is_at_end() {
        return Err(Unscannable::Decorated);
    }
    let operations = columns.operations()?;
    within_64("operations in a change", operations, bounds.operations)?;
    let replaced = columns.replaced()?;
    within_64("operations in a change", replaced, bounds.operations)?;
    // Automerge counts operations in 32 bits.
    let end = start_op.checked_add(operations).filter(|end| *end <= u64::from(u32::MAX));
    let end = end.ok_or(Unscannable::NotAChange)?;
    columns.check(Limits { operations, replaced, actors: 1 + others.len(), counters: end })?;
    Ok(Scanned { hash, actor, seq, start_op, deps, operations, replaced })
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), Unscannable> {
    within_64(what, found as u64, most)
}

fn within_64(what: &'static str, found: u64, most: usize) -> Result<(), Unscannable> {
    let most = most as u64;
    if found > most { Err(Unscannable::TooLarge { what, found, most }) } else { Ok(()) }
}

fn hash_of(bytes: &[u8]) -> Option<Hash> {
    Some(Hash::from_bytes(bytes.try_into().ok()?))
}

/// Every actor of ours has 16 bytes, the skeletons' among them.
fn actor(reader: &mut Reader<'_>) -> Result<[u8; 16], Unscannable> {
    let length = reader.size()?;
    let bytes = reader.take(length)?;
    bytes.try_into().map_err(|_| Unscannable::NotAChange)
}
