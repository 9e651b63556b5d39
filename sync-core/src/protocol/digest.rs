//! One short sum over all that a device carries, so that both ends notice when they differ.
//!
//! It is a sum, not a hash of a list: a document that moves costs one subtraction and one addition, whatever the caseload,
//! and the order in which documents came does not matter. It finds accidents, not malice: whoever speaks signed what
//! they said, and each change is checked by its own hash.

use data_encoding::HEXLOWER;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::id::{DocumentId, Hash};

/// The sum over documents of the first 16 bytes of SHA-256(`grabrail carried 1\0`, document, each head in sorted order),
/// as two big-endian lanes of 64 bits that wrap by themselves. A document that nobody has written in yet has one head: its
/// skeleton.
#[derive(Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct CarriedDigest(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl CarriedDigest {
    /// Counts a document at these heads, in whatever order they are given.
    pub fn add(&mut self, document: DocumentId, heads: &[Hash]) {
        self.combine(document, heads, u64::wrapping_add);
    }

    /// Counts it no longer. The heads are those it was added with.
    pub fn remove(&mut self, document: DocumentId, heads: &[Hash]) {
        self.combine(document, heads, u64::wrapping_sub);
    }

    fn combine(&mut self, document: DocumentId, heads: &[Hash], with: fn(u64, u64) -> u64) {
        let mut sorted = heads.to_vec();
        sorted.sort_unstable();
        let mut hasher = Sha256::new_with_prefix(b"grabrail carried 1\0");
        hasher.update(document.as_bytes());
        for head in &sorted {
            hasher.update(head.as_bytes());
        }
        let hash: [u8; 32] = hasher.finalize().into();
        for (lane, term) in self.0.chunks_exact_mut(8).zip(hash.chunks_exact(8)) {
            lane.copy_from_slice(&with(number(lane), number(term)).to_be_bytes());
        }
    }
}

fn number(lane: &[u8]) -> u64 {
    lane.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl std::fmt::Debug for CarriedDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CarriedDigest({})", HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kind::Kind;
    use crate::domain::testing::document;
    use crate::golden::{golden, hash};

    #[test]
    fn what_is_carried_sums_to_the_same_in_any_order_and_to_nothing_when_all_of_it_has_gone() {
        let carried = [
            (document(1), vec![hash(1), hash(2)]),
            (document(2), vec![hash(2)]),
            (document(3), vec![Kind::Home.skeleton_hash()]),
        ];
        let (mut one, mut other) = (CarriedDigest::default(), CarriedDigest::default());
        for (document, heads) in &carried {
            one.add(*document, heads);
        }
        for (document, heads) in carried.iter().rev() {
            other.add(*document, &heads.iter().rev().copied().collect::<Vec<_>>());
        }
        assert_eq!(one, other);
        other.remove(document(2), &[hash(2)]);
        other.add(document(2), &[hash(3)]);
        assert_ne!(one, other);
        for (document, heads) in &carried {
            one.remove(*document, heads);
        }
        assert_eq!(one, CarriedDigest::default());
    }

    #[test]
    fn what_is_carried_sums_to_what_it_always_did() {
        let mut digest = CarriedDigest::default();
        let mut values = vec![("nothing".to_owned(), digest)];
        digest.add(document(1), &[hash(2), hash(1)]);
        values.push(("one-document".to_owned(), digest));
        digest.add(document(2), &[Kind::Home.skeleton_hash()]);
        values.push(("two-documents".to_owned(), digest));
        let bytes: Vec<_> =
            values.iter().map(|(name, digest)| (name.clone(), minicbor::to_vec(digest).unwrap())).collect();
        let kept = golden("carried-1.txt", &bytes);
        for ((name, bytes), (_, digest)) in bytes.iter().zip(&values) {
            assert_eq!(HEXLOWER.encode(bytes), HEXLOWER.encode(&kept[name]), "{name}");
            assert_eq!(minicbor::decode::<CarriedDigest>(&kept[name]).unwrap(), *digest, "{name}");
        }
    }
}
