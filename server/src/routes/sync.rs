//! `POST /v1/sync`: a device's one round trip.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody as _};
use axum::extract::State;
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
pub(super) async fn settle(State(app): State<App>, body: Body) -> Result<Response, Problem> {
    // Room for the signature around the largest request.
    let body = whole(body, app.config.limits.sync_bytes.saturating_add(1024)).await?;
    let reply = service::settle(&app, &body).await?;
    Ok(([(header::CONTENT_TYPE, CBOR)], reply).into_response())
}

/// A body that came to its end within its bound, in bytes. One that is larger is read on for as much again, so that
/// its sender hears of it instead of a broken connection.
pub(super) async fn whole(mut body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut beyond = 0_usize;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame =
            frame.map_err(|_| Problem::new(ProblemKind::BadRequest, "The body was cut short; send it again."))?;
        let Ok(data) = frame.into_data() else { continue };
        if beyond == 0 && bytes.len() + data.len() <= most {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
            beyond = beyond.saturating_add(data.len());
            if beyond > most {
                break;
            }
        }
    }
    if beyond == 0 {
        return Ok(bytes);
    }
    Err(Problem::new(ProblemKind::TooLarge, format!("The body may have {most} bytes; send less at once.")))
}
