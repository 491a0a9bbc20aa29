//! Servers by name and version.

use crate::ground::Ground;
use crate::server::Kind;
use crate::workload::Run;

/// What the servers say of themselves, asked once.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<(Kind, Option<String>)>);

impl Labels {
    pub(super) fn ask(ground: &Ground) -> Self {
        Self(Kind::ALL.into_iter().map(|kind| (kind, kind.introduction(ground))).collect())
    }

    /// `nginx 1.22.1`, and what is special about the run.
    pub(super) fn run(&self, run: &Run) -> String {
        let separator = if run.note.is_empty() { "" } else { ", " };
        format!("{}{separator}{}", self.server(run.server), run.note)
    }

    /// `nginx 1.22.1`
    pub(super) fn server(&self, kind: Kind) -> String {
        let version = self.introduction(kind).and_then(version);
        version.map_or_else(|| kind.name().to_owned(), |version| format!("{} {version}", kind.name()))
    }

    /// The line in which a server says what it is.
    pub(super) fn introduction(&self, kind: Kind) -> Option<&str> {
        self.0.iter().find(|(of, _)| *of == kind)?.1.as_deref()
    }
}

/// The first number with dots, without what a distribution appended.
fn version(introduction: &str) -> Option<&str> {
    let words = introduction.split([' ', '/']);
    let mut numbers = words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    numbers.next()?.split(['-', '+']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_wherever_it_stands() {
        assert_eq!(version("portcullis 0.1.0"), Some("0.1.0"));
        assert_eq!(version("nginx version: nginx/1.22.1"), Some("1.22.1"));
        assert_eq!(version("h2o version 2.2.5"), Some("2.2.5"));
        assert_eq!(version("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/"), Some("2.6.12"));
        assert_eq!(version("a server"), None);
    }
}
