//! Documents as the ledger keeps them, loaded to be read or judged. A large one takes a while: that is done off the async
//! workers, which others wait for.

use std::collections::BTreeMap;

use sync_core::domain::document::Document;
use sync_core::domain::kind::Kind;
use sync_core::domain::view::View;
use sync_core::id::{CaseId, DocumentId};

use crate::storage::ledger::{DocumentRow, Ledger};
use crate::storage::{StorageError, blocking};

/// A document as it stands, and the version the ledger has it at.
///
/// # Errors
/// What storage says; [`StorageError::Damaged`] when neither its snapshot nor its changes make a document.
pub async fn load<L: Ledger>(ledger: &L, row: &DocumentRow) -> Result<(i64, Document), StorageError> {
    let Some((version, saved)) = ledger.snapshot(row.document).await? else {
        return Ok((row.version, empty(row.kind)?));
    };
    let kind = row.kind;
    if let Some(document) = blocking(move || Ok(Document::load(kind, &saved).ok())).await? {
        return Ok((version, document));
    }
    // The changes are the truth, the snapshot only a cache of them.
    tracing::error!(document = %row.document, "a snapshot could not be loaded; rebuilding it from the changes");
    let mut document = empty(row.kind)?;
    let changes: Vec<Vec<u8>> = ledger.changes(row.document, 0).await?.into_iter().map(|change| change.bytes).collect();
    let rebuilt = blocking(move || {
        document.apply(&changes).map_err(|_| StorageError::Damaged("a document's changes"))?;
        Ok(document)
    });
    Ok((version, rebuilt.await?))
}

/// A document as it reads now.
///
/// # Errors
/// As [`load`].
pub async fn view<L: Ledger>(ledger: &L, row: &DocumentRow) -> Result<View, StorageError> {
    let (_, document) = load(ledger, row).await?;
    blocking(move || Ok(document.view())).await
}

/// A document of this kind with nothing in it yet.
///
/// # Errors
/// [`StorageError::Damaged`] if this program's own golden bytes are.
pub fn empty(kind: Kind) -> Result<Document, StorageError> {
    Document::new(kind).map_err(|_| StorageError::Damaged("this program's skeleton of a document"))
}

/// Every document of a case that prescriptions may rest on, as it reads now.
///
/// # Errors
/// As [`load`].
pub async fn views_behind<L: Ledger>(ledger: &L, case: CaseId) -> Result<BTreeMap<DocumentId, View>, StorageError> {
    let mut views = BTreeMap::new();
    for row in ledger.documents_of(case).await? {
        if matches!(row.kind, Kind::Home | Kind::Clinical | Kind::Survey) {
            views.insert(row.document, view(ledger, &row).await?);
        }
    }
    Ok(views)
}
