use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::clock::{Clock, Seeded, SystemClock};
use crate::domain::edit::Edit;
use crate::domain::fit::Unfit;
use crate::domain::record::Settlement;
use crate::domain::testing::{Tablet, below, note, photo, reading, stamp};
use crate::domain::vocabulary::{ItemKind, Measure};

mod heavy;

const DOOR: &str = "bathroom-1/door-1";

fn width() -> Measure {
    Measure::named("door-clear-width").unwrap()
}

fn door(view: &View) -> Register {
    view.readings().remove(&(view.same_place(&DOOR.parse().unwrap()), width())).unwrap_or_default()
}

fn two() -> (Tablet, Tablet) {
    (Tablet::new(Kind::Home, 1), Tablet::new(Kind::Home, 2))
}

/// Ann and Ben measured the door 25 mm apart, unknown to each other, and met.
fn clashed() -> (Tablet, Tablet, Key, Key) {
    let (mut ann, mut ben) = two();
    let (hers, his) = (ann.measure(DOOR, 712), ben.measure(DOOR, 737));
    ann.meet(&mut ben);
    assert!(door(&ann.view()).clash);
    (ann, ben, hers, his)
}

#[test]
fn readings_within_five_millimetres_agree_and_the_safer_is_shown() {
    let (mut ann, mut ben) = two();
    let hers = ann.measure(DOOR, 765);
    let his = ben.measure(DOOR, 760);
    ann.meet(&mut ben);
    let register = door(&ann.view());
    assert!(!register.clash);
    assert_eq!(register.shown, Some(his), "a wheelchair has to pass the narrower one");
    assert_eq!(register.current, [hers, his]);
    // Of a rise the larger one is safer.
    let low = ann.add(Body::Reading(reading("stairs-1", "stair-rise", 190)));
    let high = ann.add(Body::Reading(reading("stairs-1", "stair-rise", 193)));
    let rise = ann.view().readings()[&("stairs-1".parse().unwrap(), Measure::named("stair-rise").unwrap())].clone();
    assert_eq!((rise.shown, rise.clash, rise.current), (Some(high), false, vec![low, high]));
}

#[test]
fn three_readings_each_near_the_next_still_clash_when_the_ends_are_apart() {
    let (mut ann, _) = two();
    for value in [760, 764, 768] {
        ann.measure(DOOR, value);
    }
    assert!(door(&ann.view()).clash);
}

#[test]
fn readings_apart_clash_whether_made_at_once_or_a_week_later() {
    let (mut ann, mut ben) = two();
    ann.measure(DOOR, 712);
    ben.hear(&ann);
    // Ben saw hers and measured something else: he did not say that his stands in its place.
    ben.measure(DOOR, 737);
    assert!(door(&ben.view()).clash);
    assert_eq!(ben.view().clashes().len(), 1);
    let (_, ben, hers, his) = clashed();
    assert_eq!(ben.view().clashes()[0].keys(), [hers, his]);
}

#[test]
fn a_settlement_closes_a_clash_and_a_later_reading_opens_it_again() {
    let (mut ann, mut ben, hers, his) = clashed();
    ann.settle(hers, &[his]);
    let register = door(&ann.view());
    assert_eq!((register.clash, register.shown, register.current), (false, Some(hers), vec![hers]));
    assert!(ann.view().is_superseded(his) && !ann.view().is_current(his));
    assert!(ann.view().reading(his).is_some(), "it stays readable");
    ben.hear(&ann);
    let later = ben.measure(DOOR, 740);
    assert_eq!(ben.view().clashes()[0].keys(), [hers, later]);
    // One made before the settlement that was not in it opens it too.
    let mut cat = Tablet::new(Kind::Home, 3);
    cat.measure(DOOR, 780);
    cat.hear(&ann);
    assert!(door(&cat.view()).clash);
}

#[test]
fn a_reading_that_says_so_stands_in_the_place_of_earlier_ones() {
    let (mut ann, _, hers, his) = clashed();
    let again = ann.measure_anew(DOOR, 725, &[hers, his]);
    assert_eq!(door(&ann.view()), Register { current: vec![again], shown: Some(again), clash: false });
    ann.strike(again);
    assert!(door(&ann.view()).clash, "what it stood for stands again");
}

#[test]
fn opposite_settlements_unknown_to_each_other_open_the_clash_again() {
    let (mut ann, mut ben, hers, his) = clashed();
    let first = ann.settle(hers, &[his]);
    let second = ben.settle(his, &[hers]);
    assert!(!door(&ann.view()).clash && !door(&ben.view()).clash);
    ann.meet(&mut ben);
    assert_eq!(door(&ann.view()).current, [hers, his]);
    assert!(door(&ann.view()).clash);
    // One of them is to go before it is closed: whoever settles now is told which.
    assert_eq!(ann.view().opposed(hers, &[his]), [second]);
    assert_eq!(ann.view().opposed(his, &[hers]), [first]);
    ann.strike(second);
    assert_eq!(door(&ann.view()).current, [hers]);
    assert!(ann.view().opposed(hers, &[his]).is_empty());
}

#[test]
fn a_third_reading_stays_settled_when_two_settlements_chose_opposite_ones() {
    let (mut ann, mut ben, hers, his) = clashed();
    let third = ann.measure(DOOR, 760);
    ben.hear(&ann);
    ann.settle(hers, &[his, third]);
    ben.settle(his, &[hers, third]);
    ann.meet(&mut ben);
    assert_eq!(door(&ann.view()).current, [hers, his], "nobody chose the third");
}

#[test]
fn striking_a_settlement_or_the_reading_it_chose_opens_the_clash_again() {
    let (mut ann, _, hers, his) = clashed();
    let settlement = ann.settle(hers, &[his]);
    let mut struck = ann.clone();
    struck.strike(settlement);
    assert!(door(&struck.view()).clash);
    ann.strike(hers);
    assert_eq!(door(&ann.view()).current, [his], "his is what is left");
    assert!(!ann.view().is_superseded(his));
}

#[test]
fn what_was_struck_stays_readable_with_its_reason() {
    let (mut ann, mut ben) = two();
    let key = ann.measure(DOOR, 712);
    ben.hear(&ann);
    let strike = ben.strike(key);
    let view = ben.view();
    assert!(door(&view).current.is_empty() && !view.is_current(key));
    assert_eq!(view.reading(key).unwrap().value, 712);
    assert_eq!(view.struck(key), Some(strike));
    assert!(matches!(&view.records[&strike].body, Body::Strike(strike) if strike.reason == "wrong house"));
    // A strike is not undone by another: the reading is taken anew.
    let again = Body::Strike(crate::domain::record::Strike { key: strike, reason: "it was right".to_owned() });
    assert_eq!(ben.try_add(again), Err(Unfit::NotStrikable(strike)));
}

#[test]
fn a_strike_beats_a_concurrent_settlement_that_chose_what_was_struck() {
    let (mut ann, mut ben, hers, his) = clashed();
    ann.settle(hers, &[his]);
    ben.strike(hers);
    ann.meet(&mut ben);
    assert_eq!(door(&ann.view()).current, [his]);
    assert_eq!(door(&ann.view()), door(&ben.view()));
}

#[test]
fn joined_rooms_bring_their_readings_together_and_a_clash_to_light() {
    let (mut ann, _) = two();
    let one = ann.measure("bathroom-1/door-1", 712);
    let other = ann.measure("bathroom-2/door-1", 737);
    assert!(ann.view().clashes().is_empty());
    let join = ann.join("bathroom-2", "bathroom-1");
    assert_eq!(ann.view().clashes()[0].keys(), [one, other]);
    ann.settle(one, &[other]);
    assert_eq!(door(&ann.view()).current, [one]);
    // Not one room after all: what was settled across both falls apart, and neither reading is hidden.
    ann.strike(join);
    assert!(ann.view().is_current(one) && ann.view().is_current(other));
    assert!(ann.view().clashes().is_empty());
}

#[test]
fn two_people_who_join_rooms_the_other_way_round_mean_the_same() {
    let (mut ann, mut ben) = two();
    ann.measure("hall-1/door-1", 712);
    ben.measure("hall-2/door-1", 737);
    ann.join("hall-1", "hall-2");
    ben.join("hall-2", "hall-1");
    ann.meet(&mut ben);
    assert_eq!(ann.view().clashes().len(), 1);
    let itself = Body::Join(Join {
        place: "hall-1".parse().unwrap(),
        same_as: "hall-1/door-1".parse().unwrap(),
        reason: "the door is the hall".to_owned(),
    });
    assert!(matches!(ann.try_add(itself), Err(Unfit::NotHere { .. })));
}

#[test]
fn facts_that_differ_clash_and_those_that_agree_do_not() {
    let (mut ann, mut ben) = (Tablet::new(Kind::Clinical, 1), Tablet::new(Kind::Clinical, 2));
    let first = ann.say(None, "person.weight", Value::Number(92));
    let second = ben.say(None, "person.weight", Value::Number(101));
    ann.meet(&mut ben);
    let weight = Field::named("person.weight").unwrap();
    assert_eq!(ann.view().clashes(), [Clash::Fact { item: None, field: weight, keys: vec![first, second] }]);
    ann.settle(second, &[first]);
    assert!(ann.view().clashes().is_empty());
    assert_eq!(ann.view().value(None, weight), Some(&Value::Number(101)));
    ben.hear(&ann);
    ben.say(None, "person.weight", Value::Number(101));
    assert!(ben.view().clashes().is_empty(), "the same value twice is no clash");
    let now = ben.correct(None, "person.weight", Value::Number(99));
    assert_eq!(ben.view().current_facts(None, weight), [now]);
}

#[test]
fn what_was_said_of_an_item_goes_when_the_item_is_struck() {
    let mut ann = Tablet::new(Kind::Prescription, 1);
    let rail = ann.item(ItemKind::GrabRail);
    let load = ann.say(Some(rail), "item.required-load", Value::Number(100));
    ann.say(Some(rail), "item.required-load", Value::Number(150));
    assert_eq!(ann.view().clashes().len(), 1);
    ann.strike(rail);
    let view = ann.view();
    assert!(view.clashes().is_empty() && view.facts().is_empty() && view.items().next().is_none());
    assert_eq!(view.named(Some(rail), "item.required-load"), None);
    assert!(view.fact(load).is_some());
}

#[test]
fn a_note_is_amended_by_its_author_and_added_to_by_anyone() {
    let (mut ann, mut ben) = (Tablet::new(Kind::Clinical, 1), Tablet::new(Kind::Clinical, 2));
    let entry = ann.add(Body::Note(note("observation", "Walks with a frame.")));
    ben.hear(&ann);
    let amends = |key| Body::Note(Note { amends: Some(key), ..note("observation", "Walks with two sticks.") });
    assert_eq!(ben.try_add(amends(entry)), Err(Unfit::NotTheAuthor(entry)));
    let strike = Body::Strike(crate::domain::record::Strike { key: entry, reason: "not so".to_owned() });
    assert_eq!(ben.try_add(strike), Err(Unfit::NotTheAuthor(entry)));
    let added = Note { addendum_to: Some(entry), ..note("observation", "With a stick in the afternoon.") };
    let addendum = ben.add(Body::Note(added));
    let amended = ann.add(amends(entry));
    ann.meet(&mut ben);
    let shown: Vec<Key> = ann.view().notes().map(|(key, _)| key).collect();
    assert_eq!(shown, [amended, addendum]);
    assert!(ann.view().records.contains_key(&entry));
}

#[test]
fn a_photo_of_a_person_has_no_place_in_the_home_whatever_it_is_said_to_show() {
    use crate::domain::vocabulary::photo::PhotoSubject;
    let mut ann = Tablet::new(Kind::Home, 1);
    let person = Photo { subject: PhotoSubject::Person, ..photo(1) };
    assert_eq!(ann.try_add(Body::Photo(person.clone())), Err(Unfit::PersonInPhoto));
    assert_eq!(ann.try_add(Body::Photo(Photo { shows_person: true, ..photo(1) })), Err(Unfit::PersonInPhoto));
    assert_eq!(ann.try_add(Body::Photo(Photo { consent: false, ..photo(1) })), Err(Unfit::NoConsent));
    assert!(Tablet::new(Kind::Clinical, 1).try_add(Body::Photo(person)).is_ok());
}

#[test]
fn a_text_two_people_wrote_at_once_holds_both_their_words_and_asks_to_be_read() {
    let (mut ann, mut ben) = two();
    ann.write(SharedText::Summary, 0, "Key with the neighbour.\nDog.");
    ben.hear(&ann);
    let before = ann.document.heads();
    ann.write(SharedText::Summary, 28, " It bites.");
    ben.write(SharedText::Summary, 24, "A big ");
    assert_eq!(ann.view().mixed_paragraphs().count(), 0);
    ann.meet(&mut ben);
    let text = &ann.view().texts[&SharedText::Summary];
    assert!(text.contains("It bites.") && text.contains("A big Dog"), "{text}");
    assert_eq!(ann.view().mixed_paragraphs().collect::<Vec<_>>(), [(SharedText::Summary, 2)]);
    // Reading an older version settles nothing; reading the merged one does, for everybody.
    ann.read(SharedText::Summary, before.clone());
    assert_eq!(ann.view().mixed_paragraphs().count(), 1);
    let merged = ann.document.heads();
    let read = ann.read(SharedText::Summary, merged);
    assert_eq!(ann.view().mixed_paragraphs().count(), 0);
    ben.hear(&ann);
    assert_eq!(ben.view(), ann.view());
    // Ben goes on from there: known to him, nothing to read. Cat wrote offline all the while: to be read again.
    let mut cat = Tablet::new(Kind::Home, 3);
    cat.document.apply(&ann.document.at(&before).unwrap().changes_since(&[])).unwrap();
    ben.write(SharedText::Summary, 0, "Ring first. ");
    assert_eq!(ben.view().mixed_paragraphs().count(), 0);
    cat.write(SharedText::Summary, 28, " And a cat.");
    cat.meet(&mut ben);
    assert_eq!(cat.view().mixed_paragraphs().collect::<Vec<_>>(), [(SharedText::Summary, 2)]);
    cat.strike(read);
    assert_eq!(cat.view().mixed_paragraphs().count(), 1);
}

#[test]
fn one_person_after_the_other_in_one_paragraph_is_nothing_to_read() {
    let (mut ann, mut ben) = two();
    for turn in 0..10 {
        ann.write(SharedText::Summary, 0, &format!("ann {turn} "));
        ben.hear(&ann);
        ben.write(SharedText::Summary, 3, &format!("ben {turn} "));
        ann.hear(&ben);
    }
    assert_eq!(ann.view().mixed_paragraphs().count(), 0);
}

/// Invariant 4, in the data: who has a hand in a version can be told from its history alone.
#[test]
fn whoever_wrote_in_a_version_is_in_its_history_whatever_became_of_their_words() {
    let (mut ann, mut ben) = (Tablet::new(Kind::Prescription, 1), Tablet::new(Kind::Prescription, 2));
    ann.item(ItemKind::GrabRail);
    let before = ann.document.heads();
    ben.hear(&ann);
    let ramp = ben.item(ItemKind::Ramp);
    let bens = ben.document.heads()[0];
    ann.hear(&ben);
    ann.strike(ramp);
    let history = |heads: &[crate::id::Hash]| ann.document.history_of(heads);
    assert!(history(&before).contains(&before[0]) && !history(&before).contains(&bens));
    assert!(history(&ann.document.heads()).contains(&bens));
}

/// What anyone might do next, at random; what does not fit is not done.
fn something(tablet: &mut Tablet, chance: &mut Seeded) {
    let view = tablet.view();
    let keys: Vec<Key> = view.records.keys().copied().collect();
    let some_key = |chance: &mut Seeded| (!keys.is_empty()).then(|| keys[below(chance, keys.len())]);
    let place = ["bathroom-1/door-1", "bathroom-2/door-1", "hall-1/door-1"][below(chance, 3)];
    let value = 700 + i32::try_from(below(chance, 20)).unwrap();
    let registers: Vec<Register> = view.readings().into_values().chain(view.facts().into_values()).collect();
    let edit = match below(chance, 12) {
        0..=3 => {
            let supersedes = match below(chance, 3) {
                0 => view.current_readings(&place.parse().unwrap(), width()),
                _ => vec![],
            };
            Edit::Add(Body::Reading(Reading { supersedes, ..reading(place, "door-clear-width", value) }))
        }
        4 => Edit::Add(Body::Fact(Fact {
            item: None,
            field: Field::named("property.landlord-consent").unwrap(),
            value: Value::Choice(["asked", "given", "refused"][below(chance, 3)].to_owned()),
            supersedes: vec![],
        })),
        5..=6 => {
            let Some(register) = registers.iter().find(|register| register.clash) else { return };
            let chosen = register.current[below(chance, register.current.len())];
            let over = register.current.iter().copied().filter(|key| *key != chosen).collect();
            Edit::Add(Body::Settlement(Settlement { chosen, over, reason: "seen".to_owned() }))
        }
        7 => {
            let Some(key) = some_key(chance) else { return };
            Edit::Add(Body::Strike(crate::domain::record::Strike { key, reason: "slip".to_owned() }))
        }
        8 => Edit::Add(Body::Join(Join {
            place: ["bathroom-1", "bathroom-2", "hall-1"][below(chance, 3)].parse().unwrap(),
            same_as: ["bathroom-1", "bathroom-2", "hall-1"][below(chance, 3)].parse().unwrap(),
            reason: "one".to_owned(),
        })),
        9 => Edit::Add(Body::TextRead(crate::domain::record::TextRead {
            text: SharedText::Summary,
            heads: view.heads.clone(),
        })),
        _ => {
            let length = view.texts[&SharedText::Summary].chars().count();
            let at = below(chance, length + 1);
            let delete = below(chance, (length - at).min(3) + 1);
            let insert = ["door ", "é\n", "", "🚪"][below(chance, 4)].to_owned();
            let (at, delete) = (u32::try_from(at).unwrap(), u32::try_from(delete).unwrap());
            Edit::Splice { text: SharedText::Summary, at, delete, insert }
        }
    };
    // Striking a strike, joining a room to itself: refused, and then nothing has changed.
    if tablet.edit(edit).is_err() {
        assert_eq!(tablet.view(), view);
    }
}

/// Invariant 7, in the data: a reading that nobody struck stands, or a record that nobody struck names it and another
/// reading of its place stands; and of two that stand apart there is a clash.
fn no_reading_has_vanished(view: &View) {
    let readings = view.readings();
    let named: BTreeSet<Key> = view
        .standing(|body| match body {
            Body::Reading(reading) => Some(reading.supersedes.clone()),
            Body::Settlement(settlement) if view.struck(settlement.chosen).is_none() => Some(settlement.over.clone()),
            _ => None,
        })
        .flat_map(|(_, keys)| keys)
        .collect();
    for (key, record) in &view.records {
        let Body::Reading(reading) = &record.body else { continue };
        if view.struck(*key).is_some() {
            continue;
        }
        let register = &readings[&(view.same_place(&reading.place), reading.measure)];
        assert!(register.current.contains(key) || named.contains(key), "{key} has vanished");
        assert!(!register.current.is_empty(), "nothing stands where {key} was read");
        for other in &register.current {
            let apart = view.reading(*other).unwrap().value.abs_diff(reading.value);
            assert!(!register.current.contains(key) || apart <= 5 || register.clash, "{key} and {other} clash unseen");
        }
    }
}

/// Invariants 2 and 7.
#[test]
fn whoever_has_the_same_changes_reads_the_same_and_no_reading_vanishes() {
    for seed in 0..20 {
        let mut chance = Seeded::new(seed);
        let mut tablets = [1, 2, 3].map(|number| Tablet::new(Kind::Home, number));
        for _ in 0..50 {
            let who = below(&mut chance, 3);
            something(&mut tablets[who], &mut chance);
            if below(&mut chance, 6) == 0 {
                let other = tablets[(who + 1 + below(&mut chance, 2)) % 3].clone();
                tablets[who].hear(&other);
            }
            no_reading_has_vanished(&tablets[who].view());
        }
        // The same changes in three orders, and once more from what is stored.
        let views = [[0, 1, 2], [1, 2, 0], [2, 1, 0]].map(|order| {
            let mut reader = Tablet::new(Kind::Home, 9);
            for who in order {
                reader.hear(&tablets[who]);
            }
            let view = reader.view();
            let stored = Document::load(Kind::Home, &reader.document.save()).unwrap();
            assert_eq!(stored.view(), view, "seed {seed}");
            view
        });
        assert_eq!(views[0], views[1], "seed {seed}");
        assert_eq!(views[0], views[2], "seed {seed}");
        no_reading_has_vanished(&views[0]);
    }
}

/// Invariant 6, for the reading of what was admitted: thousands of records in one push, chains and rings of any length.
#[test]
fn thousands_of_records_are_read_in_moments() {
    let mut view = Document::new(Kind::Home).unwrap().view();
    let by = AccountId::from_bytes([1; 16]);
    let clock = SystemClock::new();
    let key = |counter| Key { device: 1, counter };
    for counter in 1..=10_000 {
        let body = match counter % 5 {
            0 => Body::Strike(crate::domain::record::Strike { key: key(counter - 1), reason: "no".to_owned() }),
            1 if counter > 5 => {
                let settlement = Settlement { chosen: key(3), over: vec![key(counter - 4)], reason: "yes".to_owned() };
                Body::Settlement(settlement)
            }
            _ => {
                let supersedes = if counter > 7 { vec![key(counter - 5)] } else { vec![] };
                let supersedes = supersedes.into_iter().filter(|key| view.reading(*key).is_some()).collect();
                Body::Reading(Reading { supersedes, ..reading(DOOR, "door-clear-width", 700) })
            }
        };
        let record = Record { by, at: stamp(), body };
        crate::domain::fit::record(Kind::Home, &view, key(counter), &record).unwrap();
        view.take(key(counter), record);
    }
    view.settle();
    no_reading_has_vanished(&view);
    assert!(!view.clashes().iter().any(|clash| clash.keys().is_empty()));
    assert!(Duration::from_millis(clock.elapsed()) < Duration::from_secs(1), "took {} ms", clock.elapsed());
}

#[test]
fn hundreds_of_sentences_written_at_once_in_one_paragraph_are_judged_in_moments() {
    let (mut ann, mut ben) = two();
    for _ in 0..150 {
        ann.write(SharedText::Summary, 0, "ann ");
        ben.write(SharedText::Summary, 0, "ben ");
    }
    ann.meet(&mut ben);
    for _ in 0..10 {
        let heads = ann.document.heads();
        ann.read(SharedText::Summary, heads);
    }
    ben.write(SharedText::Summary, 0, "\n");
    let clock = SystemClock::new();
    assert_eq!(ann.view().mixed_paragraphs().count(), 0);
    assert_eq!(ben.view().mixed_paragraphs().count(), 1);
    assert!(clock.elapsed() < 500, "took {} ms", clock.elapsed());
}

#[test]
fn numbers_and_texts_at_their_ends_are_refused_in_words() {
    let mut ann = Tablet::new(Kind::Prescription, 1);
    let rail = ann.item(ItemKind::GrabRail);
    for value in [i64::MIN, i64::MAX, 1_000_000_001] {
        let field = Field::named("item.required-load").unwrap();
        let fact = Fact { item: Some(rail), field, value: Value::Number(value), supersedes: vec![] };
        assert_eq!(ann.try_add(Body::Fact(fact)), Err(Unfit::OutOfBounds(value)));
    }
    let mut ben = Tablet::new(Kind::Home, 2);
    for value in [i32::MIN, i32::MAX, 100_001, -100_001] {
        let body = Body::Reading(reading(DOOR, "door-clear-width", value));
        assert_eq!(ben.try_add(body), Err(Unfit::OutOfBounds(i64::from(value))));
    }
    let seen = ben.measure(DOOR, 700);
    for (count, fits) in [(64, true), (65, false)] {
        let many = Reading { supersedes: vec![seen; count], ..reading(DOOR, "door-clear-width", 701) };
        assert_eq!(ben.try_add(Body::Reading(many)).is_ok(), fits);
    }
    let empty = Settlement { chosen: seen, over: vec![], reason: "only one".to_owned() };
    assert_eq!(ben.try_add(Body::Settlement(empty)), Err(Unfit::Nothing));
    let blank = crate::domain::record::Strike { key: seen, reason: " ".to_owned() };
    assert_eq!(ben.try_add(Body::Strike(blank)), Err(Unfit::Empty("a reason")));
    assert_eq!(ben.try_add(Body::Note(note("property", "\n"))), Err(Unfit::Empty("a note")));
    let long = ben.try_add(Body::Note(note("property", &"é".repeat(8001))));
    assert_eq!(long, Err(Unfit::TooLong { found: 8001, most: 8000 }));
    let beyond = Edit::Splice { text: SharedText::Summary, at: u32::MAX, delete: u32::MAX, insert: String::new() };
    assert_eq!(ben.edit(beyond), Err(Unfit::OutsideText { length: 0 }));
}
