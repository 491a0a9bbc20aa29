//! The language of file patterns, `/img/**`, `*.pdf`, `/fonts/*.woff2`, and which of several is the narrower one.
//!
//! As with routes, the narrowest pattern wins and the order means nothing. Whether one is narrower than another is
//! decided and not guessed: each pattern is a finite automaton, and all of them run side by side over every path that
//! could tell them apart.

use std::collections::{BTreeMap, HashSet, VecDeque};

/// Characters of one pattern: its states fit into the bits of a number.
const CHARS_MAX: usize = 120;

/// Patterns that are compared with each other.
pub(super) const GLOBS_MAX: usize = 32;

/// Combinations of states that are looked at; patterns that need more are too entangled for people, too.
const COMBINATIONS_MAX: usize = 20_000;

/// A pattern of files below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGlob {
    text: String,
    tokens: Vec<Token>,
}

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// Any characters of one name.
    Star,
    /// Any number of whole names, each after its slash: between names.
    Deep,
    /// The same: within a name.
    DeepName,
}

/// Why a text is no [`FileGlob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// Neither a path nor a name.
    #[error("a pattern with folders starts with `/`, the root of the files")]
    NoSlash,
    /// Nothing, or `//`, or a slash at the end.
    #[error("a pattern of files has no empty name in it")]
    EmptyName,
    /// `.` or `..`.
    #[error("`.` and `..` are never in the path of a file")]
    DotName,
    /// `a**`.
    #[error("`**` stands for whole folders: `/img/**`, `/docs/**/*.pdf`")]
    PartialDeep,
    /// `?`, `[`, `{`, a backslash or a control character.
    #[error("`*` and `**` are the only wildcards, and backslashes and control characters are in no path")]
    Character,
    /// More than 120 characters.
    #[error("a pattern of files has at most {CHARS_MAX} characters")]
    TooLong,
}

impl FileGlob {
    /// Reads a pattern. One without a slash is about names, in whatever folder.
    ///
    /// # Errors
    /// See [`BadGlob`].
    pub fn parse(text: &str) -> Result<Self, BadGlob> {
        if text.contains(|c: char| matches!(c, '?' | '[' | ']' | '{' | '}' | '\\') || c.is_control()) {
            return Err(BadGlob::Character);
        }
        let mut tokens = Vec::new();
        let names = match text.strip_prefix('/') {
            Some(names) => names,
            None if text.contains('/') => return Err(BadGlob::NoSlash),
            None => {
                tokens.extend([Token::Deep, Token::DeepName]);
                text
            }
        };
        let mut names = names.split('/').peekable();
        while let Some(name) = names.next() {
            match name {
                "" => return Err(BadGlob::EmptyName),
                "." | ".." => return Err(BadGlob::DotName),
                "**" => {
                    tokens.extend([Token::Deep, Token::DeepName]);
                    if names.peek().is_none() {
                        // At its end it means what is below, so at least one name.
                        tokens.extend([Token::Char('/'), Token::Star]);
                    }
                }
                name if name.contains("**") => return Err(BadGlob::PartialDeep),
                name => {
                    tokens.push(Token::Char('/'));
                    tokens.extend(name.chars().map(|c| if c == '*' { Token::Star } else { Token::Char(c) }));
                }
            }
        }
        if tokens.len() > CHARS_MAX {
            return Err(BadGlob::TooLong);
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is about this file: its path below the root, without a slash at the start.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let start = self.step(self.start(), '/');
        self.accepts(path.chars().fold(start, |states, c| self.step(states, c)))
    }

    fn start(&self) -> u128 {
        self.closed(1)
    }

    fn accepts(&self, states: u128) -> bool {
        states & (1 << self.tokens.len()) != 0
    }

    /// The states after one more character.
    fn step(&self, states: u128, c: char) -> u128 {
        let mut next = 0;
        for (at, token) in self.tokens.iter().enumerate().filter(|(at, _)| states & (1 << at) != 0) {
            next |= match token {
                Token::Char(wanted) if *wanted == c => 1 << (at + 1),
                Token::Deep if c == '/' => 1 << (at + 1),
                Token::Star | Token::DeepName if c != '/' => 1 << at,
                Token::Char(_) | Token::Star | Token::Deep | Token::DeepName => 0,
            };
        }
        self.closed(next)
    }

    /// With all states that are reached without a character.
    fn closed(&self, mut states: u128) -> u128 {
        loop {
            let before = states;
            for (at, token) in self.tokens.iter().enumerate().filter(|(at, _)| before & (1 << at) != 0) {
                states |= match token {
                    Token::Star => 1 << (at + 1),
                    Token::Deep => 1 << (at + 2),
                    Token::DeepName => 1 << (at - 1),
                    Token::Char(_) => 0,
                };
            }
            if states == before {
                return states;
            }
        }
    }
}

/// Why patterns can't be put in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undecided {
    /// Two of them, by position, are about the same files.
    Same(usize, usize),
    /// Both are about this file, among others, and neither is the narrower one.
    Crossed(usize, usize, String),
    /// Nobody could say.
    Entangled,
}

/// The positions of these patterns, narrower ones first: of those that match a file, the first one is narrower than the
/// others. At most [`GLOBS_MAX`] of them.
pub(super) fn by_width(globs: &[&FileGlob]) -> Result<Vec<usize>, Undecided> {
    let together = together(globs)?;
    let bits = |set: u64| (0..globs.len()).filter(move |at| set & (1 << at) != 0);
    // Which ones each is within: those that match wherever it does.
    let mut within = vec![u64::MAX >> (64 - globs.len().clamp(1, 64)); globs.len()];
    for &set in together.keys() {
        bits(set).for_each(|at| within[at] &= set);
    }
    for one in 0..globs.len() {
        if let Some(other) = (0..one).find(|&other| within[one] & (1 << other) != 0 && within[other] & (1 << one) != 0)
        {
            return Err(Undecided::Same(other, one));
        }
    }
    for (&set, path) in &together {
        if bits(set).any(|at| set & !within[at] == 0) {
            continue;
        }
        let narrowest = |&at: &usize| bits(set).all(|other| other == at || within[other] & (1 << at) == 0);
        let mut crossed = bits(set).filter(narrowest);
        if let (Some(one), Some(other)) = (crossed.next(), crossed.next()) {
            return Err(Undecided::Crossed(one, other, path.clone()));
        }
    }
    let mut order: Vec<usize> = (0..globs.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(within[at].count_ones()));
    Ok(order)
}

/// Every set of patterns that match some path together, with the shortest such path.
fn together(globs: &[&FileGlob]) -> Result<BTreeMap<u64, String>, Undecided> {
    let mut alphabet: Vec<char> = globs
        .iter()
        .flat_map(|glob| &glob.tokens)
        .filter_map(|token| match token {
            Token::Char(c) => Some(*c),
            Token::Star | Token::Deep | Token::DeepName => None,
        })
        .collect();
    // One that no pattern names stands for all such.
    alphabet.extend(('a'..='z').chain('\u{e000}'..='\u{f8ff}').find(|c| !alphabet.contains(c)));
    alphabet.push('/');
    alphabet.sort_unstable();
    alphabet.dedup();
    let mut found = BTreeMap::new();
    let mut seen = HashSet::new();
    let start: Vec<u128> = globs.iter().map(|glob| glob.step(glob.start(), '/')).collect();
    let mut queue = VecDeque::from([(start, true, "/".to_owned())]);
    while let Some((states, after_slash, path)) = queue.pop_front() {
        if !after_slash {
            let matching = globs.iter().zip(&states).enumerate().filter(|(_, (glob, states))| glob.accepts(**states));
            let set = matching.fold(0u64, |set, (at, _)| set | 1 << at);
            if set != 0 {
                found.entry(set).or_insert_with(|| path.clone());
            }
        }
        for &c in alphabet.iter().filter(|&&c| !(after_slash && c == '/')) {
            let next: Vec<u128> = globs.iter().zip(&states).map(|(glob, states)| glob.step(*states, c)).collect();
            if next.iter().all(|states| *states == 0) || !seen.insert((next.clone(), c == '/')) {
                continue;
            }
            if seen.len() > COMBINATIONS_MAX {
                return Err(Undecided::Entangled);
            }
            queue.push_back((next, c == '/', format!("{path}{c}")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(text: &str) -> FileGlob {
        FileGlob::parse(text).expect(text)
    }

    fn order(texts: &[&str]) -> Result<Vec<usize>, Undecided> {
        let globs: Vec<_> = texts.iter().map(|text| glob(text)).collect();
        by_width(&globs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, yes, no) in [
            ("/img/**", &["img/a.png", "img/a/b/c"][..], &["img", "a/img/b", "imga/b", "image/x"][..]),
            ("*.pdf", &["a.pdf", "a/b/c.pdf", ".pdf"], &["a.pdf/b", "a.pdfx"]),
            ("/*.pdf", &["a.pdf"], &["a/b.pdf"]),
            ("/a/**/z.txt", &["a/z.txt", "a/b/z.txt", "a/b/c/z.txt"], &["a/zz.txt", "z.txt", "a/b/z.txt/c"]),
            ("/fonts/*-v*.woff2", &["fonts/a-v1.woff2", "fonts/-v.woff2"], &["fonts/a.woff2", "fonts/x/a-v1.woff2"]),
            ("/**", &["a", "a/b"], &[]),
            ("robots.txt", &["robots.txt", "a/robots.txt"], &["robots.txt2"]),
            ("/caf\u{e9}/*", &["caf\u{e9}/x"], &["cafe/x"]),
        ] {
            for path in yes {
                assert!(glob(pattern).matches(path), "{pattern} {path}");
            }
            for path in no {
                assert!(!glob(pattern).matches(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for (text, wanted) in [
            ("", BadGlob::EmptyName),
            ("/", BadGlob::EmptyName),
            ("/a//b", BadGlob::EmptyName),
            ("/a/", BadGlob::EmptyName),
            ("img/**", BadGlob::NoSlash),
            ("/../x", BadGlob::DotName),
            ("/a**", BadGlob::PartialDeep),
            ("/a/***", BadGlob::PartialDeep),
            ("/[a-z]", BadGlob::Character),
            ("/a?", BadGlob::Character),
            ("/a\\b", BadGlob::Character),
        ] {
            assert_eq!(FileGlob::parse(text), Err(wanted), "{text:?}");
        }
        assert_eq!(FileGlob::parse(&"x".repeat(200)), Err(BadGlob::TooLong));
    }

    #[test]
    fn the_narrower_pattern_comes_first_whatever_the_order() {
        assert_eq!(order(&["/**", "/img/**", "/img/logo.svg"]), Ok(vec![2, 1, 0]));
        assert_eq!(order(&["/img/logo.svg", "/img/**", "/**"]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&["*.svg", "/img/*.svg"]), Ok(vec![1, 0]));
        assert_eq!(order(&["/a/**", "/b/**"]), Ok(vec![0, 1]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn crossing_patterns_need_one_for_what_they_share() {
        let crossed = order(&["/img/**", "*.svg"]);
        let Err(Undecided::Crossed(0, 1, path)) = crossed else { panic!("{crossed:?}") };
        assert!(path.starts_with("/img/") && path.ends_with(".svg"), "{path}");
        let resolved = order(&["/img/**", "*.svg", "/img/**/*.svg"]).expect("decided");
        assert_eq!(resolved[0], 2);
        assert!(
            matches!(order(&["/img/**", "*.svg", "/img/*.svg"]), Err(Undecided::Crossed(..))),
            "not in folders below"
        );
        assert_eq!(order(&["*.svg", "/**/*.svg"]), Err(Undecided::Same(0, 1)));
    }

    proptest! {
        #[test]
        fn the_first_that_matches_is_within_every_other_that_does(
            texts in proptest::collection::vec("(/[ab*]{1,2}){1,2}(/\\*\\*)?", 1..4),
            paths in proptest::collection::vec("[ab]{1,3}(/[ab]{1,3}){0,2}", 40),
        ) {
            let globs: Vec<_> = texts.iter().filter_map(|text| FileGlob::parse(text).ok()).collect();
            let Ok(order) = by_width(&globs.iter().collect::<Vec<_>>()) else { return Ok(()) };
            for path in &paths {
                let Some(&first) = order.iter().find(|&&at| globs[at].matches(path)) else { continue };
                for other in globs.iter().filter(|other| other.matches(path)) {
                    for path in paths.iter().filter(|path| globs[first].matches(path)) {
                        prop_assert!(other.matches(path), "{} {} {path}", globs[first].text, other.text);
                    }
                }
            }
        }
    }
}
