//! The effective configuration as TOML: every default filled in, every secret redacted.
//!
//! What is printed is itself a configuration: put the secrets back and it means the same. Each type is taken apart
//! without `..`, so that a new part does not compile until it is printed.

mod upstream;

use super::file::{FormatName, ProxyProtocol};
use super::problem::REDACTED;
use super::units::{Spelled, duration, size};
use super::{
    Action, Admin, AuthMode, Buffer, CacheRule, ClaimRule, ClaimTest, Coalesce, Compress, Config, DpopMode, Endpoint,
    EndpointAddress, Files, Forward, HeaderRule, HedgeAfter, HostPolicy, Issuer, Keys, Listener, ListenerLimits, Log,
    LogFormat, Overload, PathRule, ProxyMode, Redirect, Respond, Retry, Route, RouteAuth, RouteMatch, RoutePolicy,
    Senders, Server, Site, Template, Tls, TokenSource,
};
use http::{HeaderName, HeaderValue, Uri};
use serde_json::Value;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;
use upstream::print_upstream;

/// The effective configuration.
#[must_use]
pub fn print(config: &Config) -> String {
    let Config { server, admin, log, listeners, sites, upstreams, issuers, routes } = config;
    let mut page = Page::default();
    print_server(&mut page, server);
    page.table("[admin]");
    match admin {
        Some(Admin { address }) => page.key("address", text(address)),
        None => page.key("enabled", false),
    }
    let Log { format, level, access } = log;
    page.table("[log]");
    page.key("format", text(FormatName::from(format).spelled()));
    if let LogFormat::Template(template) = format {
        page.key("template", text(template.as_str()));
    }
    page.key("level", text(level));
    page.key("access", access);
    listeners.iter().for_each(|listener| print_listener(&mut page, listener));
    sites.iter().for_each(|site| print_site(&mut page, site));
    upstreams.iter().for_each(|upstream| print_upstream(&mut page, upstream));
    issuers.iter().for_each(|issuer| print_issuer(&mut page, issuer));
    routes.iter().for_each(|route| print_route(&mut page, route));
    page.0
}

/// TOML in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    fn table(&mut self, header: impl Display) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0.push_str(&format!("{gap}{header}\n"));
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.0.push_str(&format!("{key} = {value}\n"));
    }
}

/// A quoted text, with `${` escaped so that it is no reference when read again.
fn text(value: impl Display) -> String {
    quoted(&value.to_string().replace("${", "$${"))
}

/// On one line: JSON's escapes are all TOML's too, but TOML also escapes DEL.
fn quoted(value: &str) -> String {
    Value::from(value).to_string().replace('\u{7f}', "\\u007F")
}

fn path(value: &Path) -> String {
    text(value.display())
}

fn time(value: &Duration) -> String {
    text(duration(*value))
}

fn list<T>(items: &[T], each: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(each).collect::<Vec<_>>().join(", "))
}

fn texts<T: Display>(items: &[T]) -> String {
    list(items, |item| text(item))
}

fn inline<K: Display, V: Display>(members: impl IntoIterator<Item = (K, V)>) -> String {
    let members: Vec<_> = members.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

fn json(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Array(items) => list(items, json),
        Value::Object(members) => inline(members.iter().map(|(key, value)| (toml_key(key), json(value)))),
        // JSON null cannot be written in TOML, so it is in no configuration.
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A key, in quotes only where it needs them. Keys hold no references, so `${` is not escaped.
fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { key.to_owned() } else { quoted(key) }
}

/// An endpoint as it is written.
pub(super) fn endpoint(endpoint: &EndpointAddress) -> String {
    match endpoint {
        EndpointAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        EndpointAddress::Tcp { host, port } => format!("{host}:{port}"),
        EndpointAddress::Unix(path) => format!("unix:{}", path.display()),
        EndpointAddress::Srv(name) => format!("srv:{name}"),
    }
}

/// As a text alone where there is nothing else to say.
fn weighted(one: &Endpoint) -> String {
    let Endpoint { address, weight, zone } = one;
    let address = text(endpoint(address));
    let mut more = Vec::new();
    more.extend((*weight != 1).then(|| ("weight", weight.to_string())));
    more.extend(zone.as_ref().map(|zone| ("zone", text(zone))));
    if more.is_empty() { address } else { inline([("address", address)].into_iter().chain(more)) }
}

fn header_value(value: &HeaderValue) -> String {
    text(value.to_str().unwrap_or(""))
}

fn print_server(page: &mut Page, server: &Server) {
    let Server {
        threads,
        connections_max,
        connections_per_client_max,
        bad_tokens_per_minute_max,
        drain_timeout,
        reload_on_change,
        state,
        buffer_memory_bytes_max,
        buffer_disk_bytes_max,
        file_memory_bytes_max,
        open_files_max,
        trusted_proxies,
        identity_headers,
        trace,
        overload,
        resolver,
        zone,
    } = server;
    page.table("[server]");
    page.key("threads", threads);
    page.key("connections_max", connections_max);
    page.key("connections_per_client_max", connections_per_client_max.map_or(0, NonZeroU32::get));
    page.key("bad_tokens_per_minute_max", bad_tokens_per_minute_max.map_or(0, NonZeroU32::get));
    page.key("drain_timeout", time(drain_timeout));
    page.key("reload_on_change", reload_on_change);
    page.key("state", path(state));
    page.key("buffer_memory_max", text(size(*buffer_memory_bytes_max)));
    page.key("buffer_disk_max", text(size(*buffer_disk_bytes_max)));
    page.key("file_memory_max", text(size(*file_memory_bytes_max as u64)));
    page.key("open_files_max", open_files_max.to_string());
    page.key("trusted_proxies", texts(trusted_proxies));
    page.key("identity_headers", texts(identity_headers));
    page.key("trace", trace);
    if let Some(overload) = overload {
        let Overload { memory_bytes_max, close_connections_at, refuse_requests_at, refuse_connections_at } = overload;
        let mut keys = Vec::new();
        keys.extend(memory_bytes_max.map(|max| ("memory_max", text(size(max)))));
        keys.push(("close_connections_at", close_connections_at.to_string()));
        keys.push(("refuse_requests_at", refuse_requests_at.to_string()));
        keys.push(("refuse_connections_at", refuse_connections_at.to_string()));
        page.key("overload", inline(keys));
    }
    if let Some(server) = resolver {
        page.key("resolver", text(server));
    }
    if let Some(zone) = zone {
        page.key("zone", text(zone));
    }
}

fn print_listener(page: &mut Page, listener: &Listener) {
    let Listener { name, address, tls, redirect_to_https, proxy_protocol, limits } = listener;
    let ListenerLimits {
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
    } = limits;
    page.table(format_args!("[listener.{}]", toml_key(name)));
    page.key("address", text(address));
    page.key("tls", tls);
    if let Some(port) = redirect_to_https {
        page.key("redirect_to_https", port);
    }
    page.key("header_bytes_max", text(size(*header_bytes_max as u64)));
    page.key("header_count_max", header_count_max);
    page.key("uri_bytes_max", text(size(*uri_bytes_max as u64)));
    page.key("handshake_timeout", time(handshake_timeout));
    page.key("header_timeout", time(header_timeout));
    page.key("idle_timeout", time(idle_timeout));
    page.key("send_timeout", time(send_timeout));
    page.key("streams_max", streams_max);
    page.key("h2c", h2c);
    page.key("requests_per_connection_max", requests_per_connection_max);
    let spelled = match proxy_protocol.as_ref().map(|senders| senders.mode) {
        None => ProxyProtocol::Off,
        Some(ProxyMode::Required) => ProxyProtocol::Required,
        Some(ProxyMode::Mixed) => ProxyProtocol::Mixed,
    };
    page.key("proxy_protocol", text(spelled.spelled()));
    if let Some(Senders { from, mode: _ }) = proxy_protocol.as_ref().filter(|senders| !senders.from.is_empty()) {
        page.key("proxy_protocol_from", texts(from));
    }
}

fn print_site(page: &mut Page, site: &Site) {
    let Site { name, hosts, tls, request_headers, response_headers, security_headers, error_pages } = site;
    page.table(format_args!("[site.{}]", toml_key(name)));
    page.key("hosts", texts(hosts));
    match tls {
        None => {}
        Some(Tls::SelfSigned) => page.key("tls", text("self-signed")),
        Some(Tls::Pem { certificate_file, certificate: _, key: _ }) => {
            page.key("tls", inline([("certificate", path(certificate_file)), ("key", REDACTED.to_owned())]));
        }
    }
    print_header_rules(page, request_headers, response_headers);
    if let Some(preset) = security_headers {
        page.key("security_headers", text(preset.spelled()));
    }
    if !error_pages.is_empty() {
        let pages = error_pages.iter().map(|(status, file, _)| (status.as_str().to_owned(), path(file)));
        page.key("error_pages", inline(pages));
    }
}

fn print_issuer(page: &mut Page, issuer: &Issuer) {
    let Issuer {
        name,
        iss,
        keys,
        algorithms,
        types,
        audiences,
        leeway,
        lifetime_max,
        require,
        subject_claim,
        must,
        revocations,
        errors,
        realm,
    } = issuer;
    page.table(format_args!("[issuer.{}]", toml_key(name)));
    if let Some(iss) = iss {
        page.key("iss", text(iss));
    }
    page.key(
        "keys",
        match keys {
            Keys::JwksUrl { url, insecure } => inline(remote("jwks_url", url, *insecure)),
            Keys::Discovery { url, insecure } => inline(remote("discovery", url, *insecure)),
            Keys::Jwks(set) => inline([("jwks", json(set))]),
            Keys::JwksFile { path: file } => inline([("jwks_file", path(file))]),
            Keys::PemFile { path: file } => inline([("pem_file", path(file))]),
            Keys::Secret(_) => inline([("secret", REDACTED)]),
            Keys::Link { upstream } => inline([("link", text(upstream))]),
        },
    );
    page.key("algorithms", list(algorithms, |algorithm| text(algorithm.spelled())));
    page.key("types", texts(types));
    page.key("audiences", texts(audiences));
    page.key("leeway", time(leeway));
    page.key("lifetime_max", time(lifetime_max));
    page.key("require", list(require, |claim| text(claim.spelled())));
    page.key("subject_claim", text(subject_claim));
    page.key("must", inline(must.iter().map(|(claim, value)| (toml_key(claim), json(value)))));
    if let Some(upstream) = revocations {
        page.key("revocations", text(upstream));
    }
    page.key("errors", text(errors.spelled()));
    page.key("realm", text(realm));
}

/// Where keys are fetched, with the waiver where it was written.
fn remote<'a>(key: &'a str, url: &Uri, insecure: bool) -> impl Iterator<Item = (&'a str, String)> {
    [(key, text(url))].into_iter().chain(insecure.then(|| ("insecure", true.to_string())))
}

fn print_route(page: &mut Page, route: &Route) {
    let Route { name, matcher, policy, action } = route;
    let RouteMatch { site, path, methods, headers } = matcher;
    page.table("[[route]]");
    page.key("match", text(&path.text));
    page.key("name", text(name));
    if let Some(site) = site {
        page.key("site", text(site));
    }
    if !methods.is_empty() {
        page.key("methods", texts(methods));
    }
    if !headers.is_empty() {
        let wanted = |value: &Option<HeaderValue>| value.as_ref().map_or_else(|| true.to_string(), header_value);
        page.key("headers", inline(headers.iter().map(|(name, value)| (toml_key(name.as_str()), wanted(value)))));
    }
    print_policy(page, policy, matches!(action, Action::Forward(_)));
    print_action(page, action);
}

fn print_policy(page: &mut Page, policy: &RoutePolicy, forwards: bool) {
    let RoutePolicy {
        auth,
        body_bytes_max,
        buffer,
        coalesce,
        progress_timeout,
        response_timeout,
        stream_idle_timeout,
        total_timeout,
        deadline,
        retry,
        request_headers,
        response_headers,
        security_headers,
    } = policy;
    let RouteAuth {
        mode,
        issuers,
        audiences,
        claims,
        token_from,
        revocation,
        forward_token,
        csrf,
        allowed_origins,
        dpop,
        dpop_nonce,
    } = auth;
    page.key("auth", text(mode.spelled()));
    if !issuers.is_empty() {
        page.key("issuers", texts(issuers));
        page.key("claims", list(claims, claim));
        page.key("token_from", list(token_from, token_source));
        page.key("revocation", text(revocation.spelled()));
    }
    if token_from.iter().any(|source| matches!(source, TokenSource::Cookie(_))) {
        page.key("csrf", text(csrf.spelled()));
        page.key("allowed_origins", texts(allowed_origins));
    }
    if !audiences.is_empty() {
        page.key("audiences", texts(audiences));
    }
    if *mode != AuthMode::Public {
        page.key("dpop", text(dpop.spelled()));
    }
    if *dpop != DpopMode::Off {
        page.key("dpop_nonce", dpop_nonce);
    }
    if forwards {
        page.key("forward_token", forward_token);
        page.key("response_timeout", time(response_timeout));
        page.key("stream_idle_timeout", time(stream_idle_timeout));
    }
    page.key("body_bytes_max", text(size(*body_bytes_max)));
    if let Some(Buffer { memory_bytes_max, disk_bytes_max }) = buffer {
        let sizes = [("memory", text(size(*memory_bytes_max))), ("disk", text(size(*disk_bytes_max)))];
        page.key("buffer", inline(sizes));
    }
    if let Some(Coalesce { request_bytes_max, response_bytes_max, waiting_max }) = coalesce {
        let request = ("request", text(size(*request_bytes_max)));
        let response = ("response", text(size(*response_bytes_max)));
        page.key("coalesce", inline([request, response, ("waiting", waiting_max.to_string())]));
    }
    page.key("progress_timeout", time(progress_timeout));
    if let Some(total_timeout) = total_timeout {
        page.key("total_timeout", time(total_timeout));
    }
    if let Some(deadline) = deadline {
        page.key("deadline", time(deadline));
    }
    if let Some(Retry { on, attempts_max, per_try_timeout, hedge }) = retry {
        let mut keys = vec![("on", list(on, |cause| cause.written())), ("attempts", attempts_max.to_string())];
        keys.extend(per_try_timeout.as_ref().map(|timeout| ("per_try_timeout", time(timeout))));
        keys.extend(hedge.map(|after| ("hedge", inline([("after", hedge_after(after))]))));
        page.key("retry", inline(keys));
    }
    print_header_rules(page, request_headers, response_headers);
    if let Some(preset) = security_headers {
        page.key("security_headers", text(preset.spelled()));
    }
}

fn hedge_after(after: HedgeAfter) -> String {
    match after {
        HedgeAfter::Time(after) => time(&after),
        HedgeAfter::Percentile(percent) => text(format_args!("p{percent}")),
    }
}

fn print_header_rules(page: &mut Page, requests: &[(HeaderName, HeaderRule)], responses: &[(HeaderName, HeaderRule)]) {
    for (key, rules) in [("request_headers", requests), ("response_headers", responses)] {
        if !rules.is_empty() {
            page.key(key, inline(rules.iter().map(|(name, rule)| (toml_key(name.as_str()), header_rule(rule)))));
        }
    }
}

fn header_rule(rule: &HeaderRule) -> String {
    match rule {
        HeaderRule::Set(value) => template(value),
        HeaderRule::Add(value) => inline([("add", template(value))]),
        HeaderRule::Remove => false.to_string(),
    }
}

fn template(template: &Template) -> String {
    template.shown().map_or_else(|| REDACTED.to_owned(), text)
}

fn claim(rule: &ClaimRule) -> String {
    let ClaimRule { path, test } = rule;
    let (key, value) = match test {
        ClaimTest::Equals(value) => ("equals", json(value)),
        ClaimTest::AnyOf(values) => ("any_of", list(values, json)),
        ClaimTest::AllOf(values) => ("all_of", list(values, json)),
        ClaimTest::ContainsWord(word) => ("contains_word", text(word)),
        ClaimTest::Exists(exists) => ("exists", exists.to_string()),
    };
    inline([("path", text(path)), (key, value)])
}

pub(super) fn token_source(source: &TokenSource) -> String {
    match source {
        TokenSource::Header => text("header"),
        TokenSource::Cookie(name) => text(format_args!("cookie:{name}")),
        TokenSource::Query(name) => text(format_args!("query:{name}")),
    }
}

fn print_compress(Compress { codings, bytes_min, bytes_max }: &Compress) -> String {
    let codings = list(codings, |coding| text(coding.spelled()));
    inline([("codings", codings), ("bytes_min", text(size(*bytes_min))), ("bytes_max", text(size(*bytes_max)))])
}

fn print_action(page: &mut Page, action: &Action) {
    match action {
        Action::Files(files) => page.key("files", inline(files_keys(files))),
        Action::Forward(Forward { upstream, internal_root, path: path_rule, host }) => {
            let PathRule { strip_prefix, add_prefix } = path_rule;
            let mut keys = vec![("upstream", text(upstream))];
            keys.extend(internal_root.as_ref().map(|root| ("internal_root", path(root))));
            keys.extend(strip_prefix.as_ref().map(|prefix| ("strip_prefix", text(&prefix.text))));
            keys.extend(add_prefix.as_ref().map(|prefix| ("add_prefix", text(&prefix.text))));
            let host = match host {
                HostPolicy::Preserve => text("preserve"),
                HostPolicy::Upstream => text("upstream"),
                HostPolicy::Fixed(name) => header_value(name),
            };
            keys.push(("host", host));
            page.key("forward", inline(keys));
        }
        Action::Redirect(Redirect { to, status }) => {
            page.key("redirect", inline([("to", template(to)), ("status", status.as_u16().to_string())]));
        }
        Action::Respond(Respond { status, body, content_type }) => {
            let keys = [
                ("status", status.as_u16().to_string()),
                ("body", text(body)),
                ("content_type", header_value(content_type)),
            ];
            page.key("respond", inline(keys));
        }
    }
}

fn files_keys(files: &Files) -> Vec<(&'static str, String)> {
    let Files {
        root,
        releases_kept,
        index,
        fallback,
        assets,
        strip_prefix,
        cache_control,
        cache,
        types,
        error_pages,
        listing,
        symlinks,
        hidden,
        cached_bytes_max,
        compressible_types,
        precompressed,
        compress,
        fresh_for,
        disk_timeout,
    } = files;
    let root = match releases_kept {
        None => path(root),
        Some(kept) => inline([("releases", path(root)), ("keep", kept.to_string())]),
    };
    let mut keys = vec![("root", root), ("index", text(index))];
    keys.extend(fallback.as_ref().map(|fallback| ("fallback", text(fallback))));
    if !assets.is_empty() {
        keys.push(("assets", list(assets, |glob| text(glob.as_str()))));
    }
    keys.push(("strip_prefix", strip_prefix.is_some().to_string()));
    keys.extend(cache_control.as_ref().map(|value| ("cache_control", header_value(value))));
    if !cache.is_empty() {
        let rule = |CacheRule { glob, control }: &CacheRule| {
            inline([("match", text(glob.as_str())), ("control", header_value(control))])
        };
        keys.push(("cache", list(cache, rule)));
    }
    if !types.is_empty() {
        let types = types.iter().map(|(extension, media)| (toml_key(extension), header_value(media)));
        keys.push(("types", inline(types)));
    }
    if !error_pages.is_empty() {
        let pages = error_pages.iter().map(|(status, name)| (status.as_str().to_owned(), text(name)));
        keys.push(("error_pages", inline(pages)));
    }
    keys.push(("listing", listing.to_string()));
    keys.push(("symlinks", text(symlinks.spelled())));
    keys.push(("hidden", hidden.to_string()));
    keys.push(("cached_bytes_max", text(size(*cached_bytes_max))));
    keys.push(("compressible_types", list(compressible_types, |pattern| text(pattern.as_str()))));
    keys.push(("precompressed", precompressed.to_string()));
    keys.push(("compress", compress.as_ref().map_or_else(|| false.to_string(), print_compress)));
    keys.push(("fresh_for", time(fresh_for)));
    keys.push(("disk_timeout", time(disk_timeout)));
    keys
}
