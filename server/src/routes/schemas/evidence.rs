//! Evidence packs, and what a prescription says.

use utoipa::ToSchema;

use super::words::{
    AccountId, CaseId, DocumentId, Hash, Heads, ItemKind, Key, KeyId, Measure, Method, Place, Role, Salt, ServerId,
    Signature, Stamp, Timestamp, only,
};

/// A signed version that anyone can check with the council's public key and no server: `grabrail verify`.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Evidence {
    /// The format.
    #[schema(schema_with = format)]
    format: String,
    /// What was signed; in Housing's copy without the justification.
    signed: SignedVersion,
}

fn format() -> utoipa::openapi::Object {
    only(sync_core::domain::signed::EVIDENCE)
}

/// What was signed off.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct SignedVersion {
    /// What the signature is over.
    header: Header,
    /// The server's signature of the header in CBOR.
    signature: Signature,
    /// One for each field, left out or not.
    hashes: Vec<Hash>,
    /// The fields; in Housing's copy, those of the specification only.
    fields: Vec<SignedField>,
}

/// What is signed.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Header {
    /// The header's format.
    tag: String,
    /// The server that signs.
    server: ServerId,
    /// The Welfare Authority's name.
    authority: String,
    /// The case.
    case: CaseId,
    /// The prescription.
    prescription: DocumentId,
    /// Counts up from 1 for each prescription.
    number: u32,
    /// The exact version of the document.
    heads: Heads,
    /// The root over the hashes of all fields.
    root: Hash,
    /// Who wrote it.
    authors: Vec<Signatory>,
    /// Who signed it off; where several did, the last.
    signer: Signatory,
    /// When, by the server's clock.
    at: Timestamp,
    /// On what conditions.
    conditions: Vec<String>,
    /// The key of the signature.
    key: KeyId,
    /// Those who signed before the signer did, in their order; not there where nobody did.
    co_signers: Option<Vec<CoSignature>>,
}

/// The signature of one who signed before the last did.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct CoSignature {
    /// Who.
    signatory: Signatory,
    /// When, by the server's clock.
    at: Timestamp,
    /// On what conditions.
    conditions: Vec<String>,
}

/// A member of staff as a signed version names them.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Signatory {
    /// The account.
    account: AccountId,
    /// Full name.
    name: String,
    /// Role at the time.
    role: Role,
    /// HCPC registration number, where the role has one.
    hcpc: Option<String>,
    /// The organisation's name.
    organisation: String,
    /// When the number was last looked up in the HCPC's register; not there in versions that were signed before it was.
    hcpc_checked: Option<Timestamp>,
}

/// One field of a signed version.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct SignedField {
    /// Which of `hashes` is this field's.
    index: u32,
    /// `specification/…` or `justification/…`.
    path: String,
    /// Random, so that a left-out field can't be guessed from its hash.
    salt: Salt,
    /// What it says.
    content: Content,
}

/// What a field says.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(in crate::routes) enum Content {
    /// The value of a field.
    Value(FieldValue),
    /// What an item is.
    Item(ItemKind),
    /// A cited reading as it stood.
    Reading {
        /// The reading.
        reading: Reading,
        /// Who measured.
        by: AccountId,
        /// Their name.
        name: String,
        /// When.
        at: Stamp,
        /// The hashes of the photos that show it.
        photos: Vec<Hash>,
    },
    /// A cited photo.
    Photo {
        /// Its hash.
        hash: Hash,
        /// Its caption as it stood.
        caption: Option<String>,
    },
    /// Prose.
    Text(String),
}

/// A field's value.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(in crate::routes) enum FieldValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number in the field's unit: millimetres, kilograms, pence, a count.
    Number(i64),
    /// Short text.
    Text(String),
    /// One of the field's words.
    Choice(String),
    /// Some of the field's words.
    Choices(Vec<String>),
    /// A civil date, YYYY-MM-DD.
    Date(String),
    /// A prescribed length with its tolerance and the readings it rests on.
    Dimension(Dimension),
    /// Readings or photos.
    Cites(Vec<Cite>),
    /// A member of staff.
    Person(AccountId),
}

/// A prescribed length.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Dimension {
    /// Millimetres.
    mm: i32,
    /// How far the works may depart from it.
    tolerance: Tolerance,
    /// The readings it rests on.
    cites: Vec<Cite>,
}

/// How far the works may depart from a prescribed length.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(in crate::routes) enum Tolerance {
    /// Not at all: critical.
    Exact,
    /// At least this much: critical.
    Min,
    /// At most this much: critical.
    Max,
    /// Within so many millimetres either way.
    Within(u16),
}

/// A record of another document, cited.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Cite {
    /// The document.
    document: DocumentId,
    /// The record in it.
    key: Key,
}

/// A measurement: whole millimetres or kilograms.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Reading {
    /// Where.
    place: Place,
    /// What was measured there.
    measure: Measure,
    /// The value in the measure's unit; signed, for levels below finished floor level.
    value: i32,
    /// How.
    method: Method,
    /// Photos of the same document that show it.
    photos: Vec<Key>,
    /// Earlier readings of the same place and measure that this one replaces.
    supersedes: Vec<Key>,
}
