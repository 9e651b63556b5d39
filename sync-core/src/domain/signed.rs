//! The signed version: what was signed off, bound to its content for ever.
//!
//! Every field of the specification, every reading it cites and every field of the justification is hashed with a salt
//! of its own; the hashes make one root; a header with the root is signed by the server. Housing's copy leaves the
//! justification's fields out but not their hashes, so it still verifies and tells nothing. The bytes are a format for
//! ever (golden in `golden/`). As JSON no part of it takes a member that it does not know: what nobody signed is not
//! read as if it had been.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{Reading, Value};
use super::vocabulary::ItemKind;
use crate::access::Role;
use crate::clock::{Chance, Stamp, Timestamp};
use crate::envelope::{PublicKey, Signed};
use crate::id::{AccountId, CaseId, DocumentId, Hash, Heads, KeyId, ServerId};

/// The tag that every header begins with.
pub const HEADER_TAG: &str = "grabrail signed version 1";
/// The beginning of the path of every field that Housing's copy leaves out.
pub const JUSTIFICATION: &str = "justification/";

/// A member of staff as a signed version names them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatory {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// Full name.
    #[n(1)]
    pub name: String,
    /// Role at the time.
    #[n(2)]
    pub role: Role,
    /// HCPC registration number, where the role has one.
    #[n(3)]
    pub hcpc: Option<String>,
    /// The organisation's name.
    #[n(4)]
    pub organisation: String,
    /// When the number was last looked up in the HCPC's register, where the role has one. As JSON it is left out where
    /// it is not there: versions that were signed before it was read and verify as they did.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hcpc_checked: Option<Timestamp>,
}

/// The signature of one who signed before the last did, where more than one was needed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoSignature {
    /// Who.
    #[n(0)]
    pub signatory: Signatory,
    /// When, by the server's clock.
    #[n(1)]
    pub at: Timestamp,
    /// On what conditions.
    #[n(2)]
    pub conditions: Vec<String>,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`HEADER_TAG`].
    #[n(0)]
    pub tag: String,
    /// The server that signs.
    #[n(1)]
    pub server: ServerId,
    /// The Welfare Authority's name.
    #[n(2)]
    pub authority: String,
    /// The case.
    #[n(3)]
    pub case: CaseId,
    /// The prescription.
    #[n(4)]
    pub prescription: DocumentId,
    /// Counts up from 1 for each prescription.
    #[n(5)]
    pub number: u32,
    /// The exact version of the document.
    #[n(6)]
    pub heads: Heads,
    /// The root over the hashes of all fields.
    #[n(7)]
    pub root: Hash,
    /// Who wrote it.
    #[n(8)]
    pub authors: Vec<Signatory>,
    /// Who signed it off; where several did, the last.
    #[n(9)]
    pub signer: Signatory,
    /// When, by the server's clock.
    #[n(10)]
    pub at: Timestamp,
    /// On what conditions, by the signer's word; those of the others are in [`Header::co_signers`].
    #[n(11)]
    pub conditions: Vec<String>,
    /// The key of the signature.
    #[n(12)]
    pub key: KeyId,
    /// Those who signed before the signer did, in their order. Not there where nobody did: versions that one person
    /// signed are encoded as they were before there could be several, as CBOR and as JSON.
    #[n(13)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_signers: Option<Vec<CoSignature>>,
}

impl Header {
    /// Everybody who signed, with when and on what conditions, in the order in which they did.
    pub fn signatures(&self) -> impl Iterator<Item = (&Signatory, Timestamp, &[String])> {
        let earlier = self.co_signers.iter().flatten();
        let earlier = earlier.map(|one| (&one.signatory, one.at, one.conditions.as_slice()));
        earlier.chain([(&self.signer, self.at, self.conditions.as_slice())])
    }

    /// The names of everybody who signed, in words: `Grace Lin and Pia Moss`.
    pub fn signed_by(&self) -> String {
        self.signatures().map(|(signatory, _, _)| signatory.name.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// A field's content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Content {
    /// The value of a field.
    #[n(0)]
    Value(#[n(0)] Value),
    /// What an item is.
    #[n(1)]
    Item(#[n(0)] ItemKind),
    /// A cited reading as it stood.
    #[n(2)]
    Reading {
        /// The reading.
        #[n(0)]
        reading: Reading,
        /// Who measured.
        #[n(1)]
        by: AccountId,
        /// Their name.
        #[n(2)]
        name: String,
        /// When.
        #[n(3)]
        at: Stamp,
        /// The hashes of the photos that show it.
        #[n(4)]
        photos: Vec<Hash>,
    },
    /// A cited photo.
    #[n(3)]
    Photo {
        /// Its hash.
        #[n(0)]
        hash: Hash,
        /// Its caption as it stood.
        #[n(1)]
        caption: Option<String>,
    },
    /// Prose.
    #[n(4)]
    Text(#[n(0)] String),
}

/// One field of a signed version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Which of [`SignedVersion::hashes`] is this field's.
    #[n(0)]
    pub index: u32,
    /// `specification/…` or `justification/…`.
    #[n(1)]
    pub path: String,
    /// Random, so that a left-out field can't be guessed from its hash.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "hex16")]
    pub salt: [u8; 16],
    /// What it says.
    #[n(3)]
    pub content: Content,
}

mod hex16 {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(d)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map_err(|_| serde::de::Error::custom("a salt has 16 bytes"))
    }
}

impl Field {
    fn may_be_left_out(&self) -> bool {
        self.path.starts_with(JUSTIFICATION)
    }

    fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(b"grabrail field 1\0");
        hasher.update(self.salt);
        hasher.update(minicbor::to_vec((&self.path, &self.content)).unwrap_or_default());
        Hash::from_bytes(hasher.finalize().into())
    }
}

/// The root over all hashes, each with whether its field may be left out: a copy that lacks a field of the
/// specification has another root.
fn root(hashes: &[Hash], may_be_left_out: impl Fn(usize) -> bool) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"grabrail root 1\0");
    hasher.update((hashes.len() as u64).to_be_bytes());
    for (at, hash) in hashes.iter().enumerate() {
        hasher.update([u8::from(may_be_left_out(at))]);
        hasher.update(hash.as_bytes());
    }
    Hash::from_bytes(hasher.finalize().into())
}

/// The fields of a version that is about to be signed, with their salts and hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    fields: Vec<Field>,
    hashes: Vec<Hash>,
}

impl Sealed {
    /// Salts and hashes `contents`, sorted by their paths.
    pub fn new(mut contents: Vec<(String, Content)>, chance: &mut dyn Chance) -> Self {
        contents.sort_by(|a, b| a.0.cmp(&b.0));
        let fields: Vec<Field> = (0u32..)
            .zip(contents)
            .map(|(index, (path, content))| {
                let mut salt = [0; 16];
                chance.fill(&mut salt);
                Field { index, path, salt, content }
            })
            .collect();
        let hashes = fields.iter().map(Field::hash).collect();
        Self { fields, hashes }
    }

    /// The root to put into the header.
    pub fn root(&self) -> Hash {
        root(&self.hashes, |at| self.fields.get(at).is_some_and(Field::may_be_left_out))
    }

    /// The signed version, once the header has been signed.
    pub fn with_signature(self, header: Header, signature: Signed) -> SignedVersion {
        SignedVersion { header, signature, hashes: self.hashes, fields: self.fields }
    }
}

/// What was signed off.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedVersion {
    /// What the signature is over.
    #[n(0)]
    pub header: Header,
    /// The server's signature.
    #[n(1)]
    pub signature: Signed,
    /// One for each field, left out or not.
    #[n(2)]
    pub hashes: Vec<Hash>,
    /// The fields; in Housing's copy, those of the specification only.
    #[n(3)]
    pub fields: Vec<Field>,
}

/// What verifying a signed version found wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Altered {
    /// A field does not say what was signed.
    #[error("the field {path} is not as it was signed")]
    Field {
        /// Its path.
        path: String,
    },
    /// The list of hashes is not the one that was signed, or a field of the specification was taken away; no field
    /// that is here accounts for it.
    #[error("a field was taken away, or the list of hashes is not as it was signed")]
    Hashes,
    /// A field stands for a hash that is not in the list, or for one that another field stands for.
    #[error("the field {path} has no place in what was signed")]
    NoPlace {
        /// Its path.
        path: String,
    },
    /// The header is of another format.
    #[error("this is not a signed version that this program knows")]
    Format,
    /// The header is not what this key signed.
    #[error("the header is not as it was signed, or another key signed it")]
    Header,
}

impl SignedVersion {
    /// Its one encoding: how it is kept, and the file that `verify` reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`SignedVersion::to_bytes`] wrote; says nothing about who signed.
    ///
    /// # Errors
    /// [`Altered::Format`], when the bytes are unreadable or not in the one encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Altered> {
        let version: Self = minicbor::decode(bytes).map_err(|_| Altered::Format)?;
        if version.to_bytes() == bytes { Ok(version) } else { Err(Altered::Format) }
    }

    /// Housing's copy: the specification, and of the justification nothing but hashes.
    #[must_use]
    pub fn for_housing(&self) -> Self {
        let fields = self.fields.iter().filter(|field| !field.may_be_left_out()).cloned().collect();
        Self { fields, ..self.clone() }
    }

    /// A field's content by its path.
    pub fn field(&self, path: &str) -> Option<&Content> {
        self.fields.iter().find(|field| field.path == path).map(|field| &field.content)
    }

    /// Whether every field that is here is the one under the root; says nothing about who signed.
    ///
    /// # Errors
    /// [`Altered`] names the first field that was altered.
    pub fn is_consistent(&self) -> Result<(), Altered> {
        if self.header.tag != HEADER_TAG {
            return Err(Altered::Format);
        }
        let mut seen = std::collections::BTreeMap::new();
        for field in &self.fields {
            let no_place = || Altered::NoPlace { path: field.path.clone() };
            let at = usize::try_from(field.index).map_err(|_| no_place())?;
            let hash = self.hashes.get(at).ok_or_else(no_place)?;
            if seen.insert(at, field.may_be_left_out()).is_some() {
                return Err(no_place());
            }
            if *hash != field.hash() {
                return Err(Altered::Field { path: field.path.clone() });
            }
        }
        // What is not here is taken for a field that may be left out; where it was none, the root is another.
        let root = root(&self.hashes, |at| seen.get(&at).copied().unwrap_or(true));
        if root == self.header.root { Ok(()) } else { Err(Altered::Hashes) }
    }

    /// Whether `key` signed this header and every field here is under its root.
    ///
    /// # Errors
    /// [`Altered`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Altered> {
        self.is_consistent()?;
        if key.verifies(&self.header.to_bytes(), &self.signature) { Ok(()) } else { Err(Altered::Header) }
    }
}

/// The format's name in every evidence pack.
pub const EVIDENCE: &str = "grabrail evidence 1";

/// A signed version as a file that anyone can check with the council's public key and no server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`EVIDENCE`].
    pub format: String,
    /// What was signed; in Housing's copy without the justification.
    pub signed: SignedVersion,
}

impl Evidence {
    /// The evidence pack of this copy.
    pub fn of(signed: SignedVersion) -> Self {
        Self { format: EVIDENCE.to_owned(), signed }
    }

    /// Whether it is whole, and, with a key, whether that key signed it.
    ///
    /// # Errors
    /// [`Altered`] names what was altered.
    pub fn check(&self, key: Option<&PublicKey>) -> Result<(), Altered> {
        if self.format != EVIDENCE {
            return Err(Altered::Format);
        }
        match key {
            Some(key) => self.signed.verify(key),
            None => self.signed.is_consistent(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
