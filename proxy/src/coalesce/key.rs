//! What makes two requests equal.

use aws_lc_rs::digest::{Context, SHA256};

/// The SHA-256 of all that an answer may depend on. What went into it is not kept: a memory dump holds no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey([u8; 32]);

/// Puts a key together. Each part goes in with its length, so that no two lists of parts read the same.
pub struct KeyWriter(Context);

impl KeyWriter {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a part.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// The key of all parts.
    #[must_use]
    pub fn finish(self) -> CallKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        CallKey(bytes)
    }
}

impl Default for KeyWriter {
    fn default() -> Self {
        Self::new()
    }
}
