//! What was said so far, on both ends alike: the next record is told by how it differs.

use std::borrow::Cow;
use std::collections::HashMap;

use super::number::{folded, unfolded};
use super::words::Places;
use crate::id::Key;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    key: Option<Key>,
    claimed: u64,
    elapsed: u64,
    pub(super) authors: Said,
    pub(super) bytes: Said,
    pub(super) places: Places,
}

/// When, by the clock on the wall, by the one that is never set, and how far the first is off: 0 for not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) claimed: u64,
    pub(super) elapsed: u64,
    pub(super) offset: u64,
}

impl Memory {
    /// `author` writes, whose device has this number.
    pub(super) fn new(author: Option<([u8; 16], u32)>) -> Self {
        let key = author.map(|(_, device)| Key { device, counter: 0 });
        let mut memory = Self { key, ..Self::default() };
        if let Some((account, _)) = author {
            memory.authors.tell(&account);
        }
        memory
    }

    /// A record's key: its device unless it is that of the one before, and how far its counter is from the next.
    pub(super) fn tell_key(&mut self, key: Key) -> (u64, u64) {
        let before = self.key.replace(key);
        let device = if before.is_some_and(|before| before.device == key.device) { 0 } else { key.device };
        let next = before.map_or(0, |before| u64::from(before.counter) + 1);
        (device.into(), folded(u64::from(key.counter).wrapping_sub(next)))
    }

    pub(super) fn hear_key(&mut self, (device, counter): (u64, u64)) -> Option<Key> {
        let device = match device {
            0 => self.key?.device,
            device => u32::try_from(device).ok()?,
        };
        let next = self.key.map_or(0, |before| u64::from(before.counter) + 1);
        let key = Key { device, counter: u32::try_from(next.wrapping_add(unfolded(counter))).ok()? };
        self.key = Some(key);
        Some(key)
    }

    /// How far the one clock went, and how much further the other.
    pub(super) const fn tell_when(&mut self, when: When) -> (u64, u64) {
        let went = when.claimed.wrapping_sub(self.claimed);
        let further = when.elapsed.wrapping_sub(self.elapsed).wrapping_sub(went);
        (self.claimed, self.elapsed) = (when.claimed, when.elapsed);
        (folded(went), folded(further))
    }

    pub(super) const fn hear_when(&mut self, (went, further): (u64, u64), offset: u64) -> When {
        let went = unfolded(went);
        self.claimed = self.claimed.wrapping_add(went);
        self.elapsed = self.elapsed.wrapping_add(went).wrapping_add(unfolded(further));
        When { claimed: self.claimed, elapsed: self.elapsed, offset }
    }
}

/// A key that a record names, by how far it is from the record's own.
pub(super) fn tell_named(own: Key, (device, counter): (u64, u64)) -> (u64, u64) {
    let device = if device == u64::from(own.device) { 0 } else { device.wrapping_add(1) };
    (device, folded(u64::from(own.counter).wrapping_sub(counter)))
}

pub(super) fn hear_named(own: Key, (device, counter): (u64, u64)) -> (u64, u64) {
    let device = if device == 0 { own.device.into() } else { device.wrapping_sub(1) };
    (device, u64::from(own.counter).wrapping_sub(unfolded(counter)))
}

/// Bytes that were said, in the order in which they were said first.
#[derive(Debug, Default)]
pub(super) struct Said {
    all: Vec<Vec<u8>>,
    /// Where each stands, for who tells: by as many as there are, looking through them all would take for ever.
    places: HashMap<Vec<u8>, u64>,
}

impl Said {
    /// Bytes that were said before, by their place from 1; 0 for those that are new.
    pub(super) fn tell(&mut self, bytes: &[u8]) -> u64 {
        if let Some(place) = self.places.get(bytes) {
            return *place;
        }
        self.all.push(bytes.to_vec());
        self.places.insert(bytes.to_vec(), self.all.len() as u64);
        0
    }

    /// What was told of bytes; `new` gives those that are.
    pub(super) fn hear<'b>(&mut self, told: u64, new: impl FnOnce() -> Option<&'b [u8]>) -> Option<Cow<'b, [u8]>> {
        match usize::try_from(told).ok()?.checked_sub(1) {
            Some(at) => self.all.get(at).cloned().map(Cow::Owned),
            None => {
                let bytes = new()?;
                self.all.push(bytes.to_vec());
                Some(bytes.into())
            }
        }
    }
}
