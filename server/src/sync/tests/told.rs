//! What a device is told of itself and its person: its lease, its organisation, that it is to keep nothing.

use std::sync::Arc;

use super::*;

#[tokio::test]
async fn a_device_is_told_the_councils_lease_until_it_is_revoked() {
    let bench = Bench::new(41);
    let mut app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut phone = Phone::of(&app, &ana).await;
    assert_eq!(phone.sync(&app, nothing(None)).await.lease_hours, Some(168));
    let mut config = (*app.config).clone();
    config.limits.lease_hours = 5;
    app.config = Arc::new(config);
    assert_eq!(phone.sync(&app, nothing(None)).await.lease_hours, Some(5));
    assert!(app.storage.revoke_device(phone.identity.sender.device).await.unwrap());
    assert_eq!(phone.sync(&app, nothing(None)).await.lease_hours, None);
    let mut other = Phone::of(&app, &ana).await;
    app.storage.set_account_enabled(ana.id, false).await.unwrap();
    assert_eq!(other.sync(&app, nothing(None)).await.lease_hours, None);
}

#[tokio::test]
async fn a_device_that_is_stopped_and_whose_account_is_then_disabled_still_hears_what_to_purge() {
    let bench = Bench::new(42);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    for _ in 0..3 {
        phone.sync(&app, nothing(None)).await;
    }
    phone.counter = 0;
    assert_eq!(phone.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
    phone.counter = 3;
    app.storage.set_account_enabled(ana.id, false).await.unwrap();
    let disabled = phone.sync(&app, nothing(None)).await;
    assert_eq!((disabled.purges().0, disabled.everything), (vec![case], Some(PurgeReason::Disabled)));
    // A copy that speaks only now stops nothing that hears of the purge.
    phone.counter = 1;
    assert_eq!(phone.sync(&app, nothing(None)).await.everything, Some(PurgeReason::Disabled));
    // Back at work, the device is stopped as it was.
    app.storage.set_account_enabled(ana.id, true).await.unwrap();
    phone.counter = 9;
    assert_eq!(phone.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
}

/// Replay to another organisation.
#[tokio::test]
async fn what_is_signed_for_an_organisation_one_has_left_comes_later_until_one_knows_and_is_refused_from_then_on() {
    let bench = Bench::new(43);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let locums = app.storage.add_organisation("Locums Ltd").await.unwrap().id;
    let mut phone = Phone::of(&app, &ana).await;
    let planned = phone.sync(&app, nothing(None)).await.cards.remove(0).documents;
    let home = planned.iter().find(|listed| listed.kind == Kind::Home).unwrap().document;
    let push = phone.item(home, case, Kind::Home);
    let pushes = || Waiting { pushes: vec![push.clone()], ..nothing(None) };
    app.storage.set_organisation(ana.id, locums).await.unwrap();
    let reasons = |reply: &SyncReply| reply.refused.iter().map(|refused| refused.reason.clone()).collect::<Vec<_>>();
    let told = phone.sync(&app, pushes()).await;
    assert_eq!(reasons(&told), [Refusal::Later]);
    assert_eq!(told.position.map(|position| position.organisation), Some(locums));
    // It has been told, and signs for the old one all the same.
    let knows = phone.sync(&app, pushes()).await;
    assert_eq!((reasons(&knows), knows.position), (vec![Refusal::Signature], None));
    assert!(knows.receipts.is_none());
    assert!(app.storage.ledger().changes(home, 0).await.unwrap().is_empty());
    phone.identity.sender.organisation = locums;
    assert_eq!(reasons(&phone.sync(&app, pushes()).await), []);
    assert_eq!(app.storage.ledger().changes(home, 0).await.unwrap().len(), 1);
}
