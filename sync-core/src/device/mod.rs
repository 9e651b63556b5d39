//! The device itself: the encrypted store and the preparation of photos. The only part of this crate that does IO.

pub mod photo;
pub mod seal;
pub mod store;
pub mod vault;

pub use store::{Shelf, Store, StoreError, Transaction};
pub use vault::{Unlock, Vault, VaultError};
