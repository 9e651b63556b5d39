//! Words that something was purged, forged in every way there is: none of them is believed or kept.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::*;

/// Invariant 5.
#[tokio::test]
async fn a_forged_word_that_a_case_was_purged_is_no_proof_and_the_order_stands() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let mut forger = Forger::enrol(&world, "olu").await;
    let other = Forger::enrol(&world, "olu").await;
    let (case, _) = home_of(&world, &mut forger).await;
    world.say(&["case", "end", "R-1", "olu", "allocated"], "").done();
    assert_eq!(forger.sync(&world, &empty()).await.purges().0, [case]);
    let word = |sender: &Sender, key: &SigningKey, cases: Vec<CaseId>| {
        let purge = PurgeReceipt::new(sender, stamp(), cases, vec![]);
        let signature = sign(key, &purge.to_bytes());
        SignedPurge { purge, signature }
    };
    let sender = forger.sender();
    let honest = word(&sender, &forger.key, vec![case]);
    let altered = |alter: fn(&mut SignedPurge)| {
        let mut told = honest.clone();
        alter(&mut told);
        told
    };
    let named = |alter: &dyn Fn(&mut Sender)| {
        let mut named = sender;
        alter(&mut named);
        word(&named, &forger.key, vec![case])
    };
    let of_nothing = word(&sender, &forger.key, vec![]);
    let forged = [
        ("another key", word(&sender, &SigningKey::from_bytes(&[9; 32]), vec![case])),
        ("another device's word", word(&other.sender(), &other.key, vec![case])),
        ("another device, signed by this one", named(&|sender| sender.device = other.enrolled.device)),
        ("another life of the store", named(&|sender| sender.generation = Generation::from_bytes([7; 16]))),
        ("another server", named(&|sender| sender.server = ServerId::from_bytes([7; 16]))),
        ("a signature of something else", SignedPurge { signature: of_nothing.signature, ..honest.clone() }),
        ("another time", altered(|told| told.purge.at.elapsed += 1)),
        ("no signature", altered(|told| told.signature = Signed([0; 64]))),
    ];
    let purges = || world.say(&["case", "purges", "R-1"], "").done();
    for (what, told) in forged {
        let before = Kept::by(&world).await;
        let reply = forger.sync(&world, &SyncRequest { purged: Some(told), ..empty() }).await;
        assert_eq!(reply.purges().0, [case], "{what}: it is ordered still");
        only_changed(&before, &Kept::by(&world).await, &["devices", "counters"]);
        assert_eq!(purges(), "", "{what}");
    }
    let reply = forger.sync(&world, &SyncRequest { purged: Some(honest), ..empty() }).await;
    assert_eq!(reply.purges().0, []);
    assert!(purges().ends_with("  signed"), "{}", purges());
    // What was kept is proven each time it is shown.
    let options = SqliteConnectOptions::new().filename(world.data().join("grabrail.sqlite"));
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("UPDATE purge_receipts SET signature = zeroblob(64)").execute(&pool).await.unwrap();
    pool.close().await;
    assert!(purges().ends_with("  NOT PROVEN"), "{}", purges());
}
