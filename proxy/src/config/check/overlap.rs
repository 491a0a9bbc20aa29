//! Routes of equal specificity: which of two would win could only depend on their order, which means nothing.

use super::Checked;
use crate::config::read::{At, Context};
use crate::config::{Route, RouteMatch};
use std::collections::BTreeMap;

/// Reports routes that some request fits equally well, and explicit names that are used twice.
pub(super) fn overlaps(routes: &[Checked<Route>], context: &mut Context<'_>) {
    let mut by_path: BTreeMap<_, Vec<&At<Route>>> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, &At<Route>> = BTreeMap::new();
    for route in routes.iter().flatten() {
        let RouteMatch { site, path, methods: _, headers: _ } = &route.value.matcher;
        let same_path = by_path.entry((site, &path.segments, path.rest)).or_default();
        if let Some(first) = same_path.iter().find(|other| equal(&other.value.matcher, &route.value.matcher)) {
            context
                .problem(route.at, "two routes match the same requests equally well")
                .note_at(first.at, "the other one is")
                .help("tell them apart by `site`, `match`, `methods` or `headers`, or remove one");
        }
        same_path.push(route);
        let is_named = route.value.name != path.text;
        if let Some(first) = by_name.insert(&route.value.name, route).filter(|_| is_named) {
            context
                .problem(route.at, format!("two routes have the name `{}`", route.value.name))
                .note_at(first.at, "the other one is");
        }
    }
}

/// Whether two matches of the same site and path are equally specific and some request fits both.
fn equal(one: &RouteMatch, other: &RouteMatch) -> bool {
    let methods = match (one.methods.as_slice(), other.methods.as_slice()) {
        ([], []) => true,
        // A route with methods is more specific than one without.
        ([], _) | (_, []) => false,
        (one, other) => one.iter().any(|method| other.contains(method)),
    };
    let apart = |(name, value): &(http::HeaderName, Option<http::HeaderValue>)| {
        value.is_some() && other.headers.iter().any(|(n, v)| n == name && v.is_some() && v != value)
    };
    methods && one.headers.len() == other.headers.len() && !one.headers.iter().any(apart)
}
