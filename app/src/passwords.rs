//! Password hashing, bounded: argon2id costs 19 MiB and about 20 ms of one core each time, so only so many run at once
//! and only so many wait.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory of one hash, in KiB (OWASP's first choice for argon2id).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// How many may wait for each that runs.
const WAITING_PER_RUNNING_MAX: usize = 32;

/// Why a password was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already: come back in a second.
    #[error("too many sign-ins at once")]
    Busy,
    /// Hashing failed.
    #[error("the password could not be hashed")]
    Failed,
}

/// Hashes and verifies passwords. A clone shares the bounds.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// What an unknown user's password is compared with, so that the answer takes as long as for a known one.
    dummy: Arc<str>,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Passwords {
    /// At most `running_max` hashes at once.
    ///
    /// # Errors
    /// The first hash, of the dummy, fails.
    pub fn new(running_max: usize) -> Result<Self, PasswordError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash_now(&argon2, uuid::Uuid::new_v4().as_bytes())?.into();
        let admitted_max = running_max.saturating_mul(1 + WAITING_PER_RUNNING_MAX);
        Ok(Self {
            argon2,
            dummy,
            admitted: Arc::new(Semaphore::new(admitted_max)),
            running: Arc::new(Semaphore::new(running_max)),
        })
    }

    /// Hashes a new password into a PHC string with a salt of its own.
    ///
    /// # Errors
    /// Too many wait, or hashing failed.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.run(move || hash_now(&argon2, password.as_bytes())).await?
    }

    /// Whether the password belongs to the hash. Without a hash it takes as long and is false.
    ///
    /// # Errors
    /// Too many wait, or hashing failed.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        let (argon2, dummy) = (self.argon2.clone(), Arc::clone(&self.dummy));
        self.run(move || {
            let known = hash.is_some();
            let text = hash.as_deref().unwrap_or(&dummy);
            let hash = PasswordHash::new(text).map_err(|_| PasswordError::Failed)?;
            Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        // The permits go along: work whose client has gone away still costs until it ends.
        let held: [OwnedSemaphorePermit; 2] = [admitted, running];
        let work = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(held);
            result
        });
        work.await.map_err(|_| PasswordError::Failed)
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("running", &self.running.available_permits()).finish_non_exhaustive()
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, PasswordError> {
    argon2.hash_password(password).map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let passwords = Passwords::new(1).expect("the dummy");
        let hash = passwords.hash("correct horse".to_owned()).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |password: &str, hash| passwords.verify(password.to_owned(), hash).await;
        assert_eq!(verify("correct horse", Some(hash.clone())).await, Ok(true));
        assert_eq!(verify("battery staple", Some(hash)).await, Ok(false));
        assert_eq!(verify("correct horse", None).await, Ok(false));
        assert_eq!(verify("correct horse", Some("damaged".to_owned())).await, Err(PasswordError::Failed));
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let passwords = Passwords::new(1).expect("the dummy");
        let admitted = Arc::clone(&passwords.admitted);
        let all = u32::try_from(admitted.available_permits()).expect("a small number");
        let taken = admitted.acquire_many(all).await.expect("permits");
        assert_eq!(passwords.hash("correct horse".to_owned()).await, Err(PasswordError::Busy));
        drop(taken);
        assert!(passwords.hash("correct horse".to_owned()).await.is_ok());
    }
}
