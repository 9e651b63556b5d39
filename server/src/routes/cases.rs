//! `GET /v1/cases`, `GET /v1/cases/{case}`, `GET /v1/quarantine`: what is going on, as the one who asks may know it.

use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use sync_core::id::{CaseId, QuarantineId};
use sync_core::protocol::CaseCard;
use utoipa::ToSchema;

use super::Json;
use super::problems::problems;
use super::schemas::{cards as schemas, words};
use crate::app::App;
use crate::audit;
use crate::auth::SignedIn;
use crate::cards::{self, CaseRows};
use crate::error::{Problem, ProblemKind};
use crate::reach::{Directory, Reach};
use crate::storage::audit::{Act, By};
use crate::storage::ledger::Ledger;

/// One line of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaseLine {
    /// The case's id.
    #[schema(value_type = words::CaseId)]
    case: String,
    /// The referral's number in the council's own system.
    reference: Option<String>,
    /// The client's name.
    name: String,
    /// Where the home is.
    address: String,
    /// Where it stands.
    #[schema(value_type = schemas::CaseState)]
    state: String,
    /// What ties you to it.
    #[schema(value_type = Vec<words::Relation>)]
    relations: Vec<String>,
}

problems!(ListProblems = SIGNED_IN, Later);

/// The cases you may know of.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", security(("person" = [])), responses(
    (status = 200, description = "The cases", body = Vec<CaseLine>),
    ListProblems,
))]
pub(super) async fn list(State(app): State<App>, who: SignedIn) -> Result<Json<Vec<CaseLine>>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let ledger = app.storage.ledger();
    let mut lines = Vec::new();
    let Some(person) = directory.person(who.account) else { return Ok(Json(lines)) };
    for case in ledger.cases().await? {
        let reach = Reach::read(&ledger, person, case.case, app.clock.now()).await?;
        if reach.may_know() {
            lines.push(CaseLine {
                case: case.case.to_string(),
                reference: case.reference,
                name: case.name,
                address: case.address,
                state: state(case.state),
                relations: reach.names().into_iter().map(|relation| relation.name().to_owned()).collect(),
            });
        }
    }
    let by = By::person(who.account, app.clock.now());
    audit::shown(&app, by, (None, None), Act::Read { photo: None }, Ok(Json(lines))).await
}

fn state(state: sync_core::protocol::card::CaseState) -> String {
    use sync_core::protocol::card::CaseState;
    match state {
        CaseState::Open => "open",
        CaseState::Unmatched => "unmatched",
        CaseState::Closed => "closed",
    }
    .to_owned()
}

problems!(ShowProblems = SIGNED_IN, NotFound, Later);

/// One case, as a device of yours would know it.
#[utoipa::path(get, path = "/v1/cases/{case}", tag = "cases", security(("person" = [])),
    params(("case" = words::CaseId, Path, description = "The case")), responses(
    (status = 200, description = "The case's card", body = schemas::CaseCard),
    ShowProblems,
))]
pub(super) async fn show(
    State(app): State<App>,
    who: SignedIn,
    Path(case): Path<String>,
) -> Result<Json<CaseCard>, Problem> {
    let nothing = || Problem::new(ProblemKind::NotFound, "There is no such case here, or it is not yours to see.");
    let case: CaseId = case.parse().map_err(|_| nothing())?;
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account).ok_or_else(nothing)?;
    let (ledger, now) = (app.storage.ledger(), app.clock.now());
    let card = match CaseRows::read(&ledger, case).await? {
        Some(rows) => cards::card((&ledger, &app.documents), &directory, &rows, person, now).await?,
        None => None,
    };
    let card = card.map(Json).ok_or_else(nothing);
    audit::shown(&app, By::person(who.account, now), (Some(case), None), Act::Read { photo: None }, card).await
}

/// The case of a reference.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Referred {
    /// The case.
    #[schema(value_type = words::CaseId)]
    case: String,
}

/// The case of a reference: for those who may know of it, and those who may break the glass.
#[utoipa::path(get, path = "/v1/references/{reference}", tag = "cases", security(("person" = [])),
    params(("reference" = String, Path, description = "The referral's number in the council's own system")), responses(
    (status = 200, description = "The case's id, and nothing else of it", body = Referred),
    ShowProblems,
))]
pub(super) async fn referred(
    State(app): State<App>,
    who: SignedIn,
    Path(reference): Path<String>,
) -> Result<Json<Referred>, Problem> {
    let nothing = || Problem::new(ProblemKind::NotFound, "There is no such case here, or it is not yours to see.");
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account).ok_or_else(nothing)?;
    let (ledger, now) = (app.storage.ledger(), app.clock.now());
    let case = ledger.case_by_reference(&reference).await?.map(|row| row.case);
    let answer = match case {
        Some(case) => {
            let reach = Reach::read(&ledger, person, case, now).await?;
            let theirs = reach.may_know() || reach.standing().may_break_glass();
            if theirs { Ok(Json(Referred { case: case.to_string() })) } else { Err(nothing()) }
        }
        None => Err(nothing()),
    };
    audit::shown(&app, By::person(who.account, now), (case, None), Act::Read { photo: None }, answer).await
}

/// Something that was set aside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantineLine {
    /// Its id.
    #[schema(value_type = words::QuarantineId)]
    quarantine: String,
    /// The case.
    #[schema(value_type = words::CaseId)]
    case: String,
    /// The document.
    #[schema(value_type = words::DocumentId)]
    document: String,
    /// Whose work it is.
    #[schema(value_type = words::AccountId)]
    account: String,
    /// Their name.
    name: String,
    /// When it came.
    #[schema(value_type = words::Timestamp)]
    at: String,
    /// Why it is here, in words.
    reason: String,
    /// How many changes.
    changes: usize,
}

/// The most lines of quarantine in one answer.
const MOST_ASIDE: usize = 100;

problems!(QuarantineProblems = SIGNED_IN, Forbidden, BadValue, Later);

/// What was refused or came too late, for supervisors.
///
/// At most 100 of it. Older ones come with `?before=` and the `quarantine` of the last line.
#[utoipa::path(get, path = "/v1/quarantine", tag = "cases", security(("person" = [])),
    params(("before" = Option<words::QuarantineId>, Query, description = "Only what was set aside before this")),
    responses(
    (status = 200, description = "What was set aside, newest first, at most 100", body = Vec<QuarantineLine>),
    QuarantineProblems,
))]
pub(super) async fn quarantine(
    State(app): State<App>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<QuarantineLine>>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account);
    if !person.is_some_and(|person| person.supervises()) {
        return Err(Problem::new(ProblemKind::Forbidden, "Quarantine is for the council's supervisors."));
    }
    let before = query.as_deref().unwrap_or_default().split('&').find_map(|part| part.strip_prefix("before="));
    let before = before
        .map(str::parse::<QuarantineId>)
        .transpose()
        .map_err(|_| Problem::new(ProblemKind::BadValue, "`before` is the `quarantine` of a line of this list."))?;
    let rows = app.storage.ledger().set_aside(before, MOST_ASIDE).await?;
    let lines = rows.into_iter().map(|row| QuarantineLine {
        quarantine: row.quarantine.to_string(),
        case: row.case.to_string(),
        document: row.document.to_string(),
        account: row.account.to_string(),
        name: directory.name(row.account),
        at: row.at.to_string(),
        reason: row.reason.to_string(),
        changes: row.changes,
    });
    let (by, lines) = (By::person(who.account, app.clock.now()), Ok(Json(lines.collect())));
    audit::shown(&app, by, (None, None), Act::Read { photo: None }, lines).await
}
