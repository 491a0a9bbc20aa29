//! Whether a request with a cookie was made by a page of this very origin: browsers add cookies to what other sites
//! make them send, so the cookie alone proves nothing about who wanted the request.

use super::credentials::{cookies, single};
use super::presented::Presented;
use crate::config::WebOrigin;
use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue};
use serve::contract::csrf::{CSRF_COOKIE, X_CSRF_TOKEN};

/// How the page that made a request is related to where it goes (W3C Fetch Metadata section 2.3).
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a cookie may count in this request: safe methods change nothing (RFC 9110 section 9.2.1), and their answers
/// can't be read by other sites. A WebSocket is a GET whose answers can.
pub(super) fn is_trusted(request: &Presented<'_>, allowed: &[WebOrigin]) -> bool {
    let origin = only(request.headers, &ORIGIN);
    let is_allowed = || matches!(origin, Field::One(found) if allowed.iter().any(|allowed| allowed.is(found)));
    let is_own = || matches!(origin, Field::One(found) if WebOrigin::is_of(found, request.https, request.authority));
    if request.websocket {
        // Every browser sends it here, some nothing else (RFC 6455 section 10.2).
        return is_own() || is_allowed();
    }
    if request.method.is_safe() {
        return true;
    }
    match only(request.headers, &SEC_FETCH_SITE) {
        Field::One(site) => matches!(site.as_bytes(), b"same-origin" | b"none") || is_allowed(),
        Field::Absent => is_own() || is_allowed(),
        Field::Several => false,
    }
}

/// Whether the method, or a WebSocket, makes the double-submit token necessary. A page can't add a field to a
/// WebSocket's handshake; there the origin must do.
pub(super) fn needs_token(request: &Presented<'_>) -> bool {
    !request.websocket && !request.method.is_safe()
}

/// The double-submit token: the same in cookie and field, each there once.
pub(super) fn submitted_token(headers: &HeaderMap) -> Option<&[u8]> {
    let Field::One(field) = only(headers, &X_CSRF_TOKEN) else { return None };
    let cookie = single(cookies(headers, CSRF_COOKIE)).ok().flatten()?;
    (field.as_bytes() == cookie).then_some(cookie)
}

#[derive(Clone, Copy)]
enum Field<'r> {
    Absent,
    One(&'r HeaderValue),
    Several,
}

fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Field<'r> {
    let mut fields = headers.get_all(name).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Field::Absent,
        (Some(one), None) => Field::One(one),
        (Some(_), Some(_)) => Field::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn who_may_use_a_cookie() {
        let allowed = [WebOrigin::parse("https://app.example").expect("an origin")];
        let (site, origin) = ("sec-fetch-site", "origin");
        let (get, post) = (Method::GET, Method::POST);
        for (method, websocket, fields, expected) in [
            (&get, false, &[(site, "cross-site"), (origin, "https://evil.example")][..], true),
            (&Method::OPTIONS, false, &[], true),
            (&post, false, &[], false),
            (&post, false, &[(site, "same-origin")], true),
            (&post, false, &[(site, "none")], true),
            (&post, false, &[(site, "same-site")], false),
            (&post, false, &[(site, "cross-site")], false),
            (&post, false, &[(site, "Same-Origin")], false),
            (&post, false, &[(site, "same-origin"), (site, "cross-site")], false),
            (&post, false, &[(site, "cross-site"), (origin, "https://notes.example")], false),
            (&post, false, &[(site, "cross-site"), (origin, "https://app.example")], true),
            (&post, false, &[(site, "same-site"), (origin, "https://app.example")], true),
            (&post, false, &[(origin, "https://notes.example")], true),
            (&post, false, &[(origin, "https://NOTES.example:443")], true),
            (&post, false, &[(origin, "https://app.example")], true),
            (&post, false, &[(origin, "http://notes.example")], false),
            (&post, false, &[(origin, "https://notes.example:8443")], false),
            (&post, false, &[(origin, "https://notes.example.evil.example")], false),
            (&post, false, &[(origin, "https://app.example.evil.example")], false),
            (&post, false, &[(origin, "null")], false),
            (&post, false, &[(origin, "")], false),
            (&post, false, &[(origin, "https://notes.example"), (origin, "https://evil.example")], false),
            (&Method::DELETE, false, &[], false),
            (&Method::from_bytes(b"NOTE").expect("a method"), false, &[], false),
            (&get, true, &[], false),
            (&get, true, &[(site, "same-origin")], false),
            (&get, true, &[(origin, "https://notes.example")], true),
            (&get, true, &[(origin, "https://app.example")], true),
            (&get, true, &[(origin, "https://evil.example"), (site, "same-origin")], false),
        ] {
            let (headers, authority) = (headers(fields), HeaderValue::from_static("notes.example"));
            let request = Presented {
                method,
                headers: &headers,
                query: None,
                client: None,
                https: true,
                authority: &authority,
                websocket,
            };
            assert_eq!(is_trusted(&request, &allowed), expected, "{method} {websocket} {fields:?}");
        }
    }

    #[test]
    fn a_token_is_submitted_twice_and_alike() {
        for (fields, expected) in [
            (&[("cookie", "__Host-csrf=a"), ("x-csrf-token", "a")][..], Some("a")),
            (&[("cookie", "x=1; __Host-csrf=a"), ("x-csrf-token", "a")], Some("a")),
            (&[("cookie", "__Host-csrf=a")], None),
            (&[("x-csrf-token", "a")], None),
            (&[("cookie", "__Host-csrf=a"), ("x-csrf-token", "b")], None),
            (&[("cookie", "__Host-csrf=a; __Host-csrf=a"), ("x-csrf-token", "a")], None),
            (&[("cookie", "__Host-csrf=a"), ("x-csrf-token", "a"), ("x-csrf-token", "a")], None),
            (&[("cookie", "csrf=a"), ("x-csrf-token", "a")], None),
            (&[("cookie", "__Host-csrf="), ("x-csrf-token", "")], None),
        ] {
            assert_eq!(submitted_token(&headers(fields)), expected.map(str::as_bytes), "{fields:?}");
        }
    }
}
