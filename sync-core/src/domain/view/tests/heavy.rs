//! What somebody may bring who wants a document to take long, for everybody who reads it.

use super::*;
use crate::domain::fit;
use crate::domain::record::Strike;

fn record(body: Body) -> Record {
    Record { by: AccountId::from_bytes([1; 16]), at: stamp(), body }
}

fn join(place: &str, same_as: &str) -> Body {
    let (place, same_as) = (place.parse().unwrap(), same_as.parse().unwrap());
    Body::Join(Join { place, same_as, reason: "one".to_owned() })
}

/// Puts thousands of readings that name 64 others into a home, as a push would, and tells how long that and reading it
/// takes. All are at the end of a long way of joins or, one by one in turn, at its beginning too.
fn many_that_name_many(joined: bool) -> u64 {
    let mut view = Document::new(Kind::Home).unwrap().view();
    let mut keys = (1..).map(|counter| Key { device: 1, counter });
    let mut add = |view: &mut View, body: Body| {
        let (key, record) = (keys.next().unwrap(), record(body));
        fit::record(Kind::Home, view, key, &record).unwrap();
        view.take(key, record);
        key
    };
    // From the bedroom to the hall of the same number, from that one's door to the next bedroom's.
    for at in (1..=7).filter(|_| joined) {
        add(&mut view, join(&format!("bedroom-{at}"), &format!("hall-{at}")));
        add(&mut view, join(&format!("hall-{at}/door-{at}"), &format!("bedroom-{next}/door-{next}", next = at + 1)));
    }
    let last: Place = "bedroom-8/door-8".parse().unwrap();
    let first = if joined { "bedroom-1/door-1".parse().unwrap() } else { last };
    assert_eq!(view.same_place(&first), last);
    let mut read = |view: &mut View, at: usize, supersedes: &[Key]| {
        let place = if at.is_multiple_of(2) { first } else { last };
        let supersedes = supersedes.to_vec();
        add(view, Body::Reading(Reading { place, supersedes, ..reading(DOOR, "door-clear-width", 700) }))
    };
    let named: Vec<Key> = (0..64).map(|at| read(&mut view, at, &[])).collect();
    let clock = SystemClock::new();
    let later: Vec<Key> = (0..2_000).map(|at| read(&mut view, at, &named)).collect();
    view.settle();
    let took = clock.elapsed();
    let registers = view.readings();
    assert_eq!(registers.len(), 1);
    assert_eq!(registers[&(last, width())].current, later);
    took
}

/// Invariant 6, in a push and in every view since: a name is found once for each place, not for each record that names
/// another. Found each time they took some 30 times as long.
#[test]
fn thousands_of_readings_that_name_many_others_take_little_longer_where_places_are_joined() {
    let (alone, joined) = (many_that_name_many(false), many_that_name_many(true));
    assert!(joined < 5 * alone + 300, "took {joined} ms, and {alone} ms where none are joined");
}

/// Invariant 6: what a join costs does not grow with what else the document holds.
#[test]
fn hundreds_of_joins_and_strikes_of_them_are_taken_in_moments_into_a_document_full_of_strikes() {
    let mut view = Document::new(Kind::Home).unwrap().view();
    let key = |device: u32, counter: u32| Key { device, counter };
    let strike = |key| Body::Strike(Strike { key, reason: "no".to_owned() });
    for counter in 1..=50_000 {
        view.take(key(1, counter), record(Body::Reading(reading(DOOR, "door-clear-width", 700))));
        view.take(key(2, counter), record(strike(key(1, counter))));
    }
    let clock = SystemClock::new();
    let mut add = |key: Key, body: Body| {
        let record = record(body);
        fit::record(Kind::Home, &view, key, &record).unwrap();
        view.take(key, record);
    };
    for counter in 1..=200 {
        add(key(3, counter), join(&format!("hall-1/door-{}", counter % 99 + 1), "wc-1/door-1"));
    }
    for counter in 1..=200 {
        add(key(4, counter), strike(key(3, counter)));
    }
    let took = clock.elapsed();
    assert_eq!((view.count_of_joins(), view.joins().count()), (200, 0));
    assert_eq!(view.same_place(&"hall-1/door-2".parse().unwrap()), "hall-1/door-2".parse().unwrap());
    assert!(took < 5_000, "took {took} ms");
}

#[test]
fn a_document_takes_so_many_joins_and_no_more_whether_they_stand_or_not() {
    let mut view = Document::new(Kind::Home).unwrap().view();
    for counter in 1..=u32::try_from(fit::MOST_JOINS).unwrap() {
        view.take(Key { device: 1, counter }, record(join("hall-1", "hall-2")));
    }
    let strike = Strike { key: Key { device: 1, counter: 1 }, reason: "no".to_owned() };
    view.take(Key { device: 2, counter: 1 }, record(Body::Strike(strike)));
    let one_more = record(join("hall-3", "hall-2"));
    let judged = fit::record(Kind::Home, &view, Key { device: 3, counter: 1 }, &one_more);
    assert_eq!(judged, Err(Unfit::TooManyJoins));
    view.settle();
    let judged = fit::record(Kind::Home, &view, Key { device: 3, counter: 1 }, &one_more);
    assert_eq!(judged, Err(Unfit::TooManyJoins), "read anew");
}
