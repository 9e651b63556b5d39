//! What the server orders purged is gone, and what was typed in it too late is not.

use super::*;
use crate::guard::Refusal;
use crate::id::Hash;
use crate::protocol::sync::PurgeReason;

/// Every shelf but that of the receipts, which outlast what they are for.
const SHELVES: [Shelf; 9] = [
    Shelf::Meta,
    Shelf::Card,
    Shelf::Document,
    Shelf::Change,
    Shelf::Outbox,
    Shelf::Photo,
    Shelf::PhotoBytes,
    Shelf::Notice,
    Shelf::ReadLog,
];

/// How many rows name a document.
async fn naming(device: &Device, document: DocumentId) -> Vec<(Shelf, usize)> {
    let mut found = Vec::new();
    for shelf in SHELVES {
        let rows = device.store.all(shelf, u32::MAX).await.unwrap();
        let names = |bytes: &[u8]| bytes.windows(17).any(|window| window == document.as_bytes());
        match rows.iter().filter(|(_, bytes)| names(bytes)).count() {
            0 => {}
            count => found.push((shelf, count)),
        }
    }
    found
}

async fn names(device: &Device, case: CaseId) -> Vec<String> {
    device.documents(case).await.unwrap().into_iter().map(|document| document.name).collect()
}

fn note(words: &str) -> NoteInput {
    NoteInput::new(Section::Visit, words)
}

#[tokio::test]
async fn a_purged_case_leaves_receipts_and_nothing_else_and_what_was_typed_too_late_is_handed_in() {
    let server = Server::new();
    let (case, home, _) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 6);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    view(&device, home).await;
    // The reply that orders the purge is lost; meanwhile one more thing is typed.
    device.measure(home, door(713)).await.unwrap();
    server.state().purge = vec![case];
    server.state().refuse = vec![(home, Refusal::NotAllowed)];
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.measure(home, door(714)).await.unwrap();
    view(&device, home).await;
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!(report.purged, [case]);
    assert_eq!(server.state().purged, [case]);
    assert!(device.cases().await.unwrap().is_empty());
    assert!(matches!(device.open_document(home).await, Err(DeviceError::NoSuchDocument(_))));
    for shelf in [Shelf::Card, Shelf::Document, Shelf::Change, Shelf::Outbox, Shelf::Photo, Shelf::PhotoBytes] {
        assert_eq!(device.store.count(shelf).await.unwrap(), 0, "{shelf:?}");
    }
    assert_eq!(device.receipts().await.unwrap().len(), 2);
    // The second of the late edits went up too, and that the document was read.
    let late: Vec<usize> = server.state().quarantine.clone();
    assert_eq!(late, [1, 1, 1]);
    assert_eq!(server.state().reads, 3);
    for shelf in [Shelf::ReadLog, Shelf::Outbox] {
        assert_eq!(device.store.count(shelf).await.unwrap(), 0, "{shelf:?}");
    }
    let device = tablet.reopened(device).await;
    assert!(matches!(
        device.notices().await.unwrap().last(),
        Some((_, Notice::Purged { photos: 0, reason: PurgeReason::Ended, .. }))
    ));
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
}

/// Ana's assessment goes to a colleague while she is out, and its case stays hers.
#[tokio::test]
async fn a_purged_document_is_gone_from_a_case_that_stays_once_what_was_typed_too_late_is_handed_in() {
    let server = Server::new();
    let (case, home, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 20);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.measure(home, door(712)).await.unwrap();
    // So many that a snapshot is kept.
    for _ in 0..65 {
        device.note(clinical, note("Manages the stairs on her bottom.")).await.unwrap();
    }
    device.sync(&tablet.link()).await.unwrap();
    view(&device, clinical).await;
    // A photo that waits to be sent and that the server waits for, and an ask that was refused.
    let (_, hash) = device.photo(clinical, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    {
        let mut state = server.state();
        (state.no_photos, state.denies, state.wants) = (true, true, vec![(clinical, hash)]);
    }
    device.sync(&tablet.link()).await.unwrap();
    assert!(device.notices().await.unwrap().iter().any(|(_, notice)| matches!(notice, Notice::AskRefused { .. })));
    let shelves: Vec<Shelf> = naming(&device, clinical).await.into_iter().map(|(shelf, _)| shelf).collect();
    assert_eq!(shelves, [Shelf::Meta, Shelf::Card, Shelf::Document, Shelf::Photo, Shelf::Notice]);
    assert_eq!(device.store.count(Shelf::Document).await.unwrap(), 3, "two documents, and one's snapshot");

    // The order comes with an answer to a request that was made before the last words were typed.
    device.note(clinical, note("Too late.")).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    {
        let mut state = server.state();
        state.purge_documents = vec![clinical];
        state.refuse = vec![(clinical, Refusal::NotAllowed)];
        state.line = Line::Once;
    }
    device.note(clinical, note("Later still.")).await.unwrap();
    device.complete_assessment(clinical).await.unwrap();
    device.sync(&tablet.link()).await.unwrap_err();

    // Nobody sees it any more, and nothing typed in it is lost.
    assert_eq!(names(&device, case).await, ["home"]);
    assert!(matches!(device.open_document(clinical).await, Err(DeviceError::NoSuchDocument(_))));
    assert!(matches!(device.note(clinical, note("More.")).await, Err(DeviceError::NoSuchDocument(_))));
    assert!(!device.views(case).await.unwrap().contains_key(&clinical));
    let device = tablet.reopened(device).await;
    assert_eq!(device.status().await.unwrap().waiting.changes, 2);

    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!(report.purged_documents, [clinical]);
    assert!(report.purged.is_empty());
    assert_eq!(server.state().purged_documents, [clinical]);
    let late: usize = server.state().quarantine.iter().sum();
    assert_eq!(late, 2, "each of the late notes is in quarantine");
    // Only that it went is told.
    assert_eq!(naming(&device, clinical).await, [(Shelf::Notice, 1)]);
    for (shelf, of_home) in [
        (Shelf::Document, 1),
        (Shelf::Change, 1),
        (Shelf::Outbox, 0),
        (Shelf::Photo, 0),
        (Shelf::PhotoBytes, 0),
        (Shelf::ReadLog, 0),
    ] {
        assert_eq!(device.store.count(shelf).await.unwrap(), of_home, "{shelf:?}");
    }
    let told = device.notices().await.unwrap().pop().unwrap().1;
    assert_eq!(
        told,
        Notice::PurgedDocument {
            case,
            document: clinical,
            kind: Kind::Clinical,
            photos: 1,
            reason: PurgeReason::Withdrawn,
            // The one that was refused before, and the one that came too late.
            asks: 2,
        }
    );
    assert_eq!((names(&device, case).await, view(&device, home).await.records.len()), (vec!["home".to_owned()], 1));

    // There is nothing more to say about it.
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
    assert_eq!(server.state().purged_documents, [clinical]);
}

#[tokio::test]
async fn that_a_document_went_is_told_until_the_server_has_heard_it_also_of_one_that_was_never_here() {
    let server = Server::new();
    let (case, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 21);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    let never_here = DocumentId::from_bytes([9; 17]);
    server.state().purge_documents = vec![clinical, never_here];
    // The order arrives, the receipt does not.
    server.state().line = Line::Once;
    device.sync(&tablet.link()).await.unwrap_err();
    assert_eq!(names(&device, case).await, ["home"]);
    assert!(server.state().purged_documents.is_empty());
    // It arrives, and the answer is lost: it is told again, whatever is started anew.
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    let device = tablet.reopened(device).await;
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.purged_documents), (1, vec![]));
    let both = [never_here, clinical];
    assert_eq!(server.state().purged_documents, [both, both].concat());
    // One notice: of the other there is nothing to tell a person.
    assert_eq!(device.notices().await.unwrap().len(), 1);
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(server.state().purged_documents.len(), 4);

    // When the right comes back, the document is simply there again.
    server.state().purge_documents.clear();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(names(&device, case).await, ["home", "clinical"]);
    device.note(clinical, note("Back again.")).await.unwrap();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().receipted, 1);
    // And it can be taken once more.
    server.state().purged_documents.clear();
    server.state().purge_documents = vec![clinical];
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.purged_documents), (2, vec![clinical]));
}

#[tokio::test]
async fn a_document_that_is_given_back_before_it_went_stays_with_all_its_words() {
    let server = Server::new();
    let (case, _, clinical) = server.case(Role::Ot);
    for (seed, by_card) in [(22, true), (23, false)] {
        let tablet = Tablet::new(&server, seed);
        let device = tablet.enrolled().await;
        device.note(clinical, note("Unknown yet.")).await.unwrap_err();
        device.sync(&tablet.link()).await.unwrap();
        device.note(clinical, note("Seen.")).await.unwrap();
        server.state().line = Line::LosesReply;
        device.sync(&tablet.link()).await.unwrap_err();
        device.note(clinical, note("Typed meanwhile.")).await.unwrap();
        server.state().purge_documents = vec![clinical];
        server.state().line = Line::Once;
        device.sync(&tablet.link()).await.unwrap_err();
        assert_eq!(names(&device, case).await, ["home"]);
        // Either word is enough: that the card lists it, or that there is news of it.
        let listed = server.state().cards[0].documents.clone();
        server.state().purge_documents.clear();
        if !by_card {
            server.state().cards[0].documents.truncate(1);
        }
        server.state().line = Line::Good;
        let report = device.sync(&tablet.link()).await.unwrap();
        assert_eq!((report.receipted, report.purged_documents), (1, vec![]));
        assert_eq!(names(&device, case).await, ["home", "clinical"]);
        server.state().cards[0].documents = listed;
        device.sync(&tablet.link()).await.unwrap();
        let words: Vec<String> = view(&device, clinical).await.notes().map(|(_, note)| note.text.clone()).collect();
        for said in ["Seen.", "Typed meanwhile."] {
            assert!(words.iter().any(|text| text == said), "{words:?}");
        }
        assert!(device.notices().await.unwrap().is_empty());
    }
    // A reply that gives and orders at once gives: the server that meant to take it orders again.
    let tablet = Tablet::new(&server, 24);
    let device = tablet.enrolled().await;
    server.state().contradicts = true;
    server.state().purge_documents = vec![clinical];
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1);
    assert_eq!(names(&device, case).await, ["home", "clinical"]);
    assert!(server.state().purged_documents.is_empty());
}

/// The server gave up on one copy of a store after another said that all was gone; this one still has it all.
#[tokio::test]
async fn told_to_keep_nothing_a_device_purges_even_cases_that_the_server_never_names() {
    let server = Server::new();
    let (one, _, clinical) = server.case(Role::Ot);
    let (other, ..) = server.another_case(Role::Ot, 78);
    let tablet = Tablet::new(&server, 26);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Seen.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    server.state().revoked = true;
    server.state().refuse = vec![(clinical, Refusal::NotAllowed)];
    // The reply to a request that was made before the last word was typed.
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.note(clinical, note("Too late.")).await.unwrap();
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    let sorted = |mut cases: Vec<CaseId>| {
        cases.sort_unstable();
        cases
    };
    assert_eq!(sorted(report.purged), sorted(vec![one, other]));
    assert_eq!(server.state().quarantine, [1], "what was typed too late was handed in first");
    for shelf in [Shelf::Card, Shelf::Document, Shelf::Change, Shelf::Outbox] {
        assert_eq!(device.store.count(shelf).await.unwrap(), 0, "{shelf:?}");
    }
    assert_eq!(device.sync(&tablet.link()).await.unwrap().exchanges, 1, "there is no more to say about it");
}

/// Asked when the order was on its way, and nothing else waits.
#[tokio::test]
async fn what_was_asked_too_late_is_handed_in_before_its_document_or_its_case_goes() {
    let server = Server::new();
    let (case, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 28);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Seen.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.complete_assessment(clinical).await.unwrap();
    server.state().purge_documents = vec![clinical];
    server.state().line = Line::Once;
    device.sync(&tablet.link()).await.unwrap_err();
    assert_eq!(device.status().await.unwrap().waiting.asks, 1);
    server.state().line = Line::Good;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged_documents, [clinical]);
    let heads = server.state().documents[&clinical].heads();
    let complete = Request::CompleteAssessment { document: clinical, heads };
    assert_eq!(server.state().asks, std::slice::from_ref(&complete));

    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.close_case(case, "Moved away").await.unwrap();
    server.state().purge = vec![case];
    server.state().line = Line::Good;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged, [case]);
    assert_eq!(server.state().asks, [complete, Request::CloseCase { reason: "Moved away".to_owned() }]);
    assert_eq!(device.store.count(Shelf::Outbox).await.unwrap(), 0);
}

/// The photos, what waits for a verdict, and everything that was asked.
async fn shown(device: &Device, document: DocumentId) -> (usize, usize, usize) {
    let photos = device.photos(document).await.unwrap().len();
    (photos, device.pending_asks().await.unwrap().len(), device.asked().await.unwrap().len())
}

#[tokio::test]
async fn photos_and_asks_of_what_is_to_be_purged_are_shown_to_nobody_while_it_waits() {
    for whole_case in [true, false] {
        let server = Server::new();
        let (case, _, clinical) = server.case(Role::Ot);
        let (_, other_home, _) = server.another_case(Role::Ot, 78);
        let tablet = Tablet::new(&server, 30);
        let device = tablet.enrolled().await;
        device.sync(&tablet.link()).await.unwrap();
        for document in [clinical, other_home] {
            device.photo(document, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
        }
        server.state().line = Line::LosesReply;
        device.sync(&tablet.link()).await.unwrap_err();
        device.complete_assessment(clinical).await.unwrap();
        device.release(other_home, "She said yes").await.unwrap();
        assert_eq!((shown(&device, clinical).await, shown(&device, other_home).await), ((1, 2, 2), (1, 2, 2)));
        if whole_case {
            server.state().purge = vec![case];
        } else {
            server.state().purge_documents = vec![clinical];
        }
        server.state().line = Line::Once;
        device.sync(&tablet.link()).await.unwrap_err();
        assert_eq!((shown(&device, clinical).await, shown(&device, other_home).await), ((0, 1, 1), (1, 1, 1)));
    }
}

/// The server refuses and keeps what a revoked device asked; the notice says that something was asked in vain.
#[tokio::test]
async fn what_a_revoked_device_asked_is_handed_in_once_and_told_of_when_its_case_goes() {
    let server = Server::new();
    let (case, ..) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 29);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    server.state().line = Line::LosesReply;
    device.sync(&tablet.link()).await.unwrap_err();
    device.close_case(case, "Moved away").await.unwrap();
    server.state().revoked = true;
    server.state().line = Line::Good;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert_eq!((report.exchanges, report.purged), (3, vec![case]));
    for shelf in [Shelf::Card, Shelf::Document, Shelf::Outbox, Shelf::Photo] {
        assert_eq!(device.store.count(shelf).await.unwrap(), 0, "{shelf:?}");
    }
    let told = device.notices().await.unwrap().pop().unwrap().1;
    assert!(matches!(told, Notice::Purged { asks: 1, .. }), "{told:?}");
}

/// What the server puts off it does not have: the case waits for it.
#[tokio::test]
async fn a_case_that_is_to_go_waits_for_what_was_asked_in_it_and_put_off() {
    let server = Server::new();
    let (case, ..) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 31);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    device.close_case(case, "Moved away").await.unwrap();
    {
        let mut state = server.state();
        (state.revoked, state.full) = (true, usize::MAX);
    }
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged, []);
    assert_eq!(device.store.count(Shelf::Outbox).await.unwrap(), 1);
    server.state().full = 0;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().purged, [case]);
}

/// Delivers a purge while a photo's bytes are on their way down.
struct Overtaken {
    server: Server,
    device: Arc<Device>,
}

impl Transport for Overtaken {
    fn send(&self, request: link::HttpRequest) -> link::Sending<'_> {
        Box::pin(async move {
            if request.method == link::Method::Get {
                self.device.sync(&Link::over(self.server.clone())).await.unwrap();
            }
            self.server.send(request).await
        })
    }
}

#[tokio::test]
async fn what_was_on_its_way_to_the_screen_when_its_document_went_is_not_kept() {
    let server = Server::new();
    let (_, _, clinical) = server.case(Role::Ot);
    let tablet = Tablet::new(&server, 25);
    let device = Arc::new(tablet.enrolled().await);
    device.sync(&tablet.link()).await.unwrap();
    device.note(clinical, note("Seen.")).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let before = device.reader().document(clinical).await.unwrap().unwrap();
    let hash = Hash::of(b"bytes of a photo");
    {
        let mut state = server.state();
        state.photos.insert((clinical, hash), b"bytes of a photo".to_vec());
        state.purge_documents = vec![clinical];
    }
    let link = Link::over(Overtaken { server: server.clone(), device: device.clone() });
    let fetched = device.photo_bytes(Some(&link), clinical, hash).await;
    assert!(matches!(fetched, Err(DeviceError::NoSuchPhoto(_))), "{fetched:?}");
    let snapshot = rows::Snapshot { bytes: b"all of it".to_vec().into(), up_to: 1 };
    device.keep_snapshot(&before, snapshot).await;
    assert_eq!(naming(&device, clinical).await, [(Shelf::Notice, 1)]);
    let only_home = device.store.count(Shelf::Document).await.unwrap();
    assert_eq!((only_home, device.store.count(Shelf::PhotoBytes).await.unwrap()), (1, 0));
}

/// Rows that lost the card, or everything that names them, are destroyed with the rest.
#[tokio::test]
async fn told_to_keep_nothing_a_device_destroys_also_what_no_card_and_no_document_names() {
    let server = Server::new();
    let (named, ..) = server.case(Role::Ot);
    let (cardless, other_home, _) = server.another_case(Role::Ot, 78);
    let (nameless, third_home, _) = server.another_case(Role::Ot, 79);
    let tablet = Tablet::new(&server, 27);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    for home in [other_home, third_home] {
        device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    }
    device.sync(&tablet.link()).await.unwrap();
    let mut write = rows::Writer::begin(&device.store).await.unwrap();
    for case in [cardless, nameless] {
        assert!(write.0.remove(Shelf::Card, case.as_bytes()).await.unwrap());
    }
    write.0.remove_group(Shelf::Document, nameless.as_bytes()).await.unwrap();
    write.commit().await.unwrap();
    server.state().revoked = true;
    let report = device.sync(&tablet.link()).await.unwrap();
    assert!(report.purged.contains(&named) && report.purged.contains(&cardless), "{report:?}");
    for shelf in [Shelf::Card, Shelf::Document, Shelf::Change, Shelf::Outbox, Shelf::Photo, Shelf::PhotoBytes] {
        assert_eq!(device.store.count(shelf).await.unwrap(), 0, "{shelf:?}");
    }
}
