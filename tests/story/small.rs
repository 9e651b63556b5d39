//! What a sync costs on the line.

use sync_core::domain::kind::Kind;

use crate::office::door;
use crate::power::behind_a_line;

/// The text both ways, with every header and credential, without TCP and TLS.
const NOTHING_NEW: usize = 1_000;

#[tokio::test]
async fn a_sync_with_nothing_new_takes_less_than_a_kilobyte_both_ways_whatever_was_done_before() {
    let (_world, line) = behind_a_line().await;
    let tablet = _world.tablet("olu").await;
    tablet.sync().await;
    let home = tablet.document(Kind::Home).await;
    let mut took = Vec::new();
    for _ in 0..3 {
        tablet.device.measure(home, door()).await.unwrap();
        tablet.sync().await;
        let before = line.passed();
        let report = tablet.sync().await;
        let after = line.passed();
        assert_eq!((report.round_trips, report.exchanges), (1, 1));
        took.push((after.0 - before.0, after.1 - before.1));
    }
    println!("nothing new, up and down: {took:?}");
    assert!(took.iter().all(|(up, down)| up + down < NOTHING_NEW), "{took:?}");
}
