//! How many may write in one document, and what Automerge keeps for each.

use super::*;
use crate::domain::testing::photo;

fn too_large(what: &str, found: u64, most: u64) -> Refusal {
    Refusal::TooLarge { what: what.to_owned(), found, most }
}

/// Tablet 7 in the hand of somebody who begins anew with each change, none of which knows of any other.
fn forked(fork: u32) -> (Tablet, Vec<u8>) {
    let mut tablet = Tablet { fork, counter: 10 * fork, ..Tablet::new(7) };
    let change = tablet.measure("bathroom-1/door-1", 712);
    (tablet, change)
}

#[test]
fn a_device_begins_anew_in_a_document_so_often_and_no_more() {
    let server = Document::new(Kind::Home).unwrap();
    let most = u32::try_from(Bounds::default().forks).unwrap();
    let (tablet, change) = forked(most);
    assert!(tablet.push(&server, &[change]).is_ok());
    for fork in [most + 1, u32::MAX] {
        let tablet = Tablet { fork, ..Tablet::new(7) };
        let refused = too_large("forks", u64::from(fork), u64::from(most));
        assert_eq!(tablet.push(&server, &[]).unwrap_err(), refused, "before anything is read");
    }
}

/// Automerge keeps for each change how far each actor was: whoever makes actors without end makes that so large.
#[test]
fn forks_of_a_device_fill_no_document_and_whoever_wrote_in_it_goes_on() {
    let mut server = Document::new(Kind::Home).unwrap();
    let bounds = Bounds { document_actors: 4, ..Bounds::default() };
    let mut tablets = Vec::new();
    for fork in 0..3 {
        let (tablet, change) = forked(fork);
        server = tablet.push_within(&server, &[change], Role::Ot, &bounds).unwrap().document;
        tablets.push(tablet);
    }
    assert_eq!(clock_bytes(&server), 4 * 4 * 4, "4 changes by 4 actors, 4 bytes each");
    let (tablet, change) = forked(3);
    let judged = tablet.push_within(&server, &[change], Role::Ot, &bounds).unwrap_err();
    assert_eq!(judged, too_large("actors in the document", 5, 4));
    let next = tablets[0].measure("bathroom-1/door-2", 760);
    let judged = tablets[0].push_within(&server, std::slice::from_ref(&next), Role::Ot, &bounds);
    assert_eq!(judged.unwrap().changes.len(), 1);
    // All of them may be heads: whoever writes next builds on all.
    assert!(Bounds::default().document_actors <= Bounds::default().deps);
    let bounds = Bounds { document_clocks: 19, ..Bounds::default() };
    let judged = tablets[0].push_within(&server, &[next], Role::Ot, &bounds).unwrap_err();
    assert_eq!(judged, too_large("changes times actors in the document", 20, 19));
}

#[test]
fn a_change_builds_on_no_more_changes_than_there_are_actors() {
    let mut tablet = Tablet::new(7);
    let changes: Vec<Vec<u8>> = (0..4).map(|at| tablet.measure("bathroom-1/door-1", 700 + at)).collect();
    let server = tablet.push(&Document::new(Kind::Home).unwrap(), &changes).unwrap().document;
    let next = tablet.measure("bathroom-1/door-2", 760);
    let building_on = |heads: &[Hash]| {
        let mut deps: Vec<automerge::ChangeHash> = heads.iter().map(|hash| (*hash).into()).collect();
        deps.sort_unstable();
        altered(&next, |change| change.deps = deps)
    };
    let history = server.history_of(&server.heads());
    let judged = tablet.push(&server, &[building_on(&history)]).unwrap_err();
    assert_eq!(judged, too_large("changes that a change builds on", 5, 2));
    assert!(tablet.push(&server, &[building_on(&history[3..])]).is_ok());
}

/// Automerge is asked what stood once for each photo, however often its caption is changed.
#[test]
fn looking_for_what_captions_replace_is_bounded_and_a_day_of_captions_is_far_from_it() {
    let key = |counter| Key { device: 7, counter };
    let caption = |of: u32, text: String| Edit::Caption { photo: key(of), text };
    let mut tablet = Tablet::new(7);
    let photos = tablet.edits(&[Edit::Add(Body::Photo(photo(1))), Edit::Add(Body::Photo(photo(2)))]);
    let server = tablet.push(&Document::new(Kind::Home).unwrap(), &[photos]).unwrap().document;
    let mut eve = Tablet::new(8);
    eve.hear(&server);
    let changes: Vec<Vec<u8>> = (0..20).map(|n| tablet.edit(caption(1, format!("take {n}")))).collect();
    let eves = eve.edit(caption(1, "hers".to_owned()));
    let within = |tablet: &Tablet, server: &Document, changes: &[Vec<u8>], most: usize| {
        let bounds = Bounds { push_caption_steps: most, ..Bounds::default() };
        tablet.push_within(server, changes, Role::Ot, &bounds)
    };
    let operations = |document: &Document| {
        let changes = document.state().get_changes_meta(&[]);
        changes.iter().map(|change| change.max_op + 1 - change.start_op).sum::<u64>()
    };
    // One photo, on one head, among two actors.
    let steps = usize::try_from(operations(&server)).unwrap() + changes.len() + 2;
    assert!(within(&tablet, &server, &changes, steps).is_ok());
    let judged = within(&tablet, &server, &changes, steps - 1).unwrap_err();
    assert_eq!(judged, too_large("steps to the captions replaced", steps as u64, steps as u64 - 1));
    // Once more where another's work came in between: there hers may be replaced, and before not.
    let server = eve.push(&server, &[eves]).unwrap().document;
    tablet.hear(&server);
    let both = tablet.edit(caption(1, "both".to_owned()));
    let all = [&changes[..], std::slice::from_ref(&both)].concat();
    let admitted = tablet.push(&server, &all).unwrap();
    assert_eq!(admitted.view.captions[&key(1)], "both");
    let before = admitted.document.state().get_changes_meta(&[]).len();
    assert_eq!(before, 1 + 1 + 20 + 1 + 1);
    let steps = 2 * usize::try_from(operations(&admitted.document)).unwrap() + 3 + 2 * 3;
    assert!(within(&tablet, &server, &all, steps).is_ok());
    assert!(within(&tablet, &server, &all, steps - 1).is_err());
    // What one of the same push has replaced already, no later one does again.
    let stale = automerge::Change::from_bytes(changes[5].clone()).unwrap().decode().operations[0].pred.clone();
    let last = altered(&changes[19], |change| change.operations[0].pred = stale);
    let judged = tablet.push(&server, &[&changes[..19], &[last]].concat());
    assert_eq!(judged.unwrap_err(), Refusal::Operation { at: 19, operation: 0 });
}
