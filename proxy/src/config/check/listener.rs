//! `[listener.NAME]`.

use super::Checked;
use crate::config::file;
use crate::config::read::{At, Context, Keys, List};
use crate::config::source::Span;
use crate::config::{Address, Listener, ListenerLimits, ProxyMode, Senders};
use ipnet::IpNet;

pub(super) fn listener(
    name: &At<String>,
    written: file::Listener,
    has_certificates: bool,
    context: &mut Context<'_>,
) -> Option<Listener> {
    let file::Listener {
        written: keys,
        address,
        tls,
        redirect_to_https,
        header_bytes_max,
        header_count_max,
        uri_bytes_max,
        handshake_timeout,
        header_timeout,
        idle_timeout,
        send_timeout,
        streams_max,
        h2c,
        requests_per_connection_max,
        proxy_protocol,
        proxy_protocol_from,
    } = written;
    if let Some(tls) = tls.as_ref().filter(|tls| tls.value) {
        if let Some(redirect) = &redirect_to_https {
            context
                .problem(redirect.at, "this listener speaks TLS already, so it has nothing to redirect")
                .note_at(tls.at, "`tls`");
        } else if !has_certificates {
            context.problem(tls.at, "this listener speaks TLS, but no site has a certificate").help(
                "give a site `tls = { certificate = \"PATH\", key = \"PATH\" }`, or \"self-signed\" for development",
            );
        }
    }
    let on_tcp = address.as_ref().is_some_and(|address| matches!(address.value, Address::Tcp(_)));
    let by_default = has_certificates && redirect_to_https.is_none() && on_tcp;
    let speaks_tls = tls.as_ref().map_or(by_default, |tls| tls.value);
    if let Some(h2c) = h2c.as_ref().filter(|h2c| h2c.value && speaks_tls) {
        let problem = context.problem(h2c.at, "this listener speaks TLS, where clients choose HTTP/2 without this");
        if let Some(tls) = &tls {
            problem.note_at(tls.at, "`tls`");
        }
    }
    if let (Some(uri), Some(header)) = (&uri_bytes_max, &header_bytes_max)
        && uri.value.0 > header.value.0
    {
        context.problem(uri.at, "larger than `header_bytes_max`, which includes the request target");
    }
    let mut address = address?;
    if let Address::Unix(path) = &mut address.value {
        *path = context.problems.sources.resolve(address.at, &path.to_string_lossy());
    }
    let is_unix = matches!(address.value, Address::Unix(_));
    let proxy_protocol = senders(&keys, proxy_protocol?, &proxy_protocol_from?.value, is_unix, context);
    let bytes = |size: u64| usize::try_from(size).ok();
    Some(Listener {
        name: name.value.clone(),
        address: address.value,
        tls: speaks_tls,
        redirect_to_https: redirect_to_https.and_then(|port| u16::try_from(port.value.0).ok()),
        proxy_protocol,
        limits: ListenerLimits {
            header_bytes_max: bytes(header_bytes_max?.value.0)?,
            header_count_max: header_count_max?.value.0 as usize,
            uri_bytes_max: bytes(uri_bytes_max?.value.0)?,
            handshake_timeout: handshake_timeout?.value.0,
            header_timeout: header_timeout?.value.0,
            idle_timeout: idle_timeout?.value.0,
            send_timeout: send_timeout?.value.0,
            streams_max: streams_max?.value.0,
            h2c: h2c?.value,
            requests_per_connection_max: requests_per_connection_max?.value.0,
        },
    })
}

/// Who speaks the PROXY protocol. Whom to believe must be said, because whoever is believed can be any client.
fn senders(
    keys: &Keys,
    mode: At<file::ProxyProtocol>,
    from: &List<IpNet>,
    is_unix: bool,
    context: &mut Context<'_>,
) -> Option<Senders> {
    super::twice(from, ToString::to_string, context);
    let written = keys.among(&["proxy_protocol_from"]);
    let mode = match mode.value {
        file::ProxyProtocol::Off => {
            super::no_effect(&written, "without `proxy_protocol`", context);
            return None;
        }
        file::ProxyProtocol::Mixed if is_unix => {
            context
                .problem(mode.at, "on a Unix socket there are no other peers than those that speak the PROXY protocol")
                .help("write \"required\"");
            return None;
        }
        _ if !is_unix && from.is_empty() => {
            context
                .problem(mode.at, "nobody may speak the PROXY protocol here")
                .help("name the load balancers: `proxy_protocol_from = [\"10.0.0.0/8\"]`");
            return None;
        }
        file::ProxyProtocol::Required => ProxyMode::Required,
        file::ProxyProtocol::Mixed => ProxyMode::Mixed,
    };
    if is_unix {
        super::no_effect(&written, "on a Unix socket, whose peers are all believed", context);
    }
    Some(Senders { from: from.iter().map(|network| network.value).collect(), mode })
}

/// Reports addresses that two listeners would bind. Port 0 is a new port each time.
pub(super) fn addresses(listeners: &[Checked<Listener>], admin: Option<(Address, Span)>, context: &mut Context<'_>) {
    let free = |address: &Address| matches!(address, Address::Tcp(tcp) if tcp.port() == 0);
    let bound = listeners.iter().flatten().map(|l| (&l.value.address, l.at, format!("listener `{}`", l.value.name)));
    let admin = admin.iter().map(|(address, at)| (address, *at, "the admin listener".to_owned()));
    let all: Vec<_> = bound.chain(admin).filter(|(address, ..)| !free(address)).collect();
    for (index, (address, at, who)) in all.iter().enumerate() {
        if let Some((_, first_at, first)) = all[..index].iter().find(|(other, ..)| other == address) {
            context
                .problem(*at, format!("{who} and {first} have the same address {address}"))
                .note_at(*first_at, first);
        }
    }
}
