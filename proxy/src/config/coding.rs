//! Content codings of static files: which ones, and for which types.

/// A content coding (RFC 9110 section 8.4.1; `br` is RFC 7932, `zstd` RFC 9659). In the order in which the server
/// prefers them, which is that of what they make of text at their best: of 1.3 MB of scripts, pages and documents brotli
/// makes a tenth less than zstd, and zstd a twentieth less than gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
    /// `gzip`
    Gzip,
}

impl Coding {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The word in `Content-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What a twin's name has behind the file's: `.br`, `.zst`, `.gz`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// What files are compressed with when no twin lies beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compress {
    /// At least one.
    pub codings: Vec<Coding>,
    /// Smaller files are sent as they are: what would be saved fits into the packet that is sent anyway.
    pub bytes_min: u64,
    /// Larger files are sent as they are.
    pub bytes_max: u64,
}

/// Content types: `text/*`, `application/json`, `*+json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPattern(String);

impl MediaPattern {
    /// Types whose files get much smaller. Pictures, sound, video, archives and web fonts are compressed already.
    pub const COMPRESSIBLE: [&str; 13] = [
        "text/*",
        "*+json",
        "*+xml",
        "application/javascript",
        "application/json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-ndjson",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/x-icon",
    ];

    /// `None`: it is none of the three forms.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        let is_pattern = match text.split_once('/') {
            Some((kind, subtype)) => is_name(kind) && (subtype == "*" || is_name(subtype)),
            None => text.strip_prefix("*+").is_some_and(is_name),
        };
        is_pattern.then(|| Self(text.to_ascii_lowercase()))
    }

    /// [`Self::COMPRESSIBLE`] as patterns.
    #[must_use]
    pub fn compressible() -> Vec<Self> {
        Self::COMPRESSIBLE.iter().filter_map(|text| Self::parse(text)).collect()
    }

    /// As it was written, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a content type, in lower case and without parameters, is one of these.
    #[must_use]
    pub fn matches(&self, essence: &str) -> bool {
        match (self.0.strip_suffix('*'), self.0.strip_prefix('*')) {
            (Some(kind), _) => essence.starts_with(kind),
            (None, Some(suffix)) => essence.ends_with(suffix),
            (None, None) => essence == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_types_ranges_of_types_and_suffixes() {
        for (pattern, essence, expected) in [
            ("text/*", "text/html", true),
            ("text/*", "application/json", false),
            ("Application/JSON", "application/json", true),
            ("application/json", "application/json5", false),
            ("*+xml", "image/svg+xml", true),
            ("*+xml", "application/xml", false),
        ] {
            assert_eq!(MediaPattern::parse(pattern).expect(pattern).matches(essence), expected, "{pattern} {essence}");
        }
        for text in ["", "*", "*/*", "text", "text/", "/html", "*+", "text/html; charset=utf-8", "te xt/html", "a/b/c"]
        {
            assert_eq!(MediaPattern::parse(text), None, "{text}");
        }
        assert_eq!(MediaPattern::compressible().len(), MediaPattern::COMPRESSIBLE.len(), "each of them parses");
    }
}
