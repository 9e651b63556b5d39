//! A device that does not hear of its server for too long.

use super::*;

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn after_a_week_offline_the_visit_goes_on_other_cases_wait_and_the_first_contact_opens_them() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    server.state().lease_hours = Some(168);
    let tablet = Tablet::new(&server, 80);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(device.status().await.unwrap().lease, Lease::Open);
    tablet.clock.move_by(150 * HOUR);
    assert_eq!(device.lease().await.unwrap(), Lease::Warning { hours_left: 18 });
    device.open_document(home).await.unwrap();
    tablet.clock.move_by(18 * HOUR);
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
    // Opened in this run: it is written to its end.
    device.measure(home, door(712)).await.unwrap();
    // A clock set back, and a restart, open nothing; what waits to be handed in keeps its case open.
    tablet.clock.move_by(-10 * 365 * 24 * HOUR);
    let device = tablet.reopened(device).await;
    assert_eq!(device.lease().await.unwrap(), Lease::Closed);
    device.note(clinical, NoteInput::new(Section::Visit, "Still here.")).await.unwrap();
    // With nothing waiting, the case stays closed.
    tablet.clock.move_by(10 * 365 * 24 * HOUR);
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 2);
    assert_eq!(device.lease().await.unwrap(), Lease::Open);
    tablet.clock.move_by(200 * HOUR);
    let device = tablet.reopened(device).await;
    for _ in 0..2 {
        assert!(matches!(device.open_document(home).await, Err(DeviceError::LeaseOver)));
        assert!(matches!(device.measure(home, door(713)).await, Err(DeviceError::LeaseOver)));
    }
    // A visit that begins now is one of this device's own.
    let case = device.start_visit("Fred Fictional", "2 Made Up Street", None).await.unwrap();
    let begun = device.documents(case).await.unwrap()[0].document;
    device.open_document(begun).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(view(&device, home).await.records.len(), 1);
}
