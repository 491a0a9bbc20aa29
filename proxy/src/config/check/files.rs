//! `files` of a route: directories and pages that are there, and patterns that say one thing about each file.

use super::{error_pages, no_effect, root};
use crate::config::file::action as file;
use crate::config::file::files::CacheEntry;
use crate::config::glob::{self, Undecided};
use crate::config::read::{At, Context, List};
use crate::config::{CacheRule, DISK_TIMEOUT, Files, PathPattern};

pub(super) fn files(written: file::Files, path: Option<&At<PathPattern>>, context: &mut Context<'_>) -> Option<Files> {
    let file::Files {
        written: keys,
        root,
        index,
        fallback,
        assets,
        strip_prefix,
        cache_control,
        cache,
        types,
        error_pages,
        listing,
        symlinks,
        hidden,
        cached_bytes_max,
        compressible_types,
        precompressed,
        compress,
        fresh_for,
        disk_timeout,
    } = written;
    let patience = disk_timeout.as_ref().map_or(DISK_TIMEOUT, |timeout| timeout.value.0);
    let root = root.and_then(|root| root::root(root, patience, context));
    let dir = root.as_ref().and_then(|root| root.files.as_deref());
    if let (Some(dir), Some(fallback)) = (dir, &fallback)
        && !dir.join(&fallback.value.0).is_file()
    {
        context.problem(fallback.at, format!("there is no file {}", dir.join(&fallback.value.0).display()));
    }
    let error_pages = error_pages.map(|pages| error_pages::of_files(pages.value, dir, context)).unwrap_or_default();
    if let Some(index) = index.as_ref().filter(|index| index.value.0.contains('/')) {
        context.problem(index.at, "`index` is the name of a file, without `/`");
    }
    let compress = super::compress::compress(compress, context);
    let is_used = compress.as_ref().is_none_or(Option::is_some) || precompressed.as_ref().is_none_or(|on| on.value);
    let compressible_types = super::compress::types(compressible_types, &keys, is_used, context);
    let strip = strip_prefix?.value;
    let strip_prefix = path.filter(|_| strip).map(|path| path.value.literal_prefix());
    if let (Some(path), Some(at)) = (path.filter(|_| strip), keys.at("strip_prefix")) {
        if !path.value.rest {
            context
                .problem(at, "with this match nothing is left of the path after the prefix")
                .note_at(path.at, "`match`")
                .help("end the match with `/**`");
        } else if strip_prefix.as_deref() == Some("/") {
            no_effect(&[("strip_prefix", at)], "when the match has no literal beginning", context);
        }
    }
    let types = types.map(|types| types.value.0).unwrap_or_default();
    let root = root?;
    Some(Files {
        root: root.configured,
        releases_kept: root.releases_kept,
        error_pages,
        listing: listing?.value,
        index: index?.value.0,
        fallback: fallback.map(|fallback| fallback.value.0),
        assets: assets?.value.0.into_iter().map(|glob| glob.value).collect(),
        strip_prefix,
        cache_control: cache_control.map(|value| value.value),
        cache: self::cache(cache?.value, context)?,
        types: types.into_iter().map(|(extension, media)| (extension.0, media.0)).collect(),
        symlinks: symlinks?.value,
        hidden: hidden?.value,
        cached_bytes_max: cached_bytes_max?.value.0,
        compressible_types: compressible_types?,
        precompressed: precompressed?.value,
        compress: compress?,
        fresh_for: fresh_for?.value.0,
        disk_timeout: disk_timeout?.value.0,
    })
}

/// The rules with the narrower pattern first.
fn cache(written: List<CacheEntry>, context: &mut Context<'_>) -> Option<Vec<CacheRule>> {
    let mut rules = Vec::new();
    for At { value: CacheEntry { written: _, r#match, control }, .. } in written.0 {
        if let (Some(glob), Some(control)) = (r#match, control) {
            rules.push(At { at: glob.at, value: CacheRule { glob: glob.value, control: control.value } });
        }
    }
    if let Some(first) = rules.get(glob::GLOBS_MAX) {
        context.problem(first.at, format!("more than {} cache rules", glob::GLOBS_MAX));
        return None;
    }
    let globs: Vec<_> = rules.iter().map(|rule| &rule.value.glob).collect();
    match glob::by_width(&globs) {
        Ok(order) => Some(order.into_iter().map(|at| rules[at].value.clone()).collect()),
        Err(Undecided::Same(first, second)) => {
            context
                .problem(rules[second].at, "two patterns are about the same files")
                .note_at(rules[first].at, "the other one is");
            None
        }
        Err(Undecided::Crossed(first, second, path)) => {
            context
                .problem(rules[second].at, format!("two patterns are about {path}, and neither is the narrower one"))
                .note_at(rules[first].at, "the other one is")
                .help("add one for the files that both are about, or write narrower ones");
            None
        }
        Err(Undecided::Entangled) => {
            let at = rules.first()?.at;
            context.problem(at, "these patterns are too entangled to be compared").help("write fewer wildcards");
            None
        }
    }
}
