//! Cases and who has to do with them: opened, allocated, commissioned, assigned, ended.

mod import;

use sync_core::access::{Relation, Role};
use sync_core::clock::Timestamp;
use sync_core::domain::kind::Kind;
use sync_core::id::{AccountId, CaseId, CommissionId, DocumentId, OrganisationId};
use sync_core::protocol::card::CaseState;

use crate::app::App;
use crate::storage::StorageError;
use crate::storage::accounts::{Account, SignInName};
use crate::storage::audit::By;
use crate::storage::ledger::{
    CaseRow, CommissionRow, CommitError, Counted, DocumentRow, Ledger, Plan, RelationRow, Write,
};

pub use self::import::{Imported, Particulars, RowError, import};

/// How often a decision is made anew because a row moved.
const TRIES: usize = 8;

/// Why a case was not opened or nobody was tied to it.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// No such case, by id or reference.
    #[error("there is no case {0:?}")]
    NoCase(String),
    /// No such account.
    #[error("there is no account {0:?}")]
    NoAccount(String),
    /// The role can't have this relation.
    #[error("a {role} can't be {relation} to a case; it takes {wanted}", relation = relation.name())]
    Role {
        /// The account's role.
        role: Role,
        /// The relation.
        relation: Relation,
        /// Which roles can.
        wanted: &'static str,
    },
    /// There is no such relation to end.
    #[error("there is nothing to end: they are not {} to this case", .0.name())]
    NotRelated(Relation),
    /// It would end before it begins.
    #[error("it would end ({ends}) before it begins ({starts})")]
    Backwards {
        /// When it begins.
        starts: Timestamp,
        /// When it would end.
        ends: Timestamp,
    },
    /// They are commissioned already, and one of the two commissions has yet to begin.
    #[error("they have a commission until {0}, and one of the two has yet to begin: end that one first")]
    Commissioned(Timestamp),
    /// The store failed, or others wrote at the same time.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<StorageError> for CaseError {
    fn from(error: StorageError) -> Self {
        Self::Commit(error.into())
    }
}

/// Finds a case by its id or by its reference.
///
/// # Errors
/// [`CaseError::NoCase`].
pub async fn find(app: &App, text: &str) -> Result<CaseRow, CaseError> {
    let ledger = app.storage.ledger();
    let by_id = match text.parse::<CaseId>() {
        Ok(case) => ledger.case(case).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(case) => Some(case),
        None => ledger.case_by_reference(text).await?,
    };
    found.ok_or_else(|| CaseError::NoCase(text.to_owned()))
}

/// Finds an account by its sign-in name.
///
/// # Errors
/// [`CaseError::NoAccount`].
pub async fn someone(app: &App, sign_in: &str) -> Result<Account, CaseError> {
    let missing = || CaseError::NoAccount(sign_in.to_owned());
    let name: SignInName = sign_in.parse().map_err(|_| missing())?;
    app.storage.account_named(&name).await?.ok_or_else(missing)
}

/// What opens a case with its planned documents: the home and the council's own assessment.
fn opening(app: &App, authority: OrganisationId, particulars: Particulars) -> (CaseId, Vec<Write>) {
    let mut chance = app.chance.clone();
    let case = CaseId::mint(&mut chance);
    let document = |kind: Kind, document: DocumentId| Write::Document(planned(case, kind, document, None));
    let writes = vec![
        Write::Case(CaseRow {
            case,
            reference: particulars.reference,
            organisation: authority,
            state: CaseState::Open,
            name: particulars.name,
            address: particulars.address,
            contact: particulars.contact,
            visitor_risk: particulars.visitor_risk,
            uprn: particulars.uprn,
            born: particulars.born,
            nhs_number: particulars.nhs_number,
            opened_by: None,
            created: app.clock.now(),
            released: None,
            version: 0,
        }),
        document(Kind::Home, DocumentId::mint(&mut chance)),
        document(Kind::Clinical, DocumentId::mint(&mut chance)),
    ];
    (case, writes)
}

fn planned(case: CaseId, kind: Kind, document: DocumentId, commission: Option<CommissionId>) -> DocumentRow {
    let heads = vec![kind.skeleton_hash()];
    DocumentRow { document, case, kind, commission, about: None, authors: Vec::new(), version: 0, heads }
}

/// Whom a case is allocated to, in words.
const ALLOCATED: &str = "an OT, OT assistant or supervisor";

/// Whether a case can be allocated to this role.
const fn allocatable(role: Role) -> bool {
    matches!(role, Role::Ot | Role::OtAssistant | Role::SeniorOt | Role::PrincipalOt)
}

/// Ties somebody to a case from now on.
///
/// # Errors
/// [`CaseError::Role`] when their role can't be tied so.
pub async fn relate(app: &App, case: CaseId, account: &Account, relation: Relation) -> Result<(), CaseError> {
    let (fits, wanted) = match relation {
        Relation::Allocated | Relation::Team | Relation::Duty | Relation::BreakGlass => {
            (allocatable(account.role), ALLOCATED)
        }
        Relation::Assigned => {
            (matches!(account.role, Role::Surveyor | Role::GrantsOfficer), "a surveyor or grants officer")
        }
        Relation::Commissioned => (false, "a private OT, by a commission"),
    };
    if !fits {
        return Err(CaseError::Role { role: account.role, relation, wanted });
    }
    let starts = app.clock.now();
    let row = RelationRow { account: account.id, case, relation, commission: None, starts, ends: None };
    let by = By::console(starts);
    app.storage.ledger().commit(Plan { by, writes: vec![Write::Relation(row)] }).await?;
    Ok(())
}

/// Ends somebody's tie to a case now, begun or not; their devices hear of it at their next contact.
///
/// # Errors
/// [`CaseError::NotRelated`].
pub async fn end(app: &App, case: CaseId, account: AccountId, relation: Relation) -> Result<(), CaseError> {
    let ledger = app.storage.ledger();
    let now = app.clock.now();
    for _ in 0..TRIES {
        // The case before who is tied to it: a change in between is noticed when this is written.
        let stands =
            ledger.case(case).await?.map(|row| Write::Expect { of: Counted::Case(case), version: row.version });
        let relations = ledger.relations_to(&[case]).await?;
        let found =
            relations.into_iter().find(|row| row.account == account && row.relation == relation && !row.over(now));
        let Some(row) = found else { return Err(CaseError::NotRelated(relation)) };
        let mut writes: Vec<Write> = stands.into_iter().collect();
        if let Some(commission) = row.commission
            && let Some(commission) = ledger.commission(commission).await?
        {
            writes.push(Write::Commission(CommissionRow { ends: now, ..commission }));
        }
        writes.push(Write::Relation(RelationRow { ends: Some(now), ..row }));
        match ledger.commit(Plan { by: By::console(now), writes }).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Moved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CommitError::Moved.into())
}

/// Commissions a private OT to assess a case, with an assessment document of the commission's own: from a moment, or from
/// now, until another.
///
/// # Errors
/// [`CaseError::Role`], [`CaseError::Backwards`] and [`CaseError::Commissioned`].
pub async fn commission(
    app: &App,
    case: CaseId,
    account: &Account,
    (starts, ends): (Option<Timestamp>, Timestamp),
    scope: String,
) -> Result<CommissionId, CaseError> {
    if account.role != Role::PrivateOt {
        let wanted = "a private OT";
        return Err(CaseError::Role { role: account.role, relation: Relation::Commissioned, wanted });
    }
    let now = app.clock.now();
    let starts = starts.unwrap_or(now);
    if ends <= starts {
        return Err(CaseError::Backwards { starts, ends });
    }
    let mut chance = app.chance.clone();
    let commission = CommissionId::mint(&mut chance);
    let assessment = planned(case, Kind::Clinical, DocumentId::mint(&mut chance), Some(commission));
    let writes = [
        Write::Commission(CommissionRow {
            commission,
            case,
            account: account.id,
            organisation: account.organisation,
            starts,
            ends,
            scope,
        }),
        Write::Relation(RelationRow {
            account: account.id,
            case,
            relation: Relation::Commissioned,
            commission: Some(commission),
            starts,
            ends: Some(ends),
        }),
        Write::Document(assessment),
    ];
    let ledger = app.storage.ledger();
    for _ in 0..TRIES {
        // The case before who is tied to it: a change in between is noticed when this is written.
        let stands =
            ledger.case(case).await?.map(|row| Write::Expect { of: Counted::Case(case), version: row.version });
        // There is one row for a person's commission of a case: where one of the two has yet to begin, the new one would
        // take away what the other gives until then.
        let waits = |row: &RelationRow| starts > now || row.starts > now;
        let other = ledger.relations_to(&[case]).await?.into_iter().find(|row| {
            row.account == account.id && row.relation == Relation::Commissioned && !row.over(now) && waits(row)
        });
        if let Some(other) = other {
            return Err(CaseError::Commissioned(other.ends.unwrap_or(ends)));
        }
        let writes = stands.into_iter().chain(writes.iter().cloned()).collect();
        match ledger.commit(Plan { by: By::console(now), writes }).await {
            Ok(_) => return Ok(commission),
            Err(CommitError::Moved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CommitError::Moved.into())
}
