//! Search: which words a query asks for, and how texts are folded so that every database finds the same.
//!
//! Databases disagree about lower case outside ASCII, so the folding is done here, once at writing and once at
//! asking, and the database only compares.

/// The longest query, in characters.
pub const QUERY_CHARS_MAX: usize = 200;

/// A query is longer than [`QUERY_CHARS_MAX`] or holds a NUL, which no text can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("At most {QUERY_CHARS_MAX} characters, and no NUL.")]
pub struct BadQuery;

/// The folded words of a query, each of which must occur; each once.
///
/// # Errors
/// When the query is too long.
pub fn words(query: &str) -> Result<Vec<String>, BadQuery> {
    if query.chars().count() > QUERY_CHARS_MAX || query.contains('\0') {
        return Err(BadQuery);
    }
    let mut words: Vec<String> = query.split_whitespace().map(fold).collect();
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

/// A note's searchable text. The line ends keep a word from matching across two fields: words have none.
#[must_use]
pub fn haystack(title: &str, text: &str, tags: &[String]) -> String {
    let mut all = fold(title);
    for part in std::iter::once(text).chain(tags.iter().map(String::as_str)) {
        all.push('\n');
        all.push_str(&fold(part));
    }
    all
}

/// Lower case, one character at a time: [`str::to_lowercase`] writes a sigma at a word's end differently and would
/// hide it from a word that goes on.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|char| if char == 'ς' { 'σ' } else { char }).collect()
}

/// A pattern for `LIKE ... ESCAPE '\'` that finds the word anywhere.
#[must_use]
pub fn like(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for char in word.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_words() {
        assert_eq!(words(" Rust  rust\tTIDE "), Ok(vec!["rust".to_owned(), "tide".to_owned()]));
        assert_eq!(words(""), Ok(vec![]));
        assert_eq!(words(&"x".repeat(201)), Err(BadQuery));
        assert_eq!(words("a\0"), Err(BadQuery));
    }

    #[test]
    fn folding_does_not_depend_on_the_place_in_the_word() {
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert!(fold("ΟΔΟΣΑ").contains(&fold("ΟΔΟΣ")));
        assert_eq!(fold("ÄÖ"), "äö");
    }

    #[test]
    fn wildcards_are_plain_characters() {
        assert_eq!(like("50%_\\x"), r"%50\%\_\\x%");
    }

    #[test]
    fn fields_stay_apart() {
        let all = haystack("One", "Two", &["three".into()]);
        assert_eq!(all, "one\ntwo\nthree");
    }
}
