//! What a line of the access log may hold, and the template in which operators say what theirs holds.

use super::problem::{listed, nearest};
use std::fmt;

/// Bytes of a template: it is gone through for every request.
const TEMPLATE_BYTES_MAX: usize = 4096;

/// The fields of a request's line, each with the name that all formats use.
macro_rules! fields {
    ($( $(#[doc = $doc:literal])* $field:ident = $name:literal, )*) => {
        /// A field of a request's line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LineField {
            $( $(#[doc = $doc])* $field, )*
        }

        impl LineField {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$field, )*];

            /// Its name in every format that has names.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$field => $name, )*
                }
            }
        }
    };
}

fields! {
    /// When the answer had ended: RFC 3339 in UTC, to a millisecond.
    Time = "time",
    /// The same as the combined format writes it, to a second.
    TimeLocal = "time_local",
    /// The client's address as trusted hops tell it.
    Client = "client",
    /// The address at the other end of the connection.
    Peer = "peer",
    /// The method.
    Method = "method",
    /// The host that was asked for.
    Host = "host",
    /// The path, as it came.
    Path = "path",
    /// The query, with the values of secret parameters redacted.
    Query = "query",
    /// Path and query.
    Target = "target",
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    Protocol = "protocol",
    /// `TLSv1.2` or `TLSv1.3`.
    TlsVersion = "tls_version",
    /// The status of the answer.
    Status = "status",
    /// Bytes of the answer's body that were handed to the connection.
    BytesSent = "bytes_sent",
    /// Bytes of the request's body that were taken in for an upstream.
    BytesReceived = "bytes_received",
    /// From the request's head to the end of the answer, in milliseconds.
    DurationMs = "duration_ms",
    /// The last connect to an endpoint, when there was one, in milliseconds.
    ConnectMs = "connect_ms",
    /// How long the request waited for an endpoint to come back (`park`), in milliseconds.
    WaitedMs = "waited_ms",
    /// From sending to the head of the upstream's answer, in milliseconds.
    FirstByteMs = "first_byte_ms",
    /// From sending to the end of the upstream's answer, or to its failure, in milliseconds.
    UpstreamMs = "upstream_ms",
    /// The route's name.
    Route = "route",
    /// The site's name.
    Site = "site",
    /// The upstream's name.
    Upstream = "upstream",
    /// The address of the last endpoint that was tried.
    Endpoint = "endpoint",
    /// How many endpoints or connections were tried.
    Attempts = "attempts",
    /// The attempts, where more than one was made: endpoint, cause of the failure (`answered` for the
    /// last, if it was) and milliseconds of each. A list of objects in JSON.
    Tried = "tried",
    /// The id of the request whose upstream call was this one's too (see `route.coalesce`).
    Coalesced = "coalesced",
    /// The user, as the token's issuer names it.
    Subject = "subject",
    /// The `User-Agent` field.
    Agent = "agent",
    /// The `Referer` field without user and fragment, its query redacted.
    Referer = "referer",
    /// The stable code of an error that the edge made.
    Code = "code",
    /// The exact reason of that error.
    Reason = "reason",
    /// Why the answer's body ended before its end.
    BrokeOff = "broke_off",
    /// The request's id.
    RequestId = "request_id",
    /// The trace that the request belongs to (W3C trace context), once it is known.
    TraceId = "trace_id",
}

/// `"{client} {status} {duration_ms}"`: text with fields in braces, taken apart once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTemplate {
    text: String,
    pieces: Vec<LinePiece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinePiece {
    /// Stands in each line as it is.
    Text(String),
    /// Is filled in.
    Field(LineField),
}

impl LineTemplate {
    /// Takes a template apart. `{{` and `}}` stand for the braces themselves.
    ///
    /// # Errors
    /// [`BadTemplate`]: empty, too long, with a control character, a brace alone, or a field that does not exist.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        if text.is_empty() {
            return Err(BadTemplate::Empty);
        }
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(BadTemplate::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadTemplate::Control);
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(behind) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(&from[..1]);
                rest = behind;
                continue;
            }
            let inside = from.strip_prefix('{').ok_or(BadTemplate::ClosedAlone)?;
            let (name, behind) = inside.split_once('}').ok_or(BadTemplate::NeverClosed)?;
            let known = LineField::ALL.iter().find(|field| field.name() == name);
            let field = known.ok_or_else(|| BadTemplate::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(LinePiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(LinePiece::Field(*field));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(LinePiece::Text(plain));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts, in order.
    #[must_use]
    pub fn pieces(&self) -> &[LinePiece] {
        &self.pieces
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTemplate {
    /// Nothing stands in it.
    Empty,
    /// It is longer than 4096 bytes.
    TooLong,
    /// A line end or another control character.
    Control,
    /// A `{` without its `}`.
    NeverClosed,
    /// A `}` without its `{`.
    ClosedAlone,
    /// No field has this name.
    Unknown(String),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("this template is empty"),
            Self::TooLong => write!(f, "this template is longer than {TEMPLATE_BYTES_MAX} bytes"),
            Self::Control => f.write_str("a template has no line ends or other control characters"),
            Self::NeverClosed => f.write_str("this template has a `{` that is never closed"),
            Self::ClosedAlone => f.write_str("this template has a `}` without its `{`"),
            Self::Unknown(name) => write!(f, "no line has the field `{}`", name.escape_debug()),
        }
    }
}

impl BadTemplate {
    /// What could be done about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Empty | Self::Control => "each request writes one line; its end is added".to_owned(),
            Self::TooLong => "leave out what nobody reads".to_owned(),
            Self::NeverClosed | Self::ClosedAlone => "write `{{` and `}}` for the braces themselves".to_owned(),
            Self::Unknown(name) => {
                let known = || LineField::ALL.iter().map(|field| field.name());
                match nearest(name, known()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known here: {}", listed(known())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> LinePiece {
        LinePiece::Text(text.to_owned())
    }

    #[test]
    fn text_and_fields_come_in_order() {
        use LineField::{Client, Status};
        for (template, wanted) in [
            ("plain", vec![text("plain")]),
            ("{client}", vec![LinePiece::Field(Client)]),
            ("a {client}{status} b", vec![text("a "), LinePiece::Field(Client), LinePiece::Field(Status), text(" b")]),
            ("{{{client}}}", vec![text("{"), LinePiece::Field(Client), text("}")]),
            ("{{client}}", vec![text("{client}")]),
        ] {
            let parsed = LineTemplate::parse(template).expect(template);
            assert_eq!((parsed.pieces(), parsed.as_str()), (wanted.as_slice(), template));
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        for (template, wanted) in [
            ("", BadTemplate::Empty),
            ("a\nb", BadTemplate::Control),
            ("a {client", BadTemplate::NeverClosed),
            ("a } b", BadTemplate::ClosedAlone),
            ("{}", BadTemplate::Unknown(String::new())),
            ("{cookie}", BadTemplate::Unknown("cookie".into())),
        ] {
            assert_eq!(LineTemplate::parse(template), Err(wanted), "{template:?}");
        }
        let at_limit = "x".repeat(TEMPLATE_BYTES_MAX);
        assert!(LineTemplate::parse(&at_limit).is_ok());
        assert_eq!(LineTemplate::parse(&format!("{at_limit}x")), Err(BadTemplate::TooLong));
        assert_eq!(BadTemplate::Unknown("statsu".into()).help(), "did you mean `status`?");
    }

    #[test]
    fn every_field_has_a_name_of_its_own() {
        for (index, field) in LineField::ALL.iter().enumerate() {
            assert!(LineField::ALL[..index].iter().all(|other| other.name() != field.name()), "{field:?}");
        }
    }
}
