//! Attachments: the digest that names their bytes, the name that people see, and the type that they claim.

use std::fmt;
use std::str::FromStr;

/// How many attachments one note can have.
pub const ATTACHMENTS_PER_NOTE_MAX: usize = 100;
/// The longest file name that is kept, in bytes: what common file systems allow, less room for " (1)".
pub const NAME_BYTES_MAX: usize = 200;
/// The longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;

/// The content type of an upload that names none (RFC 9110 section 8.3).
pub const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";

/// The name of a file whose name had nothing usable in it.
const NAME_DEFAULT: &str = "attachment";

/// A SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Where its file is, below the attachments' root: two levels, so that no directory grows large.
    #[must_use]
    pub fn path(&self) -> String {
        let hex = self.to_string();
        format!("{}/{}/{hex}", &hex[..2], &hex[2..4])
    }

    /// The first byte, which spreads evenly: for picking one of several locks.
    #[must_use]
    pub const fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for Digest {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits")]
pub struct BadDigest;

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BadDigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
        Ok(Self(bytes))
    }
}

/// The value of a digit that was checked.
const fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}

/// The name that people see, made harmless for every system that may save it.
///
/// Only the part after the last slash or backslash stays; controls and the marks that turn the direction of writing
/// (which can make `exe.gpj` look like `jpg.exe`) go; a long name loses the end of its stem and keeps its extension.
#[must_use]
pub fn file_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|&char| !char.is_control() && !turns_direction(char)).collect();
    let clean = clean.trim_matches(|char: char| char.is_whitespace()).trim_end_matches(['.', ' ']);
    if clean.is_empty() {
        return NAME_DEFAULT.to_owned();
    }
    if clean.len() <= NAME_BYTES_MAX {
        return clean.to_owned();
    }
    let extension = clean.rfind('.').map(|dot| &clean[dot..]).filter(|extension| extension.len() <= 16).unwrap_or("");
    let stem = &clean[..clean.floor_char_boundary(NAME_BYTES_MAX - extension.len())];
    format!("{stem}{extension}")
}

const fn turns_direction(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text that is no media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Must be a media type such as \"image/png\", at most {CONTENT_TYPE_BYTES_MAX} bytes.")]
pub struct BadContentType;

/// Checks a content type (RFC 9110 section 8.3.1: `type/subtype`, then parameters) and gives it back trimmed.
/// The text is sent again with each download, so nothing but that grammar may pass.
///
/// # Errors
/// [`BadContentType`]
pub fn content_type(sent: &str) -> Result<&str, BadContentType> {
    let sent = sent.trim_matches([' ', '\t']);
    let (essence, mut parameters) = sent.split_once(';').unwrap_or((sent, ""));
    let (kind, subtype) = essence.trim_end_matches([' ', '\t']).split_once('/').ok_or(BadContentType)?;
    if sent.len() > CONTENT_TYPE_BYTES_MAX || !is_token(kind) || !is_token(subtype) {
        return Err(BadContentType);
    }
    while !parameters.is_empty() {
        let (name, rest) = parameters.split_once('=').ok_or(BadContentType)?;
        let value_len = value_len(rest).ok_or(BadContentType)?;
        if !is_token(name.trim_start_matches([' ', '\t'])) {
            return Err(BadContentType);
        }
        let rest = rest[value_len..].trim_start_matches([' ', '\t']);
        parameters = match rest.strip_prefix(';') {
            Some(more) => more,
            None if rest.is_empty() => "",
            None => return Err(BadContentType),
        };
    }
    Ok(sent)
}

/// The length of a parameter's value: a token or a quoted string (RFC 9110 section 5.6.6).
fn value_len(text: &str) -> Option<usize> {
    let Some(quoted) = text.strip_prefix('"') else {
        let len = text.find([';', ' ', '\t']).unwrap_or(text.len());
        return is_token(&text[..len]).then_some(len);
    };
    let len = quoted.find('"')?;
    let plain = |byte: u8| byte != b'\\' && (byte.is_ascii_graphic() || byte == b' ');
    quoted[..len].bytes().all(plain).then_some(len + 2)
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_back_and_know_their_file() {
        let text = "ab".repeat(32);
        let digest: Digest = text.parse().expect("a digest");
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest.path(), format!("ab/ab/{text}"));
        for bad in ["", "AB", &"AB".repeat(32), &"g0".repeat(32), &"a".repeat(63), "../../../etc/passwd"] {
            assert_eq!(bad.parse::<Digest>(), Err(BadDigest), "{bad}");
        }
    }

    #[test]
    fn names() {
        for (sent, kept) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.txt", "a b.txt"),
            (" .. ", "attachment"),
            ("", "attachment"),
            ("a/", "attachment"),
            (".env", ".env"),
            ("x\r\ny\0.txt", "xy.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("Übung „1“.md", "Übung „1“.md"),
            ("trailing. . ", "trailing"),
        ] {
            assert_eq!(file_name(sent), kept, "{sent:?}");
        }
        let long = file_name(&format!("{}.pdf", "é".repeat(300)));
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("é.pdf"), "{long}");
        assert!(file_name(&format!("a.{}", "x".repeat(300))).len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn content_types() {
        for (sent, kept) in [
            ("image/png", Some("image/png")),
            (" text/plain; charset=utf-8 ", Some("text/plain; charset=utf-8")),
            ("text/plain;charset=\"utf-8\" ; a=b", Some("text/plain;charset=\"utf-8\" ; a=b")),
            ("text", None),
            ("", None),
            ("/", None),
            ("text/", None),
            ("text/pl ain", None),
            ("text/html\r\nX: y", None),
            ("text/plain; charset", None),
            ("text/plain; a=", None),
            ("text/plain; a=\"b", None),
            ("text/plain; a=\"\\\"\"", None),
            ("text/plain; a=b c", None),
            ("täxt/plain", None),
        ] {
            assert_eq!(content_type(sent).ok(), kept, "{sent:?}");
        }
        assert_eq!(content_type(&format!("a/{}", "b".repeat(200))), Err(BadContentType));
    }
}
