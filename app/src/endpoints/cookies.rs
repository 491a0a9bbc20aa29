//! Tokens in cookies: what is set, what is read, and what must hold before a cookie counts.
//!
//! A browser sends cookies along whoever asks for it. So a request that changes something must come from a page of ours
//! (`Sec-Fetch-Site: same-origin`, or an allowed `Origin` from a browser that sends none) and repeat, in a field, a
//! token that only our pages can read.

use crate::config::{BrowserConfig, Origin, TokensConfig};
use crate::edge::Edge;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serve::contract::csrf::{CSRF_COOKIE, CSRF_NONCE_BYTES, X_CSRF_TOKEN};
use std::time::Duration;
use uuid::Uuid;

/// The cookie that the edge reads the access token from.
pub(super) const ACCESS: &str = "__Host-access";
/// The cookie of the refresh token.
pub(super) const REFRESH: &str = "__Host-refresh";

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a cookie does not count. In Django's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsrfFault {
    /// Another site's page, or no page at all.
    #[error("CSRF Failed: Origin checking failed.")]
    Origin,
    /// No token in the field or in the cookie.
    #[error("CSRF Failed: CSRF token missing.")]
    Missing,
    /// Not the same in both, or not of this session.
    #[error("CSRF Failed: CSRF token incorrect.")]
    Incorrect,
}

/// Refuses requests of other sites' pages.
pub(super) fn check_origin(headers: &HeaderMap, browser: &BrowserConfig) -> Result<(), CsrfFault> {
    let same = if headers.contains_key(&SEC_FETCH_SITE) {
        only(headers, &SEC_FETCH_SITE) == Some("same-origin")
    } else {
        let origin = only(headers, &ORIGIN).and_then(|origin| origin.parse::<Origin>().ok());
        origin.is_some_and(|origin| browser.origins.contains(&origin))
    };
    if same { Ok(()) } else { Err(CsrfFault::Origin) }
}

/// Whether the CSRF token stands in the field as in the cookie, and is one of this session.
pub(super) fn check_csrf(edge: &Edge, headers: &HeaderMap, session: Uuid) -> Result<(), CsrfFault> {
    let told = only(headers, &X_CSRF_TOKEN).ok_or(CsrfFault::Missing)?;
    let kept = read(headers, CSRF_COOKIE).ok_or(CsrfFault::Missing)?;
    let same = told == kept && edge.accepts_csrf(&claim(session), told);
    if same { Ok(()) } else { Err(CsrfFault::Incorrect) }
}

/// A CSRF token for this session.
pub(super) fn mint_csrf(edge: &Edge, session: Uuid) -> String {
    let nonce: [u8; CSRF_NONCE_BYTES] = Uuid::new_v4().into_bytes();
    edge.mint_csrf(&claim(session), nonce)
}

/// As the session stands in tokens, which is how the edge knows it.
fn claim(session: Uuid) -> String {
    session.simple().to_string()
}

/// Sets the cookies of a sign-in or a refresh.
pub(super) fn give(headers: &mut HeaderMap, config: &TokensConfig, access: &str, refresh: Option<&str>, csrf: &str) {
    set(headers, ACCESS, access, config.access_lifetime, true);
    if let Some(refresh) = refresh {
        set(headers, REFRESH, refresh, config.refresh_lifetime, true);
    }
    // Pages read it.
    set(headers, CSRF_COOKIE, csrf, config.refresh_lifetime, false);
}

/// Takes the cookies back.
pub(super) fn take(headers: &mut HeaderMap) {
    for name in [ACCESS, REFRESH, CSRF_COOKIE] {
        set(headers, name, "", Duration::ZERO, name != CSRF_COOKIE);
    }
}

/// The prefix `__Host-` asks for `Secure`, `Path=/` and no `Domain` (draft-ietf-httpbis-rfc6265bis section 4.1.3.2).
fn set(headers: &mut HeaderMap, name: &str, value: &str, lifetime: Duration, hidden: bool) {
    let hidden = if hidden { "; HttpOnly" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={}; Secure; SameSite=Strict{hidden}", lifetime.as_secs());
    // Tokens are base64url and dots.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// The value of a cookie. Of two with one name nobody knows which is ours, so there is none.
pub(super) fn read<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(found, value)| (found == name).then_some(value));
    values.next().filter(|value| !value.is_empty() && values.next().is_none())
}

/// The value of a field that is there exactly once.
fn only<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_pages_of_ours_may_use_a_cookie() {
        let browser = BrowserConfig { origins: vec!["https://example.com".parse().expect("an origin")] };
        for (fields, allowed) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://example.com")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "https://example.com")], true),
            (&[("origin", "https://example.com.evil.test")], false),
            (&[("origin", "http://example.com")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://example.com"), ("origin", "https://example.com")], false),
            (&[], false),
        ] {
            assert_eq!(check_origin(&headers(fields), &browser).is_ok(), allowed, "{fields:?}");
        }
    }

    #[test]
    fn a_cookie_is_read_where_it_stands_once() {
        let two = headers(&[("cookie", "a=1; __Host-access=x"), ("cookie", "b = 2;c=3")]);
        assert_eq!((read(&two, ACCESS), read(&two, "c"), read(&two, "d")), (Some("x"), Some("3"), None));
        for line in ["__Host-access=x; __Host-access=y", "__Host-access=", "x__Host-access=x", "__Host-access"] {
            assert_eq!(read(&headers(&[("cookie", line)]), ACCESS), None, "{line}");
        }
    }

    #[test]
    fn the_csrf_token_stands_twice_and_is_the_sessions_own() {
        let key = Edge::new(&[[1; 32], [2; 32]], "app");
        let (session, other) = (Uuid::new_v4(), Uuid::new_v4());
        let token = mint_csrf(&key, session);
        let sent = |field: &str, cookie: &str| {
            let mut headers = HeaderMap::new();
            if !field.is_empty() {
                headers.insert(X_CSRF_TOKEN.clone(), field.parse().expect("a value"));
            }
            headers.insert(COOKIE, format!("{CSRF_COOKIE}={cookie}").parse().expect("a value"));
            headers
        };
        let second = mint_csrf(&key, session);
        assert_eq!(check_csrf(&key, &sent(&token, &token), session), Ok(()));
        assert_eq!(check_csrf(&key, &sent(&token, &token), other), Err(CsrfFault::Incorrect));
        assert_eq!(check_csrf(&key, &sent(&token, &second), session), Err(CsrfFault::Incorrect));
        assert_eq!(check_csrf(&key, &sent("", &token), session), Err(CsrfFault::Missing));
        assert_eq!(check_csrf(&key, &sent(&token, ""), session), Err(CsrfFault::Missing));
    }
}
