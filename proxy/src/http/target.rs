//! Which host and path a request is for (RFC 9110 section 7.1, RFC 9112 section 3.2), and its query without a token.

use super::error::Cause;
use http::uri::Authority;
use http::{HeaderValue, Uri, Version, header, request};

/// The host that a request is for, as the client wrote it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// With the port, if the client gave one.
    pub(super) authority: HeaderValue,
    host_end: usize,
}

impl Target {
    /// Reads the host.
    ///
    /// # Errors
    /// No host, several, a malformed one, or two that disagree: each server would choose another.
    pub(super) fn read(head: &request::Parts) -> Result<Self, Cause> {
        let mut fields = head.headers.get_all(header::HOST).iter();
        let field = fields.next();
        if fields.next().is_some() {
            return Err(Cause::Host("more than one Host field"));
        }
        let from_uri = head.uri.authority();
        if field.is_none() && head.version == Version::HTTP_11 {
            // Whatever the target says (RFC 9112 section 3.2).
            return Err(Cause::Host("no Host field"));
        }
        let authority = match (from_uri, field) {
            (Some(uri), Some(field)) if !uri.as_str().as_bytes().eq_ignore_ascii_case(field.as_bytes()) => {
                return Err(Cause::Host("the request target and the Host field disagree"));
            }
            (_, Some(field)) => field.clone(),
            (Some(uri), None) => HeaderValue::from_str(uri.as_str()).map_err(|_| Cause::Host("malformed authority"))?,
            (None, None) if head.version == Version::HTTP_10 => HeaderValue::from_static("localhost"),
            (None, None) => return Err(Cause::Host("no Host field")),
        };
        let host_end = host_end(authority.as_bytes()).ok_or(Cause::Host("malformed Host field"))?;
        Ok(Self { authority, host_end })
    }

    /// The host without the port.
    pub(super) fn host(&self) -> &str {
        // It was found to be plain, so this is only a formality.
        let host = self.authority.as_bytes().get(..self.host_end);
        host.and_then(|host| std::str::from_utf8(host).ok()).unwrap_or_default()
    }
}

/// Where the host ends and an optional port begins; `None` when this is no `host [":" port]`.
fn host_end(text: &[u8]) -> Option<usize> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if text.first() != Some(&b'[') {
        let end = memchr::memchr(b':', text).unwrap_or(text.len());
        let port = text.get(end + 1..).unwrap_or_default();
        let sound = end > 0 && text[..end].iter().all(plain) && port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
        return sound.then_some(end);
    }
    // An address literal in brackets: rare, so the general parser may do it.
    let authority: Authority = std::str::from_utf8(text).ok()?.parse().ok()?;
    let literal = authority.host();
    literal.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().ok()?;
    let port = text.get(literal.len()..).unwrap_or_default();
    let sound = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    sound.then_some(literal.len())
}

/// A token in the query must not reach the application's log (RFC 6750 section 5.3).
pub(super) fn remove_query_token(uri: &mut Uri, parameter: Option<&str>) {
    let (Some(parameter), Some(query)) = (parameter, uri.query()) else { return };
    let kept: Vec<_> = query.split('&').filter(|pair| pair.split('=').next() != Some(parameter)).collect();
    let path = uri.path();
    let rebuilt = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    if let Ok(target) = rebuilt.parse() {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(target);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn read(uri: &str, version: Version, hosts: &[&str]) -> Result<String, String> {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Target::read(&head).map(|target| target.host().to_owned()).map_err(|cause| cause.to_string())
    }

    #[test]
    fn one_host_and_only_one() {
        let ok = |uri, version, hosts: &[&str]| read(uri, version, hosts).expect(uri);
        assert_eq!(ok("/", Version::HTTP_11, &["example.com:8443"]), "example.com");
        assert_eq!(ok("/", Version::HTTP_11, &["[::1]:8443"]), "[::1]");
        assert_eq!(ok("/", Version::HTTP_10, &[]), "localhost");
        assert_eq!(ok("https://example.com/", Version::HTTP_2, &[]), "example.com");
        assert_eq!(ok("http://Example.com/", Version::HTTP_11, &["example.com"]), "example.com");
    }

    #[test]
    fn none_several_or_malformed_hosts_are_refused() {
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "a"]),
            ("/", &[""]),
            ("/", &["a b"]),
            ("/", &["a@b"]),
            ("/", &["a:port"]),
            ("/", &["a:123456"]),
            ("/", &["[::1"]),
            ("/", &["[zz]"]),
            ("/", &["[::1]a"]),
            ("/", &["[::1]:a"]),
            ("http://a/", &[]),
            ("http://a/", &["b"]),
        ] {
            assert!(read(uri, Version::HTTP_11, hosts).is_err(), "{uri} {hosts:?}");
        }
    }
}
