//! Extensions of chunks (RFC 9112 section 7.1.1). Nobody acts on them here, but where they end is where a chunk begins: a
//! quote that another server takes to be open still would give it another body.

use super::fields::is_token;

/// Whether these are extensions: `; name`, `; name=token` or `; name="text"`, any number of them, with white space only
/// before the last word.
pub(super) fn are_sound(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = without_space(text).strip_prefix(b";") else { return false };
        let Some(rest) = behind_token(without_space(rest)) else { return false };
        let Some(value) = without_space(rest).strip_prefix(b"=").map(without_space) else {
            text = rest;
            continue;
        };
        let rest = if value.first() == Some(&b'"') { behind_quoted(&value[1..]) } else { behind_token(value) };
        let Some(rest) = rest else { return false };
        text = rest;
    }
    true
}

fn without_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    &text[spaces..]
}

fn behind_token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|&&byte| is_token(&[byte])).count();
    (length > 0).then(|| &text[length..])
}

/// What follows a quoted string whose first quote is gone (RFC 9110 section 5.6.4).
fn behind_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut escaped = false;
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'"' if !escaped => return text.get(index + 1..),
            b'\t' | b' '..=b'~' | 0x80..=0xff => escaped = byte == b'\\' && !escaped,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_names_with_or_without_a_value() {
        for text in [
            "",
            ";a",
            ";a;b",
            ";a=b",
            ";a=\"b\"",
            ";a=\"\"",
            ";a=\"b;c=\\\"d\\\\\"",
            " ;\ta = b ; c = \"d\"",
            ";!#$%&'*+-.^_`|~09=z",
            ";a=\"\u{e9}\"",
        ] {
            assert!(are_sound(text.as_bytes()), "{text}");
        }
        for text in [
            ";",
            ";;a",
            "a",
            "=a",
            ";a=",
            ";=b",
            ";a b",
            ";a=b c",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=\"b\\\"",
            ";a,b",
            ";a=\u{e9}",
            " ",
            ";a ",
            ";a=b ",
            ";a=\"\u{7f}\"",
            ";a=\"\u{0}\"",
        ] {
            assert!(!are_sound(text.as_bytes()), "{text}");
        }
    }
}
