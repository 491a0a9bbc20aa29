//! Which modules of its own crate a file names.

use crate::repository;
use crate::source::tokens;
use std::collections::BTreeSet;

/// A source file of one crate.
pub(crate) struct Module {
    /// Relative to the repository.
    pub(crate) file: String,
    /// `auth::rule` as `["auth", "rule"]`; empty for the root of the crate.
    pub(crate) path: Vec<String>,
    /// Whether it is the face of a folder: `mod.rs`, or a file beside a folder of its name.
    pub(crate) face: bool,
    /// Absolute paths into the same crate, without `crate`, each as far as it was written.
    pub(crate) names: BTreeSet<Vec<String>>,
}

/// All modules below `source`, for example `proxy/src`.
pub(crate) fn modules(source: &str) -> Vec<Module> {
    let texts = repository::texts(".rs");
    let below = texts.into_iter().filter_map(|(file, text)| {
        let inner = file.strip_prefix(source)?.strip_prefix('/')?.strip_suffix(".rs")?;
        let mut path: Vec<String> = inner.split('/').map(str::to_owned).collect();
        let face =
            path.last().is_some_and(|last| last == "mod") || repository::root().join(source).join(inner).is_dir();
        if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
            path.pop();
        }
        let names = names(&path, &tokens(&text));
        Some(Module { names, face, path, file })
    });
    below.collect()
}

/// Every path that starts with `crate`, `self` or `super`, made absolute.
fn names(module: &[String], tokens: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    // One entry per open brace: whether it is an inline module, which `super` leaves first.
    let mut braces: Vec<bool> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => braces.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => {
                braces.pop();
            }
            "crate" | "self" | "super" if tokens.get(at + 1).is_some_and(|next| next == "::") => {
                if at > 0 && (tokens[at - 1] == "::" || tokens[at - 1] == "$") {
                    continue;
                }
                let inline = braces.iter().filter(|inline| **inline).count();
                collect(&base(module, inline, &tokens[at..]), &tokens[at..], &mut found);
            }
            _ => {}
        }
    }
    found
}

/// The module that the leading `crate`, `self` and `super`s of a path stand for.
fn base(module: &[String], inline: usize, path: &[String]) -> Vec<String> {
    let supers = path.iter().step_by(2).take_while(|word| *word == "super").count();
    let mut base = if path[0] == "crate" { Vec::new() } else { module.to_vec() };
    base.truncate(base.len().saturating_sub(supers.saturating_sub(inline)));
    base
}

/// Follows a path, through the braces of a `use` group, down to names of items.
fn collect(base: &[String], path: &[String], found: &mut BTreeSet<Vec<String>>) -> usize {
    let mut reached = base.to_vec();
    let mut at = 0;
    while let Some(token) = path.get(at) {
        match token.as_str() {
            "crate" | "self" | "super" | "::" => {}
            "{" if at > 0 && path[at - 1] == "::" => {
                at += 1;
                while path.get(at).is_some_and(|token| token != "}") {
                    at += if path[at] == "," { 1 } else { collect(&reached, &path[at..], found) };
                }
                return at + 1;
            }
            word if at == 0 || path[at - 1] == "::" => {
                if !word.starts_with(|sign: char| sign.is_alphabetic() || sign == '_') {
                    break;
                }
                reached.push(word.to_owned());
            }
            _ => break,
        }
        at += 1;
    }
    // Behind a renamed item stands `as name`.
    let end = if path.get(at).is_some_and(|token| token == "as") { at + 2 } else { at };
    found.insert(reached);
    end.max(1)
}

#[test]
fn groups_supers_and_inline_modules_are_read() {
    let text = "use crate::{a::{B, c::D as E}, f}; use super::g::H; pub(crate) fn x() -> super::super::i::J { }
        mod tests { use super::*; use super::super::k::L; }";
    let module: Vec<String> = ["m", "n"].map(str::to_owned).to_vec();
    let found: Vec<String> = names(&module, &tokens(text)).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::B", "a::c::D", "f", "i::J", "m::g::H", "m::k::L", "m::n"]);
}
