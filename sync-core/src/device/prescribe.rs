//! Beginning documents: prescriptions, surveys, what is restricted, and visits that nobody planned.

use super::cases::{own_relation, standing};
use super::error::DeviceError;
use super::facade::{Device, Event};
use super::findings::weight;
use super::rows::{DocumentRow, Writer, group, to_bytes};
use super::store::Shelf;
use crate::access::{Action, Ties};
use crate::domain::finding::{Finding, of_prescription};
use crate::domain::kind::Kind;
use crate::domain::record::{Cite, Dimension, Tolerance, Value};
use crate::domain::vocabulary::{Field, ItemKind};
use crate::id::{CaseId, DocumentId, Key};
use crate::protocol::ask::OpenCase;
use crate::protocol::card::{CaseState, ClientCard, DocumentCard, PersonCard};
use crate::protocol::{CaseCard, Request};

/// A prescribed length with the readings it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionInput {
    /// The item.
    pub item: Key,
    /// The field.
    pub field: Field,
    /// Millimetres.
    pub mm: i32,
    /// How far the works may depart from it.
    pub tolerance: Tolerance,
    /// The readings it rests on.
    pub cites: Vec<Cite>,
}

impl Device {
    /// Begins a document in a case. The server learns of it with its first change.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`]; [`DeviceError::NotAllowed`] when this person may not begin one of this kind.
    pub async fn begin(&self, case: CaseId, kind: Kind) -> Result<DocumentId, DeviceError> {
        let role = self.enrolment()?.role;
        // No reply is applied meanwhile, which could purge the case.
        let _edits = self.editing.lock().await;
        let card = self.card(case).await?;
        let ties = Ties { author: true, own_commission: true, ..Ties::default() };
        if !standing(role, &card).judge(kind, ties, Action::Open).is_granted() {
            return Err(DeviceError::NotAllowed);
        }
        let document = self.draw(|chance| DocumentId::mint(chance));
        let mut write = Writer::begin(&self.store).await?;
        write.put_document(&DocumentRow::new(document, case, kind, true)).await?;
        write.commit().await?;
        self.tell(Event::Document { case, document });
        Ok(document)
    }

    /// Begins a prescription.
    ///
    /// # Errors
    /// As [`Device::begin`].
    pub async fn prescribe(&self, case: CaseId) -> Result<DocumentId, DeviceError> {
        self.begin(case, Kind::Prescription).await
    }

    /// Begins a survey.
    ///
    /// # Errors
    /// As [`Device::begin`].
    pub async fn survey(&self, case: CaseId) -> Result<DocumentId, DeviceError> {
        self.begin(case, Kind::Survey).await
    }

    /// Adds something prescribed; the item's key.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn prescribe_item(&self, prescription: DocumentId, kind: ItemKind) -> Result<Key, DeviceError> {
        self.item(prescription, kind).await
    }

    /// What a prescription prescribes as it is here now, in the order it was added. To name it so is not to read it:
    /// nothing is handed in of this.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::SetAside`]; [`DeviceError::LeaseOver`].
    pub async fn prescribed(&self, prescription: DocumentId) -> Result<Vec<ItemKind>, DeviceError> {
        let row = self.find(prescription).await?.row;
        self.lease_shows(row.case).await?;
        let view = self.view_of(&row).await?;
        Ok(view.items().map(|(_, item)| item.kind).collect())
    }

    /// Prescribes a length; the fact's key.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn dimension(&self, prescription: DocumentId, input: DimensionInput) -> Result<Key, DeviceError> {
        let DimensionInput { item, field, mm, tolerance, cites } = input;
        let value = Value::Dimension(Dimension { mm, tolerance, cites });
        self.set(prescription, Some(item), field, value).await
    }

    /// What there is to look at in a prescription, with what it cites; those that [`Finding::blocks`] stand in the way
    /// of its submission.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`].
    pub async fn prescription_findings(&self, prescription: DocumentId) -> Result<Vec<Finding>, DeviceError> {
        let case = self.find(prescription).await?.row.case;
        let views = self.views(case).await?;
        let view = views.get(&prescription).ok_or(DeviceError::NoSuchDocument(prescription))?;
        Ok(of_prescription(prescription, view, &views, weight(views.values())))
    }

    /// Starts a visit that nobody planned: a new case with a home and a clinical document, all with ids minted here,
    /// and the ask that opens it. `born` is a date, YYYY-MM-DD. The case is unmatched until the office finds its referral.
    ///
    /// # Errors
    /// [`DeviceError::NotEnrolled`]; [`DeviceError::NotAllowed`] when this person visits nobody;
    /// [`DeviceError::NothingThere`] when name, address or date can't be one.
    pub async fn start_visit(&self, name: &str, address: &str, born: Option<&str>) -> Result<CaseId, DeviceError> {
        let enrolment = self.enrolment()?;
        let (name, address, born) = (name.trim(), address.trim(), born.map(str::trim));
        let bounded = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
        if !bounded(name, 200) || !bounded(address, 400) {
            return Err(DeviceError::NothingThere(
                "a visit needs a name (up to 200 letters) and an address (up to 400)",
            ));
        }
        let format = time::macros::format_description!("[year]-[month]-[day]");
        if born.is_some_and(|born| time::Date::parse(born, &format).is_err()) {
            return Err(DeviceError::NothingThere("a date of birth is written as YYYY-MM-DD"));
        }
        let (case, home, clinical) =
            self.draw(|chance| (CaseId::mint(chance), DocumentId::mint(chance), DocumentId::mint(chance)));
        let documents = [(home, Kind::Home), (clinical, Kind::Clinical)];
        let card = CaseCard {
            case,
            reference: None,
            lane: enrolment.role.lane(),
            state: CaseState::Unmatched,
            client: ClientCard {
                name: name.to_owned(),
                address: address.to_owned(),
                contact: None,
                visitor_risk: None,
                uprn: None,
                born: born.map(str::to_owned),
                nhs_number: None,
            },
            relations: vec![own_relation(enrolment.role)],
            documents: documents
                .iter()
                .map(|(document, kind)| DocumentCard {
                    document: *document,
                    kind: *kind,
                    writable: true,
                    commission: None,
                    about: None,
                    completed: None,
                })
                .collect(),
            prescriptions: Vec::new(),
            home: None,
            people: vec![PersonCard {
                account: enrolment.account,
                name: enrolment.full_name.clone(),
                role: enrolment.role,
                organisation: String::new(),
            }],
            ends: None,
            orphaned: None,
        };
        let ties = Ties { author: true, own_commission: true, ..Ties::default() };
        if !enrolment.role.may_open_case()
            || !standing(enrolment.role, &card).judge(Kind::Clinical, ties, Action::Open).is_granted()
        {
            return Err(DeviceError::NotAllowed);
        }
        let request = Request::OpenCase(OpenCase {
            name: name.to_owned(),
            address: address.to_owned(),
            born: born.map(str::to_owned),
            home,
            clinical,
        });
        let mut write = Writer::begin(&self.store).await?;
        write.0.put(Shelf::Card, Some(case), group::CARDS, case.as_bytes(), &to_bytes(&card)).await?;
        for (document, kind) in documents {
            write.put_document(&DocumentRow::new(document, case, kind, true)).await?;
        }
        self.queue(&mut write, case, request).await?;
        write.commit().await?;
        self.tell(Event::Card { case });
        Ok(case)
    }
}
