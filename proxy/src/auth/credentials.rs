//! Where a request carries its token, and its removal before the request goes upstream.

use crate::config::TokenSource;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

/// Why no token could be taken from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialsProblem {
    /// More than one credential (RFC 6750 section 2): which one counts would depend on who looks.
    Several,
    /// `Bearer` without exactly one word after it.
    Malformed,
}

/// A token, and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'r> {
    /// As it stands in the request.
    pub(crate) token: &'r [u8],
    /// Whether it is a cookie, which browsers send by themselves.
    pub(crate) from_cookie: bool,
}

/// The token of a request, from the places that the route names. An `Authorization` of another scheme is none.
pub(crate) fn find<'r>(
    sources: &'r [TokenSource],
    headers: &'r HeaderMap,
    query: Option<&'r str>,
) -> Result<Option<Found<'r>>, CredentialsProblem> {
    let mut found = None;
    for source in sources {
        let token = match source {
            TokenSource::Header => bearer(headers)?,
            TokenSource::Cookie(name) => single(cookies(headers, name))?,
            TokenSource::Query(name) => single(parameters(query.unwrap_or_default(), name))?,
        };
        if let Some(token) = token
            && found.replace(Found { token, from_cookie: matches!(source, TokenSource::Cookie(_)) }).is_some()
        {
            return Err(CredentialsProblem::Several);
        }
    }
    Ok(found)
}

/// `Authorization: Bearer TOKEN` (RFC 9110 section 11.4): the scheme in any case, then spaces, then one word.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, CredentialsProblem> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(CredentialsProblem::Several);
    }
    let field = field.as_bytes();
    let (scheme, rest) = field.split_at(memchr::memchr(b' ', field).unwrap_or(field.len()));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let token = rest.trim_ascii();
    // The only blanks that a field value can hold.
    if token.is_empty() || memchr::memchr2(b' ', b'\t', token).is_some() {
        return Err(CredentialsProblem::Malformed);
    }
    Ok(Some(token))
}

/// The values of a cookie (RFC 6265 section 5.4); an empty one is what a sign-out leaves behind.
pub(super) fn cookies<'r>(headers: &'r HeaderMap, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    headers.get_all(COOKIE).iter().flat_map(|field| pairs(field.as_bytes())).filter_map(move |pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        (!value.is_empty()).then_some(value)
    })
}

fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|&byte| byte == b';').map(<[u8]>::trim_ascii)
}

/// The values of a query parameter. A token needs no percent-encoding, so none is undone.
fn parameters<'r>(query: &'r str, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    query.split('&').filter_map(move |pair| {
        let (found, value) = pair.split_once('=')?;
        (found == name && !value.is_empty()).then_some(value.as_bytes())
    })
}

/// The only value, if there is one.
pub(super) fn single<'r>(mut values: impl Iterator<Item = &'r [u8]>) -> Result<Option<&'r [u8]>, CredentialsProblem> {
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(CredentialsProblem::Several),
        (one, None) => Ok(one),
    }
}

/// Removes the credentials that the edge has dealt with: `Authorization` always, the cookies that `sources` name.
pub(crate) fn remove(sources: &[TokenSource], headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    for source in sources {
        if let TokenSource::Cookie(name) = source
            && cookies(headers, name).next().is_some()
        {
            remove_cookie(headers, name);
        }
    }
}

fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let is_other = |pair: &&[u8]| pair.strip_prefix(name.as_bytes()).is_none_or(|rest| !rest.starts_with(b"="));
    let kept: Vec<HeaderValue> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| {
            let kept = pairs(field.as_bytes()).filter(is_other).collect::<Vec<_>>().join(&b"; "[..]);
            // Parts of a valid value make a valid value.
            if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
        })
        .collect();
    headers.remove(COOKIE);
    for field in kept {
        headers.append(COOKIE, field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_token_is_found_where_the_route_says_and_only_one() {
        use CredentialsProblem::{Malformed, Several};
        let header = || vec![TokenSource::Header];
        let both = || vec![TokenSource::Header, TokenSource::Cookie("__Host-access".into())];
        let query = || vec![TokenSource::Query("access_token".into())];
        for (sources, fields, uri_query, expected) in [
            (header(), &[][..], None, Ok(None)),
            (header(), &[("authorization", "Bearer a.b.c")], None, Ok(Some("a.b.c"))),
            (header(), &[("authorization", "bEARER   a.b.c")], None, Ok(Some("a.b.c"))),
            (header(), &[("authorization", "Basic a.b.c")], None, Ok(None)),
            (header(), &[("authorization", "Bearera.b.c")], None, Ok(None)),
            (header(), &[("authorization", "")], None, Ok(None)),
            (header(), &[("authorization", "Bearer")], None, Err(Malformed)),
            (header(), &[("authorization", "Bearer a b")], None, Err(Malformed)),
            (header(), &[("authorization", "Bearer a\tb")], None, Err(Malformed)),
            (header(), &[("authorization", "Bearer a"), ("authorization", "Bearer a")], None, Err(Several)),
            (header(), &[("authorization", "Basic a"), ("authorization", "Bearer a")], None, Err(Several)),
            (header(), &[("cookie", "__Host-access=a")], Some("access_token=b"), Ok(None)),
            (both(), &[("cookie", "x=1; __Host-access=a.b.c;y=2")], None, Ok(Some("a.b.c"))),
            (both(), &[("cookie", "x__Host-access=a; __Host-accessx=b")], None, Ok(None)),
            (both(), &[("cookie", "__Host-access=")], None, Ok(None)),
            (both(), &[("cookie", "x=1"), ("cookie", "__Host-access=a")], None, Ok(Some("a"))),
            (both(), &[("cookie", "__Host-access=a; __Host-access=a")], None, Err(Several)),
            (both(), &[("cookie", "__Host-access=a"), ("authorization", "Bearer a")], None, Err(Several)),
            (query(), &[], Some("x=1&access_token=a.b.c"), Ok(Some("a.b.c"))),
            (query(), &[], Some("access_token=a&access_token=b"), Err(Several)),
            (query(), &[], Some("access_token"), Ok(None)),
        ] {
            let headers = headers(fields);
            let expected = expected.map(|token| token.map(str::as_bytes));
            let found = find(&sources, &headers, uri_query);
            if let Ok(Some(found)) = found {
                assert_eq!(found.from_cookie, fields.iter().any(|(name, _)| *name == "cookie"), "{fields:?}");
            }
            assert_eq!(
                found.map(|found| found.map(|found| found.token)),
                expected,
                "{sources:?} {fields:?} {uri_query:?}"
            );
        }
    }

    #[test]
    fn only_the_credentials_are_removed() {
        let sources = [TokenSource::Header, TokenSource::Cookie("t".into())];
        for (fields, left) in [
            (&[("cookie", "a=1; t=x; tt=2")][..], &["a=1; tt=2"][..]),
            (&[("cookie", "t=x")], &[]),
            (&[("cookie", "a=1;b=2")], &["a=1;b=2"]),
            (&[("cookie", "t=x; t="), ("cookie", "b=2")], &["b=2"]),
            (&[("authorization", "Basic x"), ("cookie", "theme=dark")], &["theme=dark"]),
        ] {
            let mut headers = headers(fields);
            remove(&sources, &mut headers);
            assert!(!headers.contains_key(AUTHORIZATION));
            let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
            assert_eq!(cookies, left, "{fields:?}");
        }
    }
}
