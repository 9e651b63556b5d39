//! A caseload of several parts over a real socket: cut between, or behind a part that the server could not make.

use std::collections::BTreeMap;

use grabrail_tests::{Tablet, World, count};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sync_core::clock::{Chance as _, Seeded};
use sync_core::device::{DeviceError, Link, LinkError, LinkOptions, NoteInput};
use sync_core::domain::view::View;
use sync_core::domain::vocabulary::Section;
use sync_core::id::DocumentId;

use crate::council::{OT, another, council, homes};
use crate::shears::{Cut, Shears};

const CASES: usize = 12;
/// Notes in each home, and the characters of each: together about five parts of a reply.
const NOTES: usize = 32;
const CHARACTERS: usize = 3_500;

/// Notes that don't compress to little in every home.
async fn fill(tablet: &Tablet) {
    let mut chance = Seeded::new(8);
    for home in homes(&tablet.device).await {
        for _ in 0..NOTES {
            let mut bytes = vec![0; CHARACTERS];
            chance.fill(&mut bytes);
            let words = bytes.into_iter().map(|byte| char::from(b' ' + byte % 95)).collect::<String>();
            tablet.device.note(home, NoteInput::new(Section::Property, words)).await.unwrap();
        }
    }
    tablet.sync().await;
}

/// A device of the OT's that has heard nothing yet.
async fn fresh(world: &World, name: &str) -> Tablet {
    let tablet = world.blank_tablet(name, &LinkOptions::default()).await;
    tablet.device.enrol(&tablet.link, &world.code(OT), name).await.unwrap();
    tablet
}

/// A connection of its own, so that bytes are counted from its first.
fn link() -> Link {
    Link::new(&LinkOptions::default()).unwrap()
}

/// What can be read of the homes that are there.
async fn readable(tablet: &Tablet) -> BTreeMap<DocumentId, View> {
    let mut views = BTreeMap::new();
    for home in homes(&tablet.device).await {
        views.insert(home, tablet.device.open_document(home).await.unwrap());
    }
    views
}

/// Invariant 1: what came is usable and stays, and the next sync goes on behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_caseload_that_is_cut_on_the_wire_keeps_what_came_and_goes_on_behind_it() {
    let shears = Shears::open();
    let world = council(CASES, &format!("public_url = \"{}\"\n", shears.url())).await;
    shears.leads_to(world.server.address());
    let author = another(&world, "author").await;
    fill(&author).await;
    let all = readable(&author).await;

    let whole = fresh(&world, "whole").await;
    shears.cuts(Cut::Nowhere);
    let report = whole.device.sync(&link()).await.unwrap();
    let (_, bytes) = shears.passed();
    assert_eq!((report.exchanges, report.cards), (1, CASES));
    assert_eq!(readable(&whole).await, all);

    let tablet = fresh(&world, "tablet").await;
    let (mut came, mut down, mut cuts) = (0, 0, 0);
    for sixth in 1..6 {
        // Each time a bit more than what is left at most could bring by itself.
        let at = (bytes * sixth / 6).saturating_sub(down);
        shears.cuts(Cut::Down(at.max(1)));
        let said = tablet.device.sync(&link()).await;
        let Err(DeviceError::Link(error)) = said else { panic!("{sixth}: {said:?}") };
        assert!(error.is_passing() || error == LinkError::NotOurServer, "{sixth}: {error}");
        let here = readable(&tablet).await;
        assert!(here.len() >= came, "{sixth}: what came stays");
        assert!(here.iter().all(|(home, view)| all[home] == *view), "{sixth}: each case that came is there whole");
        // Only what was kept counts: the rest has to come again.
        if here.len() > came {
            down += shears.passed().1;
            cuts += 1;
        }
        came = here.len();
    }
    assert!(cuts >= 2 && (1..CASES).contains(&came), "{cuts} cuts kept something, {came} cases came");
    shears.cuts(Cut::Nowhere);
    let report = tablet.device.sync(&link()).await.unwrap();
    assert_eq!((report.exchanges, report.cards), (1, CASES - came), "none that had come comes again");
    assert!(shears.passed().1 < bytes * (CASES - came + 1) / CASES, "{} of {bytes} bytes", shears.passed().1);
    assert_eq!(readable(&tablet).await, all);
    count(&format!("a caseload of {bytes} bytes cut {cuts} times, {came} cases had come"));
}

/// What the server could not read when it came to it costs its own part and those behind it, and nothing before.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_server_cannot_make_ends_the_reply_and_what_came_before_is_kept() {
    let world = council(CASES, "").await;
    let author = another(&world, "author").await;
    fill(&author).await;
    let all = readable(&author).await;
    let mut cases: Vec<_> = author.device.cases().await.unwrap().into_iter().map(|card| card.case).collect();
    cases.sort_unstable();
    // They come in the order of their ids: the last but one is damaged.
    let damaged = cases[CASES - 2].to_string();
    let file = SqliteConnectOptions::new().filename(world.data().join("grabrail.sqlite"));
    let pool = SqlitePool::connect_with(file).await.unwrap();
    for sql in [
        "CREATE TABLE changes_kept AS SELECT * FROM changes WHERE case_id = $1",
        "UPDATE changes SET sealed = x'00' WHERE case_id = $1",
    ] {
        sqlx::query(sql).bind(&damaged).execute(&pool).await.unwrap();
    }
    let tablet = fresh(&world, "tablet").await;
    let said = tablet.device.sync(&link()).await;
    assert!(matches!(said, Err(DeviceError::Link(_))), "{said:?}");
    let here = readable(&tablet).await;
    assert!((1..CASES - 1).contains(&here.len()), "{} cases came", here.len());
    assert!(here.iter().all(|(home, view)| all[home] == *view));
    assert!(world.server.log().contains("a part of it could not be made"));

    let sql = "UPDATE changes SET sealed = (SELECT kept.sealed FROM changes_kept AS kept \
               WHERE kept.document_id = changes.document_id AND kept.hash = changes.hash) WHERE case_id = $1";
    sqlx::query(sql).bind(&damaged).execute(&pool).await.unwrap();
    sqlx::query("DROP TABLE changes_kept").execute(&pool).await.unwrap();
    pool.close().await;
    let report = tablet.device.sync(&link()).await.unwrap();
    assert_eq!((report.exchanges, report.cards), (1, CASES - here.len()));
    assert_eq!(readable(&tablet).await, all);
}
