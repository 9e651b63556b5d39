//! The contract of a device's store: every behaviour below holds for the one in a file and the one in memory.

use std::path::PathBuf;
use std::sync::Arc;

use sync_core::clock::{Chance, Seeded};
use sync_core::device::store::StoreError;
use sync_core::device::vault::{Vault, VaultFuture};
use sync_core::device::{MemoryDisk, Shelf, Store, Unlock};
use sync_core::id::CaseId;
use zeroize::Zeroizing;

/// A keystore that hides nothing.
struct Plain;

impl Vault for Plain {
    fn wrap<'a>(&'a self, key: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>> {
        Box::pin(async { Ok(key.to_vec()) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>> {
        Box::pin(async { Ok(Zeroizing::new(wrapped.try_into().unwrap())) })
    }
}

/// Where a store lies while it is closed.
enum Home {
    File(tempfile::TempDir),
    Memory(MemoryDisk),
}

impl Home {
    fn in_file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    fn in_memory() -> Self {
        Self::Memory(MemoryDisk::default())
    }

    async fn open(&self) -> Result<Store, StoreError> {
        let unlock = Unlock::Vault(Arc::new(Plain));
        match self {
            Self::File(folder) => {
                let path: PathBuf = folder.path().join("store");
                match Store::open(&path, &unlock).await {
                    Err(StoreError::Missing) => Store::create(&path, &unlock, &mut Seeded::new(1)).await,
                    opened => opened,
                }
            }
            Self::Memory(disk) => Store::in_memory(disk, &mut Seeded::new(1)).await,
        }
    }
}

macro_rules! held_by_both {
    ($($name:ident as $test:ident;)*) => {
        mod in_file {
            $(#[tokio::test] async fn $test() { super::$name(super::Home::in_file()).await })*
        }
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$name(super::Home::in_memory()).await })*
        }
    };
}

held_by_both! {
    reads_back as what_was_committed_reads_back_after_reopening_and_nothing_else_does;
    numbers as numbers_are_for_ever_and_listed_in_their_order;
    purges as a_purged_case_takes_all_that_is_its_own_and_nothing_of_others;
    generations as a_generation_begins_with_its_transaction_or_not_at_all;
    one_writer as there_is_one_handle_at_a_time;
    too_large as a_value_over_the_bound_ends_its_transaction;
}

fn case(number: u8) -> CaseId {
    CaseId::from_bytes([number; 16])
}

async fn reads_back(home: Home) {
    let store = home.open().await.unwrap();
    let mut write = store.begin().await.unwrap();
    write.put(Shelf::Meta, None, b"g", b"kept", b"1").await.unwrap();
    write.commit().await.unwrap();
    let mut dropped = store.begin().await.unwrap();
    dropped.put(Shelf::Meta, None, b"g", b"kept", b"2").await.unwrap();
    dropped.put(Shelf::Meta, Some(case(1)), b"g", b"dropped", b"3").await.unwrap();
    dropped.remove(Shelf::Meta, b"kept").await.unwrap();
    assert_eq!(dropped.get(Shelf::Meta, b"kept").await.unwrap(), None);
    assert_eq!(dropped.get(Shelf::Meta, b"dropped").await.unwrap().unwrap(), b"3");
    drop(dropped);
    for _ in 0..2 {
        assert_eq!(store.get(Shelf::Meta, b"kept").await.unwrap().unwrap(), b"1");
        assert_eq!(store.get(Shelf::Meta, b"dropped").await.unwrap(), None);
        assert_eq!(store.get(Shelf::Card, b"kept").await.unwrap(), None);
        assert_eq!(store.count(Shelf::Meta).await.unwrap(), 1);
    }
    store.close().await.unwrap();
    let store = home.open().await.unwrap();
    assert_eq!(store.all(Shelf::Meta, 10).await.unwrap(), [(1, b"1".to_vec())]);
}

async fn numbers(home: Home) {
    let store = home.open().await.unwrap();
    let mut write = store.begin().await.unwrap();
    let first = write.append(Shelf::Outbox, None, b"a", b"1").await.unwrap();
    let last = write.append(Shelf::Outbox, None, b"a", b"2").await.unwrap();
    assert!(write.remove_n(Shelf::Outbox, last).await.unwrap());
    assert!(!write.remove_n(Shelf::Receipt, first).await.unwrap());
    let gone = write.put(Shelf::Outbox, None, b"a", b"gone at once", b"2").await.unwrap();
    assert!(write.remove(Shelf::Outbox, b"gone at once").await.unwrap());
    write.commit().await.unwrap();
    store.close().await.unwrap();
    let store = home.open().await.unwrap();
    let mut write = store.begin().await.unwrap();
    let newest = write.append(Shelf::Outbox, None, b"a", b"3").await.unwrap();
    assert!(newest > gone && gone > last, "the number of a removed row is not used again");
    let keyed = write.put(Shelf::Outbox, None, b"b", b"key", b"4").await.unwrap();
    assert_eq!(write.put(Shelf::Outbox, None, b"a", b"key", b"5").await.unwrap(), keyed, "it moved to another group");
    assert_eq!(write.list(Shelf::Outbox, b"b", 0, 10).await.unwrap(), []);
    write.commit().await.unwrap();
    let list = [(first, b"1".to_vec()), (newest, b"3".to_vec()), (keyed, b"5".to_vec())];
    assert_eq!(store.list(Shelf::Outbox, b"a", 0, 10).await.unwrap(), list);
    assert_eq!(store.list(Shelf::Outbox, b"a", first, 1).await.unwrap(), list[1..2]);
    assert_eq!(store.get_n(Shelf::Outbox, newest).await.unwrap().unwrap(), b"3");
    assert_eq!(store.get_n(Shelf::Card, newest).await.unwrap(), None);
    let mut write = store.begin().await.unwrap();
    assert_eq!(write.remove_group(Shelf::Outbox, b"a").await.unwrap(), 3);
    assert!(!write.remove(Shelf::Outbox, b"key").await.unwrap());
}

async fn purges(home: Home) {
    let store = home.open().await.unwrap();
    let mut write = store.begin().await.unwrap();
    for (of, key) in [(Some(case(1)), b"one"), (Some(case(2)), b"two"), (None, b"mne")] {
        write.put(Shelf::Card, of, b"g", key, key).await.unwrap();
        write.append(Shelf::Notice, of, b"g", key).await.unwrap();
    }
    write.commit().await.unwrap();
    assert_eq!(store.begin().await.unwrap().purge_case(case(1)).await.unwrap(), 2);
    assert_eq!(store.count(Shelf::Card).await.unwrap(), 3, "it was not committed");
    let mut write = store.begin().await.unwrap();
    assert_eq!(write.purge_case(case(1)).await.unwrap(), 2);
    assert_eq!(write.purge_case(case(1)).await.unwrap(), 0);
    write.commit().await.unwrap();
    let values: Vec<_> = store.all(Shelf::Notice, 9).await.unwrap().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [b"two", b"mne"]);
    let mut write = store.begin().await.unwrap();
    write.put(Shelf::Card, Some(case(1)), b"g", b"one", b"again").await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.get(Shelf::Card, b"one").await.unwrap().unwrap(), b"again");
}

async fn generations(home: Home) {
    let store = home.open().await.unwrap();
    let first = store.generation();
    let dropped = store.begin().await.unwrap().renew_generation(&mut Seeded::new(2)).await.unwrap();
    assert_ne!(dropped, first);
    assert_eq!(store.generation(), first);
    let second = store.renew_generation(&mut Seeded::new(3)).await.unwrap();
    assert_eq!(store.generation(), second);
    assert_ne!(first, second);
    store.close().await.unwrap();
    assert_eq!(home.open().await.unwrap().generation(), second);
}

async fn one_writer(home: Home) {
    let store = home.open().await.unwrap();
    assert!(matches!(home.open().await, Err(StoreError::InUse)));
    store.close().await.unwrap();
    home.open().await.unwrap();
}

async fn too_large(home: Home) {
    let store = home.open().await.unwrap();
    let mut write = store.begin().await.unwrap();
    write.put(Shelf::Meta, None, b"g", b"key", b"1").await.unwrap();
    let long = vec![0; sync_core::device::seal::MAX_VALUE + 1];
    assert!(matches!(write.append(Shelf::Meta, None, b"g", &long).await, Err(StoreError::TooLarge { .. })));
    assert!(matches!(write.get(Shelf::Meta, b"key").await, Err(StoreError::Ended)));
    assert!(matches!(write.commit().await, Err(StoreError::Ended)));
    assert_eq!(store.count(Shelf::Meta).await.unwrap(), 0);
}

/// A number below `bound`.
fn below(chance: &mut Seeded, bound: u8) -> u8 {
    let mut byte = [0];
    chance.fill(&mut byte);
    byte[0] % bound
}

#[tokio::test]
async fn the_same_writes_leave_both_stores_alike() {
    const SHELVES: [Shelf; 3] = [Shelf::Meta, Shelf::Change, Shelf::Outbox];
    for seed in 0..25 {
        let mut chance = Seeded::new(seed);
        let (file, memory) = (Home::in_file(), Home::in_memory());
        let (mut one, mut other) = (file.open().await.unwrap(), memory.open().await.unwrap());
        for round in 0..12 {
            let (mut here, mut there) = (one.begin().await.unwrap(), other.begin().await.unwrap());
            for _ in 0..below(&mut chance, 40) {
                let shelf = SHELVES[usize::from(below(&mut chance, 3))];
                let of = Some(below(&mut chance, 3)).filter(|number| *number > 0).map(case);
                let (group, key) = ([below(&mut chance, 2)], [below(&mut chance, 4)]);
                let n = i64::from(below(&mut chance, 40));
                let ns = [n, n + 2, n + 30, n + 1];
                // Now and then so large that it does not wait in memory for its commit.
                let value = vec![round; if below(&mut chance, 8) == 0 { 40_000 } else { 3 }];
                macro_rules! both {
                    ($($call:tt)*) => {{
                        let (a, b) = (here.$($call)*.await.unwrap(), there.$($call)*.await.unwrap());
                        assert_eq!(a, b, "seed {seed}, round {round}: {}", stringify!($($call)*));
                    }};
                }
                match below(&mut chance, 40) {
                    0..=11 => both!(put(shelf, of, &group, &key, &value)),
                    12..=15 => both!(append(shelf, of, &group, &value)),
                    16..=20 => both!(remove(shelf, &key)),
                    21 | 22 => both!(remove_n(shelf, n)),
                    23 => both!(remove_these(shelf, &ns)),
                    24 => both!(remove_group(shelf, &group)),
                    25 => both!(purge_case(of.unwrap_or(case(1)))),
                    26 => both!(purge_cases_but(&[of.unwrap_or(case(2))])),
                    27 => {
                        let mut same = Seeded::new(seed);
                        here.renew_generation(&mut same).await.unwrap();
                        there.renew_generation(&mut same).await.unwrap();
                    }
                    28..=31 => both!(get(shelf, &key)),
                    32 | 33 => {
                        both!(under(shelf, &[key.to_vec(), vec![9], vec![1], key.to_vec(), vec![2]]))
                    }
                    34 => both!(get_n(shelf, n)),
                    35 => both!(these(shelf, &ns)),
                    36 | 37 => both!(list(shelf, &group, n, 3)),
                    38 => both!(all(shelf, 5)),
                    _ => both!(count(shelf)),
                }
            }
            if below(&mut chance, 4) > 0 {
                here.commit().await.unwrap();
                there.commit().await.unwrap();
            } else {
                drop((here, there));
            }
            for shelf in SHELVES {
                assert_eq!(one.all(shelf, 99).await.unwrap(), other.all(shelf, 99).await.unwrap(), "seed {seed}");
                for group in [[0], [1]] {
                    let (a, b) = (one.list(shelf, &group, 7, 3).await, other.list(shelf, &group, 7, 3).await);
                    assert_eq!(a.unwrap(), b.unwrap(), "seed {seed}, round {round}");
                }
            }
            if below(&mut chance, 4) == 0 {
                one.close().await.unwrap();
                other.close().await.unwrap();
                (one, other) = (file.open().await.unwrap(), memory.open().await.unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_disk_in_memory_fails_when_it_is_told_to_and_keeps_what_was_committed() {
    let disk = MemoryDisk::default();
    let open = async || Store::in_memory(&disk, &mut Seeded::new(1)).await.unwrap();
    let mut store = open().await;
    disk.fills_in(2);
    let mut write = store.begin().await.unwrap();
    write.append(Shelf::Meta, None, b"g", b"1").await.unwrap();
    assert!(matches!(write.append(Shelf::Meta, None, b"g", b"2").await, Err(StoreError::DiskFull)));
    drop(write);
    assert_eq!(store.count(Shelf::Meta).await.unwrap(), 0);
    for (late, kept) in [(false, 0), (true, 1)] {
        // It dies in the commit: the third operation.
        disk.dies_in(3, late);
        let mut write = store.begin().await.unwrap();
        write.append(Shelf::Meta, Some(case(1)), b"g", b"1").await.unwrap();
        assert!(matches!(write.commit().await, Err(StoreError::Io(_))));
        assert!(matches!(store.count(Shelf::Meta).await, Err(StoreError::Io(_))));
        assert!(disk.is_dead());
        drop(store);
        let copy = disk.copy();
        store = open().await;
        assert_eq!(store.count(Shelf::Meta).await.unwrap(), kept);
        let copied = Store::in_memory(&copy, &mut Seeded::new(1)).await.unwrap();
        assert_eq!(copied.all(Shelf::Meta, 9).await.unwrap(), store.all(Shelf::Meta, 9).await.unwrap());
    }
    assert_eq!((disk.rows().len(), disk.cases().len()), (1, 1));
}
