//! The third honest state, said only of what a recorded backup holds. The server makes none yet: this story records one.

use std::sync::Arc;

use grabrail_server::chance::SharedChance;
use grabrail_server::storage::Storage;
use grabrail_server::storage::audit::By;
use grabrail_server::storage::ledger::{BackupRow, Ledger as _, Plan, Write};
use grabrail_tests::World;
use sync_core::access::Role;
use sync_core::clock::{Clock as _, SystemChance, SystemClock};
use sync_core::id::Hash;

/// Records a backup of all that is in the ledger now, as whoever makes one beside the running server would.
async fn record_backup(world: &World) {
    let clock = Arc::new(SystemClock::new());
    let storage = Storage::open(&world.data(), clock.clone(), SharedChance::new(SystemChance)).await.unwrap();
    let ledger = storage.ledger();
    let epoch = storage.epochs().await.unwrap()[0];
    let up_to = ledger.end().await.unwrap();
    let backup = BackupRow { epoch, up_to, digest: Hash::of(b"the backup"), at: clock.now() };
    ledger.commit(Plan { by: By::console(clock.now()), writes: vec![Write::Backup(backup)] }).await.unwrap();
    storage.close().await;
}

#[tokio::test]
async fn what_the_server_has_is_called_backed_up_once_a_backup_holds_it_and_until_it_is_edited() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let olu = world.field("olu");
    olu.done(&["enrol", &world.code("olu")]);
    olu.done(&["sync"]);
    let measures = || olu.done(&["measure", "R-1", "bathroom-1/door-1", "door-clear-width", "735"]);
    let home = || {
        let told = olu.tell(&["open", "R-1"]).done();
        let line = told.lines().find(|line| line.trim_start().starts_with("home")).unwrap_or_else(|| panic!("{told}"));
        line.rsplit_once(": ").unwrap().1.to_owned()
    };
    measures();
    assert!(home().starts_with("on this device only"), "{}", home());
    olu.done(&["sync"]);
    assert_eq!(home(), "the server has it");
    record_backup(&world).await;
    assert_eq!(home(), "the server has it", "nobody has told the device yet");
    let told = olu.done(&["sync"]);
    assert_eq!(home(), "backed up");
    let nothing_new = olu.done(&["sync"]);
    assert_eq!(home(), "backed up");
    let bytes = |report: &serde_json::Value| report["bytes_down"].as_u64().unwrap();
    assert!(bytes(&told) > bytes(&nothing_new) + 30, "it is told once: {told} {nothing_new}");

    measures();
    assert!(home().starts_with("on this device only"), "{}", home());
    olu.done(&["sync"]);
    assert_eq!(home(), "the server has it", "that backup was made before this was measured");
    record_backup(&world).await;
    olu.done(&["sync"]);
    assert_eq!(home(), "backed up");
}
