//! Work that the server can't take: two honest people, each within every bound, and together beyond one.

use grabrail_tests::World;
use sync_core::access::Role;
use sync_core::device::{MeasureInput, Replace};
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::SharedText;
use sync_core::domain::vocabulary::{Measure, Method};
use sync_core::guard::Refusal;

#[tokio::test]
async fn what_two_people_write_beyond_a_bound_is_kept_with_its_reason_and_the_readings_beside_it_arrive() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("W-1", "olu");
    let (one, other) = (world.tablet("olu").await, world.blank_tablet("second", &Default::default()).await);
    other.device.enrol(&other.link, &world.code("olu"), "second").await.unwrap();
    one.sync().await;
    other.sync().await;
    let home = one.document(Kind::Home).await;
    for so_far in ["a ".repeat(15_000), "a ".repeat(30_000)] {
        one.device.write_text(home, SharedText::Summary, so_far).await.unwrap();
    }
    one.sync().await;
    // Written before the first half came: each is within the bound, both are not.
    let door = |value| MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").unwrap(),
        value,
        method: Method::Tape,
        photos: vec![],
        supersedes: Replace::Mine,
    };
    other.device.measure(home, door(712)).await.unwrap();
    for so_far in ["b ".repeat(15_000), "b ".repeat(30_000)] {
        other.device.write_text(home, SharedText::Summary, so_far).await.unwrap();
    }
    let last = other.device.measure(home, door(713)).await.unwrap();
    let report = other.sync().await;
    assert_eq!((report.refused.as_slice(), report.replayed, report.receipted), ([home].as_slice(), 3, 3), "{report:?}");

    let [refused] = other.device.refused_work().await.unwrap().try_into().unwrap();
    assert!(matches!(refused.reason, Refusal::TooLarge { .. }), "{:?}", refused.reason);
    let typed: usize = refused
        .edits
        .iter()
        .map(|edit| match edit {
            Edit::Splice { insert, .. } => insert.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(typed, 30_000, "every word of it is there to be read");
    one.sync().await;
    for tablet in [&one, &other] {
        let view = tablet.device.open_document(home).await.unwrap();
        assert_eq!((view.records.len(), view.texts[&SharedText::Summary].len()), (2, 90_000));
        assert!(view.records.contains_key(&last));
    }
    let report = other.sync().await;
    assert_eq!((report.exchanges, report.refused.len()), (1, 0), "there is nothing more to say");
}
