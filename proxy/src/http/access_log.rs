//! One line a request, written when its answer has ended. Never a token, never a cookie.
//!
//! `field.rs` knows what each field of a line is worth, the formats only how it is written. Lines are formed for every
//! request, so all of it works without `fmt` and without memory of its own: bytes go straight into the worker's block.

mod combined;
mod escape;
mod field;
mod json;
mod number;
mod redact;
mod template;
mod text;
mod time;
mod tried;

pub(super) use redact::SecretParameters;

use self::time::LogTime;
use super::context::RequestContext;
use crate::config::{LineField, LinePiece, LogFormat};
use http::{HeaderValue, Method, StatusCode, Uri, Version, header, request};
use serve::BodyError;
use serve::date::tick_time;
use serve::telemetry::RequestLines;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Where lines go and how they look.
#[derive(Clone)]
pub(super) struct Access {
    /// The worker's end of the log.
    lines: Rc<RequestLines>,
    shape: Rc<Shape>,
}

/// How lines look.
struct Shape {
    format: LogFormat,
    time: LogTime,
    /// Whether they tell of the client's program, and of the page before.
    tells_agent: bool,
    tells_referer: bool,
}

impl Access {
    /// A worker's end of the log.
    pub(super) fn new(lines: Rc<RequestLines>, format: LogFormat) -> Self {
        let tells = |field| match &format {
            LogFormat::Json | LogFormat::Combined => true,
            LogFormat::Text => false,
            LogFormat::Template(template) => template.pieces().contains(&LinePiece::Field(field)),
        };
        let (tells_agent, tells_referer) = (tells(LineField::Agent), tells(LineField::Referer));
        Self { lines, shape: Rc::new(Shape { format, time: LogTime::default(), tells_agent, tells_referer }) }
    }

    /// What the line will tell of a request's head.
    pub(super) fn head_of(&self, head: &request::Parts) -> Box<Head> {
        let field = |name| head.headers.get(name).cloned();
        Box::new(Head {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            host: field(header::HOST),
            agent: self.shape.tells_agent.then(|| field(header::USER_AGENT)).flatten(),
            referer: self.shape.tells_referer.then(|| field(header::REFERER)).flatten(),
        })
    }
}

/// A request's line in the making.
pub(super) struct Line {
    access: Access,
    context: Box<RequestContext>,
    head: Box<Head>,
    secrets: SecretParameters,
    status: StatusCode,
    bytes_sent: u64,
    /// From the request's head to the end of the answer.
    duration: Duration,
    error: Option<BodyError>,
}

/// What of a request's head goes into its line; taken before the head moves on.
pub(super) struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
}

impl Line {
    /// Copies what is part of the block that the request was read into. For an answer that lasts: the block holds other
    /// requests too, and all of it would stay for as long.
    pub(super) fn let_go_of_request(&mut self) {
        let Head { uri, host, agent, referer, .. } = &mut *self.head;
        for value in [host, agent, referer].into_iter().flatten() {
            if let Ok(copied) = HeaderValue::from_bytes(value.as_bytes()) {
                *value = copied;
            }
        }
        if let Ok(copied) = uri.to_string().parse() {
            *uri = copied;
        }
    }

    pub(super) fn new(
        access: &Access,
        context: Box<RequestContext>,
        head: Box<Head>,
        status: StatusCode,
        secrets: &SecretParameters,
    ) -> Box<Self> {
        Box::new(Self {
            access: access.clone(),
            context,
            head,
            secrets: secrets.clone(),
            status,
            bytes_sent: 0,
            duration: Duration::ZERO,
            error: None,
        })
    }

    /// Counts bytes of the answer's body.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
    }

    /// Writes the line.
    pub(super) fn ended(&mut self, error: Option<BodyError>) {
        // A HEAD answer or a 304 has no body to reach the end of.
        self.error = error.filter(|_| self.head.method != Method::HEAD);
        let ended = Instant::now();
        self.duration = ended.saturating_duration_since(self.context.started);
        self.context.attempt.ended(ended);
        self.access.lines.line(|out| self.write(out, UNIX_EPOCH + tick_time()));
    }

    fn write(&self, out: &mut Vec<u8>, now: SystemTime) {
        match &self.access.shape.format {
            LogFormat::Json => self.json(out, now),
            LogFormat::Text => self.text(out, now),
            LogFormat::Combined => self.combined(out, now),
            LogFormat::Template(template) => self.template(out, template, now),
        }
    }
}
