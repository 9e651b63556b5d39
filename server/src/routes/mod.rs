//! The whole API on one screen.

mod asks;
mod cases;
mod devices;
mod edge;
mod health;
mod json;
mod photos;
mod prescriptions;
mod sessions;
mod sync;

use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::json::{Json, ProblemBody};
use crate::app::App;

/// Largest body of an endpoint that doesn't say otherwise, in bytes.
const BODY: usize = 64 * 1024;

/// What the OpenAPI document says of the whole.
#[derive(Debug, OpenApi)]
#[openapi(info(
    title = "Grabrail",
    description = "Home assessments and prescriptions, recorded offline, merged and supervised."
))]
struct About;

fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(About::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(devices::enrol))
        .routes(routes!(sync::settle))
        .routes(routes!(photos::put, photos::get))
        .routes(routes!(asks::ask))
        .routes(routes!(cases::list))
        .routes(routes!(cases::show))
        .routes(routes!(cases::quarantine))
        .routes(routes!(prescriptions::queue))
        .routes(routes!(prescriptions::show))
        .routes(routes!(prescriptions::evidence))
}

/// The router, its documentation and what stands around every request.
pub fn router(app: App) -> Router {
    let (router, openapi) = endpoints().split_for_parts();
    router
        .route("/openapi.json", get(move || std::future::ready(axum::Json(openapi))))
        .fallback(edge::nothing_here)
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(middleware::from_fn_with_state(app.clone(), edge::time_limit))
        .layer(middleware::from_fn_with_state(app.clone(), edge::around))
        .with_state(app)
}

#[cfg(test)]
mod tests;
