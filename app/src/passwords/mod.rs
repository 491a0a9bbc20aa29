//! Password hashing, bounded: argon2id costs 19 MiB and about 20 ms of one core each time, so only so many run at once
//! and only so many wait.
//!
//! Nobody learns from the time of an answer whether an account exists or how old its hash is. Every check does the same
//! work: one hash of each kind that the database holds, the account's own among them, dummies in the place of the
//! others. While hashes of Django are left, each sign-in costs one of them too; when the last one is replaced, which its
//! owner's sign-in does, that cost is gone.

mod kind;

use crate::passwords::kind::Kind;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory of one hash, in KiB (OWASP's first choice for argon2id).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// How many may wait for each that runs.
const WAITING_PER_RUNNING_MAX: usize = 32;
/// How many kinds of hashes beside ours are looked for. More would make each sign-in slower still.
const FOREIGN_KINDS_MAX: usize = 4;

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

/// What a password is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the account's.
    Wrong,
    /// It is.
    Right,
    /// It is, and its hash is of another kind than a new one would be.
    RightOutdated,
}

/// Hashes and verifies passwords. A clone shares the bounds.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    kinds: Arc<RwLock<Arc<Kinds>>>,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// The kinds of hashes that each check computes, ours first, each with a hash of nobody.
#[derive(Debug, Clone, Default)]
struct Kinds {
    known: Vec<(Kind, String)>,
    /// Matches the hashes that need no more looking at.
    patterns: [String; 1 + FOREIGN_KINDS_MAX],
}

impl Passwords {
    /// At most `running_max` hashes at once.
    ///
    /// # Errors
    /// The first hash fails, from which the kind of ours is read.
    pub fn new(running_max: usize) -> Result<Self, PasswordError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let ours = hash_now(&argon2, &random())?;
        let admitted_max = running_max.saturating_mul(1 + WAITING_PER_RUNNING_MAX);
        let passwords = Self {
            argon2,
            kinds: Arc::default(),
            admitted: Arc::new(Semaphore::new(admitted_max)),
            running: Arc::new(Semaphore::new(running_max)),
        };
        if passwords.learn(&ours) { Ok(passwords) } else { Err(PasswordError::Failed) }
    }

    /// Patterns of LIKE for the hashes that need no more [`Passwords::learn`]ing.
    #[must_use]
    pub fn patterns(&self) -> [String; 1 + FOREIGN_KINDS_MAX] {
        self.kinds().patterns.clone()
    }

    /// Counts the kind of a stored hash into the work of every check from now on. False when there are too many kinds.
    pub fn learn(&self, stored: &str) -> bool {
        let mut kinds = Kinds::clone(&self.kinds());
        let Some(free) = kinds.patterns.iter_mut().find(|pattern| pattern.is_empty()) else { return false };
        match Kind::of(stored) {
            Some(kind) => {
                *free = kind.pattern();
                let dummy = kind.dummy(random());
                kinds.known.push((kind, dummy));
            }
            // Of no kind that could be checked (Django's unusable ones begin with `!`): like an account without one.
            None => {
                let name = algorithm(stored);
                *free = format!("{name}%");
                tracing::warn!(kind = name, "accounts with such a password hash can't sign in");
            }
        }
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kinds);
        true
    }

    fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hashes a new password into a PHC string with a salt of its own.
    ///
    /// # Errors
    /// Too many wait, or hashing failed.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.run(move || hash_now(&argon2, password.as_bytes())).await?
    }

    /// Whether the password belongs to the hash. Without a hash, or with one that can't be checked, it takes as long and
    /// is wrong.
    ///
    /// # Errors
    /// Too many wait, or the work was cut short.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<Verdict, PasswordError> {
        let (argon2, kinds) = (self.argon2.clone(), self.kinds());
        self.run(move || kinds.verify(&argon2, &password, hash.as_deref().unwrap_or_default())).await
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

impl Kinds {
    fn verify(&self, argon2: &Argon2<'_>, password: &str, stored: &str) -> Verdict {
        let own = Kind::of(stored);
        let mut right = None;
        for (kind, dummy) in &self.known {
            // In the same order for everybody, the account's own hash in the place of its kind's dummy.
            let is_own = own.as_ref() == Some(kind);
            let found = black_box(kind.verify(argon2, password, if is_own { stored } else { dummy }));
            right = if is_own { Some(found) } else { right };
        }
        // A kind that has come since the last look: told apart until the next one.
        let right = right.or_else(|| own.as_ref().map(|own| own.verify(argon2, password, stored)));
        let ours = self.known.first().map(|(kind, _)| kind);
        match right {
            Some(true) if own.as_ref() == ours => Verdict::Right,
            Some(true) => Verdict::RightOutdated,
            _ => Verdict::Wrong,
        }
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("running", &self.running.available_permits()).finish_non_exhaustive()
    }
}

/// What a hash begins with: the name of its algorithm up to the `$` behind it, or its first character.
fn algorithm(stored: &str) -> &str {
    let mut chars = stored.char_indices().skip(1);
    let first = chars.clone().next().map_or(stored.len(), |(at, _)| at);
    let end = chars.find_map(|(at, c)| (c == '$').then_some(at + 1)).unwrap_or(first);
    stored.get(..end).unwrap_or_default()
}

fn hash_now(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, PasswordError> {
    argon2.hash_password(password).map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
}

/// 244 random bits.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    let (first, second) = bytes.split_at_mut(16);
    first.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    second.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes
}

#[cfg(test)]
mod tests;
