//! The path on its way to the upstream: a prefix cut off, another put before.
//!
//! The prefix is looked for segment by segment in the raw path, each segment decoded as the route's match decodes it,
//! and what is left goes on as it came. A path that has reached the route in several readings begins with the prefix
//! in all of them: the prefix is a part of the match, and all readings have led to it.

use crate::config;
use http::HeaderValue;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is no `pchar` (RFC 3986 section 3.3) is written percent-encoded.
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Why a path can't be changed as its route says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfitting {
    /// The raw path does not begin with the segments of the prefix.
    #[error("the path does not begin with the prefix that its route cuts off")]
    NoPrefix,
    /// What is left begins with `//`, which some servers take for a host (RFC 3986 section 4.2).
    #[error("the path would begin with `//` without its prefix")]
    DoubleSlash,
    /// What comes out is no request target.
    #[error("no path can be made of this one")]
    Malformed,
}

/// The path rule of one route.
#[derive(Debug)]
pub struct PathRule {
    /// Decoded segments.
    strip: Box<[Box<str>]>,
    stripped: Option<HeaderValue>,
    /// Encoded, empty for nothing.
    add: Box<str>,
}

impl PathRule {
    /// Prepares the rule; `None` when the path goes on byte for byte.
    #[must_use]
    pub fn new(rule: &config::PathRule) -> Option<Self> {
        let config::PathRule { strip_prefix, add_prefix } = rule;
        if strip_prefix.is_none() && add_prefix.is_none() {
            return None;
        }
        let strip: Box<[Box<str>]> = strip_prefix
            .iter()
            .flat_map(|prefix| prefix.segments.iter().map(|segment| segment.as_str().into()))
            .collect();
        Some(Self {
            strip,
            stripped: strip_prefix.as_ref().and_then(|prefix| HeaderValue::try_from(encoded(prefix)).ok()),
            add: add_prefix.as_ref().map(encoded).unwrap_or_default().into(),
        })
    }

    /// What is cut off, for `X-Forwarded-Prefix`.
    #[must_use]
    pub fn stripped(&self) -> Option<&HeaderValue> {
        self.stripped.as_ref()
    }

    /// The target as the upstream gets it. The query stays as it is.
    ///
    /// # Errors
    /// [`Unfitting`] for a path that different servers could read differently.
    pub fn apply(&self, target: &PathAndQuery) -> Result<PathAndQuery, Unfitting> {
        let path = target.path();
        // `*`, about the server as a whole (RFC 9112 section 3.2.4).
        if !path.starts_with('/') && self.strip.is_empty() {
            return Ok(target.clone());
        }
        let left = self.without_prefix(path)?;
        let mut changed = String::with_capacity(self.add.len() + target.as_str().len() + 1);
        changed.push_str(&self.add);
        changed.push_str(left);
        if changed.is_empty() {
            changed.push('/');
        }
        if changed.starts_with("//") {
            return Err(Unfitting::DoubleSlash);
        }
        if let Some(query) = target.query() {
            changed.push('?');
            changed.push_str(query);
        }
        PathAndQuery::try_from(changed).map_err(|_| Unfitting::Malformed)
    }

    /// What stands behind the prefix: nothing, or a path.
    fn without_prefix<'a>(&self, path: &'a str) -> Result<&'a str, Unfitting> {
        let mut left = path;
        for wanted in &self.strip {
            let behind_slash = left.strip_prefix('/').ok_or(Unfitting::NoPrefix)?;
            let end = behind_slash.find('/').unwrap_or(behind_slash.len());
            let (segment, behind) = behind_slash.split_at(end);
            let same = *segment == **wanted || percent_decode_str(segment).eq(wanted.bytes());
            if !same {
                return Err(Unfitting::NoPrefix);
            }
            left = behind;
        }
        Ok(left)
    }
}

/// `/a/b`, whatever characters the segments hold.
fn encoded(prefix: &config::PathPrefix) -> String {
    prefix.segments.iter().fold(String::new(), |mut path, segment| {
        path.push('/');
        path.extend(utf8_percent_encode(segment, NOT_PLAIN));
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PathPrefix;
    use proptest::prelude::*;

    fn rule(strip: &str, add: &str) -> PathRule {
        let prefix = |text: &str| (!text.is_empty()).then(|| PathPrefix::parse(text).expect(text));
        PathRule::new(&config::PathRule { strip_prefix: prefix(strip), add_prefix: prefix(add) }).expect("a rule")
    }

    fn changed(strip: &str, add: &str, target: &str) -> Result<String, Unfitting> {
        let target = PathAndQuery::try_from(target).expect("a target");
        rule(strip, add).apply(&target).map(|changed| changed.as_str().to_owned())
    }

    #[test]
    fn a_prefix_is_cut_off_and_another_put_before() {
        for (strip, add, target, wanted) in [
            ("/api", "", "/api/notes", "/notes"),
            ("/api", "", "/api", "/"),
            ("/api", "", "/api/", "/"),
            ("/api", "", "/api?x=1", "/?x=1"),
            ("/api", "", "/api/?", "/?"),
            ("", "/v1", "?x", "/v1/?x"),
            ("/api", "", "/api/a%2Fb/%7E?x=%2F&y=//", "/a%2Fb/%7E?x=%2F&y=//"),
            ("/api", "", "/%61pi/x", "/x"),
            ("/api", "", "/api/a//b", "/a//b"),
            ("/api", "", "/api/api/x", "/api/x"),
            ("/a/b", "", "/a/b/c", "/c"),
            ("/caf%C3%A9", "", "/caf%c3%a9/x", "/x"),
            ("", "/v1", "/x?y", "/v1/x?y"),
            ("", "/v1", "/", "/v1/"),
            ("", "/v1", "//x", "/v1//x"),
            ("", "/v1", "*", "*"),
            ("/api", "/v1", "/api/x", "/v1/x"),
            ("/api", "/v1", "/api", "/v1"),
            ("/api", "/v1", "/api/", "/v1/"),
            ("", "/a%20b/caf\u{e9}/%3F", "/x", "/a%20b/caf%C3%A9/%3F/x"),
        ] {
            assert_eq!(changed(strip, add, target).as_deref(), Ok(wanted), "{target} -{strip} +{add}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (strip, target, why) in [
            ("/api", "/", Unfitting::NoPrefix),
            ("/api", "/apix/y", Unfitting::NoPrefix),
            ("/api", "//api/y", Unfitting::NoPrefix),
            ("/api", "/api;v=1/y", Unfitting::NoPrefix),
            ("/api", "/API/y", Unfitting::NoPrefix),
            ("/a/b", "/a", Unfitting::NoPrefix),
            ("/a/b", "/a%2Fb/c", Unfitting::NoPrefix),
            ("/api", "*", Unfitting::NoPrefix),
            ("/api", "/api//evil.example/x", Unfitting::DoubleSlash),
        ] {
            assert_eq!(changed(strip, "", target), Err(why), "{target} -{strip}");
        }
    }

    #[test]
    fn the_application_learns_what_was_cut_off() {
        assert_eq!(rule("/%61pi/caf%C3%A9", "").stripped().expect("a prefix"), "/api/caf%C3%A9");
        assert_eq!(rule("", "/v1").stripped(), None);
        assert!(PathRule::new(&config::PathRule::default()).is_none());
    }

    proptest! {
        #[test]
        fn what_was_put_before_can_be_cut_off_again(path in "(/[a-z%2-7;.]{0,5}){1,5}(\\?[!-~&&[^#]]{0,9})?") {
            // Only targets that a request can have.
            let Ok(target) = PathAndQuery::try_from(path.as_str()) else { return Ok(()) };
            let longer = rule("", "/p%20q/r").apply(&target).expect("a longer path");
            prop_assert_eq!(longer.as_str(), format!("/p%20q/r{path}"));
            match rule("/p%20q/r", "").apply(&longer) {
                Ok(back) => prop_assert_eq!(back, target),
                Err(refused) => prop_assert!(refused == Unfitting::DoubleSlash && path.starts_with("//")),
            }
        }

        #[test]
        fn no_target_panics(path in "[!-~\u{e9}&&[^#]]{1,40}") {
            if let Ok(target) = PathAndQuery::try_from(path) {
                for rule in [rule("/a", ""), rule("", "/b"), rule("/a/b", "/c")] {
                    if let Ok(changed) = rule.apply(&target) {
                        prop_assert!(changed.path() == "*" || changed.path().starts_with('/'));
                        prop_assert!(!changed.path().starts_with("//"));
                        prop_assert_eq!(changed.query(), target.query());
                    }
                }
            }
        }
    }
}
