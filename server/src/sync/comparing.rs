//! Reconciliation: a device whose digest differs tells the heads it has of each document, and what it lacks or should not
//! have is put right. Heads are the truth, the cursor and the rows of what it carries only save work.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::domain::kind::Kind;
use sync_core::id::{CaseId, DocumentId, Hash, Heads};
use sync_core::protocol::SyncRequest;
use sync_core::protocol::packed::dependencies;
use sync_core::protocol::sync::{Purge, PurgeReason};

use super::Desk;
use super::outgoing::{Outgoing, news};
use crate::asks::Asking;
use crate::error::Problem;
use crate::reach::Reach;
use crate::storage::ledger::{ChangeRow, Ledger};
use crate::storage::{StorageError, blocking};

/// The cases of documents that a device lists and that it is not known to carry.
pub(super) async fn cases_of<L: Ledger>(
    desk: &Desk<'_, L>,
    request: &SyncRequest,
) -> Result<BTreeSet<CaseId>, StorageError> {
    let mut cases = BTreeSet::new();
    let Some(heads) = &request.heads else { return Ok(cases) };
    let ledger = desk.asking.ledger;
    let (_, carried) = ledger.documents_carried(desk.speaker.device.id).await?;
    let carried: BTreeSet<DocumentId> = carried.into_iter().map(|(document, _)| document).collect();
    let listed: BTreeSet<DocumentId> = heads.iter().map(|(document, _)| *document).collect();
    for row in ledger.documents(&listed.difference(&carried).copied().collect::<Vec<_>>()).await? {
        cases.insert(row.case);
    }
    Ok(cases)
}

/// From how many bytes of changes on a device asks again for what else it lacks; tests turn many.
const MOST: usize = if cfg!(test) { 1 << 10 } else { 8 << 20 };

/// From how many bytes of changes on that were read to find what it lacks; tests turn many.
const MOST_READ: usize = if cfg!(test) { 8 << 10 } else { 64 << 20 };

/// Adds what the device lacks, and orders purged what it should not have. Of the cases in `whole` everything comes. Where it
/// lacks much, it is told that there is more: its digest goes on differing, and it tells its heads again, with the next sync
/// at the latest. Each time this begins somewhere else, so that documents whose heads never come to agree keep no others
/// from it.
pub(super) async fn compare<L: Ledger>(
    desk: &Desk<'_, L>,
    listed: &[(DocumentId, Heads)],
    whole: &[CaseId],
    outgoing: &mut Outgoing,
) -> Result<(), Problem> {
    let Asking { ledger, person, now, .. } = desk.asking;
    let (_, carried) = ledger.documents_carried(desk.speaker.device.id).await?;
    let carried: BTreeMap<DocumentId, Heads> = carried.into_iter().collect();
    let listed: BTreeMap<DocumentId, &Heads> = listed.iter().map(|(document, heads)| (*document, heads)).collect();
    let theirs = carried.iter().map(|(document, heads)| (document, listed.get(document).map(|of| sorted(of)), heads));
    let mut differ: Vec<_> = theirs.filter(|(_, theirs, heads)| theirs.as_ref() != Some(&sorted(heads))).collect();
    if !differ.is_empty() {
        let begins = u32::from_be_bytes(desk.asking.chance.bytes()) as usize % differ.len();
        differ.rotate_left(begins);
    }
    let (mut bytes, mut read, mut reaches) = (0, 0, BTreeMap::new());
    for (document, theirs, _) in differ {
        let Some(row) = ledger.document(*document).await? else { continue };
        if whole.contains(&row.case) {
            continue;
        }
        if bytes >= MOST || read >= MOST_READ {
            outgoing.more = true;
            break;
        }
        // The rows of what it carries are no right to read (invariant 5).
        let reach = match reaches.entry(row.case) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Reach::read(ledger, person, row.case, now).await?),
        };
        if !reach.may(&row, Action::Read) {
            continue;
        }
        // What the page has of it is in here too.
        outgoing.documents.retain(|news| news.document != *document);
        let changes = ledger.changes(*document, 0).await?;
        read += changes.iter().map(|change| change.bytes.len()).sum::<usize>();
        let kind = row.kind;
        let lacks = blocking(move || Ok(lacking(kind, changes, &theirs.unwrap_or_default()))).await?;
        if !lacks.is_empty() {
            bytes += lacks.iter().map(Vec::len).sum::<usize>();
            outgoing.documents.push(news(&row, lacks).await?);
        }
    }
    let strange: Vec<DocumentId> = listed.keys().filter(|document| !carried.contains_key(document)).copied().collect();
    for row in ledger.documents(&strange).await? {
        let ordered = |purge: &Purge| purge.case == row.case && purge.document.is_none_or(|of| of == row.document);
        if outgoing.purge.iter().any(ordered) {
            continue;
        }
        let (case, reason) = (row.case, PurgeReason::Withdrawn);
        // Of a case that does not belong there at all, nothing does, its card and its key least.
        let nothing = ledger.carried_of(desk.speaker.device.id, &[case]).await?.is_empty();
        let document = (!nothing).then_some(row.document);
        outgoing.purge.push(Purge { case, document, reason });
    }
    Ok(())
}

fn sorted(heads: &[Hash]) -> Vec<Hash> {
    let mut sorted = heads.to_vec();
    sorted.sort_unstable();
    sorted
}

/// The changes among these that a device with these heads does not have; heads that are not known here are as good as
/// none. What they build on comes before them.
fn lacking(kind: Kind, changes: Vec<ChangeRow>, theirs: &[Hash]) -> Vec<Vec<u8>> {
    let skeleton = kind.skeleton_hash();
    let mut has: BTreeSet<Hash> = theirs.iter().copied().filter(|head| *head != skeleton).collect();
    let here: BTreeSet<Hash> = changes.iter().map(|change| change.hash).collect();
    if theirs.is_empty() || !has.is_subset(&here) {
        has.clear();
    }
    let mut lacks = Vec::new();
    for change in changes.into_iter().rev() {
        if has.contains(&change.hash) {
            has.extend(dependencies(&change.bytes).unwrap_or_default());
        } else {
            lacks.push(change.bytes);
        }
    }
    lacks.reverse();
    lacks
}
