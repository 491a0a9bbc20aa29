//! Whether `Content-Disposition` of an application can go to a client as it is (RFC 6266).

use http::HeaderValue;
use percent_encoding::percent_decode;

/// Bytes of a value: a name of 255 bytes in both forms, all of it escaped.
const BYTES_MAX: usize = 1100;

/// What stands for a value that is not sound: the file is kept and not shown, under a name of the client's choice.
pub(super) const PLAIN: HeaderValue = HeaderValue::from_static("attachment");

/// Whether the value is well formed, not longer than file names need, and no name in it, `filename` or `filename*`, has a
/// control character.
pub(super) fn is_sound(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    bytes.len() <= BYTES_MAX && !text.contains(char::is_control) && is_well_formed(text)
}

fn is_well_formed(text: &str) -> bool {
    let end = text.find(';').unwrap_or(text.len());
    let (kind, mut rest) = text.split_at(end);
    if !is_token(kind.trim()) {
        return false;
    }
    while let Some(parameter) = rest.strip_prefix(';') {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let name = name.trim();
        let length = if value.starts_with('"') { quoted_length(value) } else { value.find(';').unwrap_or(value.len()) };
        let Some((value, after)) = value.split_at_checked(length) else { return false };
        let is_value = value.starts_with('"') || is_token(value.trim());
        if !is_token(name) || !is_value || (name.ends_with('*') && !is_extended(value.trim())) {
            return false;
        }
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// The length of a quoted string with its quotes; more than there is when it does not end.
fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    usize::MAX
}

/// `UTF-8'en'%e2%82%ac` (RFC 8187 section 3.2).
fn is_extended(value: &str) -> bool {
    let mut parts = value.splitn(3, '\'');
    let (Some(charset), Some(_language), Some(name)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let decoded = percent_decode(name.as_bytes()).decode_utf8();
    charset.eq_ignore_ascii_case("utf-8") && decoded.is_ok_and(|name| !name.contains(char::is_control))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_values_pass_and_others_do_not() {
        for value in [
            "attachment",
            "inline",
            "attachment; filename=a.txt",
            "attachment; filename=\"a b;c.txt\"",
            "attachment;filename=\"a\\\"b\" ; filename*=UTF-8''a%22b",
            "attachment; filename=\"\"; size=5",
            "attachment; filename=\"caf\u{e9}.txt\"",
        ] {
            assert!(is_sound(&HeaderValue::from_bytes(value.as_bytes()).expect(value)), "{value}");
        }
        let long = format!("attachment; filename=\"{}\"", "x".repeat(2000));
        for value in [
            "",
            "; filename=a",
            "attachment; filename",
            "attachment; filename=\"a",
            "attachment; filename=\"a\\\"",
            "attachment; filename=\"a\tb\"",
            "attachment; filename=a b",
            "attachment; filename=\"a\" b",
            "attachment; filename*=UTF-8''a%0d%0ab",
            "attachment; filename*=UTF-8''a%00",
            "attachment; filename*=UTF-8''%ff",
            "attachment; filename*=a.txt",
            "attachment; filename*=latin1''a",
            &long,
        ] {
            assert!(!is_sound(&HeaderValue::from_bytes(value.as_bytes()).expect(value)), "{value}");
        }
        assert!(!is_sound(&HeaderValue::from_bytes(b"attachment; filename=\"\xff\"").expect("value")));
    }
}
