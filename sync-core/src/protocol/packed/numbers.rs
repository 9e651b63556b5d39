//! A column of numbers: the low byte of each, then what is above it, for what varies lies apart from what hardly does.

use super::number::{Bytes, number};

/// All of them are the same one, which stands once.
const SAME: u8 = 0;
/// The low byte of each; nothing is above it.
const LOW: u8 = 1;
/// The low byte of each, then what is above it, of each.
const HIGH: u8 = 2;

/// Numbers to be written.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<u64>);

impl Numbers {
    pub(super) fn push(&mut self, value: u64) {
        self.0.push(value);
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let Some(first) = self.0.first() else { return };
        if self.0.iter().all(|value| value == first) {
            bytes.push(SAME);
            return number(bytes, *first);
        }
        let high = self.0.iter().any(|value| *value > 0xff);
        bytes.push(if high { HIGH } else { LOW });
        bytes.extend(self.0.iter().map(|value| value.to_le_bytes()[0]));
        if high {
            self.0.iter().for_each(|value| number(bytes, value >> 8));
        }
    }
}

/// Numbers that were read, each in its turn; nothing is written out for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumbersRead<'b> {
    left: usize,
    way: Way<'b>,
}

#[derive(Debug, Clone, Copy)]
enum Way<'b> {
    Same(u64),
    Low(Bytes<'b>),
    High(Bytes<'b>, Bytes<'b>),
}

impl<'b> NumbersRead<'b> {
    /// As many as there have to be; a few bytes may stand for any count.
    pub(super) fn read(bytes: &mut Bytes<'b>, count: usize) -> Option<Self> {
        if count == 0 {
            return Some(Self { left: 0, way: Way::Same(0) });
        }
        let way = match bytes.byte()? {
            SAME => Way::Same(bytes.number()?),
            LOW => Way::Low(Bytes(bytes.take(count)?)),
            HIGH => {
                let lows = Bytes(bytes.take(count)?);
                let highs = *bytes;
                for _ in 0..count {
                    bytes.number()?;
                }
                Way::High(lows, highs)
            }
            _ => return None,
        };
        Some(Self { left: count, way })
    }
}

impl Iterator for NumbersRead<'_> {
    type Item = u64;

    /// What is above 64 bits is cut off: the chunk that comes of it has another hash.
    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.way {
            Way::Same(value) => Some(*value),
            Way::Low(lows) => lows.byte().map(u64::from),
            Way::High(lows, highs) => Some(highs.number()? << 8 | u64::from(lows.byte()?)),
        }
    }
}
