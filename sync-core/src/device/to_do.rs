//! What signers want mended in prescriptions that were returned, as things to do.

use serde::Serialize;

use super::error::DeviceError;
use super::facade::Device;
use super::rows::off_thread;
use crate::domain::returned::is_answered;
use crate::domain::signoff::{Anchored, State};
use crate::domain::vocabulary::Field;
use crate::id::{CaseId, DocumentId, Key};

/// One reason why a prescription was returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToDo {
    /// The prescription.
    pub document: DocumentId,
    /// The item it is about; `None`: the prescription itself.
    pub item: Option<Key>,
    /// The field; `None`: the whole item or prescription.
    pub field: Option<Field>,
    /// What the signer wrote.
    pub text: String,
    /// Whether what it is about says something else since. That this is what the signer wanted, nobody can tell here.
    pub answered: bool,
}

impl Device {
    /// What is to be mended in the prescriptions of a case that this person may write in and that were returned.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchCase`].
    pub async fn to_do(&self, case: CaseId) -> Result<Vec<ToDo>, DeviceError> {
        let card = self.card(case).await?;
        self.lease_lets(case).await?;
        let mut all = Vec::new();
        for prescription in &card.prescriptions {
            let State::Returned { heads, reasons } = &prescription.state else { continue };
            let mine = |listed: &&crate::protocol::card::DocumentCard| listed.document == prescription.document;
            if !card.documents.iter().find(mine).is_some_and(|listed| listed.writable) {
                continue;
            }
            let row = match self.find(prescription.document).await {
                Ok(found) => found.row,
                // Its changes are still to come.
                Err(DeviceError::NoSuchDocument(_)) => continue,
                Err(other) => return Err(other),
            };
            let (document, _) = self.load_what_fits(&row).await?;
            let (heads, reasons) = (heads.clone(), reasons.clone());
            let told = off_thread(move || {
                let now = document.view();
                // Where the version that was returned is not here, nothing is known to be mended.
                let then = document.at(&heads).map_or_else(|| now.clone(), |then| then.view());
                let told = |Anchored { item, field, text }: Anchored| {
                    let reason = Anchored { item, field, text: String::new() };
                    let answered = is_answered(&reason, &then, &now);
                    (item, field, text, answered)
                };
                Ok(reasons.into_iter().map(told).collect::<Vec<_>>())
            });
            let document = prescription.document;
            let told = told.await?.into_iter();
            all.extend(told.map(|(item, field, text, answered)| ToDo { document, item, field, text, answered }));
        }
        Ok(all)
    }
}
