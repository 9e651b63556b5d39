//! A store that was copied: two devices speak in one name.

use grabrail_tests::{Tablet, World};
use sync_core::access::Role;
use sync_core::device::{DeviceError, LinkError, NoteInput};
use sync_core::domain::kind::Kind;
use sync_core::domain::vocabulary::Section;

fn note(words: &str) -> NoteInput {
    NoteInput::new(Section::Visit, words)
}

#[tokio::test]
async fn both_copies_of_a_tablet_are_stopped_enrolled_anew_and_every_word_of_both_arrives_once() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("W-1", "olu");
    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let clinical = tablet.document(Kind::Clinical).await;
    tablet.device.note(clinical, note("Sent before the copy.")).await.unwrap();
    tablet.sync().await;
    tablet.device.note(clinical, note("Waiting in both.")).await.unwrap();
    let (first, copy) = tablet.copied(&world.path("copy.store")).await;
    first.device.note(clinical, note("On the first.")).await.unwrap();
    let theirs = copy.device.note(clinical, note("On the copy.")).await.unwrap();
    let more = NoteInput { addendum_to: Some(theirs), ..note("More on the copy.") };
    copy.device.note(clinical, more).await.unwrap();
    first.sync().await;
    for tablet in [&copy, &first] {
        let stopped = tablet.device.sync(&tablet.link).await;
        let Err(DeviceError::Link(LinkError::Problem { kind, .. })) = stopped else { panic!("{stopped:?}") };
        assert_eq!(kind, "device-stopped");
        assert!(tablet.device.status().await.unwrap().stopped);
        tablet.device.note(clinical, note("While stopped.")).await.unwrap();
    }
    // Somebody else's code changes nothing.
    world.account("eve", Role::Ot);
    let other = copy.device.enrol(&copy.link, &world.code("eve"), "copy").await;
    assert!(matches!(other, Err(DeviceError::OtherPerson { .. })), "{other:?}");
    for tablet in [&copy, &first] {
        tablet.device.enrol(&tablet.link, &world.code("olu"), "anew").await.unwrap();
        tablet.sync().await;
    }
    copy.sync().await;
    let expected = [
        "More on the copy.",
        "On the copy.",
        "On the first.",
        "Sent before the copy.",
        "Waiting in both.",
        "While stopped.",
        "While stopped.",
    ];
    let mut views = Vec::new();
    for tablet in [&first, &copy] {
        assert_eq!(tablet.device.status().await.unwrap().waiting.changes, 0);
        assert!(tablet.device.refused_work().await.unwrap().is_empty());
        let view = tablet.device.open_document(clinical).await.unwrap();
        let mut words: Vec<String> = view.notes().map(|(_, note)| note.text.clone()).collect();
        words.sort_unstable();
        assert_eq!(words, expected);
        views.push(view);
    }
    assert_eq!(views[0], views[1]);
}

#[tokio::test]
async fn a_copy_that_asks_again_for_what_the_other_was_answered_is_enrolled_anew_and_the_other_goes_on() {
    let mut world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("W-2", "olu");
    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let clinical = tablet.document(Kind::Clinical).await;
    tablet.device.note(clinical, note("Signed, and not sent.")).await.unwrap();
    world.server.stop().await;
    tablet.device.sync(&tablet.link).await.unwrap_err();
    let (first, copy) = tablet.copied(&world.path("copy.store")).await;
    world.server.restart().await;
    first.device.note(clinical, note("On the first.")).await.unwrap();
    copy.device.note(clinical, note("On the copy.")).await.unwrap();
    first.sync().await;
    let stopped = copy.device.sync(&copy.link).await;
    let Err(DeviceError::Link(LinkError::Problem { kind, .. })) = stopped else { panic!("{stopped:?}") };
    assert_eq!(kind, "device-stopped");
    let words = async |tablet: &Tablet| {
        let view = tablet.device.open_document(clinical).await.unwrap();
        let mut words: Vec<String> = view.notes().map(|(_, note)| note.text.clone()).collect();
        words.sort_unstable();
        words
    };
    // Until then it shows what is on it; the first one is not stopped for it.
    assert_eq!(words(&copy).await, ["On the copy.", "Signed, and not sent."]);
    first.device.note(clinical, note("On the first, later.")).await.unwrap();
    first.sync().await;
    copy.device.enrol(&copy.link, &world.code("olu"), "anew").await.unwrap();
    copy.sync().await;
    first.sync().await;
    let all = ["On the copy.", "On the first, later.", "On the first.", "Signed, and not sent."];
    assert_eq!(words(&copy).await, all);
    assert_eq!(words(&first).await, all);
}
