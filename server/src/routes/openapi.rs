//! `GET /openapi.json`: the API, described by itself.

use std::sync::LazyLock;

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::json::{Json, ProblemBody};
use super::problems::problems;
use super::schemas::words::spell_out;

/// What the document says of the whole.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Grabrail",
        description = "Home assessments and prescriptions, recorded offline, merged and supervised. A request that is \
            not done is answered with a problem (RFC 9457), and nothing of it was half-done. What you may not see is \
            answered like what is not there. A path that is not here is answered with `not-found`, another method of \
            a path with `method-not-allowed`."
    ),
    components(schemas(ProblemBody)),
    modifiers(&Bearers)
)]
pub(super) struct About;

/// The tokens that some endpoints take. The others take none; each says why.
struct Bearers;

impl Modify for Bearers {
    fn modify(&self, document: &mut Document) {
        let bearer = |description: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
            SecurityScheme::Http(scheme.description(Some(description)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("person", bearer("`access` of a sign-in at `POST /v1/sessions`; minutes long."));
        components.add_security_scheme(
            "device",
            bearer("`photo_bearer` of a signed reply of `POST /v1/sync`; minutes long, for photo bytes only."),
        );
    }
}

/// The whole document.
pub(super) fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let mut document = super::endpoints().into_openapi();
        spell_out(&mut document);
        document
    });
    &DOCUMENT
}

problems!(OpenApiProblems =);

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses(
    (status = 200, description = "The API as OpenAPI 3.1", body = serde_json::Value),
    OpenApiProblems,
))]
pub(super) async fn show() -> Json<&'static Document> {
    Json(document())
}
