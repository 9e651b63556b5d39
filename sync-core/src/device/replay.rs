//! Doing refused work again: on top of what the server has, by a new actor, intention by intention.
//!
//! A refused change blocks every later one of its actor, though most of them were right. So this device's unsent changes
//! of the document leave the shelf, and what each was meant to do is done again, judged as if it were typed now, with the
//! time and (unless somebody took them) the record keys it had. What can't be done again is kept for its person to
//! read. All of it is one transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::Maker;
use super::error::DeviceError;
use super::facade::{Device, Event};
use super::redo::{Barred, Redoing, Redone, Remade, barred};
use super::rows::{
    Anew, Base, ChangeRow, Counters, DocumentRow, Notice, OutboxAsk, OutboxChange, OutboxRow, PhotoRow, RefusedWork,
    Writer, bytes_of, off_thread,
};
use super::store::{Shelf, StoreError};
use super::sync::{SyncReport, changed_by};
use crate::domain::document::{Document, Unreadable};
use crate::guard::{Refusal, take_in};
use crate::id::{DocumentId, Hash, Heads, QuarantineId};
use crate::protocol::Ask;
use crate::protocol::ask::Request;

/// A document's row as it will be, and where the server keeps what it refused.
struct Begun {
    row: DocumentRow,
    quarantine: Option<QuarantineId>,
}

impl Device {
    /// Does again what the server refused, once for each document in a sync.
    pub(super) async fn replay_refused(
        &self,
        replayed: &mut BTreeSet<DocumentId>,
        report: &mut SyncReport,
    ) -> Result<(), DeviceError> {
        if self.reader().single::<Anew>().await?.is_some() {
            return Ok(());
        }
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let changed = self.reader().documents(&changed_by(&waiting)).await?;
        let refused = |document: &DocumentId, row: &DocumentRow| row.refused.is_some() && !replayed.contains(document);
        let due = changed.into_iter().filter(|(document, row)| refused(document, row)).map(|(document, _)| document);
        for document in due.collect::<Vec<_>>() {
            replayed.extend(self.replay(BTreeSet::from([document]), report).await?);
        }
        Ok(())
    }

    /// After a new enrolment, and once the server has told all it has: does again what did not come back from it. Whether
    /// there was one.
    pub(super) async fn replay_anew(&self, report: &mut SyncReport) -> Result<bool, DeviceError> {
        if self.reader().single::<Anew>().await?.is_none() {
            return Ok(false);
        }
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let documents = waiting.into_iter().filter_map(|(_, row)| Some(row.intended()?.document));
        self.replay(documents.collect(), report).await?;
        Ok(true)
    }

    /// Does the unsent work of these documents again; of which it did. What belongs to a document that leaves the device,
    /// or can't be read, stays as it is. So does a document with work that can't be done again and that the server never
    /// got: it is handed in first, to be put aside there, for what is kept here alone goes with its case.
    pub(super) async fn replay(
        &self,
        mut documents: BTreeSet<DocumentId>,
        report: &mut SyncReport,
    ) -> Result<BTreeSet<DocumentId>, DeviceError> {
        let _one = self.editing.lock().await;
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let waiting: Vec<OutboxChange> = waiting.into_iter().filter_map(|(_, row)| row.intended()).collect();
        let used = self.reader().single::<Counters>().await?.unwrap_or_default().key;
        loop {
            let (mut begun, mut redoing) = (BTreeMap::new(), BTreeMap::new());
            for document in &documents {
                if let Some((kept, doing)) = self.begin_again(*document).await? {
                    begun.insert(*document, kept);
                    redoing.insert(*document, doing);
                }
            }
            let waiting = waiting.clone();
            let redone = off_thread(move || {
                let mut redone = Redone::behind(used);
                for change in waiting {
                    if let Some(redoing) = redoing.get_mut(&change.document) {
                        redone.again(redoing, change)?;
                    }
                }
                Ok(redone)
            });
            let redone = redone.await?;
            let unheard = redone.refused.iter().filter(|(change, _)| !change.sent).map(|(change, _)| change.document);
            let unheard: BTreeSet<DocumentId> = unheard.collect();
            if unheard.is_empty() {
                self.keep_redone(begun, redone, report).await?;
                return Ok(documents);
            }
            documents.retain(|document| !unheard.contains(document));
        }
    }

    async fn begin_again(&self, document: DocumentId) -> Result<Option<(Begun, Redoing)>, DeviceError> {
        let enrolment = self.enrolment()?;
        let mut found = match self.find(document).await {
            Ok(found) => found,
            Err(DeviceError::NoSuchDocument(_)) => return Ok(None),
            Err(other) => return Err(other),
        };
        let refused = found.row.refused.take();
        // Whatever could not be read may have been what goes now.
        found.row.set_aside = None;
        let quarantine = refused.as_ref().and_then(|refused| refused.quarantine);
        let mut barred = refused.map_or(Barred::Nothing, |refused| barred(&mut found.row, refused));
        if barred == Barred::Nothing && !found.writable() {
            barred = Barred::All(Refusal::NotAllowed);
        }
        let maker = Maker::of(&found, &enrolment);
        let waiting = self.reader().group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?;
        // What was sent again without its intention was taken once: it stays on the shelf.
        let unsent: BTreeSet<Hash> = waiting.into_iter().filter_map(|(_, row)| Some(row.intended()?.hash)).collect();
        let base: Option<Base> = self.reader().row(Shelf::Document, &Base::key(document)).await?;
        let changes = self.reader().group::<ChangeRow>(Shelf::Change, document.as_bytes(), 0).await?;
        let kind = found.row.kind;
        let read = off_thread(move || {
            let (own, settled): (Vec<_>, Vec<_>) =
                changes.into_iter().map(|(_, row)| row).partition(|row| unsent.contains(&row.hash));
            let read = || {
                let mut current = match &base {
                    Some(base) => base.open(kind)?,
                    None => Document::new(kind)?,
                };
                take_in(&mut current, &bytes_of(&settled))?;
                let mut before = current.clone();
                let before = take_in(&mut before, &bytes_of(&own)).is_ok().then_some(before);
                Ok::<_, Unreadable>((current, before))
            };
            Ok(read().ok())
        });
        let Some((current, before)) = read.await? else { return Ok(None) };
        let settled = current.heads();
        let redoing = Redoing { maker, current, before, settled, barred };
        Ok(Some((Begun { row: found.row, quarantine }, redoing)))
    }

    /// Writes what came of it, whole.
    async fn keep_redone(
        &self,
        mut begun: BTreeMap<DocumentId, Begun>,
        redone: Redone,
        report: &mut SyncReport,
    ) -> Result<(), DeviceError> {
        let mut write = Writer::begin(&self.store).await?;
        for (document, begun) in &mut begun {
            for (_, waiting) in write.group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await? {
                write.0.remove(Shelf::Outbox, &waiting.key()).await?;
                let Some(change) = waiting.intended() else { continue };
                let gone = write.0.remove(Shelf::Change, &ChangeRow::key(*document, change.hash)).await?;
                begun.row.changes = begun.row.changes.saturating_sub(u32::from(gone));
            }
            write.remove_snapshot(*document).await?;
        }
        for Remade { was, hash, bytes, base, edits, first_key } in &redone.made {
            let Some(Begun { row, .. }) = begun.get_mut(&was.document) else { continue };
            let change = write.put_change(row, *hash, bytes.clone()).await?.unwrap_or_default();
            let (base, edits, first_key) = (base.clone(), edits.clone(), *first_key);
            let waiting = OutboxChange {
                hash: *hash,
                change,
                fork: row.fork,
                base,
                edits,
                first_key,
                sent: false,
                ..was.clone()
            };
            let waiting = OutboxRow::Change(waiting);
            write.put_outbox(&waiting.key(), &waiting).await?;
        }
        let at = self.stamp();
        let mut told = BTreeSet::new();
        for (change, reason) in &redone.refused {
            let Some(Begun { row, quarantine }) = begun.get(&change.document) else { continue };
            write.put_refused(&refused_work(change, reason.clone(), *quarantine)).await?;
            // What rests on something refused is told with it.
            if *reason != Refusal::Blocked && told.insert((change.document, reason.to_string())) {
                let (reason, quarantine) = (reason.clone(), *quarantine);
                let notice = Notice::Refused { document: change.document, reason, quarantine };
                write.notice(Some(row.case), at, notice).await?;
            }
        }
        for (document, Begun { row, .. }) in &begun {
            write.move_photos(*document, &redone).await?;
            write.put_document(row).await?;
        }
        write.move_asks(&redone).await?;
        write.remove_single::<Anew>().await?;
        let mut counters = write.single::<Counters>().await?.unwrap_or_default();
        counters.key = counters.key.max(redone.used);
        write.put_single(&counters).await?;
        write.commit().await?;
        report.replayed += redone.made.len();
        for (document, Begun { row, .. }) in begun {
            self.tell(Event::Document { case: row.case, document });
        }
        if !told.is_empty() {
            self.tell(Event::Notice);
        }
        Ok(())
    }
}

fn refused_work(change: &OutboxChange, reason: Refusal, quarantine: Option<QuarantineId>) -> RefusedWork {
    let OutboxChange { document, case, hash, edits, first_key, at, .. } = change.clone();
    RefusedWork { change: hash, document, case, reason, quarantine, edits, first_key, at }
}

impl OutboxRow {
    /// A change of which it is known what it was meant to do.
    pub(super) fn intended(self) -> Option<OutboxChange> {
        match self {
            Self::Change(change) if !change.edits.is_empty() => Some(change),
            _ => None,
        }
    }
}

impl Writer {
    /// Photos are recorded by what their changes have become; one whose record was refused waits for what its person
    /// says to that.
    async fn move_photos(&mut self, document: DocumentId, redone: &Redone) -> Result<(), StoreError> {
        for (_, photo) in self.group::<PhotoRow>(Shelf::Photo, document.as_bytes(), 0).await? {
            let Some(change) = photo.recorded_by else { continue };
            let refused = redone.refused.iter().any(|(refused, _)| refused.hash == change);
            let recorded_by = if refused { None } else { redone.hashes.get(&change).copied().or(Some(change)) };
            if recorded_by != photo.recorded_by {
                self.put_photo(&PhotoRow { recorded_by, ..photo }).await?;
            }
        }
        Ok(())
    }

    /// Asks that wait speak of the versions that theirs have become.
    async fn move_asks(&mut self, redone: &Redone) -> Result<(), StoreError> {
        for (_, row) in self.group::<OutboxRow>(Shelf::Outbox, super::rows::group::ASKS, 0).await? {
            let OutboxRow::Ask(OutboxAsk { mut ask, received: false }) = row else { continue };
            let before: Ask = ask.clone();
            if let Some(heads) = heads_in(&mut ask.request) {
                redone.rename(heads);
            }
            if ask != before {
                let row = OutboxRow::Ask(OutboxAsk { ask, received: false });
                self.put_outbox(&row.key(), &row).await?;
            }
        }
        Ok(())
    }
}

/// The version that an ask is about.
fn heads_in(request: &mut Request) -> Option<&mut Heads> {
    match request {
        Request::Release { heads, .. }
        | Request::CompleteAssessment { heads, .. }
        | Request::Submit { heads, .. }
        | Request::SurveyDecision { heads, .. } => Some(heads),
        _ => None,
    }
}
