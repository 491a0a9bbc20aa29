//! Server-sent events (WHATWG HTML section 9.2), read with limits: bytes in, events out.

use serve::contract::link::{Event, ID_BYTES_MAX};

/// The longest event, its lines and names included, in bytes.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Why a stream is not believed any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("an event is larger than {EVENT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("an event is not UTF-8")]
    NotUtf8,
    #[error("an id is longer than {ID_BYTES_MAX} bytes or not visible ASCII")]
    Id,
    #[error("an event can't be read: {0}")]
    Data(#[from] serde_json::Error),
}

/// An event with its id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) id: Option<String>,
}

/// Bytes that are no whole event yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    name: String,
    data: String,
    id: Option<String>,
    bytes: usize,
    after_cr: bool,
}

impl Reader {
    /// Takes a piece of the stream; `tell` is called for each event that it completes.
    pub(super) fn read(&mut self, piece: &[u8], mut tell: impl FnMut(Told)) -> Result<(), Malformed> {
        for &byte in piece {
            // A line ends with CR, LF, or both.
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                continue;
            }
            self.bytes += 1;
            if self.bytes > EVENT_BYTES_MAX {
                return Err(Malformed::TooLarge);
            }
            if byte != b'\n' && byte != b'\r' {
                self.line.push(byte);
                continue;
            }
            self.after_cr = byte == b'\r';
            let line = std::mem::take(&mut self.line);
            if let Some(told) = self.end_line(std::str::from_utf8(&line).map_err(|_| Malformed::NotUtf8)?)? {
                tell(told);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, line: &str) -> Result<Option<Told>, Malformed> {
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if value.len() <= ID_BYTES_MAX && value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.id = Some(value.to_owned());
            }
            "id" => return Err(Malformed::Id),
            // Comments (an empty name), `retry`, and what a later version adds.
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Result<Option<Told>, Malformed> {
        // What follows a CR is still the end of the same line.
        let fresh = Self { after_cr: self.after_cr, ..Self::default() };
        let Self { name, data, id, .. } = std::mem::replace(self, fresh);
        let event = Event::parse(&name, &data)?;
        Ok(event.map(|event| Told { event, id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serve::contract::link::Hello;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Told>, Malformed> {
        let (mut reader, mut told) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, |event| told.push(event))?;
        }
        Ok(told)
    }

    #[test]
    fn events_come_in_any_pieces_and_with_any_line_ends() {
        let hello = Told {
            event: Event::Hello(Hello { build: "x".into(), idle_timeout_ms: None, in_flight_max: None }),
            id: Some("1-a".into()),
        };
        for text in [
            ": hi\nretry: 5\nevent: hello\ndata: {\"build\":\ndata: \"x\"}\nid: 1-a\n\n",
            "event:hello\r\ndata:{\"build\":\"x\"}\r\nid:1-a\r\n\r\n",
            "event: hello\rdata: {\"build\":\"x\"}\rid: 1-a\r\r",
            "event: of-tomorrow\ndata: ?\n\nevent: hello\ndata: {\"build\":\"x\"}\nid: 1-a\n\n",
        ] {
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(read(&single).expect(text), [hello_again(&hello)], "{text:?}");
            assert_eq!(read(&[text.as_bytes()]).expect(text), [hello_again(&hello)], "{text:?}");
        }
        assert_eq!(read(&[b"event: ready\ndata: {}\n"]).expect("half an event"), []);
    }

    fn hello_again(told: &Told) -> Told {
        Told { event: told.event.clone(), id: told.id.clone() }
    }

    #[test]
    fn what_is_malformed_or_too_large_ends_the_stream() {
        for text in ["event: revoke\ndata: {\"kind\":\"all\"}\n\n", "event: revoke\n\n", "event: hello\ndata: [\n\n"] {
            assert!(matches!(read(&[text.as_bytes()]), Err(Malformed::Data(_))), "{text}");
        }
        assert!(matches!(read(&[b"data: \xff\n"]), Err(Malformed::NotUtf8)));
        assert!(matches!(read(&[b"id: a b\n"]), Err(Malformed::Id)));
        assert!(matches!(read(&[format!("id: {}\n", "x".repeat(200)).as_bytes()]), Err(Malformed::Id)));
        let long = vec![b'x'; EVENT_BYTES_MAX + 1];
        assert!(matches!(read(&[&long]), Err(Malformed::TooLarge)), "one line");
        let lines = b"data: x\n".repeat(EVENT_BYTES_MAX / 8 + 1);
        assert!(matches!(read(&[&lines]), Err(Malformed::TooLarge)), "many lines");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&[&bytes]);
        }
    }
}
