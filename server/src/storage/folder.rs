//! The data folder: private to the account the server runs as, and served by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StorageError;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// One Welfare Authority's folder: mode 0700, everything in it 0600.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

/// Held by the process that serves the folder; others may administer it meanwhile.
#[derive(Debug)]
pub struct ServeLock(#[allow(dead_code, reason = "held, never read: closing it lets go of the lock")] File);

impl DataFolder {
    /// Opens the folder, making it if it isn't there.
    ///
    /// # Errors
    /// [`StorageError::TooOpen`] when others may read it; [`StorageError::Io`] when it can't be made.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        make_folder(path)?;
        let folder = Self(path.to_owned());
        for name in [DATABASE, CASE_KEYS, DATA_KEY] {
            for suffix in ["", "-wal", "-shm"] {
                let file = folder.0.join(format!("{name}{suffix}"));
                if file.exists() {
                    check_mode(&file, FILE_MODE)?;
                }
            }
        }
        Ok(folder)
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file `name` of the folder, made empty and private if it isn't there: SQLite would make it readable by all.
    pub(super) fn private_file(&self, name: &str) -> Result<PathBuf, StorageError> {
        let path = self.0.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
            Ok(_) => sync_folder(&self.0)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_mode(&path, FILE_MODE)?,
            Err(error) => return Err(StorageError::io(&path, error)),
        }
        Ok(path)
    }

    /// A folder inside, made if it isn't there.
    pub(super) fn subfolder(&self, name: &str) -> Result<PathBuf, StorageError> {
        let path = self.0.join(name);
        make_folder(&path)?;
        Ok(path)
    }

    /// Takes the right to serve this folder.
    ///
    /// # Errors
    /// [`StorageError::Served`] when another process has it.
    pub fn lock(&self) -> Result<ServeLock, StorageError> {
        let path = self.private_file(LOCK)?;
        let file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(|error| StorageError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(ServeLock(file)),
            Err(TryLockError::WouldBlock) => Err(StorageError::Served(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(StorageError::io(&path, error)),
        }
    }

    /// Writes a few bytes, syncs and removes them: whether the disk takes writes now.
    ///
    /// # Errors
    /// [`StorageError::DiskFull`] or [`StorageError::Io`].
    pub fn probe(&self) -> Result<(), StorageError> {
        let path = self.0.join(PROBE);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&path)?;
            file.write_all(&[0; 4096])?;
            file.sync_all()
        };
        let written = write().map_err(|error| StorageError::io(&path, error));
        // Another probe at the same time removed it first.
        let removed = std::fs::remove_file(&path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(StorageError::io(&path, error)),
        });
        written.and(removed)
    }
}

/// Accounts, cases, documents, everything in rows.
pub(super) const DATABASE: &str = "grabrail.sqlite";
/// The cases' keys, apart, so that destroying one erases its case from every backup of the rest.
pub(super) const CASE_KEYS: &str = "keys.sqlite";
/// The key that wraps all the others.
pub(super) const DATA_KEY: &str = "data.key";
const LOCK: &str = "serve.lock";
const PROBE: &str = ".probe";

/// Makes `path` and its missing parents; what is made is private, what is there must be.
pub(super) fn make_folder(path: &Path) -> Result<(), StorageError> {
    if !path.exists() {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
        made.map_err(|error| StorageError::io(path, error))?;
    }
    check_mode(path, FOLDER_MODE)
}

/// Makes what the folder lists as durable as what its files hold.
pub(super) fn sync_folder(path: &Path) -> Result<(), StorageError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| StorageError::io(path, error))
}

fn check_mode(path: &Path, mode: u32) -> Result<(), StorageError> {
    let found = std::fs::metadata(path).map_err(|error| StorageError::io(path, error))?.mode() & 0o777;
    if found & !mode == 0 { Ok(()) } else { Err(StorageError::TooOpen { path: path.to_owned(), found, wanted: mode }) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_made_is_private_and_what_others_may_read_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let folder = DataFolder::open(&path).unwrap();
        let file = folder.private_file(DATABASE).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        folder.probe().unwrap();
        assert!(!path.join(PROBE).exists());

        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = DataFolder::open(&path).unwrap_err();
        assert!(matches!(refused, StorageError::TooOpen { found: 0o644, wanted: 0o600, .. }));
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
        assert!(matches!(DataFolder::open(&path), Err(StorageError::TooOpen { found: 0o750, .. })));
    }

    #[test]
    fn a_folder_is_served_by_one_process_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&temp.path().join("data")).unwrap();
        let held = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(StorageError::Served(_))));
        drop(held);
        folder.lock().unwrap();
    }
}
