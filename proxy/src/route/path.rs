//! The path as routes see it: a normalised copy, while the raw bytes go to the application.
//!
//! An application may read a path in another way than the edge: it may decode `%2F`, merge `//`, or cut `;x=1`.
//! A rule on `/api/admin/**` would then not protect `/api/admin%2Fusers`. So a path with any of these has further
//! readings, one for each combination of such habits, and all must lead to the same route; otherwise the request is
//! refused.

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;
use std::borrow::Cow;

/// The segments of a path between its slashes, decoded.
pub(super) type Segments<'a> = SmallVec<[Cow<'a, str>; 8]>;

/// Why a path is refused: different servers read it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a broken percent-encoding")]
    BrokenEncoding,
    /// Decoded, it is no UTF-8 text.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A control character or NUL, plain or encoded.
    #[error("the path holds a control character")]
    Control,
    /// A backslash, which some servers take for a slash.
    #[error("the path holds a backslash")]
    Backslash,
    /// `.` or `..` as a segment in any reading. Clients resolve these before they send (RFC 3986 section 5.2.4).
    #[error("the path holds a dot segment")]
    DotSegment,
    /// Two readings lead to different routes.
    #[error("the path can be read in two ways that different rules apply to")]
    TwoRoutes,
}

/// A path that may be matched.
#[derive(Debug)]
pub struct NormalPath<'a> {
    /// As the edge reads it: split at `/`, then decoded.
    pub(super) segments: Segments<'a>,
    /// As applications may read it, where that differs.
    pub(super) others: Vec<Vec<String>>,
}

impl<'a> NormalPath<'a> {
    /// Reads the path of a request target.
    ///
    /// # Errors
    /// [`Ambiguous`] for what no two servers read alike.
    pub fn read(raw: &'a str) -> Result<Self, Ambiguous> {
        let rest = raw.strip_prefix('/').unwrap_or(raw);
        let bytes = rest.as_bytes();
        if memchr::memchr3(b'%', b';', b'\\', bytes).is_none() {
            let mut segments = Segments::new();
            let mut doubled = false;
            let mut previous_empty = false;
            for segment in rest.split('/') {
                if segment == "." || segment == ".." {
                    return Err(Ambiguous::DotSegment);
                }
                doubled |= previous_empty;
                previous_empty = segment.is_empty();
                segments.push(Cow::Borrowed(segment));
            }
            // The request parser has refused control characters already.
            let others = if doubled { readings(&segments, rest) } else { Vec::new() };
            return Ok(Self { segments, others });
        }
        Self::read_encoded(rest)
    }

    fn read_encoded(rest: &'a str) -> Result<Self, Ambiguous> {
        check_encoding(rest.as_bytes())?;
        let mut segments = Segments::new();
        for segment in rest.split('/') {
            segments.push(percent_decode_str(segment).decode_utf8().map_err(|_| Ambiguous::NotUtf8)?);
        }
        let decoded = segments.join("/");
        if decoded.contains(char::is_control) {
            return Err(Ambiguous::Control);
        }
        if decoded.contains('\\') {
            return Err(Ambiguous::Backslash);
        }
        let others = readings(&segments, &decoded);
        let decoded_segments = decoded.split('/').map(without_parameters);
        if decoded_segments.chain(others.iter().flatten().map(String::as_str)).any(is_dots) {
            return Err(Ambiguous::DotSegment);
        }
        Ok(Self { segments, others })
    }
}

/// How else the path may be read: with encoded slashes taken for slashes, parameters cut, doubled slashes merged, or
/// any of these together. Only those that differ from `segments`, the edge's own reading.
fn readings(segments: &Segments<'_>, decoded: &str) -> Vec<Vec<String>> {
    let own: Vec<String> = segments.iter().map(|segment| segment.clone().into_owned()).collect();
    let mut others: Vec<Vec<String>> = Vec::new();
    for habits in 1..8_u8 {
        let (slashes, parameters, merged) = (habits & 1 != 0, habits & 2 != 0, habits & 4 != 0);
        let split = if slashes { decoded.split('/').map(str::to_owned).collect() } else { own.clone() };
        let cut =
            split.into_iter().map(|segment| if parameters { without_parameters(&segment).to_owned() } else { segment });
        let mut reading: Vec<String> = cut.collect();
        if merged {
            // The last segment is empty when the path ends with a slash; that one counts.
            let last = reading.pop().unwrap_or_default();
            reading.retain(|segment| !segment.is_empty());
            reading.push(last);
        }
        if reading != own && !others.contains(&reading) {
            others.push(reading);
        }
    }
    others
}

fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

fn is_dots(segment: &str) -> bool {
    segment == "." || segment == ".."
}

fn check_encoding(bytes: &[u8]) -> Result<(), Ambiguous> {
    for at in memchr::memchr_iter(b'%', bytes) {
        let digits = bytes.get(at + 1..at + 3).ok_or(Ambiguous::BrokenEncoding)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Ambiguous::BrokenEncoding);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_have_one_reading() {
        for raw in ["/", "/api/notes", "/api/notes/", "/a%20b/c", "/%E2%82%AC", "/.well-known/x", "/a...b"] {
            let path = NormalPath::read(raw).expect(raw);
            assert!(path.others.is_empty(), "{raw}: {:?}", path.others);
        }
        assert_eq!(NormalPath::read("/a%20b/").expect("a path").segments.to_vec(), ["a b", ""]);
    }

    #[test]
    fn paths_that_servers_read_differently_have_further_readings() {
        for (raw, reading) in [
            ("/api%2Fadmin/users", &["api", "admin", "users"][..]),
            ("/api//admin", &["api", "admin"]),
            ("//api", &["api"]),
            ("/api/admin;x=1/users", &["api", "admin", "users"]),
            ("/a//", &["a", ""]),
            ("/;/admin/users", &["admin", "users"]),
            ("/x/%3B/admin", &["x", "admin"]),
            ("/a//b%2Fc", &["a", "b/c"]),
            ("/a//b%2Fc", &["a", "b", "c"]),
        ] {
            let others = NormalPath::read(raw).expect(raw).others;
            assert!(others.iter().any(|other| other == reading), "{raw}: {others:?}");
        }
    }

    #[test]
    fn what_nobody_should_send_is_refused() {
        for (raw, why) in [
            ("/a/../b", Ambiguous::DotSegment),
            ("/a/./b", Ambiguous::DotSegment),
            ("/a/%2e%2E/b", Ambiguous::DotSegment),
            ("/a/..%2fb", Ambiguous::DotSegment),
            ("/a/..;/b", Ambiguous::DotSegment),
            ("/a/..", Ambiguous::DotSegment),
            ("/a%", Ambiguous::BrokenEncoding),
            ("/a%4", Ambiguous::BrokenEncoding),
            ("/a%zz", Ambiguous::BrokenEncoding),
            ("/a%00", Ambiguous::Control),
            ("/a%0d%0a", Ambiguous::Control),
            ("/a\\b", Ambiguous::Backslash),
            ("/a%5cb", Ambiguous::Backslash),
            ("/%c0%ae%c0%ae/", Ambiguous::NotUtf8),
            ("/%ff", Ambiguous::NotUtf8),
        ] {
            assert_eq!(NormalPath::read(raw).err(), Some(why), "{raw}");
        }
    }
}
