//! Case cards: what one person is told of one case. Each is made anew from rows, by the table, for that person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_core::access::{Action, FieldGroup, Lane};
use sync_core::clock::Timestamp;
use sync_core::domain::document::Document;
use sync_core::domain::signoff::{SignedStanding, State};
use sync_core::domain::specification;
use sync_core::domain::view::View;
use sync_core::id::{AccountId, CaseId, DocumentId};
use sync_core::protocol::card::{
    CaseCard, ClientCard, Completed, DocumentCard, HomeProjection, PersonCard, PrescriptionCard, SurveyDecided,
};
use sync_core::protocol::{Ask, Request};

use crate::documents::Documents;
use crate::reach::{Directory, Person, Reach};
use crate::storage::StorageError;
use crate::storage::ledger::{AskRow, CaseRow, DocumentRow, Ledger, PrescriptionRow, RelationRow, SignedRow};

/// The rows of one case, read once for everything that is made of them.
#[derive(Debug)]
pub struct CaseRows {
    /// The case.
    pub case: CaseRow,
    /// Who has to do with it.
    pub relations: Vec<RelationRow>,
    /// Its documents.
    pub documents: Vec<DocumentRow>,
    /// Its prescriptions.
    pub prescriptions: Vec<PrescriptionRow>,
    /// The asks that its cards show, in the ledger's order.
    decided: Vec<(AskRow, Ask)>,
}

impl CaseRows {
    /// Reads them; `None` for no such case.
    ///
    /// # Errors
    /// What storage says.
    pub async fn read<L: Ledger>(ledger: &L, case: CaseId) -> Result<Option<Self>, StorageError> {
        Ok(Self::read_all(ledger, &[case]).await?.remove(&case))
    }

    /// Reads those of several cases, as far as these are there.
    ///
    /// # Errors
    /// What storage says.
    pub async fn read_all<L: Ledger>(ledger: &L, cases: &[CaseId]) -> Result<BTreeMap<CaseId, Self>, StorageError> {
        let rows = |case: CaseRow| {
            let (relations, documents, prescriptions, decided) = Default::default();
            (case.case, Self { case, relations, documents, prescriptions, decided })
        };
        let mut all: BTreeMap<CaseId, Self> = ledger.cases_of(cases).await?.into_iter().map(rows).collect();
        for row in ledger.relations_to(cases).await? {
            all.entry(row.case).and_modify(|rows| rows.relations.push(row));
        }
        for row in ledger.documents_of(cases).await? {
            all.entry(row.case).and_modify(|rows| rows.documents.push(row));
        }
        for row in ledger.prescriptions_of(cases).await? {
            all.entry(row.case).and_modify(|rows| rows.prescriptions.push(row));
        }
        for row in ledger.decided(cases).await? {
            let ask = minicbor::decode(&row.bytes).map_err(|_| StorageError::Damaged("asks"))?;
            all.entry(row.case).and_modify(|rows| rows.decided.push((row, ask)));
        }
        Ok(all)
    }

    fn document(&self, document: DocumentId) -> Option<&DocumentRow> {
        self.documents.iter().find(|row| row.document == document)
    }

    /// The documents that may be on a device of someone with this reach.
    pub fn carried<'a>(&'a self, reach: &'a Reach) -> impl Iterator<Item = &'a DocumentRow> + 'a {
        self.documents.iter().filter(move |row| reach.may(row, Action::Read))
    }

    /// As [`Self::carried`]; a thread is about something, and there for those who are shown that.
    fn carried_with<'a>(
        &'a self,
        reach: &'a Reach,
        shown: &'a BTreeSet<DocumentId>,
    ) -> impl Iterator<Item = &'a DocumentRow> + 'a {
        self.carried(reach).filter(move |row| row.about.is_none_or(|about| shown.contains(&about)))
    }
}

/// A case as a person may know it; `None` when they may not know of it.
///
/// # Errors
/// What storage says.
pub async fn card<L: Ledger>(
    (ledger, read): (&L, &Documents),
    directory: &Directory,
    rows: &CaseRows,
    person: &Person,
    now: Timestamp,
) -> Result<Option<CaseCard>, StorageError> {
    let reach = Reach::of(person, rows.relations.clone(), now);
    if !reach.may_know() {
        return Ok(None);
    }
    let lane = person.role.lane();
    let mut behind = Behind { read, views: None };
    let decided = &rows.decided;
    let mut prescriptions = Vec::new();
    for row in &rows.prescriptions {
        if let Some(card) = prescription(ledger, rows, row, &reach, lane, &mut behind).await? {
            prescriptions.push(card);
        }
    }
    let shown: BTreeSet<DocumentId> = prescriptions.iter().map(|card| card.document).collect();
    let documents = rows
        .carried_with(&reach, &shown)
        .map(|row| DocumentCard {
            document: row.document,
            kind: row.kind,
            writable: reach.may(row, Action::Write),
            commission: row.commission,
            about: row.about,
            completed: completed(row.document, decided),
        })
        .collect();
    Ok(Some(CaseCard {
        case: rows.case.case,
        reference: rows.case.reference.clone(),
        lane,
        state: rows.case.state,
        client: client(&rows.case, lane),
        relations: reach.names(),
        documents,
        prescriptions,
        home: home((ledger, read), rows, &reach).await?,
        people: people(rows, directory, now),
        ends: reach.ends(),
        orphaned: orphaned(rows, directory, &reach, now),
    }))
}

/// The documents that the card of a case lists for someone with this reach.
///
/// # Errors
/// What storage says.
pub async fn listed<L: Ledger>(
    ledger: &L,
    rows: &CaseRows,
    reach: &Reach,
) -> Result<BTreeSet<DocumentId>, StorageError> {
    let mut shown = BTreeSet::new();
    for PrescriptionRow { document, .. } in &rows.prescriptions {
        let Some(row) = rows.document(*document) else { continue };
        let signed = async || Ok::<_, StorageError>(!ledger.signed(*document).await?.is_empty());
        if reach.may(row, Action::Read) || (reach.may(row, Action::ReadProjection) && signed().await?) {
            shown.insert(*document);
        }
    }
    Ok(rows.carried_with(reach, &shown).map(|row| row.document).collect())
}

fn client(case: &CaseRow, lane: Lane) -> ClientCard {
    let identifier = |value: &Option<String>| value.clone().filter(|_| FieldGroup::Identifiers.shown_to(lane));
    ClientCard {
        name: case.name.clone(),
        address: case.address.clone(),
        contact: case.contact.clone(),
        visitor_risk: case.visitor_risk.clone(),
        uprn: case.uprn.clone(),
        born: identifier(&case.born),
        nhs_number: identifier(&case.nhs_number),
    }
}

/// The prescriptions that this person may take over.
fn orphaned(rows: &CaseRows, directory: &Directory, reach: &Reach, now: Timestamp) -> Option<Vec<DocumentId>> {
    let mine = rows.documents.iter().filter(|row| reach.may(row, Action::TakeOver) && !reach.may(row, Action::Write));
    let gone = mine.filter(|row| Reach::authors_are_gone(directory, row, &rows.relations, now));
    let orphaned: Vec<DocumentId> = gone.map(|row| row.document).collect();
    (!orphaned.is_empty()).then_some(orphaned)
}

/// The documents that prescriptions rest on, loaded when the first of them is asked about.
struct Behind<'a> {
    read: &'a Documents,
    views: Option<Arc<BTreeMap<DocumentId, View>>>,
}

impl Behind<'_> {
    /// Whether what a signed version rested on is no longer so.
    async fn changed_since<L: Ledger>(
        &mut self,
        ledger: &L,
        document: &DocumentRow,
        signed: &SignedRow,
    ) -> Result<bool, StorageError> {
        let views = match &self.views {
            Some(views) => views.clone(),
            None => self.views.insert(Arc::new(self.read.views_behind(ledger, document.case).await?)).clone(),
        };
        let now = self.read.view(ledger, document).await?;
        Ok(self.read.work(move || specification::basis(&now, &views)).await? != signed.basis)
    }
}

async fn prescription<L: Ledger>(
    ledger: &L,
    rows: &CaseRows,
    row: &PrescriptionRow,
    reach: &Reach,
    lane: Lane,
    behind: &mut Behind<'_>,
) -> Result<Option<PrescriptionCard>, StorageError> {
    let Some(document) = rows.document(row.document) else { return Ok(None) };
    let whole = reach.may(document, Action::Read);
    if !whole && !reach.may(document, Action::ReadProjection) {
        return Ok(None);
    }
    let newest = ledger.signed(row.document).await?.pop();
    if !whole && newest.is_none() {
        return Ok(None);
    }
    let changed_since = match &newest {
        Some(signed) if signed.standing == SignedStanding::Current => {
            behind.changed_since(ledger, document, signed).await?
        }
        _ => false,
    };
    let standing = newest.as_ref().map(|signed| signed.standing.clone());
    let signed = newest.and_then(|newest| newest.shown_to(lane));
    let state = if whole && FieldGroup::Working.shown_to(lane) { row.state.clone() } else { State::Draft };
    Ok(Some(PrescriptionCard {
        document: row.document,
        state,
        thread: row.thread,
        signed,
        standing: standing.map(|standing| match standing {
            // Housing learns that it was.
            SignedStanding::Recalled { at, .. } if !FieldGroup::RecallReason.shown_to(lane) => {
                SignedStanding::Recalled { at, reason: String::new() }
            }
            standing => standing,
        }),
        changed_since,
        decisions: decisions(row.document, &rows.decided),
    }))
}

/// What was granted about a document, in the ledger's order.
fn granted(document: DocumentId, decided: &[(AskRow, Ask)]) -> impl DoubleEndedIterator<Item = &(AskRow, Ask)> {
    decided.iter().filter(move |(row, _)| row.decides == Some(document))
}

fn completed(document: DocumentId, decided: &[(AskRow, Ask)]) -> Option<Completed> {
    granted(document, decided).rev().find_map(|(row, ask)| match &ask.request {
        Request::CompleteAssessment { heads, .. } => {
            Some(Completed { by: row.account, at: row.verdict.at, heads: heads.clone() })
        }
        _ => None,
    })
}

fn decisions(document: DocumentId, decided: &[(AskRow, Ask)]) -> Vec<SurveyDecided> {
    let decisions = granted(document, decided).filter_map(|(row, ask)| match &ask.request {
        Request::SurveyDecision { survey, number, decision, reason, .. } => Some(SurveyDecided {
            number: *number,
            decision: *decision,
            reason: reason.clone(),
            by: row.account,
            at: row.verdict.at,
            survey: *survey,
        }),
        _ => None,
    });
    decisions.collect()
}

async fn home<L: Ledger>(
    (ledger, read): (&L, &Documents),
    rows: &CaseRows,
    reach: &Reach,
) -> Result<Option<HomeProjection>, StorageError> {
    let Some(released) = rows.case.released else { return Ok(None) };
    let Some(home) = rows.document(released.home).filter(|row| reach.may(row, Action::ReadProjection)) else {
        return Ok(None);
    };
    let document = home.document;
    let shown = move |home: &Document| HomeProjection::of(document, released.at, &home.read());
    Ok(Some(read.look(ledger, home, shown).await?))
}

fn people(rows: &CaseRows, directory: &Directory, now: Timestamp) -> Vec<PersonCard> {
    let related = rows.relations.iter().filter(|relation| relation.holds(now)).map(|relation| relation.account);
    let authors = rows.documents.iter().flat_map(|document| document.authors.iter().copied());
    let deciders = rows.decided.iter().map(|(row, _)| row.account);
    let accounts: BTreeSet<AccountId> = related.chain(authors).chain(deciders).collect();
    let cards = accounts.into_iter().filter_map(|account| directory.person(account)).map(|person| PersonCard {
        account: person.account,
        name: person.name.clone(),
        role: person.role,
        organisation: person.organisation_name.clone(),
    });
    cards.collect()
}
