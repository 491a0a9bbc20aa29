//! Tokens in cookies, for pages that should never hold one.

use std::fmt;
use std::str::FromStr;

/// Tokens travel in `__Host-` cookies and never in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserConfig {
    /// Whose pages may use them where the browser sends no `Sec-Fetch-Site`: the origins that people see in the address
    /// bar.
    pub origins: Vec<Origin>,
}

/// An origin as browsers write it: scheme, host and, unless it is the scheme's own, port (RFC 6454 section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an origin such as \"https://example.com\" or \"https://localhost:8443\": scheme, host and port, nothing more"
)]
pub struct BadOrigin;

impl Origin {
    /// As browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let uri: http::Uri = text.parse().map_err(|_| BadOrigin)?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme)).ok_or(BadOrigin)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(BadOrigin)?;
        let host = authority.host().to_ascii_lowercase();
        let default = if scheme == "https" { 443 } else { 80 };
        let origin = match authority.port_u16() {
            Some(port) if port != default => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        // What is left over would never be the same as what a browser sends.
        let whole = [origin.as_str(), &format!("{origin}:{default}")].iter().any(|o| text.eq_ignore_ascii_case(o));
        if whole { Ok(Self(origin)) } else { Err(BadOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("https://example.com", Some("https://example.com")),
            ("HTTPS://Example.com:443", Some("https://example.com")),
            ("https://localhost:8443", Some("https://localhost:8443")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("https://example.com/", None),
            ("https://example.com/path", None),
            ("https://user@example.com", None),
            ("ftp://example.com", None),
            ("example.com", None),
            ("null", None),
            ("", None),
        ] {
            let parsed = text.parse::<Origin>().ok();
            assert_eq!(parsed.as_ref().map(Origin::as_str), origin, "{text}");
        }
    }
}
