//! Who the server is to those who check its signatures.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer as _, SigningKey};
use sync_core::id::{Epoch, KeyId, ServerId};

use crate::storage::keys::{KeyPurpose, ServerKey};
use crate::storage::{Storage, StorageError};

/// A public key as text: `ed25519:` and 64 hexadecimal digits. What `grabrail verify --key` takes.
pub fn public_text(public: &[u8; 32]) -> String {
    format!("ed25519:{}", HEXLOWER.encode(public))
}

/// The server's identity and keys. Looks at the rows each time, so that a `keys rotate` beside the running server
/// counts from its next signature.
pub struct Keys {
    storage: Storage,
    server: ServerId,
    /// Secrets that were unwrapped; a key's id never stands for another secret.
    known: Mutex<HashMap<KeyId, Arc<SigningKey>>>,
    /// Keys that signed when they were looked at, by their ids.
    current: Mutex<HashMap<KeyId, Signer>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.server)
    }
}

/// A key that signs now.
#[derive(Clone)]
pub struct Signer {
    /// The key, without its secret.
    pub key: ServerKey,
    secret: Arc<SigningKey>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key.id)
    }
}

impl Signer {
    /// A signer by a key that is in no store: simulation's.
    pub fn of(key: ServerKey, secret: SigningKey) -> Self {
        Self { key, secret: Arc::new(secret) }
    }

    /// The Ed25519 signature of `bytes`, which begin with a domain tag.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.secret.sign(bytes).to_bytes()
    }

    pub(crate) fn secret(&self) -> &SigningKey {
        &self.secret
    }
}

impl Keys {
    /// The keys of this data folder.
    ///
    /// # Errors
    /// What storage says.
    pub async fn open(storage: Storage) -> Result<Self, StorageError> {
        let server = storage.server_id().await?;
        Ok(Self { storage, server, known: Mutex::default(), current: Mutex::default() })
    }

    /// The data folder's id.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// The present life of the data folder.
    ///
    /// # Errors
    /// What storage says.
    pub async fn epoch(&self) -> Result<Epoch, StorageError> {
        self.storage.epochs().await?.first().copied().ok_or(StorageError::Damaged("epochs"))
    }

    /// The key that signs for `purpose` now.
    ///
    /// # Errors
    /// What storage says.
    pub async fn signer(&self, purpose: KeyPurpose) -> Result<Signer, StorageError> {
        let key = self.storage.current_key(purpose).await?;
        let found = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key.id).cloned();
        let secret = match found {
            Some(secret) => secret,
            None => {
                let secret = Arc::new(self.storage.key_secret(&key).await?);
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id, secret.clone());
                secret
            }
        };
        Ok(Signer { key, secret })
    }

    /// The key that signs for `purpose` now, of which a row that was just read says the id.
    ///
    /// # Errors
    /// What storage says.
    pub async fn signer_of(&self, id: KeyId, purpose: KeyPurpose) -> Result<Signer, StorageError> {
        let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(signer) = known {
            return Ok(signer);
        }
        let signer = self.signer(purpose).await?;
        self.current.lock().unwrap_or_else(PoisonError::into_inner).insert(signer.key.id, signer.clone());
        Ok(signer)
    }

    /// A key by its id, retired or not.
    ///
    /// # Errors
    /// What storage says.
    pub async fn key(&self, id: KeyId) -> Result<Option<ServerKey>, StorageError> {
        self.storage.server_key(id).await
    }
}
