//! Just enough of Rust's grammar to read a file's paths: comments, strings and lifetimes drop out, words and
//! punctuation stay.

/// The words and punctuation of a source text; `::` is one piece, every other sign stands alone.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens: Vec<String> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        at = match chars[at] {
            '/' if next == '/' => find(&chars, at, "\n"),
            '/' if next == '*' => find(&chars, at + 2, "*/") + 2,
            'r' if next == '#' || next == '"' => {
                raw_string(&chars, at).unwrap_or_else(|| word(&chars, at, &mut tokens))
            }
            '"' => string(&chars, at),
            '\'' => quote(&chars, at),
            ':' if next == ':' => push(&mut tokens, "::", at + 2),
            sign if sign.is_alphanumeric() || sign == '_' => word(&chars, at, &mut tokens),
            sign if sign.is_whitespace() => at + 1,
            sign => push(&mut tokens, sign.encode_utf8(&mut [0; 4]), at + 1),
        };
    }
    tokens
}

fn push(tokens: &mut Vec<String>, token: &str, next: usize) -> usize {
    tokens.push(token.to_owned());
    next
}

fn word(chars: &[char], start: usize, tokens: &mut Vec<String>) -> usize {
    let word: String = chars[start..].iter().take_while(|sign| sign.is_alphanumeric() || **sign == '_').collect();
    push(tokens, &word, start + word.chars().count())
}

/// Where `wanted` stands next, or the end.
fn find(chars: &[char], start: usize, wanted: &str) -> usize {
    let wanted: Vec<char> = wanted.chars().collect();
    let rest = chars.get(start..).unwrap_or_default();
    rest.windows(wanted.len()).position(|window| window == wanted).map_or(chars.len(), |offset| start + offset)
}

/// Behind a string literal.
fn string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Behind `r"..."` or `r#"..."#`; `None` for a raw identifier.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|sign| **sign == '#').count();
    let open = start + 1 + hashes;
    (chars.get(open) == Some(&'"')).then(|| {
        let end = format!("\"{}", "#".repeat(hashes));
        find(chars, open + 1, &end) + end.len()
    })
}

/// Behind a character literal, or behind the quote of a lifetime.
fn quote(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => find(chars, start + 3, "'") + 1,
        (_, Some('\'')) => start + 3,
        _ => start + 1,
    }
}

#[test]
fn only_code_is_left() {
    let text = r##"
        //! crate::comment
        /* crate::comment */
        fn f<'a>(c: &'a char) { g("crate::text", 'x', '\'', r#"crate::"raw""#); crate::auth::check() }
    "##;
    let paths = tokens(text).join(" ");
    assert!(paths.ends_with("crate :: auth :: check ( ) }"), "{paths}");
    assert_eq!(paths.matches("crate").count(), 1, "{paths}");
}
