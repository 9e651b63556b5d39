//! How a device becomes the server's: a text a person scans, and the proof the device sends back.
//!
//! The text is `grabrail:enrol?v=1&url=…&server=…&key=…&code=…`, short enough for a QR code of medium error
//! correction. It names the server's reply key by fingerprint, so that the device knows the server from its first
//! answer, whoever stands between.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::Role;
use crate::clock::Chance;
use crate::id::{AccountId, DeviceId, Epoch, Generation, Hash, KeyId, OrganisationId, ServerId};

const SCHEME: &str = "grabrail:enrol?";
const VERSION: &str = "1";
/// Longest enrolment text that is read, in bytes.
pub const MAX_TEXT: usize = 512;

/// A text that doesn't enrol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnrolment {
    /// It doesn't begin as an enrolment text does, or is longer than [`MAX_TEXT`].
    #[error("this is not an enrolment text (it should begin with `{SCHEME}`)")]
    NotEnrolment,
    /// It is of a version this program doesn't know.
    #[error("this enrolment text is of a newer version; update this program")]
    Version,
    /// A part is missing, twice there, unknown or malformed.
    #[error("the enrolment text's `{0}` is missing or malformed; ask for a new code")]
    Part(&'static str),
    /// The address is neither `https://` nor this very machine.
    #[error("{0} is not a safe address: a server must be reached by https:// (http:// only on this machine)")]
    Address(String),
}

/// An address a device may speak to: `https://…`, or `http://` on loopback; no user, query or fragment, and no `/`
/// at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The address, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `host` (no port, IPv6 without brackets) can only mean this machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl FromStr for ServerUrl {
    type Err = BadEnrolment;
    fn from_str(text: &str) -> Result<Self, BadEnrolment> {
        let refuse = || BadEnrolment::Address(text.chars().take(100).collect());
        let (safe, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(refuse()),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:[]".contains(c);
        if text.len() > 200 || !rest.chars().all(plain) || text.ends_with('/') {
            return Err(refuse());
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or_else(refuse)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| refuse())?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(refuse)?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) || (!safe && !is_loopback(host)) {
            return Err(refuse());
        }
        Ok(Self(text.to_owned()))
    }
}

/// A one-time code: 80 random bits, written `xxxx-xxxx-xxxx-xxxx` in lower-case base32. The server keeps its hash.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EnrolmentCode([u8; 10]);

impl EnrolmentCode {
    /// A new code.
    pub fn mint(chance: &mut dyn Chance) -> Self {
        let mut bytes = [0; 10];
        chance.fill(&mut bytes);
        Self(bytes)
    }

    /// What the server keeps in the code's place.
    pub fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(b"grabrail enrolment code 1\0");
        hasher.update(self.0);
        Hash::from_bytes(hasher.finalize().into())
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        for (at, c) in text.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever reads a log must not enrol.
        f.write_str("EnrolmentCode(hidden)")
    }
}

impl FromStr for EnrolmentCode {
    type Err = BadEnrolment;
    /// Reads what people type: capitals and hyphens don't matter.
    fn from_str(text: &str) -> Result<Self, BadEnrolment> {
        let refuse = || BadEnrolment::Part("code");
        if text.len() > 64 {
            return Err(refuse());
        }
        let letters: String = text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(letters.as_bytes()).map_err(|_| refuse())?;
        Ok(Self(bytes.try_into().map_err(|_| refuse())?))
    }
}

/// The first 16 bytes of SHA-256(domain tag, Ed25519 public key), written in base32: what an enrolment text says of
/// the server's reply key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of an Ed25519 public key of 32 bytes.
    pub fn of(public: &[u8; 32]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"grabrail key fingerprint 1\0");
        hasher.update(public);
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize()[..16]);
        Self(short)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl FromStr for Fingerprint {
    type Err = BadEnrolment;
    fn from_str(text: &str) -> Result<Self, BadEnrolment> {
        let refuse = || BadEnrolment::Part("key");
        if text.len() != 26 || text != text.to_ascii_lowercase() {
            return Err(refuse());
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| refuse())?;
        Ok(Self(bytes.try_into().map_err(|_| refuse())?))
    }
}

/// All that a person hands to a device to make it theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentText {
    /// Where the server is.
    pub url: ServerUrl,
    /// Which data folder it must be.
    pub server: ServerId,
    /// The key its replies are signed with.
    pub reply_key: Fingerprint,
    /// Good for one device, for hours.
    pub code: EnrolmentCode,
}

impl fmt::Display for EnrolmentText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, server, reply_key, code } = self;
        write!(f, "{SCHEME}v={VERSION}&url={url}&server={server}&key={reply_key}&code={code}")
    }
}

impl FromStr for EnrolmentText {
    type Err = BadEnrolment;
    fn from_str(text: &str) -> Result<Self, BadEnrolment> {
        let text = text.trim();
        let parts = match text.strip_prefix(SCHEME) {
            Some(parts) if text.len() <= MAX_TEXT => parts,
            _ => return Err(BadEnrolment::NotEnrolment),
        };
        let mut parts = parts.split('&');
        // The parts have one order, so that one enrolment is one text.
        let mut part = |name: &'static str| {
            let found = parts.next().and_then(|part| part.split_once('='));
            found.filter(|(key, _)| *key == name).map(|(_, value)| value).ok_or(BadEnrolment::Part(name))
        };
        if part("v")? != VERSION {
            return Err(BadEnrolment::Version);
        }
        let text = Self {
            url: part("url")?.parse()?,
            server: part("server")?.parse().map_err(|_| BadEnrolment::Part("server"))?,
            reply_key: part("key")?.parse()?,
            code: part("code")?.parse()?,
        };
        if parts.next().is_some() { Err(BadEnrolment::NotEnrolment) } else { Ok(text) }
    }
}

/// The bytes a device signs with its new key to enrol: that it holds the key, for this code, this server and this
/// life of its store, and nothing else.
pub fn proof_of_possession(
    server: ServerId,
    code: &EnrolmentCode,
    device_key: &[u8; 32],
    generation: Generation,
) -> Vec<u8> {
    let mut bytes = b"grabrail device enrolment 1\0".to_vec();
    bytes.extend_from_slice(server.as_bytes());
    bytes.extend_from_slice(code.hash().as_bytes());
    bytes.extend_from_slice(device_key);
    bytes.extend_from_slice(generation.as_bytes());
    bytes
}

/// What a device posts to `/v1/devices` to become its person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The one-time code, as people type it.
    pub code: String,
    /// The device's new Ed25519 public key, 64 hexadecimal digits.
    pub device_key: PublicKey,
    /// The life of its store.
    pub generation: Generation,
    /// What its person calls it, 1 to 100 characters.
    pub name: String,
    /// The key's signature of [`proof_of_possession`], 128 hexadecimal digits.
    pub proof: Signature,
}

/// What the server answers: who both are from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentReply {
    /// The data folder.
    pub server: ServerId,
    /// Its present life.
    pub epoch: Epoch,
    /// The id of the key that signs replies.
    pub reply_key_id: KeyId,
    /// That key, 64 hexadecimal digits; its [`Fingerprint`] must be the enrolment text's.
    pub reply_key: PublicKey,
    /// The device's id.
    pub device: DeviceId,
    /// The device's number, with which the keys it makes in documents begin.
    pub device_number: u32,
    /// Whose device it is.
    pub account: AccountId,
    /// Their name.
    pub full_name: String,
    /// Their role.
    pub role: Role,
    /// Where they work.
    pub organisation: OrganisationId,
    /// The Welfare Authority's name.
    pub authority: String,
    /// The reply key's signature of [`EnrolmentReply::signed_bytes`], 128 hexadecimal digits.
    pub signature: Signature,
}

impl EnrolmentReply {
    /// The bytes the server signs, so that the device knows the whole answer is from who the text named; `request` is
    /// what was asked.
    pub fn signed_bytes(&self, request: &EnrolmentRequest) -> Vec<u8> {
        let mut bytes = b"grabrail device enrolment reply 1\0".to_vec();
        bytes.extend_from_slice(&request.device_key.0);
        bytes.extend_from_slice(request.generation.as_bytes());
        bytes.extend_from_slice(self.server.as_bytes());
        bytes.extend_from_slice(self.epoch.as_bytes());
        bytes.extend_from_slice(self.reply_key_id.as_bytes());
        bytes.extend_from_slice(&self.reply_key.0);
        bytes.extend_from_slice(self.device.as_bytes());
        bytes.extend_from_slice(&self.device_number.to_be_bytes());
        bytes.extend_from_slice(self.account.as_bytes());
        bytes.extend_from_slice(self.organisation.as_bytes());
        for text in [self.full_name.as_str(), self.role.name(), self.authority.as_str()] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

macro_rules! hex {
    ($($(#[$doc:meta])* $name:ident $length:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub [u8; $length]);

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
                bytes.map(Self).ok_or_else(|| {
                    serde::de::Error::custom(concat!("expected ", $length, " bytes in lower-case hexadecimal digits"))
                })
            }
        }
    )*};
}

hex! {
    /// An Ed25519 public key; in JSON, 64 hexadecimal digits.
    PublicKey 32;
    /// An Ed25519 signature; in JSON, 128 hexadecimal digits.
    Signature 64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Seeded;

    fn sample() -> EnrolmentText {
        let mut chance = Seeded::new(11);
        EnrolmentText {
            url: "https://ot.example.gov.uk:7878/grabrail".parse().unwrap(),
            server: ServerId::mint(&mut chance),
            reply_key: Fingerprint::of(&[7; 32]),
            code: EnrolmentCode::mint(&mut chance),
        }
    }

    #[test]
    fn the_text_and_the_proof_are_formats_for_ever() {
        let text = sample();
        let golden = include_str!("../../golden/enrolment.txt");
        let proof = proof_of_possession(text.server, &text.code, &[9; 32], Generation::from_bytes([3; 16]));
        let now = format!("{text}\n{}\n", HEXLOWER.encode(&proof));
        assert_eq!(now, golden);
        assert_eq!(golden.lines().next().unwrap().parse(), Ok(text));
    }

    #[test]
    fn only_https_or_this_machine_is_an_address() {
        for good in [
            "https://a.example",
            "https://a.example:1/x",
            "http://127.0.0.1:7878",
            "http://localhost:1",
            "http://[::1]:7878",
            "https://[2001:db8::1]",
        ] {
            assert_eq!(good.parse::<ServerUrl>().map(|url| url.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "a.example",
            "ftp://a",
            "http://a.example",
            "http://127.0.0.1.example",
            "http://localhost@evil.example",
            "https://me:pw@a.example",
            "https://a.example/?q",
            "https://a.example#f",
            "https://a.example/",
            "https://:1",
            "https://a:99999",
            "http://[::1",
            "http://[evil.example]:1",
            "https://a b",
        ] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it_and_never_shown_by_debug() {
        let code = sample().code;
        let text = code.to_string();
        assert_eq!(text.len(), 19);
        assert_eq!(text.replace('-', "").to_uppercase().parse(), Ok(code.clone()));
        assert!(!format!("{code:?}").contains(&text));
        for bad in ["", "abcd", "!!!!-!!!!-!!!!-!!!!", &"a".repeat(1000)] {
            assert!(bad.parse::<EnrolmentCode>().is_err());
        }
    }

    #[test]
    fn what_is_cut_reordered_or_added_to_is_refused_with_the_part_that_is_wrong() {
        let text = sample().to_string();
        for at in 0..text.len() {
            assert!(text[..at].parse::<EnrolmentText>().is_err(), "{}", &text[..at]);
        }
        assert!(format!("{text}&x=1").parse::<EnrolmentText>().is_err());
        assert_eq!(text.replace("v=1", "v=2").parse::<EnrolmentText>(), Err(BadEnrolment::Version));
        assert_eq!(text.replace("server=", "serve=").parse::<EnrolmentText>(), Err(BadEnrolment::Part("server")));
        let http = text.replace("https://", "http://").parse::<EnrolmentText>();
        assert!(matches!(http, Err(BadEnrolment::Address(_))));
    }
}
