//! What each field of a line is worth for one request, and how a value is written.

use super::Line;
use super::escape::Escape;
use super::number::{push_address, push_milliseconds, push_number};
use super::time::{LocalText, TimeText};
use crate::config::LineField;
use http::Version;
use serve::BodyError;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What a field is worth.
pub(super) enum Value<'a> {
    /// Bytes that anybody may have written.
    Bytes(&'a [u8]),
    /// A path, and the query behind it when it is wanted.
    Target(&'a str, Option<&'a str>),
    /// A query.
    Query(&'a str),
    /// A `Referer` field.
    Referer(&'a [u8]),
    Address(IpAddr),
    Number(u64),
    Milliseconds(Duration),
    Broken(BodyError),
    Time(TimeText),
    TimeLocal(LocalText),
}

fn text(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes())
}

impl Line {
    /// The value of a field; `None` when the request has none.
    pub(super) fn value(&self, field: LineField, now: SystemTime) -> Option<Value<'_>> {
        let (context, head) = (&self.context, &self.head);
        let attempt = &context.attempt;
        Some(match field {
            LineField::Time => Value::Time(self.access.shape.time.text(now)),
            LineField::TimeLocal => Value::TimeLocal(self.access.shape.time.local(now)),
            LineField::Client => Value::Address(context.origin.client?),
            LineField::Peer => Value::Address(context.peer_ip?),
            LineField::Method => text(head.method.as_str()),
            LineField::Host => Value::Bytes(self.host()?),
            LineField::Path => Value::Target(head.uri.path(), None),
            LineField::Query => Value::Query(head.uri.query()?),
            LineField::Target => Value::Target(head.uri.path(), head.uri.query()),
            LineField::Protocol => text(protocol(head.version)),
            LineField::TlsVersion => text(self.tls_version()?),
            LineField::Status => Value::Number(u64::from(self.status.as_u16())),
            LineField::BytesSent => Value::Number(self.bytes_sent),
            LineField::BytesReceived => Value::Number(self.all_received()),
            LineField::DurationMs => Value::Milliseconds(self.duration),
            LineField::ConnectMs => Value::Milliseconds(attempt.connect?),
            LineField::FirstByteMs => Value::Milliseconds(attempt.first_byte?),
            LineField::UpstreamMs => Value::Milliseconds(attempt.total?),
            LineField::Route => text(context.route.as_deref()?),
            LineField::Site => text(context.site.as_deref()?),
            LineField::Upstream => text(context.upstream.as_deref()?),
            LineField::Endpoint => text(attempt.endpoint.as_deref()?),
            LineField::Attempts => Value::Number((attempt.attempts > 0).then_some(attempt.attempts)?.into()),
            LineField::Coalesced => text(context.coalesced.as_deref()?),
            LineField::Subject => text(context.caller.as_ref()?.subject()),
            LineField::Agent => Value::Bytes(head.agent.as_ref()?.as_bytes()),
            LineField::Referer => Value::Referer(head.referer.as_ref()?.as_bytes()),
            LineField::Code => text(context.cause.as_ref()?.0),
            LineField::Reason => text(&context.cause.as_ref()?.1),
            LineField::BrokeOff => Value::Broken(self.error?),
            LineField::RequestId => text(context.request_id.as_str()),
            LineField::TraceId => text(context.trace.as_ref()?.trace_id()),
        })
    }

    /// Appends a value.
    pub(super) fn push(&self, out: &mut Vec<u8>, value: &Value<'_>, escape: Escape) {
        match value {
            Value::Bytes(bytes) => escape.push(out, bytes),
            Value::Target(path, query) => {
                escape.push(out, path.as_bytes());
                if let Some(query) = query {
                    out.push(b'?');
                    self.secrets.query(query.as_bytes(), &mut |piece| escape.push(out, piece));
                }
            }
            Value::Query(query) => self.secrets.query(query.as_bytes(), &mut |piece| escape.push(out, piece)),
            Value::Referer(referer) => self.secrets.referer(referer, &mut |piece| escape.push(out, piece)),
            Value::Address(address) => push_address(out, *address),
            Value::Number(number) => push_number(out, *number),
            Value::Milliseconds(duration) => push_milliseconds(out, *duration),
            // A fixed sentence; writing to memory can't fail.
            Value::Broken(error) => drop(write!(out, "{error}")),
            Value::Time(text) => out.extend_from_slice(text),
            Value::TimeLocal(text) => out.extend_from_slice(text),
        }
    }

    /// The host that was asked for. What stands before an `@` is nobody's business: it may be a password.
    pub(super) fn host(&self) -> Option<&[u8]> {
        let from_uri = self.head.uri.authority().map(|authority| authority.as_str().as_bytes());
        let host = from_uri.or_else(|| self.head.host.as_ref().map(http::HeaderValue::as_bytes))?;
        host.rsplit(|byte| *byte == b'@').next()
    }

    /// As nginx and OpenSSL spell it.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        match self.context.info.tls.as_ref()?.version? {
            rustls::ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            rustls::ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    pub(super) fn all_received(&self) -> u64 {
        self.context.attempt.received()
    }
}

pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}
