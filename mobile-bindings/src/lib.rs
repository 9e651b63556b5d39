//! Grabrail's device for Kotlin, Swift and Python: newtypes over [`sync_core::device`], one line a method. Whatever
//! decides something is in the core; here ids are texts and errors are named by what an app can do about them.

mod device;
mod error;
mod record;

pub use device::GrabrailDevice;
pub use error::GrabrailError;
pub use record::{CaseSummary, DocumentLine, MethodOfMeasuring, OpenedDocument, ReadingLine, SyncSummary};

uniffi::setup_scaffolding!();
