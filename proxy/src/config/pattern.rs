//! The language of path patterns: `/about`, `/users/*/avatar`, `/api/**`.

use super::{PathPattern, PathPrefix, PatternSegment};
use percent_encoding::percent_decode_str;

/// Segments of a pattern: a route table walks no deeper.
const SEGMENTS_MAX: usize = 64;
/// Bytes of a pattern: the longest request target that a listener takes by default.
const BYTES_MAX: usize = 8 * 1024;

/// Why a text is no [`PathPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It does not start with `/`.
    #[error("a path pattern starts with `/`")]
    NoSlash,
    /// An empty segment inside, such as in `/a//b`: the path is normalised before it is matched.
    #[error("`//` is never in a normalised path, so this can never match")]
    EmptySegment,
    /// `.` or `..`, also encoded.
    #[error("`.` and `..` are never in a normalised path, so this can never match")]
    DotSegment,
    /// `%2F`, `%5C`, `%00`, a backslash or a control character: such requests are refused before routing.
    #[error("encoded slashes, backslashes and control characters are refused in requests, so this can never match")]
    Ambiguous,
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("`%` must be followed by two hexadecimal digits and spell UTF-8")]
    Encoding,
    /// A `*` beside other characters.
    #[error("`*` stands for a whole segment: `/users/*/avatar`")]
    PartialStar,
    /// `**` that is not the last segment.
    #[error("`**` can only be the last segment: `/api/**`")]
    InnerRest,
    /// `?` or `#`.
    #[error("a pattern matches the path only, without `?` and `#`")]
    Query,
    /// A `*` in a [`PathPrefix`].
    #[error("a prefix is literal, without `*`")]
    Star,
    /// A [`PathPrefix`] that is, or ends with, a slash.
    #[error("a prefix names at least one segment and does not end with `/`")]
    FinalSlash,
    /// More than it may have.
    #[error("a pattern has at most 64 segments and 8 KiB")]
    TooLong,
}

impl PathPattern {
    /// Reads a pattern. Literal segments are percent-decoded.
    ///
    /// # Errors
    /// See [`BadPattern`]: also for whatever could never match, because no request path is left that way.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let body = text.strip_prefix('/').ok_or(BadPattern::NoSlash)?;
        if text.len() > BYTES_MAX || body.split('/').count() > SEGMENTS_MAX {
            return Err(BadPattern::TooLong);
        }
        if text.contains(['?', '#']) {
            return Err(BadPattern::Query);
        }
        let (body, rest) = match body {
            "**" => (None, true),
            body => body.strip_suffix("/**").map_or((Some(body), false), |body| (Some(body), true)),
        };
        let parts: Vec<&str> = body.map(|body| body.split('/').collect()).unwrap_or_default();
        let last = parts.len().saturating_sub(1);
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let trailing_slash = part.is_empty() && index == last && !rest;
            segments.push(if trailing_slash { PatternSegment::Literal(String::new()) } else { segment(part)? });
        }
        Ok(Self { text: text.to_owned(), segments, rest })
    }

    /// The literal segments that it starts with, `/assets` for `/assets/**`, and `/` when there are none.
    #[must_use]
    pub fn literal_prefix(&self) -> String {
        let literals = self.segments.iter().map_while(|segment| match segment {
            PatternSegment::Literal(text) => Some(text.as_str()),
            PatternSegment::Any => None,
        });
        let prefix: String = literals.flat_map(|text| ["/", text]).collect();
        if prefix.is_empty() { "/".to_owned() } else { prefix }
    }
}

impl PathPrefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// See [`BadPattern`]: what is no pattern is no prefix either.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let PathPattern { text, segments, rest } = PathPattern::parse(text)?;
        if rest {
            return Err(BadPattern::Star);
        }
        let literal = |segment| match segment {
            PatternSegment::Literal(literal) if literal.is_empty() => Err(BadPattern::FinalSlash),
            PatternSegment::Literal(literal) => Ok(literal),
            PatternSegment::Any => Err(BadPattern::Star),
        };
        Ok(Self { text, segments: segments.into_iter().map(literal).collect::<Result<_, _>>()? })
    }
}

fn segment(part: &str) -> Result<PatternSegment, BadPattern> {
    match part {
        "" => return Err(BadPattern::EmptySegment),
        "*" => return Ok(PatternSegment::Any),
        "**" => return Err(BadPattern::InnerRest),
        _ if part.contains('*') => return Err(BadPattern::PartialStar),
        _ => {}
    }
    let hex = |at: usize| part.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    if part.match_indices('%').any(|(at, _)| !hex(at + 1) || !hex(at + 2)) {
        return Err(BadPattern::Encoding);
    }
    let literal = percent_decode_str(part).decode_utf8().map_err(|_| BadPattern::Encoding)?;
    if literal == "." || literal == ".." {
        return Err(BadPattern::DotSegment);
    }
    if literal.contains(|c: char| matches!(c, '/' | '\\') || c.is_control()) {
        return Err(BadPattern::Ambiguous);
    }
    Ok(PatternSegment::Literal(literal.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> PatternSegment {
        PatternSegment::Literal(text.to_owned())
    }

    #[test]
    fn patterns_are_split_into_decoded_segments() {
        for (text, segments, rest, prefix) in [
            ("/", vec![literal("")], false, "/"),
            ("/**", vec![], true, "/"),
            ("/about", vec![literal("about")], false, "/about"),
            ("/a/", vec![literal("a"), literal("")], false, "/a/"),
            ("/api/**", vec![literal("api")], true, "/api"),
            ("/a/b/**", vec![literal("a"), literal("b")], true, "/a/b"),
            ("/users/*/avatar", vec![literal("users"), PatternSegment::Any, literal("avatar")], false, "/users"),
            ("/*/x/**", vec![PatternSegment::Any, literal("x")], true, "/"),
            ("/caf%C3%A9", vec![literal("caf\u{e9}")], false, "/caf\u{e9}"),
            ("/%2A", vec![literal("*")], false, "/*"),
        ] {
            let pattern = PathPattern::parse(text).expect(text);
            assert_eq!((pattern.segments.as_slice(), pattern.rest), (segments.as_slice(), rest), "{text}");
            assert_eq!(pattern.literal_prefix(), prefix, "{text}");
        }
    }

    #[test]
    fn what_can_never_match_is_refused() {
        for (text, reason) in [
            ("", BadPattern::NoSlash),
            ("api/**", BadPattern::NoSlash),
            ("/a//b", BadPattern::EmptySegment),
            ("//**", BadPattern::EmptySegment),
            ("/a/../b", BadPattern::DotSegment),
            ("/a/%2e%2E/b", BadPattern::DotSegment),
            ("/a%2fb", BadPattern::Ambiguous),
            ("/a%5Cb", BadPattern::Ambiguous),
            ("/a\\b", BadPattern::Ambiguous),
            ("/a%00", BadPattern::Ambiguous),
            ("/100%", BadPattern::Encoding),
            ("/%+1", BadPattern::Encoding),
            ("/%ff", BadPattern::Encoding),
            ("/a*", BadPattern::PartialStar),
            ("/**/a", BadPattern::InnerRest),
            ("/a?b=c", BadPattern::Query),
        ] {
            assert_eq!(PathPattern::parse(text), Err(reason), "{text}");
        }
        assert_eq!(PathPattern::parse(&"/a".repeat(65)), Err(BadPattern::TooLong));
    }

    #[test]
    fn a_prefix_is_literal() {
        let prefix = PathPrefix::parse("/api/caf%C3%A9").expect("a prefix");
        assert_eq!(prefix.segments, ["api", "caf\u{e9}"]);
        for (text, reason) in [
            ("/", BadPattern::FinalSlash),
            ("/api/", BadPattern::FinalSlash),
            ("/**", BadPattern::Star),
            ("/api/**", BadPattern::Star),
            ("/*/a", BadPattern::Star),
            ("api", BadPattern::NoSlash),
            ("/a//b", BadPattern::EmptySegment),
            ("/a/../b", BadPattern::DotSegment),
            ("/a%2fb", BadPattern::Ambiguous),
        ] {
            assert_eq!(PathPrefix::parse(text), Err(reason), "{text}");
        }
    }
}
