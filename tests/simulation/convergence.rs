//! Once all is quiet: every device that is still heard has exactly what its person may have, and what it typed is on the
//! server or was refused with a reason.

use std::collections::BTreeSet;

use grabrail_server::cards::{self, CaseRows};
use grabrail_server::documents::{self, Documents};
use grabrail_server::reach::Reach;
use grabrail_server::storage::audit::{Act, Sought, Walk};
use grabrail_server::storage::ledger::Ledger;
use sync_core::id::{AskId, CaseId, DocumentId};
use sync_core::protocol::card::CaseState;

use crate::world::World;

impl World {
    /// Whether everything has come where it belongs.
    pub(crate) async fn converged(&mut self) -> Result<(), String> {
        for who in 0..self.tablets.len() {
            let tablet = &self.tablets[who];
            let Some(row) = tablet.id.and_then(|id| self.council.device(id)) else { continue };
            let enabled = self.council.account(tablet.account).enabled;
            if row.revoked_at.is_none() && enabled {
                self.has_what_is_its_own(who).await.map_err(|what| format!("{}: {what}", self.tablets[who].name))?;
            } else if !tablet.disk.cases().is_empty() {
                return Err(format!("{} is revoked and still holds cases", tablet.name));
            }
        }
        self.log_is_whole().await
    }

    /// Whoever reads the audit log reads all that was done, and one entry follows on the other.
    async fn log_is_whole(&self) -> Result<(), String> {
        let entries = self.council.ledger.audited(&Sought::default(), 0, usize::MAX).await.unwrap();
        let mut walk = Walk::default();
        for entry in &entries {
            walk.next(&entry.to_bytes()).map_err(|broken| broken.to_string())?;
        }
        let logged: BTreeSet<AskId> = entries
            .iter()
            .filter_map(|entry| match entry.act {
                Act::Asked { ask, .. } => Some(ask),
                _ => None,
            })
            .collect();
        let unlogged = self.model.asks.iter().find(|ask| !logged.contains(ask));
        unlogged.map_or(Ok(()), |ask| Err(format!("{ask} was granted and is not in the audit log")))
    }

    async fn has_what_is_its_own(&self, who: usize) -> Result<(), String> {
        let (tablet, ledger) = (&self.tablets[who], &self.council.ledger);
        let glance = tablet.glance().await;
        let status = glance.device().status().await.map_err(|error| error.to_string())?;
        if status.waiting.changes > 0 || status.waiting.asks > 0 {
            return Err(format!("the outbox is not empty: {:?}", status.waiting));
        }
        let account = self.council.account(tablet.account);
        let (person, now, directory) = (account.person, self.council.now(), self.council.directory());
        let mine: BTreeSet<CaseId> =
            ledger.relations_of(person.account).await.unwrap().into_iter().map(|row| row.case).collect();
        let here: BTreeSet<CaseId> = glance.device().cases().await.unwrap().iter().map(|card| card.case).collect();
        for case in mine {
            let relations = ledger.relations_to(&[case]).await.unwrap();
            if ledger.case(case).await.unwrap().is_some_and(|row| row.state == CaseState::Closed) {
                if here.contains(&case) {
                    return Err(format!("{case} is closed and still here"));
                }
                continue;
            }
            if Reach::of(&person, relations, now).carries() && !here.contains(&case) {
                return Err(format!("{case} is theirs and not here"));
            }
        }
        for card in glance.device().cases().await.unwrap() {
            let Some(rows) = CaseRows::read(ledger, card.case).await.unwrap() else { continue };
            let should = cards::card((ledger, &Documents::default()), &directory, &rows, &person, now).await.unwrap();
            let Some(should) = should else { return Err(format!("{} is here and not theirs to know of", card.case)) };
            if (&should.prescriptions, &should.documents, &should.home, &should.client)
                != (&card.prescriptions, &card.documents, &card.home, &card.client)
            {
                return Err(format!("the card is old: {card:?} but {should:?}"));
            }
        }
        let held: BTreeSet<DocumentId> =
            glance.documents().await.into_iter().map(|(_, summary)| summary.document).collect();
        let (_, carried) = ledger.documents_carried(tablet.id.unwrap()).await.unwrap();
        let carried: BTreeSet<DocumentId> = carried.into_iter().map(|(document, _)| document).collect();
        if let Some(lacking) = carried.difference(&held).next() {
            return Err(format!("{lacking} is thought to be carried and is not here"));
        }
        for document in held.difference(&carried) {
            if ledger.document(*document).await.unwrap().is_some() {
                return Err(format!("{document} is here and not thought to be carried"));
            }
        }
        for (_, summary) in glance.documents().await {
            let Some(row) = ledger.document(summary.document).await.unwrap() else {
                if summary.state.kept.is_some() {
                    return Err(format!("{} is not on the server", summary.name));
                }
                continue;
            };
            let should = documents::load(ledger, &row).await.unwrap().1.view();
            let view = glance.view(summary.document).await.map_err(|error| error.to_string())?;
            if should.heads != view.heads {
                let heads = (view.heads, should.heads);
                return Err(format!("{} stands at other heads here and there: {heads:?}", summary.name));
            }
        }
        Ok(())
    }
}
