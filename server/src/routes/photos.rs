//! `PUT` and `GET /v1/photos/{case}/{document}/{hash}`: photo bytes, whole.

use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Hash};

use super::edge::{TimeLimit, whole};
use super::problems::problems;
use super::schemas::{bodies, words};
use super::sync::CBOR;
use crate::app::App;
use crate::audit;
use crate::auth::{PhotoBearer, SignedIn};
use crate::error::{Problem, ProblemKind};
use crate::photos;
use crate::reach::Directory;
use crate::storage::audit::{Act, By};
use crate::storage::blobs::BlobName;

type Name = Path<(String, String, String)>;

fn name(Path((case, document, hash)): &Name) -> Result<BlobName, Problem> {
    // What is no id names nothing.
    let none = |_| Problem::new(ProblemKind::NotFound, "There is no such photo here, or it is not yours to see.");
    Ok(BlobName {
        case: case.parse::<CaseId>().map_err(none)?,
        document: document.parse::<DocumentId>().map_err(none)?,
        hash: hash.parse::<Hash>().map_err(none)?,
    })
}

problems!(
    PutProblems = WRITES,
    SignInNeeded,
    TokenRefused,
    TokenExpired,
    NotFound,
    BadRequest,
    TooLarge,
    PhotoRefused,
    Later
);

/// Send a photo that a synced document names.
///
/// The body is the photo, whole; sent twice it is one photo, and the same receipt.
#[utoipa::path(put, path = "/v1/photos/{case}/{document}/{hash}", tag = "photos",
    security(("device" = [])), params(
        ("case" = words::CaseId, Path, description = "The case of the document"),
        ("document" = words::DocumentId, Path, description = "The document that names the photo"),
        ("hash" = words::Hash, Path, description = "SHA-256 of the photo's bytes"),
    ),
    request_body(content = bodies::Photo, content_type = "image/jpeg"), responses(
    (status = 201, description = "Here, fsynced; the body is a signed receipt", body = bodies::PhotoReceipt, content_type = "application/cbor"),
    PutProblems,
))]
pub(super) async fn put(
    State(app): State<App>,
    bearer: PhotoBearer,
    path: Name,
    Extension(limit): Extension<TimeLimit>,
    body: Body,
) -> Result<Response, Problem> {
    let name = name(&path)?;
    let body = limit.stands_still(whole(&app.uploads, body, app.config.limits.photo_bytes)).await?;
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(bearer.account.id).ok_or_else(gone)?;
    let receipts = photos::take(&app, (person, bearer.device.id), name, body).await?;
    let receipts = minicbor::to_vec(&receipts).unwrap_or_default();
    Ok((StatusCode::CREATED, [(header::CONTENT_TYPE, CBOR)], receipts).into_response())
}

/// Who may be given photo bytes: a device by its bearer, or a person signed in.
pub(super) struct Viewer(AccountId, Option<DeviceId>);

impl FromRequestParts<App> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match PhotoBearer::from_request_parts(parts, app).await {
            Ok(bearer) => Ok(Self(bearer.account.id, Some(bearer.device.id))),
            Err(_) => SignedIn::from_request_parts(parts, app).await.map(|signed_in| Self(signed_in.account, None)),
        }
    }
}

problems!(GetProblems = SIGNED_IN, NotFound, Later);

/// Fetch a photo's bytes.
#[utoipa::path(get, path = "/v1/photos/{case}/{document}/{hash}", tag = "photos",
    security(("person" = []), ("device" = [])), params(
        ("case" = words::CaseId, Path, description = "The case of the document"),
        ("document" = words::DocumentId, Path, description = "The document that names the photo"),
        ("hash" = words::Hash, Path, description = "SHA-256 of the photo's bytes"),
    ), responses(
    (status = 200, description = "The photo", body = bodies::Photo, content_type = "image/jpeg"),
    GetProblems,
))]
pub(super) async fn get(State(app): State<App>, viewer: Viewer, path: Name) -> Result<Response, Problem> {
    let name = name(&path)?;
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(viewer.0).ok_or_else(gone)?;
    let bytes = photos::give(&app, &directory, person, name).await;
    let by = By { at: app.clock.now(), account: Some(viewer.0), device: viewer.1 };
    let (of, act) = ((Some(name.case), Some(name.document)), Act::Read { photo: Some(name.hash) });
    let bytes = audit::shown(&app, by, of, act, bytes).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"photo.jpg\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, bytes).into_response())
}

fn gone() -> Problem {
    Problem::new(ProblemKind::TokenRefused, "The account of this token is gone.")
}
