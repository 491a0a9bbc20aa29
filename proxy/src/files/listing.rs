//! What is in a directory, for a route that shows it: as HTML for people, as JSON for programs. Read beside the workers,
//! every time: nothing of it is kept.

use super::answer::respond;
use super::body::FileBody;
use super::cache_control::Audience;
use super::entries::{ENTRIES_MAX, Entry, Listing};
use super::error::FileError;
use super::find::Tree;
use super::path::{HiddenNames, RelativePath};
use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use std::fmt::Write as _;
use std::time::SystemTime;

/// All but the unreserved characters (RFC 3986 section 2.3).
const IN_LINKS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Answers with what is in a directory.
///
/// # Errors
/// [`FileError::NotFound`] when it is none.
pub(super) async fn serve(
    tree: &Tree,
    path: &RelativePath,
    hidden: HiddenNames,
    request: &HeaderMap,
) -> Result<Response<FileBody>, FileError> {
    let (root, directory, as_json) = (tree.root.clone(), path.clone(), prefers_json(request));
    let listed = tree.root.disk().ask(move || {
        let listing = root.list(&directory, hidden)?;
        Ok::<_, FileError>(if as_json { listing.to_json() } else { listing.to_html(directory.as_str()) })
    });
    let text = listed.await??;
    let content_type = if as_json { "application/json" } else { "text/html; charset=utf-8" };
    let control = match tree.cache_policy.audience {
        Audience::Everyone => "no-cache",
        Audience::Client => "private, no-cache",
    };
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static(control)),
        (VARY, HeaderValue::from_static("Accept")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Names are escaped; this is the second wall.
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
    ]);
    Ok(respond(StatusCode::OK, headers, FileBody::memory(Bytes::from(text))))
}

impl Listing {
    fn to_json(&self) -> String {
        let entry = |entry: &Entry| {
            let modified = entry.modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            let kind = if entry.bytes.is_some() { "file" } else { "directory" };
            json!({
                "name": entry.name,
                "type": kind,
                "bytes": entry.bytes,
                "modified": modified.map(|since| since.as_secs()),
            })
        };
        let entries: Vec<_> = self.entries.iter().map(entry).collect();
        json!({ "entries": entries, "complete": !self.is_cut }).to_string()
    }

    fn to_html(&self, directory: &str) -> String {
        let title = escaped(directory);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>/{title}</title>\n<h1>/{title}</h1>\n<ul>\n"
        );
        if !directory.is_empty() {
            page.push_str("<li><a href=\"../\">../</a>\n");
        }
        for Entry { name, bytes, .. } in &self.entries {
            let slash = if bytes.is_some() { "" } else { "/" };
            let link = utf8_percent_encode(name, IN_LINKS);
            // With `./`, so that no name is taken for a scheme. Writing into a text does not fail.
            let _ = write!(page, "<li><a href=\"./{link}{slash}\">{}{slash}</a>", escaped(name));
            if let Some(bytes) = bytes {
                let _ = write!(page, " {bytes} bytes");
            }
            page.push('\n');
        }
        page.push_str("</ul>\n");
        if self.is_cut {
            let _ = writeln!(page, "<p>There is more: only {ENTRIES_MAX} entries are shown.</p>");
        }
        page
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Whether JSON is named and liked better than HTML.
fn prefers_json(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    let quality = |wanted: &str| {
        let named = ranges.iter().map(|range| range.split(';').map(str::trim)).find_map(|mut parts| {
            let is_named = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(wanted));
            is_named.then(|| parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0))
        });
        named.unwrap_or(0.0)
    };
    quality("application/json") > quality("text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, bytes: Option<u64>) -> Entry {
        Entry { name: name.to_owned(), bytes, modified: Some(SystemTime::UNIX_EPOCH) }
    }

    #[test]
    fn directories_come_first_and_everything_is_escaped() {
        let entries = vec![
            entry("b.txt", Some(3)),
            entry("<script>alert(1)</script>", Some(1)),
            entry("javascript:alert('x')&\"", Some(1)),
            entry("zoo", None),
            entry("100% é?#", Some(0)),
        ];
        let mut listing = Listing { entries, is_cut: true };
        listing.sort();
        let names: Vec<_> = listing.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["zoo", "100% é?#", "<script>alert(1)</script>", "b.txt", "javascript:alert('x')&\""]);
        let page = listing.to_html("a/<b>");
        assert!(page.contains("<h1>/a/&lt;b&gt;</h1>") && page.contains("<a href=\"../\">"));
        assert!(page.contains("<a href=\"./zoo/\">zoo/</a>"));
        assert!(page.contains("<a href=\"./100%25%20%C3%A9%3F%23\">100% é?#</a> 0 bytes"));
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
        assert!(page.contains("\"./javascript%3Aalert%28%27x%27%29%26%22\">javascript:alert(&#39;x&#39;)&amp;&quot;<"));
        assert!(page.contains("There is more"));
        let json: serde_json::Value = serde_json::from_str(&listing.to_json()).expect("JSON");
        assert_eq!(json["complete"], false);
        assert_eq!(json["entries"][0], json!({ "name": "zoo", "type": "directory", "bytes": null, "modified": 0 }));
        assert_eq!(json["entries"][2]["name"], "<script>alert(1)</script>");
        assert!(!Listing::default().to_html("").contains("../"), "nothing is above the root");
    }

    #[test]
    fn json_is_for_who_likes_it_better() {
        for (accept, json) in [
            ("application/json", true),
            ("application/json, text/html;q=0.5", true),
            ("text/html, application/json;q=0.9", false),
            ("text/html, application/json", false),
            ("application/json;q=0", false),
            ("*/*", false),
            ("", false),
        ] {
            let request = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(prefers_json(&request), json, "{accept}");
        }
    }
}
