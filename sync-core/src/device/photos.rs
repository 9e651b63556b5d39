//! Photos: prepared and sealed here, recorded in their document, fetched when somebody else's is looked at.

use std::path::PathBuf;

use serde::Serialize;

use super::cases::Found;
use super::edit::PhotoToKeep;
use super::error::DeviceError;
use super::facade::{Device, Event};
use super::link::{HttpRequest, Link, LinkError, Method};
use super::photo::{Limits, PhotoError, prepare};
use super::rows::{Backed, Bearer, Kept, PhotoRow, Purging, Writer, group, off_thread};
use super::store::Shelf;
use crate::domain::edit::Edit;
use crate::domain::record::{Body, Photo};
use crate::domain::vocabulary::Place;
use crate::domain::vocabulary::photo::{Angle, PhotoSubject, ScaleReference, ShareWith};
use crate::id::{CaseId, DocumentId, Hash, Key};
use crate::protocol::CaseCard;

/// Where a photo comes from.
#[derive(Debug, Clone)]
pub enum PhotoSource {
    /// A file.
    Path(PathBuf),
    /// The camera, or a picker.
    Bytes(Vec<u8>),
}

/// What is said of a photo when it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoInput {
    /// Where it was taken.
    pub place: Option<Place>,
    /// What it shows.
    pub subject: PhotoSubject,
    /// A caption; `None`: none yet.
    pub caption: Option<String>,
    /// Whether the person asked agreed.
    pub consent: bool,
    /// Whether a person can be seen.
    pub shows_person: bool,
    /// Who may be shown it besides those who read the document.
    pub share: Vec<ShareWith>,
    /// From where it was taken.
    pub angle: Option<Angle>,
    /// What in it tells its scale.
    pub scale: Option<ScaleReference>,
}

/// How safe a photo is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhotoState {
    /// Its document.
    pub document: DocumentId,
    /// Its hash.
    pub hash: Hash,
    /// Bytes.
    pub bytes: u32,
    /// Where it is.
    pub kept: Kept,
}

fn read(source: PhotoSource, limits: &Limits) -> Result<Vec<u8>, DeviceError> {
    use std::io::Read as _;
    match source {
        PhotoSource::Bytes(bytes) => Ok(bytes),
        PhotoSource::Path(path) => {
            let failed = |error| DeviceError::File { path: path.display().to_string(), error };
            let file = std::fs::File::open(&path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            let most = u64::try_from(limits.bytes).unwrap_or(u64::MAX);
            if length > most {
                let bytes = usize::try_from(length).unwrap_or(usize::MAX);
                return Err(PhotoError::TooLong { bytes, limit: limits.bytes }.into());
            }
            let mut bytes = Vec::new();
            file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
            Ok(bytes)
        }
    }
}

impl Device {
    /// Takes a photo (any JPEG or PNG) into a document: turned upright, shrunk, freed of metadata, sealed. The new
    /// record's key and the hash of the bytes as they are kept and sent.
    ///
    /// # Errors
    /// [`DeviceError::Photo`] when it is none, [`DeviceError::File`], otherwise as [`Device::edit`].
    pub async fn photo(
        &self,
        document: DocumentId,
        source: PhotoSource,
        input: PhotoInput,
    ) -> Result<(Key, Hash), DeviceError> {
        let limits = Limits::default();
        let prepared = off_thread(move || Ok(prepare(&read(source, &limits)?, &limits)?)).await?;
        let hash = prepared.hash;
        let PhotoInput { place, subject, caption, consent, shows_person, share, angle, scale } = input;
        let photo = Photo {
            hash,
            bytes: u32::try_from(prepared.bytes.len()).unwrap_or(u32::MAX),
            width: prepared.width,
            height: prepared.height,
            place,
            shows_person,
            consent,
            share,
            subject,
            angle,
            scale,
        };
        let keep = PhotoToKeep { hash, bytes: prepared.bytes };
        let made = self.change(document, Some(keep), move |_, next| {
            let mut edits = vec![Edit::Add(Body::Photo(photo))];
            edits.extend(caption.map(|text| Edit::Caption { photo: next, text }));
            Ok(edits)
        });
        let made = made.await?;
        self.tell(Event::Photo { document, hash });
        let key = made.keys.first().copied().ok_or(DeviceError::NoSuchPhoto(hash))?;
        Ok((key, hash))
    }

    /// The photos whose bytes are on this device for a document; none of one that is to be purged.
    ///
    /// # Errors
    /// [`DeviceError::LeaseOver`].
    pub async fn photos(&self, document: DocumentId) -> Result<Vec<PhotoState>, DeviceError> {
        let rows = self.reader().group::<PhotoRow>(Shelf::Photo, document.as_bytes(), 0).await?;
        if let Some((_, row)) = rows.first() {
            if self.reader().leaving().await?.holds(row.case, document) {
                return Ok(Vec::new());
            }
            self.lease_shows(row.case).await?;
        }
        let backed = self.reader().single::<Backed>().await?;
        let states = rows.into_iter().map(|(_, row)| {
            let PhotoRow { document, hash, bytes, kept, place, .. } = row;
            let kept = if kept == Kept::OnThisDevice { kept } else { Backed::how_safe(backed.as_ref(), place) };
            PhotoState { document, hash, bytes, kept }
        });
        Ok(states.collect())
    }

    /// A photo's bytes, a JPEG: from this device, or fetched from the server, checked against the hash and sealed here.
    /// With no `link` only what is here is given.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchPhoto`] when neither has it; [`DeviceError::Link`]; [`DeviceError::LeaseOver`].
    pub async fn photo_bytes(
        &self,
        link: Option<&Link>,
        document: DocumentId,
        hash: Hash,
    ) -> Result<Vec<u8>, DeviceError> {
        let case = self.case_of(document, hash).await?;
        self.lease_shows(case).await?;
        if let Some(bytes) = self.store.get(Shelf::PhotoBytes, &PhotoRow::key(document, hash)).await? {
            return Ok(bytes);
        }
        let link = link.ok_or(DeviceError::NoSuchPhoto(hash))?;
        let bytes = match self.get_photo(link, case, document, hash).await {
            // The bearer is good for minutes; a sync brings another.
            Err(DeviceError::Link(LinkError::Problem { status: 401, .. })) => {
                self.sync_for(link, true).await?;
                self.get_photo(link, case, document, hash).await
            }
            other => other,
        };
        let bytes = match bytes {
            Err(DeviceError::Link(LinkError::Problem { status: 404, .. })) => Err(DeviceError::NoSuchPhoto(hash)),
            other => other,
        }?;
        if Hash::of(&bytes) != hash {
            return Err(LinkError::Tampered.into());
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let row =
            PhotoRow { document, case, hash, bytes: length, kept: Kept::ServerHas, recorded_by: None, place: None };
        // No reply is applied meanwhile: one that came while the bytes did may have purged where they belong.
        let _edits = self.editing.lock().await;
        self.case_of(document, hash).await?;
        let mut write = Writer::begin(&self.store).await?;
        write.put_photo(&row).await?;
        write.put_photo_bytes(&row, &bytes).await?;
        write.commit().await?;
        self.tell(Event::Photo { document, hash });
        Ok(bytes)
    }

    async fn get_photo(
        &self,
        link: &Link,
        case: CaseId,
        document: DocumentId,
        hash: Hash,
    ) -> Result<Vec<u8>, DeviceError> {
        let bearer = match self.reader().single::<Bearer>().await? {
            Some(bearer) => bearer,
            None => {
                self.sync_for(link, true).await?;
                self.reader().single::<Bearer>().await?.ok_or(DeviceError::NoSuchPhoto(hash))?
            }
        };
        let url = self.photo_url(case, document, hash)?;
        let request =
            HttpRequest { method: Method::Get, url, content_type: None, bearer: Some(bearer.0), body: Vec::new() };
        Ok(link.send(request).await?.body)
    }

    pub(super) fn photo_url(&self, case: CaseId, document: DocumentId, hash: Hash) -> Result<String, DeviceError> {
        Ok(format!("{}/v1/photos/{case}/{document}/{hash}", self.enrolment()?.url))
    }

    /// The case of a photo whose document is here, or which a card shows.
    async fn case_of(&self, document: DocumentId, hash: Hash) -> Result<CaseId, DeviceError> {
        match self.find(document).await {
            Ok(Found { row, .. }) => Ok(row.case),
            Err(DeviceError::NoSuchDocument(_)) => {
                let leaving = self.reader().single::<Purging>().await?.unwrap_or_default();
                let cards = self.reader().group::<CaseCard>(Shelf::Card, group::CARDS, 0).await?;
                let mut cards = cards.into_iter().map(|(_, card)| card);
                let shows =
                    |card: &CaseCard| card.photos().contains(&(document, hash)) && !leaving.0.contains(&card.case);
                cards.find(shows).map(|card| card.case).ok_or(DeviceError::NoSuchPhoto(hash))
            }
            Err(other) => Err(other),
        }
    }
}
