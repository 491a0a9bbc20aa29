//! Addresses inside a note's text: which schemes may stand there, and how they are written into an attribute.

/// What an address is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The reader follows it.
    Link,
    /// The page loads it.
    Image,
}

/// The address ready for a double-quoted attribute, or `None` when its scheme is not allowed: `http`, `https`, for
/// links `mailto`, and relative references.
///
/// Spaces and controls are dropped first, because browsers drop tabs and line ends anywhere in an address and
/// leading controls (WHATWG URL section 4.4): `java\nscript:` is a script to them.
#[must_use]
pub(super) fn safe(address: &str, purpose: Use) -> Option<String> {
    let address: String = address.chars().filter(|char| !char.is_control() && !char.is_whitespace()).collect();
    let end = address.find([':', '/', '?', '#', '\\']).unwrap_or(address.len());
    if address[end..].starts_with(':') {
        let scheme = address[..end].to_ascii_lowercase();
        match (scheme.as_str(), purpose) {
            ("http" | "https", _) | ("mailto", Use::Link) => {}
            _ => return None,
        }
    }
    Some(attribute(&address))
}

/// Text for element content or a quoted attribute.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match entity(char) {
            Some(entity) => out.push_str(entity),
            None => out.push(char),
        }
    }
    out
}

/// Visible ASCII stays, everything else is percent-encoded as UTF-8 (RFC 3986 section 2.1).
fn attribute(address: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        let char = char::from(byte);
        if let Some(entity) = entity(char) {
            out.push_str(entity);
        } else if byte.is_ascii_graphic() {
            out.push(char);
        } else {
            out.extend(['%', HEX[usize::from(byte >> 4)].into(), HEX[usize::from(byte & 15)].into()]);
        }
    }
    out
}

const fn entity(char: char) -> Option<&'static str> {
    Some(match char {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        for (address, link, image) in [
            ("https://a/b", Some("https://a/b"), Some("https://a/b")),
            ("HTTP://a", Some("HTTP://a"), Some("HTTP://a")),
            ("mailto:a@b", Some("mailto:a@b"), None),
            ("/a?b=1&c=\"", Some("/a?b=1&amp;c=&quot;"), Some("/a?b=1&amp;c=&quot;")),
            ("a/b:c", Some("a/b:c"), Some("a/b:c")),
            ("#x:y", Some("#x:y"), Some("#x:y")),
            ("", Some(""), Some("")),
            ("ä b", Some("%C3%A4b"), Some("%C3%A4b")),
            ("javascript:alert(1)", None, None),
            (" java\tscript:alert(1)", None, None),
            ("\u{1}javascript:x", None, None),
            ("data:image/png;base64,xx", None, None),
            ("vbscript:x", None, None),
            ("file:///etc/passwd", None, None),
            ("blob:https://a", None, None),
            (":x", None, None),
        ] {
            assert_eq!(safe(address, Use::Link).as_deref(), link, "{address:?} as a link");
            assert_eq!(safe(address, Use::Image).as_deref(), image, "{address:?} as an image");
        }
    }
}
