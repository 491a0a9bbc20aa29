//! What `files` and sites mean beside their names: how long what is kept, what protects browsers.

use super::FileGlob;
use http::HeaderValue;

/// `Cache-Control` of the files that a pattern is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    /// Which files.
    pub glob: FileGlob,
    /// The value.
    pub control: HeaderValue,
}

/// Fields that every answer gets unless it has them or a rule is about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityHeaders {
    /// None.
    Off,
    /// HSTS, `nosniff`, referrer policy, frame options.
    Basic,
    /// These, and the page has its browsing context for itself.
    Isolated,
}
