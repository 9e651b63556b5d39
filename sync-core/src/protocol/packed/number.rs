//! Numbers in as few bytes as they need, and reading that can't run past the end.

/// Bytes that are read from the front. Whatever is not there is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, behind) = self.0.split_at_checked(length)?;
        self.0 = behind;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// LEB128, as [`number`] writes it. Longer writings of the same number are read too, unlike in the guard's columns:
    /// nothing is signed or named by the bytes of a pack, only by the changes that are rebuilt of it. Of what a device
    /// sends the guard scans those, every byte; what a server sends lies in a reply that it has signed.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for place in 0..10 {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if place == 9 && part > 1 {
                return None;
            }
            number |= part << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Signed LEB128.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let (mut number, mut shift) = (0_i64, 0);
        loop {
            let byte = self.byte()?;
            if shift > 56 {
                return None;
            }
            number |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(if byte & 0x40 == 0 { number } else { number | (-1 << shift) });
            }
        }
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// So many bytes as the number before them says.
    pub(super) fn counted(&mut self) -> Option<&'b [u8]> {
        let length = self.size()?;
        self.take(length)
    }
}

/// LEB128, in as few bytes as it needs.
pub(super) fn number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

/// Signed LEB128, in as few bytes as it needs.
pub(super) fn signed(bytes: &mut Vec<u8>, mut number: i64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        let done = matches!((number, low & 0x40), (0, 0) | (-1, 0x40));
        bytes.push(if done { low & 0x7f } else { low | 0x80 });
        if done {
            return;
        }
    }
}

/// A difference either way as a number that is small when the difference is.
pub(super) const fn folded(difference: u64) -> u64 {
    (difference << 1) ^ (0_u64.wrapping_sub(difference >> 63))
}

pub(super) const fn unfolded(number: u64) -> u64 {
    (number >> 1) ^ (0_u64.wrapping_sub(number & 1))
}

pub(super) fn size(bytes: &mut Vec<u8>, size: usize) {
    number(bytes, size as u64);
}

pub(super) fn counted(bytes: &mut Vec<u8>, of: &[u8]) {
    size(bytes, of.len());
    bytes.extend_from_slice(of);
}

/// How many bytes [`number`] takes.
pub(super) const fn width(number: u64) -> usize {
    (63 - (number | 1).leading_zeros() as usize) / 7 + 1
}
