//! A tree of path patterns. The walk prefers a literal segment to `*` and `*` to `**`, so the first hit is the most
//! specific one, whatever the order in the file.

use super::path::Segments;
use crate::config::{PathPattern, PatternSegment};
use std::borrow::Cow;
use std::collections::HashMap;

/// Candidates per pattern, each with the predicates that remain.
#[derive(Debug)]
pub(super) struct Tree<T> {
    literals: HashMap<Box<str>, Tree<T>>,
    any: Option<Box<Tree<T>>>,
    /// Patterns that end here.
    exact: Vec<T>,
    /// Patterns that end here with `**`.
    rest: Vec<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), any: None, exact: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Tree<T> {
    pub(super) fn insert(&mut self, pattern: &PathPattern, value: T) {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                PatternSegment::Literal(text) => node.literals.entry(text.as_str().into()).or_default(),
                PatternSegment::Any => node.any.get_or_insert_default(),
            };
        }
        if pattern.rest { node.rest.push(value) } else { node.exact.push(value) }
    }

    /// Applies `f` to the candidates of every pattern, for sorting once after the last insert.
    pub(super) fn for_each(&mut self, f: &mut impl FnMut(&mut Vec<T>)) {
        f(&mut self.exact);
        f(&mut self.rest);
        self.literals.values_mut().for_each(|child| child.for_each(f));
        if let Some(any) = &mut self.any {
            any.for_each(f);
        }
    }

    /// The first candidate, from the most specific pattern to the least, that `fits`.
    pub(super) fn find(&self, segments: &Segments<'_>, fits: &impl Fn(&T) -> bool) -> Option<&T> {
        self.walk(segments, fits)
    }

    fn walk(&self, segments: &[Cow<'_, str>], fits: &impl Fn(&T) -> bool) -> Option<&T> {
        let hit = |candidates: &'_ [T]| candidates.iter().position(fits);
        let Some((first, others)) = segments.split_first() else {
            return hit(&self.exact).map(|at| &self.exact[at]).or_else(|| hit(&self.rest).map(|at| &self.rest[at]));
        };
        let literal = self.literals.get(first.as_ref()).and_then(|child| child.walk(others, fits));
        let any = || self.any.as_ref().filter(|_| !first.is_empty()).and_then(|child| child.walk(others, fits));
        literal.or_else(any).or_else(|| hit(&self.rest).map(|at| &self.rest[at]))
    }
}
