//! Who read what, by their device's word.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::SyncRequest;

use super::Speaker;
use crate::asks::{Asking, Failed};
use crate::reach::Reach;
use crate::storage::audit::{Act, Done};
use crate::storage::ledger::{CommitError, Ledger, Plan, RelationRow, Write};

/// What an entry of the log counts towards the device's day, in bytes.
const ENTRY: u64 = 256;

/// Tells the audit log what was read: an entry for each document that the device carries, or that its person might read
/// when they say that they did. Of any other the device knows nothing, and its word would be somebody's name on what
/// they never saw. It counts towards the day as asks do; when that is full, the server's log alone is told.
pub(super) async fn note<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    request: &SyncRequest,
) -> Result<(), Failed> {
    let mut reads: BTreeMap<DocumentId, BTreeSet<Timestamp>> = BTreeMap::new();
    for read in &request.reads {
        reads.entry(read.document).or_default().insert(read.at.claimed);
    }
    if reads.is_empty() {
        return Ok(());
    }
    let (ledger, account, device) = (asking.ledger, speaker.person.account, speaker.device.id);
    let rows = ledger.documents(&reads.keys().copied().collect::<Vec<_>>()).await?;
    let cases: BTreeSet<CaseId> = rows.iter().map(|row| row.case).collect();
    let cases: Vec<CaseId> = cases.into_iter().collect();
    let carried = ledger.carried_of(device, &cases).await?;
    let carried: BTreeSet<DocumentId> = carried.into_iter().filter_map(|row| row.row.document).collect();
    let mut relations: BTreeMap<CaseId, Vec<RelationRow>> = BTreeMap::new();
    for relation in ledger.relations_to(&cases).await? {
        relations.entry(relation.case).or_default().push(relation);
    }
    let mut writes = Vec::new();
    for row in rows {
        let Some(times) = reads.remove(&row.document) else { continue };
        let of_case = relations.get(&row.case).map_or(&[][..], Vec::as_slice);
        let might = |at: &Timestamp| Reach::of(speaker.person, of_case.to_vec(), *at).may(&row, Action::Read);
        if !carried.contains(&row.document) && !times.iter().any(might) {
            continue;
        }
        let [first, last] = [times.first(), times.last()].map(|at| at.copied().unwrap_or(asking.now));
        let opened = Act::Opened { first, last, times: u32::try_from(times.len()).unwrap_or(u32::MAX) };
        writes.push(Write::Act(Done { case: Some(row.case), document: Some(row.document), act: opened }));
    }
    if writes.is_empty() {
        return Ok(());
    }
    let (count, most) = (writes.len(), asking.device.map_or(u64::MAX, |(_, most)| most));
    writes.push(Write::Brought { device, bytes: ENTRY.saturating_mul(count as u64), at: asking.now, most });
    match ledger.commit(Plan { by: asking.by(), writes }).await {
        Err(CommitError::DayFull) => {
            tracing::warn!(%account, %device, count, "documents were read; the device's day is full, so nothing else says so");
        }
        written => drop(written?),
    }
    Ok(())
}
