//! Foreign bytes inside a line: whatever they are, they neither end it nor leave their quotes.

/// How what can't stand as it is is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Inside a JSON string (RFC 8259 section 7).
    Json,
    /// As nginx does it: `\xHH` for quotes, backslashes and all that is not printable ASCII.
    Hex,
    /// The same, and for spaces: the value stands without quotes and stays one word.
    Word,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Escape {
    /// Appends bytes.
    pub(super) fn push(self, out: &mut Vec<u8>, bytes: &[u8]) {
        // Most are plain.
        let odd = if self == Self::Word { NO_WORD } else { NOT_PRINTABLE };
        if bytes.iter().fold(0, |all, &byte| all | KIND[usize::from(byte)]) & odd == 0 {
            return out.extend_from_slice(bytes);
        }
        match self {
            Self::Hex => replacing(out, bytes, |byte| !printable(byte), hex),
            Self::Word => replacing(out, bytes, |byte| byte == b' ' || !printable(byte), hex),
            Self::Json => match std::str::from_utf8(bytes) {
                Ok(text) => json(out, text),
                Err(_) => json(out, &String::from_utf8_lossy(bytes)),
            },
        }
    }
}

/// It can't stand between quotes.
const NOT_PRINTABLE: u8 = 1;
/// It can't stand in a word, which is not quoted.
const NO_WORD: u8 = NOT_PRINTABLE | 2;

/// What speaks against each byte.
static KIND: [u8; 256] = {
    let mut kind = [0; 256];
    let mut byte = u8::MAX;
    loop {
        kind[byte as usize] = match byte {
            b' ' => 2,
            byte if printable(byte) => 0,
            _ => NOT_PRINTABLE,
        };
        match byte {
            0 => break kind,
            _ => byte -= 1,
        }
    }
};

/// Whether a byte can stand between quotes.
const fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Appends bytes, the odd ones replaced. Most values have none and are copied at once.
fn replacing(out: &mut Vec<u8>, bytes: &[u8], odd: impl Fn(u8) -> bool, replace: impl Fn(&mut Vec<u8>, u8)) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| odd(byte)) {
        out.extend_from_slice(&rest[..at]);
        replace(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

fn json(out: &mut Vec<u8>, text: &str) {
    // JSON only asks for the ASCII ones, but a terminal obeys the controls behind them too.
    let odd = |sign: char| sign.is_control() || matches!(sign, '"' | '\\');
    let mut rest = text;
    while let Some(at) = rest.find(odd) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut behind = from.chars();
        match behind.next() {
            Some('"') => out.extend_from_slice(b"\\\""),
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some('\n') => out.extend_from_slice(b"\\n"),
            Some('\r') => out.extend_from_slice(b"\\r"),
            Some('\t') => out.extend_from_slice(b"\\t"),
            // Every control character is below U+00A0.
            Some(control) => {
                let byte = u8::try_from(control).unwrap_or_default();
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            None => {}
        }
        rest = behind.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: Escape, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape.push(&mut out, bytes);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn quotes_backslashes_controls_and_foreign_bytes_become_hex() {
        for (bytes, wanted) in [
            (&b"curl/8.5 (x; y)"[..], "curl/8.5 (x; y)"),
            (b"a\"b\\c", "a\\x22b\\x5Cc"),
            (b"\r\n\t\0\x1b[31m", "\\x0D\\x0A\\x09\\x00\\x1B[31m"),
            (b"\x7f\x80\xff", "\\x7F\\x80\\xFF"),
            ("\u{e9}".as_bytes(), "\\xC3\\xA9"),
            (b"", ""),
        ] {
            assert_eq!(escaped(Escape::Hex, bytes), wanted);
        }
        assert_eq!(escaped(Escape::Word, b"two words"), "two\\x20words");
    }

    proptest! {
        #[test]
        fn a_json_string_means_what_went_in(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = format!("\"{}\"", escaped(Escape::Json, &bytes));
            let read: String = serde_json::from_str(&text).expect("a JSON string");
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
            prop_assert!(!text.contains(char::is_control));
        }

        #[test]
        fn a_word_stays_one_printable_word(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let word = escaped(Escape::Word, &bytes);
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'));
        }
    }
}
