//! `GET /v1/figures`: figures of supervision, as CSV.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sync_core::access::Role;

use super::problems::problems;
use super::schemas::bodies;
use crate::app::App;
use crate::audit;
use crate::auth::SignedIn;
use crate::error::{Problem, ProblemKind};
use crate::figures;
use crate::reach::Directory;
use crate::storage::audit::{Act, By};

problems!(FiguresProblems = SIGNED_IN, Forbidden, Later);

/// What was submitted, withdrawn, returned, rejected and signed off, by month (UTC) and author, and how long it waited.
///
/// For the council's supervisors, and for performance managers. No case and no client is named.
#[utoipa::path(get, path = "/v1/figures", tag = "supervision", security(("person" = [])), responses(
    (status = 200, description = "A header line and a line for each month and author", body = bodies::Figures, content_type = "text/csv"),
    FiguresProblems,
))]
pub(super) async fn figures(State(app): State<App>, who: SignedIn) -> Result<Response, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let may = directory
        .person(who.account)
        .is_some_and(|person| person.supervises() || (person.role == Role::Performance && person.of_council));
    if !may {
        let detail = "Figures are for the council's supervisors and performance managers.";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    let events = figures::events(&app.storage.ledger()).await?;
    let csv = app.documents.work(move || figures::csv(&figures::count(events), &directory)).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"figures.csv\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    let by = By::person(who.account, app.clock.now());
    let csv = audit::shown(&app, by, (None, None), Act::Read { photo: None }, Ok(csv)).await?;
    Ok((headers, csv).into_response())
}
