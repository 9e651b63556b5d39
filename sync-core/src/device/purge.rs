//! Purging what the server orders: a case, or one document of a case that stays.
//!
//! Nothing goes before everything typed and asked in it was sent, for what was typed too late waits in the server's
//! quarantine, and what was asked too late the server has refused and kept. Meanwhile it is shown
//! to nobody. That it is gone is told with every request until the server has answered one.

use std::collections::BTreeSet;

use super::apply::Applying;
use super::facade::Event;
use super::rows::{
    AskedRow, Base, Carries, DocumentRow, Kept, Notice, NoticeRow, Orders, OutboxAsk, OutboxRow, PhotoRow, Purged,
    PurgedDocuments, Purging, PurgingDocuments, Reader, Unconfirmed, Wants, Writer, from_bytes, group,
};
use super::store::{Shelf, StoreError};
use super::sync::SyncReport;
use crate::id::{CaseId, DocumentId};
use crate::protocol::ask::Answer;
use crate::protocol::sync::{Purge, PurgeReason};
use crate::protocol::{Ask, CaseCard, Request};

/// What is to be purged once what was typed in it is handed in; until then it is shown to nobody.
pub(super) struct Leaving {
    cases: Vec<CaseId>,
    documents: Vec<DocumentId>,
}

impl Leaving {
    pub(super) fn holds(&self, case: CaseId, document: DocumentId) -> bool {
        self.cases.contains(&case) || self.documents.contains(&document)
    }

    /// Whether what is asked is about any of it.
    pub(super) fn concerns(&self, ask: &Ask) -> bool {
        self.cases.contains(&ask.case) || ask.request.document().is_some_and(|about| self.documents.contains(&about))
    }
}

macro_rules! leaving {
    ($over:ty) => {
        impl $over {
            pub(super) async fn leaving(&mut self) -> Result<Leaving, StoreError> {
                let cases = self.single::<Purging>().await?.unwrap_or_default().0;
                let documents = self.single::<PurgingDocuments>().await?.unwrap_or_default().0;
                Ok(Leaving { cases, documents })
            }
        }
    };
}

leaving!(Reader<'_>);
leaving!(Writer);

impl Applying {
    pub(super) async fn is_to_go(&mut self, order: Purge) -> Result<(), StoreError> {
        self.write.thin::<Orders>(|known| (known.case, known.document) != (order.case, order.document)).await?;
        match order.document {
            Some(document) => self.document_is_to_go(document, order).await,
            None => self.case_is_to_go(order.case, order).await,
        }
    }

    async fn case_is_to_go(&mut self, case: CaseId, order: Purge) -> Result<(), StoreError> {
        let card = self.write.0.get(Shelf::Card, case.as_bytes()).await?.is_some();
        let rows = self.write.group::<DocumentRow>(Shelf::Document, case.as_bytes(), 0).await?;
        if card || !rows.is_empty() {
            for (_, row) in rows.into_iter().filter(|(_, row)| row.given) {
                self.write.put_document(&DocumentRow { given: false, ..row }).await?;
            }
            self.write.enlist::<Orders>(order).await?;
            return self.write.enlist::<Purging>(case).await;
        }
        // Gone before, and told only if the server does not know.
        if self.reported.contains(&case) { Ok(()) } else { self.write.enlist::<Purged>(case).await }
    }

    /// Whatever is here: also what the server doesn't know to be, and what has lost its card.
    pub(super) async fn everything_is_to_go(&mut self, reason: PurgeReason) -> Result<(), StoreError> {
        let cards = self.write.whole_shelf::<CaseCard>(Shelf::Card).await?;
        let mut cases: BTreeSet<CaseId> = cards.into_iter().map(|(_, card)| card.case).collect();
        for (_, bytes) in self.write.0.all(Shelf::Document, u32::MAX).await? {
            // Beside them lie documents as they were saved.
            cases.extend(from_bytes::<DocumentRow>(&bytes).ok().map(|row| row.case));
        }
        for case in cases {
            self.is_to_go(Purge { case, document: None, reason }).await?;
        }
        self.everything = true;
        Ok(())
    }

    /// After a new enrolment and once all has come: the cases that were here before and did not come again. One that the
    /// server still has to be asked to open waits for its answer.
    pub(super) async fn unconfirmed_is_to_go(&mut self) -> Result<(), StoreError> {
        let Some(Unconfirmed(cases)) = self.write.single().await? else { return Ok(()) };
        let waiting = self.write.group::<OutboxRow>(Shelf::Outbox, group::ASKS, 0).await?;
        let opens = |row: &OutboxRow| matches!(row, OutboxRow::Ask(OutboxAsk { ask, .. }) if matches!(ask.request, Request::OpenCase(_)));
        let opening: Vec<CaseId> = waiting.iter().filter(|(_, row)| opens(row)).map(|(_, row)| row.case()).collect();
        for case in cases.into_iter().filter(|case| !opening.contains(case)) {
            self.is_to_go(Purge { case, document: None, reason: PurgeReason::Ended }).await?;
        }
        self.write.remove_single::<Unconfirmed>().await
    }

    async fn document_is_to_go(&mut self, document: DocumentId, order: Purge) -> Result<(), StoreError> {
        // What the same reply gives is not lost: the server asks again where it meant to take it.
        if self.given.contains(&document) {
            return Ok(());
        }
        if let Some(row) = self.write.document(document).await? {
            self.write.put_document(&DocumentRow { given: false, ..row }).await?;
            self.write.enlist::<Orders>(order).await?;
            return self.write.enlist::<PurgingDocuments>(document).await;
        }
        if self.reported_documents.contains(&document) {
            return Ok(());
        }
        self.write.enlist::<PurgedDocuments>(document).await
    }

    /// Destroys what is to go, as far as everything typed in it has been handed in.
    pub(super) async fn purge_what_is_handed_in(&mut self, done: &mut SyncReport) -> Result<(), StoreError> {
        let cases = self.write.single::<Purging>().await?.unwrap_or_default().0;
        let documents = self.write.single::<PurgingDocuments>().await?.unwrap_or_default().0;
        if cases.is_empty() && documents.is_empty() && !self.everything {
            return Ok(());
        }
        let waiting = self.write.whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let unsent: Vec<OutboxRow> = waiting
            .into_iter()
            .filter(|(_, row)| match row {
                OutboxRow::Change(change) => !change.sent,
                // One that the server answered is here no more.
                OutboxRow::Ask(ask) => !ask.received,
            })
            .map(|(_, row)| row)
            .collect();
        // Documents first: a case takes all that is its own with it.
        for document in documents {
            if !unsent.iter().any(|row| row.document() == Some(document)) {
                self.purge_document(document, done).await?;
            }
        }
        for case in cases {
            if !unsent.iter().any(|row| row.case() == case) {
                self.purge_case(case, done).await?;
            }
        }
        if self.everything {
            // Of a case that nothing here names any more, too.
            let waiting: Vec<CaseId> = unsent.iter().map(OutboxRow::case).collect();
            self.write.0.purge_cases_but(&waiting).await?;
        }
        Ok(())
    }

    /// Why it goes, as the last order said.
    async fn reason(&mut self, case: CaseId, document: Option<DocumentId>) -> Result<PurgeReason, StoreError> {
        let orders = self.write.single::<Orders>().await?.unwrap_or_default().0;
        let order = orders.iter().find(|order| (order.case, order.document) == (case, document));
        let reason = order.map_or(PurgeReason::Ended, |order| order.reason);
        self.write.thin::<Orders>(|order| (order.case, order.document) != (case, document)).await?;
        Ok(reason)
    }

    async fn purge_case(&mut self, case: CaseId, done: &mut SyncReport) -> Result<(), StoreError> {
        let mut photos = 0;
        for (_, row) in self.write.group::<DocumentRow>(Shelf::Document, case.as_bytes(), 0).await? {
            photos += self.write.forget_photos(row.document).await?;
        }
        let asks = self.write.asked_in_vain(|ask| ask.case == case).await?;
        let reason = self.reason(case, None).await?;
        self.write.0.purge_case(case).await?;
        self.write.thin::<Carries>(|carried| *carried != case).await?;
        self.write.thin::<Purging>(|leaving| *leaving != case).await?;
        self.write.enlist::<Purged>(case).await?;
        // The id says nothing of the client; the notice outlasts the case.
        self.write.notice(None, self.at, Notice::Purged { case, photos, reason, asks }).await?;
        self.events.extend([Event::Purged { case }, Event::Notice]);
        done.purged.push(case);
        Ok(())
    }

    async fn purge_document(&mut self, document: DocumentId, done: &mut SyncReport) -> Result<(), StoreError> {
        self.write.thin::<PurgingDocuments>(|leaving| *leaving != document).await?;
        self.write.enlist::<PurgedDocuments>(document).await?;
        // It went with its case.
        let Some(DocumentRow { case, kind, .. }) = self.write.document(document).await? else { return Ok(()) };
        let reason = self.reason(case, Some(document)).await?;
        let photos = self.write.forget_photos(document).await?;
        let asks = self.write.asked_in_vain(|ask| ask.request.document() == Some(document)).await?;
        self.write.forget_document(document).await?;
        let notice = Notice::PurgedDocument { case, document, kind, photos, reason, asks };
        self.write.notice(Some(case), self.at, notice).await?;
        self.events.extend([Event::Document { case, document }, Event::Notice]);
        done.purged_documents.push(document);
        Ok(())
    }
}

impl Writer {
    /// Removes a document's photos; how many of them no server has taken.
    async fn forget_photos(&mut self, document: DocumentId) -> Result<u32, StoreError> {
        let photos = self.group::<PhotoRow>(Shelf::Photo, document.as_bytes(), 0).await?;
        for shelf in [Shelf::Photo, Shelf::PhotoBytes] {
            self.0.remove_group(shelf, document.as_bytes()).await?;
        }
        self.thin::<Wants>(|(wanted, _)| *wanted != document).await?;
        let lost = photos.iter().filter(|(_, photo)| photo.kept == Kept::OnThisDevice).count();
        Ok(u32::try_from(lost).unwrap_or(u32::MAX))
    }

    /// How much of what was asked about it was refused: what tells of each goes with it.
    async fn asked_in_vain(&mut self, about: impl Fn(&Ask) -> bool) -> Result<u32, StoreError> {
        let asked = self.group::<AskedRow>(Shelf::Notice, group::ASKED, 0).await?;
        let refused = |row: &AskedRow| row.verdict.as_ref().is_some_and(|verdict| verdict.answer != Answer::Granted);
        let asks = asked.iter().filter(|(_, row)| about(&row.ask) && refused(row)).count();
        Ok(u32::try_from(asks).unwrap_or(u32::MAX))
    }

    /// Removes all of a document but its receipts, and that it was read, until that is handed in.
    async fn forget_document(&mut self, document: DocumentId) -> Result<(), StoreError> {
        for shelf in [Shelf::Change, Shelf::Outbox] {
            self.0.remove_group(shelf, document.as_bytes()).await?;
        }
        let asks = self.group::<OutboxRow>(Shelf::Outbox, group::ASKS, 0).await?;
        let asks: Vec<i64> = asks.iter().filter(|(_, row)| row.document() == Some(document)).map(|(n, _)| *n).collect();
        self.0.remove_these(Shelf::Outbox, &asks).await?;
        let asked = self.group::<AskedRow>(Shelf::Notice, group::ASKED, 0).await?;
        let asked = asked.iter().filter(|(_, row)| row.ask.request.document() == Some(document)).map(|(n, _)| *n);
        let told = self.group::<NoticeRow>(Shelf::Notice, group::NOTICES, 0).await?;
        let told = told.iter().filter(|(_, row)| row.notice.repeats() == Some(document)).map(|(n, _)| *n);
        self.0.remove_these(Shelf::Notice, &asked.chain(told).collect::<Vec<_>>()).await?;
        self.forget_refused(document).await?;
        self.remove_snapshot(document).await?;
        self.0.remove(Shelf::Document, &Base::key(document)).await?;
        self.count(document, None).await?;
        self.0.remove(Shelf::Document, document.as_bytes()).await?;
        // The case's key stays, so what it sealed must be gone itself.
        self.0.leave_no_trace()
    }
}
