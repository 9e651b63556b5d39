//! What a device may bring in a day, counted with what it brings: both or neither.

use grabrail_server::storage::devices::NewDevice;
use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{CommitError, Ledger, Plan, Write};
use sync_core::clock::Timestamp;
use sync_core::id::{DeviceId, Generation, Hash};

use super::hand::Hand;
use super::put;
use crate::stores::{BY, Store, account};

const DAY: i64 = 24 * 60 * 60 * 1000;
const MOST: u64 = 100;

async fn a_day_is_bounded_and_what_is_over_it_writes_nothing<L: Ledger>(ledger: &L, device: DeviceId) {
    let mut hand = Hand::new(60);
    let case = hand.case_row();
    let (monday, tuesday) = (Timestamp::from_millis(20_000 * DAY), Timestamp::from_millis(20_001 * DAY));
    let sunday = monday.plus_millis(-1);
    let brought = |bytes, at| Write::Brought { device, bytes, at, most: MOST };
    let end = put(ledger, [Write::Case(case.clone()), brought(60, monday)]).await;
    assert_eq!(ledger.brought(device, monday).await.unwrap(), 60);
    assert_eq!(ledger.brought(device, sunday).await.unwrap(), 0, "another day");
    for bytes in [MOST - 60 + 1, u64::MAX] {
        let over = ledger.commit(Plan { by: BY, writes: vec![Write::Touch(case.case), brought(bytes, monday)] }).await;
        assert!(matches!(over, Err(CommitError::DayFull)), "{over:?}");
        assert_eq!((ledger.end().await.unwrap(), ledger.brought(device, monday).await.unwrap()), (end, 60));
    }
    put(ledger, [brought(MOST - 60, monday.plus_millis(DAY - 1))]).await;
    let full = ledger.commit(Plan { by: BY, writes: vec![brought(1, monday)] }).await;
    assert!(matches!(full, Err(CommitError::DayFull)), "{full:?}");
    // The next day begins at nothing, and two writes of one plan count together.
    assert_eq!(ledger.brought(device, tuesday).await.unwrap(), 0);
    let both = ledger.commit(Plan { by: BY, writes: vec![brought(60, tuesday), brought(60, tuesday)] }).await;
    assert!(matches!(both, Err(CommitError::DayFull)), "{both:?}");
    put(ledger, [brought(40, tuesday), brought(60, tuesday)]).await;
    assert_eq!(ledger.brought(device, tuesday).await.unwrap(), MOST);
}

pub(super) async fn asked<L: Ledger>(ledger: &L) {
    let mut hand = Hand::new(61);
    let (case, account, other) = (hand.case_row(), hand.account(), hand.account());
    let (monday, tuesday) = (Timestamp::from_millis(20_000 * DAY), Timestamp::from_millis(20_001 * DAY));
    let asked = |account, bytes, at| Write::Asked { account, bytes, at, most: MOST };
    let end = put(ledger, [Write::Case(case.clone()), asked(account, 60, monday)]).await;
    for bytes in [MOST - 60 + 1, u64::MAX] {
        let over =
            ledger.commit(Plan { by: BY, writes: vec![Write::Touch(case.case), asked(account, bytes, monday)] }).await;
        assert!(matches!(over, Err(CommitError::DayFull)), "{over:?}");
        assert_eq!(ledger.end().await.unwrap(), end);
    }
    put(ledger, [asked(account, MOST - 60, monday), asked(other, MOST, monday)]).await;
    let full = ledger.commit(Plan { by: BY, writes: vec![asked(account, 1, monday)] }).await;
    assert!(matches!(full, Err(CommitError::DayFull)), "{full:?}");
    put(ledger, [asked(account, 40, tuesday), asked(account, 60, tuesday)]).await;
    let full = ledger.commit(Plan { by: BY, writes: vec![asked(account, 1, tuesday)] }).await;
    assert!(matches!(full, Err(CommitError::DayFull)), "{full:?}");
}

#[tokio::test]
async fn in_memory_a_days_bytes_are_counted_with_what_they_are_of() {
    a_day_is_bounded_and_what_is_over_it_writes_nothing(&MemoryLedger::new(), Hand::new(1).device()).await;
}

#[tokio::test]
async fn in_sql_a_days_bytes_are_counted_with_what_they_are_of() {
    let store = Store::in_sql();
    let storage = store.open().await;
    let (olu, code) = (account(&storage, "olu.ot").await, Hash::of(b"code"));
    storage.add_enrolment_code(code, olu.id, DAY).await.unwrap();
    let new = NewDevice { generation: Generation::from_bytes([1; 16]), public_key: [1; 32], name: "tablet".to_owned() };
    let (device, _) = storage.enrol(code, new).await.unwrap().unwrap();
    a_day_is_bounded_and_what_is_over_it_writes_nothing(&storage.ledger(), device.id).await;
    storage.close().await;
}
