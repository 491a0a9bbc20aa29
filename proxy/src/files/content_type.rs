//! The content type of a file, by its extension.

use http::HeaderValue;

/// Types that are text without saying so in their name; like all text they are served as UTF-8.
const TEXTUAL: &[&str] = &[
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
];

/// The `Content-Type` for a file name; bytes without a meaning when the extension says nothing.
pub(crate) fn of(file_name: &str) -> HeaderValue {
    let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let essence = essence(extension);
    if essence.starts_with("text/") || TEXTUAL.contains(&essence) {
        HeaderValue::try_from(format!("{essence}; charset=utf-8")).unwrap_or(HeaderValue::from_static(essence))
    } else {
        HeaderValue::from_static(essence)
    }
}

/// Whether this is a page: what a browser navigates to.
pub(super) fn is_page(content_type: &HeaderValue) -> bool {
    let value = content_type.as_bytes();
    value.starts_with(b"text/html") || value.starts_with(b"application/xhtml+xml")
}

fn essence(extension: &str) -> &'static str {
    // Where the table of mime_guess is older than RFC 9239, knows only a rare meaning, or has none.
    match extension.to_ascii_lowercase().as_str() {
        "mjs" | "cjs" => "text/javascript",
        "map" => "application/json",
        "ts" => "video/mp2t",
        extension => mime_guess::from_ext(extension).first_raw().unwrap_or("application/octet-stream"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8_and_the_rest_is_plain() {
        let table = [
            ("index.html", "text/html; charset=utf-8"),
            ("INDEX.HTM", "text/html; charset=utf-8"),
            ("app.3f2a91c8.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("app.css", "text/css; charset=utf-8"),
            ("app.js.map", "application/json; charset=utf-8"),
            ("data.json", "application/json; charset=utf-8"),
            ("icon.svg", "image/svg+xml; charset=utf-8"),
            ("site.webmanifest", "application/manifest+json; charset=utf-8"),
            ("robots.txt", "text/plain; charset=utf-8"),
            ("feed.xml", "text/xml; charset=utf-8"),
            ("photo.avif", "image/avif"),
            ("photo.jpg", "image/jpeg"),
            ("font.woff2", "font/woff2"),
            ("code.wasm", "application/wasm"),
            ("video.mp4", "video/mp4"),
            ("part.ts", "video/mp2t"),
            ("archive.tar.gz", "application/gzip"),
            ("LICENSE", "application/octet-stream"),
            ("name.unknown-to-all", "application/octet-stream"),
            ("dot.", "application/octet-stream"),
        ];
        for (name, expected) in table {
            assert_eq!(of(name), expected, "{name}");
        }
    }

    #[test]
    fn pages_are_what_browsers_navigate_to() {
        assert!(is_page(&of("index.html")));
        assert!(is_page(&of("index.xhtml")));
        assert!(!is_page(&of("app.js")));
        assert!(!is_page(&of("LICENSE")));
    }
}
