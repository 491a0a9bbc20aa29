//! A body on its way in, whatever frames it: pieces out of a buffer.

use super::chunked::{self, Decoder};
use super::head::{Framing, HeadLimits};
use super::malformed::Malformed;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// Takes the pieces of one body off the front of a buffer.
#[derive(Debug)]
pub struct Incoming(Kind);

#[derive(Debug)]
enum Kind {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
    Ended,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of it, at least one.
    Data(Bytes),
    /// Its end, with the fields of a trailer if there is one.
    End(Option<HeaderMap>),
    /// The buffer holds no more of it yet.
    Starved,
}

impl Incoming {
    /// A body framed like this.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Empty => Kind::Ended,
            Framing::Length(length) => Kind::Length(length),
            Framing::Chunked => Kind::Chunked(Decoder::new()),
            Framing::UntilClose => Kind::UntilClose,
        })
    }

    /// The bytes that are still to come, where they are known.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        match self.0 {
            Kind::Length(left) => Some(left),
            Kind::Ended => Some(0),
            Kind::Chunked(_) | Kind::UntilClose => None,
        }
    }

    /// Whether the end has been reached: what follows in the buffer belongs to somebody else.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.0, Kind::Ended)
    }

    /// The next piece. After [`Piece::End`] it is that again.
    ///
    /// # Errors
    /// When the bytes can't be a body framed like this. Nothing behind it can be read any more.
    pub fn next(&mut self, buffer: &mut BytesMut, limits: HeadLimits) -> Result<Piece, Malformed> {
        let (piece, ended) = match &mut self.0 {
            Kind::Ended => (Piece::End(None), true),
            _ if buffer.is_empty() => (Piece::Starved, false),
            Kind::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= count as u64;
                (Piece::Data(buffer.split_to(count).freeze()), *left == 0)
            }
            Kind::UntilClose => (Piece::Data(buffer.split().freeze()), false),
            Kind::Chunked(decoder) => match decoder.decode(buffer, limits)? {
                None => (Piece::Starved, false),
                Some(chunked::Piece::Data(data)) => (Piece::Data(data), false),
                Some(chunked::Piece::End(trailer)) => (Piece::End(trailer), true),
            },
        };
        if ended {
            self.0 = Kind::Ended;
        }
        Ok(piece)
    }

    /// The stream has ended: whether that is where the body may end.
    #[must_use]
    pub const fn may_end_here(&self) -> bool {
        matches!(self.0, Kind::UntilClose | Kind::Ended)
    }
}
