//! Records, as far as this layout looks into them: who, when, and what follows. Times move on together, so that what one
//! clock says nearly always follows from the other.

use super::number::{Bytes, number};

/// A record's first bytes: its author, and that a stamp follows.
const HEAD: usize = 19;

/// A record's bytes taken apart.
pub(super) struct Stamped<'b> {
    /// Who, and how long the stamp is.
    pub(super) head: &'b [u8],
    /// When, by the clock on the wall.
    pub(super) claimed: u64,
    /// When, by the clock that is never set.
    pub(super) elapsed: u64,
    /// What.
    pub(super) tail: &'b [u8],
}

impl<'b> Stamped<'b> {
    /// Takes a record apart; `None` when it is none, or not in the one form that [`Stamped::build`] gives again.
    pub(super) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let head = rest.take(HEAD)?;
        if !head.starts_with(&[0x83, 0x50]) || rest.byte()? != 0x1b {
            return None;
        }
        let claimed = u64::from_be_bytes(*rest.take(8)?.first_chunk()?);
        let mut decoder = minicbor::Decoder::new(rest.0);
        let elapsed = decoder.u64().ok()?;
        let stamped = Self { head, claimed, elapsed, tail: rest.0.get(decoder.position()..)? };
        (stamped.build() == bytes).then_some(stamped)
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let elapsed = minicbor::to_vec(self.elapsed).unwrap_or_default();
        [self.head, &[0x1b], &self.claimed.to_be_bytes(), &elapsed, self.tail].concat()
    }
}

/// What two clocks said last.
#[derive(Clone, Copy, Default)]
pub(super) struct Clocks {
    claimed: u64,
    elapsed: u64,
}

impl Clocks {
    /// Writes how far the one clock went, and how much further the other.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>, claimed: u64, elapsed: u64) {
        let went = claimed.wrapping_sub(self.claimed);
        number(bytes, folded(went));
        number(bytes, folded(elapsed.wrapping_sub(self.elapsed).wrapping_sub(went)));
        (self.claimed, self.elapsed) = (claimed, elapsed);
    }

    pub(super) fn read(&mut self, bytes: &mut Bytes<'_>) -> Option<(u64, u64)> {
        let went = unfolded(bytes.number()?);
        self.claimed = self.claimed.wrapping_add(went);
        self.elapsed = self.elapsed.wrapping_add(went).wrapping_add(unfolded(bytes.number()?));
        Some((self.claimed, self.elapsed))
    }
}

/// A difference either way as a number that is small when the difference is.
const fn folded(difference: u64) -> u64 {
    (difference << 1) ^ (0_u64.wrapping_sub(difference >> 63))
}

const fn unfolded(number: u64) -> u64 {
    (number >> 1) ^ (0_u64.wrapping_sub(number & 1))
}
