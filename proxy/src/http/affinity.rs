//! What a request has in common with others that go to the same endpoint.

use super::context::RequestContext;
use crate::auth::Permit;
use crate::config::HashBy;
use crate::upstream::{Affinity, Sticky, number};
use http::{HeaderMap, header};

/// Without what it is told apart by, a request goes where there is least to do.
pub(super) fn affinity(
    by: Option<&HashBy>,
    sticky: Option<&Sticky>,
    headers: &HeaderMap,
    context: &RequestContext,
    permit: &Permit,
) -> Affinity {
    let hash = by.and_then(|by| match by {
        HashBy::ClientAddress => context.origin.client.map(|client| match client.to_canonical() {
            std::net::IpAddr::V4(ip) => number(&ip.octets()),
            std::net::IpAddr::V6(ip) => number(&ip.octets()),
        }),
        HashBy::Identity => permit.verified().map(|verified| number(verified.subject().as_bytes())),
        HashBy::Header(name) => headers.get(name).map(|value| number(value.as_bytes())),
        HashBy::Cookie(name) => cookie(headers, name).map(number),
    });
    let sticky = sticky.and_then(|sticky| sticky.open(cookie(headers, sticky.name())?));
    Affinity { hash, sticky }
}

/// The first cookie of this name.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let pairs =
        headers.get_all(header::COOKIE).into_iter().flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_of_the_very_name_counts() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "aa=1; a = 2;a=3".parse().expect("a value"));
        headers.append(header::COOKIE, "a=4; A=5".parse().expect("a value"));
        assert_eq!(cookie(&headers, "a"), Some(&b"3"[..]));
        assert_eq!(cookie(&headers, "A"), Some(&b"5"[..]));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
