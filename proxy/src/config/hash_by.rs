//! By what a consistent hash tells requests apart.

use http::HeaderName;
use std::fmt;

/// What requests have in common that go to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    /// Where the client really is, as trusted proxies tell.
    ClientAddress,
    /// Who the caller is, after verification.
    Identity,
    /// The value of a field.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(String),
}

impl HashBy {
    /// As it is written; `None`: nothing of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        // A cookie's name is a token like a field's (RFC 6265 section 4.1.1), but its case counts.
        let token = HeaderName::from_bytes(name.as_bytes()).ok();
        match (kind, token) {
            ("client-address", None) if kind == text => Some(Self::ClientAddress),
            ("identity", None) if kind == text => Some(Self::Identity),
            ("header", Some(name)) => Some(Self::Header(name)),
            ("cookie", Some(_)) => Some(Self::Cookie(name.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for HashBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientAddress => f.write_str("client-address"),
            Self::Identity => f.write_str("identity"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}
