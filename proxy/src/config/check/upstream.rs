//! `[upstream.NAME]`.

use crate::config::disk::read_text;
use crate::config::file::upstream as file;
use crate::config::print;
use crate::config::read::{At, Context};
use crate::config::source::Span;
use crate::config::{EndpointAddress, KeyFile, Upstream};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::Path;

pub(super) fn upstream(name: &At<String>, written: file::Upstream, context: &mut Context<'_>) -> Option<Upstream> {
    let file::Upstream {
        written: keys,
        endpoints,
        balance,
        assertion_key,
        connect_timeout,
        idle_timeout,
        idle_max,
        resolve_every,
        proxy_protocol,
    } = written;
    if let Some(version) = &proxy_protocol {
        for (key, at) in keys.among(&["idle_timeout", "idle_max"]) {
            context
                .problem(at, format!("`{key}` has no effect with `proxy_protocol`"))
                .note_at(version.at, "each connection belongs to one client, so that none is kept")
                .help(format!("remove `{key}`"));
        }
    }
    let assertion_key = match assertion_key {
        Some(written) => Some(key_file(written.value, context)?),
        None => None,
    };
    let mut endpoints = endpoints?.value.0;
    super::twice(&endpoints, |endpoint| format!("\"{}\"", print::endpoint(endpoint)), context);
    for endpoint in &mut endpoints {
        if let EndpointAddress::Unix(path) = &mut endpoint.value {
            *path = context.problems.sources.resolve(endpoint.at, &path.to_string_lossy());
        }
    }
    Some(Upstream {
        name: name.value.clone(),
        endpoints: endpoints.into_iter().map(|endpoint| endpoint.value).collect(),
        balance: balance?.value,
        assertion_key,
        connect_timeout: connect_timeout?.value.0,
        idle_timeout: idle_timeout?.value.0,
        idle_max: idle_max?.value.0 as usize,
        resolve_every: resolve_every?.value.0,
        proxy_protocol: proxy_protocol.map(|version| version.value),
    })
}

fn key_file(written: file::AssertionKey, context: &mut Context<'_>) -> Option<KeyFile> {
    let file::AssertionKey { written: _, file, create } = written;
    let (file, create) = (file?, create?.value);
    let path = file.value.0;
    if path.exists() {
        valid_key(&path, file.at, context)?;
    } else if !create {
        context
            .problem(file.at, format!("{} does not exist", path.display()))
            .help("with `create = true` the first of the two servers to start makes it");
        return None;
    }
    Some(KeyFile { path, create })
}

fn valid_key(path: &Path, at: Span, context: &mut Context<'_>) -> Option<()> {
    let text = match read_text(path, 1024) {
        Ok(text) => text,
        Err(reason) => {
            context.problem(at, format!("cannot read {}: {reason}", path.display()));
            return None;
        }
    };
    if URL_SAFE_NO_PAD.decode(text.trim_end()).is_ok_and(|key| key.len() == 32) {
        return Some(());
    }
    context
        .problem(at, format!("{} holds no 256-bit key", path.display()))
        .help("it is one line of 43 base64url characters; with `create = true` a new one is made when there is none");
    None
}
