//! Who read what, by their device's word.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::SyncRequest;

use super::Speaker;
use crate::asks::Asking;
use crate::reach::Reach;
use crate::storage::StorageError;
use crate::storage::ledger::{Ledger, RelationRow};

/// Tells the log what was read: a line for each document that the device carries, or that its person might read when
/// they say that they did. Of any other the device knows nothing, and its word would be somebody's name on what they
/// never saw.
pub(super) async fn note<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    request: &SyncRequest,
) -> Result<(), StorageError> {
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
    for row in rows {
        let Some(times) = reads.remove(&row.document) else { continue };
        let of_case = relations.get(&row.case).map_or(&[][..], Vec::as_slice);
        let might = |at: &Timestamp| Reach::of(speaker.person, of_case.to_vec(), *at).may(&row, Action::Read);
        if !carried.contains(&row.document) && !times.iter().any(might) {
            continue;
        }
        // Until the audit log has rows of its own, the log is where a reading is kept: ids only, no names.
        let (document, count) = (row.document, times.len());
        let [first, last] = [times.first(), times.last()].map(|at| at.copied().unwrap_or(asking.now));
        tracing::info!(%account, %device, %document, %first, %last, count, "a document was read");
    }
    Ok(())
}
