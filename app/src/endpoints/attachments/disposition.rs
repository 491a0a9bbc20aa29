//! `Content-Disposition` of a download (RFC 6266, RFC 8187).

use http::HeaderValue;
use std::fmt::Write;

/// `attachment`, never `inline`: what one user uploaded must not run in another's session.
///
/// The plain `filename` serves old clients and holds only ASCII that every one of them reads the same way;
/// `filename*` has the whole name (RFC 6266 appendix D).
pub(super) fn attachment(name: &str) -> HeaderValue {
    let plain: String = name.chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if is_attr_char(byte) {
                value.push(byte.into());
            } else {
                // Writing to a string never fails.
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A percent sign would be decoded by some clients, a quote or backslash ends the string in others.
const fn is_plain(char: char) -> bool {
    (char.is_ascii_graphic() || char == ' ') && !matches!(char, '"' | '\\' | '%' | '/')
}

/// RFC 8187 section 3.2.1.
const fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_field() {
        for (name, value) in [
            ("report.pdf", r#"attachment; filename="report.pdf""#),
            ("a b;c.txt", r#"attachment; filename="a b;c.txt""#),
            ("50%.txt", r#"attachment; filename="50_.txt"; filename*=UTF-8''50%25.txt"#),
            ("\"q\".txt", r#"attachment; filename="_q_.txt"; filename*=UTF-8''%22q%22.txt"#),
            ("€ rates.txt", r#"attachment; filename="_ rates.txt"; filename*=UTF-8''%E2%82%AC%20rates.txt"#),
        ] {
            assert_eq!(attachment(name), value, "{name}");
        }
    }
}
