//! The device itself: the encrypted store, the preparation of photos, the link, and the facade over them all that the
//! bindings and the terminal wrap. The only part of this crate that does IO.

mod apply;
mod asks;
mod cases;
mod edit;
mod enrol;
mod error;
mod facade;
mod findings;
mod heads;
mod lease;
pub mod link;
mod news;
mod open;
pub mod photo;
mod photos;
mod prescribe;
mod purge;
mod redo;
mod refused;
mod replay;
mod rows;
pub mod seal;
pub mod store;
mod sync;
#[cfg(test)]
mod tests;
mod to_do;
pub mod vault;

pub use self::asks::PendingAsk;
pub use self::cases::{DocumentState, DocumentSummary};
pub use self::edit::{MeasureInput, NoteInput, Replace};
pub use self::error::DeviceError;
pub use self::facade::{Device, Event, Status, Waiting};
pub use self::findings::{ClashReport, ClashValue, shown};
pub use self::lease::Lease;
pub use self::link::{Link, LinkError, LinkOptions, Transport};
pub use self::photos::{PhotoInput, PhotoSource, PhotoState};
pub use self::prescribe::DimensionInput;
pub use self::rows::{AskedRow, Kept, Notice, RefusedWork};
pub use self::sync::SyncReport;
pub use self::to_do::ToDo;
pub use store::{MemoryDisk, MemoryRow, Shelf, Store, StoreError, Transaction};
pub use vault::{Unlock, Vault, VaultError};
