//! Sealing: how a value is kept so that it reads only with its key and only in its place.
//!
//! A sealed value is `version (1 byte, 1) | nonce (24 bytes) | XChaCha20-Poly1305 ciphertext and tag`. The
//! associated data is the value's [`Place`]: moved to another store, generation, table, row or column, or put back
//! after a newer one was written, it no longer unseals. Names (row keys, groups, case ids) are kept as HMAC-SHA256
//! under a key derived from the data key, so they can be looked up and not read.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::clock::Chance;
use crate::id::Generation;

/// The first byte of everything sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// How many bytes sealing adds to a value.
pub const OVERHEAD: usize = 1 + NONCE + TAG;
/// The most bytes one value may have: 32 MiB. A prepared photo has about 1 MiB, a document far less.
pub const MAX_VALUE: usize = 32 * 1024 * 1024;

/// Why a value could not be sealed or unsealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is larger than [`MAX_VALUE`].
    #[error("a value of {bytes} bytes is over the limit of {MAX_VALUE}")]
    TooLarge {
        /// Size of the value that was to be sealed or unsealed.
        bytes: usize,
    },
    /// The bytes are not of a form this version knows.
    #[error("the sealed value has an unknown form")]
    UnknownForm,
    /// The bytes, the key or the place are not those of the sealing.
    #[error("the sealed value does not fit its key and place")]
    DoesNotFit,
}

/// Where a value is kept. Everything here is bound into the sealing and none of it is kept inside the sealed value.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The store's random id.
    pub store: &'a [u8; 16],
    /// The store generation in which the value was written; all zeros for what belongs to no generation.
    pub generation: Generation,
    /// Table.
    pub table: &'a str,
    /// Row: whatever identifies it in its table.
    pub row: &'a [u8],
    /// Column.
    pub column: &'a str,
    /// Counts up from 1 with each writing of this row.
    pub version: i64,
}

impl Place<'_> {
    /// The associated data: each part with its length before it, so that no two places share one.
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = b"grabrail sealed value 1".to_vec();
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 6] =
            [self.store, self.generation.as_bytes(), self.table.as_bytes(), self.row, self.column.as_bytes(), &version];
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// HMAC-SHA256 over the parts, each with its length before it.
fn hmac_parts(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    hmac(key, &message)
}

/// HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut pads = Zeroizing::new([[0x36_u8; 64], [0x5c; 64]]);
    for pad in pads.iter_mut() {
        for (pad, byte) in pad.iter_mut().zip(key) {
            *pad ^= byte;
        }
    }
    let inner = Sha256::new().chain_update(pads[0]).chain_update(message).finalize();
    Sha256::new().chain_update(pads[1]).chain_update(inner).finalize().into()
}

/// The key of a whole store: 32 random bytes that never touch the disk unwrapped. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// A new key.
    pub fn mint(chance: &mut dyn Chance) -> Self {
        let mut key = Self([0; 32]);
        chance.fill(&mut key.0);
        key
    }

    /// The key that these 32 bytes are.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The 32 bytes of the key, for wrapping only.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that seals values, and the keys of the cases.
    pub fn sealing(&self) -> SealKey {
        SealKey(hmac(&self.0, b"grabrail store: values"))
    }

    /// The key under which names are hashed.
    pub fn naming(&self) -> NameKey {
        NameKey(hmac(&self.0, b"grabrail store: names"))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A key that seals values. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// The sealing key that these 32 bytes are.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// Seals a value in its place; the nonce comes from `chance`. The result is [`OVERHEAD`] bytes longer.
    pub fn seal(&self, place: &Place<'_>, value: &[u8], chance: &mut dyn Chance) -> Result<Vec<u8>, SealError> {
        if value.len() > MAX_VALUE {
            return Err(SealError::TooLarge { bytes: value.len() });
        }
        let mut nonce = [0; NONCE];
        chance.fill(&mut nonce);
        let ciphertext = XChaCha20Poly1305::new((&self.0).into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: value, aad: &place.to_bytes() })
            .map_err(|_| SealError::TooLarge { bytes: value.len() })?;
        let mut sealed = Vec::with_capacity(1 + NONCE + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Reads a sealed value in its place.
    pub fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if sealed.len() > MAX_VALUE + OVERHEAD {
            return Err(SealError::TooLarge { bytes: sealed.len() });
        }
        let (&version, rest) = sealed.split_first().ok_or(SealError::UnknownForm)?;
        if version != VERSION || rest.len() < NONCE + TAG {
            return Err(SealError::UnknownForm);
        }
        let (nonce, ciphertext) = rest.split_at(NONCE);
        XChaCha20Poly1305::new((&self.0).into())
            .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: &place.to_bytes() })
            .map_err(|_| SealError::DoesNotFit)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// The key of one case's values: random, kept only wrapped by the store's key. To destroy it is to destroy them.
#[derive(Debug)]
pub struct CaseKey(SealKey);

impl CaseKey {
    /// A new key.
    pub fn mint(chance: &mut dyn Chance) -> Self {
        let mut key = SealKey([0; 32]);
        chance.fill(&mut key.0);
        Self(key)
    }

    /// This key, sealed by the store's.
    pub fn wrap(&self, by: &SealKey, place: &Place<'_>, chance: &mut dyn Chance) -> Result<Vec<u8>, SealError> {
        by.seal(place, &self.0.0, chance)
    }

    /// The key that was wrapped by the store's.
    pub fn unwrap(by: &SealKey, place: &Place<'_>, wrapped: &[u8]) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(by.unseal(place, wrapped)?);
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| SealError::UnknownForm)?;
        Ok(Self(SealKey(*bytes)))
    }

    /// The key as it seals.
    pub fn sealing(&self) -> &SealKey {
        &self.0
    }
}

/// The key under which names are hashed. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct NameKey([u8; 32]);

impl NameKey {
    /// The hash that stands for a name of this kind: the same name always has the same hash in one store.
    pub fn hash(&self, kind: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut all: Vec<&[u8]> = vec![kind.as_bytes()];
        all.extend_from_slice(parts);
        hmac_parts(&self.0, &all)
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::clock::Seeded;

    const STORE: [u8; 16] = [7; 16];

    fn place() -> Place<'static> {
        Place {
            store: &STORE,
            generation: Generation::from_bytes([9; 16]),
            table: "entry",
            row: b"row",
            column: "value",
            version: 3,
        }
    }

    #[test]
    fn the_bytes_of_a_store_stay_as_they_were_first_written() {
        let mut chance = Seeded::new(1);
        let data_key = DataKey::mint(&mut chance);
        let case_key = CaseKey::mint(&mut chance);
        let sealed = data_key.sealing().seal(&place(), b"clear width 775 mm", &mut chance).unwrap();
        let wrapped = case_key.wrap(&data_key.sealing(), &place(), &mut chance).unwrap();
        let now = format!(
            "sealed {}\nname {}\ncase-key {}\n",
            HEXLOWER.encode(&sealed),
            HEXLOWER.encode(&data_key.naming().hash("key", &[&[1], b"home"])),
            HEXLOWER.encode(&wrapped),
        );
        assert_eq!(now, include_str!("../../golden/device-seal-1.txt"));
    }

    #[test]
    fn a_value_unseals_only_in_its_place() {
        let mut chance = Seeded::new(2);
        let key = DataKey::mint(&mut chance).sealing();
        let here = place();
        let sealed = key.seal(&here, b"secret", &mut chance).unwrap();
        assert_eq!(key.unseal(&here, &sealed).unwrap(), b"secret");
        let elsewhere = [
            Place { store: &[8; 16], ..here },
            Place { generation: Generation::from_bytes([0; 16]), ..here },
            Place { table: "case_key", ..here },
            Place { row: b"rov", ..here },
            Place { column: "values", ..here },
            Place { version: 4, ..here },
            // The border between two parts is bound too.
            Place { table: "entryr", row: b"ow", ..here },
        ];
        for other in elsewhere {
            assert_eq!(key.unseal(&other, &sealed), Err(SealError::DoesNotFit), "{other:?}");
        }
        let other_key = DataKey::mint(&mut chance).sealing();
        assert_eq!(other_key.unseal(&here, &sealed), Err(SealError::DoesNotFit));
    }

    #[test]
    fn any_changed_or_missing_byte_is_found() {
        let mut chance = Seeded::new(3);
        let key = DataKey::mint(&mut chance).sealing();
        let sealed = key.seal(&place(), b"secret", &mut chance).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal(&place(), &changed).is_err(), "byte {at}");
            assert!(key.unseal(&place(), &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_value_over_the_bound_is_refused_both_ways() {
        let mut chance = Seeded::new(4);
        let key = DataKey::mint(&mut chance).sealing();
        let long = vec![VERSION; MAX_VALUE + OVERHEAD + 1];
        assert!(matches!(key.seal(&place(), &long, &mut chance), Err(SealError::TooLarge { .. })));
        assert!(matches!(key.unseal(&place(), &long), Err(SealError::TooLarge { .. })));
    }

    #[test]
    fn keyed_hashes_are_hmac_sha256() {
        // RFC 4231, test case 2.
        assert_eq!(
            HEXLOWER.encode(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn names_of_different_kinds_or_parts_differ() {
        let names = DataKey::mint(&mut Seeded::new(5)).naming();
        let name = names.hash("key", &[b"ab", b"c"]);
        assert_ne!(name, names.hash("group", &[b"ab", b"c"]));
        assert_ne!(name, names.hash("key", &[b"a", b"bc"]));
        assert_ne!(name, DataKey::mint(&mut Seeded::new(6)).naming().hash("key", &[b"ab", b"c"]));
    }
}
