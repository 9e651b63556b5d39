//! Bytes to messages and back, within limits.

use std::cell::RefCell;

use minicbor::{Decode, Encode};
use zstd::stream::raw::{CParameter, DParameter, InBuffer, Operation as _, OutBuffer};

/// How large a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as they travel.
    pub compressed: usize,
    /// Bytes once inflated.
    pub inflated: usize,
    /// CBOR items. One may take a single byte, and 24 and more of memory: they bound what a message takes there.
    pub items: usize,
}

impl Limits {
    /// What a server takes from a device unless configured otherwise. Large requests are ids and hashes, of which 8 MiB
    /// hold a quarter of a million; so many items take up to about 100 MiB of memory beside the inflated bytes.
    pub const PUSH: Self = Self { compressed: 8 << 20, inflated: 64 << 20, items: 2 << 20 };
    /// What a device takes from a server: in one part 4,000 cards of a thousand items each, several times what the
    /// largest home and prescription make. As nothing but cards they take 350 MiB of memory, as anything else 150.
    pub const REPLY: Self = Self { compressed: 64 << 20, inflated: 512 << 20, items: 4 << 20 };
}

/// How deep items may lie in each other. The deepest there are today, what a dimension cites in a signed version on a
/// card, lie 16 deep.
const DEPTH: usize = 32;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// More bytes than allowed, as they travel or inflated.
    #[error("the message is larger than {most} bytes")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// Not compressed as it should be, or cut short.
    #[error("the message is damaged or was cut short")]
    Damaged,
    /// More CBOR items than allowed.
    #[error("the message holds more than {most} items: less of it has to be sent at once")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// Inflated, but not a message this version knows.
    #[error("the message is not one this version understands")]
    Unknown,
}

/// zstd's level: most of what can be gained at a cost that nobody feels. zstd itself takes small tables for a small
/// message, whose size it knows before it begins.
const LEVEL: i32 = 9;
/// The largest window a sender may ask the receiver to keep: 8 MiB.
const WINDOW_LOG: u32 = 23;

thread_local! {
    /// Making a context costs more than compressing a small message with it.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

/// A message as it travels.
pub fn pack<T: Encode<()>>(message: &T) -> Vec<u8> {
    // Neither writing CBOR to a vector nor compressing from memory to memory fails.
    let bytes = minicbor::to_vec(message).unwrap_or_default();
    compress(&bytes).unwrap_or_default()
}

fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(zstd::bulk::Compressor::new(LEVEL)?),
        };
        compressor.compress(bytes)
    })
}

/// Messages that travel one behind the other as one compressed stream, each readable as soon as it has come whole.
pub struct Packer(zstd::stream::raw::Encoder<'static>);

/// Reads what a [`Packer`] wrote, message by message.
pub struct Unpacker {
    decoder: zstd::stream::raw::Decoder<'static>,
    ended: bool,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Packer {
    /// A new stream.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> std::io::Result<Self> {
        let mut encoder = zstd::stream::raw::Encoder::new(LEVEL)?;
        // The tables that the level takes of itself would be three times as large, for each device that is answered.
        encoder.set_parameter(CParameter::WindowLog(22))?;
        encoder.set_parameter(CParameter::HashLog(20))?;
        Ok(Self(encoder))
    }

    /// The next message as it travels; the last one ends the stream.
    ///
    /// # Errors
    /// None that a message can bring about.
    pub fn pack<T: Encode<()>>(&mut self, message: &T, last: bool) -> std::io::Result<Vec<u8>> {
        let bytes = minicbor::to_vec(message).unwrap_or_default();
        let mut packed = Vec::with_capacity(bytes.len() / 4 + 64);
        let mut input = InBuffer::around(&bytes);
        while input.pos() < bytes.len() {
            room(&mut packed, |out| self.0.run(&mut input, out))?;
        }
        while room(&mut packed, |out| if last { self.0.finish(out, true) } else { self.0.flush(out) })? > 0 {}
        Ok(packed)
    }
}

/// Runs one step with room behind what is there.
fn room<T>(
    bytes: &mut Vec<u8>,
    step: impl FnOnce(&mut OutBuffer<'_, Vec<u8>>) -> std::io::Result<T>,
) -> std::io::Result<T> {
    bytes.reserve(16 << 10);
    let at = bytes.len();
    step(&mut OutBuffer::around_pos(bytes, at))
}

impl Unpacker {
    /// A new stream.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> std::io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self { decoder, ended: false })
    }

    /// The next message.
    ///
    /// # Errors
    /// [`Undecodable`], before more than the limits allow is held in memory; then the stream can't be read on.
    pub fn unpack<T: for<'b> Decode<'b, ()>>(
        &mut self,
        bytes: &[u8],
        last: bool,
        limits: Limits,
    ) -> Result<T, Undecodable> {
        if bytes.len() > limits.compressed {
            return Err(Undecodable::TooLarge { most: limits.compressed });
        }
        let mut inflated = Vec::new();
        let mut input = InBuffer::around(bytes);
        loop {
            let (before, read) = (inflated.len(), input.pos());
            if self.ended {
                break;
            }
            let hint =
                room(&mut inflated, |out| self.decoder.run(&mut input, out)).map_err(|_| Undecodable::Damaged)?;
            if inflated.len() > limits.inflated {
                return Err(Undecodable::TooLarge { most: limits.inflated });
            }
            self.ended = hint == 0;
            // All that went in has come out once nothing moves any more.
            if inflated.len() == before && input.pos() == read {
                break;
            }
        }
        // Nothing may ride along behind the stream, and it ends with its last message.
        if input.pos() < bytes.len() || self.ended != last {
            return Err(Undecodable::Damaged);
        }
        decode(&inflated, limits.items)
    }
}

/// A message from what travelled.
///
/// # Errors
/// [`Undecodable`], before more than the limits allow is held in memory.
pub fn unpack<T: for<'b> Decode<'b, ()>>(bytes: &[u8], limits: Limits) -> Result<T, Undecodable> {
    decode(&inflate(bytes, limits)?, limits.items)
}

/// A message that is all of `bytes`, of at most so many CBOR items. For whatever another party sends: `minicbor` holds
/// 24 bytes and more for each byte of an array, and for each array of no definite length that it skips.
///
/// # Errors
/// [`Undecodable::TooMany`] and [`Undecodable::Unknown`], before any of it is held in memory if it is too much.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8], most: usize) -> Result<T, Undecodable> {
    measure(bytes, most)?;
    minicbor::decode(bytes).map_err(|_| Undecodable::Unknown)
}

/// Goes over the heads of an item that is all of `bytes`, and over those in it: that they are not too many, not too
/// deep, and all there. Nothing of ours is written without its length, so nothing without is taken.
fn measure(bytes: &[u8], most: usize) -> Result<(), Undecodable> {
    let (mut rest, mut room) = (bytes, most);
    // How many items are still to come, level by level.
    let mut open = Vec::with_capacity(DEPTH + 1);
    open.push(1_usize);
    while let Some(left) = open.last_mut() {
        let Some(fewer) = left.checked_sub(1) else {
            open.pop();
            continue;
        };
        *left = fewer;
        room = room.checked_sub(1).ok_or(Undecodable::TooMany { most })?;
        let (major, value, behind) = head(rest).ok_or(Undecodable::Unknown)?;
        rest = behind;
        let within = match major {
            BYTES | TEXT => {
                rest = rest.get(value..).ok_or(Undecodable::Unknown)?;
                0
            }
            ARRAY => value,
            MAP => value.saturating_mul(2),
            TAG => 1,
            _ => 0,
        };
        // Each takes a byte at least: what is only announced ends here.
        if within > rest.len() || (within > 0 && open.len() > DEPTH) {
            return Err(Undecodable::Unknown);
        }
        if within > room {
            return Err(Undecodable::TooMany { most });
        }
        if within > 0 {
            open.push(within);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Undecodable::Unknown) }
}

/// CBOR's major types, but for the numbers and the simple values, which have nothing in them.
pub(crate) const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// The head of a CBOR item: its major type, its value, and the bytes behind it. `None` where it is cut short, and of an
/// item of no definite length.
pub(crate) fn head(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, short) = (first >> 5, first & 0x1f);
    let width = match short {
        0..24 => return Some((major, usize::from(short), rest)),
        24..28 => 1 << (short - 24),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(width)?;
    let value = value.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    Some((major, usize::try_from(value).unwrap_or(usize::MAX), rest))
}

fn inflate(bytes: &[u8], limits: Limits) -> Result<Vec<u8>, Undecodable> {
    use std::io::Read as _;
    if bytes.len() > limits.compressed {
        return Err(Undecodable::TooLarge { most: limits.compressed });
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|_| Undecodable::Damaged)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(|_| Undecodable::Damaged)?;
    let mut inflated = Vec::new();
    let most = u64::try_from(limits.inflated).unwrap_or(u64::MAX);
    (&mut decoder).take(most.saturating_add(1)).read_to_end(&mut inflated).map_err(|_| Undecodable::Damaged)?;
    if inflated.len() > limits.inflated {
        return Err(Undecodable::TooLarge { most: limits.inflated });
    }
    // Nothing may ride along behind the frame.
    if decoder.finish().is_empty() { Ok(inflated) } else { Err(Undecodable::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Stamp, Timestamp};
    use crate::domain::kind::Kind;
    use crate::domain::record::{Cite, Dimension, Tolerance, Value};
    use crate::domain::signed::Content;
    use crate::envelope::Signed;
    use crate::id::{AskId, CaseId, DocumentId, Hash, Key};
    use crate::protocol::sync::{Choice, Push, ReadLog};
    use crate::protocol::{Ask, Packed, Request, SyncRequest};

    const AT: Stamp = Stamp { claimed: Timestamp::from_millis(1), elapsed: 2, offset: None };
    const DOCUMENT: DocumentId = DocumentId::from_bytes([1; 17]);
    const CASE: CaseId = CaseId::from_bytes([2; 16]);

    /// How many bytes of an attack's requests there are, inflated; they travel as a few thousand.
    const MUCH: usize = 60 << 20;

    /// A request that travels as bytes that nobody's encoder wrote.
    fn take(inflated: &[u8]) -> Result<SyncRequest, Undecodable> {
        let packed = zstd::bulk::compress(inflated, 1).unwrap();
        assert!(packed.len() < 64 << 10, "{}", packed.len());
        unpack(&packed, Limits::PUSH)
    }

    /// An empty request that says something more, in a place of no meaning.
    fn with(more: &[&[u8]]) -> Vec<u8> {
        let mut bytes = minicbor::to_vec(SyncRequest::new(AT)).unwrap();
        bytes[0] += 1;
        bytes.extend([0x18, 99]);
        bytes.extend(more.concat());
        bytes
    }

    #[test]
    fn a_list_of_millions_of_nothings_is_refused_before_it_is_held() {
        let conditions = vec!["MARK".to_owned()];
        let (document, grounds) = (DOCUMENT, String::new());
        let request = Request::SignOff { document, heads: Vec::new(), grounds, conditions, basis: None };
        let asks = vec![Ask { id: AskId::from_bytes([3; 16]), at: AT, case: CASE, request }];
        let bytes = minicbor::to_vec(SyncRequest { asks, ..SyncRequest::new(AT) }).unwrap();
        let at = bytes.windows(6).position(|bytes| bytes == b"\x81\x64MARK").unwrap();
        let of = |count: usize| {
            let head = [&[0x9a][..], &u32::try_from(count).unwrap().to_be_bytes()].concat();
            [&bytes[..at], &head, &vec![0x60; count], &bytes[at + 6..]].concat()
        };
        assert!(take(&of(1_000)).is_ok());
        let refused = Err(Undecodable::TooMany { most: Limits::PUSH.items });
        assert_eq!(take(&of(MUCH)).map(drop), refused);
        // Nor as many small lists.
        let count = u32::try_from(MUCH / 2).unwrap().to_be_bytes();
        assert_eq!(take(&with(&[&[0x9a], &count, &[0x81, 0].repeat(MUCH / 2)])).map(drop), refused);
    }

    #[test]
    fn what_is_nested_without_end_is_refused_though_nobody_would_read_it() {
        assert!(take(&with(&[&[0x82, 0x80, 0]])).is_ok());
        let (open, close) = (vec![0x9f; MUCH / 2], vec![0xff; MUCH / 2]);
        assert_eq!(take(&with(&[&[0x82], &open, &close, &[0]])), Err(Undecodable::Unknown));
        for (level, most) in [(&[0x81][..], DEPTH - 1), (&[0xa1, 0], DEPTH - 1), (&[0xc1], DEPTH - 1)] {
            assert!(take(&with(&[&level.repeat(most), &[0]])).is_ok());
            assert_eq!(take(&with(&[&level.repeat(most + 1), &[0]])), Err(Undecodable::Unknown));
            assert_eq!(take(&with(&[&level.repeat(MUCH / 2), &[0]])), Err(Undecodable::Unknown));
        }
        // No encoder of ours leaves a length open.
        for open in [&b"\x9f\xff"[..], b"\xbf\xff", b"\x5f\xff", b"\x7f\xff", b"\xff", b"\x1c"] {
            assert_eq!(take(&with(&[open])), Err(Undecodable::Unknown), "{open:?}");
        }
    }

    /// A card's signed version shows what its dimensions rest on, and a newer version may say more of it.
    #[test]
    fn the_deepest_message_there_is_is_read_and_one_half_as_deep_again() {
        let cites = vec![Cite { document: DOCUMENT, key: Key { device: 7, counter: 1 } }];
        let dimension = Dimension { mm: 900, tolerance: Tolerance::Within(10), cites };
        let content = minicbor::to_vec(Content::Value(Value::Dimension(dimension))).unwrap();
        // Reply, cards, card, prescriptions, prescription, version, fields and field are around it.
        for around in [8, 16] {
            assert_eq!(measure(&[&vec![0x81; around][..], &content].concat(), 1_000), Ok(()));
        }
    }

    #[test]
    fn a_message_takes_as_many_items_as_it_may_have_and_not_one_more() {
        let bytes = minicbor::to_vec(vec!["a"; 100]).unwrap();
        assert_eq!(decode::<Vec<String>>(&bytes, 101).unwrap().len(), 100);
        assert_eq!(decode::<Vec<String>>(&bytes, 100), Err(Undecodable::TooMany { most: 100 }));
        for cut in 0..bytes.len() {
            assert_eq!(decode::<Vec<String>>(&bytes[..cut], 101), Err(Undecodable::Unknown));
        }
        assert_eq!(decode::<Vec<String>>(&[&bytes[..], &[0]].concat(), 101), Err(Undecodable::Unknown));
        // What is only announced.
        for major in [0x5b, 0x7b, 0x9b, 0xbb] {
            let head = [major, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            assert_eq!(decode::<Vec<String>>(&head, 101), Err(Undecodable::Unknown));
        }
    }

    /// More of everything than a server takes of one device that is honest.
    #[test]
    fn the_largest_request_of_an_honest_device_is_read() {
        let heads = |count: usize| vec![Hash::from_bytes([4; 32]); count];
        let push = Push {
            document: DOCUMENT,
            case: CASE,
            kind: Kind::Home,
            fork: 1,
            base: heads(100),
            changes: Packed::kept(vec![1; 1_000]),
            signature: Signed([5; 64]),
        };
        let request = Request::Withdraw { document: DOCUMENT };
        let whole = SyncRequest {
            pushes: vec![push; 5_000],
            asks: vec![Ask { id: AskId::from_bytes([3; 16]), at: AT, case: CASE, request }; 5_000],
            reads: vec![ReadLog { document: DOCUMENT, at: AT }; 20_000],
            choices: vec![Choice { case: CASE, carry: true }; 5_000],
            heads: Some(vec![(DOCUMENT, heads(2)); 200_000]),
            ..SyncRequest::new(AT)
        };
        assert_eq!(unpack(&pack(&whole), Limits::PUSH), Ok(whole));
    }

    #[test]
    fn a_message_comes_back_as_it_was_and_damage_is_noticed() {
        let message: Vec<String> = (0..1000).map(|n| format!("reading {n}")).collect();
        let packed = pack(&message);
        assert_eq!(unpack::<Vec<String>>(&packed, Limits::PUSH), Ok(message.clone()));
        for cut in [0, 1, packed.len() / 2, packed.len() - 1] {
            assert!(unpack::<Vec<String>>(&packed[..cut], Limits::PUSH).is_err());
        }
        let mut longer = packed.clone();
        longer.push(0);
        assert_eq!(unpack::<Vec<String>>(&longer, Limits::PUSH), Err(Undecodable::Damaged));
        let inside = zstd::bulk::compress(&[&minicbor::to_vec(&message).unwrap()[..], &[0]].concat(), LEVEL).unwrap();
        assert_eq!(unpack::<Vec<String>>(&inside, Limits::PUSH), Err(Undecodable::Unknown));
    }

    #[test]
    fn messages_of_one_stream_are_read_as_each_comes_whole_and_only_in_their_places() {
        let messages: Vec<Vec<String>> =
            (0..5).map(|part| (0..500).map(|n| format!("reading {n} of part {part}")).collect()).collect();
        let mut packer = Packer::new().unwrap();
        let parts: Vec<Vec<u8>> = (0..5).map(|at| packer.pack(&messages[at], at == 4).unwrap()).collect();
        assert!(parts[1..].iter().all(|part| part.len() < parts[0].len()), "each rests on those before it");
        let mut unpacker = Unpacker::new().unwrap();
        for (at, part) in parts.iter().enumerate() {
            assert_eq!(unpacker.unpack::<Vec<String>>(part, at == 4, Limits::REPLY), Ok(messages[at].clone()));
        }
        assert!(unpacker.unpack::<Vec<String>>(&parts[0], true, Limits::REPLY).is_err(), "behind the end");
        // What is said to be the last and is not, or the other way round, is damaged.
        let of = |part: &[u8], last| Unpacker::new().unwrap().unpack::<Vec<String>>(part, last, Limits::REPLY);
        assert_eq!(of(&parts[0], true), Err(Undecodable::Damaged));
        assert_eq!(of(&Packer::new().unwrap().pack(&messages[0], true).unwrap(), false), Err(Undecodable::Damaged));
        assert!(of(&parts[1], false).is_err());
        for cut in 0..parts[0].len() {
            assert!(of(&parts[0][..cut], false).is_err(), "cut at {cut}");
        }
        // A message alone is a stream of one.
        assert_eq!(of(&pack(&messages[0]), true), Ok(messages[0].clone()));
        let bomb = Packer::new().unwrap().pack(&minicbor::bytes::ByteVec::from(vec![0; 64 << 20]), true).unwrap();
        let limits = Limits { compressed: 1 << 20, inflated: 1 << 20, ..Limits::PUSH };
        let bomb = Unpacker::new().unwrap().unpack::<minicbor::bytes::ByteVec>(&bomb, true, limits);
        assert_eq!(bomb, Err(Undecodable::TooLarge { most: limits.inflated }));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let limits = Limits { compressed: 1 << 20, inflated: 1 << 20, ..Limits::PUSH };
        let bomb = zstd::bulk::compress(&vec![0; 256 << 20], 1).unwrap();
        assert!(bomb.len() < limits.compressed);
        assert_eq!(unpack::<Vec<u8>>(&bomb, limits), Err(Undecodable::TooLarge { most: limits.inflated }));
        assert_eq!(
            unpack::<Vec<u8>>(&vec![0; (1 << 20) + 1], limits),
            Err(Undecodable::TooLarge { most: limits.compressed })
        );
    }
}
