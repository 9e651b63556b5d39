//! Photo bytes: taken in when a document names them, given to who may see them, never carrying metadata.

use sync_core::access::Action;
use sync_core::domain::signoff::State;
use sync_core::envelope::Signed;
use sync_core::guard::photos_named;
use sync_core::id::{DeviceId, Hash};
use sync_core::photo_bytes;
use sync_core::protocol::sync::{Receipts, SignedReceipts};

use crate::app::App;
use crate::asks::Reading;
use crate::cards::{self, CaseRows};
use crate::documents::Documents;
use crate::error::{Problem, ProblemKind};
use crate::reach::{Directory, Person, Reach};
use crate::storage::audit::By;
use crate::storage::blobs::BlobName;
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::{CommitError, Ledger, Number, PhotoRow, Plan, PrescriptionRow, Write};

/// The longest side of a photo as devices prepare it, with room for a setting.
const MOST_SIDE: u32 = 8_192;
/// How often the arrival of a photo is written anew because a prescription that waits for it moved.
const TRIES: usize = 8;

fn nothing_here() -> Problem {
    Problem::new(ProblemKind::NotFound, "There is no such photo here, or it is not yours to see.")
}

fn refused(detail: &str) -> Problem {
    Problem::new(ProblemKind::PhotoRefused, detail)
}

/// Takes a photo in: one that the document names, by someone who may write in it. Twice is once.
///
/// # Errors
/// `not-found`, `photo-refused`, `disk-full`; nothing is kept then.
pub async fn take(
    app: &App,
    (person, device): (&Person, DeviceId),
    name: BlobName,
    bytes: Vec<u8>,
) -> Result<SignedReceipts, Problem> {
    let ledger = app.storage.ledger();
    let now = app.clock.now();
    let by = By { at: now, account: Some(person.account), device: Some(device) };
    let row = ledger.document(name.document).await?.filter(|row| row.case == name.case).ok_or_else(nothing_here)?;
    let reach = Reach::read(&ledger, person, name.case, now).await?;
    if !reach.may(&row, Action::Write) {
        return Err(nothing_here());
    }
    if !app.documents.look(&ledger, &row, move |document| photos_named(&document.read()).contains(&name.hash)).await? {
        return Err(nothing_here());
    }
    let n = if ledger.photo(name.document, name.hash).await?.is_some() {
        ledger.end().await?
    } else {
        if Hash::of(&bytes) != name.hash {
            return Err(refused("The bytes aren't those that the hash names. Send the photo again."));
        }
        check(&bytes)?;
        let size = i64::try_from(bytes.len()).map_err(Problem::internal)?;
        let key = app.storage.vault().case_key(name.case).await?;
        app.storage.blobs().put(&key, name, bytes).await?;
        let photo = PhotoRow {
            case: name.case,
            document: name.document,
            hash: name.hash,
            bytes: size,
            account: person.account,
            at: now,
        };
        arrived((&ledger, &app.documents), by, photo).await?
    };
    let mut receipts = Receipts::new(app.keys.server(), app.keys.epoch().await?, now);
    receipts.n = Some(n);
    receipts.photos.push((name.document, name.hash));
    let signer = app.keys.signer(KeyPurpose::Reply).await?;
    let signature = Signed(signer.sign(&receipts.to_bytes()));
    Ok(SignedReceipts { receipts, key: signer.key.id, signature })
}

/// What devices prepare and nothing else: a JPEG, bounded, without metadata.
fn check(bytes: &[u8]) -> Result<(), Problem> {
    let Some((width, height)) = photo_bytes::jpeg_dimensions(bytes) else {
        return Err(refused("Photos are sent as JPEG, as the app prepares them."));
    };
    if width > MOST_SIDE || height > MOST_SIDE {
        return Err(refused("The photo has more pixels than the app lets through: prepare it on the device."));
    }
    if photo_bytes::carries_metadata(bytes) {
        return Err(refused(
            "The photo carries metadata, which may tell where someone lives. Prepare it on the device.",
        ));
    }
    Ok(())
}

/// Writes that a photo is here, and lets prescriptions that waited for it through. Where in the ledger that is.
async fn arrived<L: Ledger>((ledger, read): (&L, &Documents), by: By, photo: PhotoRow) -> Result<Number, Problem> {
    for _ in 0..TRIES {
        let mut writes = vec![Write::Photo(photo)];
        // Each row, changed or not: a submission that is being decided at this moment and found the photo missing has
        // to look again.
        for row in ledger.prescriptions_of(&[photo.case]).await? {
            let state = row.state.clone().photos_missing(missing((ledger, read), &row, photo).await?);
            writes.push(Write::Prescription(PrescriptionRow { state, ..row }));
        }
        match ledger.commit(Plan { by, writes }).await {
            Ok(n) => return Ok(n),
            Err(CommitError::Moved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CommitError::Moved.into())
}

/// The photos that a prescription awaits once this one is here. The same bytes may be wanted in another document too,
/// where they would be another photo.
async fn missing<L: Ledger>(
    (ledger, read): (&L, &Documents),
    row: &PrescriptionRow,
    photo: PhotoRow,
) -> Result<Vec<Hash>, Problem> {
    let State::AwaitingPhotos { heads, missing } = &row.state else { return Ok(Vec::new()) };
    if !missing.contains(&photo.hash) {
        return Ok(missing.clone());
    }
    let document = ledger.document(row.document).await?.ok_or_else(nothing_here)?;
    let mut reading = Reading::new(read.clone());
    let Some(then) = reading.judged(ledger, &document, heads).await? else { return Ok(missing.clone()) };
    let mut still = Vec::new();
    for (document, hash) in then.photos.iter().copied() {
        if (document, hash) != (photo.document, photo.hash) && ledger.photo(document, hash).await?.is_none() {
            still.push(hash);
        }
    }
    Ok(still)
}

/// Gives a photo's bytes to someone who may read its document, or is shown it in a released home or a signed
/// specification.
///
/// # Errors
/// `not-found`, whether it is unknown or not theirs to see.
pub async fn give(
    app: &App,
    directory: &Directory,
    person: &Person,
    BlobName { case, document, hash }: BlobName,
) -> Result<Vec<u8>, Problem> {
    let ledger = app.storage.ledger();
    let now = app.clock.now();
    let photo = ledger.photo(document, hash).await?.filter(|photo| photo.case == case).ok_or_else(nothing_here)?;
    let rows = CaseRows::read(&ledger, case).await?.ok_or_else(nothing_here)?;
    let row = rows.documents.iter().find(|row| row.document == document).ok_or_else(nothing_here)?;
    let reach = Reach::of(person, rows.relations.clone(), now);
    if !reach.may(row, Action::Read) {
        let card =
            cards::card((&ledger, &app.documents), directory, &rows, person, now).await?.ok_or_else(nothing_here)?;
        if !card.photos().contains(&(document, hash)) {
            return Err(nothing_here());
        }
    }
    let key = app.storage.vault().case_key(case).await?;
    let most = usize::try_from(photo.bytes).map_err(Problem::internal)?;
    app.storage.blobs().get(&key, BlobName { case, document, hash }, most).await?.ok_or_else(nothing_here)
}
