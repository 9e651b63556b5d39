//! What there is to look at in a case: findings and clashes, with all that a person needs to judge them.

use serde::Serialize;

use super::error::DeviceError;
use super::facade::Device;
use crate::clock::Stamp;
use crate::domain::finding::{self, Finding};
use crate::domain::kind::Kind;
use crate::domain::record::{Body, Dimension, Photo, Tolerance, Value};
use crate::domain::view::{Clash, View};
use crate::domain::vocabulary::{Field, Measure, Method, Place, ValueKind};
use crate::id::{AccountId, CaseId, DocumentId, Hash, Key};
use crate::protocol::CaseCard;

/// One of the values that disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClashValue {
    /// The record.
    pub key: Key,
    /// The value as a person reads it: `712 mm`.
    pub value: String,
    /// A reading's value in the measure's unit.
    pub number: Option<i32>,
    /// How a reading was taken.
    pub method: Option<Method>,
    /// Who recorded it.
    pub by: AccountId,
    /// Their name.
    pub name: String,
    /// When, as their device could tell.
    pub at: Stamp,
    /// The photos that show it.
    pub photos: Vec<Hash>,
}

/// Values that stand for the same thing and disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClashReport {
    /// The document.
    pub document: DocumentId,
    /// Its kind.
    pub kind: Kind,
    /// What they are about, in words.
    pub about: String,
    /// Of a measurement: where.
    pub place: Option<Place>,
    /// Of a measurement: what.
    pub measure: Option<Measure>,
    /// Of a fact: the item it is about.
    pub item: Option<Key>,
    /// Of a fact: the field.
    pub field: Option<Field>,
    /// The values.
    pub values: Vec<ClashValue>,
}

/// A value as a person reads it.
pub fn shown(field: Field, value: &Value) -> String {
    match (value, &field.spec().value) {
        (Value::Flag(flag), _) => if *flag { "yes" } else { "no" }.to_owned(),
        (Value::Number(number), ValueKind::Number { unit, .. }) => unit.show(*number),
        (Value::Number(number), _) => number.to_string(),
        (Value::Text(text) | Value::Choice(text) | Value::Date(text), _) => text.clone(),
        (Value::Choices(words), _) => words.join(", "),
        (Value::Dimension(Dimension { mm, tolerance, .. }), _) => match tolerance {
            Tolerance::Exact => format!("{mm} mm exactly"),
            Tolerance::Min => format!("at least {mm} mm"),
            Tolerance::Max => format!("at most {mm} mm"),
            Tolerance::Within(within) => format!("{mm} mm ± {within}"),
        },
        (Value::Cites(cites), _) => cites.iter().map(|cite| cite.key.to_string()).collect::<Vec<_>>().join(", "),
        (Value::Person(account), _) => account.to_string(),
    }
}

impl Device {
    /// What is missing or doubtful in the documents of a case that are here.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`].
    pub async fn findings(&self, case: CaseId) -> Result<Vec<Finding>, DeviceError> {
        self.card(case).await?;
        let views = self.views(case).await?;
        let weight = weight(views.values());
        let mut findings = Vec::new();
        for (document, view) in &views {
            findings.extend(match view.kind {
                Kind::Prescription => finding::of_prescription(*document, view, &views, weight),
                _ => finding::of_document(*document, view),
            });
        }
        Ok(findings)
    }

    /// Every clash in the documents of a case that are here, and in the released home.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`].
    pub async fn clashes(&self, case: CaseId) -> Result<Vec<ClashReport>, DeviceError> {
        let card = self.card(case).await?;
        let mut reports = Vec::new();
        for (document, view) in &self.views(case).await? {
            for clash in view.clashes() {
                reports.push(self.report(*document, view, &clash, &card));
            }
        }
        reports.extend(self.projected(&card));
        Ok(reports)
    }

    fn report(&self, document: DocumentId, view: &View, clash: &Clash, card: &CaseCard) -> ClashReport {
        let hash = |key: &Key| match &view.records.get(key)?.body {
            Body::Photo(Photo { hash, .. }) => Some(*hash),
            _ => None,
        };
        let value = |key: &Key| {
            let record = view.records.get(key)?;
            let (value, number, method, photos) = match &record.body {
                Body::Reading(reading) => (
                    reading.measure.spec().unit.show(i64::from(reading.value)),
                    Some(reading.value),
                    Some(reading.method),
                    reading.photos.iter().filter_map(hash).collect(),
                ),
                Body::Fact(fact) => (shown(fact.field, &fact.value), None, None, Vec::new()),
                _ => return None,
            };
            let name = self.name_of(record.by, card);
            Some(ClashValue { key: *key, value, number, method, by: record.by, name, at: record.at, photos })
        };
        let values = clash.keys().iter().filter_map(value).collect();
        let (mut place_of, mut measure_of, mut item_of, mut field_of) = (None, None, None, None);
        let about = match clash {
            Clash::Reading { place, measure, .. } => {
                (place_of, measure_of) = (Some(*place), Some(*measure));
                format!("{} at {place}", measure.spec().label)
            }
            Clash::Fact { item, field, .. } => {
                (item_of, field_of) = (*item, Some(*field));
                field.spec().label.to_owned()
            }
        };
        ClashReport {
            document,
            kind: view.kind,
            about,
            place: place_of,
            measure: measure_of,
            item: item_of,
            field: field_of,
            values,
        }
    }

    /// The clashes of a home that is here as a projection only.
    fn projected(&self, card: &CaseCard) -> Vec<ClashReport> {
        let Some(home) = &card.home else { return Vec::new() };
        let mut reports: Vec<ClashReport> = Vec::new();
        for reading in home.readings.iter().filter(|reading| reading.clash) {
            let slot = (Some(reading.place), Some(reading.measure));
            let value = ClashValue {
                key: reading.key,
                value: reading.measure.spec().unit.show(i64::from(reading.value)),
                number: Some(reading.value),
                method: Some(reading.method),
                by: reading.by,
                name: self.name_of(reading.by, card),
                at: reading.at,
                photos: reading.photos.clone(),
            };
            match reports.iter_mut().find(|report| (report.place, report.measure) == slot) {
                Some(report) => report.values.push(value),
                None => reports.push(ClashReport {
                    document: home.document,
                    kind: Kind::Home,
                    about: format!("{} at {}", reading.measure.spec().label, reading.place),
                    place: slot.0,
                    measure: slot.1,
                    item: None,
                    field: None,
                    values: vec![value],
                }),
            }
        }
        reports
    }
}

/// The client's weight as the assessments here tell it; of several, the heaviest.
pub(super) fn weight<'a>(views: impl Iterator<Item = &'a View>) -> Option<i64> {
    let weights = views.filter_map(|view| match view.named(None, "person.weight") {
        Some(Value::Number(weight)) => Some(*weight),
        _ => None,
    });
    weights.max()
}
