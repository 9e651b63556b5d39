//! Bytes to messages and back, within limits.

use minicbor::{Decode, Encode};

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

/// zstd's level: most of what it can gain at a cost a phone does not feel.
const LEVEL: i32 = 6;
/// The largest window a sender may ask the receiver to keep: 8 MiB.
const WINDOW_LOG: u32 = 23;

/// A message as it travels.
pub fn pack<T: Encode<()>>(message: &T) -> Vec<u8> {
    // Neither writing CBOR to a vector nor compressing from memory to memory fails.
    let bytes = minicbor::to_vec(message).unwrap_or_default();
    zstd::bulk::compress(&bytes, LEVEL).unwrap_or_default()
}

/// A message from what travelled.
///
/// # Errors
/// [`Undecodable`], before more than the limits allow is held in memory.
pub fn unpack<T: for<'b> Decode<'b, ()>>(bytes: &[u8], limits: Limits) -> Result<T, Undecodable> {
    let inflated = inflate(bytes, limits)?;
    let mut decoder = minicbor::Decoder::new(&inflated);
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
