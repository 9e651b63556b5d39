//! Applying a reply part by part, as they come: every effect of a part in one transaction, so that a part is on the device
//! whole or not at all. What a cut leaves of the others, the next request goes on from.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::error::DeviceError;
use super::facade::{Device, Event};
use super::lease::Contacted;
use super::rows::{
    AskedRow, Backed, Base, Bearer, ChangeRow, Contact, DocumentRow, Dropped, Enrolment, Kept, Notice, NoticeRow,
    OutboxAsk, OutboxChange, OutboxRow, Pending, PhotoRow, Purged, PurgedDocuments, Purging, PurgingDocuments,
    Snapshot, Unconfirmed, Wants, Writer, group, to_bytes,
};
use super::store::{Shelf, StoreError};
use super::sync::{Round, SyncReport};
use crate::clock::Stamp;
use crate::engine::{Effect, Reply};
use crate::envelope::Sender;
use crate::id::{CaseId, DocumentId, Hash, Heads};
use crate::protocol::ask::Answer;
use crate::protocol::sync::{Frame, Position, Progress};
use crate::protocol::{CarriedDigest, CaseCard, Place, Verdict};

/// A reply being applied.
pub(super) struct Applying {
    pub(super) write: Writer,
    pub(super) at: Stamp,
    /// Where the server's knowledge that comes with this ends.
    place: Option<Place>,
    pub(super) events: Vec<Event>,
    /// Cases whose card came.
    carded: Vec<CaseId>,
    /// Documents that a card lists or that have news.
    pub(super) given: BTreeSet<DocumentId>,
    /// Cases in which something was granted.
    granted: Vec<CaseId>,
    offset: Option<i64>,
    /// Purges that the request reported.
    pub(super) reported: Vec<CaseId>,
    /// Purges of single documents that it reported.
    pub(super) reported_documents: Vec<DocumentId>,
    /// Rows of the outbox that the request carried.
    pub(super) sent: Vec<i64>,
    /// How the server names this device's changes.
    pub(super) sender: Sender,
    /// The server's sum of what is carried, where it is not this device's.
    differs: Option<CarriedDigest>,
    /// Nothing of any case is to stay.
    pub(super) everything: bool,
    /// Whose device it is by now, where their role or organisation changed.
    moved: Option<Enrolment>,
}

impl Device {
    /// Applies a part of a reply, and says what it leaves open. The first part answers `pending`.
    pub(super) async fn apply(
        &self,
        pending: Option<Pending>,
        reply: Reply,
        report: &mut SyncReport,
    ) -> Result<Round, DeviceError> {
        let _edits = self.editing.lock().await;
        let write = Writer::begin(&self.store).await?;
        let mut applying = Applying {
            write,
            at: self.stamp(),
            place: reply.place,
            events: Vec::new(),
            carded: Vec::new(),
            given: BTreeSet::new(),
            granted: Vec::new(),
            offset: None,
            reported: Vec::new(),
            reported_documents: Vec::new(),
            sent: Vec::new(),
            sender: self.enrolment()?.identity().sender,
            differs: None,
            everything: false,
            moved: None,
        };
        let mut done = SyncReport::default();
        if let Some(pending) = pending {
            applying.answered(pending).await?;
        }
        let all_came = !reply.more && reply.effects.iter().any(|effect| matches!(effect, Effect::Cursor(_)));
        applying.look_ahead(&reply.effects).await?;
        for effect in reply.effects {
            applying.effect(effect, &mut done).await?;
        }
        if all_came {
            applying.unconfirmed_is_to_go().await?;
        }
        applying.write.thin::<Purged>(|case| !applying.reported.contains(case)).await?;
        let reported = &applying.reported_documents;
        applying.write.thin::<PurgedDocuments>(|document| !reported.contains(document)).await?;
        applying.purge_what_is_handed_in(&mut done).await?;
        let contacted = applying.write.single::<Contacted>().await?;
        let Applying { write, events, carded, granted, offset, differs, moved, .. } = applying;
        write.commit().await?;
        if offset.is_some() {
            self.count_on(contacted);
            *self.offset.write().unwrap_or_else(PoisonError::into_inner) = offset;
        }
        let has_moved = moved.is_some();
        if let Some(enrolment) = moved {
            *self.enrolled.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(enrolment));
        }
        for event in events {
            self.tell(event);
        }
        report.receipted += done.receipted;
        report.news += done.news;
        report.changes += done.changes;
        report.cards += done.cards;
        report.granted += done.granted;
        report.denied += done.denied;
        report.refused.extend(done.refused);
        report.purged.extend(done.purged);
        report.purged_documents.extend(done.purged_documents);
        let differs = differs.filter(|_| !reply.more);
        Ok(Round { more: reply.more, granted, carded, differs, moved: has_moved, ..Round::default() })
    }
}

impl Applying {
    /// The request was answered: it is not sent again.
    async fn answered(&mut self, pending: Pending) -> Result<(), StoreError> {
        let sent = self.write.these(Shelf::Outbox, &pending.outbox).await?;
        self.were_sent(sent, true).await?;
        self.sent = pending.outbox;
        self.write.0.remove_these(Shelf::ReadLog, &pending.reads).await?;
        self.write.thin::<Dropped>(|case| !pending.dropped.contains(case)).await?;
        self.reported = pending.purged;
        self.reported_documents = pending.purged_documents;
        self.write.remove_single::<Pending>().await
    }

    /// Whether a reply to a request with these rows of the outbox has come.
    pub(super) async fn were_sent(&mut self, rows: Vec<(i64, OutboxRow)>, sent: bool) -> Result<(), StoreError> {
        for (_, row) in rows {
            if let OutboxRow::Change(change) = row {
                let row = OutboxRow::Change(OutboxChange { sent, ..change });
                self.write.put_outbox(&row.key(), &row).await?;
            }
        }
        Ok(())
    }

    /// Reads at once the rows that the effects will ask for: a caseload, or the receipts of an evening, bring hundreds.
    async fn look_ahead(&mut self, effects: &[Effect]) -> Result<(), StoreError> {
        let (mut cards, mut documents, mut whole, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Card(card) => {
                    cards.push(card.case.as_bytes().to_vec());
                    documents.extend(card.documents.iter().map(|listed| listed.document.as_bytes().to_vec()));
                }
                Effect::Frame(Frame { document, .. }) => {
                    documents.push(document.as_bytes().to_vec());
                    whole.push(*document);
                }
                Effect::News { document, changes: came, .. } => {
                    documents.push(document.as_bytes().to_vec());
                    changes.extend(came.iter().map(|(hash, _)| ChangeRow::key(*document, *hash)));
                }
                Effect::Receipted { document, .. } => documents.push(document.as_bytes().to_vec()),
                _ => {}
            }
        }
        for (shelf, keys) in [(Shelf::Card, cards), (Shelf::Document, documents), (Shelf::Change, changes)] {
            self.write.0.under(shelf, &keys).await?;
        }
        let mut new = Vec::new();
        for document in whole {
            // Of one that is here they may be large, or damaged: what comes whole takes their place unread.
            if self.write.document(document).await?.is_none() {
                new.extend([Base::key(document), Snapshot::key(document)]);
            }
        }
        self.write.0.under(Shelf::Document, &new).await.map(drop)
    }

    async fn effect(&mut self, effect: Effect, done: &mut SyncReport) -> Result<(), StoreError> {
        match effect {
            Effect::Contact { epoch, at, offset } => {
                self.write.put_single(&Contact { epoch, at, offset }).await?;
                if self.write.single::<Backed>().await?.is_some_and(|backed| backed.place.epoch != epoch) {
                    // What another life of the server was backed up with says nothing of this one.
                    self.write.remove_single::<Backed>().await?;
                }
                self.write.heard(self.at.claimed, None).await?;
                self.offset = Some(offset);
                self.events.push(Event::Contact { at });
            }
            Effect::Receipts(proof) => {
                // Under the store's key: the proof outlasts the case.
                self.write.0.append(Shelf::Receipt, None, group::RECEIPTS, &to_bytes(&proof)).await?;
            }
            Effect::Receipted { document, heads, place } => {
                done.receipted += self.receipted(document, heads, place).await?;
            }
            Effect::PhotoReceipted { document, hash, place } => self.photo_receipted(document, hash, place).await?,
            Effect::BackedUp { place, digest } => self.write.put_single(&Backed { place, digest }).await?,
            Effect::AskReceived(ask) => {
                if let Some(OutboxRow::Ask(waiting)) = self.write.row(Shelf::Outbox, ask.as_bytes()).await? {
                    let row = OutboxRow::Ask(OutboxAsk { received: true, ..waiting });
                    self.write.put_outbox(&row.key(), &row).await?;
                }
            }
            Effect::Refused(refused) => self.refused(refused, done).await?,
            Effect::Verdict(verdict) => self.verdict(verdict, done).await?,
            Effect::Card(card) => {
                done.cards += 1;
                self.card(&card).await?;
            }
            Effect::News { document, case, kind, changes } => {
                let taken = self.news(document, case, kind, changes).await?;
                done.news += usize::from(taken > 0);
                done.changes += taken;
            }
            Effect::Damaged { document, case } => {
                self.set_aside(document, case, "the server sent something that is no change").await?;
            }
            Effect::Frame(frame) => done.news += usize::from(self.frame(frame).await?),
            Effect::Purge(order) => self.is_to_go(order).await?,
            Effect::PurgeAll(reason) => self.everything_is_to_go(reason).await?,
            Effect::PhotoWants(wanted) => {
                let mut wants = self.write.single::<Wants>().await?.unwrap_or_default();
                for (document, hash) in wanted {
                    let here = self.write.0.get(Shelf::Photo, &PhotoRow::key(document, hash)).await?.is_some();
                    if here && !wants.0.contains(&(document, hash)) {
                        wants.0.push((document, hash));
                    }
                }
                self.write.put_single(&wants).await?;
            }
            Effect::Bearer(bearer) => self.write.put_single(&Bearer(bearer)).await?,
            Effect::Progress(progress) => self.write.put_single(&progress).await?,
            Effect::Cursor(cursor) => {
                self.write.put_single(&cursor).await?;
                self.write.remove_single::<Progress>().await?;
            }
            Effect::Position(position) => self.position(position).await?,
            Effect::Lease(hours) => self.write.heard(self.at.claimed, Some(hours)).await?,
            Effect::Digest(theirs) => {
                let ours = self.write.carried().await?.0;
                self.differs = (theirs != ours).then_some(theirs);
            }
        }
        Ok(())
    }

    /// What is made from now on is judged by their role of now, and signed in the name of their organisation of now.
    async fn position(&mut self, position: Position) -> Result<(), StoreError> {
        let Position { role, organisation } = position;
        let before = self.write.single::<Enrolment>().await?;
        let Some(before) = before.filter(|before| (before.role, before.organisation) != (role, organisation)) else {
            return Ok(());
        };
        let enrolment = Enrolment { role, organisation, ..before };
        self.write.put_single(&enrolment).await?;
        self.moved = Some(enrolment);
        Ok(())
    }

    /// Where what comes with this reply lies, at the latest, with what came `before`. What was read for it a moment after
    /// its place is news again of the next.
    pub(super) fn came(&self, before: Option<Place>) -> Option<Place> {
        self.place.map(|place| Place { n: place.n.saturating_add(1), ..place }.or_later(before))
    }

    /// Changes up to these heads are fsynced: their intentions are no longer needed. How many there were.
    async fn receipted(
        &mut self,
        document: DocumentId,
        heads: Heads,
        place: Option<Place>,
    ) -> Result<usize, StoreError> {
        let Some(mut row) = self.write.document(document).await? else { return Ok(0) };
        let waiting = self.write.group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?;
        let is_head = |row: &OutboxRow| matches!(row, OutboxRow::Change(change) if heads.contains(&change.hash));
        let count = waiting.iter().rposition(|(_, row)| is_head(row)).map_or(0, |last| last + 1);
        for (_, waiting) in &waiting[..count] {
            self.write.0.remove(Shelf::Outbox, &waiting.key()).await?;
        }
        let builds_on = waiting[..count].iter().map(|(_, row)| match row {
            OutboxRow::Change(change) => (change.hash, change.base.clone()),
            OutboxRow::Ask(ask) => (Hash::of(ask.ask.id.as_bytes()), Vec::new()),
        });
        self.settle(&mut row, builds_on.collect()).await?;
        if count > 0 {
            row.fruitless = 0;
        }
        if count == waiting.len() {
            row.refused = None;
            row.singly = false;
        }
        row.receipted = heads;
        row.place = place.map(|place| place.or_later(row.place));
        self.write.put_document(&row).await?;
        self.events.push(Event::Document { case: row.case, document });
        Ok(count)
    }

    async fn photo_receipted(
        &mut self,
        document: DocumentId,
        hash: Hash,
        place: Option<Place>,
    ) -> Result<(), StoreError> {
        let key = PhotoRow::key(document, hash);
        if let Some(row) = self.write.row::<PhotoRow>(Shelf::Photo, &key).await? {
            self.write.put_photo(&PhotoRow { kept: Kept::ServerHas, place, ..row }).await?;
            self.events.push(Event::Photo { document, hash });
        }
        Ok(())
    }

    async fn verdict(&mut self, verdict: Verdict, done: &mut SyncReport) -> Result<(), StoreError> {
        self.write.0.remove(Shelf::Outbox, verdict.ask.as_bytes()).await?;
        let asked = self.write.row::<AskedRow>(Shelf::Notice, verdict.ask.as_bytes()).await?;
        // Of a case that was purged, or told before.
        let Some(mut asked) = asked.filter(|asked| asked.verdict.is_none()) else { return Ok(()) };
        let case = asked.ask.case;
        match &verdict.answer {
            Answer::Granted => {
                done.granted += 1;
                self.granted.push(case);
            }
            Answer::Refused(reason) => {
                done.denied += 1;
                let (ask, document) = (asked.ask.request.name().to_owned(), asked.ask.request.document());
                let notice = Notice::AskRefused { ask, document, reason: reason.clone() };
                self.write.notice(Some(case), self.at, notice).await?;
                self.events.push(Event::Notice);
            }
        }
        let ask = verdict.ask;
        asked.verdict = Some(verdict);
        self.write.0.put(Shelf::Notice, Some(case), group::ASKED, ask.as_bytes(), &to_bytes(&asked)).await?;
        self.events.push(Event::Verdict { ask });
        Ok(())
    }

    async fn card(&mut self, card: &CaseCard) -> Result<(), StoreError> {
        let case = card.case;
        if let Some(before) = self.write.row::<CaseCard>(Shelf::Card, case.as_bytes()).await? {
            self.shows_no_more(&before, card).await?;
        }
        self.write.0.put(Shelf::Card, Some(case), group::CARDS, case.as_bytes(), &to_bytes(card)).await?;
        // Planned documents are there from now on, in the card's order.
        for listed in &card.documents {
            let row = self.write.document(listed.document).await?;
            let row = row.unwrap_or_else(|| DocumentRow::new(listed.document, case, listed.kind, false));
            if !row.given {
                self.write.put_document(&DocumentRow { given: true, ..row }).await?;
            }
        }
        self.write.thin::<Purging>(|leaving| *leaving != case).await?;
        self.write.thin::<Unconfirmed>(|known| *known != case).await?;
        self.given.extend(card.documents.iter().map(|listed| listed.document));
        self.write.thin::<PurgingDocuments>(|leaving| !self.given.contains(leaving)).await?;
        self.carded.push(case);
        self.events.push(Event::Card { case });
        Ok(())
    }

    /// Destroys what the card of `before` showed and that of `now` does not: signed versions that were withdrawn, a home
    /// that is no longer released or has other readings, particulars of the client, and the photos that were fetched
    /// because it showed them.
    async fn shows_no_more(&mut self, before: &CaseCard, now: &CaseCard) -> Result<(), StoreError> {
        let signed = |card: &CaseCard| -> BTreeSet<(DocumentId, u32)> {
            let signed = card.prescriptions.iter().filter_map(|prescription| prescription.signed.as_ref());
            signed.map(|signed| (signed.header.prescription, signed.header.number)).collect()
        };
        let home = before.home.is_some() && before.home != now.home;
        let mut gone = !signed(before).is_subset(&signed(now)) || home || before.client != now.client;
        let shown = now.photos();
        for (document, hash) in before.photos() {
            let readable = now.documents.iter().any(|listed| listed.document == document);
            if readable || shown.contains(&(document, hash)) {
                continue;
            }
            let key = PhotoRow::key(document, hash);
            gone |= self.write.0.remove(Shelf::Photo, &key).await?;
            self.write.0.remove(Shelf::PhotoBytes, &key).await?;
        }
        // The case's key stays, so what it sealed must be gone itself.
        if gone { self.write.0.leave_no_trace() } else { Ok(()) }
    }

    /// Says what is wrong with a document, and tells its person once: again only when it has been well in between.
    pub(super) async fn set_aside(&mut self, document: DocumentId, case: CaseId, why: &str) -> Result<(), StoreError> {
        let notice = Notice::SetAside { document, why: why.to_owned() };
        let told = match self.write.document(document).await? {
            Some(row) if row.set_aside.as_deref() == Some(why) => true,
            Some(row) => {
                self.write.put_document(&DocumentRow { set_aside: Some(why.to_owned()), ..row }).await?;
                false
            }
            None => {
                let told = self.write.group::<NoticeRow>(Shelf::Notice, group::NOTICES, 0).await?;
                told.iter().any(|(_, row)| row.notice == notice)
            }
        };
        if !told {
            self.write.notice(Some(case), self.at, notice).await?;
            self.events.push(Event::Notice);
        }
        Ok(())
    }
}
