//! Reading documents: when they are opened, not when they come.

use std::collections::{BTreeMap, BTreeSet};

use super::error::DeviceError;
use super::facade::{Device, Event};
use super::rows::{
    Anew, Base, ChangeRow, DocumentRow, Notice, OutboxRow, ReadRow, Snapshot, Writer, bytes_of, group, off_thread,
    to_bytes,
};
use super::store::Shelf;
use crate::domain::document::{Document, Unreadable};
use crate::domain::kind::Kind;
use crate::domain::view::View;
use crate::guard::take_in;
use crate::id::{CaseId, DocumentId, Hash};

/// After how many changes a document is saved whole, so that opening it stays quick.
const CHANGES_TO_A_SNAPSHOT: usize = 64;

/// Applies of these changes, in their order, those that fit. All at once where all do: each time costs a copy of the
/// document.
fn apply_what_fits(document: &mut Document, rows: &[ChangeRow]) {
    match (take_in(document, &bytes_of(rows)), rows) {
        (Ok(()), _) | (_, []) => {}
        (Err(why), [_]) => tracing::debug!(%why, "work that is to be done again does not fit yet"),
        (Err(_), _) => {
            let (first, rest) = rows.split_at(rows.len() / 2);
            apply_what_fits(document, first);
            apply_what_fits(document, rest);
        }
    }
}

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
        let (document, _) = self.load_what_fits(row).await?;
        off_thread(move || Ok(document.view())).await
    }

    /// What the readable documents of a case say; those that can't be read are left out (and have their notice).
    pub(super) async fn views(&self, case: CaseId) -> Result<BTreeMap<DocumentId, View>, DeviceError> {
        self.lease_lets(case).await?;
        let mut views = BTreeMap::new();
        for row in self.reader().document_rows(case).await? {
            match self.view_of(&row).await {
                Ok(view) => drop(views.insert(row.document, view)),
                // Or that were purged meanwhile.
                Err(DeviceError::SetAside(_) | DeviceError::NoSuchDocument(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(views)
    }

    /// A document from its changes.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDocument`] when it was purged meanwhile; [`DeviceError::SetAside`].
    pub(super) async fn load(&self, row: &DocumentRow) -> Result<Document, DeviceError> {
        // Boxed: these are large, and stand under every call that reads.
        let (seen, why) = match Box::pin(self.read(row.document)).await? {
            Ok(document) => return Ok(document),
            Err(unreadable) => unreadable,
        };
        if self.set_aside(&seen, &why).await? {
            return Err(DeviceError::SetAside(why.to_string()));
        }
        // What could not be read is not what is here now.
        match Box::pin(self.read(row.document)).await? {
            Ok(document) => Ok(document),
            Err((seen, why)) => {
                self.set_aside(&seen, &why).await?;
                Err(DeviceError::SetAside(why.to_string()))
            }
        }
    }

    /// As [`Self::load`]; but where this device's own work alone does not fit, the document without it, and that there is
    /// such work: who names the version that is here, or a place in its text, would mean another. It waits in the outbox,
    /// unseen until it is done again. That is so of a device that was enrolled anew, and of a copy that may not have been
    /// noticed yet: what it typed bears the numbers of what the server has of the other. Other damage is no such case.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) async fn load_what_fits(&self, row: &DocumentRow) -> Result<(Document, bool), DeviceError> {
        let copied = match Box::pin(self.read(row.document)).await? {
            Ok(document) => return Ok((document, false)),
            Err((_, why)) => matches!(why, Unreadable::SameNumber(_)),
        };
        if (copied || self.reader().single::<Anew>().await?.is_some())
            && let Some(document) = Box::pin(self.read_what_fits(row.document)).await?
        {
            return Ok((document, true));
        }
        Ok((self.load(row).await?, false))
    }

    /// A document without this device's own work that does not fit; `None` where it has no such work waiting, or the rest
    /// can't be read either.
    async fn read_what_fits(&self, document: DocumentId) -> Result<Option<Document>, DeviceError> {
        let waiting = self.reader().group::<OutboxRow>(Shelf::Outbox, document.as_bytes(), 0).await?;
        let unsent: BTreeSet<Hash> = waiting.into_iter().filter_map(|(_, row)| Some(row.intended()?.hash)).collect();
        if unsent.is_empty() {
            return Ok(None);
        }
        let Shelved { seen, base, changes, .. } = self.shelved(document, false).await?;
        let kind = seen.row.kind;
        let read = off_thread(move || {
            let (own, settled): (Vec<ChangeRow>, Vec<ChangeRow>) =
                changes.into_iter().partition(|row| unsent.contains(&row.hash));
            let read = || {
                let mut document = match &base {
                    Some(base) => base.open(kind)?,
                    None => Document::new(kind)?,
                };
                take_in(&mut document, &bytes_of(&settled))?;
                Ok::<_, Unreadable>(document)
            };
            let Ok(mut document) = read() else { return Ok(None) };
            apply_what_fits(&mut document, &own);
            Ok(Some(document))
        });
        read.await
    }

    /// Reads a document once; where it can't be read, of which state of it that is said.
    async fn read(&self, document: DocumentId) -> Result<Result<Document, (Seen, Unreadable)>, DeviceError> {
        let mut shelved = self.shelved(document, true).await?;
        let (kind, mut begun) = (shelved.seen.row.kind, None);
        if let Some(snapshot) = shelved.snapshot.take() {
            begun = off_thread(move || Ok(Document::load(kind, &snapshot.bytes).ok())).await?;
            if begun.is_none() {
                // A snapshot that does not read is no loss: the changes are the truth.
                shelved = self.shelved(document, false).await?;
            }
        }
        let Shelved { seen, base, changes, .. } = shelved;
        let read = off_thread(move || {
            let read = || {
                let changes = bytes_of(&changes);
                let mut document = match (begun, &base) {
                    (Some(begun), _) => begun,
                    (None, Some(base)) => base.open(kind).or_else(|why| base.rebuilt(kind, &changes).ok_or(why))?,
                    (None, None) => Document::new(kind)?,
                };
                take_in(&mut document, &changes)?;
                let saved = (changes.len() >= CHANGES_TO_A_SNAPSHOT).then(|| document.save());
                Ok((document, saved))
            };
            Ok(read())
        });
        match read.await? {
            Ok((document, saved)) => {
                if let Some(bytes) = saved {
                    self.keep_snapshot(&seen.row, Snapshot { bytes: bytes.into(), up_to: seen.last }).await;
                }
                Ok(Ok(document))
            }
            Err(why) => Ok(Err((seen, why))),
        }
    }

    /// What is here of a document, all of one moment: from its snapshot on if that is wanted and there is one.
    async fn shelved(&self, document: DocumentId, from_snapshot: bool) -> Result<Shelved, DeviceError> {
        let mut write = Writer::begin(&self.store).await?;
        let row = write.document(document).await?.ok_or(DeviceError::NoSuchDocument(document))?;
        let snapshot: Option<Snapshot> =
            if from_snapshot { write.row(Shelf::Document, &Snapshot::key(document)).await? } else { None };
        let base = match snapshot {
            Some(_) => None,
            None => write.row(Shelf::Document, &Base::key(document)).await?,
        };
        let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.up_to);
        let rows = write.group::<ChangeRow>(Shelf::Change, document.as_bytes(), after).await?;
        // Nothing was written; to take it back would cost the keys of the cases, which the store then reads again.
        write.commit().await?;
        let last = rows.last().map_or(after, |(n, _)| *n);
        let changes = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Shelved { seen: Seen { row, last }, snapshot, base, changes })
    }

    /// Keeps what was read of a document as it was seen with `row`, up to a change, unless it is another one by now:
    /// a snapshot hides what it stands for, and what came or went meanwhile would stay hidden.
    pub(super) async fn keep_snapshot(&self, row: &DocumentRow, snapshot: Snapshot) {
        let kept = async {
            let mut write = Writer::begin(&self.store).await?;
            if write.still(row, snapshot.up_to).await?.is_none() {
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

    /// Remembers that a document can't be read, and tells its person once. Not so if it has had news or lost refused
    /// work since it was read: whether it was as it is now.
    async fn set_aside(&self, seen: &Seen, unreadable: &Unreadable) -> Result<bool, DeviceError> {
        let why = unreadable.to_string();
        let mut write = Writer::begin(&self.store).await?;
        let Some(now) = write.still(&seen.row, seen.last).await? else { return Ok(false) };
        if now.set_aside.as_ref() != Some(&why) {
            let (document, case) = (now.document, now.case);
            write.put_document(&DocumentRow { set_aside: Some(why.clone()), ..now }).await?;
            write.notice(Some(case), self.stamp(), Notice::SetAside { document, why }).await?;
            write.commit().await?;
            self.tell(Event::Notice);
        }
        Ok(true)
    }
}

/// A document as a reading of it found it: its row, and the number of the newest change (0: none).
struct Seen {
    row: DocumentRow,
    last: i64,
}

/// What a document is read from.
struct Shelved {
    seen: Seen,
    snapshot: Option<Snapshot>,
    /// Not looked for where there is a snapshot, which has it in it.
    base: Option<Base>,
    /// All changes, or those behind the snapshot.
    changes: Vec<ChangeRow>,
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
        take_in(&mut document, changes).ok()?;
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

    /// The row of a document, if what is here of it is what it was when its row was `before` and its newest change had
    /// this number. Numbers only grow: with as many changes, none of them newer, they are the same ones.
    async fn still(&mut self, before: &DocumentRow, last: i64) -> Result<Option<DocumentRow>, super::StoreError> {
        let newest = self.0.list(Shelf::Change, before.document.as_bytes(), last.saturating_sub(1), 2).await?;
        let newest: Vec<i64> = newest.iter().map(|(n, _)| *n).collect();
        let same_changes = if last == 0 { newest.is_empty() } else { newest == [last] };
        let now = self.document(before.document).await?;
        let of = |row: &DocumentRow| (row.fork, row.changes, row.server_heads.clone());
        Ok(now.filter(|now| same_changes && of(now) == of(before)))
    }

    /// Removes a document's snapshot.
    pub(super) async fn remove_snapshot(&mut self, document: DocumentId) -> Result<(), super::StoreError> {
        self.0.remove(Shelf::Document, &Snapshot::key(document)).await.map(drop)
    }
}
