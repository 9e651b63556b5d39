//! `POST /v1/sync`: a device's one round trip.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
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
use crate::sync::{self as service, Settled};

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
pub(super) async fn settle(State(app): State<App>, body: Body) -> Result<Response, Problem> {
    // Room for the signature around the largest request.
    let body = whole(body, app.config.limits.sync_bytes.saturating_add(1024)).await?;
    let limit = Duration::from_secs(app.config.limits.request_seconds);
    let mut settled = service::settle(&app, &body).await?;
    let body = match settled.next_part().await? {
        Some((first, false)) => Body::new(Parts { first: Some(first), next: Some(next(settled, limit)), limit }),
        Some((only, true)) => Body::from(only),
        None => Body::empty(),
    };
    Ok(([(header::CONTENT_TYPE, CBOR)], body).into_response())
}

/// The part behind the one that was sent, if there is one, with what makes those behind it.
type Next = Pin<Box<dyn Future<Output = Result<Option<(Vec<u8>, Settled)>, Cut>> + Send>>;

/// Why a reply ends before its last part; the device notices, and goes on from what it has.
#[derive(Debug, thiserror::Error)]
#[error("a part of a reply could not be made")]
struct Cut;

/// A reply that is made while it is sent.
struct Parts {
    first: Option<Vec<u8>>,
    next: Option<Next>,
    /// How long making one part may take.
    limit: Duration,
}

fn next(mut settled: Settled, limit: Duration) -> Next {
    Box::pin(async move {
        match tokio::time::timeout(limit, settled.next_part()).await {
            Ok(Ok(part)) => Ok(part.map(|(part, _)| (part, settled))),
            Ok(Err(problem)) => {
                tracing::error!(%problem, cause = ?problem, "a reply was cut: a part of it could not be made");
                Err(Cut)
            }
            Err(_) => {
                tracing::error!("a reply was cut: a part of it took too long");
                Err(Cut)
            }
        }
    })
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        let Some(making) = self.next.as_mut() else { return Poll::Ready(None) };
        let made = std::task::ready!(making.as_mut().poll(context));
        self.next = None;
        Poll::Ready(match made {
            Ok(Some((part, settled))) => {
                self.next = Some(next(settled, self.limit));
                Some(Ok(Frame::data(part.into())))
            }
            Ok(None) => None,
            Err(cut) => Some(Err(cut)),
        })
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
