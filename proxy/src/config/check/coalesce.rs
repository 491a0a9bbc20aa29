//! `coalesce` of a route: where equal requests can share a call at all.

use crate::config::file::route::{Coalesce as Written, CoalesceSwitch};
use crate::config::read::{At, Context, Keys, List};
use crate::config::{Action, Coalesce, Forward};
use http::Method;

/// The outer `None`: something of it is wrong and has been reported.
pub(super) fn coalesce(
    written: Option<At<CoalesceSwitch>>,
    keys: &Keys,
    methods: Option<&At<List<Method, 1>>>,
    action: Option<&Action>,
    context: &mut Context<'_>,
) -> Option<Option<Coalesce>> {
    let Some(At { value: CoalesceSwitch(Some(written)), at }) = written else { return Some(None) };
    let Written { written: _, request, response, waiting } = written;
    let meant = Coalesce {
        request_bytes_max: request?.value.0,
        response_bytes_max: response?.value.0,
        waiting_max: usize::try_from(waiting?.value.0).ok()?,
    };
    if let Some(buffer) = keys.at("buffer") {
        context
            .problem(at, "`coalesce` beside `buffer`: a body that is compared is held as it is")
            .note_at(buffer, "`buffer`")
            .help("remove `buffer`");
    }
    if let Some(methods) = methods.filter(|methods| !methods.iter().any(|method| method.value == Method::POST)) {
        context
            .problem(at, "`coalesce` has no effect on a route without POST")
            .note_at(methods.at, "`methods`")
            .help("remove `coalesce`");
    }
    if let Some(Action::Forward(Forward { internal_root: Some(_), .. })) = action {
        context
            .problem(at, "`coalesce` beside `internal_root`: each client's file is its own")
            .help("put the requests that are to be coalesced on a route of their own");
    }
    Some(Some(meant))
}
