//! The origin of a page, as browsers send it (RFC 6454 section 6.2).

use http::{HeaderValue, Uri};
use std::fmt;

/// An origin in the form of browsers: lower-case, without the usual port of its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// Reads `https://app.example:8443`; `None` if it is anything else: a path, a user, another scheme.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
        if authority.is_empty() || !authority.chars().all(plain) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let authority = without_usual_port(&scheme, authority)?.to_ascii_lowercase();
        // A port that is no number and an open bracket are found here.
        let uri: Uri = format!("{scheme}://{authority}").parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        (uri.port().is_some() || host.len() == authority.len()).then(|| Self(format!("{scheme}://{authority}")))
    }

    /// Whether the value of an `Origin` field is this origin.
    #[must_use]
    pub fn is(&self, field: &HeaderValue) -> bool {
        field.as_bytes().eq_ignore_ascii_case(self.0.as_bytes())
    }

    /// Whether the value of an `Origin` field is the origin of a request itself.
    #[must_use]
    pub fn is_of(field: &HeaderValue, https: bool, authority: &HeaderValue) -> bool {
        let scheme = if https { "https" } else { "http" };
        let own = authority.to_str().ok().and_then(|authority| without_usual_port(scheme, authority));
        let found = field.to_str().ok().and_then(|field| field.split_once("://"));
        let (Some(own), Some((found_scheme, found))) = (own, found) else { return false };
        found_scheme.eq_ignore_ascii_case(scheme)
            && without_usual_port(scheme, found)
                .is_some_and(|found| !found.is_empty() && found.eq_ignore_ascii_case(own))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `None`: a scheme that no page has.
fn without_usual_port<'a>(scheme: &str, authority: &'a str) -> Option<&'a str> {
    let usual = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    Some(authority.strip_suffix(usual).unwrap_or(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_in_the_form_of_browsers() {
        for (text, expected) in [
            ("https://app.example", Some("https://app.example")),
            ("HTTPS://App.Example:443", Some("https://app.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://localhost:80", Some("http://localhost")),
            ("https://[::1]:8443", Some("https://[::1]:8443")),
            ("https://app.example/", None),
            ("https://app.example/path", None),
            ("https://ann@app.example", None),
            ("https://app.example:port", None),
            ("https://[::1", None),
            ("https://*.example", None),
            ("https://", None),
            ("app.example", None),
            ("ftp://app.example", None),
            ("null", None),
            ("*", None),
        ] {
            assert_eq!(WebOrigin::parse(text).map(|origin| origin.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_own_origin_is_scheme_host_and_port() {
        for (field, https, authority, expected) in [
            ("https://a.example", true, "a.example", true),
            ("https://a.example", true, "A.example:443", true),
            ("http://a.example", false, "a.example:80", true),
            ("http://a.example:8080", false, "a.example:8080", true),
            ("http://a.example", true, "a.example", false),
            ("https://a.example", true, "a.example:80", false),
            ("https://b.example", true, "a.example", false),
            ("https://", true, "", false),
            ("null", true, "null", false),
        ] {
            let (field, authority) = (HeaderValue::from_static(field), HeaderValue::from_static(authority));
            assert_eq!(WebOrigin::is_of(&field, https, &authority), expected, "{field:?} {authority:?}");
        }
    }
}
