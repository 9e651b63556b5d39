//! How the key of a store is kept: wrapped by the platform's keystore, or by a passphrase with Argon2id.
//!
//! The wrapped key's record is `version (1) | kind | …`: for a passphrase (kind 1) `memory KiB, passes, lanes (u32
//! each, big-endian) | salt (16) | sealed key (73)`, for a vault (kind 2) what the vault gave, at most 4,096 bytes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::seal::{DataKey, OVERHEAD, Place, SealKey};
use super::store::StoreError;
use crate::clock::Chance;
use crate::id::Generation;

const VERSION: u8 = 1;
const PASSPHRASE: u8 = 1;
const VAULT: u8 = 2;
/// The most bytes a vault may make of a key.
pub const MAX_WRAPPED: usize = 4096;
/// The most a record may ask of the machine that reads it, so that a tampered file cannot ask for 100 GB or an hour.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;
/// What new records ask for: 19 MiB, 2 passes, 1 lane (OWASP's first choice for Argon2id).
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
const SALT: usize = 16;
const PASSPHRASE_RECORD: usize = 2 + 12 + SALT + 32 + OVERHEAD;

/// What a vault's call returns: a boxed future, so that the trait can be a callback into the platform's language.
pub type VaultFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send + 'a>>;

/// The platform's keystore (Android Keystore, the Secure Enclave, a desktop keyring), called back by the store.
pub trait Vault: Send + Sync {
    /// Wraps the 32 bytes of a store's key; at most [`MAX_WRAPPED`] bytes come back.
    fn wrap<'a>(&'a self, key: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>>;
    /// Gives the 32 bytes back; [`VaultError::NotOurs`] when this keystore did not wrap them.
    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>>;
}

/// Why a platform's keystore did not wrap or unwrap a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The keystore cannot be reached now (locked device, no keyring); trying later may do.
    #[error("the platform's keystore is not available now")]
    Unavailable,
    /// The person cancelled or was not recognised.
    #[error("the platform's keystore refused: not confirmed by the person")]
    Refused,
    /// The keystore lost its key for good (a reset, new fingerprints): the store can't be opened on this device again.
    #[error("the platform's keystore no longer has the key")]
    KeyGone,
    /// Another keystore or key wrapped these bytes.
    #[error("the key was not wrapped by this keystore")]
    NotOurs,
    /// The keystore returned more than [`MAX_WRAPPED`] bytes.
    #[error("the platform's keystore wrapped the key in {bytes} bytes, over the limit of {MAX_WRAPPED}")]
    TooLong {
        /// What it returned.
        bytes: usize,
    },
}

/// What opens a store: the same kind that created it.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase that the person knows.
    Passphrase(Zeroizing<String>),
    /// The platform's keystore.
    Vault(Arc<dyn Vault>),
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Unlock::Passphrase(…)",
            Self::Vault(_) => "Unlock::Vault(…)",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (slot, number) in bytes.chunks_exact_mut(4).zip([self.memory_kib, self.passes, self.lanes]) {
            slot.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// The cost written in a record; `None` when it is more than a reader may be asked, or nonsense.
    fn from_bytes(bytes: &[u8; 12]) -> Option<Self> {
        let [m0, m1, m2, m3, p0, p1, p2, p3, l0, l1, l2, l3] = *bytes;
        let cost = Self {
            memory_kib: u32::from_be_bytes([m0, m1, m2, m3]),
            passes: u32::from_be_bytes([p0, p1, p2, p3]),
            lanes: u32::from_be_bytes([l0, l1, l2, l3]),
        };
        let fits = cost.memory_kib <= MAX_MEMORY_KIB && cost.passes <= MAX_PASSES && cost.lanes <= MAX_LANES;
        (fits && cost.params().is_some()).then_some(cost)
    }

    fn params(self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()
    }
}

/// The key that a passphrase makes, on a thread that may block (about 30 ms).
async fn stretch(passphrase: &Zeroizing<String>, salt: [u8; SALT], cost: Cost) -> Result<SealKey, StoreError> {
    let corrupt = || StoreError::Corrupt { set_aside: None };
    let params = cost.params().ok_or_else(corrupt)?;
    let passphrase = passphrase.clone();
    let stretched = tokio::task::spawn_blocking(move || {
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut())
            .map(|()| SealKey::from_bytes(&key))
    });
    stretched.await.map_err(std::io::Error::other)?.map_err(|_| corrupt())
}

fn place<'a>(store: &'a [u8; 16], cost_and_salt: &'a [u8]) -> Place<'a> {
    let generation = Generation::from_bytes([0; 16]);
    Place { store, generation, table: "header", row: cost_and_salt, column: "wrapped", version: 1 }
}

/// Wraps the key of the store with this id; the record is bounded by [`MAX_WRAPPED`] + 2 bytes.
pub(super) async fn wrap(
    key: &DataKey,
    unlock: &Unlock,
    store: &[u8; 16],
    chance: &mut dyn Chance,
) -> Result<Vec<u8>, StoreError> {
    match unlock {
        Unlock::Passphrase(passphrase) => {
            let mut salt = [0; SALT];
            chance.fill(&mut salt);
            let mut record = vec![VERSION, PASSPHRASE];
            record.extend_from_slice(&COST.to_bytes());
            record.extend_from_slice(&salt);
            let by = stretch(passphrase, salt, COST).await?;
            let sealed = by.seal(&place(store, &record), key.bytes(), chance)?;
            record.extend_from_slice(&sealed);
            Ok(record)
        }
        Unlock::Vault(vault) => {
            let wrapped = vault.wrap(key.bytes()).await?;
            if wrapped.len() > MAX_WRAPPED {
                return Err(VaultError::TooLong { bytes: wrapped.len() }.into());
            }
            let mut record = vec![VERSION, VAULT];
            record.extend_from_slice(&wrapped);
            Ok(record)
        }
    }
}

/// Unwraps the key of the store with this id. A well-formed record that `unlock` doesn't open is
/// [`StoreError::WrongKey`], as is one of the other kind; a malformed one is [`StoreError::Corrupt`].
pub(super) async fn unwrap(record: &[u8], unlock: &Unlock, store: &[u8; 16]) -> Result<DataKey, StoreError> {
    let corrupt = || StoreError::Corrupt { set_aside: None };
    if record.len() > MAX_WRAPPED + 2 {
        return Err(corrupt());
    }
    match (record, unlock) {
        ([VERSION, PASSPHRASE, ..], Unlock::Passphrase(passphrase)) => {
            if record.len() != PASSPHRASE_RECORD {
                return Err(corrupt());
            }
            let (head, sealed) = record.split_at(2 + 12 + SALT);
            let cost = head.get(2..14).and_then(|cost| cost.try_into().ok()).and_then(Cost::from_bytes);
            let salt = head.get(14..).and_then(|salt| salt.try_into().ok());
            let (Some(cost), Some(salt)) = (cost, salt) else { return Err(corrupt()) };
            let by = stretch(passphrase, salt, cost).await?;
            let key = Zeroizing::new(by.unseal(&place(store, head), sealed).map_err(|_| StoreError::WrongKey)?);
            key.as_slice().try_into().map(DataKey::from_bytes).map_err(|_| corrupt())
        }
        ([VERSION, VAULT, wrapped @ ..], Unlock::Vault(vault)) => match vault.unwrap(wrapped).await {
            Ok(key) => Ok(DataKey::from_bytes(&key)),
            Err(VaultError::NotOurs) => Err(StoreError::WrongKey),
            Err(other) => Err(other.into()),
        },
        ([VERSION, PASSPHRASE | VAULT, ..], _) => Err(StoreError::WrongKey),
        _ => Err(corrupt()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::clock::Seeded;

    const STORE: [u8; 16] = [7; 16];

    pub(in crate::device) fn passphrase(text: &str) -> Unlock {
        Unlock::Passphrase(Zeroizing::new(text.to_owned()))
    }

    /// A keystore of the tests: it wraps by adding a mark of its own.
    pub(in crate::device) struct Keyring(pub(in crate::device) u8);

    impl Vault for Keyring {
        fn wrap<'a>(&'a self, key: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>> {
            Box::pin(async move { Ok([&[self.0][..], &key.map(|byte| byte ^ 0xa5)].concat()) })
        }

        fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>> {
            Box::pin(async move {
                match wrapped.split_first() {
                    Some((mark, key)) if *mark == self.0 => {
                        let key: [u8; 32] = key.try_into().map_err(|_| VaultError::NotOurs)?;
                        Ok(Zeroizing::new(key.map(|byte| byte ^ 0xa5)))
                    }
                    _ => Err(VaultError::NotOurs),
                }
            })
        }
    }

    struct Silent;

    impl Vault for Silent {
        fn wrap<'a>(&'a self, _: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>> {
            Box::pin(async { Ok(vec![0; MAX_WRAPPED + 1]) })
        }

        fn unwrap<'a>(&'a self, _: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>> {
            Box::pin(async { Err(VaultError::Unavailable) })
        }
    }

    #[tokio::test]
    async fn a_passphrase_wraps_as_it_first_did() {
        let mut chance = Seeded::new(1);
        let key = DataKey::mint(&mut chance);
        let record = wrap(&key, &passphrase("correct horse"), &STORE, &mut chance).await.unwrap();
        assert_eq!(record.len(), PASSPHRASE_RECORD);
        assert_eq!(
            format!("passphrase {}\n", HEXLOWER.encode(&record)),
            include_str!("../../golden/device-wrapped-key-1.txt")
        );
        let back = unwrap(&record, &passphrase("correct horse"), &STORE).await.unwrap();
        assert_eq!(back.bytes(), key.bytes());
    }

    #[tokio::test]
    async fn what_does_not_open_the_record_is_a_wrong_key() {
        let mut chance = Seeded::new(2);
        let key = DataKey::mint(&mut chance);
        let by_phrase = wrap(&key, &passphrase("right"), &STORE, &mut chance).await.unwrap();
        let by_vault = wrap(&key, &Unlock::Vault(Arc::new(Keyring(1))), &STORE, &mut chance).await.unwrap();
        let vault = |mark| Unlock::Vault(Arc::new(Keyring(mark)));
        assert_eq!(unwrap(&by_vault, &vault(1), &STORE).await.unwrap().bytes(), key.bytes());
        for (record, unlock) in [
            (&by_phrase, passphrase("wrong")),
            (&by_phrase, vault(1)),
            (&by_vault, vault(2)),
            (&by_vault, passphrase("right")),
        ] {
            assert!(matches!(unwrap(record, &unlock, &STORE).await, Err(StoreError::WrongKey)));
        }
        // The record is of one store: copied into another it opens nothing.
        assert!(matches!(unwrap(&by_phrase, &passphrase("right"), &[8; 16]).await, Err(StoreError::WrongKey)));
    }

    #[tokio::test]
    async fn a_record_can_not_ask_for_more_than_the_bounds() {
        let mut chance = Seeded::new(3);
        let key = DataKey::mint(&mut chance);
        let record = wrap(&key, &passphrase("right"), &STORE, &mut chance).await.unwrap();
        for cost in [
            Cost { memory_kib: MAX_MEMORY_KIB + 1, ..COST },
            Cost { memory_kib: u32::MAX, ..COST },
            Cost { memory_kib: 1, ..COST },
            Cost { passes: MAX_PASSES + 1, ..COST },
            Cost { passes: 0, ..COST },
            Cost { lanes: MAX_LANES + 1, ..COST },
            Cost { lanes: 0, ..COST },
        ] {
            let mut greedy = record.clone();
            greedy[2..14].copy_from_slice(&cost.to_bytes());
            let refused = unwrap(&greedy, &passphrase("right"), &STORE).await;
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{cost:?}");
        }
        for malformed in [&[][..], &[1], &[2, 1], &[1, 3, 0], &record[..record.len() - 1], &[1; MAX_WRAPPED + 3]] {
            let refused = unwrap(malformed, &passphrase("right"), &STORE).await;
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{malformed:?}");
        }
    }

    #[tokio::test]
    async fn a_vault_that_is_silent_or_talks_too_much_says_so() {
        let mut chance = Seeded::new(4);
        let silent = Unlock::Vault(Arc::new(Silent));
        let too_long = wrap(&DataKey::mint(&mut chance), &silent, &STORE, &mut chance).await;
        assert!(matches!(too_long, Err(StoreError::Vault(VaultError::TooLong { .. }))));
        let unavailable = unwrap(&[1, 2, 3], &silent, &STORE).await;
        assert!(matches!(unavailable, Err(StoreError::Vault(VaultError::Unavailable))));
    }
}
