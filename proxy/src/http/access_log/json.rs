//! One JSON object a request. What a request has not is left out.

use super::Line;
use super::escape::Escape;
use super::field::Value;
use super::tried;
use crate::config::LineField;
use std::time::SystemTime;

/// What stands in each object, behind time and kind.
const FIELDS: [LineField; 31] = [
    LineField::RequestId,
    LineField::TraceId,
    LineField::Client,
    LineField::Peer,
    LineField::Method,
    LineField::Host,
    LineField::Path,
    LineField::Query,
    LineField::Protocol,
    LineField::TlsVersion,
    LineField::Status,
    LineField::BytesSent,
    LineField::BytesReceived,
    LineField::DurationMs,
    LineField::ConnectMs,
    LineField::WaitedMs,
    LineField::FirstByteMs,
    LineField::UpstreamMs,
    LineField::Site,
    LineField::Route,
    LineField::Upstream,
    LineField::Endpoint,
    LineField::Attempts,
    LineField::Tried,
    LineField::Coalesced,
    LineField::Subject,
    LineField::Agent,
    LineField::Referer,
    LineField::Code,
    LineField::Reason,
    LineField::BrokeOff,
];

impl Line {
    pub(super) fn json(&self, out: &mut Vec<u8>, now: SystemTime) {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&self.access.shape.time.text(now));
        out.extend_from_slice(b"\",\"kind\":\"request\"");
        for field in FIELDS {
            // Without a proxy before this one the peer is the client.
            if field == LineField::Peer && self.context.peer_ip == self.context.origin.client {
                continue;
            }
            if let Some(value) = self.value(field, now) {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(field.name().as_bytes());
                out.extend_from_slice(b"\":");
                if let Value::Tried(attempt) = value {
                    tried::json(out, attempt);
                } else if matches!(value, Value::Number(_) | Value::Milliseconds(_)) {
                    self.push(out, &value, Escape::Json);
                } else {
                    out.push(b'"');
                    self.push(out, &value, Escape::Json);
                    out.push(b'"');
                }
            }
        }
        out.push(b'}');
    }
}
