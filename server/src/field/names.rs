//! Cases, documents and records as people name them.

use sync_core::device::Device;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::Cite;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::CaseCard;

use super::FieldError;

/// A document of a case that is here, itself or as a projection.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) document: DocumentId,
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Whether the document itself is here, history and all.
    pub(super) whole: bool,
}

/// A case by its id or referral number.
pub(super) async fn case(device: &Device, name: &str) -> Result<CaseCard, FieldError> {
    if let Ok(case) = name.parse::<CaseId>() {
        return Ok(device.card(case).await?);
    }
    let cards = device.cases().await?;
    let found = cards.into_iter().find(|card| card.reference.as_deref() == Some(name));
    found.ok_or_else(|| FieldError::NoCase(name.to_owned()))
}

/// Every document of a case that has a name here.
pub(super) async fn documents(device: &Device, card: &CaseCard) -> Result<Vec<Named>, FieldError> {
    let mut named: Vec<Named> = device
        .documents(card.case)
        .await?
        .into_iter()
        .map(|summary| Named { document: summary.document, kind: summary.kind, name: summary.name, whole: true })
        .collect();
    let projected = card
        .home
        .iter()
        .map(|home| (home.document, Kind::Home))
        .chain(card.prescriptions.iter().map(|prescription| (prescription.document, Kind::Prescription)));
    for (document, kind) in projected {
        if !named.iter().any(|known| known.document == document) {
            let number = named.iter().filter(|known| known.kind == kind).count() + 1;
            let name = if kind == Kind::Home { kind.to_string() } else { format!("{kind}:{number}") };
            named.push(Named { document, kind, name, whole: false });
        }
    }
    Ok(named)
}

/// A document by its name (`home`, `prescription:1`), its kind where there is one only, or its id.
pub(super) async fn document(device: &Device, card: &CaseCard, name: &str) -> Result<Named, FieldError> {
    let named = documents(device, card).await?;
    let id = name.parse::<DocumentId>().ok();
    if let Some(found) = named.iter().find(|known| known.name == name || Some(known.document) == id) {
        return Ok(found.clone());
    }
    let kind = name.split(':').next().and_then(|kind| kind.parse::<Kind>().ok());
    let of_kind: Vec<&Named> = named.iter().filter(|known| Some(known.kind) == kind).collect();
    match of_kind[..] {
        [only] if !name.contains(':') || name.ends_with(":1") => Ok(only.clone()),
        _ => Err(FieldError::NoDocument {
            name: name.to_owned(),
            known: named.iter().map(|known| known.name.clone()).collect::<Vec<_>>().join(" "),
        }),
    }
}

/// A record of a document, as `home/7.2`.
pub(super) async fn cite(device: &Device, card: &CaseCard, name: &str) -> Result<Cite, FieldError> {
    let bad = || FieldError::BadCite(name.to_owned());
    let (document_name, key) = name.trim().rsplit_once('/').ok_or_else(bad)?;
    let key = key.parse().map_err(|_| bad())?;
    Ok(Cite { document: document(device, card, document_name).await?.document, key })
}
