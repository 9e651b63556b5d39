//! JSON in and out, its refusals as problems.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::schemas::asks::Verdict;
use crate::app::App;
use crate::error::{Problem, ProblemKind};

/// A body of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    match rejection {
        // serde names the field and what it should be; it may quote the value, which is the sender's own.
        JsonRejection::JsonDataError(error) => Problem::new(ProblemKind::BadValue, error.body_text()),
        JsonRejection::JsonSyntaxError(_) => Problem::new(ProblemKind::BadRequest, "The body is not JSON."),
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new(ProblemKind::WrongContentType, "Send `Content-Type: application/json`.")
        }
        other if other.status() == ProblemKind::TooLarge.status() => {
            Problem::new(ProblemKind::TooLarge, "The body is larger than this endpoint takes.")
        }
        _ => Problem::new(ProblemKind::BadRequest, "The body could not be read to its end."),
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A problem (RFC 9457): what was not done, and what to do. Nothing was half-done.
#[derive(Debug, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "it only describes what `Problem` writes")]
pub(super) struct ProblemBody {
    /// `urn:grabrail:problem:` and the kind's name.
    #[schema(example = "urn:grabrail:problem:token-expired")]
    r#type: String,
    /// What it is, the same every time.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What to do.
    detail: String,
    /// Of `later`: seconds until it is welcome, as in `Retry-After`.
    retry_after: Option<u64>,
    /// Of `ask-refused`: the verdict.
    verdict: Option<Verdict>,
    /// Of `internal`: ties what you were told to a line of the server's log.
    reference: Option<String>,
    /// Of `too-large`, where it is known: the bound, in bytes.
    most: Option<usize>,
}
