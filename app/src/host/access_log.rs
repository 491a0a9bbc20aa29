//! One line a request, written at the end of the response's body and joined with the edge's line by the request id.

use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serve::contract::request_id::RequestId;
use serve::telemetry::{Format, RequestLines};
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

/// A worker's end of the log.
pub(super) struct AccessLog {
    format: Format,
    lines: Rc<RequestLines>,
}

/// What is known of a request before its answer. The query is left out: it may hold what must not be kept.
pub(super) struct Entry {
    pub(super) log: Rc<AccessLog>,
    pub(super) began: Instant,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) request_id: RequestId,
}

#[derive(Serialize)]
struct Line<'entry> {
    time: String,
    kind: &'static str,
    request_id: &'entry str,
    method: &'entry str,
    path: &'entry str,
    status: u16,
    bytes_sent: u64,
    /// As in the edge's line, to a microsecond.
    duration_ms: f64,
    /// Whether the whole body left; false when the client went away or the callable broke off.
    complete: bool,
}

impl AccessLog {
    pub(super) const fn new(format: Format, lines: Rc<RequestLines>) -> Self {
        Self { format, lines }
    }
}

impl Entry {
    /// Writes the line.
    pub(super) fn write(self, status: u16, bytes: u64, complete: bool) {
        let line = Line {
            time: format!("{:.3}", Timestamp::now()),
            kind: "request",
            request_id: self.request_id.as_str(),
            method: self.method.as_str(),
            path: &self.path,
            status,
            bytes_sent: bytes,
            duration_ms: (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            complete,
        };
        // Writing into memory does not fail.
        self.log.lines.line(|out| match self.log.format {
            Format::Json => drop(serde_json::to_writer(out, &line)),
            Format::Text => drop(write!(
                out,
                "{} {} {} {} {} {}B {:.1}ms{}",
                line.time,
                line.request_id,
                line.method,
                line.path.escape_debug(),
                line.status,
                line.bytes_sent,
                line.duration_ms,
                if complete { "" } else { " incomplete" }
            )),
        });
    }
}
