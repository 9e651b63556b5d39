//! Asking the server to decide: queued here, decided there.

use serde::Serialize;

use super::error::DeviceError;
use super::facade::Device;
use super::rows::{AskedRow, Carries, Dropped, OutboxAsk, OutboxRow, Writer, group, to_bytes};
use super::store::{Shelf, StoreError};
use crate::domain::finding::Finding;
use crate::domain::kind::Kind;
use crate::id::{AskId, CaseId, DocumentId, Heads};
use crate::protocol::ask::Practicable;
use crate::protocol::{Ask, Request};

/// Something asked that has no verdict yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingAsk {
    /// What was asked.
    pub ask: Ask,
    /// Whether the server has it and will decide.
    pub received: bool,
}

impl Device {
    /// Puts an ask into the outbox.
    pub(super) async fn queue(&self, write: &mut Writer, case: CaseId, request: Request) -> Result<AskId, StoreError> {
        let id = self.draw(|chance| AskId::mint(chance));
        let ask = Ask { id, at: self.stamp(), case, request };
        let asked = AskedRow { ask: ask.clone(), verdict: None };
        let waiting = OutboxRow::Ask(OutboxAsk { ask, received: false });
        write.put_outbox(&waiting.key(), &waiting).await?;
        write.0.put(Shelf::Notice, Some(case), group::ASKED, id.as_bytes(), &to_bytes(&asked)).await?;
        Ok(id)
    }

    async fn ask(&self, case: CaseId, request: Request) -> Result<AskId, DeviceError> {
        // No reply is applied meanwhile: one that came while this was made up may have purged what it is about.
        let _edits = self.editing.lock().await;
        match request.document() {
            Some(document) => drop(self.find(document).await?),
            None => drop(self.card_here(case).await?),
        }
        self.lease_lets(case).await?;
        let mut write = Writer::begin(&self.store).await?;
        let id = self.queue(&mut write, case, request).await?;
        write.commit().await?;
        Ok(id)
    }

    /// A document of this kind with its case and its version as it is here now.
    async fn version(&self, document: DocumentId, kind: Kind) -> Result<(CaseId, Heads), DeviceError> {
        let row = self.find(document).await?.row;
        if row.kind != kind {
            return Err(DeviceError::NothingThere("this can't be asked of a document of this kind"));
        }
        if row.changes == 0 && row.known_heads() == [kind.skeleton_hash()] {
            return Err(DeviceError::NothingThere("there is nothing in this document yet"));
        }
        match self.load_what_fits(&row).await? {
            (document, false) => Ok((row.case, document.heads())),
            // What is to be done again would not be in it.
            (_, true) => Err(DeviceError::WaitsForSync),
        }
    }

    /// Submits a prescription, as it is here now, for sign-off.
    ///
    /// # Errors
    /// [`DeviceError::Findings`] lists what has to be put right first; nothing was asked then.
    pub async fn submit(&self, prescription: DocumentId) -> Result<AskId, DeviceError> {
        let (case, heads) = self.version(prescription, Kind::Prescription).await?;
        let findings = self.prescription_findings(prescription).await?;
        let blocking: Vec<Finding> = findings.into_iter().filter(Finding::blocks).collect();
        if !blocking.is_empty() {
            return Err(DeviceError::Findings(blocking));
        }
        self.ask(case, Request::Submit { document: prescription, heads }).await
    }

    /// Takes a submission back.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`].
    pub async fn withdraw(&self, prescription: DocumentId) -> Result<AskId, DeviceError> {
        let (case, _) = self.version(prescription, Kind::Prescription).await?;
        self.ask(case, Request::Withdraw { document: prescription }).await
    }

    /// Lets Housing see the projection of the home as it is here now; `consent` says how the client agreed.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::NothingThere`] when the home is empty or no consent is told.
    pub async fn release(&self, home: DocumentId, consent: &str) -> Result<AskId, DeviceError> {
        let (case, heads) = self.version(home, Kind::Home).await?;
        if consent.trim().is_empty() {
            return Err(DeviceError::NothingThere("say how the client agreed to share with Housing"));
        }
        self.ask(case, Request::Release { document: home, heads, consent: consent.trim().to_owned() }).await
    }

    /// Takes a release of the home back; `reason` says why.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::NothingThere`] when no reason is told.
    pub async fn end_release(&self, home: DocumentId, reason: &str) -> Result<AskId, DeviceError> {
        let (case, _) = self.version(home, Kind::Home).await?;
        if reason.trim().is_empty() {
            return Err(DeviceError::NothingThere("say why the release ends"));
        }
        self.ask(case, Request::EndRelease { document: home, reason: reason.trim().to_owned() }).await
    }

    /// Closes a case; `reason` says why. Once that is granted, it leaves this device with the next sync.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`]; [`DeviceError::NothingThere`] when no reason is told.
    pub async fn close_case(&self, case: CaseId, reason: &str) -> Result<AskId, DeviceError> {
        let card = self.card(case).await?;
        if reason.trim().is_empty() {
            return Err(DeviceError::NothingThere("say why the case is closed"));
        }
        self.ask(card.case, Request::CloseCase { reason: reason.trim().to_owned() }).await
    }

    /// Says that the assessment which a clinical document records is complete.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::NothingThere`] when it is empty.
    pub async fn complete_assessment(&self, clinical: DocumentId) -> Result<AskId, DeviceError> {
        let (case, heads) = self.version(clinical, Kind::Clinical).await?;
        self.ask(case, Request::CompleteAssessment { document: clinical, heads }).await
    }

    /// Housing's decision on a signed prescription, resting on a survey as it is here now. `number` is the signed
    /// version's; `None`: the newest that is here.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::NothingThere`] when nothing of it is signed.
    pub async fn survey_decision(
        &self,
        survey: DocumentId,
        prescription: DocumentId,
        number: Option<u32>,
        decision: Practicable,
        reason: &str,
    ) -> Result<AskId, DeviceError> {
        let (case, heads) = self.version(survey, Kind::Survey).await?;
        let card = self.card(case).await?;
        let known = card.prescriptions.iter().find(|known| known.document == prescription);
        let known = known.ok_or(DeviceError::NoSuchDocument(prescription))?;
        let number = number.or_else(|| known.signed.as_ref().map(|signed| signed.header.number));
        let number = number.ok_or(DeviceError::NothingThere("no signed version of this prescription is here"))?;
        let reason = reason.trim().to_owned();
        self.ask(case, Request::SurveyDecision { survey, heads, prescription, number, decision, reason }).await
    }

    /// What was asked and has no verdict yet, in the order it was asked, without that of what is to be purged.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn pending_asks(&self) -> Result<Vec<PendingAsk>, DeviceError> {
        let leaving = self.reader().leaving().await?;
        let rows = self.reader().group::<OutboxRow>(Shelf::Outbox, group::ASKS, 0).await?;
        let asks = rows.into_iter().filter_map(|(_, row)| match row {
            OutboxRow::Ask(OutboxAsk { ask, received }) => Some(PendingAsk { ask, received }),
            OutboxRow::Change(_) => None,
        });
        Ok(asks.filter(|pending| !leaving.concerns(&pending.ask)).collect())
    }

    /// Everything asked from this device in the cases that are here and open, with its verdict.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn asked(&self) -> Result<Vec<AskedRow>, DeviceError> {
        let (shut, leaving) = (self.shut().await?, self.reader().leaving().await?);
        let rows = self.reader().group::<AskedRow>(Shelf::Notice, group::ASKED, 0).await?;
        let shown = |row: &AskedRow| !shut.holds(row.ask.case) && !leaving.concerns(&row.ask);
        Ok(rows.into_iter().map(|(_, row)| row).filter(shown).collect())
    }

    /// Chooses to carry a case that is not one's own, from the next sync on.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn carry(&self, case: CaseId) -> Result<(), DeviceError> {
        let mut write = Writer::begin(&self.store).await?;
        write.enlist::<Carries>(case).await?;
        write.thin::<Dropped>(|dropped| *dropped != case).await?;
        Ok(write.commit().await?)
    }

    /// Chooses no longer to carry such a case: it leaves this device with the next sync, once what was typed in it is handed in.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`]; [`DeviceError::OwnCase`] when their part in it brings it here whatever they choose.
    pub async fn drop_case(&self, case: CaseId) -> Result<(), DeviceError> {
        let card = self.card_here(case).await?;
        if card.relations.iter().any(|relation| relation.carries()) {
            return Err(DeviceError::OwnCase(case));
        }
        let mut write = Writer::begin(&self.store).await?;
        write.thin::<Carries>(|carried| *carried != case).await?;
        write.enlist::<Dropped>(case).await?;
        Ok(write.commit().await?)
    }
}
