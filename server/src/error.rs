//! Problems (RFC 9457): the one place that chooses an HTTP status.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use sync_core::clock::Timestamp;

use crate::storage::StorageError;
use crate::storage::blobs::BlobError;
use crate::storage::devices::CodeRefused;
use crate::storage::ledger::CommitError;
use crate::storage::seal::SealError;

tokio::task_local! {
    /// The id of the request at hand: in each of its log lines, and outside only when the server failed.
    pub static REQUEST: String;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:ident $title:literal;)*) => {
        /// Every kind of problem the server answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $variant),* }

        impl ProblemKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Its `type` in a problem.
            pub fn type_uri(self) -> String {
                format!("urn:grabrail:problem:{}", self.name())
            }

            /// Its HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// What it is, the same every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

kinds! {
    /// The request isn't what the endpoint reads.
    BadRequest "bad-request" BAD_REQUEST "The request can't be read";
    /// It speaks another version of the protocol of sync.
    Protocol "protocol" BAD_REQUEST "App and server speak different versions";
    /// A value in it can't be what it is.
    BadValue "bad-value" UNPROCESSABLE_ENTITY "A value can't be used";
    /// No token came.
    SignInNeeded "sign-in-needed" UNAUTHORIZED "Sign in first";
    /// Name or password is wrong, or the account is disabled: never said which.
    SignInRefused "sign-in-refused" UNAUTHORIZED "The sign-in was refused";
    /// The token isn't this server's, isn't for this use, or was altered.
    TokenRefused "token-refused" UNAUTHORIZED "The token was refused";
    /// The token's minutes are over (or haven't begun).
    TokenExpired "token-expired" UNAUTHORIZED "The token has expired";
    /// The session ended.
    SessionEnded "session-ended" UNAUTHORIZED "The session has ended";
    /// The code doesn't enrol.
    CodeRefused "code-refused" FORBIDDEN "The enrolment code was refused";
    /// The device doesn't hold the key it offers.
    ProofRefused "proof-refused" FORBIDDEN "The device's proof of its key was refused";
    /// No such device, of another life of its store, or another key: answered alike.
    DeviceUnknown "device-unknown" FORBIDDEN "The device isn't known";
    /// A copy of the device's store has spoken.
    DeviceStopped "device-stopped" FORBIDDEN "The device was stopped";
    /// The sign-in is too old for what is asked.
    SignInAgain "sign-in-again" UNAUTHORIZED "Sign in again for this";
    /// Asked and refused.
    AskRefused "ask-refused" CONFLICT "The ask was refused";
    /// The bytes aren't what they are said to be.
    PhotoRefused "photo-refused" UNPROCESSABLE_ENTITY "The photo was refused";
    /// May not, or there is none: answered alike.
    NotFound "not-found" NOT_FOUND "There is nothing here for you";
    /// The role may not do this.
    Forbidden "forbidden" FORBIDDEN "Your role may not do this";
    /// The method isn't one of the endpoint's.
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "This can't be done here";
    /// What was to be made is there already, with other content.
    Conflict "conflict" CONFLICT "It is there already";
    /// The body is larger than its bound.
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The request is too large";
    /// The body is of a kind the endpoint doesn't read.
    WrongContentType "wrong-content-type" UNSUPPORTED_MEDIA_TYPE "The request is of the wrong content type";
    /// Too often or too much: the same request is welcome later.
    Later "later" TOO_MANY_REQUESTS "Later";
    /// It took too long.
    Timeout "timeout" SERVICE_UNAVAILABLE "It took too long";
    /// It came past the proxy that speaks TLS.
    NotFromProxy "not-from-proxy" FORBIDDEN "The request didn't come through the proxy";
    /// The disk is full.
    DiskFull "disk-full" INSUFFICIENT_STORAGE "The server's disk is full";
    /// The server can't take requests now.
    NotReady "not-ready" SERVICE_UNAVAILABLE "The server isn't ready";
    /// Anything else: whole in the log, opaque outside.
    Internal "internal" INTERNAL_SERVER_ERROR "The server failed";
}

/// What a request is answered with when it isn't done. Nothing was half-done.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    more: Map<String, Value>,
    retry_after: Option<u64>,
    /// What only the log is told.
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem; `detail` says what to do, and holds nothing personal.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), more: Map::new(), retry_after: None, cause: None }
    }

    /// A failure of ours.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "This is the server's fault, not yours. Try again; if it stays, give its operator the reference.";
        Self { cause: Some(cause.into()), ..Self::new(ProblemKind::Internal, detail) }
    }

    /// Welcome again in `seconds`.
    pub fn later(seconds: u64, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(ProblemKind::Later, detail) }.with("retry_after", seconds)
    }

    /// Welcome again when the next day (UTC) begins.
    pub fn tomorrow(now: Timestamp, detail: impl Into<String>) -> Self {
        const DAY: i64 = 24 * 60 * 60;
        Self::later((DAY - now.millis().div_euclid(1000).rem_euclid(DAY)).unsigned_abs(), detail)
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.more.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Which kind.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        if let Some(cause) = self.cause.take() {
            // A reference ties what the client was told to the line in the log.
            let reference = REQUEST.try_with(Clone::clone).unwrap_or_else(|_| "none".to_owned());
            tracing::error!(request = reference, cause = %cause, chain = ?cause, "a request failed");
            self.more.insert("reference".to_owned(), Value::String(reference));
        }
        let mut body = Map::new();
        body.insert("type".to_owned(), self.kind.type_uri().into());
        body.insert("title".to_owned(), self.kind.title().into());
        body.insert("status".to_owned(), self.kind.status().as_u16().into());
        body.insert("detail".to_owned(), self.detail.into());
        body.append(&mut self.more);
        let body = Value::Object(body).to_string();
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::DiskFull => Self::new(
                ProblemKind::DiskFull,
                "Nothing was stored. Keep what you have; it can be sent again once the operator has made room.",
            ),
            StorageError::Taken(what) => Self::new(ProblemKind::Conflict, format!("{what} is taken already")),
            StorageError::Seal(SealError::TooLarge(most)) => {
                Self::new(ProblemKind::TooLarge, format!("at most {most} bytes")).with("most", most)
            }
            StorageError::Seal(SealError::Erased) => Self::new(ProblemKind::NotFound, "It was erased."),
            other => Self::internal(other),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            // Whoever counts a device's day answers for it push by push; this is for whoever forgets to.
            CommitError::DayFull => Self::later(3600, "This device has sent as much as it may in a day."),
            CommitError::Moved => {
                Self::later(1, "Others are writing in the same place. Nothing was stored; try again.")
            }
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::OtherBytes { named, found } => {
                Self::new(ProblemKind::BadValue, "The bytes aren't those the hash names; send the photo again.")
                    .with("named", named)
                    .with("found", found)
            }
            BlobError::Storage(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<CodeRefused> for Problem {
    fn from(error: CodeRefused) -> Self {
        // Which of them it is helps only who guesses codes, but for the two that happen to honest people.
        let detail = match error {
            CodeRefused::Expired => "The code has expired; ask for a new one.",
            CodeRefused::Used => "The code was used already; ask for a new one.",
            CodeRefused::Unknown | CodeRefused::Disabled => "The code is not good here; ask for a new one.",
        };
        Self::new(ProblemKind::CodeRefused, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(problem: Problem) -> (Response, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap();
        (Response::from_parts(parts, axum::body::Body::empty()), json)
    }

    #[tokio::test]
    async fn a_problem_says_its_type_status_and_what_to_do() {
        let (response, body) = shown(Problem::later(7, "Wait.").with("case", "x")).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(body["type"], "urn:grabrail:problem:later");
        assert_eq!((&body["title"], &body["detail"]), (&"Later".into(), &"Wait.".into()));
        assert_eq!((&body["status"], &body["retry_after"], &body["case"]), (&429.into(), &7.into(), &"x".into()));
    }

    #[tokio::test]
    async fn what_failed_inside_is_never_told_outside() {
        let failed = REQUEST.scope("0123".to_owned(), shown(StorageError::Damaged("accounts").into()));
        let (_, body) = failed.await;
        assert_eq!(body["type"], "urn:grabrail:problem:internal");
        assert_eq!(body["reference"], "0123");
        assert!(!body.to_string().contains("accounts"));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
        assert!(ProblemKind::ALL.iter().all(|kind| kind.status().as_u16() >= 400));
    }
}
