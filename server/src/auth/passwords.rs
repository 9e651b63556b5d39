//! Passwords: Argon2id, a bounded number at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{Error, Output, ParamsString, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use crate::chance::SharedChance;

/// Memory of one check, in KiB.
const MEMORY: u32 = 19 * 1024;
const ROUNDS: u32 = 2;
/// Shortest password an account may be given, in characters.
const SHORTEST: usize = 12;
/// Longest, in bytes: nobody types more, and hashing it costs.
const LONGEST: usize = 1024;

/// Why a password can't be an account's, or couldn't be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Under twelve characters.
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    /// Over 1024 bytes.
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    /// The hasher refused.
    #[error("the password couldn't be hashed: {0}")]
    Hash(Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// What one check works in.
type Memory = Vec<Block>;

/// Hashes and checks passwords; each works in 19 MiB, which the next one takes over: given back to the allocator it would
/// stay with each thread that ever checked one.
pub struct Passwords {
    at_once: Arc<Semaphore>,
    chance: SharedChance,
    /// Not in use at the moment; at most as many as may run at once.
    idle: Arc<Mutex<Vec<Memory>>>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// At most `at_once` run at the same time; others wait.
    pub fn new(at_once: usize, chance: SharedChance) -> Self {
        Self { at_once: Arc::new(Semaphore::new(at_once)), chance, idle: Arc::default() }
    }

    /// The hash to keep of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`BadPassword`].
    pub async fn hash(&self, password: &str) -> Result<String, BadPassword> {
        if password.chars().count() < SHORTEST {
            return Err(BadPassword::TooShort);
        } else if password.len() > LONGEST {
            return Err(BadPassword::TooLong);
        }
        let salt = self.chance.bytes::<16>();
        let password = password.to_owned();
        self.run(move |memory| hash(memory, &salt, &password)).await
    }

    /// Whether `password` hashes to `kept`; with nothing kept the answer is no and takes as long.
    ///
    /// # Errors
    /// [`BadPassword::Hash`] when what is kept is damaged.
    pub async fn verify(&self, kept: Option<String>, password: &str) -> Result<bool, BadPassword> {
        // Too long to be anybody's: still no sooner than the others.
        let fits = password.len() <= LONGEST;
        let password = if fits { password.to_owned() } else { String::new() };
        self.run(move |memory| match kept {
            Some(kept) => Ok(matches(memory, &kept, &password).map_err(BadPassword::Hash)? && fits),
            None => hash(memory, &[0; 16], &password).map(|_| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, BadPassword> + Send + 'static,
    ) -> Result<T, BadPassword> {
        let permit = self.at_once.clone().acquire_owned().await.map_err(|_| BadPassword::Stopping)?;
        // The permit goes along: who hangs up does not make room while the work goes on.
        let idle = self.idle.clone();
        let work = move || {
            let mut memory = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let worked = work(&mut memory);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            drop(permit);
            worked
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| BadPassword::Stopping)?
    }
}

/// The hash of a password by these parameters.
fn digest(memory: &mut Memory, params: Params, salt: &[u8], password: &str) -> Result<Output, Error> {
    // What the last password left in it is overwritten before it is read.
    memory.resize(params.block_count(), Block::default());
    Output::init_with(params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN), |out| {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)?)
    })
}

fn hash(memory: &mut Memory, salt: &[u8; 16], password: &str) -> Result<String, BadPassword> {
    let mut made = || {
        let params = Params::new(MEMORY, ROUNDS, 1, None)?;
        let hash = digest(memory, params.clone(), salt, password)?;
        let salt = SaltString::encode_b64(salt)?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt.as_salt()),
            hash: Some(hash),
        };
        Ok(phc.to_string())
    };
    made().map_err(BadPassword::Hash)
}

/// Whether a password hashes to what is kept. The comparison takes the same time wherever they differ.
fn matches(memory: &mut Memory, kept: &str, password: &str) -> Result<bool, Error> {
    let kept = PasswordHash::new(kept)?;
    if kept.algorithm != Algorithm::Argon2id.ident() || kept.version != Some(Version::V0x13.into()) {
        return Err(Error::Algorithm);
    }
    let (Some(salt), Some(hash)) = (kept.salt, kept.hash) else { return Err(Error::PhcStringField) };
    let mut bytes = [0; 64];
    let salt = salt.decode_b64(&mut bytes)?;
    Ok(digest(memory, Params::try_from(&kept)?, salt, password)? == hash)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher as _;
    use sync_core::clock::Seeded;

    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_matches_its_hash() {
        let passwords = Passwords::new(1, SharedChance::new(Seeded::new(1)));
        let kept = passwords.hash("correct horse battery").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(passwords.verify(Some(kept.clone()), "correct horse battery").await, Ok(true));
        assert_eq!(passwords.verify(Some(kept.clone()), "correct horse batterY").await, Ok(false));
        assert_eq!(passwords.verify(Some(kept), &"x".repeat(1_000_000)).await, Ok(false));
        assert_eq!(passwords.verify(None, "correct horse battery").await, Ok(false));
        assert!(matches!(passwords.verify(Some("plain".into()), "plain").await, Err(BadPassword::Hash(_))));
        assert_eq!(passwords.hash("short").await, Err(BadPassword::TooShort));
        assert_eq!(passwords.idle.lock().unwrap().len(), 1, "one at once works in one memory");
        // As the crate itself hashes, so that what was kept before opens.
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let params = Params::new(MEMORY, ROUNDS, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let theirs = argon2.hash_password(b"correct horse battery", &salt).unwrap().to_string();
        assert_eq!(hash(&mut Vec::new(), &[7; 16], "correct horse battery").unwrap(), theirs);
        let damaged = theirs.replace("argon2id", "argon2d");
        assert!(matches!(passwords.verify(Some(damaged), "correct horse battery").await, Err(BadPassword::Hash(_))));
        assert_eq!(passwords.hash(&"x".repeat(2000)).await, Err(BadPassword::TooLong));
    }
}
