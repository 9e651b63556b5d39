//! One exchange, cut at every byte of either way.

use grabrail_tests::{count, is_long};
use sync_core::clock::{Chance as _, Seeded};
use sync_core::device::{Link, LinkOptions, NoteInput};
use sync_core::domain::vocabulary::Section;

use crate::council::{another, council, homes, reading, records, waiting};
use crate::shears::{Cut, Shears};

/// About how many bytes the exchange that is cut has, both ways together.
const EXCHANGE: usize = 4096;
/// Every so many bytes, in the short form: a prime, so that no field of a message is always met at the same place.
const STEP: usize = 31;

/// Words that don't compress.
fn words(chance: &mut Seeded, characters: usize) -> String {
    let mut bytes = vec![0; characters];
    chance.fill(&mut bytes);
    bytes.into_iter().map(|byte| char::from(b' ' + byte % 95)).collect()
}

/// Invariants 1 and 8.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_cut_at_any_byte_loses_nothing_says_nothing_untrue_and_is_no_alarm() {
    let shears = Shears::open();
    let world = council(1, &format!("public_url = \"{}\"\n", shears.url())).await;
    shears.leads_to(world.server.address());
    let (tablet, witness) = (another(&world, "tablet").await, another(&world, "witness").await);
    let home = homes(&tablet.device).await[0];
    let mut chance = Seeded::new(1);

    // How much passes when nothing is cut; and every exchange on a connection of its own, so that bytes are counted
    // from its first.
    let link = || Link::new(&LinkOptions::default()).unwrap();
    let visit = async |chance: &mut Seeded, value: i32| {
        tablet.device.measure(home, reading(value)).await.unwrap();
        tablet.device.note(home, NoteInput::new(Section::Property, words(chance, EXCHANGE / 2))).await.unwrap();
    };
    visit(&mut chance, 700).await;
    shears.cuts(Cut::Nowhere);
    tablet.device.sync(&link()).await.unwrap();
    let (up, down) = shears.passed();
    assert!((EXCHANGE / 2..2 * EXCHANGE).contains(&(up + down)), "{up} bytes up, {down} down");

    let step = if is_long() { 1 } else { STEP };
    let cuts = (1..up).step_by(step).map(Cut::Up).chain((1..down).step_by(step).map(Cut::Down));
    let (mut tried, mut taken) = (0, 0);
    for (value, cut) in (701..).zip(cuts) {
        visit(&mut chance, value).await;
        shears.cuts(cut);
        let cut_short = tablet.device.sync(&link()).await;
        shears.cuts(Cut::Nowhere);
        tried += 1;
        // What the tablet says is with the server, a colleague's device has.
        let said = waiting(&tablet.device).await;
        assert!(said == 0 || cut_short.is_err(), "{cut:?}: {said} wait after {cut_short:?}");
        if tried % 16 == 0 {
            witness.device.sync(&link()).await.unwrap();
            let there = records(&witness.device).await.len();
            let mine = records(&tablet.device).await.len();
            assert!(there + said >= mine, "{cut:?}: {there} of {mine} are there, {said} are said to wait");
        }
        let report = tablet.device.sync(&link()).await.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        assert_eq!((waiting(&tablet.device).await, report.refused), (0, vec![]), "{cut:?}");
        taken += report.receipted;
    }
    witness.device.sync(&link()).await.unwrap();
    let mine = records(&tablet.device).await;
    assert_eq!(mine.len(), 2 * (tried + 1));
    assert_eq!(records(&witness.device).await, mine);
    assert!(taken > 0, "no cut hindered anything");
    count(&format!("{tried} cuts of an exchange of {up} bytes up and {down} down"));
}
