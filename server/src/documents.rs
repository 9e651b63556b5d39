//! Documents as the ledger keeps them, loaded to be read or judged. A large one takes a while: that is done off the async
//! workers, which others wait for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::domain::document::Document;
use sync_core::domain::kind::Kind;
use sync_core::domain::view::View;
use sync_core::guard::clock_bytes;
use sync_core::id::{CaseId, DocumentId, Heads};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::storage::ledger::{DocumentRow, Ledger};
use crate::storage::{StorageError, blocking};

/// About how many bytes the documents that are kept in memory may take.
const KEPT: usize = 16 << 20;
/// About how many bytes a document and what it says take in memory for each byte of it saved.
const INFLATES: usize = 6;
/// About how many bytes a document takes that says nothing.
const EMPTY: usize = 8 << 10;

/// Documents that were pushed to lately, so that the next push to one need not load it. Clones are handles of the same.
///
/// A document is asked for by the heads that its row has now, and they name all that is in it: one that another wrote in
/// meanwhile, or whose commit failed, is never found. Who may read it is judged before, by rows.
#[derive(Debug, Clone)]
pub struct Documents {
    kept: Arc<Mutex<Kept>>,
    turns: Arc<Semaphore>,
    /// As many again for who only reads: a card that looks at several documents does not wait behind the guard for each.
    looks: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Kept {
    documents: BTreeMap<DocumentId, Entry>,
    bytes: usize,
    /// Counts the uses.
    now: u64,
}

#[derive(Debug)]
struct Entry {
    heads: Heads,
    document: Arc<Document>,
    saved: usize,
    bytes: usize,
    used: u64,
}

/// About how many bytes a document takes in memory that takes so many saved.
pub(crate) fn in_memory(document: &Document, saved: usize) -> usize {
    saved.saturating_mul(INFLATES).saturating_add(EMPTY).saturating_add(clock_bytes(document))
}

impl Default for Documents {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let all = || Arc::new(Semaphore::new(processors));
        Self { kept: Arc::default(), turns: all(), looks: all() }
    }
}

impl Documents {
    /// A turn at judging a push, until it is dropped: more at once than there are processors would only take memory.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] never: nobody closes it.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, StorageError> {
        self.turns.clone().acquire_owned().await.map_err(|_| StorageError::Damaged("the queue of pushes"))
    }

    /// A turn at reading documents.
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub async fn turn_to_read(&self) -> Result<OwnedSemaphorePermit, StorageError> {
        self.looks.clone().acquire_owned().await.map_err(|_| StorageError::Damaged("the queue of readers"))
    }

    /// As [`load`], of what is kept if that is what the row says.
    ///
    /// # Errors
    /// As [`load`].
    pub async fn load<L: Ledger>(&self, ledger: &L, row: &DocumentRow) -> Result<(i64, Arc<Document>), StorageError> {
        let (version, _, document) = self.load_saved(ledger, row).await?;
        Ok((version, document))
    }

    /// As [`Self::load`], with how many bytes it takes saved.
    ///
    /// # Errors
    /// As [`load`].
    pub async fn load_saved<L: Ledger>(
        &self,
        ledger: &L,
        row: &DocumentRow,
    ) -> Result<(i64, usize, Arc<Document>), StorageError> {
        if let Some((saved, document)) = self.kept().find(row) {
            return Ok((row.version, saved, document));
        }
        let (version, saved, document) = load_saved(ledger, row).await?;
        let document = Arc::new(document);
        // Whoever pushes to it may do so again at once, be it refused.
        self.kept().keep(row.document, document.clone(), saved);
        Ok((version, saved, document))
    }

    /// Looks at a document as it stands: in a turn, and on no thread that others wait for.
    ///
    /// # Errors
    /// As [`load`].
    pub async fn look<L: Ledger, T: Send + 'static>(
        &self,
        ledger: &L,
        row: &DocumentRow,
        look: impl FnOnce(&Document) -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        let turn = self.turn_to_read().await?;
        let (_, document) = self.load(ledger, row).await?;
        in_turn(turn, move || look(&document)).await
    }

    /// Works with what was looked at: in a turn as well.
    ///
    /// # Errors
    /// None of its own.
    pub async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StorageError> {
        in_turn(self.turn_to_read().await?, work).await
    }

    /// A document as it reads now.
    ///
    /// # Errors
    /// As [`load`].
    pub async fn view<L: Ledger>(&self, ledger: &L, row: &DocumentRow) -> Result<View, StorageError> {
        self.look(ledger, row, Document::view).await
    }

    /// Every document of a case that prescriptions may rest on, as it reads now.
    ///
    /// # Errors
    /// As [`load`].
    pub async fn views_behind<L: Ledger>(
        &self,
        ledger: &L,
        case: CaseId,
    ) -> Result<BTreeMap<DocumentId, View>, StorageError> {
        let mut views = BTreeMap::new();
        for row in ledger.documents_of(&[case]).await? {
            if matches!(row.kind, Kind::Home | Kind::Clinical | Kind::Survey) {
                views.insert(row.document, self.view(ledger, &row).await?);
            }
        }
        Ok(views)
    }

    /// Keeps a document that takes so many bytes saved.
    pub fn keep(&self, document: DocumentId, of: Document, saved: usize) {
        self.kept().keep(document, Arc::new(of), saved);
    }

    #[cfg(test)]
    pub(crate) fn keeps(&self, row: &DocumentRow) -> bool {
        self.kept().find(row).is_some()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until it is done, whoever hangs up.
async fn in_turn<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StorageError> {
    blocking(move || {
        let _turn = turn;
        Ok(work())
    })
    .await
}

impl Kept {
    fn find(&mut self, row: &DocumentRow) -> Option<(usize, Arc<Document>)> {
        self.now += 1;
        let entry = self.documents.get_mut(&row.document)?;
        if entry.heads != row.heads || entry.document.kind() != row.kind {
            return None;
        }
        entry.used = self.now;
        Some((entry.saved, entry.document.clone()))
    }

    fn keep(&mut self, id: DocumentId, document: Arc<Document>, saved: usize) {
        let bytes = in_memory(&document, saved);
        self.forget(id);
        if bytes > KEPT {
            return;
        }
        while self.bytes + bytes > KEPT {
            let Some((oldest, _)) = self.documents.iter().min_by_key(|(_, entry)| entry.used) else { break };
            self.forget(*oldest);
        }
        self.now += 1;
        self.bytes += bytes;
        let entry = Entry { heads: document.heads(), document, saved, bytes, used: self.now };
        self.documents.insert(id, entry);
    }

    fn forget(&mut self, id: DocumentId) {
        if let Some(entry) = self.documents.remove(&id) {
            self.bytes -= entry.bytes;
        }
    }
}

/// A document as it stands, and the version the ledger has it at.
///
/// # Errors
/// What storage says; [`StorageError::Damaged`] when neither its snapshot nor its changes make a document.
pub async fn load<L: Ledger>(ledger: &L, row: &DocumentRow) -> Result<(i64, Document), StorageError> {
    let (version, _, document) = load_saved(ledger, row).await?;
    Ok((version, document))
}

/// As [`load`], with how many bytes it takes saved.
async fn load_saved<L: Ledger>(ledger: &L, row: &DocumentRow) -> Result<(i64, usize, Document), StorageError> {
    let Some((version, saved)) = ledger.snapshot(row.document).await? else {
        return Ok((row.version, 0, empty(row.kind)?));
    };
    let (kind, bytes) = (row.kind, saved.len());
    if let Some(document) = blocking(move || Ok(Document::load(kind, &saved).ok())).await? {
        return Ok((version, bytes, document));
    }
    // The changes are the truth, the snapshot only a cache of them.
    tracing::error!(document = %row.document, "a snapshot could not be loaded; rebuilding it from the changes");
    let mut document = empty(row.kind)?;
    let changes: Vec<Vec<u8>> = ledger.changes(row.document, 0).await?.into_iter().map(|change| change.bytes).collect();
    let rebuilt = blocking(move || {
        document.apply(&changes).map_err(|_| StorageError::Damaged("a document's changes"))?;
        Ok(document)
    });
    Ok((version, bytes, rebuilt.await?))
}

/// A document of this kind with nothing in it yet.
///
/// # Errors
/// [`StorageError::Damaged`] if this program's own golden bytes are.
pub fn empty(kind: Kind) -> Result<Document, StorageError> {
    Document::new(kind).map_err(|_| StorageError::Damaged("this program's skeleton of a document"))
}
