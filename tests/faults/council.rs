//! One OT with several devices and the cases to go with them, and what can be said of any number of devices.

use std::collections::BTreeSet;

use grabrail_tests::{Tablet, World};
use sync_core::access::Role;
use sync_core::device::{Device, LinkOptions, MeasureInput, Replace};
use sync_core::domain::kind::Kind;
use sync_core::domain::view::View;
use sync_core::domain::vocabulary::{Measure, Method};
use sync_core::id::{DocumentId, Key};

/// The OT of these tests.
pub(crate) const OT: &str = "olu";

/// A council with `cases` cases of [`OT`]; `more` are further lines of settings.
pub(crate) async fn council(cases: usize, more: &str) -> World {
    let world = World::start_with(more, None).await;
    world.account(OT, Role::Ot);
    for n in 1..=cases {
        world.case(&format!("R-{n}"), OT);
    }
    world
}

/// One more device of [`OT`], with all there is on it.
pub(crate) async fn another(world: &World, name: &str) -> Tablet {
    let tablet = world.blank_tablet(name, &LinkOptions::default()).await;
    tablet.device.enrol(&tablet.link, &world.code(OT), name).await.unwrap();
    tablet.sync().await;
    tablet
}

/// The home of every case on a device, by the case's id.
pub(crate) async fn homes(device: &Device) -> Vec<DocumentId> {
    let mut homes = Vec::new();
    for card in device.cases().await.unwrap() {
        let documents = device.documents(card.case).await.unwrap();
        homes.extend(documents.iter().find(|document| document.kind == Kind::Home).map(|home| home.document));
    }
    homes
}

/// A reading that stands beside every other: what is there twice would be seen.
pub(crate) fn reading(value: i32) -> MeasureInput {
    MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").expect("a door has a width"),
        value,
        method: Method::Tape,
        photos: Vec::new(),
        supersedes: Replace::None,
    }
}

/// What the homes on a device say.
pub(crate) async fn views(device: &Device) -> Vec<View> {
    let mut views = Vec::new();
    for home in homes(device).await {
        views.push(device.open_document(home).await.unwrap());
    }
    views
}

/// The keys of every record in the homes on a device.
pub(crate) async fn records(device: &Device) -> BTreeSet<Key> {
    views(device).await.into_iter().flat_map(|view| view.records.into_keys()).collect()
}

/// How many of a device's changes have no receipt.
pub(crate) async fn waiting(device: &Device) -> usize {
    device.status().await.unwrap().waiting.changes
}
