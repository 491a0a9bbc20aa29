//! What `portcullis precompress` can be told.

use crate::config::{Coding, MediaPattern};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The flags of `portcullis precompress`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The directory; links in it are not followed, hidden names are left out.
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The codings to make.
    #[arg(long, value_delimiter = ',', default_value = "br,zstd,gzip", value_parser = coding)]
    pub(super) codings: Vec<Coding>,
    /// The content types, by the names of files, that are worth it [default: those of `compressible_types`].
    #[arg(long, value_delimiter = ',', value_parser = pattern)]
    pub(super) types: Vec<MediaPattern>,
    /// Leave smaller files out, in bytes.
    #[arg(long, default_value_t = 1024)]
    pub(super) bytes_min: u64,
    /// Leave larger files out, in bytes; each thread holds one in memory.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    pub(super) bytes_max: u64,
    /// Keep a twin only if it is smaller than its file by at least this many percent.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub(super) gain_min: u8,
    /// Files at once [default: the processor's cores].
    #[arg(long)]
    pub(super) threads: Option<NonZeroUsize>,
    /// Remove twins that are no form of their file and that nothing replaces. A `.gz` without a file is left alone: it
    /// may be a download.
    #[arg(long)]
    pub(super) remove_stale: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Options {
    pub(super) fn threads(&self) -> NonZeroUsize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether a file of this name is worth it.
    pub(super) fn covers(&self, name: &str) -> bool {
        let content_type = crate::files::content_type(name);
        let essence = content_type.to_str().map_or("", |value| value.split(';').next().unwrap_or(value));
        match self.types.as_slice() {
            [] => MediaPattern::compressible().iter().any(|pattern| pattern.matches(essence)),
            types => types.iter().any(|pattern| pattern.matches(essence)),
        }
    }

    /// Whether `coded` bytes in place of `content` bytes pay.
    pub(super) fn pays(&self, coded: u64, content: u64) -> bool {
        coded < content && u128::from(coded) * 100 <= u128::from(content) * u128::from(100 - self.gain_min)
    }
}

fn coding(text: &str) -> Result<Coding, String> {
    let known = Coding::ALL.into_iter().find(|coding| coding.token() == text);
    known.ok_or_else(|| "known are br, zstd and gzip".to_owned())
}

fn pattern(text: &str) -> Result<MediaPattern, String> {
    MediaPattern::parse(text).ok_or_else(|| "write for example text/*, application/json or *+json".to_owned())
}
