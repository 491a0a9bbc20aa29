//! What every source file owes its reader.

use crate::repository::{root, texts};
use crate::source::tokens;

/// Nine of ten files are shorter than this many lines: a concept is a file.
const LINES_OF_MOST_FILES: usize = 350;

#[test]
fn every_source_file_says_what_it_is_for() {
    let bare: Vec<String> =
        texts(".rs").into_iter().filter(|(_, text)| !says_what_it_is(text)).map(|(file, _)| file).collect();
    assert!(bare.is_empty(), "no `//!` on the first line: {bare:#?}");
}

fn says_what_it_is(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//! ").is_some_and(|words| words.ends_with(['.', ':']) || words.contains(' '))
}

#[test]
fn nothing_is_left_to_be_done() {
    for (file, text) in texts(".rs") {
        let tokens = tokens(&text);
        for macro_name in ["todo", "unimplemented", "dbg"] {
            let called = tokens.windows(2).any(|pair| pair[0] == macro_name && pair[1] == "!");
            assert!(!called, "{file} calls {macro_name}!");
        }
        // Written apart, so that this file passes its own test.
        let marked = [["FIX", "ME"].concat(), ["TO", "DO"].concat()];
        for mark in marked {
            let line = text.lines().position(|line| line.trim_start().starts_with("//") && line.contains(&mark));
            assert_eq!(line, None, "{file} has a comment with {mark}");
        }
    }
}

#[test]
fn most_files_are_short() {
    let mut lines: Vec<(usize, String)> =
        texts(".rs").into_iter().map(|(file, text)| (text.lines().count(), file)).collect();
    lines.sort_unstable();
    let (length, file) = &lines[lines.len() * 9 / 10];
    assert!(*length <= LINES_OF_MOST_FILES, "nine of ten files should be shorter than {file} ({length} lines)");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let repository = root().display().to_string();
    // Written apart, so that this file passes its own test.
    let foreign = [repository, ["", "work", ""].join("/"), ["", "root", ""].join("/")];
    for suffix in [".rs", ".md", ".toml", ".sh", ".yml", ".yaml", ".json", ".js", ".html", ".css", "Makefile", "run"] {
        for (file, text) in texts(suffix) {
            for path in &foreign {
                let line = text.lines().position(|line| starts_a_path(line, path));
                assert_eq!(line, None, "{file} names {path} (line counted from 0)");
            }
        }
    }
}

/// Whether an absolute path in `line` starts with `path`; `https://host/work/` and `$HOME/root/` are none.
fn starts_a_path(line: &str, path: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    let inside = |sign: char| sign.is_alphanumeric() || matches!(sign, '.' | '_' | '-' | '}' | ')' | '/' | '*');
    line.match_indices(path).any(|(at, _)| !before(at).is_some_and(inside))
}
