//! `[server]`, `[admin]` and `[log]`.

use crate::config::file::{self, FormatName};
use crate::config::node::{Kind, Node};
use crate::config::read::{At, Context, Written};
use crate::config::source::Span;
use crate::config::{Admin, Log, LogFormat, Server};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the proxy keeps what it makes itself, below the working directory.
const STATE: &str = "./var/portcullis";

/// The table, or one with every default when it was not written.
fn or_defaults<T: Written>(written: Option<At<T>>, context: &mut Context<'_>) -> Option<At<T>> {
    let at = Span { source: 0, start: 0, end: 0 };
    let empty = Node { at, kind: Kind::Table(Vec::new()), referred: false };
    written.or_else(|| T::read(&empty, context).map(|value| At { value, at }))
}

pub(super) fn server(written: Option<At<file::Server>>, context: &mut Context<'_>) -> Option<Server> {
    let file::Server {
        written: keys,
        threads,
        connections_max,
        connections_per_client_max,
        bad_tokens_per_minute_max,
        drain_timeout,
        reload_on_change,
        state,
        buffer_memory_max,
        buffer_disk_max,
        file_memory_max,
        open_files_max,
        trusted_proxies,
        identity_headers,
        trace,
        overload,
        resolver,
        zone,
    } = or_defaults(written, context)?.value;
    super::twice(trusted_proxies.as_deref()?, ToString::to_string, context);
    super::twice(identity_headers.as_deref()?, |name| format!("`{name}`"), context);
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = match keys.at("threads") {
        Some(_) => NonZeroUsize::new(threads?.value.0 as usize)?,
        None => cores(),
    };
    Some(Server {
        threads,
        connections_max: connections_max?.value.0 as usize,
        connections_per_client_max: NonZeroU32::new(connections_per_client_max?.value.0),
        bad_tokens_per_minute_max: NonZeroU32::new(bad_tokens_per_minute_max?.value.0),
        drain_timeout: drain_timeout?.value.0,
        reload_on_change: reload_on_change?.value,
        state: state.map_or_else(|| PathBuf::from(STATE), |path| path.value.0),
        buffer_memory_bytes_max: buffer_memory_max?.value.0,
        buffer_disk_bytes_max: buffer_disk_max?.value.0,
        file_memory_bytes_max: usize::try_from(file_memory_max?.value.0).unwrap_or(usize::MAX),
        open_files_max: usize::try_from(open_files_max?.value.0).unwrap_or(usize::MAX),
        trusted_proxies: trusted_proxies?.iter().map(|net| net.value).collect(),
        identity_headers: identity_headers?.value.0.into_iter().map(|name| name.value).collect(),
        trace: trace?.value,
        overload: super::traffic::overload(overload, context)?,
        resolver: match keys.at("resolver") {
            Some(_) => Some(resolver?.value),
            None => None,
        },
        zone: match keys.at("zone") {
            Some(_) => Some(zone?.value.0),
            None => None,
        },
    })
}

/// The outer `None` is a mistake, the inner one a listener that is switched off.
pub(super) fn admin(written: Option<At<file::Admin>>, context: &mut Context<'_>) -> Option<Option<At<Admin>>> {
    let file::Admin { written: keys, enabled, address } = or_defaults(written, context)?.value;
    if !enabled?.value {
        super::no_effect(&keys.among(&["address"]), "when `enabled` is false", context);
        return Some(None);
    }
    let address = address?;
    let at = keys.at("address").map_or(keys.table, |_| address.at);
    Some(Some(At { value: Admin { address: address.value }, at }))
}

pub(super) fn log(written: Option<At<file::Log>>, context: &mut Context<'_>) -> Option<Log> {
    let file::Log { written: keys, format, template, level, access } = or_defaults(written, context)?.value;
    let format = format?;
    let (level, access) = (level?.value.0, access?.value);
    let plain = match format.value {
        FormatName::Template => {
            if keys.at("template").is_none() {
                context
                    .problem(format.at, "`format` is \"template\" and there is no template")
                    .help("add `template`, for example \"{client} {method} {target} {status} {duration_ms}\"");
            }
            let format = LogFormat::Template(Arc::new(template?.value));
            return Some(Log { format, level, access });
        }
        FormatName::Text => LogFormat::Text,
        FormatName::Json => LogFormat::Json,
        FormatName::Combined => LogFormat::Combined,
    };
    // A format that could not be read counts as the default, and is one mistake.
    let misread = keys.at("format").is_some() && format.at == keys.table;
    if !misread {
        super::no_effect(&keys.among(&["template"]), "unless `format` is \"template\"", context);
    }
    Some(Log { format: plain, level, access })
}
