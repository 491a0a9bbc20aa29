//! Content codings of a route's files: each once, and sizes that leave something.

use crate::config::file::compress::{Compress as Written, CompressSwitch};
use crate::config::read::{At, Context, Keys, List};
use crate::config::units::Spelled;
use crate::config::{Compress, MediaPattern};

/// The outer `None`: something of it is wrong and has been reported.
pub(super) fn compress(written: Option<At<CompressSwitch>>, context: &mut Context<'_>) -> Option<Option<Compress>> {
    let Some(Written { written: keys, codings, bytes_min, bytes_max }) = written?.value.0 else { return Some(None) };
    let codings = codings?.value;
    for (index, coding) in codings.iter().enumerate() {
        if let Some(first) = codings[..index].iter().find(|first| first.value == coding.value) {
            context
                .problem(coding.at, format!("`{}` is named twice", coding.value.spelled()))
                .note_at(first.at, "first");
        }
    }
    let (bytes_min, bytes_max) = (bytes_min?, bytes_max?);
    if bytes_min.value.0 > bytes_max.value.0 {
        let at = keys.at("bytes_max").unwrap_or(bytes_max.at);
        let problem = context.problem(at, "no file is at least `bytes_min` and at most `bytes_max` long");
        if let Some(least) = keys.at("bytes_min") {
            problem.note_at(least, "`bytes_min`");
        }
    }
    Some(Some(Compress {
        codings: codings.iter().map(|coding| coding.value).collect(),
        bytes_min: bytes_min.value.0,
        bytes_max: bytes_max.value.0,
    }))
}

/// The types, unless nothing would ever be compressed.
pub(super) fn types(
    written: Option<At<List<MediaPattern, 1>>>,
    keys: &Keys,
    is_used: bool,
    context: &mut Context<'_>,
) -> Option<Vec<MediaPattern>> {
    if let Some(at) = keys.at("compressible_types").filter(|_| !is_used) {
        super::no_effect(&[("compressible_types", at)], "without `precompressed` and `compress`", context);
    }
    Some(written?.value.iter().map(|pattern| pattern.value.clone()).collect())
}
