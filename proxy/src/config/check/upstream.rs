//! `[upstream.NAME]`.

use super::pem::{self, Pair};
use super::traffic;
use crate::config::file::upstream as file;
use crate::config::file::values::Text;
use crate::config::print;
use crate::config::read::{At, Context, Keys};
use crate::config::source::Span;
use crate::config::{
    Authorities, Balance, ClientIdentity, Endpoint, EndpointAddress, Upstream, UpstreamProtocol, UpstreamTls,
};
use rustls_pki_types::ServerName;

pub(super) fn upstream(name: &At<String>, written: file::Upstream, context: &mut Context<'_>) -> Option<Upstream> {
    let file::Upstream {
        written: keys,
        endpoints,
        balance,
        hash_by,
        protocol,
        tls,
        assertion_key,
        link,
        retry_budget,
        limits,
        breaker,
        park,
        connect_timeout,
        connect_attempt_delay,
        idle_timeout,
        idle_max,
        resolve_every,
        proxy_protocol,
        sticky,
        health,
        eject,
        slow_start,
        zones,
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
    hashable(balance.as_ref(), &keys, context);
    let assertion_key = match assertion_key {
        Some(written) => Some(super::assertion_key::key_file(written.value, context)?),
        None => None,
    };
    let endpoints = endpoints_of(endpoints?.value.0, context)?;
    let addresses: Vec<_> = endpoints.iter().map(|one| At { value: one.value.address.clone(), at: one.at }).collect();
    super::twice(&addresses, |address| format!("\"{}\"", print::endpoint(address)), context);
    let zones = match (keys.at("zones"), zones) {
        (Some(_), None) => return None,
        (_, written) => super::zones::zones(&endpoints, written, context)?,
    };
    let tls = match (keys.at("tls"), tls) {
        (None, _) => None,
        (Some(_), None) => return None,
        (Some(_), Some(written)) => client_tls(written, &addresses, context)?,
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
        hash_by: match keys.at("hash_by") {
            Some(_) => Some(hash_by?.value),
            None => None,
        },
        protocol: protocol?.value,
        tls,
        assertion_key,
        limits: traffic::limits(limits, link.as_ref().is_some_and(|link| link.value), context)?,
        breaker: traffic::breaker(breaker)?,
        park: traffic::park(park, link.as_ref().is_some_and(|link| link.value))?,
        link: link?.value,
        retry_budget: traffic::retry_budget(retry_budget)?,
        connect_timeout: connect_timeout?.value.0,
        connect_attempt_delay: connect_attempt_delay?.value.0,
        idle_timeout: idle_timeout?.value.0,
        idle_max: idle_max?.value.0 as usize,
        resolve_every: resolve_every?.value.0,
        proxy_protocol: proxy_protocol.map(|version| version.value),
        sticky: match keys.at("sticky") {
            Some(_) => Some(super::sticky::sticky(sticky?.value, context)?),
            None => None,
        },
        health: match keys.at("health") {
            Some(_) => Some(super::health::health(health?.value, context)?),
            None => None,
        },
        eject: match eject?.value.0 {
            Some(written) => Some(super::health::eject(written)?),
            None => None,
        },
        slow_start: match keys.at("slow_start") {
            Some(_) => Some(slow_start?.value.0),
            None => None,
        },
        zones,
    })
}

/// Reports a hash of nothing, and what nothing is hashed by.
fn hashable(balance: Option<&At<Balance>>, keys: &Keys, context: &mut Context<'_>) {
    let Some(balance) = balance else { return };
    match (balance.value == Balance::Hash, keys.at("hash_by")) {
        (true, None) => {
            context
                .problem(balance.at, "`balance` is \"hash\" and nothing says by what")
                .help("add for example `hash_by = \"client-address\"`");
        }
        (false, Some(at)) => super::no_effect(&[("hash_by", at)], "unless `balance` is \"hash\"", context),
        (true, Some(_)) | (false, None) => {}
    }
}

/// Each endpoint with where it is and what is said of it.
fn endpoints_of(written: Vec<At<file::Endpoint>>, context: &mut Context<'_>) -> Option<Vec<At<Endpoint>>> {
    let count = written.len();
    let endpoint = |At { value, at }: At<file::Endpoint>| {
        let mut endpoint = match value {
            file::Endpoint::Plain(address) => Endpoint { address, weight: 1, zone: None },
            file::Endpoint::With(table) => {
                let file::EndpointTable { written: keys, address, weight, zone } = *table;
                let zone = match keys.at("zone") {
                    Some(_) => Some(zone?.value.0),
                    None => None,
                };
                Endpoint { address: address?.value, weight: weight?.value.0, zone }
            }
        };
        if let EndpointAddress::Unix(path) = &mut endpoint.address {
            *path = context.problems.sources.resolve(at, &path.to_string_lossy());
        }
        Some(At { value: endpoint, at })
    };
    let sound: Vec<_> = written.into_iter().filter_map(endpoint).collect();
    (sound.len() == count).then_some(sound)
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
                EndpointAddress::Unix(_) | EndpointAddress::Srv(_) => {
                    "this endpoint has no host that its certificate could name".to_owned()
                }
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
