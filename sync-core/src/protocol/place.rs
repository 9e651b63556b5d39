//! Places in the order in which a server writes, and what is said of them.

use minicbor::{Decode, Encode};

use super::sync::Receipts;
use crate::id::{Epoch, Hash};

/// A place in the order in which one life of the server wrote. Places of different lives say nothing of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// The server's life.
    #[n(0)]
    pub epoch: Epoch,
    /// Counts up from 1.
    #[n(1)]
    pub n: i64,
}

impl Place {
    /// Whether everything up to `other` is up to here too.
    pub fn reaches(self, other: Self) -> bool {
        self.epoch == other.epoch && self.n >= other.n
    }

    /// This place, or `before` where that lies behind it in the same life.
    #[must_use]
    pub fn or_later(self, before: Option<Self>) -> Self {
        before.filter(|before| before.reaches(self)).unwrap_or(self)
    }
}

impl Receipts {
    /// Where all of it lies, at the latest, if the server said so.
    pub fn place(&self) -> Option<Place> {
        self.n.map(|n| Place { epoch: self.epoch, n })
    }
}

/// That everything up to a place of the reply's life is in a backup off the server's machine: documents and the bytes of
/// photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Backup {
    /// Up to which number.
    #[n(0)]
    pub n: i64,
    /// SHA-256 of the backup's bytes.
    #[n(1)]
    pub digest: Hash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_another_life_neither_reaches_this_one_nor_lies_behind_it() {
        let at = |life, n| Place { epoch: Epoch::from_bytes([life; 16]), n };
        assert!(at(1, 5).reaches(at(1, 5)) && at(1, 6).reaches(at(1, 5)));
        assert!(!at(1, 4).reaches(at(1, 5)) && !at(2, 6).reaches(at(1, 5)));
        assert_eq!(at(1, 5).or_later(Some(at(1, 7))), at(1, 7));
        assert_eq!(at(1, 5).or_later(Some(at(1, 3))), at(1, 5));
        assert_eq!(at(2, 5).or_later(Some(at(1, 7))), at(2, 5));
        assert_eq!(at(1, 5).or_later(None), at(1, 5));
    }
}
