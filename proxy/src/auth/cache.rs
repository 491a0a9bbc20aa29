//! Tokens that were verified before, by worker.
//!
//! Only good tokens are kept: garbage can't push them out. An entry counts as long as the keys and rules it was
//! verified under (its *generation*) are still the issuer's; time, revocations and the route's own rules are looked at
//! on every use. A worker is one thread, so there is no lock.

use super::verified::Verified;
use aws_lc_rs::digest;
use lru::LruCache;
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// The default bound of one worker's cache, in bytes: over ten thousand tokens of the usual kind.
pub const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the list and the table need for one entry beside the token's own data, in bytes.
const ENTRY_BYTES: usize = 160;

/// The SHA-256 of a token. The token itself is not kept: a memory dump holds no usable credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Digests a token.
    #[must_use]
    pub(crate) fn of(token: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
        Self(bytes)
    }
}

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Eight bytes of a cryptographic hash are as even as all of them.
        let mut word = [0; 8];
        word.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(word));
    }
}

/// Hashing a digest again buys nothing: only whoever holds a valid token gets an entry at all.
#[derive(Default)]
struct Identical(u64);

impl Hasher for Identical {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// One worker's verified tokens, the least recently used ones leave first.
pub struct TokenCache {
    bytes_max: usize,
    inner: RefCell<Inner>,
}

struct Inner {
    entries: LruCache<TokenDigest, Entry, BuildHasherDefault<Identical>>,
    bytes: usize,
}

struct Entry {
    generation: u64,
    bytes: usize,
    verified: Arc<Verified>,
}

impl TokenCache {
    /// An empty cache that holds at most `bytes_max`; 0 keeps nothing.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let entries = LruCache::unbounded_with_hasher(BuildHasherDefault::default());
        Self { bytes_max, inner: RefCell::new(Inner { entries, bytes: 0 }) }
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.borrow().entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it holds, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// The token's verification, if it was made under a generation that `current` accepts.
    pub(crate) fn get(&self, digest: &TokenDigest, current: impl FnOnce(u64) -> bool) -> Option<Arc<Verified>> {
        let mut inner = self.inner.borrow_mut();
        let entry = inner.entries.get(digest)?;
        current(entry.generation).then(|| Arc::clone(&entry.verified))
    }

    /// Keeps a verification, in place of an older one of the same token.
    pub(crate) fn put(&self, digest: TokenDigest, generation: u64, verified: &Arc<Verified>) {
        let bytes = ENTRY_BYTES + verified.weight_bytes();
        if bytes > self.bytes_max {
            return;
        }
        let mut inner = self.inner.borrow_mut();
        let entry = Entry { generation, bytes, verified: Arc::clone(verified) };
        if let Some(replaced) = inner.entries.put(digest, entry) {
            inner.bytes -= replaced.bytes;
        }
        inner.bytes += bytes;
        while inner.bytes > self.bytes_max {
            let Some((_, oldest)) = inner.entries.pop_lru() else { break };
            inner.bytes -= oldest.bytes;
        }
    }

    /// Forgets a token that has expired.
    pub(crate) fn remove(&self, digest: &TokenDigest) {
        let mut inner = self.inner.borrow_mut();
        if let Some(entry) = inner.entries.pop(digest) {
            inner.bytes -= entry.bytes;
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.len()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
