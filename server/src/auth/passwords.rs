//! Passwords: Argon2id, a bounded number at once.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
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
    Hash(argon2::password_hash::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Hashes and checks passwords; each takes 19 MiB while it runs.
#[derive(Debug)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    chance: SharedChance,
}

impl Passwords {
    /// At most `at_once` run at the same time; others wait.
    pub fn new(at_once: usize, chance: SharedChance) -> Self {
        Self { at_once: Arc::new(Semaphore::new(at_once)), chance }
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
        self.run(move || hash(&salt, &password)).await
    }

    /// Whether `password` hashes to `kept`; with nothing kept the answer is no and takes as long.
    ///
    /// # Errors
    /// [`BadPassword::Hash`] when what is kept is damaged.
    pub async fn verify(&self, kept: Option<String>, password: &str) -> Result<bool, BadPassword> {
        // Too long to be anybody's: still no sooner than the others.
        let fits = password.len() <= LONGEST;
        let password = if fits { password.to_owned() } else { String::new() };
        self.run(move || match kept {
            Some(kept) => {
                let kept = PasswordHash::new(&kept).map_err(BadPassword::Hash)?;
                Ok(hasher()?.verify_password(password.as_bytes(), &kept).is_ok() && fits)
            }
            None => hash(&[0; 16], &password).map(|_| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BadPassword> + Send + 'static,
    ) -> Result<T, BadPassword> {
        let permit = self.at_once.clone().acquire_owned().await.map_err(|_| BadPassword::Stopping)?;
        // The permit goes along: who hangs up does not make room while the work goes on.
        let work = move || {
            let worked = work();
            drop(permit);
            worked
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| BadPassword::Stopping)?
    }
}

fn hasher() -> Result<Argon2<'static>, BadPassword> {
    let params = Params::new(MEMORY, ROUNDS, 1, None).map_err(|error| BadPassword::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(salt: &[u8; 16], password: &str) -> Result<String, BadPassword> {
    let salt = SaltString::encode_b64(salt).map_err(BadPassword::Hash)?;
    Ok(hasher()?.hash_password(password.as_bytes(), &salt).map_err(BadPassword::Hash)?.to_string())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(passwords.hash(&"x".repeat(2000)).await, Err(BadPassword::TooLong));
    }
}
