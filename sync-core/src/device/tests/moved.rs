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
