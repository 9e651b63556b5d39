//! Photos' bytes: kept whole or not at all, private, and only under their own name.

use std::os::unix::fs::MetadataExt;

use grabrail_server::storage::blobs::{BlobError, BlobName, RANGE};
use sync_core::id::{CaseId, DocumentId, Hash};

use crate::stores::{Store, files, held_by_every_store};

held_by_every_store! {
    what_is_kept_reads_back_whole_and_in_ranges;
    what_is_kept_reads_back_after_a_restart;
    a_kept_file_is_private_lies_under_its_case_and_holds_no_plain_byte;
    a_photo_opens_only_in_its_own_document_and_only_under_its_own_hash;
    a_draft_that_a_kill_left_is_swept_when_the_folder_is_served_again_and_photos_stay;
}

const CASE: CaseId = CaseId::from_bytes([1; 16]);

fn name(bytes: &[u8]) -> BlobName {
    BlobName { case: CASE, document: DocumentId::from_bytes([2; 17]), hash: Hash::of(bytes) }
}

fn photo(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn what_is_kept_reads_back_whole_and_in_ranges(store: &Store) {
    let storage = store.open().await;
    let (blobs, key) = (storage.blobs(), storage.vault().case_key(CASE).await.unwrap());
    for length in [0, 1, RANGE - 1, RANGE, RANGE + 1, 3 * RANGE, 3 * RANGE + 17] {
        let bytes = photo(length);
        let name = name(&bytes);
        assert!(blobs.get(&key, name, 1 << 20).await.unwrap().is_none());
        for _ in 0..2 {
            blobs.put(&key, name, bytes.clone()).await.unwrap();
        }
        assert!(blobs.has(name).await.unwrap());
        assert_eq!(blobs.get(&key, name, 1 << 20).await.unwrap().unwrap(), bytes);
        for (start, wanted) in [(0, 10), (RANGE - 3, 6), (RANGE, RANGE), (length, 1), (5, usize::MAX)] {
            let (part, whole) = blobs.get_range(&key, name, start as u64, wanted).await.unwrap().unwrap();
            let end = start.saturating_add(wanted).min(length);
            assert_eq!((part.as_slice(), whole), (bytes.get(start..end).unwrap_or_default(), length as u64));
        }
        blobs.remove(name).await.unwrap();
        blobs.remove(name).await.unwrap();
        assert!(!blobs.has(name).await.unwrap());
    }
}

async fn what_is_kept_reads_back_after_a_restart(store: &Store) {
    let bytes = photo(RANGE + 1);
    let storage = store.open().await;
    let key = storage.vault().case_key(CASE).await.unwrap();
    storage.blobs().put(&key, name(&bytes), bytes.clone()).await.unwrap();
    storage.close().await;
    let storage = store.open().await;
    let key = storage.vault().case_key(CASE).await.unwrap();
    assert_eq!(storage.blobs().get(&key, name(&bytes), 1 << 20).await.unwrap().unwrap(), bytes);
}

async fn a_kept_file_is_private_lies_under_its_case_and_holds_no_plain_byte(store: &Store) {
    let storage = store.open().await;
    let key = storage.vault().case_key(CASE).await.unwrap();
    let bytes = b"a photo of a bathroom".repeat(10);
    storage.blobs().put(&key, name(&bytes), bytes.clone()).await.unwrap();
    let folder = store.path().join("photos").join(CASE.to_string());
    let files = files(&folder);
    assert_eq!(files.len(), 1, "no draft is left");
    assert_eq!(std::fs::metadata(&files[0]).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let kept = std::fs::read(&files[0]).unwrap();
    assert!(!kept.windows(9).any(|window| window == b"a photo o"));
}

async fn a_photo_opens_only_in_its_own_document_and_only_under_its_own_hash(store: &Store) {
    let storage = store.open().await;
    let (blobs, key) = (storage.blobs(), storage.vault().case_key(CASE).await.unwrap());
    let name = name(b"photo");
    blobs.put(&key, name, b"photo".to_vec()).await.unwrap();
    let other = BlobName { document: DocumentId::from_bytes([3; 17]), ..name };
    assert!(blobs.get(&key, other, 100).await.unwrap().is_none());
    let wrong = blobs.put(&key, other, b"another".to_vec()).await;
    assert!(matches!(wrong, Err(BlobError::OtherBytes { .. })), "{wrong:?}");
    let elsewhere = BlobName { case: CaseId::from_bytes([7; 16]), ..name };
    let wrong = blobs.put(&key, elsewhere, b"photo".to_vec()).await;
    assert!(matches!(wrong, Err(BlobError::OtherCase)), "{wrong:?}");
    for nothing in [other, elsewhere] {
        assert!(!blobs.has(nothing).await.unwrap());
    }
    // The same bytes in two documents are two photos: one is forgotten alone.
    blobs.put(&key, other, b"photo".to_vec()).await.unwrap();
    blobs.remove(name).await.unwrap();
    assert_eq!(blobs.get(&key, other, 100).await.unwrap().unwrap(), b"photo");
}

async fn a_draft_that_a_kill_left_is_swept_when_the_folder_is_served_again_and_photos_stay(store: &Store) {
    let (storage, lock) = store.serve().await;
    let key = storage.vault().case_key(CASE).await.unwrap();
    let kept = name(b"kept");
    storage.blobs().put(&key, kept, b"kept".to_vec()).await.unwrap();
    let folder = store.path().join("photos").join(CASE.to_string());
    let draft = files(&folder)[0].with_extension("0011223344556677.new");
    std::fs::write(&draft, b"half of").unwrap();
    storage.close().await;
    drop(lock);
    let (storage, _lock) = store.serve().await;
    assert!(!draft.exists());
    assert_eq!(storage.blobs().get(&key, kept, 100).await.unwrap().unwrap(), b"kept");
}
