//! The way to the server: HTTPS (HTTP on this machine only), and what can go wrong on it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::engine::ReplyError;
use crate::envelope::PROTOCOL;
use crate::protocol::enrolment::{BadEnrolment, ServerUrl};
use crate::protocol::pace::{PATIENCE, on_the_slowest_line};

/// The most bytes of a reply that are read: what a compressed reply of sync may have, and its envelope.
pub const MAX_REPLY: usize = (64 << 20) + 1024;
/// The most bytes that are read of what is no success in CBOR and no photo: a problem has a few hundred, a portal's
/// page any number.
const MAX_WORDS: usize = 64 << 10;
/// The content type of everything but JSON and photos.
pub const CBOR: &str = "application/cbor";
/// The content type of problems (RFC 9457).
const PROBLEM: &str = "application/problem+json";
/// The content type of photos.
const JPEG: &str = "image/jpeg";

/// How long the server may be silent within a reply. A large caseload over a bad link takes its time.
const SILENCE: Duration = Duration::from_secs(60);

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks to do something.
    Post,
    /// Puts something in its place.
    Put,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// What it does.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// The body's type; `None` without a body.
    pub content_type: Option<&'static str>,
    /// The bearer token, if one is needed.
    pub bearer: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// One reply, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The content type as it was sent; empty when there was none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What sending returns.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<HttpReply, LinkError>> + Send + 'a>>;

/// What asking for a piece of a body returns.
pub type Piece<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, LinkError>> + Send + 'a>>;

/// The pieces of a body, as they come.
pub trait Pieces: Send {
    /// The next piece; `None`: that was all.
    fn next(&mut self) -> Piece<'_>;
}

/// One reply, whose body is still on its way.
pub struct HttpStream {
    /// The status.
    pub status: u16,
    /// The content type as it was sent; empty when there was none.
    pub content_type: String,
    /// The body.
    pub body: Box<dyn Pieces>,
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStream").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What opening a reply returns.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<HttpStream, LinkError>> + Send + 'a>>;

/// A body that came whole.
struct Whole(Option<Vec<u8>>);

impl Pieces for Whole {
    fn next(&mut self) -> Piece<'_> {
        Box::pin(async move { Ok(self.0.take()) })
    }
}

impl From<HttpReply> for HttpStream {
    fn from(reply: HttpReply) -> Self {
        let HttpReply { status, content_type, body } = reply;
        Self { status, content_type, body: Box::new(Whole(Some(body))) }
    }
}

impl HttpStream {
    /// The whole of it, as far as it may be ours.
    async fn whole(mut self) -> Result<HttpReply, LinkError> {
        let ours = matches!(self.status, 200..=299) && [CBOR, JPEG].contains(&self.content_type.as_str());
        let mut body = Vec::new();
        while let Some(piece) = self.body.next().await? {
            match body.len() + piece.len() {
                0..=MAX_WORDS => {}
                ..=MAX_REPLY if ours => {}
                _ if ours => return Err(LinkError::Unreadable(format!("it has more than {MAX_REPLY} bytes"))),
                _ => return Err(LinkError::NotOurServer),
            }
            body.extend_from_slice(&piece);
        }
        Ok(HttpReply { status: self.status, content_type: self.content_type, body })
    }
}

/// What carries requests: HTTP, or a test's server in the same process.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for its reply.
    fn send(&self, request: HttpRequest) -> Sending<'_>;

    /// Sends one request and waits for the beginning of its reply. A transport that can't do better waits for it all.
    fn open(&self, request: HttpRequest) -> Opening<'_> {
        Box::pin(async move { Ok(self.send(request).await?.into()) })
    }
}

/// Why nothing came of a request. Nothing is lost by it: what waits keeps waiting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No answer: no signal, no server, cut off on the way.
    #[error("the server can't be reached: {0}")]
    Offline(String),
    /// The connection is not safe: a certificate that nobody vouches for, or of another name.
    #[error("the connection to the server is not safe: {0}")]
    Tls(String),
    /// An address that devices don't speak to.
    #[error(transparent)]
    Address(#[from] BadEnrolment),
    /// A certificate file that is none.
    #[error("the certificate can't be read: {0}")]
    Certificate(String),
    /// Something else answered: a captive portal, a proxy.
    #[error("this was not answered by a Grabrail server: is there a sign-in page in the way?")]
    NotOurServer,
    /// The answer is not this server's.
    #[error("the answer is not signed by the server this device was enrolled at: it was not believed")]
    Tampered,
    /// The answer is larger than any of ours, or of a version this program does not know.
    #[error("the server's answer can't be read: {0}")]
    Unreadable(String),
    /// The server said no, and why (RFC 9457).
    #[error("{title}: {detail}")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The problem's name, the last part of its type.
        kind: String,
        /// What it is.
        title: String,
        /// What to do.
        detail: String,
    },
    /// Server and app speak different versions of the protocol. All that waits here is kept, and goes once the older of
    /// the two was updated.
    #[error("{}", .server.iter().max().map_or(UPDATE_EITHER, |server| if server > app { UPDATE_APP } else { UPDATE_SERVER }))]
    Version {
        /// The versions that the server speaks.
        server: Vec<u16>,
        /// The app's.
        app: u16,
    },
}

const UPDATE_APP: &str = "the server is newer than this app: update the app; nothing that was recorded is lost";
const UPDATE_SERVER: &str =
    "this app is newer than the server: the server must be updated; nothing that was recorded is lost";
const UPDATE_EITHER: &str = "server and app don't understand each other: one of them must be updated";

impl LinkError {
    /// Whether it may go away by itself.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Offline(_) | Self::NotOurServer | Self::Tampered | Self::Tls(_) => true,
            Self::Problem { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

impl From<ReplyError> for LinkError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::NotOurServer => Self::NotOurServer,
            ReplyError::Tampered => Self::Tampered,
            ReplyError::Version { found } => Self::Version { server: vec![found], app: PROTOCOL },
            ReplyError::Cut { .. } => Self::Offline(error.to_string()),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// How to reach a server.
#[derive(Debug, Clone, Default)]
pub struct LinkOptions {
    /// Certificates of a council's own authority, PEM, beside those the machine trusts.
    pub extra_roots: Option<Vec<u8>>,
}

/// The way to the server.
pub struct Link {
    transport: Box<dyn Transport>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// The way over HTTP(S).
    ///
    /// # Errors
    /// [`LinkError::Certificate`] when the extra certificates can't be read, [`LinkError::Tls`] when TLS can't be set up.
    pub fn new(options: &LinkOptions) -> Result<Self, LinkError> {
        Ok(Self::over(Http::new(options)?))
    }

    /// The way over another transport.
    pub fn over(transport: impl Transport + 'static) -> Self {
        Self { transport: Box::new(transport) }
    }

    /// Sends, takes problems for errors, and gives a reply of the type asked for while it comes.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(super) async fn open(&self, request: HttpRequest, content_type: &str) -> Result<HttpStream, LinkError> {
        let reply = self.transport.open(request).await?;
        match reply.status {
            200 if reply.content_type == content_type => Ok(reply),
            200..=299 => Err(LinkError::NotOurServer),
            _ => Err(problem(&reply.whole().await?)),
        }
    }

    /// Sends, and takes problems for errors.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpReply, LinkError> {
        let reply = self.transport.send(request).await?;
        match reply.status {
            200..=299 => Ok(reply),
            _ => Err(problem(&reply)),
        }
    }
}

/// What a reply that is no success says. Only a problem of ours is believed to be the server's word.
fn problem(reply: &HttpReply) -> LinkError {
    #[derive(serde::Deserialize)]
    struct Problem {
        #[serde(rename = "type")]
        kind: String,
        title: String,
        #[serde(default)]
        detail: String,
        #[serde(default)]
        speaks: Vec<u16>,
    }
    let ours = reply.content_type.starts_with(PROBLEM);
    let problem = ours.then(|| serde_json::from_slice::<Problem>(&reply.body).ok()).flatten();
    match problem.and_then(|problem| Some((problem.kind.strip_prefix("urn:grabrail:problem:")?.to_owned(), problem))) {
        Some((kind, problem)) if kind == "protocol" => LinkError::Version { server: problem.speaks, app: PROTOCOL },
        Some((kind, problem)) => {
            LinkError::Problem { status: reply.status, kind, title: problem.title, detail: problem.detail }
        }
        None => LinkError::NotOurServer,
    }
}

/// HTTP by reqwest and rustls.
struct Http {
    /// For this machine: no certificate is ever asked.
    loopback: reqwest::Client,
    /// For everywhere else; `Err` says why TLS could not be set up.
    secure: Result<reqwest::Client, String>,
    /// How much longer than its request takes on the slowest line an answer is waited for.
    patience: Duration,
}

impl Http {
    fn new(options: &LinkOptions) -> Result<Self, LinkError> {
        // Whoever installed one before, installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(15))
                // The server closes a connection that has been idle for twice as long.
                .pool_idle_timeout(Duration::from_secs(10))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("grabrail/", env!("CARGO_PKG_VERSION")))
        };
        // Nothing for this machine goes by way of another, whatever proxy its surroundings name.
        let loopback =
            builder().no_proxy().tls_certs_only([]).build().map_err(|error| LinkError::Tls(chain(&error)))?;
        let extra = match &options.extra_roots {
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| LinkError::Certificate(chain(&error)))
                .and_then(|found| match found.is_empty() {
                    true => Err(LinkError::Certificate("there is no PEM certificate in it".to_owned())),
                    false => Ok(found),
                })?,
            None => Vec::new(),
        };
        let secure = builder().https_only(true).tls_certs_merge(extra).build().map_err(|error| chain(&error));
        Ok(Self { loopback, secure, patience: PATIENCE })
    }
}

/// An error with its causes: reqwest's own words say only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// What failed of TLS, if that is what failed.
fn of_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What a stream reports hides its cause within.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(found) = of_tls(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn failed(error: &reqwest::Error) -> LinkError {
    match of_tls(error) {
        Some(why @ rustls::Error::InvalidCertificate(_)) => LinkError::Tls(format!(
            "the server's certificate is not trusted ({why}); an authority of the council's own has to be given to this \
             device"
        )),
        Some(_) => LinkError::Tls(chain(error)),
        None => LinkError::Offline(chain(error)),
    }
}

/// What comes of reqwest while it is waited for.
async fn in_time<T>(most: Duration, waiting: impl Future<Output = reqwest::Result<T>>) -> Result<T, LinkError> {
    match timeout(most, waiting).await {
        Ok(came) => came.map_err(|error| failed(&error)),
        Err(_) => Err(LinkError::Offline(format!("it said nothing for {} seconds", most.as_secs()))),
    }
}

/// The body of a reply by reqwest.
struct Body(reqwest::Response);

impl Pieces for Body {
    fn next(&mut self) -> Piece<'_> {
        Box::pin(async move {
            let piece = in_time(SILENCE, self.0.chunk()).await?;
            Ok(piece.map(|piece| piece.to_vec()))
        })
    }
}

impl Transport for Http {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        Box::pin(async move { self.open(request).await?.whole().await })
    }

    fn open(&self, request: HttpRequest) -> Opening<'_> {
        Box::pin(async move {
            let safe = request.url.starts_with("https://");
            if !safe {
                // Only the scheme and host decide; the path was put behind an address that was checked.
                let origin: String = request.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                origin.parse::<ServerUrl>()?;
            }
            let client = match (&self.secure, safe) {
                (_, false) => &self.loopback,
                (Ok(secure), true) => secure,
                (Err(why), true) => return Err(LinkError::Tls(why.clone())),
            };
            let mut sending = match request.method {
                Method::Get => client.get(&request.url),
                Method::Post => client.post(&request.url),
                Method::Put => client.put(&request.url),
            };
            // The answer comes behind the request, which may be long on its way.
            let patience = self.patience + on_the_slowest_line(request.body.len());
            if let Some(content_type) = request.content_type {
                sending = sending.header(reqwest::header::CONTENT_TYPE, content_type).body(request.body);
            }
            if let Some(bearer) = &request.bearer {
                sending = sending.bearer_auth(bearer);
            }
            let reply = in_time(patience, sending.send()).await?;
            let status = reply.status().as_u16();
            let content_type = reply.headers().get(reqwest::header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            Ok(HttpStream { status, content_type, body: Box::new(Body(reply)) })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_request_that_is_long_on_its_way_is_given_its_time_and_a_server_that_says_nothing_is_not() {
        const LARGE: usize = 64 << 10;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut line, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut bytes, mut came) = ([0; 4 << 10], 0);
                    while came < LARGE {
                        sleep(Duration::from_millis(50)).await;
                        came += line.read(&mut bytes).await.unwrap();
                    }
                    line.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                    while line.read(&mut bytes).await.unwrap() > 0 {}
                });
            }
        });
        let request = |length| HttpRequest {
            method: Method::Post,
            url: url.clone(),
            content_type: Some(CBOR),
            bearer: None,
            body: vec![7; length],
        };
        let http = Http { patience: Duration::from_millis(300), ..Http::new(&LinkOptions::default()).unwrap() };
        assert_eq!(http.send(request(LARGE)).await.unwrap().status, 204);
        let silent = timeout(Duration::from_secs(30), http.send(request(10))).await.expect("it waits for ever");
        assert!(matches!(silent, Err(LinkError::Offline(_))), "{silent:?}");
    }

    /// What answers with a page that does not end, and how many bytes of it were asked for.
    #[derive(Clone)]
    struct Endless {
        status: u16,
        content_type: &'static str,
        read: Arc<AtomicUsize>,
    }

    impl Pieces for Endless {
        fn next(&mut self) -> Piece<'_> {
            self.read.fetch_add(4_096, Ordering::SeqCst);
            Box::pin(async { Ok(Some(vec![b' '; 4_096])) })
        }
    }

    impl Transport for Endless {
        fn send(&self, request: HttpRequest) -> Sending<'_> {
            Box::pin(async move { self.open(request).await?.whole().await })
        }

        fn open(&self, _: HttpRequest) -> Opening<'_> {
            let (status, content_type) = (self.status, self.content_type.to_owned());
            Box::pin(async move { Ok(HttpStream { status, content_type, body: Box::new(self.clone()) }) })
        }
    }

    #[tokio::test]
    async fn of_an_endless_page_no_more_is_read_than_a_problem_of_ours_may_have() {
        let request = || HttpRequest {
            method: Method::Get,
            url: "https://example.org".to_owned(),
            content_type: None,
            bearer: None,
            body: Vec::new(),
        };
        for (status, content_type) in
            [(503, PROBLEM), (503, CBOR), (404, "text/html"), (302, ""), (500, JPEG), (200, "text/html"), (200, "")]
        {
            for streams in [true, false] {
                let endless = Endless { status, content_type, read: Arc::default() };
                let link = Link::over(endless.clone());
                let answered = match streams {
                    true => link.open(request(), CBOR).await.map(drop),
                    false => link.send(request()).await.map(drop),
                };
                assert_eq!(answered, Err(LinkError::NotOurServer), "{status} {content_type}");
                let read = endless.read.load(Ordering::SeqCst);
                assert!(read <= MAX_WORDS + 4_096, "{status} {content_type}: {read}");
            }
        }
        // A photo, and receipts for one, may have more.
        let endless = Endless { status: 200, content_type: JPEG, read: Arc::default() };
        let photo = Link::over(endless.clone()).send(request()).await;
        assert!(matches!(photo, Err(LinkError::Unreadable(_))));
        assert!(endless.read.load(Ordering::SeqCst) <= MAX_REPLY + 4_096);
    }
}
