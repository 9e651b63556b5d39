use std::path::PathBuf;

use crate::device::seal::SealError;
use crate::device::vault::VaultError;

/// SQLite's code for a write that the system refused for another reason than a full disk.
const WRITE_FAILED: i32 = 778;

/// Why a store could not be made, opened, read or written. Whatever is said here, nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is intact, and this passphrase or keystore does not open it.
    #[error("the store does not open with this key")]
    WrongKey,
    /// Another process, or another handle of this one, has the store open.
    #[error("the store is in use by another process or handle")]
    InUse,
    /// The disk has no room; the transaction was rolled back and what was there before is intact.
    #[error("the disk is full: nothing of this was saved")]
    DiskFull,
    /// The file is damaged, or is no store.
    #[error("the store is damaged{}", set_aside.as_ref().map_or(String::new(), |at| format!(" and was set aside as {}", at.display())))]
    Corrupt {
        /// Where opening moved it, with its write-ahead log beside it; `None` when a single value did not unseal in
        /// an open store, or when the move failed and the file is where it was.
        set_aside: Option<PathBuf>,
    },
    /// A newer version of this program made the file, or changed it.
    #[error("the store has format {found}; this version knows up to {known}")]
    Newer {
        /// The file's format.
        found: i64,
        /// The newest format this version knows.
        known: i64,
    },
    /// There is no store at this path.
    #[error("there is no store here")]
    Missing,
    /// There is a file at this path already.
    #[error("there is already a file where the store would be made")]
    AlreadyExists,
    /// The file can't be written or can't grow, and not for a full disk: a quota, a bound on files, a failing disk. The
    /// transaction was rolled back and what was there before is intact.
    #[error("the store's file can't be written (is there a quota, or is the disk failing?): nothing of this was saved")]
    CantWrite,
    /// A value over [`crate::device::seal::MAX_VALUE`].
    #[error("a value of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The size of the value.
        bytes: usize,
        /// The most a value may have.
        limit: usize,
    },
    /// Something earlier in this transaction failed or was cancelled, so none of it is kept.
    #[error("something earlier in this transaction failed: none of it was saved")]
    Ended,
    /// SQLite did not take a setting that the store's promises rest on.
    #[error("the store's file does not take the setting {setting}")]
    NotDurable {
        /// The setting, as SQLite names it.
        setting: &'static str,
    },
    /// The file system refused.
    #[error("the store's file: {0}")]
    Io(#[from] std::io::Error),
    /// The platform's keystore did not wrap or unwrap the key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Anything else that SQLite reports.
    #[error("the store's database: {0}")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    /// Damage found while reading.
    pub(in crate::device) const fn corrupt() -> Self {
        Self::Corrupt { set_aside: None }
    }

    /// SQLite's primary result code, when this is one of its errors.
    pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
        // The higher bytes of an extended code say only where it arose.
        Self::extended_code(error).map(|code| code & 0xff)
    }

    fn extended_code(error: &sqlx::Error) -> Option<i32> {
        error.as_database_error()?.code()?.parse().ok()
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if Self::extended_code(&error) == Some(WRITE_FAILED) {
            return Self::CantWrite;
        }
        match (Self::sqlite_code(&error), error) {
            (Some(5), _) => Self::InUse,
            (Some(13), _) => Self::DiskFull,
            (Some(11 | 26), _) => Self::corrupt(),
            // A column of another type than the schema's.
            (_, sqlx::Error::ColumnDecode { .. }) => Self::corrupt(),
            (_, sqlx::Error::Io(error)) => Self::Io(error),
            (_, error) => Self::Sql(error),
        }
    }
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge { bytes } => Self::TooLarge { bytes, limit: crate::device::seal::MAX_VALUE },
            SealError::UnknownForm | SealError::DoesNotFit => Self::corrupt(),
        }
    }
}
