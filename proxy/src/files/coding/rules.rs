//! What a route says about codings.

use super::results::Results;
use crate::config::{self, Coding, Compress, MediaPattern};
use crate::files::stamp::Stamp;
use http::HeaderValue;
use std::fs::File;
use std::sync::Arc;

/// The twins of a file, open, by coding.
pub(in crate::files) type Twins = [Option<(File, Stamp)>; Coding::ALL.len()];

/// The rules, and where the results are. By default nothing is coded.
#[derive(Debug, Default, Clone)]
pub(in crate::files) struct Codings {
    types: Vec<MediaPattern>,
    /// Whether twins are looked for.
    pub precompressed: bool,
    compress: Option<Compress>,
    /// What was compressed on the fly.
    pub results: Arc<Results>,
}

impl Codings {
    pub(in crate::files) fn new(config: &config::Files) -> Self {
        Self {
            types: config.compressible_types.clone(),
            precompressed: config.precompressed,
            compress: config.compress.clone(),
            results: Arc::default(),
        }
    }

    /// Whether files of this type are sent in codings.
    pub(in crate::files) fn covers(&self, content_type: &HeaderValue) -> bool {
        let essence = content_type.to_str().map_or("", |value| value.split(';').next().unwrap_or(value));
        self.types.iter().any(|pattern| pattern.matches(essence))
    }

    /// In what a file of this size may be compressed on the fly.
    pub(in crate::files) fn made_for(&self, size: u64) -> &[Coding] {
        let compress = self.compress.as_ref();
        let compress = compress.filter(|compress| (compress.bytes_min..=compress.bytes_max).contains(&size));
        compress.map_or(&[], |compress| &compress.codings)
    }
}
