//! Devices: a code enrols one, its number is its own for ever, and a copy of it stops it.

use grabrail_server::reach::KnownDirectory;
use grabrail_server::storage::accounts::Account;
use grabrail_server::storage::devices::{CodeRefused, Counted, Device, NewDevice, TakenRequest};
use grabrail_server::storage::keys::KeyPurpose;
use grabrail_server::storage::ledger::{Ledger, Plan, Write};
use grabrail_server::storage::{Storage, StorageError};
use sync_core::access::Role;
use sync_core::id::{AccountId, CaseId, DeviceId, Generation, Hash};

use crate::ledger::hand::Hand;
use crate::stores::{BY, Store, account, held_by_every_store};

held_by_every_store! {
    a_code_enrols_one_device_which_reads_back;
    a_code_is_spent_once_and_its_own_device_may_ask_again;
    a_code_that_is_unknown_too_old_or_of_a_disabled_account_enrols_nothing;
    a_key_or_generation_is_enrolled_once_and_the_code_is_not_spent_on_it;
    a_number_is_never_given_again;
    devices_come_by_number_and_by_account;
    the_last_request_is_answered_again_the_one_before_is_not_and_an_older_stops_the_device;
    a_request_is_written_with_what_it_brings_and_one_that_brings_nothing_soon_after;
    a_days_bytes_are_bounded_and_begin_anew_the_next_day;
    a_device_is_revoked_once_and_for_ever;
    a_request_is_judged_by_the_rows_of_now_whoever_changed_them;
}

const LASTS: i64 = 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;
const NOBODY: DeviceId = DeviceId::from_bytes([9; 16]);

fn code(at: u8) -> Hash {
    Hash::of(&[at])
}

fn tablet(at: u8) -> NewDevice {
    NewDevice { generation: Generation::from_bytes([at; 16]), public_key: [at; 32], name: "tablet".to_owned() }
}

async fn enrolled(storage: &Storage, olu: &Account, at: u8) -> Device {
    storage.add_enrolment_code(code(at), olu.id, LASTS).await.unwrap();
    storage.enrol(code(at), tablet(at)).await.unwrap().unwrap().0
}

async fn take(storage: &Storage, id: DeviceId, request: TakenRequest) -> Counted {
    let device = storage.device(id).await.unwrap().unwrap();
    storage.take_request(&device, request).await.unwrap()
}

fn request(counter: u64, body: &[u8]) -> TakenRequest {
    TakenRequest { counter, digest: Hash::of(body) }
}

async fn a_code_enrols_one_device_which_reads_back(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let expires = storage.add_enrolment_code(code(1), olu.id, LASTS).await.unwrap();
    assert_eq!(expires, store.now().plus_millis(LASTS));
    let (device, of) = storage.enrol(code(1), tablet(1)).await.unwrap().unwrap();
    assert_eq!(of, olu);
    let wanted = Device {
        id: device.id,
        number: device.number,
        account: olu.id,
        generation: tablet(1).generation,
        public_key: tablet(1).public_key,
        name: tablet(1).name,
        enrolled_at: store.now(),
        revoked_at: None,
        stopped_at: None,
        taken: [None; 2],
    };
    assert_eq!(device, wanted);
    storage.close().await;
    let storage = store.open().await;
    assert_eq!(storage.device(device.id).await.unwrap(), Some(wanted));
    assert_eq!(storage.device(NOBODY).await.unwrap(), None);
}

async fn a_code_is_spent_once_and_its_own_device_may_ask_again(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let device = enrolled(&storage, &olu, 1).await;
    // Its reply was lost; even long after.
    store.advance(10 * LASTS);
    assert_eq!(storage.enrol(code(1), tablet(1)).await.unwrap(), Ok((device.clone(), olu)));
    let half_its_own = [
        NewDevice { public_key: [3; 32], ..tablet(1) },
        NewDevice { generation: Generation::from_bytes([3; 16]), ..tablet(1) },
    ];
    for other in half_its_own.into_iter().chain([tablet(2)]) {
        assert_eq!(storage.enrol(code(1), other).await.unwrap(), Err(CodeRefused::Used));
    }
    assert_eq!(storage.devices(None).await.unwrap(), [device]);
}

async fn a_code_that_is_unknown_too_old_or_of_a_disabled_account_enrols_nothing(store: &Store) {
    let storage = store.open().await;
    let (olu, ana) = (account(&storage, "olu.ot").await, account(&storage, "ana.admin").await);
    storage.add_enrolment_code(code(1), olu.id, LASTS).await.unwrap();
    storage.add_enrolment_code(code(2), ana.id, LASTS + 1).await.unwrap();
    storage.set_account_enabled(ana.id, false).await.unwrap();
    store.advance(LASTS);
    for (at, why) in [(0, CodeRefused::Unknown), (1, CodeRefused::Expired), (2, CodeRefused::Disabled)] {
        assert_eq!(storage.enrol(code(at), tablet(at)).await.unwrap(), Err(why));
    }
    assert_eq!(storage.devices(None).await.unwrap(), []);
    // A refusal spends nothing.
    storage.set_account_enabled(ana.id, true).await.unwrap();
    assert!(storage.enrol(code(2), tablet(2)).await.unwrap().is_ok());
}

async fn a_key_or_generation_is_enrolled_once_and_the_code_is_not_spent_on_it(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let device = enrolled(&storage, &olu, 1).await;
    storage.add_enrolment_code(code(2), olu.id, LASTS).await.unwrap();
    for taken in [
        tablet(1),
        NewDevice { public_key: [1; 32], ..tablet(2) },
        NewDevice { generation: Generation::from_bytes([1; 16]), ..tablet(2) },
    ] {
        let refused = storage.enrol(code(2), taken).await;
        assert!(matches!(refused, Err(StorageError::Taken(_))), "{refused:?}");
    }
    let (second, _) = storage.enrol(code(2), tablet(2)).await.unwrap().unwrap();
    assert_eq!(storage.devices(None).await.unwrap(), [device, second]);
}

async fn a_number_is_never_given_again(store: &Store) {
    let mut numbers = Vec::new();
    for at in 1..5 {
        // Neither a revoked device's, nor after a restart.
        let storage = store.open().await;
        let olu = match storage.account_named(&"olu.ot".parse().unwrap()).await.unwrap() {
            Some(olu) => olu,
            None => account(&storage, "olu.ot").await,
        };
        let device = enrolled(&storage, &olu, at).await;
        assert!(storage.revoke_device(device.id).await.unwrap());
        numbers.push(device.number);
        storage.close().await;
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

async fn devices_come_by_number_and_by_account(store: &Store) {
    let storage = store.open().await;
    let (olu, ana) = (account(&storage, "olu.ot").await, account(&storage, "ana.admin").await);
    let first = enrolled(&storage, &olu, 3).await;
    let second = enrolled(&storage, &ana, 2).await;
    let third = enrolled(&storage, &olu, 1).await;
    assert_eq!(storage.devices(None).await.unwrap(), [first.clone(), second.clone(), third.clone()]);
    assert_eq!(storage.devices(Some(olu.id)).await.unwrap(), [first, third]);
    assert_eq!(storage.devices(Some(ana.id)).await.unwrap(), [second]);
    assert_eq!(storage.devices(Some(AccountId::from_bytes([9; 16]))).await.unwrap(), []);
}

async fn the_last_request_is_answered_again_the_one_before_is_not_and_an_older_stops_the_device(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let (id, other) = (enrolled(&storage, &olu, 1).await.id, enrolled(&storage, &olu, 2).await);
    for (request, wanted) in [
        (request(1, b"a"), Counted::Next),
        (request(1, b"a"), Counted::Again),
        (request(5, b"b"), Counted::Next),
        (request(1, b"a"), Counted::Overtaken),
        (request(7, b"c"), Counted::Next),
        (request(5, b"b"), Counted::Overtaken),
        (request(7, b"c"), Counted::Again),
    ] {
        assert_eq!(take(&storage, id, request).await, wanted);
    }
    // Written behind: with whatever is written next, at the latest when the folder is closed.
    assert_eq!(storage.device(id).await.unwrap().unwrap().taken, [None; 2]);
    storage.close().await;
    let storage = store.open().await;
    let going = storage.device(id).await.unwrap().unwrap();
    assert_eq!((going.stopped_at, going.taken), (None, [Some(request(7, b"c")), Some(request(5, b"b"))]));
    assert_eq!(take(&storage, id, request(5, b"b")).await, Counted::Overtaken);
    assert_eq!(storage.device(id).await.unwrap().unwrap().stopped_at, None);
    let stopped = store.now();
    for copy in [request(1, b"a"), request(7, b"other"), request(6, b"d")] {
        assert_eq!(take(&storage, id, copy).await, Counted::Copy);
        store.advance(1000);
    }
    let wanted = Device { stopped_at: Some(stopped), ..going };
    assert_eq!(storage.device(id).await.unwrap(), Some(wanted), "stopped at the first, remembering no copy's request");
    assert_eq!(storage.device(other.id).await.unwrap(), Some(other), "another of the same person goes on");
}

async fn a_request_is_written_with_what_it_brings_and_one_that_brings_nothing_soon_after(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let (device, other) = (enrolled(&storage, &olu, 1).await, enrolled(&storage, &olu, 2).await);
    let taken = async |device: &Device| storage.device(device.id).await.unwrap().unwrap().taken;
    assert_eq!(take(&storage, device.id, request(1, b"a")).await, Counted::Next);
    assert_eq!(take(&storage, other.id, request(9, b"z")).await, Counted::Next);
    // A row that was read before counts no less than what is remembered since.
    assert_eq!(storage.take_request(&device, request(1, b"other")).await.unwrap(), Counted::Copy);
    assert_eq!(taken(&device).await, [None; 2], "nothing waits for the disk");
    let quarantine = Hand::new(7).quarantine_row(CaseId::from_bytes([3; 16]));
    storage.ledger().commit(Plan { by: BY, writes: vec![Write::Quarantine(quarantine)] }).await.unwrap();
    assert_eq!(taken(&device).await, [Some(request(1, b"a")), None], "with the first effect of anybody");
    assert_eq!(taken(&other).await, [Some(request(9, b"z")), None]);
    assert_eq!(take(&storage, other.id, request(10, b"y")).await, Counted::Next);
    let mut waited = 0;
    while taken(&other).await[0] != Some(request(10, b"y")) {
        waited += 1;
        assert!(waited < 100, "by itself, a second later");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(taken(&other).await, [Some(request(10, b"y")), Some(request(9, b"z"))]);
}

async fn a_days_bytes_are_bounded_and_begin_anew_the_next_day(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let (id, other) = (enrolled(&storage, &olu, 1).await.id, enrolled(&storage, &olu, 2).await.id);
    let mut write = storage.write().await.unwrap();
    for (bytes, wanted) in [(60, true), (50, false), (u64::MAX, false), (40, true), (1, false)] {
        assert_eq!(storage.count_bytes(&mut write, id, (bytes, 100), store.now()).await.unwrap(), wanted);
    }
    assert!(storage.count_bytes(&mut write, other, (100, 100), store.now()).await.unwrap());
    store.advance(DAY);
    assert!(storage.count_bytes(&mut write, id, (100, 100), store.now()).await.unwrap());
    assert!(!storage.count_bytes(&mut write, id, (1, 100), store.now()).await.unwrap());
}

async fn a_device_is_revoked_once_and_for_ever(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let device = enrolled(&storage, &olu, 1).await;
    let revoked = Some(store.now());
    assert!(storage.revoke_device(device.id).await.unwrap());
    store.advance(1000);
    assert!(!storage.revoke_device(device.id).await.unwrap());
    assert!(!storage.revoke_device(NOBODY).await.unwrap());
    let wanted = Device { revoked_at: revoked, ..device };
    assert_eq!(storage.device(wanted.id).await.unwrap(), Some(wanted));
}

/// What is read once for a request is never of before a right changed, though another process changed it.
async fn a_request_is_judged_by_the_rows_of_now_whoever_changed_them(store: &Store) {
    let storage = store.open().await;
    let other = store.open().await;
    let (olu, eve) = (account(&storage, "olu.ot").await, account(&storage, "eve.ot").await);
    let device = enrolled(&storage, &olu, 1).await;
    let known = KnownDirectory::default();
    assert!(storage.heard(NOBODY).await.unwrap().is_none());
    let first = storage.heard(device.id).await.unwrap().unwrap();
    let signs = storage.server_keys().await.unwrap();
    let signs = |id| signs.iter().any(|key| key.id == id && key.purpose == KeyPurpose::Reply);
    assert_eq!((&first.device, first.enabled, signs(first.reply_key)), (&device, true, true));
    assert_eq!(first.epoch, storage.epochs().await.unwrap()[0]);
    assert_eq!(first.directory, storage.directory_state().await.unwrap());
    let read = known.at(&storage, first.directory).await.unwrap();
    assert_eq!(read.person(olu.id).map(|person| person.role), Some(Role::Ot));
    assert!(std::sync::Arc::ptr_eq(&read, &known.at(&storage, first.directory).await.unwrap()), "read once");

    // Somebody else's change is no change of this account's, but one of the directory.
    assert!(other.set_role(eve.id, Role::SeniorOt).await.unwrap());
    let heard = storage.heard(device.id).await.unwrap().unwrap();
    assert_eq!((heard.changed, heard.directory > first.directory), (first.changed, true));
    let mut before = heard;
    let practice = other.add_organisation("Hill Therapy").await.unwrap().id;
    for step in 0..4 {
        match step {
            0 => assert!(other.set_role(olu.id, Role::Surveyor).await.unwrap()),
            1 => assert!(other.set_organisation(olu.id, practice).await.unwrap()),
            2 => assert!(other.set_account_enabled(olu.id, false).await.unwrap()),
            _ => assert!(other.set_account_enabled(olu.id, true).await.unwrap()),
        }
        let heard = storage.heard(device.id).await.unwrap().unwrap();
        assert!(heard.changed > before.changed && heard.directory > before.directory, "step {step}");
        assert_eq!(heard.enabled, step != 2);
        let read = known.at(&storage, heard.directory).await.unwrap();
        let person = read.person(olu.id).unwrap();
        assert_eq!(
            (person.role, person.organisation == practice, person.of_council),
            (Role::Surveyor, step > 0, step == 0)
        );
        before = heard;
    }
    other.rotate_key(KeyPurpose::Reply).await.unwrap();
    assert!(other.revoke_device(device.id).await.unwrap());
    let last = storage.heard(device.id).await.unwrap().unwrap();
    assert!(last.device.revoked_at.is_some() && last.reply_key != first.reply_key);
    assert!(!other.set_role(AccountId::from_bytes([9; 16]), Role::Ot).await.unwrap());
}
