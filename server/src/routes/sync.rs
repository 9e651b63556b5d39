//! `POST /v1/sync`: a device's one round trip.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use sync_core::protocol::pace::PATIENCE;

use super::edge::{TimeLimit, whole};
use super::problems::problems;
use super::schemas::bodies;
use crate::app::App;
use crate::error::Problem;
use crate::sync::{self as service, Cut, Patience, Sending};

/// What travels: CBOR, in both directions.
pub(super) const CBOR: &str = "application/cbor";

problems!(SyncProblems = WRITES, BadRequest, Protocol, TooLarge, DeviceUnknown, DeviceStopped, Later);

/// Settle what a device has and what it should have.
///
/// Takes no bearer: the device signs the request itself, and the server its reply. A revoked device may still hand in
/// what it has, and is told what to purge. The reply carries the bearer for photos.
#[utoipa::path(post, path = "/v1/sync", tag = "devices",
    request_body(content = bodies::SignedRequest, content_type = "application/cbor"), responses(
    (status = 200, description = "Settled", body = bodies::SignedReply, content_type = "application/cbor"),
    SyncProblems,
))]
pub(super) async fn settle(
    State(app): State<App>,
    Extension(limit): Extension<TimeLimit>,
    body: Body,
) -> Result<Response, Problem> {
    // Room for the signature around the largest request.
    let most = app.config.limits.sync_bytes.saturating_add(1024);
    let body = limit.stands_still(whole(&app.uploads, body, most)).await?;
    let making = Duration::from_secs(app.config.limits.request_seconds);
    let mut settled = service::settle(&app, &body).await?;
    let body = match settled.next_part().await? {
        Some((first, false)) => {
            let patience = Patience { making, asking: PATIENCE };
            let rest = Sending::begin(settled, first.len(), patience);
            Body::new(Parts { first: Some(first), rest })
        }
        Some((only, true)) => Body::from(only),
        None => Body::empty(),
    };
    Ok(([(header::CONTENT_TYPE, CBOR)], body).into_response())
}

/// A reply that is made while it is sent.
struct Parts {
    first: Option<Vec<u8>>,
    rest: Sending,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let part = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => ready!(self.rest.poll_part(context)),
        };
        Poll::Ready(part.map(|part| part.map(|part| Frame::data(part.into()))))
    }
}
