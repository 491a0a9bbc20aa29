//! Values of one key that are a text in the file and something stricter afterwards.

use crate::config::node::{Kind, Node};
use crate::config::problem::nearest;
use crate::config::read::{Context, Written};
use crate::config::{
    Address, BadGlob, Balance, EndpointAddress, FileGlob, HashBy, LineTemplate, MediaPattern, PathPattern, SecretBytes,
    TokenSource, WebOrigin,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Why a text is not what a key wants: the message, and help.
pub(in crate::config) type Refusal = (String, Option<String>);

/// Refuses with a message and help.
fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Refusal> {
    Err((message.into(), Some(help.into())))
}

/// Reads a text by `parse`.
pub(in crate::config) fn text<T: Written>(
    node: &Node,
    context: &mut Context<'_>,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Option<T> {
    match &node.kind {
        Kind::Text(text) => match parse(text) {
            Ok(value) => return Some(value),
            Err((message, help)) => {
                let problem = context.problem(node.at, message);
                if let Some(help) = help {
                    problem.help(help);
                }
                if node.referred {
                    problem.note("the value comes from a `${...}` reference");
                }
            }
        },
        Kind::Broken => {}
        _ => {
            context.expected::<T>(node);
        }
    }
    None
}

/// `Written` for a type that is one text.
macro_rules! texts {
    ($($type:ty: $kind:literal, $parse:expr;)*) => { $(
        impl Written for $type {
            fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
                text(node, context, $parse)
            }

            fn kind() -> String {
                $kind.to_owned()
            }

            fn schema() -> Value {
                json!({ "type": "string" })
            }
        }
    )* };
}

/// A host name of a site, lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Host(pub(in crate::config) String);

/// A text that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Text(pub(in crate::config) String);

/// The name of a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Zone(pub(in crate::config) String);

/// A path without `..` below some root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Below(pub(in crate::config) String);

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Pointer(pub(in crate::config) String);

/// The status of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct ErrorStatus(pub(in crate::config) StatusCode);

/// A tracing filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct LogLevel(pub(in crate::config) String);

texts! {
    Text: "a text", |text| match text {
        "" => Err(("this text must not be empty".to_owned(), None)),
        text => Ok(Text(text.to_owned())),
    };
    String: "a text", |text| Ok(text.to_owned());
    Zone: "the name of a zone", zone;
    SocketAddr: "an address such as \"127.0.0.11\" or \"127.0.0.1:5353\"", resolver;
    Address: "an address such as \"[::]:8443\" or \"unix:/run/name.sock\"", address;
    EndpointAddress: "an endpoint such as \"app:8000\" or \"unix:/run/app.sock\"", endpoint;
    HashBy: "\"client-address\", \"identity\", \"header:NAME\" or \"cookie:NAME\"", |text| match HashBy::parse(text) {
        Some(by) => Ok(by),
        None => refuse(
            format!("{text:?} says nothing that requests have in common"),
            "write \"client-address\", \"identity\", \"header:NAME\" or \"cookie:NAME\"",
        ),
    };
    Host: "a host name such as \"example.com\" or \"*.example.com\"", host;
    IpNet: "a network such as \"10.0.0.0/8\" or an address", network;
    FileGlob: "a pattern of files such as \"/img/**\" or \"*.pdf\"", |text| {
        FileGlob::parse(text).map_err(|bad| {
            let help = (bad == BadGlob::NoSlash).then(|| format!("write \"/{text}\""));
            (bad.to_string(), help)
        })
    };
    HeaderName: "a header name", |text| {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| (format!("{text:?} is no header name"), None))
    };
    HeaderValue: "a header value", header_value;
    Method: "a method such as \"GET\"", method;
    PathPattern: "a path pattern such as \"/api/**\"", |text| {
        PathPattern::parse(text).map_err(|reason| {
            let help = (!text.starts_with('/')).then(|| format!("write \"/{text}\""));
            (reason.to_string(), help)
        })
    };
    LineTemplate: "a template such as \"{client} {status}\"", |text| {
        LineTemplate::parse(text).map_err(|bad| (bad.to_string(), Some(bad.help())))
    };
    MediaPattern: "a content type such as \"text/*\"", |text| match MediaPattern::parse(text) {
        Some(pattern) => Ok(pattern),
        None => refuse(format!("{text:?} is no content type"), "write for example \"text/*\", \"application/json\" or \"*+json\""),
    };
    TokenSource: "\"header\", \"cookie:NAME\" or \"query:NAME\"", token_source;
    Uri: "a URL", |text| match text.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() && uri.authority().is_some() => Ok(uri),
        _ => refuse(format!("{text:?} is no absolute URL"), "write for example \"https://login.example.com/.well-known/jwks.json\""),
    };
    WebOrigin: "an origin such as \"https://app.example.com\"", |text| match WebOrigin::parse(text) {
        Some(origin) => Ok(origin),
        None => refuse(format!("{text:?} is no origin"), "write scheme, host and port only: \"https://app.example.com\""),
    };
    Below: "a path below the root", below;
    Pointer: "a JSON pointer such as \"/roles\"", pointer;
    LogLevel: "a log filter such as \"info\" or \"info,portcullis=debug\"", log_level;
}

/// The longest name of a zone.
const ZONE_BYTES_MAX: usize = 64;

/// It is a label of metrics and a key of tables.
pub(in crate::config) fn zone(text: &str) -> Result<Zone, Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.len() > ZONE_BYTES_MAX || !text.chars().all(plain) {
        let help = format!("use 1 to {ZONE_BYTES_MAX} letters, digits, `-`, `_` and `.`");
        return refuse(format!("{text:?} is no name of a zone"), help);
    }
    Ok(Zone(text.to_owned()))
}

fn address(text: &str) -> Result<Address, Refusal> {
    text.parse().map_err(|bad: serve::listener::BadAddress| {
        let help = match text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
            Ok(port) => Some(format!("for every interface write \"[::]:{port}\"")),
            Err(_) => text.strip_prefix("localhost:").map(|port| format!("write \"127.0.0.1:{port}\"")),
        };
        (bad.to_string(), help)
    })
}

/// The port of DNS is understood.
fn resolver(text: &str) -> Result<SocketAddr, Refusal> {
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let alone = literal.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    match alone.or_else(|_| text.parse()) {
        Ok(server) if server.port() > 0 => Ok(server),
        _ => {
            refuse(format!("{text:?} is no address of a resolver"), "it has no name: write for example \"127.0.0.11\"")
        }
    }
}

fn endpoint(text: &str) -> Result<EndpointAddress, Refusal> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => refuse("the socket's path is missing", "write for example \"unix:/run/app.sock\""),
            path => Ok(EndpointAddress::Unix(PathBuf::from(path))),
        };
    }
    if let Some(name) = text.strip_prefix("srv:") {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
            return refuse(format!("{name:?} is no name of SRV records"), "write for example \"srv:_http._tcp.app\"");
        }
        return Ok(EndpointAddress::Srv(name.to_owned()));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let authority = rest.split('/').next().unwrap_or(rest);
        let port = if authority.contains(':') { "" } else { ":80" };
        return match scheme {
            "http" => refuse("an endpoint is a host and a port, not a URL", format!("write \"{authority}{port}\"")),
            "https" => {
                let port = if port.is_empty() { "" } else { ":443" };
                let help = format!("write \"{authority}{port}\", and `tls = true` beside `endpoints`");
                refuse("an endpoint is a host and a port, not a URL", help)
            }
            _ => refuse(
                "an endpoint is a host and a port, not a URL",
                "`protocol` and `tls` beside `endpoints` say what is spoken",
            ),
        };
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return refuse(format!("the port of {text:?} is missing"), format!("write for example \"{text}:8000\""));
    };
    let port = match port.parse::<u16>() {
        Ok(port) if port > 0 => port,
        _ => return refuse(format!("{port:?} is no port"), "ports are numbers from 1 to 65535"),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(literal) if literal.parse::<std::net::Ipv6Addr>().is_ok() => literal,
        Some(_) => return refuse(format!("{host:?} is no IPv6 address"), "write for example \"[::1]:8000\""),
        None if host.contains(':') => {
            return refuse("an IPv6 address needs brackets", format!("write \"[{host}]:{port}\""));
        }
        None => host,
    };
    // Underscores are no part of a host name, but compose services are called that way.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err((format!("{host:?} is no host name"), None));
    }
    Ok(EndpointAddress::Tcp { host: host.to_owned(), port })
}

fn host(text: &str) -> Result<Host, Refusal> {
    let name = text.to_ascii_lowercase();
    if let Some((_, rest)) = name.split_once("://") {
        return refuse(
            "a host is a name, not a URL",
            format!("write \"{}\"", rest.split(['/', ':']).next().unwrap_or(rest)),
        );
    }
    if name.starts_with('[') && name.ends_with(']') && name[1..name.len() - 1].parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(Host(name));
    }
    if let Some((bare, port)) = name.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return refuse("a host has no port: every listener serves every site", format!("write \"{bare}\""));
    }
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    if labels.contains('*') {
        return refuse("`*` stands for the whole first label only", "write for example \"*.example.com\"");
    }
    if !name.is_ascii() {
        return refuse("host names are compared in their ASCII form", "write the Punycode form, \"xn--...\"");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !labels.split('.').all(label) {
        return Err((format!("{text:?} is no host name"), None));
    }
    Ok(Host(name))
}

fn network(text: &str) -> Result<IpNet, Refusal> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    match text.parse::<IpNet>() {
        Ok(net) if net == net.trunc() => Ok(net),
        Ok(net) => refuse(format!("{text:?} has bits set behind its prefix"), format!("write \"{}\"", net.trunc())),
        Err(_) => refuse(format!("{text:?} is no network"), "write for example \"10.0.0.0/8\" or \"192.0.2.7\""),
    }
}

fn header_value(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| ("a header value has no line ends or control characters".to_owned(), None))
}

fn method(text: &str) -> Result<Method, Refusal> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) => Err(("CONNECT is refused before routing, so this can never match".to_owned(), None)),
        Ok(_) if text.chars().any(|c| c.is_ascii_lowercase()) => refuse(
            format!("{text:?} is no method: methods are upper-case"),
            format!("write {:?}", text.to_ascii_uppercase()),
        ),
        Ok(method) => Ok(method),
        Err(_) => Err((format!("{text:?} is no method"), None)),
    }
}

fn token_source(text: &str) -> Result<TokenSource, Refusal> {
    let help = "write \"header\", \"cookie:NAME\" or \"query:NAME\"";
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    let token = |name: &str| HeaderName::from_bytes(name.as_bytes()).is_ok();
    match kind {
        "header" if name.is_empty() => Ok(TokenSource::Header),
        "cookie" if token(name) => Ok(TokenSource::Cookie(name.to_owned())),
        "query" if token(name) => Ok(TokenSource::Query(name.to_owned())),
        _ => refuse(format!("{text:?} is no place for a token"), help),
    }
}

fn below(text: &str) -> Result<Below, Refusal> {
    let text = text.strip_prefix('/').unwrap_or(text);
    match text.split('/').any(|part| matches!(part, "" | "." | "..")) || text.contains('\0') {
        true => refuse("this path must stay below the root", "write it relative to the root: \"index.html\""),
        false => Ok(Below(text.to_owned())),
    }
}

fn pointer(text: &str) -> Result<Pointer, Refusal> {
    if !text.starts_with('/') {
        return refuse(format!("{text:?} is no JSON pointer"), format!("write \"/{}\"", text.replace('.', "/")));
    }
    let escaped = |at: usize| matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1'));
    match text.match_indices('~').all(|(at, _)| escaped(at)) {
        true => Ok(Pointer(text.to_owned())),
        false => refuse("`~` in a JSON pointer is written `~0`", "and `/` inside a name is `~1` (RFC 6901)"),
    }
}

fn log_level(text: &str) -> Result<LogLevel, Refusal> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',') {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        let lower = level.trim().to_ascii_lowercase();
        if !levels.contains(&lower.as_str()) || (target.is_empty() && directive.contains('=')) {
            let help = nearest(&lower, levels)
                .map_or_else(|| format!("levels are {}", levels.join(", ")), |near| format!("did you mean `{near}`?"));
            return refuse(format!("{level:?} is no log level"), help);
        }
    }
    Ok(LogLevel(text.to_owned()))
}

/// A file or directory: relative to the file that the path is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct FilePath(pub(in crate::config) PathBuf);

impl Written for FilePath {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Text(path) = Text::read(node, context)?;
        Some(Self(context.problems.sources.resolve(node.at, &path)))
    }

    fn kind() -> String {
        "a path".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// A secret text: never quoted in a message.
impl Written for SecretBytes {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        if !node.referred {
            context.problems.secrets.push(node.at);
        }
        match &node.kind {
            Kind::Text(text) => return Some(Self(text.clone().into_bytes())),
            Kind::Broken => {}
            _ => {
                context.problem(node.at, format!("expected {}", Self::kind()));
            }
        }
        None
    }

    fn kind() -> String {
        "a secret, best as \"${file:PATH}\" or \"${env:NAME}\"".to_owned()
    }

    fn schema() -> Value {
        json!({ "type": "string", "writeOnly": true })
    }
}

/// Any value, as JSON.
impl Written for Value {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        Some(match &node.kind {
            Kind::Text(text) => Value::from(text.as_str()),
            Kind::Integer(number) => Value::from(*number),
            Kind::Float(number) if number.is_finite() => Value::from(*number),
            Kind::Bool(value) => Value::from(*value),
            Kind::List(items) => Value::Array(items.iter().filter_map(|item| Value::read(item, context)).collect()),
            Kind::Table(entries) => {
                let members = entries.iter().filter_map(|e| Some((e.key.clone(), Value::read(&e.node, context)?)));
                Value::Object(members.collect())
            }
            Kind::Broken => return None,
            Kind::Date | Kind::Float(_) => {
                context.expected::<Self>(node).help("JSON has no dates and no infinite numbers");
                return None;
            }
        })
    }

    fn kind() -> String {
        "a JSON value".to_owned()
    }

    fn schema() -> Value {
        json!({})
    }
}

words!(Balance, "balance policy", {
    "least-requests" => Balance::LeastRequests,
    "round-robin" => Balance::RoundRobin,
    "peak-ewma" => Balance::PeakEwma,
    "hash" => Balance::Hash,
});
