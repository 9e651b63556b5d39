//! `POST /v1/sync`: a device's one round trip.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::ProblemBody;
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::sync as service;

/// What travels: CBOR, in both directions.
pub(super) const CBOR: &str = "application/cbor";

/// Settle what a device has and what it should have.
///
/// The body is a `SignedRequest`, the answer a `SignedReply`: signed CBOR around zstd, as `sync-core` defines them.
#[utoipa::path(post, path = "/v1/sync", tag = "devices",
    request_body(content = Vec<u8>, content_type = "application/cbor"), responses(
    (status = 200, description = "Settled", body = Vec<u8>, content_type = "application/cbor"),
    (status = 400, description = "Not a sync request", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Not an enrolled device", body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
    (status = 507, description = "Disk full", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn settle(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<Response, Problem> {
    let body = whole(body)?;
    let reply = service::settle(&app, &body).await?;
    Ok(([(header::CONTENT_TYPE, CBOR)], reply).into_response())
}

/// A body that came to its end within its bound.
pub(super) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| {
        if rejection.status() == ProblemKind::TooLarge.status() {
            Problem::new(ProblemKind::TooLarge, "The body is larger than this endpoint takes; send less at once.")
        } else {
            Problem::new(ProblemKind::BadRequest, "The body was cut short; send it again.")
        }
    })
}
