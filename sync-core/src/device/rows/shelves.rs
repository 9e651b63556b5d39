//! Rows onto the store's shelves and back.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::{ChangeRow, DocumentRow, List, Notice, NoticeRow, OutboxRow, PhotoRow, Single, group};
use crate::clock::Stamp;
use crate::device::error::DeviceError;
use crate::device::heads::Carried;
use crate::device::store::{Shelf, Store, StoreError, Transaction};
use crate::id::{CaseId, DocumentId, Hash};

/// How many rows are read at a time.
const PAGE: u32 = 512;

/// The CBOR of a row.
pub(in crate::device) fn to_bytes<T: Encode<()>>(row: &T) -> Vec<u8> {
    // Writing to a vector can't fail.
    minicbor::to_vec(row).unwrap_or_default()
}

/// A row from its CBOR.
pub(in crate::device) fn from_bytes<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, StoreError> {
    minicbor::decode(bytes).map_err(|_| StoreError::corrupt())
}

/// Reading rows, from the store or inside a transaction.
macro_rules! reading {
    ($over:ty) => {
        #[allow(dead_code)] // both sides have the same readers
        impl $over {
            pub(in crate::device) async fn single<T: Single>(&mut self) -> Result<Option<T>, StoreError> {
                self.row(Shelf::Meta, T::KEY).await
            }

            pub(in crate::device) async fn row<T: for<'b> Decode<'b, ()>>(
                &mut self,
                shelf: Shelf,
                key: &[u8],
            ) -> Result<Option<T>, StoreError> {
                self.0.get(shelf, key).await?.map(|bytes| from_bytes(&bytes)).transpose()
            }

            pub(in crate::device) async fn group<T: for<'b> Decode<'b, ()>>(
                &mut self,
                shelf: Shelf,
                group: &[u8],
                after: i64,
            ) -> Result<Vec<(i64, T)>, StoreError> {
                let (mut rows, mut after) = (Vec::new(), after);
                loop {
                    let page = self.0.list(shelf, group, after, PAGE).await?;
                    let full = page.len() == PAGE as usize;
                    for (n, bytes) in page {
                        after = n;
                        rows.push((n, from_bytes(&bytes)?));
                    }
                    if !full {
                        return Ok(rows);
                    }
                }
            }

            /// The rows with these numbers, in their order; those that are no longer there are left out.
            pub(in crate::device) async fn these<T: for<'b> Decode<'b, ()>>(
                &mut self,
                shelf: Shelf,
                ns: &[i64],
            ) -> Result<Vec<(i64, T)>, StoreError> {
                let mut rows = Vec::new();
                for ns in ns.chunks(PAGE as usize) {
                    for (n, bytes) in self.0.these(shelf, ns).await? {
                        rows.push((n, from_bytes(&bytes)?));
                    }
                }
                Ok(rows)
            }

            pub(in crate::device) async fn whole_shelf<T: for<'b> Decode<'b, ()>>(
                &mut self,
                shelf: Shelf,
            ) -> Result<Vec<(i64, T)>, StoreError> {
                let rows = self.0.all(shelf, u32::MAX).await?;
                rows.into_iter().map(|(n, bytes)| Ok((n, from_bytes(&bytes)?))).collect()
            }

            /// The rows of these documents, of those that are here.
            pub(in crate::device) async fn documents(
                &mut self,
                documents: &BTreeSet<DocumentId>,
            ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
                let keys: Vec<Vec<u8>> = documents.iter().map(|document| document.as_bytes().to_vec()).collect();
                let rows = self.0.under(Shelf::Document, &keys).await?;
                let rows = documents.iter().zip(rows).filter_map(|(document, row)| Some((*document, row?)));
                rows.map(|(document, row)| Ok((document, from_bytes(&row)?))).collect()
            }

            pub(in crate::device) async fn document(
                &mut self,
                document: DocumentId,
            ) -> Result<Option<DocumentRow>, StoreError> {
                self.row(Shelf::Document, document.as_bytes()).await
            }
        }
    };
}

/// The store, read row by row.
pub(in crate::device) struct Reader<'a>(pub(in crate::device) &'a Store);
/// A transaction, read and written row by row, and the sum of what is carried where it has moved.
pub(in crate::device) struct Writer(pub(in crate::device) Transaction, pub(in crate::device) Option<Carried>);

reading!(Reader<'_>);
reading!(Writer);

impl Writer {
    pub(in crate::device) async fn begin(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(store.begin().await?, None))
    }

    pub(in crate::device) async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(carried) = self.1.take() {
            self.put_single(&carried).await?;
        }
        self.0.commit().await
    }

    pub(in crate::device) async fn put_single<T: Single>(&mut self, row: &T) -> Result<(), StoreError> {
        self.0.put(Shelf::Meta, None, group::META, T::KEY, &to_bytes(row)).await.map(drop)
    }

    /// Adds to a list what it does not have yet.
    pub(in crate::device) async fn enlist<L: List>(&mut self, item: L::Item) -> Result<(), StoreError> {
        let mut list = self.single::<L>().await?.unwrap_or_default();
        if list.items().contains(&item) {
            return Ok(());
        }
        list.items().push(item);
        self.put_single(&list).await
    }

    /// Takes from a list what `keep` does not keep.
    pub(in crate::device) async fn thin<L: List>(
        &mut self,
        keep: impl FnMut(&L::Item) -> bool,
    ) -> Result<(), StoreError> {
        let mut list = self.single::<L>().await?.unwrap_or_default();
        let before = list.items().len();
        list.items().retain(keep);
        if list.items().len() == before { Ok(()) } else { self.put_single(&list).await }
    }

    pub(in crate::device) async fn remove_single<T: Single>(&mut self) -> Result<(), StoreError> {
        self.0.remove(Shelf::Meta, T::KEY).await.map(drop)
    }

    pub(in crate::device) async fn put_document(&mut self, row: &DocumentRow) -> Result<(), StoreError> {
        let (case, key) = (row.case, row.document);
        self.count(row.document, Some(row)).await?;
        self.0.put(Shelf::Document, Some(case), case.as_bytes(), key.as_bytes(), &to_bytes(row)).await.map(drop)
    }

    /// Adds a change to a document unless it is there; its number, and whether it is new.
    pub(in crate::device) async fn put_change(
        &mut self,
        row: &mut DocumentRow,
        hash: Hash,
        bytes: Vec<u8>,
    ) -> Result<Option<i64>, StoreError> {
        let key = ChangeRow::key(row.document, hash);
        if hash == row.kind.skeleton_hash() || self.0.get(Shelf::Change, &key).await?.is_some() {
            return Ok(None);
        }
        let value = to_bytes(&ChangeRow { hash, bytes: ByteVec::from(bytes) });
        let n = self.0.put(Shelf::Change, Some(row.case), row.document.as_bytes(), &key, &value).await?;
        row.changes = row.changes.saturating_add(1);
        Ok(Some(n))
    }

    pub(in crate::device) async fn put_photo(&mut self, row: &PhotoRow) -> Result<(), StoreError> {
        let key = PhotoRow::key(row.document, row.hash);
        self.0.put(Shelf::Photo, Some(row.case), row.document.as_bytes(), &key, &to_bytes(row)).await.map(drop)
    }

    pub(in crate::device) async fn put_photo_bytes(&mut self, row: &PhotoRow, bytes: &[u8]) -> Result<(), StoreError> {
        let key = PhotoRow::key(row.document, row.hash);
        self.0.put(Shelf::PhotoBytes, Some(row.case), row.document.as_bytes(), &key, bytes).await.map(drop)
    }

    pub(in crate::device) async fn notice(
        &mut self,
        case: Option<CaseId>,
        at: Stamp,
        notice: Notice,
    ) -> Result<(), StoreError> {
        self.0.append(Shelf::Notice, case, group::NOTICES, &to_bytes(&NoticeRow { at, notice })).await.map(drop)
    }
}

impl Writer {
    /// Writes a row of the outbox; one that is there keeps its place.
    pub(in crate::device) async fn put_outbox(&mut self, key: &[u8], row: &OutboxRow) -> Result<i64, StoreError> {
        self.0.put(Shelf::Outbox, Some(row.case()), &row.group(), key, &to_bytes(row)).await
    }
}

/// Waits for work that takes long or may panic, away from the threads that serve others.
pub(in crate::device) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeviceError> + Send + 'static,
) -> Result<T, DeviceError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::Io(std::io::Error::other(error)).into()),
    }
}
