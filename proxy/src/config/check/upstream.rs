//! `[upstream.NAME]`.

use super::pem::{self, Pair};
use crate::config::file::upstream as file;
use crate::config::file::values::Text;
use crate::config::print;
use crate::config::read::{At, Context, Keys};
use crate::config::source::Span;
use crate::config::{Authorities, ClientIdentity, EndpointAddress, KeyFile, Upstream, UpstreamProtocol, UpstreamTls};
use rustls_pki_types::ServerName;
use std::path::Path;

pub(super) fn upstream(name: &At<String>, written: file::Upstream, context: &mut Context<'_>) -> Option<Upstream> {
    let file::Upstream {
        written: keys,
        endpoints,
        balance,
        protocol,
        tls,
        assertion_key,
        link,
        connect_timeout,
        idle_timeout,
        idle_max,
        resolve_every,
        proxy_protocol,
    } = written;
    if let Some(link) = link.as_ref().filter(|link| link.value) {
        linkable(link.at, &keys, protocol.as_ref(), context);
    }
    if let Some(version) = &proxy_protocol {
        for (key, at) in keys.among(&["idle_timeout", "idle_max"]) {
            context
                .problem(at, format!("`{key}` has no effect with `proxy_protocol`"))
                .note_at(version.at, "each connection belongs to one client, so that none is kept")
                .help(format!("remove `{key}`"));
        }
    }
    if let (Some(version), Some(protocol)) = (&proxy_protocol, &protocol)
        && protocol.value != UpstreamProtocol::Http1
    {
        context
            .problem(version.at, "the PROXY protocol tells of one client, and an HTTP/2 connection serves many")
            .note_at(protocol.at, "the protocol")
            .help("leave `proxy_protocol` out; `X-Forwarded-For` and `Forwarded` say who the client is");
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
    let tls = match (keys.at("tls"), tls) {
        (None, _) => None,
        (Some(_), None) => return None,
        (Some(_), Some(written)) => client_tls(written, &endpoints, context)?,
    };
    if let (Some(UpstreamProtocol::Auto), None, Some(at)) =
        (protocol.as_ref().map(|protocol| protocol.value), &tls, keys.at("protocol"))
    {
        context
            .problem(at, "`auto` without TLS: there is no handshake in which the protocol could be agreed on")
            .help("add `tls = true`, or write `protocol = \"h2\"` or `protocol = \"http/1.1\"`");
        return None;
    }
    Some(Upstream {
        name: name.value.clone(),
        endpoints: endpoints.into_iter().map(|endpoint| endpoint.value).collect(),
        balance: balance?.value,
        protocol: protocol?.value,
        tls,
        assertion_key,
        link: link?.value,
        connect_timeout: connect_timeout?.value.0,
        idle_timeout: idle_timeout?.value.0,
        idle_max: idle_max?.value.0 as usize,
        resolve_every: resolve_every?.value.0,
        proxy_protocol: proxy_protocol.map(|version| version.value),
    })
}

/// Reports what a link lacks: a key to prove itself with, and a connection that it can ask on.
fn linkable(at: Span, keys: &Keys, protocol: Option<&At<UpstreamProtocol>>, context: &mut Context<'_>) {
    if keys.at("assertion_key").is_none() {
        context
            .problem(at, "`link` without `assertion_key`: both sides prove by that key who they are")
            .help("add `assertion_key = { file = \"...\" }`");
    }
    if let Some(protocol) = protocol.filter(|protocol| protocol.value == UpstreamProtocol::Http2) {
        context
            .problem(at, "the link is asked for over HTTP/1.1, which these endpoints do not speak")
            .note_at(protocol.at, "the protocol")
            .help("use `auto` or `http/1.1`");
    }
    if let Some(proxy) = keys.at("proxy_protocol") {
        context
            .problem(at, "the link is nobody's connection, and these endpoints expect to be told whose it is")
            .note_at(proxy, "`proxy_protocol`")
            .help("remove one of them");
    }
}

/// `None`: something is wrong. `Some(None)`: switched off.
fn client_tls(
    written: At<file::Tls>,
    endpoints: &[At<EndpointAddress>],
    context: &mut Context<'_>,
) -> Option<Option<UpstreamTls>> {
    let plain = UpstreamTls { ca: None, identity: None, server_name: None };
    let tls = match written.value {
        file::Tls::Switched(false) => return Some(None),
        file::Tls::Switched(true) => plain,
        file::Tls::With(table) => client_tls_with(*table, context)?,
    };
    if tls.server_name.is_none() {
        let mut named = true;
        for endpoint in endpoints {
            let message = match &endpoint.value {
                EndpointAddress::Unix(_) => "this endpoint has no host that its certificate could name".to_owned(),
                EndpointAddress::Tcp { host, .. } if ServerName::try_from(host.as_str()).is_err() => {
                    format!("{host:?} is no name that a certificate can have")
                }
                EndpointAddress::Tcp { .. } => continue,
            };
            context.problem(endpoint.at, message).help("write `tls = { server_name = \"NAME\" }`");
            named = false;
        }
        named.then_some(())?;
    }
    Some(Some(tls))
}

fn client_tls_with(written: file::ClientTls, context: &mut Context<'_>) -> Option<UpstreamTls> {
    let file::ClientTls { written: keys, ca, certificate, key, server_name } = written;
    let ca = match (keys.at("ca"), ca) {
        (None, _) => Some(None),
        (Some(_), None) => None,
        (Some(_), Some(path)) => {
            pem::authorities(&path, context).map(|certificates| Some(Authorities { file: path.value.0, certificates }))
        }
    };
    let identity = match keys.among(&["certificate", "key"]).as_slice() {
        [] => Some(None),
        [(one, at)] => {
            let other = if *one == "key" { "certificate" } else { "key" };
            context
                .problem(*at, format!("`{one}` without `{other}`"))
                .help(format!("add `{other}`, or remove `{one}`"));
            None
        }
        _ => pem::pair(certificate, key, context)
            .map(|Pair { file, certificate, key }| Some(ClientIdentity { certificate_file: file, certificate, key })),
    };
    let server_name = match (keys.at("server_name"), server_name) {
        (None, _) => Some(None),
        (Some(_), None) => None,
        (Some(_), Some(At { value: Text(name), at })) => match ServerName::try_from(name.as_str()) {
            Ok(_) => Some(Some(name)),
            Err(_) => {
                context.problem(at, format!("{name:?} is no name that a certificate can have"));
                None
            }
        },
    };
    Some(UpstreamTls { ca: ca?, identity: identity?, server_name: server_name? })
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
    let text = match context.read_text(path, 1024) {
        Ok(text) => text,
        Err(reason) => {
            context.problem(at, format!("cannot read {}: {reason}", path.display()));
            return None;
        }
    };
    if serve::shared_key::parse(text.trim_end().as_bytes()).is_some() {
        return Some(());
    }
    context
        .problem(at, format!("{} holds no 256-bit key", path.display()))
        .help("it is one line of 43 base64url characters; with `create = true` a new one is made when there is none");
    None
}
