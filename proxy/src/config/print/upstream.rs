//! `[upstream.NAME]` as it is printed.

use super::{Page, REDACTED, inline, list, path, text, time, toml_key, weighted};
use crate::config::units::{Spelled, size};
use crate::config::{
    Adaptive, Authorities, Breaker, ClientIdentity, Eject, Health, InFlight, KeyFile, Limits, Park, RetryBudget,
    Sticky, Upstream, UpstreamTls, Zones,
};
use std::num::NonZeroUsize;

fn client_tls(tls: &UpstreamTls) -> String {
    let UpstreamTls { ca, identity, server_name } = tls;
    let mut keys = Vec::new();
    if let Some(Authorities { file, certificates: _ }) = ca {
        keys.push(("ca", path(file)));
    }
    if let Some(ClientIdentity { certificate_file, certificate: _, key: _ }) = identity {
        keys.push(("certificate", path(certificate_file)));
        keys.push(("key", REDACTED.to_owned()));
    }
    keys.extend(server_name.as_ref().map(|name| ("server_name", text(name))));
    if keys.is_empty() { true.to_string() } else { inline(keys) }
}

fn in_flight(limit: InFlight) -> String {
    match limit {
        InFlight::Fixed(number) => number.to_string(),
        InFlight::Adaptive(Adaptive { min, max }) => inline([("min", min.to_string()), ("max", max.to_string())]),
    }
}

pub(super) fn print_upstream(page: &mut Page, upstream: &Upstream) {
    let Upstream {
        name,
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
    } = upstream;
    page.table(format_args!("[upstream.{}]", toml_key(name)));
    page.key("endpoints", list(endpoints, weighted));
    page.key("balance", text(balance.spelled()));
    if let Some(by) = hash_by {
        page.key("hash_by", text(by));
    }
    page.key("protocol", text(protocol.spelled()));
    if let Some(tls) = tls {
        page.key("tls", client_tls(tls));
    }
    if let Some(KeyFile { path: file, create }) = assertion_key {
        page.key("assertion_key", inline([("file", path(file)), ("create", create.to_string())]));
    }
    page.key("link", link);
    let RetryBudget { percent, per_second_min } = retry_budget;
    if let Some(Limits { in_flight_max, in_flight_per_endpoint_max, queue_max, queue_timeout }) = limits {
        let number = |limit: &Option<NonZeroUsize>| limit.map(|limit| limit.to_string());
        let mut keys = Vec::new();
        keys.extend(in_flight_max.map(|limit| ("in_flight_max", in_flight(limit))));
        keys.extend(number(in_flight_per_endpoint_max).map(|limit| ("in_flight_per_endpoint_max", limit)));
        keys.extend([("queue_max", queue_max.to_string()), ("queue_timeout", time(queue_timeout))]);
        page.key("limits", inline(keys));
    }
    if let Some(Breaker { failures_max, open_for }) = breaker {
        page.key("breaker", inline([("failures_max", failures_max.to_string()), ("open_for", time(open_for))]));
    }
    match park {
        None => page.key("park", false),
        Some(Park { requests_max, bytes_max, timeout, expected_for }) => {
            let requests = ("requests_max", requests_max.to_string());
            let bytes = ("bytes_max", text(size(*bytes_max)));
            page.key(
                "park",
                inline([requests, bytes, ("timeout", time(timeout)), ("expected_for", time(expected_for))]),
            );
        }
    }
    page.key("retry_budget", inline([("percent", percent), ("per_second_min", per_second_min)]));
    page.key("connect_timeout", time(connect_timeout));
    page.key("connect_attempt_delay", time(connect_attempt_delay));
    // An upstream that is told who the client is keeps no connections.
    if proxy_protocol.is_none() {
        page.key("idle_timeout", time(idle_timeout));
        page.key("idle_max", idle_max);
    }
    page.key("resolve_every", time(resolve_every));
    if let Some(version) = proxy_protocol {
        page.key("proxy_protocol", text(version.spelled()));
    }
    if let Some(sticky) = sticky {
        page.key("sticky", inline(sticky_keys(sticky)));
    }
    if let Some(health) = health {
        page.key("health", inline(health_keys(health)));
    }
    page.key("eject", eject.as_ref().map_or_else(|| false.to_string(), |eject| inline(eject_keys(eject))));
    if let Some(slow_start) = slow_start {
        page.key("slow_start", time(slow_start));
    }
    if let Some(zones) = zones {
        page.key("zones", inline(zones_keys(zones)));
    }
}

fn sticky_keys(sticky: &Sticky) -> Vec<(&'static str, String)> {
    let Sticky { cookie, key, path: below, secure, same_site, max_age } = sticky;
    let mut keys = vec![("cookie", text(cookie))];
    if let Some(KeyFile { path: file, create }) = key {
        keys.push(("key", inline([("file", path(file)), ("create", create.to_string())])));
    }
    keys.extend([("path", text(below)), ("secure", secure.to_string()), ("same_site", text(same_site.spelled()))]);
    keys.extend(max_age.as_ref().map(|age| ("max_age", time(age))));
    keys
}

fn health_keys(health: &Health) -> Vec<(&'static str, String)> {
    let Health { path, every, timeout, status, body, rise, fall } = health;
    let mut keys = vec![("path", text(path)), ("every", time(every)), ("timeout", time(timeout))];
    if !status.is_empty() {
        keys.push(("status", list(status, |status| status.as_u16().to_string())));
    }
    keys.extend(body.as_ref().map(|body| ("body", text(body))));
    keys.extend([("rise", rise.to_string()), ("fall", fall.to_string())]);
    keys
}

fn eject_keys(eject: &Eject) -> [(&'static str, String); 4] {
    let Eject { failures, success_percent_min, time: long, survivors_percent_min } = eject;
    [
        ("failures", failures.to_string()),
        ("success_percent_min", success_percent_min.to_string()),
        ("time", time(long)),
        ("survivors_percent_min", survivors_percent_min.to_string()),
    ]
}

fn zones_keys(zones: &Zones) -> Vec<(&'static str, String)> {
    let Zones { weights, prefer_own, overprovision_percent } = zones;
    let mut keys = Vec::new();
    if !weights.is_empty() {
        keys.push(("weights", inline(weights.iter().map(|(zone, weight)| (toml_key(zone), weight)))));
    }
    keys.push(("prefer_own", prefer_own.to_string()));
    keys.push(("overprovision_percent", overprovision_percent.to_string()));
    keys
}
