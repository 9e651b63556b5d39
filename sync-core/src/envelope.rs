//! Who made a change: the device's signature over what it pushes, and the actor its changes carry.
//!
//! Everything that is signed begins with a tag of its own, so that no signature can be taken for another's, and names
//! the server, organisation, document, device, store generation and account, so that nothing can be replayed elsewhere.
//! These bytes are formats for ever; their golden bytes are in `golden/`.

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{AccountId, DeviceId, DocumentId, Generation, Hash, NotAnId, OrganisationId, ServerId};

/// The version of the protocol that this program speaks.
pub const PROTOCOL: u16 = 1;

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Signed(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 64]);

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

impl Serialize for Signed {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        let bytes = bytes.try_into().map_err(|_| serde::de::Error::custom("a signature has 64 bytes"))?;
        Ok(Self(bytes))
    }
}

/// An Ed25519 public key; as text `ed25519:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ed25519:{}", HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let refuse = || NotAnId::new("a public key as `grabrail keys public` prints it", text);
        let bytes = text.trim().strip_prefix("ed25519:").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
        Ok(Self(bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(refuse)?))
    }
}

impl PublicKey {
    /// Whether `signature` is this key's over `bytes`. Strict: a key or signature of small order is none.
    pub fn verifies(&self, bytes: &[u8], signature: &Signed) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else { return false };
        let signature = Signature::from_bytes(&signature.0);
        key.verify_strict(bytes, &signature).is_ok()
    }
}

impl From<&SigningKey> for PublicKey {
    fn from(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

/// Signs `bytes`.
pub fn sign(key: &SigningKey, bytes: &[u8]) -> Signed {
    Signed(key.sign(bytes).to_bytes())
}

/// What a device signs for each document it pushes changes of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    #[n(0)]
    tag: String,
    /// [`PROTOCOL`].
    #[n(1)]
    pub protocol: u16,
    /// The server it is for.
    #[n(2)]
    pub server: ServerId,
    /// The organisation of the account.
    #[n(3)]
    pub organisation: OrganisationId,
    /// The document.
    #[n(4)]
    pub document: DocumentId,
    /// The device.
    #[n(5)]
    pub device: DeviceId,
    /// The life of the device's store.
    #[n(6)]
    pub generation: Generation,
    /// The person.
    #[n(7)]
    pub account: AccountId,
    /// The heads that the changes build on, as the device knew them.
    #[n(8)]
    pub base: Vec<Hash>,
    /// The hashes of the changes, in order.
    #[n(9)]
    pub changes: Vec<Hash>,
    /// How often this device had to begin anew in this document; part of its actor.
    #[n(10)]
    pub fork: u32,
}

/// The tag that every [`Envelope`] begins with.
pub const ENVELOPE_TAG: &str = "grabrail envelope 1";

/// Who pushes: what an envelope says besides the document and its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The server it is for.
    pub server: ServerId,
    /// The organisation of the account.
    pub organisation: OrganisationId,
    /// The device.
    pub device: DeviceId,
    /// The life of the device's store.
    pub generation: Generation,
    /// The person.
    pub account: AccountId,
    /// The device's public key.
    pub key: PublicKey,
    /// The device's number: the first half of every record key it makes.
    pub number: u32,
}

impl Envelope {
    /// The envelope of these changes.
    pub fn new(sender: &Sender, document: DocumentId, fork: u32, base: Vec<Hash>, changes: Vec<Hash>) -> Self {
        Self {
            tag: ENVELOPE_TAG.to_owned(),
            protocol: PROTOCOL,
            server: sender.server,
            organisation: sender.organisation,
            document,
            device: sender.device,
            generation: sender.generation,
            account: sender.account,
            base,
            changes,
            fork,
        }
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// The actor of a device's changes in one document: the first 16 bytes of a SHA-256 that the server computes again.
pub fn actor(sender: &Sender, document: DocumentId, fork: u32) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(b"grabrail actor 1\0");
    hasher.update(sender.key.0);
    hasher.update(sender.account.as_bytes());
    hasher.update(sender.generation.as_bytes());
    hasher.update(document.as_bytes());
    hasher.update(fork.to_be_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut actor = [0; 16];
    actor.copy_from_slice(&digest[..16]);
    actor
}
