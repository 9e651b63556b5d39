//! The cases' keys: one a case, in every run of the server, until it is destroyed.

use grabrail_server::storage::StorageError;
use grabrail_server::storage::seal::{Place, SealError};
use sync_core::id::CaseId;

use crate::stores::{Store, held_by_every_store};

held_by_every_store! {
    a_cases_key_outlives_the_process_and_a_destroyed_one_is_gone;
    a_case_erased_before_it_had_a_key_is_erased;
    another_servers_data_key_is_its_own_error_and_a_lost_one_is_not_replaced;
}

const PLACE: Place<'static> = Place { table: "changes", row: "r1", column: "body", version: 0 };
const ONE: CaseId = CaseId::from_bytes([1; 16]);
const TWO: CaseId = CaseId::from_bytes([2; 16]);

fn failed<T>(result: Result<T, StorageError>, wanted: &SealError) {
    match result {
        Err(StorageError::Seal(error)) => assert_eq!(error, *wanted),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("this should be: {wanted}"),
    }
}

async fn a_cases_key_outlives_the_process_and_a_destroyed_one_is_gone(store: &Store) {
    let storage = store.open().await;
    let sealed = storage.vault().seal(ONE, &PLACE, b"words").await.unwrap();
    let others = storage.vault().seal(TWO, &PLACE, b"other").await.unwrap();
    storage.close().await;
    let storage = store.open().await;
    let vault = storage.vault();
    assert_eq!(vault.unseal(ONE, &PLACE, &sealed, 10).await.unwrap(), b"words");
    failed(vault.unseal(TWO, &PLACE, &sealed, 10).await, &SealError::NotHere);
    for _ in 0..2 {
        vault.destroy(ONE).await.unwrap();
        failed(vault.unseal(ONE, &PLACE, &sealed, 10).await, &SealError::Erased);
        failed(vault.seal(ONE, &PLACE, b"again").await, &SealError::Erased);
    }
    storage.close().await;
    let storage = store.open().await;
    failed(storage.vault().unseal(ONE, &PLACE, &sealed, 10).await, &SealError::Erased);
    assert_eq!(storage.vault().unseal(TWO, &PLACE, &others, 10).await.unwrap(), b"other");
}

async fn a_case_erased_before_it_had_a_key_is_erased(store: &Store) {
    let storage = store.open().await;
    storage.vault().destroy(ONE).await.unwrap();
    failed(storage.vault().case_key(ONE).await, &SealError::Erased);
    storage.vault().case_key(TWO).await.unwrap();
}

async fn another_servers_data_key_is_its_own_error_and_a_lost_one_is_not_replaced(store: &Store) {
    let there = store.another();
    store.open().await.close().await;
    there.open().await.close().await;
    let data_key = store.path().join("data.key");
    // Copied, so that it stays private.
    let own = store.path().with_extension("key");
    std::fs::copy(&data_key, &own).unwrap();
    std::fs::copy(there.path().join("data.key"), &data_key).unwrap();
    failed(store.try_open().await, &SealError::WrongDataKey);
    std::fs::write(&data_key, "grabrail-data-key-1:abc\n").unwrap();
    failed(store.try_open().await, &SealError::DataKeyDamaged);
    std::fs::remove_file(&data_key).unwrap();
    failed(store.try_open().await, &SealError::DataKeyDamaged);
    std::fs::copy(own, &data_key).unwrap();
    store.open().await;
}
