//! What the server refused: noted as it comes, done again or kept ([`super::replay`]), and shown to its person until
//! they have seen it.

use super::apply::Applying;
use super::error::DeviceError;
use super::facade::{Device, Event};
use super::rows::{
    ChangeRow, DocumentRow, OutboxChange, OutboxRow, PhotoRow, RefusedRow, RefusedWork, Writer, group, to_bytes,
};
use super::store::{Shelf, StoreError};
use super::sync::SyncReport;
use crate::domain::edit::Edit;
use crate::domain::record::Body;
use crate::envelope::actor;
use crate::guard::{Bounds, Refusal, scan};
use crate::id::{DocumentId, Hash};
use crate::protocol::sync::Refused;

impl Device {
    /// What this person did that is in no document: refused by the server, or resting on what was. Oldest first, without
    /// that of cases which the offline lease has closed.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn refused_work(&self) -> Result<Vec<RefusedWork>, DeviceError> {
        let shut = self.shut().await?;
        Ok(self.all_refused().await?.into_iter().filter(|work| !shut.holds(work.case)).collect())
    }

    pub(super) async fn all_refused(&self) -> Result<Vec<RefusedWork>, DeviceError> {
        let leaving = self.reader().leaving().await?;
        let rows = self.reader().group::<RefusedWork>(Shelf::Notice, group::REFUSED, 0).await?;
        Ok(rows.into_iter().map(|(_, work)| work).filter(|work| !leaving.holds(work.case, work.document)).collect())
    }

    /// Forgets refused work by the change that it was, once its person has seen it. What the server took to its
    /// quarantine stays there. Whether there was such work.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn dismiss_refused(&self, change: Hash) -> Result<bool, DeviceError> {
        let _one = self.editing.lock().await;
        let mut write = Writer::begin(&self.store).await?;
        let Some(work) = write.row::<RefusedWork>(Shelf::Notice, &RefusedWork::key(change)).await? else {
            return Ok(false);
        };
        write.0.remove(Shelf::Notice, &RefusedWork::key(change)).await?;
        for edit in &work.edits {
            let Edit::Add(Body::Photo(photo)) = edit else { continue };
            // Taken here and recorded nowhere: it goes with the record that it was to have.
            let key = PhotoRow::key(work.document, photo.hash);
            let row = write.row::<PhotoRow>(Shelf::Photo, &key).await?;
            if row.is_some_and(|row| row.kept == super::Kept::OnThisDevice && row.recorded_by.is_none()) {
                write.0.remove(Shelf::Photo, &key).await?;
                write.0.remove(Shelf::PhotoBytes, &key).await?;
            }
        }
        write.commit().await?;
        self.tell(Event::Document { case: work.case, document: work.document });
        Ok(true)
    }
}

impl Applying {
    pub(super) async fn refused(&mut self, refused: Refused, done: &mut SyncReport) -> Result<(), StoreError> {
        let Refused { document, reason, quarantine } = refused;
        let Some(mut row) = self.write.document(document).await? else { return Ok(()) };
        match &reason {
            // A bound of the day is no refusal: nobody has it but this device, and it goes through later. So it is not
            // handed in either, and what waits to be purged waits for it.
            Refusal::Later => {
                let waiting = self.write.group(Shelf::Outbox, document.as_bytes(), 0).await?;
                return self.were_sent(waiting, false).await;
            }
            // Nor is it one that the server lost something: it is sent again.
            Refusal::Missing { missing, .. } => return self.send_again(row, missing).await,
            // Of pushes that went singly, the first that was refused says why.
            Refusal::Blocked if row.refused.is_some() => return Ok(()),
            _ => {}
        }
        done.refused.push(document);
        let change = self.named(&row, &reason).await?;
        row.refused = Some(RefusedRow { reason, quarantine, change });
        self.write.put_document(&row).await?;
        self.events.push(Event::Document { case: row.case, document });
        Ok(())
    }

    /// The change that a refusal is about, as far as it says.
    async fn named(&mut self, row: &DocumentRow, reason: &Refusal) -> Result<Option<Hash>, StoreError> {
        let waiting = self.write.group::<OutboxRow>(Shelf::Outbox, row.document.as_bytes(), 0).await?;
        // What the same reply receipted has gone from the outbox: the first of the rest began the refused push.
        let pushed = waiting.into_iter().filter(|(n, _)| self.sent.contains(n)).filter_map(|(_, row)| match row {
            OutboxRow::Change(change) => Some(change.hash),
            OutboxRow::Ask(_) => None,
        });
        let pushed: Vec<Hash> = pushed.collect();
        let at = match reason {
            Refusal::Unfit { at, .. } | Refusal::Operation { at, .. } => usize::try_from(*at).ok(),
            _ if row.singly || pushed.len() == 1 => Some(0),
            _ => None,
        };
        Ok(at.and_then(|at| pushed.get(at)).copied())
    }

    /// The server lacks these. If one is this device's own, it hands in all of its own again: what else is missing the
    /// server would only tell one by one, and what it has it knows.
    async fn send_again(&mut self, row: DocumentRow, missing: &[Hash]) -> Result<(), StoreError> {
        let document = row.document;
        let actors: Vec<[u8; 16]> = (0..=row.fork).map(|fork| actor(&self.sender, document, fork)).collect();
        let unsent = self.write.unsent(document).await?;
        let changes = self.write.group::<ChangeRow>(Shelf::Change, document.as_bytes(), 0).await?;
        let mut again = Vec::new();
        for (n, change) in &changes {
            let Ok(read) = scan(&change.bytes, &Bounds::of_what_is_sent()) else { continue };
            let own = actors.iter().position(|actor| read.actor == *actor);
            let Some(fork) = own.filter(|_| !unsent.contains(&change.hash)) else { continue };
            again.push(OutboxChange {
                document,
                case: row.case,
                hash: change.hash,
                change: *n,
                fork: u32::try_from(fork).unwrap_or(row.fork),
                base: read.deps,
                edits: Vec::new(),
                first_key: None,
                at: self.at,
                sent: false,
            });
        }
        if !again.iter().any(|change| missing.contains(&change.hash)) {
            return Ok(());
        }
        // In the order in which they can be applied: these, then what waited.
        let waiting = self.write.group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?;
        self.write.0.remove_group(Shelf::Outbox, document.as_bytes()).await?;
        let waiting = waiting.into_iter().map(|(_, row)| row);
        for row in again.into_iter().map(OutboxRow::Change).chain(waiting) {
            self.write.put_outbox(&row.key(), &row).await?;
        }
        let server_heads = self.write.settled_heads(&row).await?;
        self.write.put_document(&DocumentRow { server_heads, ..row }).await
    }
}

impl RefusedWork {
    /// Where it lies on the shelf of notices.
    pub(super) fn key(change: Hash) -> Vec<u8> {
        [b"refused", &change.as_bytes()[..]].concat()
    }
}

impl Writer {
    pub(super) async fn put_refused(&mut self, work: &RefusedWork) -> Result<(), StoreError> {
        let key = RefusedWork::key(work.change);
        self.0.put(Shelf::Notice, Some(work.case), group::REFUSED, &key, &to_bytes(work)).await.map(drop)
    }

    /// Forgets the refused work of a document.
    pub(super) async fn forget_refused(&mut self, document: DocumentId) -> Result<(), StoreError> {
        let refused = self.group::<RefusedWork>(Shelf::Notice, group::REFUSED, 0).await?;
        let of_it: Vec<i64> = refused.iter().filter(|(_, work)| work.document == document).map(|(n, _)| *n).collect();
        self.0.remove_these(Shelf::Notice, &of_it).await.map(drop)
    }
}
