//! Identifiers: what everything is called, on every device, in every table and on the wire.
//!
//! An id is 16 random bytes, written as 26 characters of lower-case base32 (RFC 4648, no padding). Rows, URLs and
//! JSON carry the text; CBOR carries the bytes. Ids say nothing about a person: names and numbers of the outside
//! world (NHS number, UPRN, HCPC number) are in [`crate::domain::identifier`] and never identify a row.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Chance;

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct NotAnId {
    /// What was expected, in words: "a case id".
    pub what: &'static str,
    /// What was given, cut to 64 characters.
    pub text: String,
}

impl NotAnId {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(64).collect() }
    }
}

fn to_text(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn from_text<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], NotAnId> {
    let refuse = || NotAnId::new(what, text);
    if text.len() > 64 {
        return Err(refuse());
    }
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| refuse())?;
    let bytes: [u8; N] = bytes.try_into().map_err(|_| refuse())?;
    // One text for one id.
    if to_text(&bytes) != text { Err(refuse()) } else { Ok(bytes) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            /// A new id from `chance`.
            pub fn mint(chance: &mut dyn Chance) -> Self {
                let mut bytes = [0; 16];
                chance.fill(&mut bytes);
                Self(bytes)
            }

            /// The id that these 16 bytes are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_text(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                from_text($what, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// One client's referral and all that hangs on it.
    CaseId = "a case id";
    /// A member of staff (never a client).
    AccountId = "an account id";
    /// An organisation: the council itself, an agency, a private practice.
    OrganisationId = "an organisation id";
    /// An enrolled device; one person's store on one machine.
    DeviceId = "a device id";
    /// Something a person asks the server to decide; the same id twice is one ask.
    AskId = "an ask id";
    /// Housing's order to a private OT to assess one case.
    CommissionId = "a commission id";
    /// A data folder, for ever (a restored copy keeps it and takes a new [`Epoch`]).
    ServerId = "a server id";
    /// One life of a data folder: a restore from backup begins a new one.
    Epoch = "an epoch";
    /// One life of a device's store: a new enrolment begins a new one.
    Generation = "a store generation";
    /// A person's sign-in at the API or console.
    SessionId = "a session id";
    /// A key the server signs with.
    KeyId = "a key id";
    /// A push set aside with its reason.
    QuarantineId = "a quarantine id";
}

/// One Automerge document. The last byte is the *edition*: the same document reissued without an entry that had to
/// be erased would carry the next one. Written as the id, a hyphen and the edition: `…-1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DocumentId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 17]);

impl DocumentId {
    /// A new document's id, in its first edition.
    pub fn mint(chance: &mut dyn Chance) -> Self {
        let mut bytes = [1; 17];
        chance.fill(&mut bytes[..16]);
        Self(bytes)
    }

    /// The id that these 17 bytes are.
    pub const fn from_bytes(bytes: [u8; 17]) -> Self {
        Self(bytes)
    }

    /// The 17 bytes of the id, edition last.
    pub const fn as_bytes(&self) -> &[u8; 17] {
        &self.0
    }

    /// Which edition this is; 1 for every document of today.
    pub const fn edition(&self) -> u8 {
        self.0[16]
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", to_text(&self.0[..16]), self.edition())
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentId({self})")
    }
}

impl FromStr for DocumentId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let refuse = || NotAnId::new("a document id", text);
        let (stem, edition) = text.split_once('-').ok_or_else(refuse)?;
        let stem: [u8; 16] = from_text("a document id", stem).map_err(|_| refuse())?;
        let mut bytes = [0; 17];
        bytes[..16].copy_from_slice(&stem);
        bytes[16] = edition.parse().map_err(|_| refuse())?;
        if Self(bytes).to_string() == text { Ok(Self(bytes)) } else { Err(refuse()) }
    }
}

impl Serialize for DocumentId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A SHA-256, written as 64 hexadecimal digits: of a photo's bytes, of a change, of a request's body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Hash(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash that these 32 bytes are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let refuse = || NotAnId::new("a SHA-256 in 64 lower-case hexadecimal digits", text);
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| refuse())?;
        Ok(Self(bytes.try_into().map_err(|_| refuse())?))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<automerge::ChangeHash> for Hash {
    fn from(hash: automerge::ChangeHash) -> Self {
        Self(hash.0)
    }
}

impl From<Hash> for automerge::ChangeHash {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

/// A document's exact version: the hashes of its newest changes, sorted.
pub type Heads = Vec<Hash>;

/// The key of a record inside a document, `<device number>.<counter>`: made once, by that device only.
///
/// Short on purpose: UUIDs would double a caseload (954 kB against 451 kB, measured).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Key {
    /// The number the server gave the device at enrolment, for one store generation, never used again.
    #[n(0)]
    pub device: u32,
    /// Counts up from 1 on that device, over all its documents.
    #[n(1)]
    pub counter: u32,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.device, self.counter)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl FromStr for Key {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let refuse = || NotAnId::new("a record's key (device number, dot, counter)", text);
        let (device, counter) = text.split_once('.').ok_or_else(refuse)?;
        let key =
            Self { device: device.parse().map_err(|_| refuse())?, counter: counter.parse().map_err(|_| refuse())? };
        if key.device == 0 || key.counter == 0 || key.to_string() != text { Err(refuse()) } else { Ok(key) }
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Seeded;

    #[test]
    fn an_id_has_one_text_and_one_reading() {
        let mut chance = Seeded::new(1);
        for _ in 0..200 {
            let case = CaseId::mint(&mut chance);
            assert_eq!(case.to_string().len(), 26);
            assert_eq!(case.to_string().parse::<CaseId>(), Ok(case));
            assert!(case.to_string().to_uppercase().parse::<CaseId>().is_err());
            let document = DocumentId::mint(&mut chance);
            assert_eq!(document.to_string().parse::<DocumentId>(), Ok(document));
            assert_eq!(document.edition(), 1);
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused_in_words() {
        for text in ["", "x", "aaaaaaaaaaaaaaaaaaaaaaaaaaa", "é", &"a".repeat(100_000)] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
            assert!(text.parse::<DocumentId>().is_err(), "{text}");
            assert!(text.parse::<Hash>().is_err(), "{text}");
        }
        for text in ["", ".", "1", "1.", "0.1", "1.0", "01.1", "1.1.1", "+1.1", "4294967296.1"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
        assert_eq!("7.42".parse(), Ok(Key { device: 7, counter: 42 }));
    }
}
