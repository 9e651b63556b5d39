//! What is on the device: cases, their cards and documents, and how safe each document is.

use serde::Serialize;

use super::error::DeviceError;
use super::facade::Device;
use super::lease::that_it_exists;
use super::rows::{
    Backed, DocumentRow, Kept, OutboxRow, Purging, PurgingDocuments, Reader, RefusedWork, Writer, group,
};
use super::store::{Shelf, StoreError};
use crate::access::{Lane, Relation, Role, Standing, Ties};
use crate::domain::kind::Kind;
use crate::domain::signoff::State;
use crate::id::{AccountId, CaseId, CommissionId, DocumentId};
use crate::protocol::CaseCard;
use crate::protocol::card::DocumentCard;

/// How safe what is written in a document is. "The server has it" is said only of what its signed receipt is here for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentState {
    /// Where the newest of it is; `None`: there is nothing in it yet.
    pub kept: Option<Kept>,
    /// This device's changes without a receipt.
    pub unsent: usize,
    /// What this person did in it that was refused, and that they have not seen to yet: [`Device::refused_work`].
    pub refused: usize,
    /// Why the document can't be read here.
    pub set_aside: Option<String>,
}

/// A document of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentSummary {
    /// The document.
    pub document: DocumentId,
    /// Its kind.
    pub kind: Kind,
    /// What to call it in its case: the kind, and its number where there are several: `home`, `prescription:2`.
    pub name: String,
    /// Whether this person may write in it.
    pub writable: bool,
    /// The commission whose assessment it belongs to.
    pub commission: Option<CommissionId>,
    /// For a thread: the prescription it is about.
    pub about: Option<DocumentId>,
    /// For a prescription: where it stands, as the server last told.
    pub prescription: Option<State>,
    /// How safe it is.
    pub state: DocumentState,
}

/// A document with all that decides what may be done with it.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) row: DocumentRow,
    pub(super) card: CaseCard,
}

impl Found {
    fn listed(&self) -> Option<&DocumentCard> {
        self.card.documents.iter().find(|document| document.document == self.row.document)
    }

    pub(super) fn writable(&self) -> bool {
        self.listed().map_or(self.row.minted, |listed| listed.writable)
    }

    /// The person before the case, as the guard is to judge their change; the card is the server's word on it.
    pub(super) fn standing(&self, role: Role) -> (Standing, Ties) {
        let standing = standing(role, &self.card);
        let of_commission = self.listed().is_some_and(|listed| listed.commission.is_some());
        (standing, Ties { author: true, of_commission, own_commission: true, named: true })
    }
}

/// Someone of this role before the case of this card.
pub(super) fn standing(role: Role, card: &CaseCard) -> Standing {
    Standing { role, of_council: false, relations: card.relations.clone() }
}

/// The relation by which someone of this role holds a case they opened themselves.
pub(super) const fn own_relation(role: Role) -> Relation {
    match (role, role.lane()) {
        (_, Lane::Housing) => Relation::Assigned,
        (Role::PrivateOt, _) => Relation::Commissioned,
        _ => Relation::Allocated,
    }
}

impl Reader<'_> {
    pub(super) async fn card(&mut self, case: CaseId) -> Result<Option<CaseCard>, StoreError> {
        self.row(Shelf::Card, case.as_bytes()).await
    }

    /// The documents of a case, without those that only wait for their last changes to be handed in.
    pub(super) async fn document_rows(&mut self, case: CaseId) -> Result<Vec<DocumentRow>, StoreError> {
        let leaving = self.single::<PurgingDocuments>().await?.unwrap_or_default();
        let rows = self.group::<DocumentRow>(Shelf::Document, case.as_bytes(), 0).await?;
        Ok(rows.into_iter().map(|(_, row)| row).filter(|row| !leaving.0.contains(&row.document)).collect())
    }
}

impl Writer {
    /// A document's row and how safe it is, both of one moment: an outbox that a receipt has emptied says nothing
    /// beside the place of before, which a backup may reach.
    async fn state_of(&mut self, document: DocumentId) -> Result<Option<(DocumentRow, DocumentState)>, StoreError> {
        let Some(row) = self.document(document).await? else { return Ok(None) };
        let unsent = self.group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?.len();
        let kept = match (unsent, row.changes) {
            (0, 0) if row.server_heads.is_empty() => None,
            (0, _) => Some(Backed::how_safe(self.single().await?.as_ref(), row.place)),
            _ => Some(Kept::OnThisDevice),
        };
        let refused = self.group::<RefusedWork>(Shelf::Notice, group::REFUSED, 0).await?;
        let refused = refused.iter().filter(|(_, work)| work.document == document).count();
        let state = DocumentState { kept, unsent, refused, set_aside: row.set_aside.clone() };
        Ok(Some((row, state)))
    }
}

impl Device {
    /// The cards of all cases on the device, in the order they came. Of one that the offline lease has closed it says
    /// only that it exists: its id, reference, lane and state, how this person is related to it and when that ends.
    ///
    /// # Errors
    /// [`DeviceError::Store`].
    pub async fn cases(&self) -> Result<Vec<CaseCard>, DeviceError> {
        let leaving = self.reader().single::<Purging>().await?.unwrap_or_default();
        let shut = self.shut().await?;
        let cards = self.reader().group::<CaseCard>(Shelf::Card, group::CARDS, 0).await?;
        let cards = cards.into_iter().map(|(_, card)| card).filter(|card| !leaving.0.contains(&card.case));
        Ok(cards.map(|card| if shut.holds(card.case) { that_it_exists(card) } else { card }).collect())
    }

    /// The card of a case.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`]; [`DeviceError::LeaseOver`].
    pub async fn card(&self, case: CaseId) -> Result<CaseCard, DeviceError> {
        let card = self.card_here(case).await?;
        self.lease_shows(case).await?;
        Ok(card)
    }

    /// The same, whether or not it may be shown.
    pub(super) async fn card_here(&self, case: CaseId) -> Result<CaseCard, DeviceError> {
        let leaving = self.reader().single::<Purging>().await?.unwrap_or_default();
        let card = self.reader().card(case).await?.filter(|_| !leaving.0.contains(&case));
        card.ok_or(DeviceError::NoSuchCase(case))
    }

    /// The documents of a case, planned ones too, in the order they came to this device.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`].
    pub async fn documents(&self, case: CaseId) -> Result<Vec<DocumentSummary>, DeviceError> {
        let card = self.card(case).await?;
        let rows = self.reader().document_rows(case).await?;
        let mut summaries: Vec<DocumentSummary> = Vec::new();
        let mut now = Writer::begin(&self.store).await?;
        for row in rows {
            // It may have gone since.
            let Some((row, state)) = now.state_of(row.document).await? else { continue };
            let found = Found { card: card.clone(), row };
            let listed = found.listed();
            let row = &found.row;
            let number = summaries.iter().filter(|summary| summary.kind == row.kind).count() + 1;
            summaries.push(DocumentSummary {
                document: row.document,
                kind: row.kind,
                name: format!("{}:{number}", row.kind),
                writable: found.writable(),
                commission: listed.and_then(|listed| listed.commission),
                about: listed.and_then(|listed| listed.about),
                prescription: card
                    .prescriptions
                    .iter()
                    .find(|prescription| prescription.document == row.document)
                    .map(|prescription| prescription.state.clone()),
                state,
            });
        }
        // Nothing was written; to take it back would cost the keys of the cases, which the store then reads again.
        now.commit().await?;
        let alone: Vec<bool> = summaries
            .iter()
            .map(|summary| summaries.iter().filter(|other| other.kind == summary.kind).count() == 1)
            .collect();
        for (summary, alone) in summaries.iter_mut().zip(alone) {
            // Prescriptions, surveys and threads are many by nature: the second must not rename the first.
            if alone && matches!(summary.kind, Kind::Home | Kind::Clinical | Kind::Restricted) {
                summary.name = summary.kind.to_string();
            }
        }
        Ok(summaries)
    }

    /// How safe a document is.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`].
    pub async fn state(&self, document: DocumentId) -> Result<DocumentState, DeviceError> {
        self.find(document).await?;
        let mut now = Writer::begin(&self.store).await?;
        let found = now.state_of(document).await?;
        now.commit().await?;
        found.map(|(_, state)| state).ok_or(DeviceError::NoSuchDocument(document))
    }

    /// A document and its case's card.
    pub(super) async fn find(&self, document: DocumentId) -> Result<Found, DeviceError> {
        let leaving = self.reader().single::<PurgingDocuments>().await?.unwrap_or_default();
        let row = self.reader().document(document).await?.filter(|_| !leaving.0.contains(&document));
        let row = row.ok_or(DeviceError::NoSuchDocument(document))?;
        let card = self.card_here(row.case).await.map_err(|error| match error {
            DeviceError::NoSuchCase(_) => DeviceError::NoSuchDocument(document),
            other => other,
        })?;
        Ok(Found { row, card })
    }

    /// The name of a member of staff as the case's card tells it; their id when it does not.
    pub(super) fn name_of(&self, account: AccountId, card: &CaseCard) -> String {
        if let Some(person) = card.people.iter().find(|person| person.account == account) {
            return person.name.clone();
        }
        match self.enrolment() {
            Ok(enrolment) if enrolment.account == account => enrolment.full_name.clone(),
            _ => account.to_string(),
        }
    }

    /// The name of a member of staff who has a part in a case; their id where it is not known here.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`].
    pub async fn person(&self, case: CaseId, account: AccountId) -> Result<String, DeviceError> {
        Ok(self.name_of(account, &self.card(case).await?))
    }
}
