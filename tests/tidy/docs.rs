//! Documents that name files name files that exist.

use crate::repository::{root, texts};
use std::path::Path;

#[test]
fn links_of_documents_lead_somewhere() {
    for (file, text) in texts(".md") {
        for target in link_targets(&prose(&text)) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let linked = if path.is_empty() { root().join(&file) } else { beside(&file).join(path) };
            assert!(linked.exists(), "{file} links to {target}, which does not exist");
            if !anchor.is_empty() && linked.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&linked).expect("a document in UTF-8");
                assert!(anchors(&text).contains(&anchor.to_owned()), "{file} links to {target}: no such heading");
            }
        }
    }
}

#[test]
fn paths_named_in_documents_exist() {
    for (file, text) in texts(".md") {
        for named in prose(&text).split('`').skip(1).step_by(2) {
            if is_repository_path(named) {
                let exists = root().join(named).exists() || beside(&file).join(named).exists();
                assert!(exists, "{file} names `{named}`, which does not exist");
            }
        }
    }
}

fn beside(file: &str) -> std::path::PathBuf {
    root().join(file).parent().map(Path::to_owned).unwrap_or_default()
}

/// The text without its fenced blocks: those show commands and output.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn link_targets(text: &str) -> Vec<String> {
    let behind = text.split("](").skip(1);
    behind.filter_map(|rest| rest.split(')').next()).map(|target| target.trim().to_owned()).collect()
}

/// Headings as hosting sites make anchors of them: lower case, spaces to hyphens, punctuation gone.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let plain = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
    plain
        .map(|heading| heading.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, '-' | '_')).collect())
        .collect()
}

/// Whether a code span is meant as a file of this repository: it starts with one of its folders and holds no pattern.
fn is_repository_path(span: &str) -> bool {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '/' | '.' | '_' | '-');
    let folders = ["proxy/", "app/", "serve/", "tests/", "static/", "deploy/", ".ci/"];
    folders.iter().any(|folder| span.starts_with(folder)) && span.chars().all(plain)
}
