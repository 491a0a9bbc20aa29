//! What is on a slow disk, what of it hangs, and what the kernel is told.

use super::protocol::{self, ENOENT, ENOSYS, Facts, Question, Request};
use super::{Kept, Operation};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The node of the root (`FUSE_ROOT_ID`).
const ROOT: u64 = 1;

/// As long as any test takes.
const LONG_SECONDS: u64 = 3600;

#[derive(Default)]
pub(super) struct State {
    /// By number, less one.
    nodes: Vec<Node>,
    /// What hangs, and below which path.
    pub(super) held: Vec<(Operation, String)>,
    pub(super) hanging: Vec<Request>,
    pub(super) asked: BTreeMap<(Operation, String), usize>,
}

struct Node {
    path: String,
    version: u64,
    content: Content,
}

enum Content {
    File(Arc<[u8]>),
    /// Names and nodes.
    Directory(Vec<(String, u64)>),
}

impl State {
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let root = Node { path: String::new(), version: 0, content: Content::Directory(Vec::new()) };
        let mut state = Self { nodes: vec![root], ..Self::default() };
        for (path, content) in files {
            let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
            let directory = state.directory(directory);
            state.add(directory, path, Content::File(content.into()));
        }
        state
    }

    /// The node of a directory, which is made if there is none.
    fn directory(&mut self, path: &str) -> u64 {
        if let Some(at) = self.nodes.iter().position(|node| node.path == path) {
            return at as u64 + ROOT;
        }
        let (above, _) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.directory(above);
        self.add(above, path, Content::Directory(Vec::new()))
    }

    fn add(&mut self, directory: u64, path: &str, content: Content) -> u64 {
        self.nodes.push(Node { path: path.to_owned(), version: 0, content });
        let node = self.nodes.len() as u64;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let at = usize::try_from(directory - ROOT).expect("a node");
        if let Content::Directory(entries) = &mut self.nodes[at].content {
            entries.push((name, node));
        }
        node
    }

    fn node(&self, number: u64) -> Option<&Node> {
        self.nodes.get(usize::try_from(number.checked_sub(ROOT)?).ok()?)
    }

    /// What a request does, and with which path.
    pub(super) fn subject(&self, request: &Request) -> Option<(Operation, String)> {
        let path = &self.node(request.node)?.path;
        let operation = match &request.question {
            Question::Lookup { name } => {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                return Some((Operation::Lookup, path));
            }
            Question::Attributes => Operation::Attributes,
            Question::Open => Operation::Open,
            Question::Read { .. } => Operation::Read,
            Question::List { .. } => Operation::List,
            _ => return None,
        };
        Some((operation, path.clone()))
    }

    /// `None`: no answer is wanted.
    pub(super) fn answer(&self, request: &Request, kept: Kept) -> Option<Vec<u8>> {
        let seconds = |kept| if kept { LONG_SECONDS } else { 0 };
        let found = match &request.question {
            Question::Note => return None,
            Question::Unknown => return Some(request.refuse(ENOSYS)),
            Question::Init => Some(protocol::init()),
            Question::Close => Some(Vec::new()),
            Question::Statistics => Some(protocol::statistics()),
            Question::Open | Question::OpenDirectory => Some(protocol::opened(kept.pages)),
            Question::Attributes => {
                self.facts(request.node).map(|facts| protocol::attributes(facts, seconds(kept.attributes)))
            }
            Question::Lookup { name } => self
                .child(request.node, name)
                .map(|facts| protocol::entry(facts, seconds(kept.names), seconds(kept.attributes))),
            Question::Read { offset, size } => self.node(request.node).map(|node| match &node.content {
                Content::File(bytes) => {
                    let at = |offset: usize| offset.min(bytes.len());
                    bytes[at(*offset)..at(offset + size)].to_vec()
                }
                Content::Directory(_) => Vec::new(),
            }),
            Question::List { offset } => self.node(request.node).map(|node| match &node.content {
                Content::File(_) => Vec::new(),
                Content::Directory(entries) => self.list(entries, *offset),
            }),
        };
        Some(found.map_or_else(|| request.refuse(ENOENT), |payload| request.answer(&payload)))
    }

    fn list(&self, entries: &[(String, u64)], offset: usize) -> Vec<u8> {
        // One at a time, as any number is right.
        let entry = entries.iter().enumerate().nth(offset);
        entry
            .and_then(|(place, (name, node))| Some(protocol::directory_entry(self.facts(*node)?, name, place + 1)))
            .unwrap_or_default()
    }

    fn child(&self, directory: u64, name: &str) -> Option<Facts> {
        let Content::Directory(entries) = &self.node(directory)?.content else { return None };
        self.facts(entries.iter().find(|(known, _)| known == name)?.1)
    }

    fn facts(&self, node: u64) -> Option<Facts> {
        let found = self.node(node)?;
        let size = match &found.content {
            Content::File(bytes) => Some(bytes.len()),
            Content::Directory(_) => None,
        };
        Some(Facts { node, size, version: found.version })
    }

    /// Writes a file anew, a second later than before. False when there is none of this name.
    pub(super) fn write(&mut self, path: &str, content: Vec<u8>) -> bool {
        let node = self.nodes.iter_mut().find(|node| node.path == path);
        let is_there = node.is_some();
        if let Some(node) = node {
            node.content = Content::File(content.into());
            node.version += 1;
        }
        is_there
    }
}
