//! What operators write: every table with every key. The documentation of a key is its entry in
//! `docs/configuration.md` and in the JSON Schema; its default is written here and nowhere else.

pub(super) mod action;
pub(super) mod assertion_key;
pub(super) mod compress;
pub(super) mod files;
pub(super) mod health;
pub(super) mod hedge;
pub(super) mod in_flight;
pub(super) mod issuer;
pub(super) mod maps;
pub(super) mod root;
pub(super) mod route;
pub(super) mod rules;
pub(super) mod site;
pub(super) mod sticky;
pub(super) mod traffic;
pub(super) mod upstream;
pub(super) mod values;
pub(super) mod zones;

use super::read::{List, Named};
use super::units::{Number, Size, Time, Timeout};
use super::{Address, LineTemplate, LogFormat};
use http::HeaderName;
use ipnet::IpNet;
use issuer::Issuer;
use route::Route;
use site::Site;
use std::net::SocketAddr;
use traffic::Overload;
use upstream::Upstream;
use values::{FilePath, LogLevel, Text, Zone};

table! {
    /// One TOML file. Listeners, sites, upstreams and issuers have names; routes are a list whose order means nothing:
    /// the most specific match wins.
    File as "the file", later: ["limit", "acme"] => {
        /// Further files, relative to this one. `*` stands for anything in the file name and sorts by name. Their
        /// tables are added to these; each name may be used once over all files.
        optional include: List<Text>,
        /// The process.
        optional server: Server,
        /// The operator's listener.
        optional admin: Admin,
        /// What is logged, and how.
        optional log: Log,
        /// Bound addresses.
        optional listener: Named<Listener>,
        /// Host names and their certificates.
        optional site: Named<Site>,
        /// Where requests are forwarded.
        optional upstream: Named<Upstream>,
        /// Who signs tokens.
        optional issuer: Named<Issuer>,
        /// What happens to which request.
        optional route: List<Route>,
    }
}

table! {
    /// The process. Changes of `threads`, `connections_max`, `connections_per_client_max` and `state` need a restart or
    /// an upgrade; the others are taken by a reload.
    Server as "server" => {
        /// Worker threads, one runtime each. Left out: the number of cores.
        optional threads: Number<1, 1024>,
        /// Connections accepted at once over all listeners; further ones wait in the kernel's queue.
        default(10_000) connections_max: Number<1, 10_000_000>,
        /// Connections of one client at once over all listeners and workers; further ones are closed when they are
        /// accepted. An IPv6 client is its network of 64 bits. Peers in `trusted_proxies` carry many clients and are not
        /// counted. 0: no limit.
        default(512) connections_per_client_max: Number<0, 10_000_000>,
        /// Tokens of one client in a minute that may turn out to be garbage; then its further ones are answered with 429
        /// before any is verified, except those that were verified a moment ago. Genuine tokens never count, expired or
        /// not. Clients are counted as `connections_per_client_max` counts them, over all workers; without
        /// `trusted_proxies` all clients behind a proxy are one. 0: no limit.
        default(300) bad_tokens_per_minute_max: Number<0, 1_000_000>,
        /// How long a stop waits for work in flight before it is cut.
        default("30s") drain_timeout: Time<0, 86_400_000>,
        /// Whether a change of this file, or of any file that it includes or names (certificates, keys, secrets), is
        /// taken as SIGHUP is. They are looked at once a second; two looks must find the same.
        default(false) reload_on_change: bool,
        /// Where the proxy keeps what it makes itself: development certificates, and request bodies that are held on
        /// disk (see `route.buffer`). Left out: `./var/portcullis` below the working directory.
        optional state: FilePath,
        /// Memory that the held bodies of all requests may take together (see `route.buffer`). After a reload with
        /// other limits, bodies that are held already do not count against them.
        default("256MiB") buffer_memory_max: Size<0, { 1 << 50 }>,
        /// Disk that they may take together.
        default("8GiB") buffer_disk_max: Size<0, { 1 << 50 }>,
        /// Memory in which each worker keeps small files. The least recently served leave first.
        default("32MiB") file_memory_max: Size<0, { 1 << 40 }>,
        /// Files that each worker holds open: those that are too large for memory, each of which may have twins in three
        /// codings, which are open too, until nobody has asked for it for a minute; and, for up to half of the number,
        /// copies of those of 64 KiB and more in memory.
        default(128) open_files_max: Number<0, 100_000>,
        /// Peers whose `Forwarded` and `X-Forwarded-*` are believed. From anybody else these fields are dropped.
        default([]) trusted_proxies: List<IpNet>,
        /// Further header fields that are removed from every request, beside `X-Auth-*`.
        default([]) identity_headers: List<HeaderName>,
        /// Whether forwarded requests carry a W3C trace context: the client's `traceparent` where it is sound, else a
        /// new one. Its trace id stands in the log. `false`: what the client sends goes on unread.
        default(true) trace: bool,
        /// What is given up, step by step, when memory runs out. Left out: nothing.
        optional overload: Overload,
        /// Who is asked for the names of endpoints: the address of a DNS server, with a port if it is not 53. Left out:
        /// whom `/etc/resolv.conf` names. `/etc/hosts` comes first in both cases.
        optional resolver: SocketAddr,
        /// The zone that this proxy runs in: a data centre, a rack. Upstreams whose endpoints name their zones are asked
        /// there first (see `upstream.zones`). Where one file serves proxies in several zones, write
        /// `"${env:ZONE}"`. Left out: no zone is preferred.
        optional zone: Zone,
    }
}

table! {
    /// The operator's listener: `/livez`, `/readyz`, `/metrics`, `/revocations`, `/reload` and `/upgrade`. Changes need a
    /// restart or an upgrade.
    Admin as "admin" => {
        /// Whether there is one.
        default(true) enabled: bool,
        /// Where it listens. Keep it off the public network.
        default("127.0.0.1:9901") address: Address,
    }
}

table! {
    /// What is logged, and how.
    Log as "log" => {
        /// How each request's line looks: `json` is one object of the fields below, without those that a request has
        /// not; `text` is for people, `combined` is what Apache and nginx call so, `template` is your own. Events are
        /// JSON with `json`, else text. No format writes a token, a
        /// cookie or the value of a query parameter in which a route takes a token.
        default("text") format: FormatName,
        /// With `format = "template"`: the line, with fields in braces; `{{` and `}}` are the braces themselves. What
        /// a request has not is `-`; quotes, backslashes and whatever is not printable ASCII become `\xHH`. Fields:
        /// `time`, `time_local`, `client`, `peer`, `method`, `host`, `path`, `query`, `target`, `protocol`,
        /// `tls_version`, `status`, `bytes_sent`, `bytes_received`, `duration_ms`, `connect_ms`, `waited_ms`,
        /// `first_byte_ms`, `upstream_ms`, `route`, `site`, `upstream`, `endpoint`, `attempts`, `tried`, `coalesced`, `subject`,
        /// `agent`, `referer`, `code`, `reason`, `broke_off`, `request_id`, `trace_id`.
        optional template: LineTemplate,
        /// A level, or levels per module: `info`, `info,portcullis=debug`.
        default("info") level: LogLevel,
        /// Whether each request writes a line.
        default(true) access: bool,
    }
}

/// The word for a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum FormatName {
    Text,
    Json,
    Combined,
    Template,
}

words!(FormatName, "log format", {
    "text" => FormatName::Text,
    "json" => FormatName::Json,
    "combined" => FormatName::Combined,
    "template" => FormatName::Template,
});

impl From<&LogFormat> for FormatName {
    fn from(format: &LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
            LogFormat::Combined => Self::Combined,
            LogFormat::Template(_) => Self::Template,
        }
    }
}

/// Whether a listener's connections begin with a header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ProxyProtocol {
    Off,
    Required,
    Mixed,
}

words!(ProxyProtocol, "use of the PROXY protocol", {
    "off" => ProxyProtocol::Off,
    "required" => ProxyProtocol::Required,
    "mixed" => ProxyProtocol::Mixed,
});

table! {
    /// A bound address with its protocol settings. A reload opens new ones and closes those that are gone; connections
    /// that are open go on under what they began with.
    Listener as "listener" => {
        /// `"[::]:8443"`, `"127.0.0.1:8080"` or `"unix:/run/portcullis.sock"`.
        required address: Address,
        /// Whether connections speak TLS. Left out: yes if any site has a certificate, unless the listener redirects
        /// or is a Unix socket.
        optional tls: bool,
        /// Answers every request with 308 to `https://` on this port, and does nothing else.
        optional redirect_to_https: Number<1, 65_535>,
        /// Bytes of the request line and all header fields: more is 431.
        default("32KiB") header_bytes_max: Size<8192, 1_048_576>,
        /// Header fields in a request: more is 431.
        default(100) header_count_max: Number<1, 1000>,
        /// Bytes of the request target: longer ones are 414.
        default("8KiB") uri_bytes_max: Size<64, 1_048_576>,
        /// From accept to the end of the TLS handshake, with the header of the PROXY protocol.
        default("10s") handshake_timeout: Timeout,
        /// From the first byte of a request to the end of its head: then 408.
        default("10s") header_timeout: Timeout,
        /// Between requests on a connection.
        default("75s") idle_timeout: Timeout,
        /// Between two moments at which the client takes bytes of an answer; then the connection ends, or over HTTP/2
        /// the stream.
        default("30s") send_timeout: Timeout,
        /// HTTP/2 streams at once on one connection.
        default(128) streams_max: Number<1, 10_000>,
        /// Whether connections in the clear may speak HTTP/2 without TLS (by prior knowledge, RFC 9113 section 3.3).
        default(false) h2c: bool,
        /// Requests on one HTTP/1.1 connection; with the answer to the last one it is closed.
        default(10_000) requests_per_connection_max: Number<1, 4_294_967_295>,
        /// Whether connections begin with a header of the PROXY protocol (version 1 or 2), in which a load balancer says
        /// who the client is. `off`: never. `required`: always, and only from peers in `proxy_protocol_from`; others are
        /// closed. `mixed`: always from these peers, and never from others, who are clients themselves. Nothing is
        /// guessed from the bytes. On a Unix socket every peer is such a peer.
        default("off") proxy_protocol: ProxyProtocol,
        /// The load balancers that speak the PROXY protocol. Being one does not make a peer a trusted proxy: it passes
        /// on what clients write, `X-Forwarded-For` included, so that field is believed only when the client that the
        /// header names is in `trusted_proxies`.
        default([]) proxy_protocol_from: List<IpNet>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LineField;
    use crate::config::read::Written;

    #[test]
    fn every_field_of_a_line_is_documented() {
        let about = Log::about().expect("a table");
        let template = about.fields.iter().find(|field| field.key() == "template").expect("the key");
        for field in LineField::ALL {
            assert!(template.doc.contains(&format!("`{}`", field.name())), "{field:?}");
        }
    }
}
