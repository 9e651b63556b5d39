//! `POST /v1/asks`: what a person signed in asks the server to decide. `GET /v1/asks`: what supervisors are told of.

use axum::extract::{RawQuery, State};
use serde::{Deserialize, Serialize};
use sync_core::clock::Stamp;
use sync_core::id::{AskId, CaseId};
use sync_core::protocol::ask::{Answer, MOST_GROUNDS_CHARACTERS};
use sync_core::protocol::{Ask, Request, Verdict};
use utoipa::ToSchema;

use super::Json;
use super::problems::problems;
use super::schemas::{asks as schemas, words};
use crate::app::App;
use crate::asks::{Asking, Reading};
use crate::audit;
use crate::auth::SignedIn;
use crate::error::{Problem, ProblemKind};
use crate::reach::Directory;
use crate::storage::audit::{Act, By};
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::{AskRow, CommitError, Ledger as _};

/// How old a sign-in may be for what only a person freshly signed in may do.
const FRESH_MILLIS: i64 = 15 * 60 * 1000;

/// An ask as it is posted.
#[derive(Debug, Deserialize)]
pub(super) struct AskBody {
    /// An id of the asker's making; the same id twice is one ask.
    id: AskId,
    /// The case.
    case: CaseId,
    /// What is asked: `"ask": "sign_off"` and its particulars.
    #[serde(flatten)]
    request: Request,
}

problems!(AskProblems = SIGNED_IN READS_JSON WRITES, SignInAgain, AskRefused, Later);

/// Ask.
///
/// The answer is the verdict; a refusal is a problem of the kind `ask-refused` with the verdict in `verdict`.
#[utoipa::path(post, path = "/v1/asks", tag = "asks", security(("person" = [])),
    request_body = schemas::Ask, responses(
    (status = 200, description = "Granted", body = schemas::Verdict),
    AskProblems,
))]
pub(super) async fn ask(
    State(app): State<App>,
    who: SignedIn,
    Json(body): Json<AskBody>,
) -> Result<Json<Verdict>, Problem> {
    let now = app.clock.now();
    if body.request.online_only() && now.millis().saturating_sub(who.authenticated_at.millis()) > FRESH_MILLIS {
        return Err(Problem::new(ProblemKind::SignInAgain, "This needs a sign-in of the last quarter of an hour."));
    }
    let directory = Directory::read(&app.storage).await?;
    let person = directory
        .person(who.account)
        .ok_or_else(|| Problem::new(ProblemKind::SessionEnded, "Sign in again at POST /v1/sessions."))?;
    let authority = app.storage.authority(&app.config.authority).await?;
    let signer = app.keys.signer(KeyPurpose::Signoff).await?;
    let ledger = app.storage.ledger();
    let asking = Asking {
        ledger: &ledger,
        directory: &directory,
        person,
        now,
        server: app.keys.server(),
        authority: &authority.name,
        chance: app.chance.clone(),
        signer: Some(&signer),
        hcpc_days: app.config.limits.hcpc_days,
        break_glass_hours: app.config.limits.break_glass_hours,
        delegation: &app.config.delegation,
        device: None,
    };
    let at = Stamp { claimed: now, elapsed: 0, offset: Some(0) };
    let ask = Ask { id: body.id, at, case: body.case, request: body.request };
    let verdict = match asking.decide(&ask, &mut Reading::new(app.documents.clone())).await {
        Err(CommitError::DayFull) => {
            let detail =
                "You have asked as much as anybody may in a day (UTC). Nothing was decided; ask again tomorrow.";
            return Err(Problem::tomorrow(now, detail));
        }
        decided => decided?,
    };
    match &verdict.answer {
        Answer::Granted => Ok(Json(verdict)),
        Answer::Refused(refusal) => {
            Err(Problem::new(ProblemKind::AskRefused, refusal.to_string()).with("verdict", &verdict))
        }
    }
}

/// An ask that supervisors are told of.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Told {
    /// Its id.
    #[schema(value_type = words::AskId)]
    ask: String,
    /// The case.
    #[schema(value_type = words::CaseId)]
    case: String,
    /// Who asked.
    #[schema(value_type = words::AccountId)]
    account: String,
    /// Their name.
    name: String,
    /// When it was decided.
    #[schema(value_type = words::Timestamp)]
    at: String,
    /// What: `break_glass`, `take_over`, or anything that was asked too late.
    request: String,
    /// Why, in the words of whoever asked, where the ask takes any.
    reason: Option<String>,
    /// Why it was refused, in words; null: it was granted.
    refused: Option<String>,
}

/// The most lines in one answer.
const MOST_TOLD: usize = 100;

problems!(ToldProblems = SIGNED_IN, Forbidden, BadValue, Later);

/// What supervisors are told of: who stood in for others, and what was asked too late to be decided.
///
/// At most 100 of it, newest first. Older ones come with `?before=` and the `ask` of the last line.
#[utoipa::path(get, path = "/v1/asks", tag = "asks", security(("person" = [])),
    params(("before" = Option<words::AskId>, Query, description = "Only what was decided before this")),
    responses(
    (status = 200, description = "The asks, newest first, at most 100", body = Vec<Told>),
    ToldProblems,
))]
pub(super) async fn told(
    State(app): State<App>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Told>>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    if !directory.person(who.account).is_some_and(|person| person.supervises()) {
        return Err(Problem::new(ProblemKind::Forbidden, "This is for the council's supervisors."));
    }
    let before = query.as_deref().unwrap_or_default().split('&').find_map(|part| part.strip_prefix("before="));
    let before = before
        .map(str::parse::<AskId>)
        .transpose()
        .map_err(|_| Problem::new(ProblemKind::BadValue, "`before` is the `ask` of a line of this list."))?;
    let rows = app.storage.ledger().told(before, MOST_TOLD).await?;
    let lines = rows.into_iter().map(|row: AskRow| {
        let asked = minicbor::decode::<Ask>(&row.bytes).ok().map(|ask| ask.request);
        Told {
            ask: row.ask.to_string(),
            case: row.case.to_string(),
            account: row.account.to_string(),
            name: directory.name(row.account),
            at: row.verdict.at.to_string(),
            request: asked.as_ref().map_or("unreadable", Request::name).to_owned(),
            // What was refused before anybody looked at it may be longer than any reason is.
            reason: asked
                .as_ref()
                .and_then(Request::reason)
                .map(|reason| reason.chars().take(MOST_GROUNDS_CHARACTERS).collect()),
            refused: match row.verdict.answer {
                Answer::Granted => None,
                Answer::Refused(refusal) => Some(refusal.to_string()),
            },
        }
    });
    let lines = Ok(Json(lines.collect()));
    audit::shown(&app, By::person(who.account, app.clock.now()), (None, None), Act::Read { photo: None }, lines).await
}
