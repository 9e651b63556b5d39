//! `POST /v1/sync`: a device's one round trip.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body::Frame;

use super::problems::problems;
use super::schemas::bodies;
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::sync::{self as service, Cut, Patience, Sending};

/// What travels: CBOR, in both directions.
pub(super) const CBOR: &str = "application/cbor";

/// How much longer than on the slowest line a device may take over a part of its reply.
const ASKING: Duration = Duration::from_secs(120);

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
pub(super) async fn settle(State(app): State<App>, body: Body) -> Result<Response, Problem> {
    // Room for the signature around the largest request.
    let body = whole(body, app.config.limits.sync_bytes.saturating_add(1024)).await?;
    let limit = Duration::from_secs(app.config.limits.request_seconds);
    let mut settled = service::settle(&app, &body).await?;
    let body = match settled.next_part().await? {
        Some((first, false)) => {
            let patience = Patience { making: limit, asking: ASKING };
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
