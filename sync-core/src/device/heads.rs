//! What this device has of the server's: each document's heads without unsent work, derived from the changes
//! themselves, and one sum over all documents to compare with the server's.
//!
//! Changes come in an order in which they can be applied, so one that builds on a head moves it. One that builds on none
//! may be of a branch, or lie in what came whole before; then all that is on the shelf is looked at.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::facade::Device;
use super::rows::{Base, ChangeRow, DocumentRow, OutboxRow, Writer, bytes_of, off_thread};
use super::store::{Shelf, StoreError};
use super::{DeviceError, rows};
use crate::guard::take_in;
use crate::id::{CaseId, DocumentId, Hash, Heads};
use crate::protocol::CarriedDigest;
use crate::protocol::packed::dependencies;

/// The sum over all documents that the server gave this device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Carried(#[n(0)] pub(super) CarriedDigest);

/// The heads with a change that builds on one of them; `None` where it builds on none, and more has to be looked at.
pub(super) fn moved(heads: &Heads, hash: Hash, builds_on: &[Hash]) -> Option<Heads> {
    if !builds_on.iter().any(|dependency| heads.contains(dependency)) {
        return None;
    }
    let mut next: Heads = heads.iter().copied().filter(|head| !builds_on.contains(head)).collect();
    next.push(hash);
    next.sort_unstable();
    Some(next)
}

impl DocumentRow {
    /// The heads on the server, as far as this device has them.
    pub(super) fn known_heads(&self) -> Heads {
        if self.server_heads.is_empty() { vec![self.kind.skeleton_hash()] } else { self.server_heads.clone() }
    }

    /// What it counts for in the sum.
    fn counts(&self) -> Option<Heads> {
        self.given.then(|| self.known_heads())
    }
}

impl Writer {
    /// Keeps the sum in step with a row that is written or goes.
    pub(super) async fn count(&mut self, document: DocumentId, now: Option<&DocumentRow>) -> Result<(), StoreError> {
        let before = self.document(document).await?.and_then(|row| row.counts());
        let now = now.and_then(DocumentRow::counts);
        if before == now {
            return Ok(());
        }
        let mut carried = self.carried().await?;
        if let Some(heads) = before {
            carried.0.remove(document, &heads);
        }
        if let Some(heads) = now {
            carried.0.add(document, &heads);
        }
        self.1 = Some(carried);
        Ok(())
    }

    /// The sum as it is with what this transaction did.
    pub(super) async fn carried(&mut self) -> Result<Carried, StoreError> {
        match self.1 {
            Some(carried) => Ok(carried),
            None => Ok(self.single::<Carried>().await?.unwrap_or_default()),
        }
    }

    /// The heads of all that is here of a document but this device's unsent changes.
    pub(super) async fn settled_heads(&mut self, row: &DocumentRow) -> Result<Heads, StoreError> {
        let unsent: BTreeSet<Hash> = self.unsent(row.document).await?;
        let changes = self.group::<ChangeRow>(Shelf::Change, row.document.as_bytes(), 0).await?;
        let changes: Vec<ChangeRow> =
            changes.into_iter().map(|(_, change)| change).filter(|change| !unsent.contains(&change.hash)).collect();
        let base: Option<Base> = self.row(Shelf::Document, &Base::key(row.document)).await?;
        let kind = row.kind;
        let heads = off_thread(move || Ok(heads_of(kind, base.as_ref(), &changes))).await;
        heads.map_err(|error| match error {
            DeviceError::Store(error) => error,
            // Nothing else is said by the work above.
            other => StoreError::Io(std::io::Error::other(other)),
        })
    }

    /// This device's changes of a document that wait in the outbox.
    pub(super) async fn unsent(&mut self, document: DocumentId) -> Result<BTreeSet<Hash>, StoreError> {
        let waiting = self.group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?;
        Ok(waiting
            .into_iter()
            .filter_map(|(_, row)| match row {
                OutboxRow::Change(change) => Some(change.hash),
                OutboxRow::Ask(_) => None,
            })
            .collect())
    }
}

/// The heads of a document that came whole, with these changes; of changes alone, those that nothing builds on.
fn heads_of(kind: crate::domain::kind::Kind, base: Option<&Base>, changes: &[ChangeRow]) -> Heads {
    let Some(base) = base else {
        let mut heads: BTreeSet<Hash> = changes.iter().map(|change| change.hash).collect();
        for change in changes {
            for dependency in dependencies(&change.bytes).unwrap_or_default() {
                heads.remove(&dependency);
            }
        }
        return heads.into_iter().collect();
    };
    // Which of the changes lie in it only it can tell; one that can't be read is told by the heads it came with.
    let loaded = base.open(kind).and_then(|mut document| {
        take_in(&mut document, &bytes_of(changes))?;
        Ok(document.heads())
    });
    loaded.unwrap_or_else(|_| base.heads.clone())
}

impl Device {
    /// What this device has of the server's, document by document, counted anew from the changes; `None` when the sum of
    /// it is `theirs` after all.
    pub(super) async fn recount(
        &self,
        theirs: Option<CarriedDigest>,
    ) -> Result<Option<Vec<(DocumentId, Heads)>>, DeviceError> {
        let _edits = self.editing.lock().await;
        let mut write = Writer::begin(&self.store).await?;
        let leaving = write.leaving().await?;
        let (mut carried, mut known) = (Carried::default(), Vec::new());
        for (_, card) in write.group::<crate::protocol::CaseCard>(Shelf::Card, rows::group::CARDS, 0).await? {
            let case: CaseId = card.case;
            for (_, row) in write.group::<DocumentRow>(Shelf::Document, case.as_bytes(), 0).await? {
                let listed = card.documents.iter().any(|listed| listed.document == row.document);
                if !(row.given || listed || !row.server_heads.is_empty()) || leaving.holds(case, row.document) {
                    continue;
                }
                let server_heads = write.settled_heads(&row).await?;
                let row = DocumentRow { given: true, server_heads, ..row };
                let heads = row.known_heads();
                carried.0.add(row.document, &heads);
                known.push((row.document, heads));
                write.put_document(&row).await?;
            }
        }
        write.1 = Some(carried);
        write.commit().await?;
        Ok((Some(carried.0) != theirs).then_some(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::Document;
    use crate::domain::edit::Edit;
    use crate::domain::kind::Kind;
    use crate::domain::record::SharedText;
    use crate::domain::testing::stamp;
    use crate::id::AccountId;
    use crate::protocol::{Known, Packed};

    fn write(document: &mut Document, actor: u8, words: &str) -> ChangeRow {
        let edit = Edit::Splice { text: SharedText::Summary, at: 0, delete: 0, insert: words.to_owned() };
        let by = AccountId::from_bytes([5; 16]);
        let (hash, bytes) = document.edit([actor; 16], by, stamp(), &mut std::iter::empty(), &[edit]).unwrap();
        ChangeRow { hash, bytes: bytes.into() }
    }

    #[test]
    fn heads_follow_from_the_changes_as_automerge_says_they_do() {
        let mut document = Document::new(Kind::Home).unwrap();
        let mut heads = document.heads();
        let mut changes = Vec::new();
        for words in ["a", "b", "c"] {
            let change = write(&mut document, 1, words);
            heads = moved(&heads, change.hash, &dependencies(&change.bytes).unwrap()).unwrap();
            assert_eq!(heads, document.heads());
            changes.push(change);
        }
        // A branch from the first change: it moves no head, and all changes together tell.
        let mut other = document.at(&[changes[0].hash]).unwrap();
        let branch = write(&mut other, 2, "d");
        assert_eq!(moved(&heads, branch.hash, &dependencies(&branch.bytes).unwrap()), None);
        document.apply(&[branch.bytes.as_slice()]).unwrap();
        changes.push(branch);
        assert_eq!(heads_of(Kind::Home, None, &changes), document.heads());
        // The same when the first three came whole, and one of them comes again.
        let whole = document.at(&[changes[2].hash]).unwrap();
        let raw = whole.changes_since(&[Kind::Home.skeleton_hash()]);
        let packed = Packed::pack(&raw, &Known::news(Kind::Home));
        let base = Base::of(whole.heads(), packed);
        assert_eq!(heads_of(Kind::Home, Some(&base), &changes[1..]), document.heads());
        // What came whole before documents travelled as their changes.
        let base = Base { heads: whole.heads(), saved: whole.save().into(), changes: None };
        assert_eq!(heads_of(Kind::Home, Some(&base), &changes[1..]), document.heads());
        let join = write(&mut document, 1, "e");
        assert_eq!(
            moved(&heads_of(Kind::Home, None, &changes), join.hash, &dependencies(&join.bytes).unwrap()),
            Some(document.heads())
        );
    }
}
