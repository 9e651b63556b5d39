//! A person whose role or organisation changed while their device was out.

use super::*;
use crate::id::OrganisationId;
use crate::protocol::sync::Position;

#[tokio::test]
async fn whoever_moved_to_another_organisation_signs_in_its_name_and_their_work_arrives_in_the_same_sync() {
    let server = Server::new();
    let (_, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 90);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    let position = Position { role: Role::SeniorOt, organisation: OrganisationId::from_bytes([3; 16]) };
    server.state().moved_to = Some(position);
    // The reply that says so is lost once: what was signed before goes again as it was.
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    assert_eq!(device.status().await.unwrap().enrolled.unwrap().role, Role::Ot);
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.exchanges, report.replayed), (1, 2, 0));
    assert!(report.refused.is_empty() && server.state().quarantine.is_empty());
    assert!(device.notices().await.unwrap().is_empty());
    let device = tablet.reopened(device).await;
    assert_eq!(device.status().await.unwrap().enrolled.unwrap().role, Role::SeniorOt);
    device.note(clinical, NoteInput::new(Section::Visit, "In the new place.")).await.unwrap();
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.receipted, report.exchanges), (1, 1));
}

/// Polls it so many times at most, then drops it.
async fn dropped_after(polls: usize, future: impl Future) {
    let (mut future, mut left) = (std::pin::pin!(future), polls);
    std::future::poll_fn(|context| match left.checked_sub(1) {
        Some(rest) => {
            left = rest;
            future.as_mut().poll(context).map(drop)
        }
        None => std::task::Poll::Ready(()),
    })
    .await;
}

/// Whose device it is as the store has it.
async fn stored(device: &Device) -> Option<Role> {
    device.reader().single::<rows::Enrolment>().await.unwrap().map(|enrolment| enrolment.role)
}

#[tokio::test]
async fn a_sync_or_an_enrolment_that_is_dropped_at_any_moment_leaves_the_next_sync_to_whom_the_store_names() {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 97);
    let chance = Box::new(Seeded::new(97));
    let device = Device::create(&tablet.path(), &Tablet::unlock(), tablet.clock.clone(), chance).await.unwrap();
    // Dropped a little later each time, until the store has it: the last time while it was committed.
    for polls in 1.. {
        dropped_after(polls, device.enrol(&tablet.link(), &server.text(), "tablet")).await;
        if stored(&device).await.is_some() {
            break;
        }
    }
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(device.status().await.unwrap().enrolled.unwrap().role, Role::Ot);
    let organisation = OrganisationId::from_bytes([3; 16]);
    server.state().moved_to = Some(Position { role: Role::SeniorOt, organisation });
    for polls in 1.. {
        dropped_after(polls, device.sync(&tablet.link())).await;
        if stored(&device).await == Some(Role::SeniorOt) {
            break;
        }
    }
    device.measure(home, door(712)).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
    assert_eq!(device.status().await.unwrap().enrolled.unwrap().role, Role::SeniorOt);
}
