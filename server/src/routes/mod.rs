//! The whole API on one screen.

mod asks;
mod cases;
mod devices;
mod edge;
mod figures;
mod health;
mod json;
mod openapi;
mod photos;
mod prescriptions;
mod problems;
mod schemas;
mod sessions;
mod sync;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::json::Json;
use crate::app::App;

/// Largest body of an endpoint that doesn't say otherwise, in bytes.
const BODY: usize = 64 * 1024;

/// Every endpoint there is, each told of in `/openapi.json`.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::About::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(devices::enrol))
        .routes(routes!(sync::settle))
        .routes(routes!(photos::put, photos::get))
        .routes(routes!(asks::ask, asks::told))
        .routes(routes!(cases::list))
        .routes(routes!(cases::show))
        .routes(routes!(cases::referred))
        .routes(routes!(cases::quarantine))
        .routes(routes!(prescriptions::queue))
        .routes(routes!(prescriptions::show))
        .routes(routes!(prescriptions::evidence))
        .routes(routes!(figures::figures))
        .routes(routes!(openapi::show))
}

/// The router and what stands around every request.
pub fn router(app: App) -> Router {
    within_bounds(Router::from(endpoints()), app)
}

/// What no request gets past: the bounds on its body and its time, and that only it fails when its handler panics.
fn within_bounds(router: Router<App>, app: App) -> Router {
    router
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
