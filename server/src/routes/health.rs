//! `GET /healthz`, `GET /readyz`: for the machine that looks after the server.

use axum::extract::State;
use axum::http::StatusCode;

use super::problems::problems;
use crate::app::App;
use crate::error::{Problem, ProblemKind};
use crate::storage::StorageError;

problems!(HealthProblems =);

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses(
    (status = 204, description = "It runs"),
    HealthProblems,
))]
pub(super) async fn healthz() -> StatusCode {
    StatusCode::NO_CONTENT
}

problems!(ReadyProblems = WRITES, NotReady);

/// Rows can be read and the disk takes writes, or could within the last second.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 204, description = "Requests can be taken"),
    ReadyProblems,
))]
pub(super) async fn readyz(State(app): State<App>) -> Result<StatusCode, Problem> {
    match app.ready.at(app.clock.elapsed(), &app.storage).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(ProblemKind::DiskFull) => Err(StorageError::DiskFull.into()),
        Err(_) => Err(Problem::new(ProblemKind::NotReady, "Storage doesn't answer; the log says why.")),
    }
}
