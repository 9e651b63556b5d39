//! What stands around every request: its log line, its headers, its time limit, how long bodies are read, and answers
//! for what no endpoint is.

use std::any::Any;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use tokio::sync::watch;

use super::sync::CBOR;
use crate::app::App;
use crate::auth::ClientAddress;
use crate::config::Config;
use crate::error::{Problem, ProblemKind, REQUEST};
use crate::uploads::Uploads;

/// No such path.
pub(super) async fn nothing_here() -> Problem {
    Problem::new(ProblemKind::NotFound, "No endpoint has this path; /openapi.json lists them.")
}

/// A path with other methods.
pub(super) async fn wrong_method() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, "This path takes other methods; /openapi.json lists them.")
}

/// A handler panicked: a fault of ours, and only this request's.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    #[derive(Debug, thiserror::Error)]
    #[error("a handler panicked")]
    struct Panicked;
    // What it said may hold somebody's data: the log has only where (see the panic hook).
    Problem::internal(Panicked).into_response()
}

/// Ends a request that takes too long. What it had begun to write is written whole or not at all; a sync is settled to
/// its end all the same.
pub(super) async fn time_limit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let limit = TimeLimit::default();
    request.extensions_mut().insert(limit.clone());
    tokio::select! {
        // What is done at the last moment is done.
        biased;
        response = next.run(request) => response,
        () = limit.is_over(Duration::from_secs(app.config.limits.request_seconds)) => {
            Problem::new(ProblemKind::Timeout, "Send it again; whatever was done is not done twice.").into_response()
        }
    }
}

/// A request's time limit, which its handler may stop: whether it stands still.
#[derive(Debug, Clone, Default)]
pub(super) struct TimeLimit(watch::Sender<bool>);

impl TimeLimit {
    /// Waits for what has a limit of its own; this one begins anew behind it.
    pub(super) async fn stands_still<T>(&self, other: impl Future<Output = T>) -> T {
        self.0.send_replace(true);
        let came = other.await;
        self.0.send_replace(false);
        came
    }

    async fn is_over(&self, limit: Duration) {
        let mut told = self.0.subscribe();
        loop {
            let stands_still = *told.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep(limit), if !stands_still => return,
                // Whoever could tell more is `self`, so more may come.
                _ = told.changed() => {}
            }
        }
    }
}

/// A body that came to its end within its bound, in bytes, however slow the line within [`Uploads`]' pace.
pub(super) async fn whole(uploads: &Uploads, mut body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let mut upload = uploads.begin(most);
    while let Some(frame) = upload.in_time(poll_fn(|context| Pin::new(&mut body).poll_frame(context))).await? {
        let frame =
            frame.map_err(|_| Problem::new(ProblemKind::BadRequest, "The body was cut short; send it again."))?;
        if let Ok(data) = frame.into_data()
            && !upload.take(&data)?
        {
            break;
        }
    }
    upload.whole()
}

/// The outermost layer.
pub(super) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = HEXLOWER.encode(&app.chance.bytes::<8>());
    let began = app.clock.elapsed();
    let method = request.method().clone();
    // The template, never the path or its query: those name cases.
    let route = request.extensions().get::<MatchedPath>().map_or("-".to_owned(), |path| path.as_str().to_owned());
    let response = REQUEST.scope(id.clone(), async {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        match client_address(&app.config, peer, request.headers()) {
            Ok(address) => {
                if let Some(address) = address {
                    request.extensions_mut().insert(ClientAddress(address));
                }
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        }
    });
    let mut response = response.await;
    add_headers(&app.config, response.headers_mut());
    let millis = app.clock.elapsed().saturating_sub(began);
    tracing::info!(request = id, %method, route, status = response.status().as_u16(), millis, "request");
    response
}

/// Who asks: the peer, or what a trusted proxy says of its own peer. `None` when there is no connection (tests).
fn client_address(config: &Config, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Option<IpAddr>, Problem> {
    if config.behind_proxy.is_empty() {
        return Ok(peer);
    }
    // Past the proxy there is no TLS; this machine itself may look in.
    if !peer.is_some_and(|peer| config.is_proxy(peer) || peer.to_canonical().is_loopback()) {
        return Err(Problem::new(ProblemKind::NotFromProxy, "Use the address the server was announced with."));
    }
    let said = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<IpAddr> = said.flat_map(|value| value.split(',')).filter_map(|ip| ip.trim().parse().ok()).collect();
    // Only the last ones were written by proxies we know; what stands before the first stranger is hearsay.
    Ok(chain.into_iter().rev().find(|ip| !config.is_proxy(*ip)).or(peer))
}

fn add_headers(config: &Config, headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == CBOR) {
        // Signed bytes for a device, which no browser asks for or can show: they need to be taken for nothing else, and
        // the rest would cost a device on a bad line more than its news.
        headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        return;
    }
    let all: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in all {
        // A page may say its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if config.public_url.as_str().starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
