//! One line a request, written when its answer has ended. Never a token, never a cookie.

mod text;
mod time;

use self::time::LogTime;
use super::context::RequestContext;
use crate::config::LogFormat;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header, request};
use serve::BodyError;
use serve::telemetry::RequestLines;
use std::rc::Rc;
use std::time::SystemTime;

/// Query parameters whose values are secrets by their names; a route's token parameter is added to them.
const SECRET_PARAMETERS: [&str; 10] =
    ["access_token", "refresh_token", "id_token", "token", "code", "password", "secret", "signature", "key", "api_key"];

/// Where lines go and how they look.
#[derive(Clone)]
pub(super) struct Access {
    /// The worker's end of the log.
    lines: Rc<RequestLines>,
    format: LogFormat,
    time: Rc<LogTime>,
}

impl Access {
    /// A worker's end of the log.
    pub(super) fn new(lines: Rc<RequestLines>, format: LogFormat) -> Self {
        Self { lines, format, time: Rc::default() }
    }
}

/// A request's line in the making.
pub(super) struct Line {
    access: Access,
    context: RequestContext,
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    secret_parameter: Option<String>,
    status: StatusCode,
    bytes: u64,
    error: Option<BodyError>,
}

/// What of a request's head goes into its line; taken before the head moves on.
pub(super) struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    agent: Option<HeaderValue>,
}

impl Head {
    pub(super) fn of(head: &request::Parts) -> Self {
        Self {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            host: head.headers.get(header::HOST).cloned(),
            agent: head.headers.get(header::USER_AGENT).cloned(),
        }
    }
}

impl Line {
    pub(super) fn new(
        access: &Access,
        context: RequestContext,
        head: Head,
        status: StatusCode,
        secret_parameter: Option<&str>,
    ) -> Box<Self> {
        let Head { method, uri, version, host, agent } = head;
        Box::new(Self {
            access: access.clone(),
            context,
            method,
            uri,
            version,
            host,
            agent,
            secret_parameter: secret_parameter.map(str::to_owned),
            status,
            bytes: 0,
            error: None,
        })
    }

    /// Counts bytes of the answer's body.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Writes the line.
    pub(super) fn ended(&mut self, error: Option<BodyError>) {
        // A HEAD answer or a 304 has no body to reach the end of.
        self.error = error.filter(|_| self.method != Method::HEAD);
        self.access.lines.line(|out| match self.access.format {
            LogFormat::Json => self.json(out, SystemTime::now()),
            LogFormat::Text => self.text(out, SystemTime::now()),
        });
    }

    fn json(&self, out: &mut Vec<u8>, now: SystemTime) {
        let context = &self.context;
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let time = self.access.time.text(now);
        let line = JsonLine {
            time: std::str::from_utf8(&time).unwrap_or_default(),
            kind: "request",
            request_id: context.request_id.as_str(),
            trace_id: context.trace.as_ref().map(|trace| trace.trace_id()),
            client: context.origin.client.map(|client| client.to_string()),
            method: self.method.as_str(),
            host: self.host(),
            path: self.uri.path(),
            query: self.uri.query().map(|query| self.redacted(query)),
            protocol: protocol(self.version),
            tls: context.info.tls.as_ref().and_then(|tls| tls.version).and_then(|version| version.as_str()),
            status: self.status.as_u16(),
            bytes: self.bytes,
            duration_ms: milliseconds(context.started.elapsed()),
            route: context.route.as_deref(),
            upstream: context.upstream.as_deref(),
            endpoint: context.attempt.endpoint.as_deref(),
            attempts: (context.attempt.attempts > 0).then_some(context.attempt.attempts),
            connect_ms: context.attempt.connect.map(milliseconds),
            first_byte_ms: context.attempt.first_byte.map(milliseconds),
            subject: context.subject.as_ref().map(|identity| identity.subject.as_str()),
            agent: text(&self.agent),
            code: context.cause.as_ref().map(|(code, _)| *code),
            reason: context.cause.as_ref().map(|(_, reason)| reason.as_str()),
            broke_off: self.error.map(|error| error.to_string()),
        };
        // Writing to memory fails only for maps with odd keys, and there are none.
        let _ = serde_json::to_writer(out, &line);
    }

    fn host(&self) -> Option<&str> {
        self.uri.authority().map(without_user).or_else(|| self.host.as_ref()?.to_str().ok())
    }

    fn redacted(&self, query: &str) -> String {
        let is_secret = |name: &str| {
            SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
                || self.secret_parameter.as_deref() == Some(name)
        };
        let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}=redacted"),
            _ => parameter.to_owned(),
        });
        parameters.collect::<Vec<_>>().join("&")
    }
}

#[derive(serde::Serialize)]
struct JsonLine<'a> {
    time: &'a str,
    kind: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    client: Option<String>,
    method: &'a str,
    host: Option<&'a str>,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    status: u16,
    bytes: u64,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broke_off: Option<String>,
}

/// A password that a client put before the host is nobody's business.
fn without_user(authority: &http::uri::Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

/// To a microsecond: more digits are noise.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}
