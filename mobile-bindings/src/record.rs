//! What crosses the edge: plain records of texts and numbers.

use sync_core::device::{DocumentSummary, Kept, SyncReport};
use sync_core::domain::record::Body;
use sync_core::domain::view::View;
use sync_core::domain::vocabulary::Method;
use sync_core::id::DocumentId;
use sync_core::protocol::CaseCard;

/// A case, as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaseSummary {
    /// Its id.
    pub case: String,
    /// The client's name.
    pub client: String,
    /// Where the home is.
    pub address: String,
}

impl From<CaseCard> for CaseSummary {
    fn from(card: CaseCard) -> Self {
        Self { case: card.case.to_string(), client: card.client.name, address: card.client.address }
    }
}

/// A document of a case, as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DocumentLine {
    /// Its id.
    pub document: String,
    /// Its kind: `home`, `clinical`, `restricted`, `prescription`, `survey` or `thread`.
    pub kind: String,
    /// What to call it in its case.
    pub name: String,
    /// Whether this person may write in it.
    pub writable: bool,
    /// How many of its changes the server has not receipted.
    pub unsent: u64,
    /// Whether the server has all of it that is here. False for an empty one.
    pub server_has: bool,
}

impl From<DocumentSummary> for DocumentLine {
    fn from(summary: DocumentSummary) -> Self {
        Self {
            document: summary.document.to_string(),
            kind: summary.kind.to_string(),
            name: summary.name,
            writable: summary.writable,
            unsent: summary.state.unsent as u64,
            server_has: summary.state.kept.is_some_and(|kept| kept != Kept::OnThisDevice),
        }
    }
}

/// How a measurement was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MethodOfMeasuring {
    /// With a tape or rule.
    Tape,
    /// With a laser measure.
    Laser,
    /// By eye or by hearsay.
    Estimate,
    /// Taken off a plan.
    Plan,
}

impl From<MethodOfMeasuring> for Method {
    fn from(method: MethodOfMeasuring) -> Self {
        match method {
            MethodOfMeasuring::Tape => Self::Tape,
            MethodOfMeasuring::Laser => Self::Laser,
            MethodOfMeasuring::Estimate => Self::Estimate,
            MethodOfMeasuring::Plan => Self::Plan,
        }
    }
}

impl From<Method> for MethodOfMeasuring {
    fn from(method: Method) -> Self {
        match method {
            Method::Tape => Self::Tape,
            Method::Laser => Self::Laser,
            Method::Estimate => Self::Estimate,
            Method::Plan => Self::Plan,
        }
    }
}

/// A measurement in a document.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReadingLine {
    /// Its key.
    pub key: String,
    /// Where: `bathroom-1/door-1`.
    pub place: String,
    /// What: `door-clear-width`.
    pub measure: String,
    /// The value in the measure's unit.
    pub value: i32,
    /// How.
    pub method: MethodOfMeasuring,
    /// Whether it still stands: neither struck nor superseded.
    pub current: bool,
}

/// A document, opened to be read.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OpenedDocument {
    /// Its id.
    pub document: String,
    /// Its kind.
    pub kind: String,
    /// The exact version, as change hashes.
    pub heads: Vec<String>,
    /// Every measurement in it, in the order of their keys.
    pub readings: Vec<ReadingLine>,
    /// How many clashes wait to be settled by a person.
    pub clashes: u64,
}

impl OpenedDocument {
    pub(crate) fn of(document: DocumentId, view: &View) -> Self {
        let readings = view.records.iter().filter_map(|(key, record)| match &record.body {
            Body::Reading(reading) => Some(ReadingLine {
                key: key.to_string(),
                place: reading.place.to_string(),
                measure: reading.measure.to_string(),
                value: reading.value,
                method: reading.method.into(),
                current: view.is_current(*key),
            }),
            _ => None,
        });
        Self {
            document: document.to_string(),
            kind: view.kind.to_string(),
            heads: view.heads.as_slice().iter().map(ToString::to_string).collect(),
            readings: readings.collect(),
            clashes: view.clashes().len() as u64,
        }
    }
}

/// What one sync did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncSummary {
    /// This device's changes that the server has receipted.
    pub receipted: u64,
    /// Documents of which it refused this device's changes.
    pub refused: Vec<String>,
    /// Cards that came.
    pub cards: u64,
    /// Changes by others that came.
    pub changes: u64,
    /// Requests, those for photos included.
    pub round_trips: u32,
}

impl From<SyncReport> for SyncSummary {
    fn from(report: SyncReport) -> Self {
        Self {
            receipted: report.receipted as u64,
            refused: report.refused.iter().map(ToString::to_string).collect(),
            cards: report.cards as u64,
            changes: report.changes as u64,
            round_trips: report.round_trips,
        }
    }
}
