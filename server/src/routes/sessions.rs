//! `POST /v1/sessions`, `POST /v1/sessions/refresh`, `DELETE /v1/sessions/current`: people sign in and out.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Json;
use super::problems::problems;
use super::schemas::words;
use crate::app::App;
use crate::auth::{self, ClientAddress, Granted, SignedIn};
use crate::error::Problem;

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInRequest {
    /// What they sign in as.
    sign_in: String,
    /// Their password.
    password: String,
}

/// The refresh text of the last answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    /// Good once.
    refresh: String,
}

/// A token for the API, and what to get the next one with.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionReply {
    /// The session's id.
    #[schema(value_type = words::SessionId)]
    session: String,
    /// Goes into `Authorization: Bearer …`.
    access: String,
    /// The token is not good from then on (RFC 3339).
    #[schema(value_type = words::Timestamp)]
    access_expires_at: String,
    /// Gets the next token, once.
    refresh: String,
    /// The session ends then.
    #[schema(value_type = words::Timestamp)]
    session_expires_at: String,
}

impl From<Granted> for SessionReply {
    fn from(granted: Granted) -> Self {
        Self {
            session: granted.session.id.to_string(),
            access: granted.access.token,
            access_expires_at: granted.access.expires_at.to_string(),
            refresh: granted.refresh,
            session_expires_at: granted.session.expires_at.to_string(),
        }
    }
}

problems!(SignInProblems = READS_JSON WRITES, SignInRefused, Later);

/// Sign in.
///
/// Takes no bearer: name and password make one.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = SignInRequest, responses(
    (status = 201, description = "Signed in", body = SessionReply),
    SignInProblems,
))]
pub(super) async fn sign_in(
    State(app): State<App>,
    from: ClientAddress,
    Json(request): Json<SignInRequest>,
) -> Result<(StatusCode, Json<SessionReply>), Problem> {
    let granted = auth::sign_in(&app, &request.sign_in, &request.password, from).await?;
    Ok((StatusCode::CREATED, Json(granted.into())))
}

problems!(RefreshProblems = READS_JSON WRITES, SessionEnded);

/// Get the next token.
///
/// Takes no bearer, which may have expired. A refresh text is good once; used twice, it ends the session.
#[utoipa::path(post, path = "/v1/sessions/refresh", tag = "sessions", request_body = RefreshRequest, responses(
    (status = 200, description = "The next token", body = SessionReply),
    RefreshProblems,
))]
pub(super) async fn refresh(
    State(app): State<App>,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<SessionReply>, Problem> {
    Ok(Json(auth::refresh(&app, &request.refresh).await?.into()))
}

problems!(SignOutProblems = SIGNED_IN WRITES);

/// Sign out.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", security(("person" = [])), responses(
    (status = 204, description = "Signed out"),
    SignOutProblems,
))]
pub(super) async fn sign_out(State(app): State<App>, who: SignedIn) -> Result<StatusCode, Problem> {
    app.storage.end_session(who.session).await?;
    Ok(StatusCode::NO_CONTENT)
}
