//! Organisations: one council, and names that are told apart whatever their letters' case.

use grabrail_server::storage::StorageError;
use grabrail_server::storage::organisations::Organisation;
use sync_core::id::OrganisationId;

use crate::stores::{Store, held_by_every_store};

held_by_every_store! {
    there_is_one_council_however_often_it_is_asked_for;
    an_organisation_reads_back_by_its_id_and_its_name_in_any_case_of_letters;
    a_name_belongs_to_one_organisation_in_any_case_of_letters;
    the_council_comes_first_then_the_others_by_name;
}

async fn there_is_one_council_however_often_it_is_asked_for(store: &Store) {
    let storage = store.open().await;
    let council = storage.authority("Example Council").await.unwrap();
    assert_eq!(council, Organisation { id: council.id, name: "Example Council".to_owned(), is_authority: true });
    storage.close().await;
    let storage = store.open().await;
    assert_eq!(storage.authority("Another Council").await.unwrap(), council);
    assert_eq!(storage.organisations().await.unwrap(), [council]);
}

async fn an_organisation_reads_back_by_its_id_and_its_name_in_any_case_of_letters(store: &Store) {
    let storage = store.open().await;
    let added = storage.add_organisation("Thérapie Élan").await.unwrap();
    assert_eq!(added, Organisation { id: added.id, name: "Thérapie Élan".to_owned(), is_authority: false });
    storage.close().await;
    let storage = store.open().await;
    assert_eq!(storage.organisation(added.id).await.unwrap(), Some(added.clone()));
    for name in ["Thérapie Élan", "THÉRAPIE ÉLAN", "thérapie élan"] {
        assert_eq!(storage.organisation_named(name).await.unwrap(), Some(added.clone()), "{name}");
    }
    assert_eq!(storage.organisation(OrganisationId::from_bytes([9; 16])).await.unwrap(), None);
    assert_eq!(storage.organisation_named("Therapie Elan").await.unwrap(), None);
}

async fn a_name_belongs_to_one_organisation_in_any_case_of_letters(store: &Store) {
    let storage = store.open().await;
    storage.authority("Example Council").await.unwrap();
    storage.add_organisation("Hill Therapy").await.unwrap();
    for name in ["Hill Therapy", "HILL THERAPY", "example council"] {
        let again = storage.add_organisation(name).await;
        assert!(matches!(again, Err(StorageError::Taken(_))), "{again:?}");
    }
    assert_eq!(storage.organisations().await.unwrap().len(), 2);
}

async fn the_council_comes_first_then_the_others_by_name(store: &Store) {
    let storage = store.open().await;
    for name in ["Valley OT", "hill therapy"] {
        storage.add_organisation(name).await.unwrap();
    }
    storage.authority("West Council").await.unwrap();
    storage.add_organisation("Adler Care").await.unwrap();
    let names: Vec<_> = storage.organisations().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["West Council", "Adler Care", "hill therapy", "Valley OT"]);
}
