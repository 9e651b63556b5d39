//! A record's body as its shape (what kind of thing it is, what of it is there) and its leaves (what it says), so that
//! each leaf of many records can lie beside its like. Knows CBOR and nothing of what records mean.

use std::borrow::Cow;

use super::number::Bytes;

/// How many containers of records there are.
pub(super) const CONTAINERS: usize = 9;
/// The longest shape, in bytes.
pub(super) const MOST_SHAPE: usize = 255;
/// The deepest nesting of a body.
const DEPTH: usize = 8;

/// In a shape: a whole number, from 0 up or below it.
const NUMBER: u8 = 0x00;
const BELOW: u8 = 0x20;
/// In a shape: a record's key.
const KEY: u8 = 0x01;
/// In a shape: bytes, their length in it or behind it.
const BYTES: u8 = 0x40;
const BYTES_COUNTED: u8 = 0x58;
const TEXT: u8 = 0x60;
/// In a shape: which variant of an enum follows.
const VARIANT: u8 = 0xc0;

/// The shapes that both ends know. A format for ever, as the words are.
pub(super) const COMMON: &[&[u8]] = &[
    b"\x82\xc0\x81\x86\x60\x60\x00\x00\x80\x80",
    b"\x82\xc0\x81\x86\x60\x60\x00\x00\x80\x81\x01",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc0\x81\xf4\x80",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc0\x81\xf5\x80",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc1\x81\x00\x80",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc2\x81\x60\x80",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc3\x81\x60\x80",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc0\x81\xf4\x80",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc0\x81\xf5\x80",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc1\x81\x00\x80",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc2\x81\x60\x80",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc3\x81\x60\x80",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc0\x81\xf4\x81\x01",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc0\x81\xf5\x81\x01",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc1\x81\x00\x81\x01",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc2\x81\x60\x81\x01",
    b"\x82\xc1\x81\x84\xf6\x60\x82\xc3\x81\x60\x81\x01",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc0\x81\xf4\x81\x01",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc0\x81\xf5\x81\x01",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc1\x81\x00\x81\x01",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc2\x81\x60\x81\x01",
    b"\x82\xc1\x81\x84\x01\x60\x82\xc3\x81\x60\x81\x01",
    b"\x82\xc2\x81\x81\x00",
    b"\x82\xc3\x81\x86\x60\x60\xf6\xf6\xf6\x80",
    b"\x82\xc3\x81\x86\x60\x60\xf6\xf6\x82\xc0\x81\x82\x51\x01\x80",
    b"\x82\xc3\x81\x86\x60\x60\xf6\xf6\x82\xc2\x81\x60\x80",
    b"\x82\xc3\x81\x86\x60\x60\x01\xf6\xf6\x80",
    b"\x82\xc3\x81\x86\x60\x60\x01\xf6\x82\xc0\x81\x82\x51\x01\x80",
    b"\x82\xc3\x81\x86\x60\x60\x01\xf6\x82\xc2\x81\x60\x80",
    b"\x82\xc6\x81\x82\x01\x60",
];

/// What a record says in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leaf<'b> {
    Number(u64),
    Key(u64, u64),
    Text(Cow<'b, [u8]>),
    Bytes(Cow<'b, [u8]>),
}

/// What a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafKind {
    Number,
    Key,
    Text,
    /// So many.
    Bytes(usize),
}

struct Item {
    major: u8,
    value: u64,
    head: u8,
}

fn item(bytes: &mut Bytes<'_>) -> Option<Item> {
    let head = bytes.byte()?;
    let value = match head & 0x1f {
        small @ 0..24 => u64::from(small),
        24 => u64::from(bytes.byte()?),
        25 => u64::from(u16::from_be_bytes(*bytes.take(2)?.first_chunk()?)),
        26 => u64::from(u32::from_be_bytes(*bytes.take(4)?.first_chunk()?)),
        27 => u64::from_be_bytes(*bytes.take(8)?.first_chunk()?),
        _ => return None,
    };
    Some(Item { major: head >> 5, value, head })
}

/// CBOR's head of an item, in its shortest writing.
pub(super) fn head(bytes: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let [.., b4, b5, b6, b7] = value.to_be_bytes();
    match value {
        0..24 => bytes.push(major | b7),
        24..0x100 => bytes.extend_from_slice(&[major | 24, b7]),
        0x100..0x1_0000 => bytes.extend_from_slice(&[major | 25, b6, b7]),
        0x1_0000..0x1_0000_0000 => bytes.extend_from_slice(&[major | 26, b4, b5, b6, b7]),
        _ => {
            bytes.push(major | 27);
            bytes.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Takes a body apart; `None` when it is of no form that [`build`] gives again.
pub(super) fn parse(body: &[u8]) -> Option<(Vec<u8>, Vec<Leaf<'_>>)> {
    let (mut shape, mut leaves) = (Vec::new(), Vec::new());
    let mut rest = Bytes(body);
    part(&mut rest, &mut shape, &mut leaves, DEPTH)?;
    (rest.0.is_empty() && shape.len() <= MOST_SHAPE).then_some((shape, leaves))
}

fn part<'b>(rest: &mut Bytes<'b>, shape: &mut Vec<u8>, leaves: &mut Vec<Leaf<'b>>, depth: usize) -> Option<()> {
    let item = item(rest)?;
    let length = usize::try_from(item.value).ok();
    match item.major {
        0 => {
            shape.push(NUMBER);
            leaves.push(Leaf::Number(item.value));
        }
        1 => {
            shape.push(BELOW);
            leaves.push(Leaf::Number(item.value));
        }
        2 => {
            match u8::try_from(item.value).ok()? {
                short @ 0..24 => shape.push(BYTES | short),
                length => shape.extend_from_slice(&[BYTES_COUNTED, length]),
            }
            leaves.push(Leaf::Bytes(rest.take(length?)?.into()));
        }
        3 => {
            shape.push(TEXT);
            leaves.push(Leaf::Text(rest.take(length?)?.into()));
        }
        4 if item.value < 24 => {
            let depth = depth.checked_sub(1)?;
            if item.value == 2 {
                if let Some(key) = key(rest) {
                    shape.push(KEY);
                    leaves.push(key);
                    return Some(());
                }
                if let [variant @ 0..24, 0x80..0x98, ..] = rest.0 {
                    shape.extend_from_slice(&[item.head, VARIANT | variant]);
                    rest.byte();
                    return part(rest, shape, leaves, depth);
                }
            }
            shape.push(item.head);
            for _ in 0..item.value {
                part(rest, shape, leaves, depth)?;
            }
        }
        7 if matches!(item.head, 0xf4..=0xf6) => shape.push(item.head),
        _ => return None,
    }
    Some(())
}

/// Two numbers: a key.
fn key<'b>(rest: &mut Bytes<'b>) -> Option<Leaf<'b>> {
    let mut ahead = *rest;
    let (device, counter) = (item(&mut ahead)?, item(&mut ahead)?);
    if device.major != 0 || counter.major != 0 {
        return None;
    }
    *rest = ahead;
    Some(Leaf::Key(device.value, counter.value))
}

/// The leaves of a shape; `None` when it is none.
pub(super) fn leaves(shape: &[u8]) -> Option<Vec<LeafKind>> {
    let mut leaves = Vec::new();
    let mut rest = Bytes(shape);
    while let Some(byte) = rest.byte() {
        match byte {
            NUMBER | BELOW => leaves.push(LeafKind::Number),
            KEY => leaves.push(LeafKind::Key),
            TEXT => leaves.push(LeafKind::Text),
            0x40..0x58 => leaves.push(LeafKind::Bytes(usize::from(byte & 0x1f))),
            BYTES_COUNTED => leaves.push(LeafKind::Bytes(usize::from(rest.byte()?))),
            0x80..0x98 | 0xc0..0xd8 | 0xf4..=0xf6 => {}
            _ => return None,
        }
    }
    Some(leaves)
}

/// Which container the records of a shape are in: their variant.
pub(super) fn container(shape: &[u8]) -> Option<usize> {
    let variant = shape.get(1)?.checked_sub(VARIANT)?;
    Some(usize::from(variant)).filter(|container| *container < CONTAINERS)
}

/// Puts a body of this shape together; `next` gives leaf after leaf. `None` when it is none, or a leaf is of another
/// kind.
pub(super) fn build<'b>(body: &mut Vec<u8>, shape: &[u8], mut next: impl FnMut() -> Option<Leaf<'b>>) -> Option<()> {
    let mut rest = Bytes(shape);
    while let Some(byte) = rest.byte() {
        match (byte, byte >> 5) {
            (KEY, _) => {
                let Leaf::Key(device, counter) = next()? else { return None };
                body.push(0x82);
                head(body, 0, device);
                head(body, 0, counter);
            }
            (NUMBER | BELOW, major) => {
                let Leaf::Number(number) = next()? else { return None };
                head(body, major, number);
            }
            (TEXT, major) => {
                let Leaf::Text(text) = next()? else { return None };
                head(body, major, text.len() as u64);
                body.extend_from_slice(&text);
            }
            (0x40..0x58 | BYTES_COUNTED, major) => {
                if byte == BYTES_COUNTED {
                    rest.byte()?;
                }
                let Leaf::Bytes(bytes) = next()? else { return None };
                head(body, major, bytes.len() as u64);
                body.extend_from_slice(&bytes);
            }
            (0xc0..0xd8, _) => body.push(byte - VARIANT),
            (0x80..0x98 | 0xf4..=0xf6, _) => body.push(byte),
            _ => return None,
        }
    }
    Some(())
}
