//! What changes about a message on its way: header fields, the path, the `Host`.

use super::Template;
use http::HeaderValue;
use http::uri::Authority;
use std::net::Ipv6Addr;

/// What happens to the header fields of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRule {
    /// They are replaced by one with this value.
    Set(Template),
    /// One more with this value.
    Add(Template),
    /// They are removed.
    Remove,
}

/// How the path changes on its way to the upstream. With neither it goes on byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathRule {
    /// Cut off; a literal prefix of the route's match.
    pub strip_prefix: Option<PathPrefix>,
    /// Put before what is left.
    pub add_prefix: Option<PathPrefix>,
}

/// A path of literal segments, at least one and none empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix {
    /// As written.
    pub text: String,
    /// Percent-decoded.
    pub segments: Vec<String>,
}

/// The `Host` of a forwarded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPolicy {
    /// As the client wrote it.
    Preserve,
    /// The chosen endpoint's own name and port.
    Upstream,
    /// Always this one.
    Fixed(HeaderValue),
}

impl HostPolicy {
    /// A name or an address literal, with or without a port; `None` for anything else (RFC 9110 section 7.2).
    pub(super) fn fixed(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let port = authority.as_str().strip_prefix(authority.host())?;
        let sound_port = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok_and(|port| port > 0);
        let literal = |host: &str| host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let sound = authority.host().chars().all(plain) || literal(authority.host()).is_some();
        (sound && sound_port).then(|| HeaderValue::try_from(text).ok().map(Self::Fixed)).flatten()
    }
}
