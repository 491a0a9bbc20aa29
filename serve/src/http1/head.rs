//! Heads of requests and responses (RFC 9112 sections 2 to 6), read strictly: what two servers could read differently
//! is no message.

use super::fields::{self, Announced, Unsound};
use super::malformed::Malformed;
use bytes::{Buf, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri, Version, header, request, response};
use std::mem::MaybeUninit;

/// How large a head may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Bytes from the first line to the empty one.
    pub bytes_max: usize,
    /// Fields.
    pub fields_max: usize,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing.
    Empty,
    /// This many bytes, at least one.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunked,
    /// Everything until the connection closes: responses only.
    UntilClose,
}

/// A request's head.
#[derive(Debug)]
pub struct RequestHead {
    /// Method, target, version and fields.
    pub parts: request::Parts,
    /// What follows.
    pub framing: Framing,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
}

/// A response's head.
#[derive(Debug)]
pub struct ResponseHead {
    /// Status, version and fields.
    pub parts: response::Parts,
    /// What follows; for a 101 that is not HTTP any more, and nothing here.
    pub framing: Framing,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
}

/// Heads with more fields than this need memory to be parsed.
const FIELDS_INLINE: usize = 128;

/// The longest registered method has 17 letters (`UPDATEREDIRECTREF`, RFC 4437).
const METHOD_BYTES_MAX: usize = 64;

/// Empty lines before a request (RFC 9112 section 2.2 asks for at least one to be ignored).
const EMPTY_LINE_BYTES_MAX: usize = 4;

/// Looks for heads in a growing buffer without looking at any byte twice.
#[derive(Debug, Default)]
pub struct HeadReader {
    /// Bytes of the current head that have been looked at.
    seen: usize,
    /// Bytes of empty lines before it.
    empty: usize,
}

impl HeadReader {
    /// Takes a request's head off the front of `buffer` once it is whole.
    ///
    /// # Errors
    /// As soon as the bytes can't become a request any more.
    pub fn request(&mut self, buffer: &mut BytesMut, limits: HeadLimits) -> Result<Option<RequestHead>, Malformed> {
        if self.seen == 0 {
            while buffer.starts_with(b"\r\n") {
                buffer.advance(2);
                self.empty += 2;
                if self.empty > EMPTY_LINE_BYTES_MAX {
                    return Err(Malformed::EMPTY_LINES);
                }
            }
            match &buffer[..] {
                [] | [b'\r'] => return Ok(None),
                [b'\r' | b'\n', ..] => return Err(Malformed::LINE_END),
                // A TLS handshake on a plain port, for example, has no line to wait for.
                [first, ..] if !fields::is_token(&[*first]) => return Err(Malformed::START),
                _ => {}
            }
        }
        let Some(length) = self.end(buffer, limits.bytes_max)? else { return Ok(None) };
        request(&buffer.split_to(length).freeze(), limits.fields_max).map(Some)
    }

    /// Takes a response's head off the front of `buffer` once it is whole. `asked` is the request's method.
    ///
    /// # Errors
    /// As soon as the bytes can't become a response any more.
    pub fn response(
        &mut self,
        buffer: &mut BytesMut,
        limits: HeadLimits,
        asked: &Method,
    ) -> Result<Option<ResponseHead>, Malformed> {
        if self.seen == 0 {
            let start = &buffer[..buffer.len().min(5)];
            if !b"HTTP/".starts_with(start) {
                return Err(Malformed::NO_RESPONSE);
            }
        }
        let Some(length) = self.end(buffer, limits.bytes_max)? else { return Ok(None) };
        response(&buffer.split_to(length).freeze(), limits.fields_max, asked).map(Some)
    }

    /// The length of the head, once its empty line is there. On the way no line may end in a bare LF.
    fn end(&mut self, buffer: &[u8], bytes_max: usize) -> Result<Option<usize>, Malformed> {
        let mut found = None;
        for index in memchr::memchr_iter(b'\n', &buffer[self.seen..]) {
            let index = self.seen + index;
            if index == 0 || buffer[index - 1] != b'\r' {
                return Err(Malformed::LINE_END);
            }
            if index >= 3 && buffer[index - 2] == b'\n' {
                found = Some(index + 1);
                break;
            }
        }
        if found.unwrap_or(buffer.len()) > bytes_max {
            let first_line = memchr::memchr(b'\n', buffer).unwrap_or(usize::MAX);
            return Err(if first_line > bytes_max { Malformed::TARGET_TOO_LONG } else { Malformed::FIELDS_TOO_LARGE });
        }
        self.seen = buffer.len();
        if found.is_some() {
            *self = Self::default();
        }
        Ok(found)
    }

    /// Whether any byte of the next head has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.seen > 0
    }
}

/// Runs `read` with room for `fields_max` fields.
fn with_room<'h, T>(fields_max: usize, read: impl FnOnce(&mut [MaybeUninit<httparse::Header<'h>>]) -> T) -> T {
    if fields_max <= FIELDS_INLINE {
        read(&mut [const { MaybeUninit::uninit() }; FIELDS_INLINE][..fields_max])
    } else {
        read(&mut vec![const { MaybeUninit::uninit() }; fields_max])
    }
}

fn request(head: &Bytes, fields_max: usize) -> Result<RequestHead, Malformed> {
    with_room(fields_max, |room| {
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, room) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Malformed::START_LINE),
            Err(httparse::Error::Version) => return Err(version_error(head)),
            Err(error) => return Err(malformed(error)),
        }
        let (mut parts, ()) = http::Request::new(()).into_parts();
        let method = parsed.method.unwrap_or_default().as_bytes();
        if method.len() > METHOD_BYTES_MAX {
            return Err(Malformed::METHOD);
        }
        parts.method = Method::from_bytes(method).map_err(|_| Malformed::START_LINE)?;
        let target = head.slice_ref(parsed.path.unwrap_or_default().as_bytes());
        if memchr::memchr(b'#', &target).is_some() {
            // A fragment is never sent (RFC 9112 section 3.2): who forwards it and who cuts it disagree.
            return Err(Malformed::TARGET);
        }
        let whole_server = parts.method == Method::OPTIONS && has_no_path(&target);
        parts.uri = Uri::from_maybe_shared(target).map_err(|_| Malformed::TARGET)?;
        if whole_server {
            parts.uri = with_asterisk(parts.uri)?;
        }
        parts.version = version(parsed.version);
        parts.headers = fields::fields(head, parsed.headers)?;
        let framing = match fields::announced(&parts.headers) {
            Ok(Announced::Nothing | Announced::Length(0)) => Framing::Empty,
            Ok(Announced::Length(length)) => Framing::Length(length),
            Ok(Announced::Chunked) if parts.version == Version::HTTP_10 => {
                return Err(Malformed::ENCODING_BEFORE_1_1);
            }
            Ok(Announced::Chunked) => Framing::Chunked,
            Err(unsound) => return Err(unsound.into()),
        };
        let keep_alive = keep_alive(parts.version, &parts.headers);
        Ok(RequestHead { parts, framing, keep_alive })
    })
}

/// A target in absolute form without path and query. With OPTIONS it means the server as a whole, as `*` does in the
/// other form (RFC 9112 section 3.2.4). Once it is read, its path is a slash like any other.
fn has_no_path(target: &[u8]) -> bool {
    let authority = memchr::memmem::find(target, b"://").and_then(|at| target.get(at + 3..));
    !target.starts_with(b"/") && authority.is_some_and(|authority| memchr::memchr2(b'/', b'?', authority).is_none())
}

fn with_asterisk(uri: Uri) -> Result<Uri, Malformed> {
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(PathAndQuery::from_static("*"));
    Uri::from_parts(parts).map_err(|_| Malformed::TARGET)
}

fn response(head: &Bytes, fields_max: usize, asked: &Method) -> Result<ResponseHead, Malformed> {
    with_room(fields_max, |room| {
        let mut parsed = httparse::Response::new(&mut []);
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, room) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Malformed::START_LINE),
            Err(error) => return Err(malformed(error)),
        }
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| Malformed::START_LINE)?;
        parts.version = version(parsed.version);
        parts.headers = fields::fields(head, parsed.headers)?;
        let framing = response_framing(&parts, asked)?;
        let keep_alive = framing != Framing::UntilClose
            && !announces_impossible(&parts)
            && keep_alive(parts.version, &parts.headers);
        Ok(ResponseHead { parts, framing, keep_alive })
    })
}

/// RFC 9112 section 6.3. Contradictions are errors even where no body follows: the sender can't be trusted.
fn response_framing(parts: &response::Parts, asked: &Method) -> Result<Framing, Malformed> {
    let announced = fields::announced(&parts.headers)?;
    if announced == Announced::Chunked && parts.version == Version::HTTP_10 {
        return Err(Malformed::ENCODING_BEFORE_1_1);
    }
    let status = parts.status;
    let bodiless = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || *asked == Method::HEAD;
    Ok(match announced {
        _ if bodiless => Framing::Empty,
        Announced::Length(0) => Framing::Empty,
        Announced::Length(length) => Framing::Length(length),
        Announced::Chunked => Framing::Chunked,
        Announced::Nothing => Framing::UntilClose,
    })
}

/// A 204 that announces content, which it can't have (RFC 9110 section 8.6, RFC 9112 section 6.1): who writes that may
/// send it too, and later than the next request.
fn announces_impossible(parts: &response::Parts) -> bool {
    parts.status == StatusCode::NO_CONTENT
        && !matches!(fields::announced(&parts.headers), Ok(Announced::Nothing | Announced::Length(0)))
}

/// RFC 9112 section 9.3.
fn keep_alive(version: Version, fields: &HeaderMap) -> bool {
    if !fields.contains_key(header::CONNECTION) {
        return version == Version::HTTP_11;
    }
    let says = |word| fields::lists(fields, &header::CONNECTION, word);
    !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 }
}

/// A version that is one, but none of ours, is 505; anything else is no HTTP.
fn version_error(head: &[u8]) -> Malformed {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let words: Vec<_> = line.splitn(4, |&byte| byte == b' ').collect();
    match &words[..] {
        [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Malformed::VERSION
        }
        _ => Malformed::START_LINE,
    }
}

fn malformed(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::HeaderName => Malformed::FIELD_NAME,
        httparse::Error::HeaderValue => Malformed::FIELD_VALUE,
        httparse::Error::NewLine => Malformed::LINE_END,
        httparse::Error::TooManyHeaders => Malformed::FIELDS_TOO_MANY,
        _ => Malformed::START_LINE,
    }
}

impl From<Unsound> for Malformed {
    fn from(unsound: Unsound) -> Self {
        match unsound {
            Unsound::Both => Self::BOTH_FRAMINGS,
            Unsound::Length => Self::LENGTH,
            Unsound::Encoding => Self::ENCODING,
            Unsound::UnknownCoding => Self::CODING,
        }
    }
}

/// The fields of a trailer section (RFC 9112 section 7.1.2), from its first line to the empty one.
pub(super) fn trailer(section: Bytes, fields_max: usize) -> Result<HeaderMap, Malformed> {
    let mut room = vec![httparse::EMPTY_HEADER; fields_max.min(FIELDS_INLINE)];
    match httparse::parse_headers(&section, &mut room) {
        Ok(httparse::Status::Complete((length, parsed))) if length == section.len() => {
            let mut fields = fields::fields(&section, parsed)?;
            // What frames or routes a message has no place behind it (RFC 9110 section 6.5.1).
            for name in [
                header::TRANSFER_ENCODING,
                header::CONTENT_LENGTH,
                header::HOST,
                header::CONNECTION,
                header::AUTHORIZATION,
                header::COOKIE,
                header::TRAILER,
                header::TE,
                header::UPGRADE,
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
            ] {
                fields.remove(name);
            }
            Ok(fields)
        }
        _ => Err(Malformed::TRAILER),
    }
}
