//! HTTP/2 frames as bytes (RFC 9113 sections 4.1 and 6), also those that nobody may send.

/// `DATA`.
pub const DATA: u8 = 0;
/// `HEADERS`.
pub const HEADERS: u8 = 1;
/// `PRIORITY`.
pub const PRIORITY: u8 = 2;
/// `RST_STREAM`.
pub const RST_STREAM: u8 = 3;
/// `SETTINGS`.
pub const SETTINGS: u8 = 4;
/// `PUSH_PROMISE`.
pub const PUSH_PROMISE: u8 = 5;
/// `PING`.
pub const PING: u8 = 6;
/// `GOAWAY`.
pub const GOAWAY: u8 = 7;
/// `WINDOW_UPDATE`.
pub const WINDOW_UPDATE: u8 = 8;
/// `CONTINUATION`.
pub const CONTINUATION: u8 = 9;

/// The flag `END_STREAM`.
pub const END_STREAM: u8 = 0x1;
/// The flag `ACK` of `SETTINGS` and `PING`.
pub const ACK: u8 = 0x1;
/// The flag `END_HEADERS`.
pub const END_HEADERS: u8 = 0x4;
/// The flag `PADDED`.
pub const PADDED: u8 = 0x8;
/// The flag `PRIORITY` of `HEADERS`.
pub const WITH_PRIORITY: u8 = 0x20;

/// Bytes of a frame's head.
pub(crate) const HEAD_BYTES: usize = 9;

/// One frame; nothing in it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// What follows the head.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of any type.
    #[must_use]
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// `DATA` that does not end its stream.
    #[must_use]
    pub fn data(stream: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(DATA, 0, stream, bytes)
    }

    /// `HEADERS` with a whole header block that does not end its stream.
    #[must_use]
    pub fn headers(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Self::new(HEADERS, END_HEADERS, stream, block)
    }

    /// `SETTINGS` with these pairs.
    #[must_use]
    pub fn settings(pairs: &[(u16, u32)]) -> Self {
        let pair = |&(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat();
        Self::new(SETTINGS, 0, 0, pairs.iter().flat_map(pair).collect::<Vec<u8>>())
    }

    /// `RST_STREAM` with this error code.
    #[must_use]
    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// `PING` with these eight bytes.
    #[must_use]
    pub fn ping(opaque: &[u8; 8]) -> Self {
        Self::new(PING, 0, 0, opaque.as_slice())
    }

    /// `WINDOW_UPDATE` by this much.
    #[must_use]
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// The same with further flags.
    #[must_use]
    pub fn with(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// The same without a flag.
    #[must_use]
    pub fn without(mut self, flags: u8) -> Self {
        self.flags &= !flags;
        self
    }

    /// The same as the last of its stream.
    #[must_use]
    pub fn end(self) -> Self {
        self.with(END_STREAM)
    }

    /// Whether it is of this type and has this flag.
    #[must_use]
    pub fn is(&self, kind: u8, flag: u8) -> bool {
        self.kind == kind && self.flags & flag == flag
    }

    /// The frame as it stands on the wire.
    ///
    /// # Panics
    ///
    /// When the payload is longer than 24 bits can say.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a length of 24 bits").to_be_bytes();
        assert_eq!(length[0], 0, "a length of 24 bits");
        [&length[1..], &[self.kind, self.flags], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    /// The number at this place of the payload: the error code of `RST_STREAM` at 0, of `GOAWAY` at 4.
    ///
    /// # Panics
    ///
    /// When the payload is shorter.
    #[must_use]
    pub fn number_at(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).expect("a payload with this number");
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    }

    /// Payload length, type, flags and stream of a frame's head.
    pub(crate) fn parse_head(head: &[u8]) -> (usize, u8, u8, u32) {
        let length = head[..3].iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        (length, head[3], head[4], stream)
    }
}

/// The bytes of several frames, one behind the other.
#[must_use]
pub fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_stands_on_the_wire_as_the_standard_draws_it() {
        let frame = Frame::data(3, "hi").end();
        let bytes = frame.bytes();
        assert_eq!(bytes, [0, 0, 2, 0, 1, 0, 0, 0, 3, b'h', b'i']);
        assert_eq!(Frame::parse_head(&bytes), (2, DATA, END_STREAM, 3));
        assert_eq!(Frame::settings(&[(4, 65_535)]).payload, [0, 4, 0, 0, 0xff, 0xff]);
        assert_eq!(Frame::reset(1, 8).number_at(0), 8);
    }
}
