//! Ids, hashes, times and the words of the tables: texts, each of one form.

use sync_core::access;
use sync_core::domain::{kind, vocabulary};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// A text that is always the same.
pub(super) fn only(word: &str) -> Object {
    Object::builder().schema_type(Type::String).enum_values(Some([word])).build()
}

/// Texts of a pattern.
macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident = $pattern:literal, $example:literal;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, ToSchema)]
        #[schema(pattern = $pattern, examples($example))]
        pub(in crate::routes) struct $name(String);
    )*};
}

/// Texts that are each one of a table.
macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:ident = $words:expr;)*) => {
        $($(#[doc = $doc])+
        #[derive(Debug, ToSchema)]
        pub(in crate::routes) struct $name(String);)*

        /// Writes every word of the tables into the document: a derived schema takes no words but its own variants.
        pub(in crate::routes) fn spell_out(document: &mut OpenApi) {
            let Some(components) = &mut document.components else { return };
            $(if let Some(RefOr::T(Schema::Object(table))) = components.schemas.get_mut(stringify!($name)) {
                let words: Vec<&str> = $words;
                table.enum_values = Some(words.into_iter().map(Into::into).collect());
            })*
        }
    };
}

texts! {
    /// A case.
    CaseId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// A member of staff.
    AccountId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// The council, an agency or a private practice.
    OrganisationId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// An enrolled device.
    DeviceId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// An ask: 16 random bytes of the asker's making in lower-case base32. The same id twice is one ask.
    AskId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// Housing's order to a private OT to assess one case.
    CommissionId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// A data folder, for ever.
    ServerId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// One life of a data folder.
    Epoch = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// One life of a device's store.
    Generation = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// A sign-in.
    SessionId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// A key the server signs with.
    KeyId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// Work that was set aside.
    QuarantineId = "^[a-z2-7]{26}$", "mfxgc3tbmfxgc3tbmfxgc3tbme";
    /// A document, with its edition after the hyphen.
    DocumentId = "^[a-z2-7]{26}-[0-9]{1,3}$", "mfxgc3tbmfxgc3tbmfxgc3tbme-1";
    /// A record of a document: the number of the device that made it, a dot, and how many it had made.
    Key = "^[1-9][0-9]*\\.[1-9][0-9]*$", "7.42";
    /// SHA-256 in hexadecimal digits.
    Hash = "^[0-9a-f]{64}$", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    /// An Ed25519 public key in hexadecimal digits.
    PublicKey = "^[0-9a-f]{64}$", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    /// An Ed25519 signature in hexadecimal digits.
    Signature = "^[0-9a-f]{128}$", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    /// 16 random bytes in hexadecimal digits.
    Salt = "^[0-9a-f]{32}$", "00112233445566778899aabbccddeeff";
    /// An instant (RFC 3339), in UTC.
    Timestamp = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$", "2026-11-16T09:30:00Z";
    /// Where in the home: rooms and features with their ordinals.
    Place = "^[a-z-]+-[0-9]+(/[a-z-]+-[0-9]+)*$", "bathroom-1/door-1";
}

tables! {
    /// What someone is employed to do.
    Role = access::Role::ALL.map(access::Role::name).to_vec();
    /// What ties someone to a case.
    Relation = access::Relation::ALL.map(access::Relation::name).to_vec();
    /// A kind of document.
    Kind = kind::Kind::ALL.iter().map(|kind| kind.name()).collect();
    /// What an item is.
    ItemKind = vocabulary::ItemKind::ALL.iter().map(|kind| kind.name()).collect();
    /// How something was measured.
    Method = vocabulary::Method::ALL.iter().map(|method| method.name()).collect();
    /// What was measured.
    Measure = vocabulary::Measure::all().map(vocabulary::Measure::name).collect();
    /// A field of a document or of an item.
    FieldName = vocabulary::Field::all().map(vocabulary::Field::name).collect();
}

/// A document's exact version: the hashes of its newest changes, sorted.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Heads(Vec<Hash>);

/// When a person did something, as far as their device could tell.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Stamp {
    /// What the device's clock said.
    claimed: Timestamp,
    /// Milliseconds since the device's process began.
    elapsed: u64,
    /// Device clock minus server clock in milliseconds, as measured at the last contact.
    offset: Option<i64>,
}
