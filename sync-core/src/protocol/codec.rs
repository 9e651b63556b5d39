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
}

impl Limits {
    /// What a server takes from a device unless configured otherwise.
    pub const PUSH: Self = Self { compressed: 8 << 20, inflated: 64 << 20 };
    /// What a device takes from a server.
    pub const REPLY: Self = Self { compressed: 64 << 20, inflated: 512 << 20 };
}

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
        decode(&inflated)
    }
}

/// A message from what travelled.
///
/// # Errors
/// [`Undecodable`], before more than the limits allow is held in memory.
pub fn unpack<T: for<'b> Decode<'b, ()>>(bytes: &[u8], limits: Limits) -> Result<T, Undecodable> {
    decode(&inflate(bytes, limits)?)
}

fn decode<T: for<'b> Decode<'b, ()>>(inflated: &[u8]) -> Result<T, Undecodable> {
    let mut decoder = minicbor::Decoder::new(inflated);
    let message = decoder.decode().map_err(|_| Undecodable::Unknown)?;
    // Nor behind the message in it.
    if decoder.position() == inflated.len() { Ok(message) } else { Err(Undecodable::Unknown) }
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
        let limits = Limits { compressed: 1 << 20, inflated: 1 << 20 };
        let bomb = Unpacker::new().unwrap().unpack::<minicbor::bytes::ByteVec>(&bomb, true, limits);
        assert_eq!(bomb, Err(Undecodable::TooLarge { most: limits.inflated }));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let limits = Limits { compressed: 1 << 20, inflated: 1 << 20 };
        let bomb = zstd::bulk::compress(&vec![0; 256 << 20], 1).unwrap();
        assert!(bomb.len() < limits.compressed);
        assert_eq!(unpack::<Vec<u8>>(&bomb, limits), Err(Undecodable::TooLarge { most: limits.inflated }));
        assert_eq!(
            unpack::<Vec<u8>>(&vec![0; (1 << 20) + 1], limits),
            Err(Undecodable::TooLarge { most: limits.compressed })
        );
    }
}
