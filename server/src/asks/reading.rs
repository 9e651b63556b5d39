//! What asks read of documents: each in its turn, off the async workers, and no more in one request than others can wait
//! for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use sync_core::access::delegation::Prescribed;
use sync_core::domain::document::Document;
use sync_core::domain::finding::{self, Finding};
use sync_core::domain::kind::Kind;
use sync_core::domain::record::Value;
use sync_core::domain::specification;
use sync_core::domain::view::View;
use sync_core::id::{AccountId, DocumentId, Hash, Heads};
use sync_core::protocol::Ask;
use sync_core::protocol::Request;

use crate::documents::Documents;
use crate::storage::StorageError;
use crate::storage::ledger::{Counted, DocumentRow, Ledger, Write};

/// How many documents the asks of one sync request may have read when another that reads is still decided: those of an
/// OT's visits of a month are about as many. A pass over a list that grows with the past counts as one. What is left is
/// not answered: the device asks again with its next sync.
pub const MOST_READ: usize = 200;
/// The most findings that one refusal lists.
const MOST_FINDINGS: usize = 50;

/// A document's version.
type Version = (DocumentId, Heads);

/// What the asks of one request have read, and found. A version says the same for ever, so nothing is read twice.
#[derive(Debug)]
pub struct Reading {
    documents: Documents,
    read: usize,
    /// The versions that were asked for and are here.
    held: BTreeSet<Version>,
    /// What keeps assessments from being complete.
    incomplete: BTreeMap<Version, Vec<String>>,
    /// The prescription that was judged last.
    judged: Option<(Version, Arc<Judged>)>,
}

/// A prescription at the version that is judged, with what it rests on.
#[derive(Debug)]
pub struct Judged {
    /// What it says.
    pub view: Arc<View>,
    /// What the documents that it may rest on say now.
    pub behind: BTreeMap<DocumentId, View>,
    /// The hash of all that it rests on.
    pub basis: Hash,
    /// What of it a delegation looks at, but for who wrote in it.
    pub(super) prescribed: Prescribed,
    /// What stands in the way of submitting and signing, in words.
    pub(super) in_the_way: Vec<String>,
    /// The photos that it cites.
    pub photos: BTreeSet<(DocumentId, Hash)>,
    /// The hashes of the changes in its history.
    history: BTreeSet<Hash>,
    /// The people who made them, once somebody asked: a version's history is the same for ever.
    authors: OnceLock<BTreeSet<AccountId>>,
    /// The versions of all that was looked at: what is decided on them is written only while they stand.
    pub(super) seen: Vec<Write>,
}

/// Whether a device's ask makes the server read documents, or pass over what grows with the past.
pub fn reads(ask: &Ask) -> bool {
    matches!(
        ask.request,
        Request::CloseCase { .. }
            | Request::Release { .. }
            | Request::CompleteAssessment { .. }
            | Request::Submit { .. }
            | Request::SurveyDecision { .. }
    )
}

impl Reading {
    /// Nothing was read yet.
    pub fn new(documents: Documents) -> Self {
        let (held, incomplete) = Default::default();
        Self { documents, read: 0, held, incomplete, judged: None }
    }

    /// Whether others have waited long enough for this request.
    pub const fn is_spent(&self) -> bool {
        self.read >= MOST_READ
    }

    /// Counts a pass over so many rows as a document that was read: a history, signed versions, decisions, photos.
    pub(super) fn pass(&mut self, rows: usize) {
        self.read += rows.min(1);
    }

    /// Whether the document holds these heads.
    pub(super) async fn holds<L: Ledger>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
        heads: &Heads,
    ) -> Result<bool, StorageError> {
        let version = (row.document, heads.clone());
        if self.held.contains(&version) {
            return Ok(true);
        }
        let wanted = heads.clone();
        let holds = self.look(ledger, row, move |document| document.knows_all(&wanted)).await?;
        if holds {
            self.held.insert(version);
        }
        Ok(holds)
    }

    /// What keeps the assessment of this version from being complete, in words; `None` where that version is not here.
    pub(super) async fn incomplete<L: Ledger>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
        heads: &Heads,
    ) -> Result<Option<Vec<String>>, StorageError> {
        let version = (row.document, heads.clone());
        if let Some(known) = self.incomplete.get(&version) {
            return Ok(Some(known.clone()));
        }
        let (id, wanted) = (row.document, heads.clone());
        let look = move |document: &Document| {
            let findings = finding::of_document(id, &*view_at(document, &wanted)?);
            // The field rule (B 6.3): the form will not complete without them.
            Some(in_words(findings.iter().filter(|finding| finding.keeps_open()).map(ToString::to_string)))
        };
        let found = self.look(ledger, row, look).await?;
        if let Some(found) = &found {
            self.incomplete.insert(version, found.clone());
        }
        Ok(found)
    }

    /// The prescription at this version; `None` where that is not here.
    ///
    /// # Errors
    /// What storage says.
    pub async fn judged<L: Ledger>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
        heads: &Heads,
    ) -> Result<Option<Arc<Judged>>, StorageError> {
        // The versions before the documents: one that moves in between is noticed when the decision is written.
        let mut rows = ledger.documents_of(&[row.case]).await?;
        rows.retain(|other| {
            other.document == row.document || matches!(other.kind, Kind::Home | Kind::Clinical | Kind::Survey)
        });
        let seen: Vec<Write> = rows
            .iter()
            .map(|other| Write::Expect { of: Counted::Document(other.document), version: other.version })
            .collect();
        let version = (row.document, heads.clone());
        if let Some((of, judged)) = &self.judged
            && *of == version
            && judged.seen == seen
        {
            // The case's documents were listed all the same.
            self.read += 1;
            return Ok(Some(judged.clone()));
        }
        self.judged = None;
        let (id, wanted) = (row.document, heads.clone());
        let look = move |document: &Document| Some((view_at(document, &wanted)?, document.history_of(&wanted)));
        let Some((view, history)) = self.look(ledger, row, look).await? else { return Ok(None) };
        let mut behind = BTreeMap::new();
        for other in rows.iter().filter(|other| other.kind != Kind::Prescription) {
            behind.insert(other.document, self.look(ledger, other, Document::view).await?);
        }
        let judged = self.documents.work(move || {
            let (in_the_way, photos) = (in_the_way(id, &view, &behind), finding::photos_cited(&view, &behind));
            let (basis, history) = (specification::basis(&view, &behind), history.into_iter().collect());
            let prescribed = Prescribed::of(&view);
            Judged { view, behind, basis, prescribed, in_the_way, photos, history, authors: OnceLock::new(), seen }
        });
        let judged = Arc::new(judged.await?);
        self.judged = Some((version, judged.clone()));
        Ok(Some(judged))
    }

    /// The people who have a change in the history of what is judged.
    pub(super) async fn authors<'j, L: Ledger>(
        &mut self,
        ledger: &L,
        document: DocumentId,
        judged: &'j Judged,
    ) -> Result<&'j BTreeSet<AccountId>, StorageError> {
        if let Some(known) = judged.authors.get() {
            return Ok(known);
        }
        let authors = self.wrote(ledger, document, &judged.history).await?;
        Ok(judged.authors.get_or_init(|| authors))
    }

    /// The people who made these changes.
    async fn wrote<L: Ledger>(
        &mut self,
        ledger: &L,
        document: DocumentId,
        history: &BTreeSet<Hash>,
    ) -> Result<BTreeSet<AccountId>, StorageError> {
        let changes = ledger.changes(document, 0).await?;
        self.pass(changes.len());
        Ok(changes.into_iter().filter(|change| history.contains(&change.hash)).map(|change| change.account).collect())
    }

    /// What of the prescription at this version a delegation looks at, and who wrote in it, without what it rests on;
    /// `None` where that version is not here.
    pub(super) async fn prescribed<L: Ledger>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
        heads: &Heads,
    ) -> Result<Option<(Prescribed, BTreeSet<AccountId>)>, StorageError> {
        let wanted = heads.clone();
        let look = move |document: &Document| {
            let prescribed = Prescribed::of(&*view_at(document, &wanted)?);
            Some((prescribed, document.history_of(&wanted).into_iter().collect()))
        };
        let Some((prescribed, history)) = self.look(ledger, row, look).await? else { return Ok(None) };
        Ok(Some((prescribed, self.wrote(ledger, row.document, &history).await?)))
    }

    /// Looks at a document as it stands, in a turn.
    async fn look<L: Ledger, T: Send + 'static>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
        look: impl FnOnce(&Document) -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        self.read += 1;
        self.documents.look(ledger, row, look).await
    }
}

/// What a document said at these heads. As it stands now it need not be made anew.
fn view_at(document: &Document, heads: &Heads) -> Option<Arc<View>> {
    if *heads == document.heads() { Some(document.read()) } else { Some(document.at(heads)?.read()) }
}

/// As many of these as one refusal lists, and how many more there are.
pub(super) fn in_words(mut findings: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = findings.by_ref().take(MOST_FINDINGS).collect();
    match findings.count() {
        0 => {}
        more => words.push(format!("and {more} more")),
    }
    words
}

/// What stands in the way of submitting and signing.
fn in_the_way(document: DocumentId, view: &View, behind: &BTreeMap<DocumentId, View>) -> Vec<String> {
    let weights = behind.values().filter(|view| view.kind == Kind::Clinical);
    let weight = weights
        .filter_map(|view| match view.named(None, "person.weight") {
            Some(Value::Number(weight)) => Some(*weight),
            _ => None,
        })
        .max();
    let findings = finding::of_prescription(document, view, behind, weight).into_iter().filter(Finding::blocks);
    in_words(findings.map(|finding| match finding.what {
        // The weight may come from an assessment that this person may not read.
        finding::What::LoadUnderWeight { load, .. } => {
            format!("the required load of {load} kg is under the client's weight")
        }
        _ => finding.to_string(),
    }))
}
