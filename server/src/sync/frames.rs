//! Documents whole, as they travel to a device that is new to them: packed once, kept until they have grown.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{CaseId, DocumentId, Hash, Heads};
use sync_core::protocol::packed::dependencies;
use sync_core::protocol::{Known, Packed};

use crate::storage::ledger::{ChangeRow, DocumentRow, Ledger, Write};
use crate::storage::{StorageError, blocking};

/// The frames of some cases.
#[derive(Default)]
pub(super) struct Frames {
    kept: BTreeMap<DocumentId, (Heads, Packed)>,
    /// Those that had to be made, to be kept.
    pub(super) made: Vec<Write>,
}

impl Frames {
    pub(super) async fn of<L: Ledger>(ledger: &L, cases: &[CaseId]) -> Result<Self, StorageError> {
        let kept = ledger.frames_of(cases).await?.into_iter();
        let kept = kept.map(|(document, heads, packed)| (document, (heads, Packed::kept(packed))));
        Ok(Self { kept: kept.collect(), made: Vec::new() })
    }

    /// A document's heads and changes; `None` while it has nothing but its skeleton.
    pub(super) async fn take<L: Ledger>(
        &mut self,
        ledger: &L,
        row: &DocumentRow,
    ) -> Result<Option<(Heads, Packed)>, StorageError> {
        if let Some(kept) = self.kept.remove(&row.document) {
            return Ok(Some(kept));
        }
        let changes = ledger.changes(row.document, 0).await?;
        if changes.is_empty() {
            return Ok(None);
        }
        let kind = row.kind;
        let (heads, packed) = blocking(move || {
            let heads = heads_of(&changes);
            let raw: Vec<Vec<u8>> = changes.into_iter().map(|change| change.bytes).collect();
            Ok((heads, Packed::pack(&raw, &Known::news(kind))))
        })
        .await?;
        // It may have grown since its row was read: then it is no frame of that version.
        if heads == row.heads {
            let (document, case, version) = (row.document, row.case, row.version);
            self.made.push(Write::Frame { document, case, version, packed: packed.as_bytes().to_vec() });
        }
        Ok(Some((heads, packed)))
    }
}

/// What none of these changes builds on, sorted.
fn heads_of(changes: &[ChangeRow]) -> Heads {
    let mut heads: BTreeSet<Hash> = changes.iter().map(|change| change.hash).collect();
    for hash in changes.iter().flat_map(|change| dependencies(&change.bytes).unwrap_or_default()) {
        heads.remove(&hash);
    }
    heads.into_iter().collect()
}
