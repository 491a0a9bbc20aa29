//! What operators write: every table with every key. The documentation of a key is its entry in
//! `docs/configuration.md` and in the JSON Schema; its default is written here and nowhere else.

pub(super) mod action;
pub(super) mod issuer;
pub(super) mod maps;
pub(super) mod route;
pub(super) mod site;
pub(super) mod upstream;
pub(super) mod values;

use super::read::{List, Named};
use super::units::{Number, Size, Time, Timeout};
use super::{Address, LogFormat};
use http::HeaderName;
use ipnet::IpNet;
use issuer::Issuer;
use route::Route;
use site::Site;
use upstream::Upstream;
use values::{FilePath, LogLevel, Text};

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
    /// The process. Changes need a restart.
    Server as "server" => {
        /// Worker threads, one runtime each. Left out: the number of cores.
        optional threads: Number<1, 1024>,
        /// Connections accepted at once over all listeners; further ones wait in the kernel's queue.
        default(10_000) connections_max: Number<1, 10_000_000>,
        /// How long a stop waits for work in flight before it is cut.
        default("30s") drain_timeout: Time<0, 86_400_000>,
        /// Where the proxy keeps what it makes itself: development certificates. Left out: `./var/portcullis` below
        /// the working directory.
        optional state: FilePath,
        /// Peers whose `Forwarded` and `X-Forwarded-*` are believed. From anybody else these fields are dropped.
        default([]) trusted_proxies: List<IpNet>,
        /// Further header fields that are removed from every request, beside `X-Auth-*`.
        default([]) identity_headers: List<HeaderName>,
    }
}

table! {
    /// The operator's listener: `/livez` and `/readyz`. Changes need a restart.
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
        /// `json` writes one object a line, `text` is for people.
        default("text") format: LogFormat,
        /// A level, or levels per module: `info`, `info,portcullis=debug`.
        default("info") level: LogLevel,
        /// Whether each request writes a line.
        default(true) access: bool,
    }
}

words!(LogFormat, "log format", {
    "text" => LogFormat::Text,
    "json" => LogFormat::Json,
});

table! {
    /// A bound address with its protocol settings. Changes need a restart.
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
        /// From accept to the end of the TLS handshake.
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
    }
}
