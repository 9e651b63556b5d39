//! A visit: measured with no signal, handed in, found again after the power went.

use grabrail_tests::World;
use sync_core::access::Role;
use sync_core::device::{Kept, MeasureInput, Replace};
use sync_core::domain::kind::Kind;
use sync_core::domain::vocabulary::{Measure, Method};

#[tokio::test]
async fn a_measurement_made_offline_is_on_the_server_and_on_the_next_device_after_a_power_cut() {
    let mut world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");

    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let home = tablet.document(Kind::Home).await;

    // No signal: the server is gone, the work goes on and is still there when the tablet is switched on again.
    world.server.kill();
    let measure = Measure::named("door-clear-width").unwrap();
    let door = "bathroom-1/door-1".parse().unwrap();
    let input = MeasureInput {
        place: door,
        measure,
        value: 735,
        method: Method::Tape,
        photos: Vec::new(),
        supersedes: Replace::Mine,
    };
    let key = tablet.device.measure(home, input).await.unwrap();
    let tablet = tablet.restarted().await;
    assert!(tablet.device.sync(&tablet.link).await.is_err());
    assert_eq!(tablet.device.state(home).await.unwrap().kept, Some(Kept::OnThisDevice));

    world.server.restart().await;
    assert_eq!(tablet.sync().await.receipted, 1);
    assert_eq!(tablet.device.state(home).await.unwrap().kept, Some(Kept::ServerHas));

    // The server said it has it: so it has, whatever happens to it next.
    world.server.kill();
    world.server.restart().await;
    drop(tablet);
    std::fs::remove_file(world.path("olu.store")).unwrap();
    let next = world.tablet("olu").await;
    next.sync().await;
    let view = next.device.open_document(next.document(Kind::Home).await).await.unwrap();
    assert_eq!(view.reading(key).unwrap().value, 735);
}
