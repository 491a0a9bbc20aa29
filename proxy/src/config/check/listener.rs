//! `[listener.NAME]`.

use super::Checked;
use crate::config::file;
use crate::config::read::{At, Context};
use crate::config::source::Span;
use crate::config::{Address, Listener, ListenerLimits};

pub(super) fn listener(
    name: &At<String>,
    written: file::Listener,
    has_certificates: bool,
    context: &mut Context<'_>,
) -> Option<Listener> {
    let file::Listener {
        written: _,
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
    let bytes = |size: u64| usize::try_from(size).ok();
    Some(Listener {
        name: name.value.clone(),
        address: address.value,
        tls: speaks_tls,
        redirect_to_https: redirect_to_https.and_then(|port| u16::try_from(port.value.0).ok()),
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
        },
    })
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
