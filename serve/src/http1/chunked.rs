//! Chunks (RFC 9112 section 7.1), taken apart strictly and as they come.

use super::extension;
use super::head::{self, HeadLimits};
use super::malformed::Malformed;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

/// Bytes of a chunk's line, its extensions included. Nobody uses extensions; a line without end would cost memory.
const LINE_BYTES_MAX: usize = 256;

/// Bytes of all extensions of one body: tiny chunks with large extensions make a small body expensive.
const EXTENSION_BYTES_MAX: usize = 16 * 1024;

/// Digits of a chunk's size: more can't be counted.
const DIGITS_MAX: usize = 15;

/// What a decoder found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of the body.
    Data(Bytes),
    /// The end, with the trailer's fields if there are any.
    End(Option<HeaderMap>),
}

/// Takes chunks apart.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    extension_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the line of a chunk.
    Line,
    /// This many bytes of a chunk's data are still to come.
    Data(u64),
    /// At the CR LF behind the data.
    DataEnd,
    /// In the trailer, of which this much was looked at.
    Trailer,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { state: State::Line, extension_bytes: 0 }
    }

    /// The next piece in `buffer`, or `None` when more bytes are needed.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut, limits: HeadLimits) -> Result<Option<Piece>, Malformed> {
        loop {
            match self.state {
                State::Line => {
                    let Some(size) = self.line(buffer)? else { return Ok(None) };
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(None);
                    }
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                    let left = left - count as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(Piece::Data(buffer.split_to(count).freeze())));
                }
                State::DataEnd => {
                    if !b"\r\n".starts_with(&buffer[..buffer.len().min(2)]) {
                        return Err(Malformed::CHUNK);
                    }
                    if buffer.len() < 2 {
                        return Ok(None);
                    }
                    buffer.advance(2);
                    self.state = State::Line;
                }
                State::Trailer => return trailer(buffer, limits),
            }
        }
    }

    /// Reads `size [extensions] CRLF`.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<u64>, Malformed> {
        let window = &buffer[..buffer.len().min(LINE_BYTES_MAX)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() < LINE_BYTES_MAX { Ok(None) } else { Err(Malformed::EXTENSIONS_TOO_LARGE) };
        };
        let line = window[..end].strip_suffix(b"\r").ok_or(Malformed::CHUNK)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extensions) = line.split_at(digits);
        if digits == 0 || digits > DIGITS_MAX || !extension::are_sound(extensions) {
            return Err(Malformed::CHUNK);
        }
        let size = size.iter().fold(0, |size, &digit| size * 16 + u64::from(hex(digit)));
        self.extension_bytes += extensions.len();
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Malformed::EXTENSIONS_TOO_LARGE);
        }
        buffer.advance(end + 1);
        Ok(Some(size))
    }
}

/// A hexadecimal digit's value.
const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

fn trailer(buffer: &mut BytesMut, limits: HeadLimits) -> Result<Option<Piece>, Malformed> {
    if buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        return Ok(Some(Piece::End(None)));
    }
    let mut from = 0;
    while let Some(index) = memchr::memchr(b'\n', &buffer[from..]).map(|index| from + index) {
        if index == 0 || buffer[index - 1] != b'\r' {
            return Err(Malformed::LINE_END);
        }
        if index >= 3 && buffer[index - 2] == b'\n' {
            if index >= limits.bytes_max {
                return Err(Malformed::FIELDS_TOO_LARGE);
            }
            let fields = head::trailer(buffer.split_to(index + 1).freeze(), limits.fields_max)?;
            return Ok(Some(Piece::End((!fields.is_empty()).then_some(fields))));
        }
        from = index + 1;
    }
    if buffer.len() > limits.bytes_max { Err(Malformed::FIELDS_TOO_LARGE) } else { Ok(None) }
}
