//! The device's handle.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use sync_core::clock::{SystemChance, SystemClock};
use sync_core::device::{Device, Link, LinkOptions, MeasureInput, Replace, Unlock};
use sync_core::domain::vocabulary::{Measure, Method};

use crate::error::GrabrailError;
use crate::record::{CaseSummary, DocumentLine, MethodOfMeasuring, OpenedDocument, SyncSummary};

type Result<T> = std::result::Result<T, GrabrailError>;

fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T> {
    text.parse().map_err(GrabrailError::bad_input)
}

fn unlock(passphrase: String) -> Unlock {
    Unlock::Passphrase(passphrase.into())
}

/// A person's device: an encrypted store and the way to its server.
#[derive(Debug, uniffi::Object)]
pub struct GrabrailDevice {
    device: Device,
    link: Link,
}

impl GrabrailDevice {
    fn over(device: Device) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { device, link: Link::new(&LinkOptions::default())? }))
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl GrabrailDevice {
    /// Makes a store at `path`, locked by a passphrase.
    #[uniffi::constructor]
    pub async fn create(path: String, passphrase: String) -> Result<Arc<Self>> {
        let (clock, chance) = (Arc::new(SystemClock::new()), Box::new(SystemChance));
        Self::over(Device::create(Path::new(&path), &unlock(passphrase), clock, chance).await?)
    }

    /// Opens the store at `path` as it was left.
    #[uniffi::constructor]
    pub async fn open(path: String, passphrase: String) -> Result<Arc<Self>> {
        let (clock, chance) = (Arc::new(SystemClock::new()), Box::new(SystemChance));
        Self::over(Device::open(Path::new(&path), &unlock(passphrase), clock, chance).await?)
    }

    /// Makes this the device of whoever was given the enrolment text; `name` is what they call it.
    pub async fn enrol(&self, text: String, name: String) -> Result<()> {
        Ok(self.device.enrol(&self.link, &text, &name).await?)
    }

    /// The cases on the device.
    pub async fn cases(&self) -> Result<Vec<CaseSummary>> {
        Ok(self.device.cases().await?.into_iter().map(Into::into).collect())
    }

    /// The documents of a case.
    pub async fn documents(&self, case: String) -> Result<Vec<DocumentLine>> {
        Ok(self.device.documents(parse(&case)?).await?.into_iter().map(Into::into).collect())
    }

    /// Opens a document to read it.
    pub async fn open_document(&self, document: String) -> Result<OpenedDocument> {
        let document = parse(&document)?;
        Ok(OpenedDocument::of(document, &self.device.open_document(document).await?))
    }

    /// Records a measurement in the place of one's own earlier ones; its key.
    pub async fn measure(
        &self,
        document: String,
        place: String,
        measure: String,
        value: i32,
        method: MethodOfMeasuring,
    ) -> Result<String> {
        let (place, measure, method) = (parse(&place)?, parse::<Measure>(&measure)?, Method::from(method));
        let input = MeasureInput { place, measure, value, method, photos: Vec::new(), supersedes: Replace::Mine };
        Ok(self.device.measure(parse(&document)?, input).await?.to_string())
    }

    /// Hands in what waits and takes what is new.
    pub async fn sync(&self) -> Result<SyncSummary> {
        Ok(self.device.sync(&self.link).await?.into())
    }
}
