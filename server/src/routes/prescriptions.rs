//! Prescriptions for signers, and signed versions as evidence.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::{Value, json};
use sync_core::access::Action;
use sync_core::access::delegation::Needed;
use sync_core::domain::finding;
use sync_core::domain::signed::{Content, Evidence};
use sync_core::domain::signoff::State as Working;
use sync_core::domain::specification;
use sync_core::id::{AccountId, DocumentId, Hash, Heads};
use utoipa::ToSchema;

use super::Json;
use super::problems::problems;
use super::schemas::{evidence as evidence_schemas, findings as schemas, words};
use crate::app::App;
use crate::asks::{Reading, Signing};
use crate::audit;
use crate::auth::SignedIn;
use crate::differences;
use crate::error::{Problem, ProblemKind};
use crate::reach::{Directory, Person, Reach};
use crate::storage::StorageError;
use crate::storage::audit::{Act, By};
use crate::storage::ledger::{DocumentRow, Ledger};
use crate::storage::looks::{Look, Looks};

fn nothing() -> Problem {
    Problem::new(ProblemKind::NotFound, "There is no such prescription here, or it is not yours to see.")
}

/// One submission that waits for a signer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Waiting {
    /// The prescription.
    #[schema(value_type = words::DocumentId)]
    document: String,
    /// The case.
    #[schema(value_type = words::CaseId)]
    case: String,
    /// Who submitted it.
    submitted_by: Option<String>,
    /// When.
    #[schema(value_type = Option<words::Timestamp>)]
    submitted_at: Option<String>,
    /// The version to look at and to name when deciding.
    #[schema(value_type = words::Heads)]
    heads: Vec<String>,
    /// The names of those who have signed it so far, as it is submitted now; none where `needs` is none.
    signed_by: Option<Vec<String>>,
    /// What signing it takes; none where the queue is so long that only the prescription itself tells.
    #[schema(value_type = Option<schemas::Needed>)]
    needs: Option<Needed>,
}

problems!(QueueProblems = SIGNED_IN, Forbidden, NotFound, Later);

/// Prescriptions that wait for a signer, oldest first.
#[utoipa::path(get, path = "/v1/prescriptions", tag = "prescriptions", security(("person" = [])),
    responses(
    (status = 200, description = "The queue", body = Vec<Waiting>),
    QueueProblems,
))]
pub(super) async fn queue(State(app): State<App>, who: SignedIn) -> Result<Json<Vec<Waiting>>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account).ok_or_else(nothing)?;
    if !person.supervises() {
        return Err(Problem::new(ProblemKind::Forbidden, "The queue is for the council's signers."));
    }
    let ledger = app.storage.ledger();
    let signing = Signing { directory: &directory, delegation: &app.config.delegation };
    let mut reading = Reading::new(app.documents.clone());
    let mut lines = Vec::new();
    for row in ledger.submitted().await? {
        // A submission that waits for photos is invisible to signers.
        let Some(heads) = row.state.submitted() else { continue };
        let heads = heads.iter().map(ToString::to_string).collect();
        let so_far = signing.of_line(&ledger, &row, &mut reading).await?;
        let given = so_far.iter().flat_map(|so_far| &so_far.given);
        lines.push(Waiting {
            document: row.document.to_string(),
            case: row.case.to_string(),
            submitted_by: row.submitted.map(|(by, _)| directory.name(by)),
            submitted_at: row.submitted.map(|(_, at)| at.to_string()),
            heads,
            signed_by: so_far.as_ref().map(|_| given.map(|signed| directory.name(signed.account)).collect()),
            needs: so_far.map(|so_far| so_far.needed),
        });
    }
    let by = By::person(who.account, app.clock.now());
    audit::shown(&app, by, (None, None), Act::Read { photo: None }, Ok(Json(lines))).await
}

async fn reached(app: &App, person: &Person, document: DocumentId) -> Result<(DocumentRow, Reach), Problem> {
    let ledger = app.storage.ledger();
    let row = ledger.document(document).await?.ok_or_else(nothing)?;
    let reach = Reach::read(&ledger, person, row.case, app.clock.now()).await?;
    Ok((row, reach))
}

problems!(ShowProblems = SIGNED_IN, NotFound, Later);

/// One prescription as it was submitted (or, if it is not, as it stands), with what there is to look at.
#[utoipa::path(get, path = "/v1/prescriptions/{document}", tag = "prescriptions",
    security(("person" = [])), params(("document" = words::DocumentId, Path, description = "The prescription")), responses(
    (status = 200, description = "The prescription", body = schemas::Prescription),
    ShowProblems,
))]
pub(super) async fn show(
    State(app): State<App>,
    who: SignedIn,
    Path(document): Path<String>,
) -> Result<Json<Value>, Problem> {
    let document: DocumentId = document.parse().map_err(|_| nothing())?;
    let told = told(&app, &who, document).await;
    shown(&app, &who, document, Act::Read { photo: None }, told).await
}

/// What is shown of a document, and what is not, is logged with its case.
async fn shown<T>(
    app: &App,
    who: &SignedIn,
    document: DocumentId,
    act: Act,
    answer: Result<T, Problem>,
) -> Result<T, Problem> {
    let case = app.storage.ledger().document(document).await?.map(|row| row.case);
    audit::shown(app, By::person(who.account, app.clock.now()), (case, Some(document)), act, answer).await
}

async fn told(app: &App, who: &SignedIn, document: DocumentId) -> Result<Json<Value>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account).ok_or_else(nothing)?;
    let (row, reach) = reached(app, person, document).await?;
    if !reach.may(&row, Action::Read) {
        return Err(nothing());
    }
    let ledger = app.storage.ledger();
    let prescription = ledger.prescription(row.document).await?.ok_or_else(nothing)?;
    if reach.may(&row, Action::Decide) && matches!(prescription.state, Working::AwaitingPhotos { .. }) {
        return Err(nothing());
    }
    let mut reading = Reading::new(app.documents.clone());
    let mut looked_at = prescription.state.submitted().cloned().unwrap_or_else(|| row.heads.clone());
    let judged = match reading.judged(&ledger, &row, &looked_at).await? {
        Some(judged) => judged,
        None => {
            looked_at.clone_from(&row.heads);
            reading.judged(&ledger, &row, &looked_at).await?.ok_or_else(nothing)?
        }
    };
    let rows = ledger.documents_of(&[row.case]).await?;
    let readable = rows.iter().filter(|row| reach.may(row, Action::Read)).map(|row| row.document);
    let readable: BTreeSet<DocumentId> = readable.collect();
    let (id, basis) = (row.document, judged.basis);
    let submitted_by = prescription.submitted.map(|(by, _)| directory.name(by));
    let signing = Signing { directory: &directory, delegation: &app.config.delegation };
    let so_far = signing.so_far(&ledger, (&row, &prescription), &judged, &mut reading).await?;
    let signed_by: Vec<Value> = so_far
        .given
        .iter()
        .map(|signed| {
            json!({ "name": directory.name(signed.account), "at": signed.at, "grounds": signed.grounds,
                    "conditions": signed.conditions })
        })
        .collect();
    let told = app.documents.work(move || {
        let mut behind = judged.behind.clone();
        behind.retain(|document, _| readable.contains(document));
        let contents = specification::contents(&judged.view, &behind, &|account| directory.name(account));
        (contents, finding::of_prescription(id, &judged.view, &behind, None))
    });
    let (contents, findings) = told.await?;
    let since = match reach.may(&row, Action::Decide) {
        true => since(app, (&row, who.account), &looked_at, basis, &contents).await?,
        false => None,
    };
    let fields: serde_json::Map<String, Value> =
        contents.into_iter().map(|(path, content)| (path, json!(content))).collect();
    let signed = ledger.signed(row.document).await?;
    let versions: Vec<Value> = signed
        .iter()
        .map(|signed| json!({ "number": signed.number, "standing": signed.standing, "at": signed.signed.header.at }))
        .collect();
    Ok(Json(json!({
        "document": row.document,
        "case": row.case,
        "state": prescription.state,
        "heads": looked_at,
        "basis": basis,
        "submitted_by": submitted_by,
        "signed_by": signed_by,
        "needs": so_far.needed,
        "fields": fields,
        "findings": findings.iter().map(|finding| json!({
            "words": finding.to_string(), "blocks": finding.blocks(), "what": finding.what, "item": finding.item,
        })).collect::<Vec<_>>(),
        "versions": versions,
        "since": since,
    })))
}

/// What is different from what a signer was shown before, and keeps what they are shown now.
async fn since(
    app: &App,
    (row, account): (&DocumentRow, AccountId),
    heads: &Heads,
    basis: Hash,
    contents: &[(String, Content)],
) -> Result<Option<Value>, Problem> {
    let known = app.storage.looks(row.document, account).await?;
    let (version, known) = known.map_or((0, None), |(version, looks)| (version, Some(looks)));
    let look = Look { at: app.clock.now(), heads: heads.clone(), basis, contents: contents.to_vec() };
    let looks = Looks::with(known.clone(), look);
    if known.as_ref() != Some(&looks) {
        match app.storage.keep_looks((row.document, row.case, account), version, &looks).await {
            // What is here is shown all the same.
            Ok(()) | Err(StorageError::DiskFull) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Looks { last, before: Some(before) } = looks else { return Ok(None) };
    let (at, then) = (before.at, before.heads.clone());
    let changes = app.documents.work(move || differences::between(&before.contents, &last.contents)).await?;
    Ok(Some(json!({ "at": at, "heads": then, "changes": changes })))
}

/// A signed version as an evidence pack; for Housing without the justification, and only while it stands.
#[utoipa::path(get, path = "/v1/prescriptions/{document}/versions/{number}", tag = "prescriptions",
    security(("person" = [])), params(
        ("document" = words::DocumentId, Path, description = "The prescription"),
        ("number" = u32, Path, description = "Which signed version, from 1"),
    ), responses(
    (status = 200, description = "The evidence pack; check it with `grabrail verify`", body = evidence_schemas::Evidence),
    ShowProblems,
))]
pub(super) async fn evidence(
    State(app): State<App>,
    who: SignedIn,
    Path((document, number)): Path<(String, String)>,
) -> Result<Json<Evidence>, Problem> {
    let number: u32 = number.parse().map_err(|_| nothing())?;
    let document: DocumentId = document.parse().map_err(|_| nothing())?;
    let copy = copy(&app, &who, document, number).await;
    shown(&app, &who, document, Act::Exported { number }, copy).await
}

async fn copy(app: &App, who: &SignedIn, document: DocumentId, number: u32) -> Result<Json<Evidence>, Problem> {
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(who.account).ok_or_else(nothing)?;
    let (row, reach) = reached(app, person, document).await?;
    let signed = app.storage.ledger().signed(row.document).await?;
    let signed = signed.into_iter().find(|signed| signed.number == number).ok_or_else(nothing)?;
    if !reach.may(&row, Action::Read) && !reach.may(&row, Action::ReadProjection) {
        return Err(nothing());
    }
    let copy = signed.shown_to(person.role.lane()).ok_or_else(nothing)?;
    Ok(Json(Evidence::of(copy)))
}
