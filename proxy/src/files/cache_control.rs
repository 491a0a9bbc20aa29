//! How long a file may be kept by browsers and caches, safe by default: pages are asked for again each time, names that
//! carry a fingerprint of their content never, the rest once a day.

use super::content_type;
use crate::config::CacheRule;
use http::HeaderValue;

/// The rule of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachePolicy {
    /// What the operator has configured for every file of the route.
    pub configured: Option<HeaderValue>,
    /// The same for some of them, the narrower pattern first.
    pub rules: Box<[CacheRule]>,
    /// Content types by extension.
    pub types: Box<[(String, HeaderValue)]>,
    /// Who may keep answers.
    pub audience: Audience,
}

/// Who may keep answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Anyone, shared caches included.
    Everyone,
    /// Only the client itself, because the route asks who it is.
    Client,
}

impl CachePolicy {
    /// Without anything configured.
    pub(super) fn of_audience(audience: Audience) -> Self {
        Self { configured: None, rules: Box::default(), types: Box::default(), audience }
    }

    /// The `Content-Type` of a file, given by its path below the root.
    pub(super) fn content_type(&self, path: &str) -> HeaderValue {
        let extension = file_name(path).rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = self.types.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        known.map_or_else(|| content_type::of(file_name(path)), |(_, media)| media.clone())
    }

    /// The `Cache-Control` of a file.
    pub(super) fn of(&self, path: &str, content_type: &HeaderValue) -> HeaderValue {
        if let Some(rule) = self.rules.iter().find(|rule| rule.glob.matches(path)) {
            return rule.control.clone();
        }
        let file_name = file_name(path);
        if let Some(configured) = &self.configured {
            return configured.clone();
        }
        let is_page = content_type::is_page(content_type);
        HeaderValue::from_static(match self.audience {
            Audience::Everyone if is_page => "no-cache",
            Audience::Everyone if is_fingerprinted(file_name) => "public, max-age=31536000, immutable",
            Audience::Everyone => "public, max-age=86400",
            Audience::Client if is_page => "private, no-cache",
            Audience::Client if is_fingerprinted(file_name) => "private, max-age=31536000, immutable",
            Audience::Client => "private, max-age=86400",
        })
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a bundler has put a hash of the content into the name: `app.3f2a91c8.js` (webpack, Parcel),
/// `index-BX3f9a1c.js` (Vite, Rollup), `app-TZ5S3EZJ.js` (esbuild), `3f2a91c8b2e1.css`.
///
/// A name that is wrongly taken for one would be kept for a year, a missed one is merely asked for once a day: so
/// dates, versions and words must not pass, at the price of the few hashes that look like them.
pub(super) fn is_fingerprinted(file_name: &str) -> bool {
    let mut parts = file_name.split('.').rev();
    let Some(_extension) = parts.next() else { return false };
    parts.any(|part| {
        let after_dash = |(_, token): (&str, &str)| is_hash(token);
        // The alphabet of base64url has a dash itself: such a hash is found by its length of eight.
        let last_eight = part.len().checked_sub(8).and_then(|at| part.split_at_checked(at));
        is_hash(part)
            || part.rsplit_once('-').is_some_and(after_dash)
            || last_eight.is_some_and(|(stem, token)| stem.ends_with('-') && is_hash(token))
    })
}

/// Whether a part of a name is a hash: hexadecimal of at least 8 digits, or exactly 8 of base32 or base64url.
fn is_hash(token: &str) -> bool {
    let bytes = token.as_bytes();
    let all = |of: fn(&u8) -> bool| bytes.iter().all(of);
    let has = |of: fn(&u8) -> bool| bytes.iter().any(of);
    let is_hex = (8..=128).contains(&bytes.len()) && all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_base32 = bytes.len() == 8 && all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let is_base64 = bytes.len() == 8
        && all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase);
    // Digits and letters mix in a hash; in `img12345`, `20240101` or `iPhone15` they don't.
    let mixes = bytes.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    // Where a word of letters alone begins anew: `MyWidget` once, `ToDoItem` twice.
    let humps = bytes.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    let joints = bytes.iter().filter(|byte| matches!(byte, b'-' | b'_')).count();
    ((is_hex || is_base32 || is_base64) && mixes >= 2) || (is_base64 && humps >= 1 && humps + mixes + joints >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_bundlers_are_recognised() {
        for name in [
            "app.3f2a91c8.js",
            "base.55e7cbb9ba48.css",
            "webpack-8fa1640cc84ba8fe.js",
            "chunk-5INU7TSO.js",
            "main.3f2a91c8.chunk.js",
            "app.3f2a91c8.js.map",
            "app.3f2a91c8b2e1d4f5a6b7.css",
            "index-BX3f9a1c.js",
            "index-D3f-9a1c.js",
            "index-C_9fB1-x.css",
            "my-page-BX3f9a1c.js",
            "app-TZ5SLEZ4.js".replace("SLEZ", "S3EZ").as_str(),
            "logo.5d5d9eef.svg",
            "3f2a91c8b2e1d4f5.woff2",
            "0a1b2c3d.js",
            "base.55e7cbb9ba48.css",
            "main-7d8a2f1e9b3c4d5e.js",
            "chunk-6O2KTQ4F.js",
            "main.1f0b2c9d8e7a6b5c.js",
            "index-DqXbXkZw.js",
            "vendor-bQz_XkWf.js",
        ] {
            assert!(is_fingerprinted(name), "{name}");
        }
    }

    #[test]
    fn dates_versions_and_words_are_not() {
        for name in [
            "app.js",
            "index.html",
            "report.20240101.pdf",
            "report-2024-01-01.pdf",
            "backup-20240101.zip",
            "my-document.js",
            "user-settings.js",
            "jquery-3.7.1.min.js",
            "photo-img12345.jpg",
            "photo-iPhone15.jpg",
            "DSC12345.jpg",
            "photo-IMG23456.jpg",
            "deadbeef.txt",
            "foo-MyWidget.js",
            "foo-ToDoItem.js",
            "foo-my_thing.js",
            "chunk-COMPUTER.js",
            "app.min.js",
            "3f2a91c",
            "3f2a91c8",
            "",
            ".",
            "é-ééééé.js",
        ] {
            assert!(!is_fingerprinted(name), "{name}");
        }
    }

    #[test]
    fn each_kind_of_file_has_its_time() {
        let policy = |configured, audience| CachePolicy { configured, ..CachePolicy::of_audience(audience) };
        let of = |policy: &CachePolicy, name| policy.of(name, &content_type::of(name));
        let everyone = policy(None, Audience::Everyone);
        assert_eq!(of(&everyone, "index.html"), "no-cache");
        assert_eq!(of(&everyone, "page.3f2a91c8.html"), "no-cache", "pages are never immutable");
        assert_eq!(of(&everyone, "app.3f2a91c8.js"), "public, max-age=31536000, immutable");
        assert_eq!(of(&everyone, "logo.png"), "public, max-age=86400");
        let client = policy(None, Audience::Client);
        for name in ["index.html", "app.3f2a91c8.js", "logo.png"] {
            assert!(of(&client, name).as_bytes().starts_with(b"private, "), "{name}");
        }
        let configured = policy(Some(HeaderValue::from_static("max-age=1")), Audience::Everyone);
        assert_eq!(of(&configured, "index.html"), "max-age=1");
    }
}
