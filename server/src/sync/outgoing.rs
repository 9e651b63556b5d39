//! What a device should have: news of what it carries, what it gained whole, what it lost to purge.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DocumentId, Hash};
use sync_core::protocol::sync::DocumentNews;
use sync_core::protocol::{CaseCard, SyncRequest, Verdict};

use super::Speaker;
use crate::cards::{self, CaseRows};
use crate::documents;
use crate::error::Problem;
use crate::reach::{Directory, Reach};
use crate::storage::ledger::{CarryRow, DocumentRow, Ledger, Number, Plan, RelationRow, Write};

/// Changes of one page of news.
const PAGE: usize = 5_000;

/// What goes back to the device.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) cards: Vec<CaseCard>,
    pub(super) documents: Vec<DocumentNews>,
    pub(super) purge: Vec<CaseId>,
    pub(super) purge_documents: Vec<DocumentId>,
    pub(super) photo_wants: Vec<(DocumentId, Hash)>,
    pub(super) until: Number,
    pub(super) more: bool,
}

/// What the device was sent whole and has acknowledged by its cursor, and what it was sent but may not have.
struct Carried {
    cases: BTreeMap<CaseId, Number>,
    documents: BTreeMap<DocumentId, (CaseId, Number)>,
}

impl Carried {
    fn of(rows: Vec<CarryRow>) -> Self {
        let mut carried = Self { cases: BTreeMap::new(), documents: BTreeMap::new() };
        for row in rows {
            match row.document {
                Some(document) => {
                    carried.documents.insert(document, (row.case, row.n));
                }
                None => {
                    carried.cases.insert(row.case, row.n);
                }
            }
        }
        carried
    }
}

pub(super) async fn gather<L: Ledger>(
    ledger: &L,
    directory: &Directory,
    speaker: &Speaker<'_>,
    (request, taken): (&SyncRequest, &BTreeSet<DocumentId>),
    after: Number,
    now: Timestamp,
) -> Result<Outgoing, Problem> {
    let device = speaker.device.id;
    let carried = Carried::of(ledger.carried(device).await?);
    let mut outgoing = Outgoing { until: after, ..Outgoing::default() };
    let wanted = wanted(ledger, speaker, request, now).await?;
    outgoing.purge = carried.cases.keys().filter(|case| !wanted.contains_key(case)).copied().collect();
    if speaker.revoked {
        return Ok(outgoing);
    }
    let lost = lost(ledger, speaker, &carried, &wanted).await?;
    let mut news = ledger.news(device, after, PAGE).await?;
    outgoing.verdicts = ledger.verdicts_of(speaker.person.account, after).await?;
    let mut touched: BTreeSet<CaseId> = news.touched.iter().copied().collect();
    touched.extend(super::incoming::cases_of(request));
    // The card of a case that lost a document names it no more.
    touched.extend(lost.values());
    outgoing.purge_documents = lost.into_keys().collect();
    let mut gained = BTreeMap::new();
    let mut carries = Vec::new();
    for case in wanted.keys() {
        let new_case = carried.cases.get(case).is_none_or(|n| *n > after);
        if !new_case && !touched.contains(case) {
            continue;
        }
        let Some(rows) = CaseRows::read(ledger, *case).await? else { continue };
        let Some(card) = cards::card(ledger, directory, &rows, speaker.person, now).await? else { continue };
        let allowed: BTreeSet<DocumentId> = card.documents.iter().map(|document| document.document).collect();
        for row in rows.documents.into_iter().filter(|row| allowed.contains(&row.document)) {
            if carried.documents.get(&row.document).is_none_or(|(_, n)| *n > after) {
                gained.insert(row.document, row);
            }
        }
        if new_case {
            carries.push(Write::Carry(CarryRow { device, case: *case, document: None, n: 0 }));
        }
        outgoing.cards.push(card);
    }
    if news.more {
        // What is gained comes with the last page: before it, the cursor could not pass its place.
        gained.clear();
        carries.clear();
    }
    let whole = gained.values().map(|row| (row.case, row.document));
    carries
        .extend(whole.map(|(case, document)| Write::Carry(CarryRow { device, case, document: Some(document), n: 0 })));
    if !carries.is_empty() {
        // First its place, then the news up to it and the documents as they are behind it: the cursor passes nothing
        // that others wrote meanwhile, and a device that never hears of this reply is sent it all again.
        ledger.commit(Plan { writes: carries }).await.map_err(Problem::from)?;
        news = ledger.news(device, after, PAGE).await?;
    }
    outgoing.until = news.until;
    outgoing.more = news.more;
    outgoing.documents = page(news.changes, &gained, &wanted, ledger).await?;
    for row in gained.into_values() {
        let (_, document) = documents::load(ledger, &row).await?;
        let changes = document.changes_since(&[row.kind.skeleton_hash()]);
        outgoing.documents.push(DocumentNews {
            document: row.document,
            case: row.case,
            kind: row.kind,
            changes: changes.into_iter().map(ByteVec::from).collect(),
            heads: document.heads(),
        });
    }
    outgoing.photo_wants = photo_wants(ledger, taken).await?;
    Ok(outgoing)
}

/// The cases that belong on this device: those of its person, and those it chose and they may read.
async fn wanted<L: Ledger>(
    ledger: &L,
    speaker: &Speaker<'_>,
    request: &SyncRequest,
    now: Timestamp,
) -> Result<BTreeMap<CaseId, Reach>, Problem> {
    if speaker.revoked {
        return Ok(BTreeMap::new());
    }
    let mut relations: BTreeMap<CaseId, Vec<RelationRow>> = BTreeMap::new();
    for relation in ledger.relations_of(speaker.person.account).await? {
        relations.entry(relation.case).or_default().push(relation);
    }
    let mut wanted = BTreeMap::new();
    for (case, relations) in relations {
        let reach = Reach::of(speaker.person, relations, now);
        if reach.carries() || (request.carries.contains(&case) && reach.may_know()) {
            wanted.insert(case, reach);
        }
    }
    for case in &request.carries {
        if !wanted.contains_key(case) && ledger.case(*case).await?.is_some() {
            let reach = Reach::read(ledger, speaker.person, *case, now).await?;
            if reach.may_know() {
                wanted.insert(*case, reach);
            }
        }
    }
    Ok(wanted)
}

/// The documents that the device was sent and that its person may no longer read, in cases that stay. They are ordered
/// purged until the device says that they are; a right can end by itself, so all that it carries is looked at.
async fn lost<L: Ledger>(
    ledger: &L,
    speaker: &Speaker<'_>,
    carried: &Carried,
    wanted: &BTreeMap<CaseId, Reach>,
) -> Result<BTreeMap<DocumentId, CaseId>, Problem> {
    let rows = ledger.documents_carried(speaker.device.id).await?;
    let rows: BTreeMap<DocumentId, &DocumentRow> = rows.iter().map(|row| (row.document, row)).collect();
    let lost = carried.documents.iter().filter(|(document, (case, _))| {
        let (Some(row), Some(reach)) = (rows.get(document), wanted.get(case)) else { return false };
        let about = row.about.and_then(|about| rows.get(&about));
        // A thread is there for those who may know of what it is about.
        let knows =
            about.is_none_or(|about| reach.may(about, Action::Read) || reach.may(about, Action::ReadProjection));
        !reach.may(row, Action::Read) || !knows
    });
    Ok(lost.map(|(document, (case, _))| (*document, *case)).collect())
}

/// The changes of a page, by document, of those this person may read now; what is sent whole has them already.
async fn page<L: Ledger>(
    changes: Vec<crate::storage::ledger::ChangeRow>,
    gained: &BTreeMap<DocumentId, DocumentRow>,
    wanted: &BTreeMap<CaseId, Reach>,
    ledger: &L,
) -> Result<Vec<DocumentNews>, Problem> {
    let mut by_document: BTreeMap<DocumentId, Vec<ByteVec>> = BTreeMap::new();
    for change in changes.into_iter().filter(|change| !gained.contains_key(&change.document)) {
        by_document.entry(change.document).or_default().push(change.bytes.into());
    }
    let mut news = Vec::new();
    for (document, changes) in by_document {
        let Some(row) = ledger.document(document).await? else { continue };
        // The rows of what it carries are no right to read (invariant 5).
        if !wanted.get(&row.case).is_some_and(|reach| reach.may(&row, Action::Read)) {
            continue;
        }
        news.push(DocumentNews { document, case: row.case, kind: row.kind, changes, heads: row.heads });
    }
    Ok(news)
}

/// The photos named by the documents of this device that were taken in, as far as they have not arrived.
async fn photo_wants<L: Ledger>(ledger: &L, taken: &BTreeSet<DocumentId>) -> Result<Vec<(DocumentId, Hash)>, Problem> {
    let mut wants = Vec::new();
    for document in taken {
        let Some(row) = ledger.document(*document).await? else { continue };
        let (_, whole) = documents::load(ledger, &row).await?;
        let here: BTreeSet<Hash> = ledger.photos_of(*document).await?.into_iter().map(|photo| photo.hash).collect();
        let named = sync_core::guard::photos_named(&whole.view());
        wants.extend(named.difference(&here).map(|hash| (*document, *hash)));
    }
    Ok(wants)
}
