//! What must not be read in a log: secrets in queries, and users in addresses.

use crate::config::{Config, TokenSource};
use percent_encoding::percent_decode;
use std::rc::Rc;

/// Query parameters whose values are secrets by their names.
const BY_NAME: [&str; 20] = [
    "access_token",
    "refresh_token",
    "id_token",
    "id_token_hint",
    "token",
    "jwt",
    "code",
    "code_verifier",
    "client_secret",
    "password",
    "secret",
    "session",
    "auth",
    "sig",
    "signature",
    "key",
    "api_key",
    "apikey",
    "x-amz-signature",
    "x-amz-security-token",
];

/// What stands for a secret.
const REDACTED: &[u8] = b"redacted";

/// The names of query parameters whose values are secrets: the usual ones, and those in which any route takes a token.
/// Of *any* route, because a request may be refused before its route is known, and a `Referer` names another page.
#[derive(Debug, Clone)]
pub(in crate::http) struct SecretParameters(Rc<[Box<str>]>);

impl SecretParameters {
    /// Those of a configuration.
    pub(in crate::http) fn of(config: &Config) -> Self {
        let sources = config.routes.iter().flat_map(|route| &route.policy.auth.token_from);
        let mut names: Vec<Box<str>> = sources
            .filter_map(|source| match source {
                TokenSource::Query(name) => Some(name.as_str().into()),
                TokenSource::Header | TokenSource::Cookie(_) => None,
            })
            .chain(BY_NAME.map(Box::from))
            .collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }

    /// Whether a name, as it stands in a query, is one of them: `Access%5FToken` and `token[0]` are to some readers.
    fn holds(&self, name: &[u8]) -> bool {
        let spelled = percent_decode(name).map(|byte| byte.to_ascii_lowercase()).take_while(|byte| *byte != b'[');
        self.0.iter().any(|secret| spelled.clone().eq(secret.bytes().map(|byte| byte.to_ascii_lowercase())))
    }

    /// Hands on the pieces of a query, each secret replaced.
    pub(super) fn query(&self, query: &[u8], push: &mut impl FnMut(&[u8])) {
        for (index, parameter) in query.split(|byte| *byte == b'&').enumerate() {
            if index > 0 {
                push(b"&");
            }
            match self.secret_starts(parameter) {
                Some(at) => {
                    push(&parameter[..at]);
                    push(REDACTED);
                }
                None => push(parameter),
            }
        }
    }

    /// Where the value of a secret begins. Some servers read `;` as `&`, and a value may be an address with a query of
    /// its own, so names are looked for behind these signs too; a secret goes to the end of its parameter.
    fn secret_starts(&self, parameter: &[u8]) -> Option<usize> {
        let mut name_start = 0;
        for (at, byte) in parameter.iter().enumerate() {
            match byte {
                b'=' if self.holds(&parameter[name_start..at]) => return Some(at + 1),
                b'=' | b';' | b'?' | b'#' => name_start = at + 1,
                _ => {}
            }
        }
        None
    }

    /// Hands on the pieces of a `Referer`: without user and password (RFC 9110 section 10.1.3 forbids them), without
    /// fragment, with its query redacted.
    pub(super) fn referer(&self, referer: &[u8], push: &mut impl FnMut(&[u8])) {
        let whole = until(referer, |byte| byte == b'#');
        let address = until(whole, |byte| byte == b'?');
        let (scheme, rest) = address.split_at(authority_start(address));
        let authority = until(rest, is_slash);
        let host_start = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
        push(scheme);
        push(&rest[host_start..]);
        if let Some(query) = whole.get(address.len() + 1..) {
            push(b"?");
            self.query(query, push);
        }
    }
}

fn is_slash(byte: u8) -> bool {
    // Browsers read both as one.
    matches!(byte, b'/' | b'\\')
}

fn until(bytes: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    &bytes[..bytes.iter().position(|&byte| end(byte)).unwrap_or(bytes.len())]
}

/// Behind `https://`, else the start: what has no scheme may still begin with a user.
fn authority_start(address: &[u8]) -> usize {
    let first = until(address, is_slash).len();
    if first > 0 && address[first - 1] != b':' {
        return 0;
    }
    first + address[first..].iter().take_while(|byte| is_slash(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets() -> SecretParameters {
        SecretParameters(["jwt", "access_token", "token", "code"].map(Box::from).into())
    }

    fn query(text: &str) -> String {
        let mut out = Vec::new();
        secrets().query(text.as_bytes(), &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).expect("text")
    }

    fn referer(text: &str) -> String {
        let mut out = Vec::new();
        secrets().referer(text.as_bytes(), &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn values_of_secret_parameters_are_replaced() {
        for (text, wanted) in [
            ("a=b&c", "a=b&c"),
            ("jwt=s3cret", "jwt=redacted"),
            ("a=1&JWT=s3cret&b=2", "a=1&JWT=redacted&b=2"),
            ("access_token=s3=cret&token=s3cret", "access_token=redacted&token=redacted"),
            ("access%5ftoken=s3cret", "access%5ftoken=redacted"),
            ("token[0]=s3cret&token%5B%5D=s3cret", "token[0]=redacted&token%5B%5D=redacted"),
            ("a=1;token=s3cret;b=2", "a=1;token=redacted"),
            ("token=s3cret;s3cret", "token=redacted"),
            ("next=/x?token=s3cret&b", "next=/x?token=redacted&b"),
            ("a=token=s3cret", "a=token=redacted"),
            ("barcode=1&tokens=2&code", "barcode=1&tokens=2&code"),
            ("&&=&", "&&=&"),
            ("", ""),
        ] {
            assert_eq!(query(text), wanted);
        }
    }

    #[test]
    fn a_referer_keeps_where_somebody_came_from_and_nothing_else() {
        for (text, wanted) in [
            ("https://a.example/p?x=1", "https://a.example/p?x=1"),
            ("https://me:s3cret@a.example/@page", "https://a.example/@page"),
            ("https://me:s3@cret@a.example", "https://a.example"),
            ("https://me:s3cret@a.example?x", "https://a.example?x"),
            ("//me:s3cret@a.example/", "//a.example/"),
            ("https:\\\\me:s3cret@a.example\\p", "https:\\\\a.example\\p"),
            ("https:///me:s3cret@a.example/", "https:///a.example/"),
            ("me:s3cret@a.example/p", "a.example/p"),
            ("https://a.example/p?jwt=s3cret&y=2#token=s3cret", "https://a.example/p?jwt=redacted&y=2"),
            ("https://a.example/#s3cret", "https://a.example/"),
            ("/p?token=s3cret", "/p?token=redacted"),
            ("about:blank", "about:blank"),
            ("?", "?"),
            ("", ""),
        ] {
            assert_eq!(referer(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn a_secret_never_shows_and_nothing_panics(
            before in "[a-z=&;?%5B@:/\\[\\]#]{0,20}",
            name in "(token|JWT|access_token|acc%65ss_token|code\\[\\])",
            after in "[a-z=;?%@:/]{0,10}",
        ) {
            let text = format!("{before}&{name}=s3cret{after}&z");
            prop_assert!(!query(&text).contains("s3cret"));
            let text = format!("https://u:s3cret@host/?{}", text.replace('#', ""));
            prop_assert!(!referer(&text).contains("s3cret"));
        }
    }
}
