//! Photos' bytes on disk, sealed in ranges with their case's key.
//!
//! `photos/<case>/<name>`, the name a hash of (case, document, photo), so that all of a case is found by its id and
//! nothing else is told. A file is `1 | length 8 | prefix 19`, then each 64 KiB of the photo as
//! XChaCha20-Poly1305 under the nonce `prefix | index 4 | last 1`. The associated data is the head, the case, the
//! document and the photo's hash: a range altered, moved, swapped or left out doesn't open.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use sync_core::id::{CaseId, DocumentId, Hash};

use super::seal::{CaseKey, SealError};
use super::{StorageError, blocking, folder};
use crate::chance::SharedChance;

const VERSION: u8 = 1;
const PREFIX: usize = 19;
const HEAD: usize = 1 + 8 + PREFIX;
const TAG: usize = 16;
/// How many bytes of a photo are sealed together.
pub const RANGE: usize = 64 * 1024;

/// Which photo's bytes: the same bytes in two documents are two blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobName {
    /// The case they belong to.
    pub case: CaseId,
    /// The document that cites them.
    pub document: DocumentId,
    /// SHA-256 of the bytes.
    pub hash: Hash,
}

/// Why bytes weren't kept or given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The bytes aren't those the hash names.
    #[error("the bytes have the hash {found}, not {named}")]
    OtherBytes {
        /// What they were said to be.
        named: Hash,
        /// What they are.
        found: Hash,
    },
    /// What was written doesn't read back.
    #[error("the photo could not be read back as it was written; the disk may be failing")]
    NotReadBack,
    /// The key is of another case.
    #[error("a photo is only sealed with its own case's key")]
    OtherCase,
    /// The disk is full, or another thing storage says.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<SealError> for BlobError {
    fn from(error: SealError) -> Self {
        Self::Storage(error.into())
    }
}

/// The extension of a file that is still being written.
const DRAFT: &str = "new";

/// The folder of photos.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
    chance: SharedChance,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf, chance: SharedChance) -> Self {
        Self { folder, chance }
    }

    fn case_folder(&self, case: CaseId) -> PathBuf {
        self.folder.join(case.to_string())
    }

    fn path(&self, name: BlobName) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(b"grabrail photo file 1\0");
        hasher.update(name.aad());
        self.case_folder(name.case).join(HEXLOWER.encode(&hasher.finalize()))
    }

    /// Keeps `bytes` under `name`, sealed with `key`. When it returns they are on the disk and have been read back
    /// and opened. Keeping the same photo twice is no error.
    ///
    /// # Errors
    /// [`BlobError::OtherBytes`] when they aren't what the name says, [`StorageError::DiskFull`]; nothing is kept then.
    pub async fn put(&self, key: &CaseKey, name: BlobName, bytes: Vec<u8>) -> Result<(), BlobError> {
        let (this, key) = (self.clone(), key.clone());
        flat(blocking(move || Ok(this.put_now(&key, name, &bytes))).await)
    }

    fn put_now(&self, key: &CaseKey, name: BlobName, bytes: &[u8]) -> Result<(), BlobError> {
        let found = Hash::of(bytes);
        if found != name.hash {
            return Err(BlobError::OtherBytes { named: name.hash, found });
        }
        if key.case() != name.case {
            return Err(BlobError::OtherCase);
        }
        let path = self.path(name);
        let case_folder = self.case_folder(name.case);
        if matches!(read_all(&path, key, name, bytes.len()), Ok(Some(kept)) if kept == bytes) {
            // It may be another upload's of this moment, whose folders are not synced yet.
            folder::sync_folder(&case_folder)?;
            return Ok(folder::sync_folder(&self.folder)?);
        }
        if !case_folder.exists() {
            folder::make_folder(&case_folder)?;
        }
        folder::sync_folder(&self.folder)?;
        // A name of its own: two uploads of one photo don't write into each other.
        let draft = path.with_extension(format!("{}.{DRAFT}", HEXLOWER.encode(&self.chance.bytes::<8>())));
        let kept = self.write(&draft, key, name, bytes).and_then(|()| {
            match read_all(&draft, key, name, bytes.len())? {
                Some(kept) if Hash::of(&kept) == name.hash => {}
                _ => return Err(BlobError::NotReadBack),
            }
            std::fs::rename(&draft, &path).map_err(|error| StorageError::io(&path, error))?;
            Ok(folder::sync_folder(&case_folder)?)
        });
        if kept.is_err() {
            // Best effort: a draft left behind is never read, and swept when the folder is served again.
            let _ = std::fs::remove_file(&draft);
        }
        kept
    }

    fn write(&self, path: &Path, key: &CaseKey, name: BlobName, bytes: &[u8]) -> Result<(), BlobError> {
        let head = Head { length: bytes.len() as u64, prefix: self.chance.bytes() };
        let (cipher, aad) = (key.cipher(), head.aad(name));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&head.to_bytes())?;
            for index in 0..head.ranges() {
                let start = usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(RANGE);
                let plain = &bytes[start..bytes.len().min(start + RANGE)];
                let sealed = cipher.encrypt(&head.nonce(index), Payload { msg: plain, aad: &aad });
                file.write_all(&sealed.map_err(|_| io::ErrorKind::InvalidInput)?)?;
            }
            file.sync_all()
        };
        Ok(write().map_err(|error| StorageError::io(path, error))?)
    }

    /// Removes the drafts that a process left when it was killed; only for whoever holds the folder's lock. How many.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub(super) async fn sweep(&self) -> Result<usize, StorageError> {
        let folder = self.folder.clone();
        blocking(move || {
            let failed = |path: &Path| {
                let path = path.to_owned();
                move |error| StorageError::io(&path, error)
            };
            let mut swept = 0;
            for case in std::fs::read_dir(&folder).map_err(failed(&folder))? {
                let case = case.map_err(failed(&folder))?.path();
                // A name of a case, or nothing of ours: `lost+found` where the photos have a volume of their own.
                let ours =
                    case.file_name().and_then(|name| name.to_str()).is_some_and(|name| CaseId::from_str(name).is_ok());
                if !ours || !case.is_dir() {
                    continue;
                }
                for file in std::fs::read_dir(&case).map_err(failed(&case))? {
                    let file = file.map_err(failed(&case))?.path();
                    if file.extension().is_some_and(|extension| extension == DRAFT) {
                        std::fs::remove_file(&file).map_err(failed(&file))?;
                        swept += 1;
                    }
                }
            }
            Ok(swept)
        })
        .await
    }

    /// The whole photo, if it is kept.
    ///
    /// # Errors
    /// [`SealError::NotHere`] when it was altered, [`SealError::TooLarge`] when it is more than `cap` bytes.
    pub async fn get(&self, key: &CaseKey, name: BlobName, cap: usize) -> Result<Option<Vec<u8>>, BlobError> {
        let (path, key) = (self.path(name), key.clone());
        flat(blocking(move || Ok(read_all(&path, &key, name, cap))).await)
    }

    /// At most `length` bytes of the photo from `start`, and how long it is whole; `None` when it isn't kept. What
    /// lies beyond the end is left out.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn get_range(
        &self,
        key: &CaseKey,
        name: BlobName,
        start: u64,
        length: usize,
    ) -> Result<Option<(Vec<u8>, u64)>, BlobError> {
        let (path, key) = (self.path(name), key.clone());
        flat(blocking(move || Ok(read_range(&path, &key, name, start, length))).await)
    }

    /// Whether the photo is kept, by its file alone.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub async fn has(&self, name: BlobName) -> Result<bool, BlobError> {
        let path = self.path(name);
        Ok(blocking(move || path.try_exists().map_err(|error| StorageError::io(&path, error))).await?)
    }

    /// Forgets the photo; forgetting it twice is no error.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub async fn remove(&self, name: BlobName) -> Result<(), BlobError> {
        let (path, case_folder) = (self.path(name), self.case_folder(name.case));
        Ok(blocking(move || match std::fs::remove_file(&path) {
            Ok(()) => folder::sync_folder(&case_folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StorageError::io(&path, error)),
        })
        .await?)
    }
}

fn flat<T>(result: Result<Result<T, BlobError>, StorageError>) -> Result<T, BlobError> {
    result.map_err(BlobError::Storage).and_then(|inner| inner)
}

impl BlobName {
    fn aad(self) -> Vec<u8> {
        let mut aad = b"grabrail sealed photo 1\0".to_vec();
        aad.extend_from_slice(self.case.as_bytes());
        aad.extend_from_slice(self.document.as_bytes());
        aad.extend_from_slice(self.hash.as_bytes());
        aad
    }
}

struct Head {
    length: u64,
    prefix: [u8; PREFIX],
}

impl Head {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.length.to_be_bytes());
        bytes.extend_from_slice(&self.prefix);
        bytes
    }

    fn read(file: &mut impl Read) -> Result<Self, HeadError> {
        let mut bytes = [0; HEAD];
        file.read_exact(&mut bytes)?;
        if bytes[0] != VERSION {
            return Err(HeadError::Format(bytes[0]));
        }
        let (mut length, mut prefix) = ([0; 8], [0; PREFIX]);
        length.copy_from_slice(&bytes[1..9]);
        prefix.copy_from_slice(&bytes[9..]);
        Ok(Self { length: u64::from_be_bytes(length), prefix })
    }

    fn aad(&self, name: BlobName) -> Vec<u8> {
        let mut aad = name.aad();
        aad.extend_from_slice(&self.to_bytes());
        aad
    }

    /// How many ranges there are; an empty photo has one, so that even it is sealed.
    fn ranges(&self) -> u64 {
        self.length.div_ceil(RANGE as u64).max(1)
    }

    fn nonce(&self, index: u64) -> XNonce {
        let mut nonce = [0; PREFIX + 5];
        nonce[..PREFIX].copy_from_slice(&self.prefix);
        // A file of 2^32 ranges would be 256 TiB.
        nonce[PREFIX..PREFIX + 4].copy_from_slice(&index.to_be_bytes()[4..]);
        nonce[PREFIX + 4] = u8::from(index + 1 == self.ranges());
        nonce.into()
    }
}

enum HeadError {
    Io(io::Error),
    Format(u8),
}

impl From<io::Error> for HeadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn short_or(path: &Path, error: io::Error) -> BlobError {
    match error.kind() {
        // Cut short: as good as altered.
        io::ErrorKind::UnexpectedEof => SealError::NotHere.into(),
        _ => StorageError::io(path, error).into(),
    }
}

fn open(path: &Path) -> Result<Option<(File, Head)>, BlobError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io(path, error).into()),
    };
    match Head::read(&mut file) {
        Ok(head) => Ok(Some((file, head))),
        Err(HeadError::Format(found)) => Err(SealError::Format(found).into()),
        Err(HeadError::Io(error)) => Err(short_or(path, error)),
    }
}

fn read_all(path: &Path, key: &CaseKey, name: BlobName, cap: usize) -> Result<Option<Vec<u8>>, BlobError> {
    let Some((mut file, head)) = open(path)? else { return Ok(None) };
    if head.length > cap as u64 {
        return Err(SealError::TooLarge(cap).into());
    }
    let bytes = read_ranges(path, &mut file, &head, key, name, 0, head.ranges())?;
    let mut rest = [0; 1];
    match file.read(&mut rest) {
        Ok(0) => Ok(Some(bytes)),
        Ok(_) => Err(SealError::NotHere.into()),
        Err(error) => Err(short_or(path, error)),
    }
}

fn read_range(
    path: &Path,
    key: &CaseKey,
    name: BlobName,
    start: u64,
    length: usize,
) -> Result<Option<(Vec<u8>, u64)>, BlobError> {
    let Some((mut file, head)) = open(path)? else { return Ok(None) };
    let end = start.saturating_add(length as u64).min(head.length);
    let (first, last) = if start < end {
        (start / RANGE as u64, end.div_ceil(RANGE as u64))
    } else {
        // Nothing of it is asked for, yet its length is only true if its last range opens.
        (head.ranges() - 1, head.ranges())
    };
    let at = first.saturating_mul((RANGE + TAG) as u64).saturating_add(HEAD as u64);
    file.seek(SeekFrom::Start(at)).map_err(|error| short_or(path, error))?;
    let mut bytes = read_ranges(path, &mut file, &head, key, name, first, last)?;
    if start >= end {
        return Ok(Some((Vec::new(), head.length)));
    }
    let skip = usize::try_from(start % RANGE as u64).unwrap_or_default();
    bytes.truncate(skip + usize::try_from(end - start).unwrap_or(usize::MAX));
    bytes.drain(..skip);
    Ok(Some((bytes, head.length)))
}

/// Opens the ranges `first..last` from where the file stands.
fn read_ranges(
    path: &Path,
    file: &mut File,
    head: &Head,
    key: &CaseKey,
    name: BlobName,
    first: u64,
    last: u64,
) -> Result<Vec<u8>, BlobError> {
    let (cipher, aad): (XChaCha20Poly1305, _) = (key.cipher(), head.aad(name));
    let mut bytes = Vec::new();
    let mut sealed = Vec::with_capacity(RANGE + TAG);
    for index in first..last {
        let plain = head.length.saturating_sub(index.saturating_mul(RANGE as u64)).min(RANGE as u64);
        let wanted = plain + TAG as u64;
        sealed.clear();
        file.take(wanted).read_to_end(&mut sealed).map_err(|error| short_or(path, error))?;
        if sealed.len() as u64 != wanted {
            return Err(SealError::NotHere.into());
        }
        let opened = cipher.decrypt(&head.nonce(index), Payload { msg: &sealed, aad: &aad });
        bytes.extend_from_slice(&opened.map_err(|_| SealError::NotHere)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use sync_core::clock::Seeded;

    use super::*;
    use crate::storage::Storage;
    use crate::testing::Bench;

    const CASE: CaseId = CaseId::from_bytes([1; 16]);

    fn name(bytes: &[u8]) -> BlobName {
        BlobName { case: CASE, document: DocumentId::from_bytes([2; 17]), hash: Hash::of(bytes) }
    }

    fn photo(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    fn not_here<T: std::fmt::Debug>(result: Result<T, BlobError>) {
        assert!(matches!(result, Err(BlobError::Storage(StorageError::Seal(SealError::NotHere)))), "{result:?}");
    }

    #[tokio::test]
    async fn a_draft_that_a_kill_left_is_swept_when_the_folder_is_served_again_and_photos_stay() {
        let bench = Bench::new(1);
        let serve = async || Storage::serve(&bench.data(), bench.clock.clone(), bench.chance.clone()).await.unwrap();
        let (storage, lock) = serve().await;
        let key = storage.vault().case_key(CASE).await.unwrap();
        let kept = name(b"kept");
        storage.blobs().put(&key, kept, b"kept".to_vec()).await.unwrap();
        let draft = storage.blobs().path(kept).with_extension("0011223344556677.new");
        std::fs::write(&draft, b"half of").unwrap();
        std::fs::write(storage.blobs().folder.join(".notes"), b"of whoever looks after it").unwrap();
        std::fs::create_dir(storage.blobs().folder.join("lost+found")).unwrap();
        storage.close().await;
        drop(lock);
        let (storage, _lock) = serve().await;
        assert!(!draft.exists());
        assert_eq!(storage.blobs().get(&key, kept, 100).await.unwrap().unwrap(), b"kept");
    }

    #[tokio::test]
    async fn a_range_altered_swapped_cut_or_added_does_not_open() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        let (blobs, key) = (storage.blobs(), storage.vault().case_key(CASE).await.unwrap());
        let bytes = photo(2 * RANGE + 100);
        let name = name(&bytes);
        blobs.put(&key, name, bytes.clone()).await.unwrap();
        let path = blobs.path(name);
        let whole = std::fs::read(&path).unwrap();
        let sealed = RANGE + TAG;
        let mut damaged: Vec<Vec<u8>> = Vec::new();
        for at in [1, 8, 9, 27, HEAD, HEAD + sealed, whole.len() - 1] {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            damaged.push(altered);
        }
        for cut in [0, 10, HEAD, HEAD + sealed, HEAD + 2 * sealed, whole.len() - 1] {
            damaged.push(whole[..cut].to_vec());
        }
        let (first, second) = (HEAD..HEAD + sealed, HEAD + sealed..HEAD + 2 * sealed);
        let rest = HEAD + 2 * sealed..whole.len();
        damaged.push([&whole[..HEAD], &whole[second.clone()], &whole[first.clone()], &whole[rest.clone()]].concat());
        damaged.push([&whole[..HEAD], &whole[first], &whole[rest]].concat());
        damaged.push([whole.as_slice(), &[0]].concat());
        for damaged in damaged {
            std::fs::write(&path, &damaged).unwrap();
            assert!(blobs.get(&key, name, 1 << 20).await.is_err());
        }
        std::fs::write(&path, &whole[..HEAD + 2 * sealed]).unwrap();
        not_here(blobs.get_range(&key, name, 2 * RANGE as u64, 10).await);
        // What was damaged is mended by keeping the photo again.
        blobs.put(&key, name, bytes.clone()).await.unwrap();
        assert_eq!(blobs.get(&key, name, 1 << 20).await.unwrap().unwrap(), bytes);
        assert!(blobs.get(&key, name, 100).await.is_err());
    }

    #[tokio::test]
    async fn a_photos_file_opens_only_in_its_own_document() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        let (blobs, key) = (storage.blobs(), storage.vault().case_key(CASE).await.unwrap());
        let name = name(b"photo");
        blobs.put(&key, name, b"photo".to_vec()).await.unwrap();
        let other = BlobName { document: DocumentId::from_bytes([3; 17]), ..name };
        assert!(blobs.get(&key, other, 100).await.unwrap().is_none());
        std::fs::copy(blobs.path(name), blobs.path(other)).unwrap();
        not_here(blobs.get(&key, other, 100).await);
    }

    #[tokio::test]
    async fn a_sealed_photo_is_a_format_for_ever() {
        let bench = Bench::new(1);
        let storage = bench.storage().await;
        let key = storage.vault().case_key(CASE).await.unwrap();
        let fixed = Blobs::new(bench.data().join("photos"), SharedChance::new(Seeded::new(6)));
        let bytes = photo(RANGE + 5);
        fixed.put(&key, name(&bytes), bytes.clone()).await.unwrap();
        let path = fixed.path(name(&bytes));
        let kept = std::fs::read(&path).unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        let now = format!("{file}\n{}\n{}\n", HEXLOWER.encode(&kept[..64]), Hash::of(&kept));
        assert_eq!(now, include_str!("../../../sync-core/golden/server-photo.txt"));
    }
}
