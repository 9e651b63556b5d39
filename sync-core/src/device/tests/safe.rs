//! The three honest states: on this device, the server has it, backed up off that machine.

use super::*;
use crate::id::Hash;
use crate::protocol::Backup;

/// A device that hears of a home only what it asks for: what it wrote is no news to it.
async fn with_a_home(seed: u64) -> (Server, Tablet, Device, DocumentId) {
    let server = Server::new();
    let (_, home, _) = server.case(Role::Ot);
    server.state().silent = vec![home];
    let tablet = Tablet::new(&server, seed);
    let device = tablet.enrolled().await;
    device.sync(&tablet.link()).await.unwrap();
    (server, tablet, device, home)
}

async fn kept(device: &Device, document: DocumentId) -> Option<Kept> {
    device.state(document).await.unwrap().kept
}

/// The server tells of a backup up to there, and the device hears of it.
async fn hears(tablet: &Tablet, device: &Device, n: i64) {
    tablet.server.state().backup = Some(Backup { n, digest: Hash::of(b"the backup") });
    device.sync(&tablet.link()).await.unwrap();
    tablet.server.state().backup = None;
}

#[tokio::test]
async fn backed_up_is_said_only_of_what_a_backup_reaches_and_an_edit_takes_it_back() {
    let (server, tablet, device, home) = with_a_home(70).await;
    assert_eq!(kept(&device, home).await, None);
    device.measure(home, door(712)).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::OnThisDevice));
    device.sync(&tablet.link()).await.unwrap();
    let receipted = server.state().end();
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas));
    hears(&tablet, &device, receipted - 1).await;
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas), "a backup that was made before it");
    hears(&tablet, &device, receipted).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));

    // It stays so with nothing new and after a restart, and goes back with the next word.
    device.sync(&tablet.link()).await.unwrap();
    let device = tablet.reopened(device).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));
    device.measure(home, door(713)).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::OnThisDevice));
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas));
    let end = server.state().end();
    hears(&tablet, &device, end).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));
}

#[tokio::test]
async fn what_others_wrote_is_backed_up_only_by_a_backup_behind_what_brought_it() {
    let (server, tablet, device, home) = with_a_home(71).await;
    let other = Tablet::new(&server, 72);
    let ben = other.enrolled().await;
    device.measure(home, door(712)).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let end = server.state().end();
    hears(&tablet, &device, end).await;
    ben.sync(&other.link()).await.unwrap();
    ben.measure(home, door(730)).await.unwrap();
    ben.sync(&other.link()).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp), "it has not heard of what Ben wrote");
    server.state().silent.clear();
    assert_eq!(device.sync(&tablet.link()).await.unwrap().changes, 1);
    server.state().silent = vec![home];
    let came = server.state().end();
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas));
    hears(&tablet, &device, came).await;
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas), "some of what comes is read a moment later");
    hears(&tablet, &device, came + 1).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));
}

#[tokio::test]
async fn after_a_restore_nothing_is_backed_up_until_it_is_said_of_the_new_life() {
    let (server, tablet, device, home) = with_a_home(73).await;
    device.measure(home, door(712)).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let end = server.state().end();
    hears(&tablet, &device, end).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));
    server.state().restored = 1;
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas));
    hears(&tablet, &device, end + 1000).await;
    assert_eq!(kept(&device, home).await, Some(Kept::ServerHas), "a place of one life says nothing of another's");
    device.measure(home, door(713)).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp), "that backup reaches far");
}

#[tokio::test]
async fn a_photo_is_backed_up_from_its_own_receipt_on() {
    let (server, tablet, device, home) = with_a_home(74).await;
    device.photo(home, PhotoSource::Bytes(jpeg()), photo()).await.unwrap();
    let photo = async || device.photos(home).await.unwrap()[0].kept;
    assert_eq!(device.sync(&tablet.link()).await.unwrap().photos_sent, 1);
    // Its bytes arrived behind the record of it.
    let recorded = server.state().end();
    hears(&tablet, &device, recorded).await;
    assert_eq!((kept(&device, home).await, photo().await), (Some(Kept::BackedUp), Kept::ServerHas));
    hears(&tablet, &device, recorded + 1).await;
    assert_eq!(photo().await, Kept::BackedUp);
    assert_eq!(device.status().await.unwrap().waiting.photos, 0);
    assert_eq!(device.sync(&tablet.link()).await.unwrap().photos_sent, 0, "and is not sent again");
}

#[tokio::test]
async fn a_receipt_that_comes_while_it_is_asked_how_safe_a_document_is_makes_nobody_say_backed_up_too_early() {
    let (server, tablet, device, home) = with_a_home(75).await;
    device.measure(home, door(712)).await.unwrap();
    device.sync(&tablet.link()).await.unwrap();
    let end = server.state().end();
    hears(&tablet, &device, end).await;
    assert_eq!(kept(&device, home).await, Some(Kept::BackedUp));
    let case = device.cases().await.unwrap()[0].case;
    let listed = async || {
        let documents = device.documents(case).await.unwrap();
        documents.into_iter().find(|listed| listed.document == home).unwrap().state.kept
    };
    let backed_up = device.reader().document(home).await.unwrap().unwrap().place;
    for reads in 0..10 {
        let mut write = rows::Writer::begin(&device.store).await.unwrap();
        let row = write.document(home).await.unwrap().unwrap();
        write.put_document(&rows::DocumentRow { place: backed_up, ..row }).await.unwrap();
        write.commit().await.unwrap();
        device.measure(home, door(713)).await.unwrap();
        // As a reply is applied: the place and the outbox change together, so many reads of others later.
        let receipt = async {
            for _ in 0..reads {
                device.reader().document(home).await.unwrap();
            }
            let mut write = rows::Writer::begin(&device.store).await.unwrap();
            let row = write.document(home).await.unwrap().unwrap();
            let place = row.place.map(|place| crate::protocol::Place { n: place.n + 100, ..place });
            write.put_document(&rows::DocumentRow { place, ..row }).await.unwrap();
            write.0.remove_group(Shelf::Outbox, home.as_bytes()).await.unwrap();
            write.commit().await.unwrap();
        };
        // Whoever waits for the store gets it in turn.
        let held = rows::Writer::begin(&device.store).await.unwrap();
        let (said, shown, (), ()) = tokio::join!(kept(&device, home), listed(), receipt, async { drop(held) });
        for said in [said, shown] {
            assert!(matches!(said, Some(Kept::OnThisDevice | Kept::ServerHas)), "{reads}: {said:?}");
        }
    }
}
