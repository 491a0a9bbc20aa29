//! Tags: short lower-case words on a note.

/// The most tags on one note.
pub const TAGS_MAX: usize = 20;
/// The longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 40;

/// Why a list is no [`Tags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTags {
    /// More than [`TAGS_MAX`] different ones.
    #[error("At most {TAGS_MAX} tags.")]
    TooMany,
    /// One is empty or longer than [`TAG_CHARS_MAX`].
    #[error("Each tag must have 1 to {TAG_CHARS_MAX} characters.")]
    Length,
    /// One holds a control character.
    #[error("Tags must not contain control characters.")]
    Control,
}

/// One tag in its normal form: trimmed, lower-case, inner white space made one space.
///
/// # Errors
/// When it is empty, too long or holds control characters.
pub fn normalise(tag: &str) -> Result<String, BadTags> {
    // White space goes first: a line end inside a tag is a space, not an error.
    let words: Vec<&str> = tag.split_whitespace().collect();
    let tag = words.join(" ").to_lowercase();
    if tag.chars().any(char::is_control) {
        return Err(BadTags::Control);
    }
    if tag.is_empty() || tag.chars().count() > TAG_CHARS_MAX {
        return Err(BadTags::Length);
    }
    Ok(tag)
}

/// A note's tags: normal, each once, in the author's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

impl Tags {
    /// Normalises a list.
    ///
    /// # Errors
    /// When one of them is no tag or they are too many.
    pub fn new(tags: &[String]) -> Result<Self, BadTags> {
        let mut normal: Vec<String> = Vec::new();
        for tag in tags {
            let tag = normalise(tag)?;
            if !normal.contains(&tag) {
                if normal.len() == TAGS_MAX {
                    return Err(BadTags::TooMany);
                }
                normal.push(tag);
            }
        }
        Ok(Self(normal))
    }

    /// The tags.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// As one text for a database column: each tag between line ends, so that a whole tag can be searched as
    /// [`framed`]. Tags hold no controls, hence no line ends.
    #[must_use]
    pub fn to_column(&self) -> String {
        self.0.iter().fold(String::new(), |mut column, tag| {
            column.push('\n');
            column.push_str(tag);
            column.push('\n');
            column
        })
    }

    /// Reads [`Tags::to_column`] back.
    #[must_use]
    pub fn from_column(column: &str) -> Self {
        Self(column.split('\n').filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
    }
}

/// How one tag stands in [`Tags::to_column`].
#[must_use]
pub fn framed(tag: &str) -> String {
    format!("\n{tag}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_form() {
        for (written, normal) in [
            ("Rust", Ok("rust")),
            ("  To  Do\n", Ok("to do")),
            ("ÄRGER", Ok("ärger")),
            ("50%_\\", Ok("50%_\\")),
            ("", Err(BadTags::Length)),
            ("   ", Err(BadTags::Length)),
            ("a\u{0}b", Err(BadTags::Control)),
        ] {
            assert_eq!(normalise(written).as_deref(), normal.as_ref().copied(), "{written:?}");
        }
        assert_eq!(normalise(&"x".repeat(40)), Ok("x".repeat(40)));
        assert_eq!(normalise(&"x".repeat(41)), Err(BadTags::Length));
    }

    #[test]
    fn lists_lose_repetitions_before_they_are_counted() {
        let list = |range: std::ops::Range<usize>| range.map(|n| format!("T{}", n % 20)).collect::<Vec<_>>();
        assert_eq!(Tags::new(&list(0..40)).map(|tags| tags.as_slice().len()), Ok(20));
        let twenty_one: Vec<_> = (0..21).map(|n| n.to_string()).collect();
        assert_eq!(Tags::new(&twenty_one), Err(BadTags::TooMany));
    }

    #[test]
    fn the_column_reads_back() {
        for tags in [&[][..], &["a"][..], &["b", "to do", "%"][..]] {
            let tags = Tags::new(&tags.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("tags");
            assert_eq!(Tags::from_column(&tags.to_column()), tags);
        }
        assert!(Tags(vec!["ab".into(), "c".into()]).to_column().contains(&framed("c")));
        assert!(!Tags(vec!["ab".into()]).to_column().contains(&framed("b")));
    }
}
