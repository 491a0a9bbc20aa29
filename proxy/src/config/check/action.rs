//! Exactly one action for each route, and everything that it needs.

use super::Names;
use crate::config::file::action as file;
use crate::config::file::rules::report;
use crate::config::file::values::Text;
use crate::config::node::{Kind, Node};
use crate::config::read::{At, Context, Keys};
use crate::config::template::Variable;
use crate::config::{
    Action, Files, Forward, PathPattern, PathPrefix, PathRule, PatternSegment, Piece, Redirect, Respond, Template,
};
use http::{StatusCode, Uri};

const ACTIONS: [&str; 4] = ["files", "forward", "redirect", "respond"];

/// The keys of a route that say what it does.
pub(super) struct ActionKeys {
    pub(super) files: Option<At<file::Files>>,
    pub(super) forward: Option<At<file::ForwardTo>>,
    pub(super) redirect: Option<At<file::Redirect>>,
    pub(super) respond: Option<At<file::Respond>>,
}

pub(super) fn action(
    written: ActionKeys,
    path: Option<&At<PathPattern>>,
    keys: &Keys,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Action> {
    let ActionKeys { files, forward, redirect, respond } = written;
    match keys.among(&ACTIONS).as_slice() {
        [_] => {}
        [] => {
            context
                .problem(keys.table, "this route does nothing")
                .help("add one of `files`, `forward`, `redirect`, `respond`");
        }
        [(first, first_at), rest @ ..] => {
            for (second, second_at) in rest {
                let message = format!("`{second}` beside `{first}`: a route does one thing");
                context.problem(*second_at, message).note_at(*first_at, format!("`{first}`"));
            }
        }
    }
    // Each is checked, also when there are too many of them.
    let files = files.and_then(|written| self::files(written.value, path, context)).map(Action::Files);
    let forward = forward.and_then(|written| self::forward(written.value.0, path, names, context)).map(Action::Forward);
    let redirect = redirect.and_then(|written| self::redirect(written.value, context)).map(Action::Redirect);
    let respond = respond.and_then(|written| self::respond(written.value, context)).map(Action::Respond);
    files.or(forward).or(redirect).or(respond)
}

fn files(written: file::Files, path: Option<&At<PathPattern>>, context: &mut Context<'_>) -> Option<Files> {
    let file::Files {
        written: keys,
        root,
        index,
        fallback,
        strip_prefix,
        cache_control,
        symlinks,
        cached_bytes_max,
        fresh_for,
        compressible_types,
        precompressed,
        compress,
    } = written;
    if let Some(root) = &root {
        let dir = &root.value.0;
        if !dir.exists() {
            context.problem(root.at, format!("the directory {} does not exist", dir.display()));
        } else if !dir.is_dir() {
            context.problem(root.at, format!("{} is no directory", dir.display()));
        } else if let Some(fallback) = fallback.as_ref().filter(|fallback| !dir.join(&fallback.value.0).is_file()) {
            context.problem(fallback.at, format!("there is no file {}", dir.join(&fallback.value.0).display()));
        }
    }
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
            super::no_effect(&[("strip_prefix", at)], "when the match has no literal beginning", context);
        }
    }
    Some(Files {
        root: root?.value.0,
        index: index?.value.0,
        fallback: fallback.map(|fallback| fallback.value.0),
        strip_prefix,
        cache_control: cache_control.map(|value| value.value),
        symlinks: symlinks?.value,
        cached_bytes_max: cached_bytes_max?.value.0,
        fresh_for: fresh_for?.value.0,
        compressible_types: compressible_types?,
        precompressed: precompressed?.value,
        compress: compress?,
    })
}

fn forward(
    written: file::Forward,
    path: Option<&At<PathPattern>>,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Forward> {
    let file::Forward { written: _, upstream, internal_root, strip_prefix, add_prefix, host } = written;
    if let (Some(prefix), Some(path)) = (&strip_prefix, path) {
        is_prefix_of_match(prefix, path, context);
    }
    let upstream = upstream?;
    if !names.upstreams.contains(&upstream.value.0) {
        let known: Vec<&str> = names.upstreams.iter().map(String::as_str).collect();
        context.unknown(upstream.at, format!("there is no upstream `{}`", upstream.value.0), &known);
    }
    Some(Forward {
        upstream: upstream.value.0,
        // The application may make the directory at its first start, so it need not exist yet.
        internal_root: internal_root.map(|path| path.value.0),
        path: PathRule {
            strip_prefix: strip_prefix.map(|prefix| prefix.value),
            add_prefix: add_prefix.map(|prefix| prefix.value),
        },
        host: host?.value,
    })
}

/// A prefix that the match does not begin with could never be cut off.
fn is_prefix_of_match(prefix: &At<PathPrefix>, path: &At<PathPattern>, context: &mut Context<'_>) {
    let literals: Vec<&str> = path
        .value
        .segments
        .iter()
        .map_while(|segment| match segment {
            PatternSegment::Literal(literal) => Some(literal.as_str()),
            PatternSegment::Any => None,
        })
        .collect();
    let wanted = &prefix.value.segments;
    if literals.len() < wanted.len() || literals.iter().zip(wanted).any(|(literal, wanted)| literal != wanted) {
        let problem = context
            .problem(prefix.at, format!("the match does not begin with `{}`", prefix.value.text))
            .note_at(path.at, "`match`");
        match path.value.literal_prefix().as_str() {
            "/" => problem.help("the match has no literal beginning that could be cut off"),
            literal => problem.help(format!("write \"{}\" or less", literal.trim_end_matches('/'))),
        };
    }
}

fn redirect(written: file::Redirect, context: &mut Context<'_>) -> Option<Redirect> {
    let file::Redirect { written: _, to, status } = written;
    let target = to.and_then(|to| target(to, context));
    let status = status?;
    let code = u16::try_from(status.value.0).ok()?;
    if !matches!(code, 301 | 302 | 303 | 307 | 308) {
        context.problem(status.at, format!("{code} is no redirect")).help("write 301, 302, 303, 307 or 308");
    }
    Some(Redirect { to: target?, status: StatusCode::from_u16(code).ok()? })
}

/// Fills the variables in with samples: what comes out must be a path or a URL.
fn target(to: At<Text>, context: &mut Context<'_>) -> Option<Template> {
    let target = match Template::parse(&to.value.0, &Variable::OF_REDIRECTS) {
        Ok(target) => target,
        Err(bad) => {
            let node = Node { at: to.at, kind: Kind::Text(to.value.0), referred: false };
            report(&bad, &Variable::OF_REDIRECTS, &node, context);
            return None;
        }
    };
    let sample = target.pieces().iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Variable(Variable::Host) => "example.com",
        Piece::Variable(Variable::Path) => "/path",
        Piece::Variable(_) => "?query",
    });
    let sample: String = sample.collect();
    let absolute = sample.starts_with("https://") || sample.starts_with("http://");
    let local = sample.starts_with('/') && !sample.starts_with("//");
    if !(absolute || local) || sample.parse::<Uri>().is_err() {
        context
            .problem(to.at, "the target is neither a path nor an absolute URL")
            .help("write for example \"https://{host}{path}{query}\" or \"/new{query}\"");
    }
    Some(target)
}

fn respond(written: file::Respond, context: &mut Context<'_>) -> Option<Respond> {
    let file::Respond { written: keys, status, body, content_type } = written;
    let (status, body) = (status?, body?);
    let code = StatusCode::from_u16(u16::try_from(status.value.0).ok()?).ok()?;
    // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5: these have no content.
    let empty = matches!(code, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if empty && !body.value.is_empty() {
        let at = keys.at("body").unwrap_or(body.at);
        context
            .problem(at, format!("a response with status {} has no body", code.as_u16()))
            .note_at(status.at, "`status`");
    }
    Some(Respond { status: code, body: body.value, content_type: content_type?.value })
}
