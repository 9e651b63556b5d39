//! What a change builds on, and what it speaks of.

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::domain::testing::photo;

/// Olu's and Eve's tablets, and a server that has a word of each, unknown to one another.
fn two_who_never_met() -> (Document, Tablet, Tablet) {
    let (mut olu, mut eve) = (Tablet::new(7), Tablet::new(8));
    let [one, other] = [olu.write(0, 0, "Olu"), eve.write(0, 0, "Eve")];
    let server = olu.push(&Document::new(Kind::Home).unwrap(), &[one]).unwrap().document;
    let server = eve.push(&server, &[other]).unwrap().document;
    (server, olu, eve)
}

/// Invariant 6: Automerge would keep each of them and look through all whenever another comes.
#[test]
fn ten_thousand_changes_that_build_on_what_nobody_has_are_refused_at_the_first() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    let unknown = Hash::from_bytes([9; 32]);
    // Each builds on the one before it, the first on what nobody has.
    let mut dependency = unknown;
    let orphans: Vec<Vec<u8>> = (1..=10_000)
        .map(|seq| {
            let orphan = altered(&first, |change| {
                change.seq = seq;
                change.deps = vec![automerge::ChangeHash(*dependency.as_bytes())];
            });
            dependency = chunk_hash(&orphan).unwrap();
            orphan
        })
        .collect();
    let mut backwards = orphans.clone();
    backwards.reverse();
    let before_last = chunk_hash(&orphans[orphans.len() - 2]).unwrap();
    for (orphans, missing) in [(orphans, unknown), (backwards, before_last)] {
        let began = SystemClock::new();
        let judged = tablet.push(&server, &orphans).unwrap_err();
        assert_eq!(judged, Refusal::Missing { at: 0, missing: vec![missing] });
        assert!(began.elapsed() < 5_000, "{} ms", began.elapsed());
    }
}

#[test]
fn a_second_change_of_the_same_number_is_an_alarm_and_a_gap_is_not() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let mut clone = tablet.twin();
    let first = tablet.measure("bathroom-1/door-1", 712);
    let server = tablet.push(&server, std::slice::from_ref(&first)).unwrap().document;
    let second = clone.measure("bathroom-1/door-2", 760);
    assert_eq!(clone.push(&server, &[second]).unwrap_err(), Refusal::Equivocation { at: 0, seq: 1 });
    // What was taken stands, and is no alarm when it comes again.
    assert!(tablet.push(&server, std::slice::from_ref(&first)).unwrap().changes.is_empty());
    let next = tablet.measure("bathroom-1/door-2", 760);
    let gap = altered(&next, |change| change.seq = 3);
    assert_eq!(tablet.push(&server, &[gap]).unwrap_err(), Refusal::Sequence { at: 0, found: 3, expected: 2 });
    assert!(tablet.push(&server, &[first, next]).is_ok());
}

#[test]
fn a_change_that_does_not_build_on_its_actors_own_is_refused() {
    let empty = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let aside = tablet.twin().write(0, 0, "xy");
    let first = tablet.write(0, 0, "ab");
    // Number 2, made as if number 1 had never been: its operations would have the names of the first's.
    let beside = altered(&aside, |change| change.seq = 2);
    let server = tablet.push(&empty, std::slice::from_ref(&first)).unwrap().document;
    assert_eq!(tablet.push(&server, std::slice::from_ref(&beside)).unwrap_err(), Refusal::Detached { at: 0 });
    assert_eq!(tablet.push(&empty, &[first, beside]).unwrap_err(), Refusal::Detached { at: 1 });
}

#[test]
fn a_change_speaks_only_of_what_it_builds_on() {
    let (server, olu, _) = two_who_never_met();
    // Olu's tablet heard Eve, took out her word, and says it did not.
    let mut heard = olu.twin();
    heard.hear(&server);
    let summary = heard.state.view().texts[&SharedText::Summary].clone();
    let eves = summary.find('E').unwrap();
    let deletion = heard.write(u32::try_from(eves).unwrap(), 1, "");
    let behind = heard.write(u32::try_from(eves).unwrap() + 1, 0, "!");
    assert!(heard.push(&server, &[deletion.clone(), behind]).is_ok());
    let own = olu.state.state().get_heads();
    let expected = olu.state.state().get_changes_meta(&[]).iter().map(|change| change.max_op).max().unwrap() + 1;
    let lies = altered(&deletion, |change| {
        change.deps = own;
        change.start_op = expected.try_into().unwrap();
    });
    assert_eq!(olu.push(&server, &[lies]).unwrap_err(), Refusal::Detached { at: 0 });
    // Of an operation of its own that is still to come.
    let mut ahead = olu.twin();
    let insertion = ahead.write(3, 0, "xy");
    let forged = altered(&insertion, |change| {
        let own = automerge::legacy::OpId(change.start_op.get() + 1, change.actor_id.clone());
        change.operations[0].key = automerge::legacy::Key::Seq(automerge::legacy::ElementId::Id(own));
    });
    assert_eq!(olu.push(&server, &[forged]).unwrap_err(), Refusal::Detached { at: 0 });
}

#[test]
fn a_caption_takes_the_place_only_of_captions_of_the_same_photo() {
    let empty = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.edits(&[Edit::Add(Body::Photo(photo(1))), Edit::Add(Body::Photo(photo(2)))]);
    let key = |counter| Key { device: 7, counter };
    let caption = |photo, text: &str| Edit::Caption { photo, text: text.to_owned() };
    let captions = tablet.edits(&[caption(key(1), "front"), caption(key(2), "back"), caption(key(1), "the front")]);
    let server = tablet.push(&empty, &[first, captions.clone()]).unwrap().document;
    let again = tablet.edit(caption(key(1), "front door"));
    let preds = |change: &[u8], at: usize| -> Vec<automerge::legacy::OpId> {
        let change = automerge::Change::from_bytes(change.to_vec()).unwrap().decode();
        change.operations[at].pred.iter().cloned().collect()
    };
    let own = preds(&again, 0);
    let name = |number: u64| vec![automerge::legacy::OpId(number, own[0].actor().clone())];
    let start = scan(&captions, &Bounds::default()).unwrap().start_op;
    assert_eq!(own, name(start + 2), "the caption that stands");
    for (what, pred) in [
        ("of another photo", name(start + 1)),
        ("that no longer stands", name(start)),
        ("that is none", name(start - 1)),
        ("and one of another photo", [own.clone(), name(start + 1)].concat()),
    ] {
        let mut pred = pred;
        pred.sort();
        let forged = altered(&again, |change| change.operations[0].pred = pred.into());
        let judged = tablet.push(&server, &[forged]);
        assert!(matches!(judged, Err(Refusal::Operation { at: 0, operation: 0 })), "{what}: {judged:?}");
    }
    assert!(tablet.push(&server, &[again]).is_ok());
}

#[test]
fn a_caption_made_before_others_came_is_taken_in_beside_theirs() {
    let empty = Document::new(Kind::Home).unwrap();
    let mut olu = Tablet::new(7);
    let photo_of = Key { device: 7, counter: 1 };
    let caption = |text: &str| Edit::Caption { photo: photo_of, text: text.to_owned() };
    let first = olu.edits(&[Edit::Add(Body::Photo(photo(1)))]);
    let named = olu.edit(caption("front"));
    let server = olu.push(&empty, &[first, named]).unwrap().document;
    let mut eve = Tablet::new(8);
    eve.hear(&server);
    let offline = [olu.edit(caption("front door")), olu.edit(caption("the front door"))];
    let change = eve.edit(caption("door"));
    let server = eve.push(&server, &[change]).unwrap().document;
    // What Olu's first replaces does not stand any more where Eve's came in first.
    let server = olu.push(&server, &offline).unwrap().document;
    let captions = server.view().captions;
    assert!(captions.values().all(|text| text == "door" || text == "the front door"), "{captions:?}");
}
