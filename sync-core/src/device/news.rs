//! What the server sends of documents: sealed as it comes, its place among what is here worked out from the changes.

use super::apply::Applying;
use super::facade::Event;
use super::heads::moved;
use super::rows::{Base, ChangeRow, DocumentRow, PurgingDocuments};
use super::store::{Shelf, StoreError};
use crate::domain::kind::Kind;
use crate::id::{CaseId, DocumentId, Hash};
use crate::protocol::packed::dependencies;
use crate::protocol::sync::Frame;

impl Applying {
    /// The server has these changes too now, each with what it builds on.
    pub(super) async fn settle(
        &mut self,
        row: &mut DocumentRow,
        changes: Vec<(Hash, Vec<Hash>)>,
    ) -> Result<(), StoreError> {
        let mut heads = row.known_heads();
        for (hash, builds_on) in &changes {
            match moved(&heads, *hash, builds_on) {
                Some(next) => heads = next,
                None => {
                    row.server_heads = self.write.settled_heads(row).await?;
                    return Ok(());
                }
            }
        }
        if !changes.is_empty() {
            row.server_heads = heads;
        }
        Ok(())
    }

    /// The row of a document that the server sends; `None` when it is known as another one.
    async fn sent_document(
        &mut self,
        document: DocumentId,
        case: CaseId,
        kind: Kind,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let row = self.write.document(document).await?;
        let row = row.unwrap_or_else(|| DocumentRow::new(document, case, kind, false));
        if (row.case, row.kind) != (case, kind) {
            self.set_aside(document, row.case, "the server sent it as a document of another case or kind").await?;
            return Ok(None);
        }
        self.given.insert(document);
        self.write.thin::<PurgingDocuments>(|leaving| *leaving != document).await?;
        self.events.push(Event::Document { case, document });
        let place = self.came(row.place);
        Ok(Some(DocumentRow { given: true, set_aside: None, place, ..row }))
    }

    /// Seals what others did as it came; it is read when the document is opened. How many changes were new.
    pub(super) async fn news(
        &mut self,
        document: DocumentId,
        case: CaseId,
        kind: Kind,
        changes: Vec<(Hash, Vec<u8>)>,
    ) -> Result<usize, StoreError> {
        let Some(mut row) = self.sent_document(document, case, kind).await? else { return Ok(0) };
        let unsent = self.write.unsent(document).await?;
        let (mut new, mut settled) = (0, Vec::new());
        for (hash, bytes) in changes {
            let builds_on = dependencies(&bytes).unwrap_or_default();
            if self.write.put_change(&mut row, hash, bytes).await?.is_some() {
                new += 1;
                settled.push((hash, builds_on));
            } else if unsent.contains(&hash) {
                // This device's own, come back: the server has it, whatever became of the receipt.
                self.write.0.remove(Shelf::Outbox, &ChangeRow::key(document, hash)).await?;
                settled.push((hash, builds_on));
            }
        }
        self.settle(&mut row, settled).await?;
        self.write.put_document(&row).await?;
        Ok(new)
    }

    /// Seals a document that came whole. Its bytes are read when it is opened; what is typed and not sent stays on top.
    pub(super) async fn frame(&mut self, frame: Frame) -> Result<bool, StoreError> {
        let Frame { document, case, kind, heads, changes: packed } = frame;
        let Some(mut row) = self.sent_document(document, case, kind).await? else { return Ok(false) };
        // Most have none.
        let more = row.changes > 0 && {
            let unsent = self.write.unsent(document).await?;
            let changes = self.write.group::<ChangeRow>(Shelf::Change, document.as_bytes(), 0).await?;
            changes.iter().any(|(_, change)| !unsent.contains(&change.hash))
        };
        self.write.put_base(&row, &Base::of(heads.clone(), packed)).await?;
        row.server_heads = heads;
        if more {
            row.server_heads = self.write.settled_heads(&row).await?;
        }
        self.write.put_document(&row).await?;
        Ok(true)
    }
}
