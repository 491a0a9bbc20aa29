//! The last word on a stream that would go on for ever, when this process stops: the end of an event stream after a
//! whole event, and Close with 1001 (RFC 6455 section 7.4.1, "going away") between two frames of a WebSocket. The client
//! connects anew, elsewhere. A WebSocket's endpoint hears of it by the client's answer, which passes as all does.

use bytes::Bytes;
use http::{Response, header};
use serve::drain::Drain;
use std::rc::Rc;

/// Close, two bytes of payload, 1001.
const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xE9];

/// Watches what the client is sent.
pub(super) struct Farewell {
    kind: Kind,
    drain: Rc<Drain>,
    /// The client has it.
    said: bool,
}

enum Kind {
    /// The last bytes, the newest in the lowest eight bits. In the beginning no event is begun either.
    Events(u32),
    Frames(Frames),
}

/// Where in a frame the bytes end (RFC 6455 section 5.2).
#[derive(Default)]
struct Frames {
    /// Of the head of a frame, which has 14 at most.
    head: Vec<u8>,
    /// Of its payload, still to come.
    left: u64,
}

/// What to do with a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It goes on.
    None,
    /// It ends here.
    End,
    /// The client gets this, and nothing more of the stream.
    Last(Bytes),
    /// The client has had the last word: what comes is dropped.
    Said,
}

impl Farewell {
    /// For an answer whose stream can be ended in order.
    pub(super) fn of<B: http_body::Body>(response: &Response<B>, is_tunnel: bool, drain: &Rc<Drain>) -> Option<Self> {
        let fields = response.headers();
        let is_events = || {
            // What has a length can't be cut short. It is most responses, and asked first because it costs nothing.
            if response.body().size_hint().exact().is_some() {
                return false;
            }
            let content_type = fields.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
            let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
                // Neither can what announces one, and what is compressed can't be looked into.
                && !fields.contains_key(header::CONTENT_LENGTH)
                && !fields.contains_key(header::CONTENT_ENCODING)
        };
        let kind = if is_tunnel {
            Kind::Frames(Frames::default())
        } else if is_events() {
            Kind::Events(u32::from_be_bytes(*b"\n\n\n\n"))
        } else {
            return None;
        };
        Some(Self { kind, drain: Rc::clone(drain), said: false })
    }

    /// The client is sent this.
    pub(super) fn sent(&mut self, data: &[u8]) {
        match &mut self.kind {
            Kind::Events(last) => {
                for &byte in &data[data.len().saturating_sub(4)..] {
                    *last = (*last << 8) | u32::from(byte);
                }
            }
            Kind::Frames(frames) => frames.sent(data),
        }
    }

    /// Asked before more is taken from the stream.
    pub(super) fn word(&mut self) -> Word {
        if self.said {
            return Word::Said;
        }
        if !self.drain.has_begun() {
            return Word::None;
        }
        match &self.kind {
            Kind::Events(last) => {
                let last = last.to_be_bytes();
                let whole = last.ends_with(b"\n\n") || last.ends_with(b"\r\n\r\n") || last.ends_with(b"\r\r");
                if whole { Word::End } else { Word::None }
            }
            Kind::Frames(frames) if frames.head.is_empty() && frames.left == 0 => {
                self.said = true;
                Word::Last(Bytes::from_static(CLOSE))
            }
            Kind::Frames(_) => Word::None,
        }
    }
}

impl Frames {
    fn sent(&mut self, mut data: &[u8]) {
        while let [first, rest @ ..] = data {
            if self.left > 0 {
                let passed = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
                self.left -= passed as u64;
                data = &data[passed..];
                continue;
            }
            self.head.push(*first);
            data = rest;
            if let Some(length) = self.payload() {
                self.left = length;
                self.head.clear();
            }
        }
    }

    /// The length of the payload, once the head is whole.
    fn payload(&self) -> Option<u64> {
        let second = *self.head.get(1)?;
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let length_bytes = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.head.len() < 2 + length_bytes + mask_bytes {
            return None;
        }
        let long = self.head[2..2 + length_bytes].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Some(if length_bytes == 0 { u64::from(second & 0x7F) } else { long })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn of(content_type: &str, is_tunnel: bool, drain: &Rc<Drain>) -> Option<Farewell> {
        let body = StreamBody::new(futures_util::stream::empty::<Result<http_body::Frame<Bytes>, ()>>());
        let response = Response::builder().header("content-type", content_type).body(body).expect("a response");
        Farewell::of(&response, is_tunnel, drain)
    }

    #[test]
    fn an_event_stream_ends_after_a_whole_event() {
        let drain = Drain::new();
        assert!(of("text/plain", false, &drain).is_none());
        let mut farewell = of("text/event-stream; charset=utf-8", false, &drain).expect("events");
        assert_eq!(farewell.word(), Word::None);
        drain.begin();
        for (data, word) in [
            ("", Word::End),
            ("data: a\n", Word::None),
            ("\n", Word::End),
            ("data: b\r\n\r\n", Word::End),
            ("d", Word::None),
            ("ata: c\r\r", Word::End),
        ] {
            farewell.sent(data.as_bytes());
            assert_eq!(farewell.word(), word, "{data:?}");
        }
    }

    #[test]
    fn a_websocket_is_closed_between_frames() {
        let long = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let longest = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat();
        let masked = [0x81, 0x81, 1, 2, 3, 4, 9];
        for frame in [&[0x81, 0][..], &[0x81, 3, b'a', b'b', b'c'], &long, &longest, &masked] {
            for cut in [1, 2, frame.len() / 2, frame.len() - 1].into_iter().filter(|cut| *cut > 0) {
                let drain = Drain::new();
                let mut farewell = of("", true, &drain).expect("a tunnel");
                drain.begin();
                farewell.sent(&frame[..cut]);
                if cut < frame.len() {
                    assert_eq!(farewell.word(), Word::None, "{cut} of {}", frame.len());
                }
                farewell.sent(&frame[cut..]);
                assert_eq!(farewell.word(), Word::Last(Bytes::from_static(CLOSE)));
                assert_eq!(farewell.word(), Word::Said);
            }
        }
    }
}
