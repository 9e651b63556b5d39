//! What was given is taken back: a release of the home, and the case itself.

use sync_core::access::Role;
use sync_core::clock::SystemChance;
use sync_core::id::CaseId;
use sync_core::protocol::Request;
use sync_core::protocol::ask::AskRefusal;

use crate::office::{Visit, ask, door, get, heads};

fn why() -> String {
    "She moved in with her daughter".to_owned()
}

/// Invariant 5.
#[tokio::test]
async fn a_release_that_is_taken_back_takes_the_home_from_the_surveyors_tablet_at_its_next_contact() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let sue = world.tablet("sue").await;
    let device = &visit.tablet.device;
    device.measure(visit.home, door()).await.unwrap();
    device.release(visit.home, "She said yes").await.unwrap();
    visit.tablet.sync().await;
    sue.sync().await;
    assert!(sue.device.card(visit.case).await.unwrap().home.is_some());

    // Offline, as at the client's door; it goes with the next sync.
    device.end_release(visit.home, "She took her consent back").await.unwrap();
    assert_eq!(visit.tablet.sync().await.granted, 1);
    assert!(sue.device.card(visit.case).await.unwrap().home.is_some(), "she has not heard of it");
    sue.sync().await;
    assert!(sue.device.card(visit.case).await.unwrap().home.is_none());

    // Taken back twice is taken back; and it can be given anew.
    let again = Request::EndRelease { document: visit.home, reason: why() };
    assert_eq!(ask(world, &visit.token, visit.case, again).await, Ok(()));
    device.release(visit.home, "She said yes after all").await.unwrap();
    visit.tablet.sync().await;
    sue.sync().await;
    assert!(sue.device.card(visit.case).await.unwrap().home.is_some());
}

/// Invariant 5.
#[tokio::test]
async fn a_closed_case_leaves_every_device_stays_with_the_council_and_late_work_is_kept_aside() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let sue = world.tablet("sue").await;
    visit.tablet.device.measure(visit.home, door()).await.unwrap();
    visit.tablet.sync().await;
    sue.sync().await;

    // In a house with no signal, while grace closes the case at her desk.
    visit.tablet.device.measure(visit.home, door()).await.unwrap();
    assert_eq!(ask(world, &grace, visit.case, Request::CloseCase { reason: why() }).await, Ok(()));
    let report = visit.tablet.sync().await;
    assert_eq!((&report.refused[..], &report.purged[..]), (&[visit.home][..], &[visit.case][..]));
    assert_eq!(sue.sync().await.purged, [visit.case]);
    for tablet in [&visit.tablet, &sue] {
        assert!(tablet.device.cases().await.unwrap().is_empty());
    }
    let (status, kept) = get(world, &grace, "/v1/quarantine").await;
    assert_eq!((status, kept[0]["document"].as_str()), (200, Some(visit.home.to_string().as_str())), "{kept}");
    let (status, card) = get(world, &grace, &format!("/v1/cases/{}", visit.case)).await;
    assert_eq!((status, card["state"].as_str()), (200, Some("closed")), "{card}");
    assert_eq!(get(world, &visit.token, &format!("/v1/cases/{}", visit.case)).await.0, 404);
}

#[tokio::test]
async fn a_case_is_closed_by_its_council_ots_and_supervisors_and_not_while_a_prescription_waits() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let close = |reason: String| Request::CloseCase { reason };
    let end = |reason: String| Request::EndRelease { document: visit.home, reason };
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let ben = visit.joined_from_outside("ben", Role::PrivateOt).await;
    visit.commissioned("ben");
    let eve = visit.joined_by("eve", Role::Ot).await;
    let nowhere = CaseId::mint(&mut SystemChance);

    for who in [&sue, &ben] {
        assert_eq!(ask(world, who, visit.case, close(why())).await, Err(AskRefusal::NotAllowed));
    }
    assert_eq!(ask(world, &ben, visit.case, end(why())).await, Err(AskRefusal::NotAllowed));
    // A surveyor may see what is released of the home, and no more.
    assert_eq!(ask(world, &sue, visit.case, end(why())).await, Err(AskRefusal::NotAllowed));
    // A case that is not theirs to know of answers as one that is not here.
    for request in [close(why()), end(why())] {
        assert_eq!(ask(world, &eve, visit.case, request.clone()).await, Err(AskRefusal::Unknown));
        assert_eq!(ask(world, &grace, nowhere, request).await, Err(AskRefusal::Unknown));
    }
    for reason in [" ".to_owned(), "x".repeat(4_001)] {
        for request in [close(reason.clone()), end(reason.clone())] {
            let answer = ask(world, &visit.token, visit.case, request).await;
            assert!(matches!(&answer, Err(AskRefusal::Particulars { field, .. }) if field == "reason"), "{answer:?}");
        }
    }
    let document = visit.submitted_rail().await;
    let waits = ask(world, &visit.token, visit.case, close(why())).await;
    assert!(matches!(&waits, Err(AskRefusal::Findings { findings }) if findings.len() == 1), "{waits:?}");
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let before = heads(&visit.tablet, visit.home).await;
    assert_eq!(ask(world, &visit.token, visit.case, close(why())).await, Ok(()));
    // Nobody of the team writes in it any more.
    assert_eq!(heads(&visit.tablet, visit.home).await, before);
    assert_eq!(ask(world, &visit.token, visit.case, close(why())).await, Err(AskRefusal::Unknown));
    assert_eq!(ask(world, &grace, visit.case, close(why())).await, Ok(()), "closed twice is closed");
}
