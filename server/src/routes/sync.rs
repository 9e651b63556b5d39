//! `POST /v1/sync`: a device's one round trip.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::problems::problems;
use super::schemas::bodies;
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::sync as service;

/// What travels: CBOR, in both directions.
pub(super) const CBOR: &str = "application/cbor";

problems!(SyncProblems = WRITES, BadRequest, TooLarge, DeviceUnknown, DeviceStopped, Later);

/// Settle what a device has and what it should have.
///
/// Takes no bearer: the device signs the request itself, and the server its reply. A revoked device may still hand in
/// what it has, and is told what to purge. The reply carries the bearer for photos.
#[utoipa::path(post, path = "/v1/sync", tag = "devices",
    request_body(content = bodies::SignedRequest, content_type = "application/cbor"), responses(
    (status = 200, description = "Settled", body = bodies::SignedReply, content_type = "application/cbor"),
    SyncProblems,
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
