//! Reading documents: when they are opened, not when they come.

use std::collections::BTreeMap;

use super::error::DeviceError;
use super::facade::{Device, Event};
use super::rows::{Base, ChangeRow, DocumentRow, Notice, ReadRow, Snapshot, Writer, group, off_thread, to_bytes};
use super::store::Shelf;
use crate::domain::document::{Document, Unreadable};
use crate::domain::kind::Kind;
use crate::domain::view::View;
use crate::id::{CaseId, DocumentId};

/// After how many changes a document is saved whole, so that opening it stays quick.
const CHANGES_TO_A_SNAPSHOT: usize = 64;

impl Device {
    /// Opens a document to read it. That it was read is handed in with the next sync.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`]; [`DeviceError::SetAside`] for a document that this program can't read, which
    /// stays as it is and holds nothing else up; [`DeviceError::LeaseOver`].
    pub async fn open_document(&self, document: DocumentId) -> Result<View, DeviceError> {
        let found = self.find(document).await?;
        self.lease_lets(found.row.case).await?;
        let view = self.view_of(&found.row).await?;
        let mut write = Writer::begin(&self.store).await?;
        let read = ReadRow { document, at: self.stamp() };
        // Under the store's key: that it was read is still to be handed in when the case has gone.
        write.0.append(Shelf::ReadLog, None, group::READS, &to_bytes(&read)).await?;
        write.commit().await?;
        Ok(view)
    }

    pub(super) async fn view_of(&self, row: &DocumentRow) -> Result<View, DeviceError> {
        let document = self.load(row).await?;
        off_thread(move || Ok(document.view())).await
    }

    /// What the readable documents of a case say; those that can't be read are left out (and have their notice).
    pub(super) async fn views(&self, case: CaseId) -> Result<BTreeMap<DocumentId, View>, DeviceError> {
        self.lease_lets(case).await?;
        let mut views = BTreeMap::new();
        for row in self.reader().document_rows(case).await? {
            match self.view_of(&row).await {
                Ok(view) => drop(views.insert(row.document, view)),
                Err(DeviceError::SetAside(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(views)
    }

    /// A document from its changes.
    pub(super) async fn load(&self, row: &DocumentRow) -> Result<Document, DeviceError> {
        let snapshot: Option<Snapshot> = self.reader().row(Shelf::Document, &Snapshot::key(row.document)).await?;
        let kind = row.kind;
        let (mut document, mut after) = (None, 0);
        if let Some(snapshot) = snapshot {
            let up_to = snapshot.up_to;
            // A snapshot that does not read is no loss: the changes are the truth.
            document = off_thread(move || Ok(Document::load(kind, &snapshot.bytes).ok())).await?;
            after = if document.is_some() { up_to } else { 0 };
        }
        let base: Option<Base> = match document {
            Some(_) => None,
            None => self.reader().row(Shelf::Document, &Base::key(row.document)).await?,
        };
        let rows = self.reader().group::<ChangeRow>(Shelf::Change, row.document.as_bytes(), after).await?;
        let (many, up_to) = (rows.len() >= CHANGES_TO_A_SNAPSHOT, rows.last().map(|(n, _)| *n).unwrap_or(after));
        let loaded: Result<(Document, Option<Vec<u8>>), Unreadable> = off_thread(move || {
            let load = || {
                let changes: Vec<&[u8]> = rows.iter().map(|(_, row)| row.bytes.as_slice()).collect();
                let mut document = match (document, &base) {
                    (Some(document), _) => document,
                    (None, Some(base)) => base.open(kind).or_else(|why| base.rebuilt(kind, &changes).ok_or(why))?,
                    (None, None) => Document::new(kind)?,
                };
                document.apply(&changes)?;
                let saved = many.then(|| document.save());
                Ok((document, saved))
            };
            Ok(load())
        })
        .await?;
        match loaded {
            Ok((document, saved)) => {
                if let Some(bytes) = saved {
                    self.keep_snapshot(row, Snapshot { bytes: bytes.into(), up_to }).await;
                }
                Ok(document)
            }
            Err(unreadable) => Err(self.set_aside(row, &unreadable).await?),
        }
    }

    pub(super) async fn keep_snapshot(&self, row: &DocumentRow, snapshot: Snapshot) {
        let kept = async {
            let mut write = Writer::begin(&self.store).await?;
            if write.document(row.document).await?.is_none() {
                // Purged while it was read.
                return Ok(());
            }
            let (case, key) = (Some(row.case), Snapshot::key(row.document));
            write.0.put(Shelf::Document, case, group::SNAPSHOTS, &key, &to_bytes(&snapshot)).await?;
            write.commit().await
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "a snapshot could not be kept; the document opens slower");
        }
    }

    /// Remembers that a document can't be read, tells its person once, and says so.
    async fn set_aside(&self, row: &DocumentRow, unreadable: &Unreadable) -> Result<DeviceError, DeviceError> {
        let why = unreadable.to_string();
        let mut write = Writer::begin(&self.store).await?;
        // As it is now: it may have had news, or been purged, while it was read.
        let now = write.document(row.document).await?;
        if let Some(now) = now.filter(|now| now.set_aside.as_ref() != Some(&why)) {
            write.put_document(&DocumentRow { set_aside: Some(why.clone()), ..now }).await?;
            let notice = Notice::SetAside { document: row.document, why: why.clone() };
            write.notice(Some(row.case), self.stamp(), notice).await?;
            write.commit().await?;
            self.tell(Event::Notice);
        }
        Ok(DeviceError::SetAside(why))
    }
}

impl Base {
    /// The document that came whole.
    ///
    /// # Errors
    /// [`Unreadable`], also when it is not the version that the server said it was.
    pub(super) fn open(&self, kind: Kind) -> Result<Document, Unreadable> {
        let document = match &self.changes {
            None => Document::load(kind, &self.saved)?,
            Some(changes) => changes.document(kind)?,
        };
        let mut heads = self.heads.clone();
        heads.sort_unstable();
        if document.heads() == heads {
            Ok(document)
        } else {
            Err(Unreadable::Refused("it is not the version that the server said it was".to_owned()))
        }
    }
}

impl Base {
    /// The same document from changes that came one by one, as far as they are all here.
    fn rebuilt(&self, kind: Kind, changes: &[&[u8]]) -> Option<Document> {
        let mut document = Document::new(kind).ok()?;
        document.apply(changes).ok()?;
        document.knows_all(&self.heads).then_some(document)
    }
}

impl Writer {
    /// Keeps a document that came whole. What was saved of it before rests on another one.
    pub(super) async fn put_base(&mut self, row: &DocumentRow, base: &Base) -> Result<(), super::StoreError> {
        let key = Base::key(row.document);
        self.0.put(Shelf::Document, Some(row.case), group::SNAPSHOTS, &key, &to_bytes(base)).await?;
        self.remove_snapshot(row.document).await
    }

    /// Removes a document's snapshot.
    pub(super) async fn remove_snapshot(&mut self, document: DocumentId) -> Result<(), super::StoreError> {
        self.0.remove(Shelf::Document, &Snapshot::key(document)).await.map(drop)
    }
}
