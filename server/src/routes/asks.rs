//! `POST /v1/asks`: what a person signed in asks the server to decide.

use axum::extract::State;
use serde::Deserialize;
use sync_core::clock::Stamp;
use sync_core::id::{AskId, CaseId};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::{Ask, Request, Verdict};

use super::Json;
use super::problems::problems;
use super::schemas::asks as schemas;
use crate::app::App;
use crate::asks::{Asking, Reading};
use crate::auth::SignedIn;
use crate::error::{Problem, ProblemKind};
use crate::reach::Directory;
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::CommitError;

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
