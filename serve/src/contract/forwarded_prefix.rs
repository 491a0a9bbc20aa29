//! Which part of the path was cut off on the way: `X-Forwarded-Prefix`, for applications that write links.
//!
//! As with the other forwarded fields only a trusted peer's word counts; then what that peer has cut off stands before
//! what is cut off here.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The prefix that the client's path has and the application's path has not, without a final slash.
pub static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Bytes of a prefix that is taken over from a peer.
const PREFIX_BYTES_MAX: usize = 1024;

/// The prefix that a trusted peer has cut off: one field that holds a plain path without a final slash.
#[must_use]
pub fn read(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut fields = headers.get_all(&X_FORWARDED_PREFIX).iter();
    let prefix = fields.next().filter(|value| is_prefix(value.as_bytes()))?;
    fields.next().is_none().then(|| prefix.clone())
}

/// What the next hop is told: the peer's prefix, then the one that is cut off here.
#[must_use]
pub fn joined(peers: Option<HeaderValue>, own: Option<&HeaderValue>) -> Option<HeaderValue> {
    match (peers, own) {
        (Some(peers), Some(own)) => HeaderValue::from_bytes(&[peers.as_bytes(), own.as_bytes()].concat()).ok(),
        (peers, own) => peers.or_else(|| own.cloned()),
    }
}

/// What an application may put before a path without making another host, a query or a script of it.
fn is_prefix(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(byte);
    let segments = value.strip_prefix(b"/").map(|rest| rest.split(|&byte| byte == b'/'));
    value.len() <= PREFIX_BYTES_MAX
        && value.iter().all(plain)
        && segments.is_some_and(|mut segments| segments.all(|segment| !matches!(segment, b"" | b"." | b"..")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[&str], own: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&X_FORWARDED_PREFIX, HeaderValue::from_str(value).expect("a value"));
        }
        let prefix = joined(read(&headers), own.map(HeaderValue::from_static).as_ref());
        prefix.map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn prefixes_of_several_hops_are_joined() {
        assert_eq!(told(&[], None), None);
        assert_eq!(told(&[], Some("/api")).as_deref(), Some("/api"));
        assert_eq!(told(&["/outer/%7Ea"], None).as_deref(), Some("/outer/%7Ea"));
        assert_eq!(told(&["/outer"], Some("/api")).as_deref(), Some("/outer/api"));
    }

    #[test]
    fn what_is_no_plain_path_is_dropped() {
        let long = format!("/{}", "a".repeat(PREFIX_BYTES_MAX));
        for value in ["", "/", "//evil.example", "/a/", "/a//b", "a", "/a/../b", "/a?b", "/a b", "/\"", "/<", &long] {
            assert_eq!(told(&[value], Some("/api")).as_deref(), Some("/api"), "{value}");
        }
        assert_eq!(told(&["/a", "/b"], None), None);
    }
}
