//! Bodies that are no JSON.

use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Bytes of a media type.
macro_rules! bodies {
    ($($(#[doc = $doc:literal])+ $name:ident = $media:literal;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(in crate::routes) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let description = [$($doc.trim()),+].join("\n");
                let bytes = Object::builder().schema_type(Type::String).content_media_type($media);
                bytes.description(Some(description)).build().into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

bodies! {
    /// CBOR: the array `[protocol, device, generation, counter, signature, body]`. `body` is a byte string: CBOR of
    /// pushes, asks and what was purged or read, compressed with zstd. `signature` is the device's (Ed25519) over
    /// server, path, generation, counter and the body's SHA-256: it stands in the place of a bearer.
    SignedRequest = "application/cbor";
    /// A sequence of one or more parts, each CBOR: the array `[protocol, key, signature, body, last]`. `body` is a byte
    /// string: CBOR of receipts, verdicts, case cards, changes, documents and what is to be purged; the bodies of all
    /// parts are one zstd stream, flushed at the end of each. `signature` is the server's reply key's, over the SHA-256
    /// of the whole request and of the body, the part's number and whether it is the last: a reply answers one request,
    /// and one without its last part was cut; the next request goes on from what came.
    SignedReply = "application/cbor";
    /// A JPEG as the app prepares it: upright, without metadata, no side over the bound.
    Photo = "image/jpeg";
    /// CBOR: the array `[receipts, key, signature]`, signed by the server's reply key. The receipts name the document
    /// and the photo's hash.
    PhotoReceipt = "application/cbor";
    /// CSV with a header: month,author,role,organisation,submitted,withdrawn,returned,rejected,signed_off,
    /// waited_hours_median,waited_hours_longest. A cell that a spreadsheet would take for a formula begins with `'`.
    Figures = "text/csv";
}
