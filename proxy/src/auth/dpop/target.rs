//! The address that a proof is for, compared as RFC 9449 section 4.3 says: without query and fragment, after the
//! normalisation of RFC 3986 sections 6.2.2 and 6.2.3.

use http::uri::Authority;
use std::net::Ipv6Addr;

/// An address with one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpTarget {
    https: bool,
    host: String,
    port: u16,
    path: String,
}

impl HttpTarget {
    /// Of a request: how the client spoke, the host it asked for (with a port, if it wrote one) and the path as it came.
    pub(super) fn of_request(https: bool, authority: &[u8], path: &str) -> Option<Self> {
        Self::new(https, str::from_utf8(authority).ok()?, path)
    }

    /// Of `htu`: an absolute address of http or https.
    pub(super) fn parse(htu: &str) -> Option<Self> {
        let htu = htu.split(['?', '#']).next()?;
        let (scheme, rest) = htu.split_once("://")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self::new(https, authority, path)
    }

    fn new(https: bool, authority: &str, path: &str) -> Option<Self> {
        // Nobody's name or password stands in an address that is compared.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Some(Self { https, host: host_of(host)?, port, path: normal_path(path)? })
    }
}

/// A port that is left out or empty is the scheme's own.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let parsed: Authority = authority.parse().ok()?;
    let host_bytes = parsed.host().len();
    let (host, rest) = authority.split_at(host_bytes);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        None => None,
        Some("") => Some((host, None)),
        Some(port) => {
            port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())?.map(|port| (host, Some(port)))
        }
    }
}

fn host_of(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Percent-encoded letters that need no encoding are written plain, the others in upper case; dot segments are resolved;
/// no path is `/`. `None` for what is no path.
fn normal_path(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len().max(1));
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                let decoded = char::from_u32(high * 16 + low)?;
                if decoded.is_ascii_alphanumeric() || matches!(decoded, '-' | '.' | '_' | '~') {
                    out.push(decoded);
                } else {
                    out.push_str(&format!("%{high:X}{low:X}"));
                }
            }
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(without_dots(&out))
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = rest.next() {
        let last = rest.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if last {
                    segments.push("");
                }
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_same_however_they_are_spelled() {
        let request = |https, authority: &str, path: &str| HttpTarget::of_request(https, authority.as_bytes(), path);
        for (htu, https, authority, path, same) in [
            ("https://a.example/x", true, "a.example", "/x", true),
            ("HTTPS://A.Example:443/x", true, "a.example", "/x", true),
            ("https://a.example:/x", true, "a.example", "/x", true),
            ("https://a.example/x?y=1#z", true, "a.example:443", "/x", true),
            ("https://a.example", true, "a.example", "/", true),
            ("https://a.example?x", true, "a.example", "/", true),
            ("http://a.example:80/", false, "a.example", "/", true),
            ("https://a.example:8443/x", true, "a.example:8443", "/x", true),
            ("https://a.example/%7Eu%2fv", true, "a.example", "/~u%2Fv", true),
            ("https://a.example/a/./b/../x", true, "a.example", "/a/x", true),
            ("https://a.example/a/..", true, "a.example", "/", true),
            ("https://[2001:db8::0:1]/x", true, "[2001:db8::1]:443", "/x", true),
            ("https://a.example/x", false, "a.example", "/x", false),
            ("https://a.example:8443/x", true, "a.example", "/x", false),
            ("https://b.example/x", true, "a.example", "/x", false),
            ("https://a.example/X", true, "a.example", "/x", false),
            ("https://a.example/x/", true, "a.example", "/x", false),
            ("https://a.example//x", true, "a.example", "/x", false),
            ("https://a.example/%2Fx", true, "a.example", "//x", false),
        ] {
            let htu_target = HttpTarget::parse(htu);
            assert!(htu_target.is_some(), "{htu}");
            assert_eq!(htu_target == request(https, authority, path), same, "{htu} {https} {authority} {path}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for htu in [
            "",
            "/x",
            "a.example/x",
            "https:/a.example/x",
            "ftp://a.example/x",
            "https://",
            "https:///x",
            "https://user@a.example/x",
            "https://user:word@a.example/x",
            "https://a.example:99999/x",
            "https://a.example:+80/x",
            "https://[::1/x",
            "https://[x]/x",
            "https://a.example/%",
            "https://a.example/%2",
            "https://a.example/%zz",
            "https://a.example/a b",
            "https://a.example/é",
            "https://a b/x",
        ] {
            assert_eq!(HttpTarget::parse(htu), None, "{htu:?}");
        }
    }
}
