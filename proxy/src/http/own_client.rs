//! Answers that are for one client only: no shared cache may keep them.
//!
//! The cookie of `sticky` binds whoever has it to an endpoint. A shared cache that keeps the answer which sets it would
//! hand one client's cookie to all, and a CDN's clients would all go to one endpoint. Such an answer is `private` (RFC 9111
//! section 5.2.2.7); how long its own client may keep it stays what the application says.

use crate::rules;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What allows a shared cache more than `private` would. A `private` with field names is among them: it forbids a shared
/// cache nothing but these fields, and where a directive comes twice some caches read the first (section 4.2.1).
const ALLOWING: [&[u8]; 3] = [b"public", b"s-maxage", b"private"];

/// Lets nobody keep an answer but its client.
pub(super) fn restrict(headers: &mut HeaderMap) {
    // Caches that know one of these do not look at `Cache-Control` (RFC 9213 section 2.2). `Expires` stays: it gives a
    // time, and does not say to whom (RFC 9111 section 5.3).
    let targeted = |name: &&HeaderName| {
        rules::is_about_caching(name) && **name != header::CACHE_CONTROL && **name != header::EXPIRES
    };
    let targeted: Vec<_> = headers.keys().filter(targeted).cloned().collect();
    targeted.iter().for_each(|name| drop(headers.remove(name)));

    let fields: Vec<_> = headers.get_all(header::CACHE_CONTROL).iter().cloned().collect();
    let directives = || fields.iter().flat_map(|field| Directives(field.as_bytes()));
    let forbids =
        |directive: &[u8]| [&b"private"[..], b"no-store"].iter().any(|one| directive.eq_ignore_ascii_case(one));
    let allows =
        |directive: &[u8]| !forbids(directive) && ALLOWING.iter().any(|one| name(directive).eq_ignore_ascii_case(one));
    if directives().any(forbids) && !directives().any(allows) {
        return;
    }
    let mut value = b"private".to_vec();
    for directive in directives().filter(|one| !allows(one) && !one.eq_ignore_ascii_case(b"private")) {
        value.extend_from_slice(b", ");
        value.extend_from_slice(directive);
    }
    // Pieces of values are a value.
    let value = HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static("private"));
    headers.insert(header::CACHE_CONTROL, value);
}

/// A directive's name.
fn name(directive: &[u8]) -> &[u8] {
    directive.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii()
}

/// The directives of a field: what commas separate that are not in quotes.
struct Directives<'a>(&'a [u8]);

impl<'a> Iterator for Directives<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let (mut quoted, mut escaped) = (false, false);
            let end = self.0.iter().position(|&byte| {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = quoted,
                    b'"' => quoted = !quoted,
                    _ => {}
                }
                byte == b',' && !quoted
            });
            let (directive, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
            self.0 = rest.get(1..).unwrap_or_default();
            let directive = directive.trim_ascii();
            if !directive.is_empty() {
                return Some(directive);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restricted(fields: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        restrict(&mut headers);
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[test]
    fn what_the_application_says_of_its_client_stays_and_shared_caches_are_shut_out() {
        for (said, wanted) in [
            (&[][..], "private"),
            (&["max-age=60"], "private, max-age=60"),
            (&["public, max-age=60, s-maxage=3600, immutable"], "private, max-age=60, immutable"),
            (&["PUBLIC", "S-MaxAge = 60", "no-cache"], "private, no-cache"),
            (&["no-cache=\"a, public\", public"], "private, no-cache=\"a, public\""),
            (&["no-cache=\"a\\\", public\", max-age=1"], "private, no-cache=\"a\\\", public\", max-age=1"),
            // Only the fields that it names are for the client.
            (&["private=\"x-a, x-b\", max-age=60"], "private, max-age=60"),
            (&["private, s-maxage=60"], "private"),
            (&["public, no-store"], "private, no-store"),
            // As it was.
            (&["Private, max-age=60"], "Private, max-age=60"),
            (&["no-store"], "no-store"),
            (&["must-revalidate , no-store"], "must-revalidate , no-store"),
            // What is no directive does no harm behind one that is.
            (&[" ,, ;public, =, no-cache=\"public"], "private, ;public, =, no-cache=\"public"),
            (&["\u{e9}"], "private, \u{e9}"),
        ] {
            let said: Vec<_> = said.iter().map(|value| ("cache-control", *value)).collect();
            assert_eq!(restricted(&said), [("cache-control".to_owned(), wanted.to_owned())], "{said:?}");
        }
    }

    #[test]
    fn what_only_some_caches_read_is_taken_off() {
        let said = [
            ("cdn-cache-control", "max-age=60"),
            ("example-cdn-cache-control", "max-age=60"),
            ("surrogate-control", "max-age=60"),
            ("x-accel-expires", "60"),
            ("expires", "Fri, 01 Jan 2038 00:00:00 GMT"),
        ];
        let wanted = [("expires", "Fri, 01 Jan 2038 00:00:00 GMT"), ("cache-control", "private")];
        assert_eq!(restricted(&said), wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
