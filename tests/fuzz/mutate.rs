//! Changes a few things about an input, as chance has it: what a stranger would try that knows the format.

use sync_core::clock::{Chance, Seeded};

/// Numbers at which something turns, in the writings of a change and of CBOR.
const TELLING: [&[u8]; 16] = [
    &[0],
    &[1],
    &[0x7f],
    &[0x80, 0],
    &[0x80, 1],
    &[0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
    &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff],
    &[0x9f],
    &[0xf6],
];

/// A number below `end`, or 0.
pub(crate) fn below(chance: &mut Seeded, end: usize) -> usize {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % end.max(1) as u64).unwrap()
}

/// Another input, made of one of `inputs` and pieces of the others.
pub(crate) fn mutated(inputs: &[Vec<u8>], chance: &mut Seeded) -> Vec<u8> {
    let mut bytes = inputs[below(chance, inputs.len())].clone();
    for _ in 0..=below(chance, 4) {
        let at = below(chance, bytes.len() + 1);
        let length = below(chance, 9).min(bytes.len() - at);
        match below(chance, 8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(chance, 8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(below(chance, 256)).unwrap(),
            2 => drop(bytes.splice(at..at, TELLING[below(chance, TELLING.len())].iter().copied())),
            3 => {
                let telling = TELLING[below(chance, TELLING.len())];
                let end = (at + telling.len()).min(bytes.len());
                drop(bytes.splice(at..end, telling.iter().copied()));
            }
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let again = bytes[at..at + length].to_vec();
                drop(bytes.splice(at..at, again));
            }
            6 => {
                let other = &inputs[below(chance, inputs.len())];
                let from = below(chance, other.len() + 1);
                let piece = other[from..(from + below(chance, 64)).min(other.len())].to_vec();
                drop(bytes.splice(at..at + length, piece));
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}
