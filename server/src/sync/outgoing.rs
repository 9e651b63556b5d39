//! What a device should have: news of what it carries, what it gained whole, what it lost to purge.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DeviceId, DocumentId, Hash};
use sync_core::protocol::sync::{DocumentNews, Purge, PurgeReason};
use sync_core::protocol::{CaseCard, Known, Packed, SyncRequest, Verdict};

use super::{Desk, Speaker};
use crate::asks::Asking;
use crate::cards::{self, CaseRows};
use crate::documents;
use crate::error::Problem;
use crate::reach::{Directory, Reach};
use crate::storage::ledger::{CarryRow, DocumentRow, Ledger, Number, Plan, RelationRow, WITHHELD, Write};

/// Changes of one page of news.
const PAGE: usize = 5_000;

/// How often cards are drawn anew because somebody touched their cases meanwhile.
const TRIES: usize = 4;

/// What goes back to the device.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) cards: Vec<CaseCard>,
    pub(super) documents: Vec<DocumentNews>,
    pub(super) purge: Vec<Purge>,
    pub(super) photo_wants: Vec<(DocumentId, Hash)>,
    pub(super) until: Number,
    pub(super) more: bool,
    /// The cases that are new to the device.
    whole: BTreeSet<CaseId>,
}

impl<L: Ledger> Desk<'_, L> {
    /// What the device should have: what is sent at once, and the cases that are then sent whole.
    pub(super) async fn gather(
        &self,
        request: &SyncRequest,
        taken: &BTreeSet<DocumentId>,
    ) -> Result<(Outgoing, Vec<CaseId>), Problem> {
        let Asking { ledger, directory, now, .. } = self.asking;
        let after = request.cursor.filter(|cursor| cursor.epoch == self.epoch).map_or(0, |cursor| cursor.n.max(0));
        let mut first = gather(ledger, directory, &self.speaker, (request, taken), after, now).await?;
        let whole = std::mem::take(&mut first.whole);
        first.cards.retain(|card| !whole.contains(&card.case));
        first.documents.retain(|news| !whole.contains(&news.case));
        let come = request.progress.filter(|_| request.cursor.is_none());
        if let Some(come) = come {
            // What changed since it began is news of the next request.
            first.until = first.until.min(come.n);
        }
        let left = whole.into_iter().filter(|case| come.is_none_or(|come| *case > come.after));
        Ok((first, left.collect()))
    }

    /// One case whole: its card and its documents.
    ///
    /// # Errors
    /// What storage says.
    pub async fn whole_case(&self, case: CaseId) -> Result<Outgoing, Problem> {
        let Asking { ledger, directory, now, .. } = self.asking;
        let mut outgoing = Outgoing::default();
        let Some(rows) = CaseRows::read(ledger, case).await? else { return Ok(outgoing) };
        let Some(card) = cards::card(ledger, directory, &rows, self.speaker.person, now).await? else {
            return Ok(outgoing);
        };
        let allowed: BTreeSet<DocumentId> = card.documents.iter().map(|listed| listed.document).collect();
        for row in rows.documents.iter().filter(|row| allowed.contains(&row.document)) {
            outgoing.documents.push(whole(ledger, row).await?);
        }
        outgoing.cards.push(card);
        Ok(outgoing)
    }
}

/// A document from its skeleton on.
async fn whole<L: Ledger>(ledger: &L, row: &DocumentRow) -> Result<DocumentNews, Problem> {
    let (_, document) = documents::load(ledger, row).await?;
    let changes = document.changes_since(&[row.kind.skeleton_hash()]);
    let changes = Packed::pack(&changes, &Known::news(row.kind));
    Ok(DocumentNews { document: row.document, case: row.case, kind: row.kind, changes })
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

    /// What notes that the device is told to purge these cases and documents, where that is not noted yet.
    fn withhold(&self, device: DeviceId, cases: &[CaseId], documents: &BTreeMap<DocumentId, CaseId>) -> Vec<Write> {
        let cases = cases.iter().filter(|case| self.cases.get(case) != Some(&WITHHELD));
        let cases = cases.map(|case| Write::Withhold { device, case: *case, document: None });
        let documents = documents
            .iter()
            .filter(|(document, _)| self.documents.get(document).is_some_and(|(_, n)| *n != WITHHELD))
            .map(|(document, case)| Write::Withhold { device, case: *case, document: Some(*document) });
        cases.chain(documents).collect()
    }
}

async fn gather<L: Ledger>(
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
    let gone: Vec<CaseId> = carried.cases.keys().filter(|case| !wanted.contains_key(case)).copied().collect();
    let reason = if speaker.revoked { PurgeReason::Revoked } else { PurgeReason::Ended };
    outgoing.purge = gone.iter().map(|case| Purge { case: *case, document: None, reason }).collect();
    let lost = if speaker.revoked { BTreeMap::new() } else { lost(ledger, speaker, &carried, &wanted).await? };
    let withheld = carried.withhold(device, &gone, &lost);
    if !withheld.is_empty() {
        ledger.commit(Plan { writes: withheld }).await.map_err(Problem::from)?;
    }
    if speaker.revoked {
        // Of what it began by itself nothing is carried here.
        let unknown = super::incoming::cases_of(request).into_iter().filter(|case| !carried.cases.contains_key(case));
        outgoing.purge.extend(unknown.map(|case| Purge { case, document: None, reason }));
        return Ok(outgoing);
    }
    let mut touched = super::incoming::cases_of(request);
    // The card of a case that lost a document names it no more.
    touched.extend(lost.values());
    outgoing.purge.extend(lost.into_iter().map(|(document, case)| Purge { case, document: Some(document), reason }));
    outgoing.verdicts = ledger.verdicts_of(speaker.person.account, after).await?;
    let drawing = Drawing { ledger, directory, speaker, wanted: &wanted, carried: &carried, after, now };
    let mut news = ledger.news(device, after, PAGE).await?;
    let mut tries = 0;
    let (news, drawn) = loop {
        tries += 1;
        touched.extend(&news.touched);
        let mut drawn = drawing.draw(&touched, news.more).await?;
        if drawn.carries.is_empty() {
            break (news, drawn);
        }
        // First its place, then the documents as they are behind it: a device that never hears of this reply is sent
        // it all again.
        let writes = std::mem::take(&mut drawn.carries);
        ledger.commit(Plan { writes }).await.map_err(Problem::from)?;
        if news.more {
            break (news, drawn);
        }
        let next = ledger.news(device, after, PAGE).await?;
        // The cursor may not pass a card that was drawn before somebody touched its case: it is drawn anew, or the
        // cursor stays before the touch.
        if ledger.news(device, news.until, 1).await?.touched.is_empty() {
            break (next, drawn);
        }
        if tries == TRIES {
            break (news, drawn);
        }
        news = next;
    };
    outgoing.cards = drawn.cards;
    outgoing.until = news.until;
    outgoing.more = news.more;
    outgoing.documents = page(news.changes, &drawn.gained, &wanted, ledger).await?;
    for row in drawn.gained.into_values().filter(|row| !drawn.whole.contains(&row.case)) {
        outgoing.documents.push(whole(ledger, &row).await?);
    }
    outgoing.whole = drawn.whole;
    outgoing.photo_wants = photo_wants(ledger, taken).await?;
    Ok(outgoing)
}

/// What cards are drawn with.
struct Drawing<'a, L> {
    ledger: &'a L,
    directory: &'a Directory,
    speaker: &'a Speaker<'a>,
    wanted: &'a BTreeMap<CaseId, Reach>,
    carried: &'a Carried,
    after: Number,
    now: Timestamp,
}

/// Cards, the documents that come with them whole, and what is then carried.
struct Drawn {
    cards: Vec<CaseCard>,
    gained: BTreeMap<DocumentId, DocumentRow>,
    carries: Vec<Write>,
    whole: BTreeSet<CaseId>,
}

impl<L: Ledger> Drawing<'_, L> {
    /// The cards of the cases that are new to the device or touched.
    async fn draw(&self, touched: &BTreeSet<CaseId>, more: bool) -> Result<Drawn, Problem> {
        let device = self.speaker.device.id;
        let mut drawn =
            Drawn { cards: Vec::new(), gained: BTreeMap::new(), carries: Vec::new(), whole: BTreeSet::new() };
        for case in self.wanted.keys() {
            let new_case = self.carried.cases.get(case).is_none_or(|n| *n > self.after);
            if !new_case && !touched.contains(case) {
                continue;
            }
            let Some(rows) = CaseRows::read(self.ledger, *case).await? else { continue };
            let card = cards::card(self.ledger, self.directory, &rows, self.speaker.person, self.now).await?;
            let Some(card) = card else { continue };
            let allowed: BTreeSet<DocumentId> = card.documents.iter().map(|document| document.document).collect();
            for row in rows.documents.into_iter().filter(|row| allowed.contains(&row.document)) {
                if self.carried.documents.get(&row.document).is_none_or(|(_, n)| *n > self.after) {
                    drawn.gained.insert(row.document, row);
                }
            }
            if new_case {
                if !more {
                    drawn.whole.insert(*case);
                }
                drawn.carries.push(Write::Carry(CarryRow { device, case: *case, document: None, n: 0 }));
            }
            drawn.cards.push(card);
        }
        if more {
            // What is gained comes with the last page: before it, the cursor could not pass its place.
            drawn.gained.clear();
        }
        let whole = drawn.gained.values().map(|row| (row.case, row.document));
        let whole = whole.map(|(case, document)| CarryRow { device, case, document: Some(document), n: 0 });
        drawn.carries.extend(whole.map(Write::Carry));
        Ok(drawn)
    }
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
    let chosen: BTreeSet<CaseId> = request.choices.iter().filter(|choice| choice.carry).map(|c| c.case).collect();
    let mut relations: BTreeMap<CaseId, Vec<RelationRow>> = BTreeMap::new();
    for relation in ledger.relations_of(speaker.person.account).await? {
        relations.entry(relation.case).or_default().push(relation);
    }
    let mut wanted = BTreeMap::new();
    for (case, relations) in relations {
        let reach = Reach::of(speaker.person, relations, now);
        if reach.carries() || (chosen.contains(&case) && reach.may_know()) {
            wanted.insert(case, reach);
        }
    }
    for case in &chosen {
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
    let mut by_document: BTreeMap<DocumentId, Vec<Vec<u8>>> = BTreeMap::new();
    for change in changes.into_iter().filter(|change| !gained.contains_key(&change.document)) {
        by_document.entry(change.document).or_default().push(change.bytes);
    }
    let mut news = Vec::new();
    for (document, changes) in by_document {
        let Some(row) = ledger.document(document).await? else { continue };
        // The rows of what it carries are no right to read (invariant 5).
        if !wanted.get(&row.case).is_some_and(|reach| reach.may(&row, Action::Read)) {
            continue;
        }
        let changes = Packed::pack(&changes, &Known::news(row.kind));
        news.push(DocumentNews { document, case: row.case, kind: row.kind, changes });
    }
    Ok(news)
}

/// The photos named by the documents of this device that were taken in, as far as they have not arrived.
async fn photo_wants<L: Ledger>(ledger: &L, taken: &BTreeSet<DocumentId>) -> Result<Vec<(DocumentId, Hash)>, Problem> {
    let mut wants = Vec::new();
    for document in taken {
        let Some(row) = ledger.document(*document).await? else { continue };
        let view = documents::view(ledger, &row).await?;
        let here: BTreeSet<Hash> = ledger.photos_of(*document).await?.into_iter().map(|photo| photo.hash).collect();
        let named = sync_core::guard::photos_named(&view);
        wants.extend(named.difference(&here).map(|hash| (*document, *hash)));
    }
    Ok(wants)
}
