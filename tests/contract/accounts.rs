//! Staff accounts: what a row says, and what disabling one ends.

use grabrail_server::storage::StorageError;
use grabrail_server::storage::accounts::{Account, HcpcCheck, HcpcResult, NewAccount};
use sync_core::access::Role;
use sync_core::id::{AccountId, Hash, OrganisationId};

use crate::stores::{Store, account, held_by_every_store, new_account};

held_by_every_store! {
    an_account_reads_back_by_its_id_and_its_name_in_any_case_of_letters;
    a_sign_in_name_belongs_to_one_account;
    an_account_works_in_an_organisation_that_there_is;
    accounts_come_by_sign_in_name;
    a_disabled_account_has_no_session_and_is_enabled_without_one;
    a_new_password_ends_the_sessions_of_the_old_one;
    the_last_look_at_the_register_is_the_one_that_counts;
}

async fn an_account_reads_back_by_its_id_and_its_name_in_any_case_of_letters(store: &Store) {
    let storage = store.open().await;
    let new = NewAccount {
        full_name: "Siân O’Neill".to_owned(),
        role: Role::SeniorOt,
        hcpc_number: Some("OT12345".to_owned()),
        password_hash: None,
        ..new_account(&storage, "Sian.Senior").await
    };
    let added = storage.add_account(new.clone()).await.unwrap();
    let wanted = Account {
        id: added.id,
        sign_in: "sian.senior".parse().unwrap(),
        full_name: new.full_name,
        role: new.role,
        organisation: new.organisation,
        enabled: true,
        hcpc_number: new.hcpc_number,
        hcpc_check: None,
    };
    assert_eq!(added, wanted);
    storage.close().await;
    let storage = store.open().await;
    assert_eq!(storage.account(added.id).await.unwrap(), Some(wanted.clone()));
    assert_eq!(storage.account_named(&"SIAN.senior".parse().unwrap()).await.unwrap(), Some(wanted));
    assert_eq!(storage.account(AccountId::from_bytes([9; 16])).await.unwrap(), None);
    assert_eq!(storage.account_named(&"nobody".parse().unwrap()).await.unwrap(), None);
}

async fn a_sign_in_name_belongs_to_one_account(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let again = storage.add_account(new_account(&storage, "OLU.OT").await).await;
    assert!(matches!(again, Err(StorageError::Taken(_))), "{again:?}");
    assert_eq!(storage.accounts().await.unwrap(), [olu]);
}

async fn an_account_works_in_an_organisation_that_there_is(store: &Store) {
    let storage = store.open().await;
    let new = new_account(&storage, "olu.ot").await;
    let organisation = OrganisationId::from_bytes([9; 16]);
    assert!(storage.add_account(NewAccount { organisation, ..new }).await.is_err());
    assert_eq!(storage.accounts().await.unwrap(), []);
}

async fn accounts_come_by_sign_in_name(store: &Store) {
    let storage = store.open().await;
    for name in ["tom.tech", "ana.admin", "olu.ot"] {
        account(&storage, name).await;
    }
    let names: Vec<_> = storage.accounts().await.unwrap().iter().map(|account| account.sign_in.to_string()).collect();
    assert_eq!(names, ["ana.admin", "olu.ot", "tom.tech"]);
}

async fn a_disabled_account_has_no_session_and_is_enabled_without_one(store: &Store) {
    let storage = store.open().await;
    let (olu, ana) = (account(&storage, "olu.ot").await, account(&storage, "ana.admin").await);
    let session = storage.begin_session(olu.id, Hash::of(b"olu"), 1000).await.unwrap();
    let other = storage.begin_session(ana.id, Hash::of(b"ana"), 1000).await.unwrap();
    for enabled in [false, true] {
        assert!(storage.set_account_enabled(olu.id, enabled).await.unwrap());
        let (session, of) = storage.session(session.id).await.unwrap().unwrap();
        assert_eq!(of, Account { enabled, ..olu.clone() });
        assert_eq!(session.revoked_at, Some(store.now()), "enabling gives no ended session back");
    }
    assert_eq!(storage.session(other.id).await.unwrap(), Some((other, ana)), "another's is left alone");
    assert!(!storage.set_account_enabled(AccountId::from_bytes([9; 16]), false).await.unwrap());
}

async fn a_new_password_ends_the_sessions_of_the_old_one(store: &Store) {
    let storage = store.open().await;
    let (olu, ana) = (account(&storage, "olu.ot").await, account(&storage, "ana.admin").await);
    let session = storage.begin_session(olu.id, Hash::of(b"olu"), 1000).await.unwrap();
    let other = storage.begin_session(ana.id, Hash::of(b"ana"), 1000).await.unwrap();
    assert!(storage.set_password_hash(olu.id, "another hash").await.unwrap());
    assert!(!storage.session(session.id).await.unwrap().unwrap().0.is_live(store.now()));
    assert!(storage.session(other.id).await.unwrap().unwrap().0.is_live(store.now()));
    assert_eq!(storage.account(olu.id).await.unwrap(), Some(olu));
    assert!(!storage.set_password_hash(AccountId::from_bytes([9; 16]), "a hash").await.unwrap());
}

async fn the_last_look_at_the_register_is_the_one_that_counts(store: &Store) {
    let storage = store.open().await;
    let (olu, ana) = (account(&storage, "olu.ot").await, account(&storage, "ana.admin").await);
    let looks = [
        ("OT1", HcpcResult::NotFound, None),
        ("OT123456", HcpcResult::Conditions, Some(ana.id)),
        ("OT123456", HcpcResult::Suspended, Some(ana.id)),
        ("OT123456", HcpcResult::Registered, None),
    ];
    for (number, result, by) in looks {
        store.advance(1000);
        let check = HcpcCheck { at: store.now(), result, by };
        assert!(storage.set_hcpc(olu.id, number, check).await.unwrap());
        let wanted = Account { hcpc_number: Some(number.to_owned()), hcpc_check: Some(check), ..olu.clone() };
        assert_eq!(storage.account(olu.id).await.unwrap(), Some(wanted));
    }
    assert_eq!(storage.account(ana.id).await.unwrap(), Some(ana));
    let check = HcpcCheck { at: store.now(), result: HcpcResult::Registered, by: None };
    assert!(!storage.set_hcpc(AccountId::from_bytes([9; 16]), "OT1", check).await.unwrap());
}
