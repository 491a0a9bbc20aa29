//! Finds trailers that begin with a pseudo-field, which makes a request malformed (RFC 9113 section 8.1): `h2` leaves
//! them out silently.
//!
//! Field blocks are not decoded here. The first field is told by its first bytes (RFC 7541 section 6): by its index in
//! the static table, where all pseudo-fields come first, or by the first letter of its name. A pseudo-field that is a
//! reference to the dynamic table is not seen, because there is none here; `h2` leaves it out like the others. One that
//! stands behind a field is refused by `h2`.

const FLAG_PADDED: u8 = 0x8;
const FLAG_PRIORITY: u8 = 0x20;

/// What the flag PRIORITY puts in front of a field block, in bytes (RFC 9113 section 6.2).
const PRIORITY_BYTES: usize = 5;

/// The first letter of a pseudo-field in the code of RFC 7541 appendix B, which gives it the seven upper bits.
const CODED_COLON: u8 = 0b1011_1000;
const CODED_COLON_MASK: u8 = 0b1111_1110;

/// Where in a field block the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere that matters.
    Elsewhere,
    /// At the first byte of a field, or of a new size of the dynamic table.
    Field,
    /// In the rest of such a size.
    TableSize,
    /// At the length of a new name.
    NameLength,
    /// In the rest of the length.
    NameLengthRest { coded: bool },
    /// At the first byte of a new name.
    Name { coded: bool },
}

/// Watches the frames of one connection.
#[derive(Debug)]
pub(super) struct Trailers {
    /// The largest stream that the client has opened.
    stream_last: u32,
    place: Place,
    /// The next byte says how many there are of padding.
    is_padded: bool,
    /// Bytes in front of the block.
    skip: usize,
    /// Bytes of the frame up to its padding.
    left: usize,
}

impl Trailers {
    pub(super) const fn new() -> Self {
        Self { stream_last: 0, place: Place::Elsewhere, is_padded: false, skip: 0, left: 0 }
    }

    /// A HEADERS frame with so many bytes begins: on a stream that is not new it carries trailers.
    pub(super) fn headers(&mut self, stream: u32, flags: u8, length: usize) {
        if stream > self.stream_last {
            self.stream_last = stream;
            self.place = Place::Elsewhere;
            return;
        }
        self.place = Place::Field;
        self.is_padded = flags & FLAG_PADDED != 0;
        self.skip = if flags & FLAG_PRIORITY == 0 { 0 } else { PRIORITY_BYTES };
        self.left = length;
    }

    /// The block goes on in another frame.
    pub(super) const fn continuation(&mut self, length: usize) {
        self.left = length;
    }

    /// A frame begins that is of no field block.
    pub(super) const fn other(&mut self) {
        self.place = Place::Elsewhere;
    }

    /// Looks at bytes behind the frame's head. Whether they show a pseudo-field.
    pub(super) fn payload(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if self.place == Place::Elsewhere {
                return false;
            }
            if self.is_padded {
                self.is_padded = false;
                self.left = self.left.saturating_sub(1 + usize::from(byte));
            } else if self.left == 0 {
                // Padding.
                return false;
            } else {
                self.left -= 1;
                if self.skip > 0 {
                    self.skip -= 1;
                } else if self.is_pseudo(byte) {
                    self.place = Place::Elsewhere;
                    return true;
                }
            }
        }
        false
    }

    /// Whether this byte of the block says that its first field is a pseudo-field.
    fn is_pseudo(&mut self, byte: u8) -> bool {
        let goes_on = byte & 0x80 != 0;
        self.place = match self.place {
            Place::Elsewhere => Place::Elsewhere,
            Place::Field => match byte {
                // Indexed; literal and entering the table; not entering it; never to enter any: names 1 to 14.
                0x81..=0x8e | 0x41..=0x4e | 0x01..=0x0e | 0x11..=0x1e => return true,
                0x40 | 0x00 | 0x10 => Place::NameLength,
                // All bits of the size are set: the rest follows.
                0x3f => Place::TableSize,
                0x20..=0x3e => Place::Field,
                _ => Place::Elsewhere,
            },
            Place::TableSize if goes_on => Place::TableSize,
            Place::TableSize => Place::Field,
            Place::NameLength => match byte & 0x7f {
                // `h2` refuses a name of nothing.
                0 => Place::Elsewhere,
                0x7f => Place::NameLengthRest { coded: goes_on },
                _ => Place::Name { coded: goes_on },
            },
            Place::NameLengthRest { coded } if goes_on => Place::NameLengthRest { coded },
            Place::NameLengthRest { coded } => Place::Name { coded },
            Place::Name { coded: true } if byte & CODED_COLON_MASK == CODED_COLON => return true,
            Place::Name { coded: false } if byte == b':' => return true,
            Place::Name { .. } => Place::Elsewhere,
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END_HEADERS: u8 = 0x4;

    /// Whether a block is found out, as one frame of trailers in pieces of `step` bytes.
    fn found(flags: u8, payload: &[u8], step: usize) -> bool {
        let mut trailers = Trailers::new();
        trailers.headers(1, END_HEADERS, 4);
        assert!(!trailers.payload(b"\x82\x87\x84\x41"), "the head of a request is none of it");
        trailers.headers(1, END_HEADERS | flags, payload.len());
        let mut hits = payload.chunks(step).map(|piece| trailers.payload(piece));
        hits.any(|hit| hit)
    }

    #[test]
    fn each_representation_is_told_wherever_it_is_cut() {
        let long = [&b"\x00\x7f\x80\x01"[..], b":", &[b'x'; 254]].concat();
        let long_field = [&b"\x00\x7f\x80\x01"[..], &[b'x'; 255]].concat();
        for (block, expected) in [
            // Indexed: `:authority` is the first, `:status: 500` the last.
            (&b"\x81"[..], true),
            (b"\x8e", true),
            (b"\x80", false),
            (b"\x8f", false),
            (b"\xbe", false),
            (b"\xff\x00", false),
            // A literal with a name of the table.
            (b"\x41\x01a", true),
            (b"\x4e\x03200", true),
            (b"\x4f\x01a", false),
            (b"\x7f\x00\x01a", false),
            (b"\x01\x01a", true),
            (b"\x0e\x03200", true),
            (b"\x0f\x00\x01a", false),
            (b"\x11\x01a", true),
            (b"\x1e\x03200", true),
            (b"\x1f\x00\x01a", false),
            // A literal with a name of its own.
            (b"\x40\x05:path\x01/", true),
            (b"\x00\x05:path\x01/", true),
            (b"\x10\x05:path\x01/", true),
            (b"\x00\x01:\x01/", true),
            (b"\x00\x05x:sum\x01/", false),
            (b"\x00\x00\x01:", false),
            (&long, true),
            (&long_field, false),
            // The same in Huffman code: `:path`, `:a` and `x-sum`.
            (b"\x00\x84\xb9\x58\xd3\x3f\x01/", true),
            (b"\x40\x82\xb8\x3f\x01/", true),
            (b"\x00\x84\xf2\xb4\x16\xda\x01/", false),
            // The code of a colon, as plain text.
            (b"\x00\x02\xb8a\x01/", false),
            (b"\x00\x82:a\x01/", false),
            // New sizes of the table stand first.
            (b"\x20\x84", true),
            (b"\x3e\x20\x84", true),
            (b"\x3f\xe1\x1f\x84", true),
            (b"\x3f\xe1\x1f\x00\x01x\x01y", false),
            // Only the first field matters here.
            (b"\x00\x01x\x01y\x84", false),
            (b"", false),
        ] {
            for step in 1..=block.len().max(1) {
                assert_eq!(found(0, block, step), expected, "{block:02x?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn padding_and_priority_are_no_part_of_the_block() {
        let priority = b"\x84\x84\x84\x84\x84";
        for (flags, payload, expected) in [
            (FLAG_PADDED, b"\x00\x84".to_vec(), true),
            (FLAG_PADDED, b"\x02\x84\x00\x00".to_vec(), true),
            (FLAG_PADDED, b"\x84\xbe".to_vec(), false),
            (FLAG_PADDED, b"\x03\x84\x84\x84".to_vec(), false),
            (FLAG_PADDED, b"\x02\x20\x84\x84".to_vec(), false),
            (FLAG_PRIORITY, [priority, &b"\x84"[..]].concat(), true),
            (FLAG_PRIORITY, [priority, &b"\xbe"[..]].concat(), false),
            (FLAG_PADDED | FLAG_PRIORITY, [b"\x01", &priority[..], b"\x84\x00"].concat(), true),
            (FLAG_PADDED | FLAG_PRIORITY, [b"\x02", &priority[..], b"\x84\x84"].concat(), false),
        ] {
            for step in 1..=payload.len() {
                assert_eq!(found(flags, &payload, step), expected, "{payload:02x?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn a_block_goes_on_in_the_next_frame() {
        let mut trailers = Trailers::new();
        trailers.headers(3, 0, 0);
        trailers.headers(3, FLAG_PADDED, 4);
        assert!(!trailers.payload(b"\x02\x00\x84\x84"));
        trailers.continuation(0);
        assert!(!trailers.payload(b""));
        trailers.continuation(1);
        assert!(!trailers.payload(b"\x05"));
        trailers.continuation(6);
        assert!(trailers.payload(b":path\x01"));
    }

    #[test]
    fn only_trailers_are_looked_at() {
        let mut trailers = Trailers::new();
        for stream in [1, 3, 7] {
            trailers.headers(stream, END_HEADERS, 1);
            assert!(!trailers.payload(b"\x82"), "{stream} is new");
        }
        trailers.headers(3, 0, 0);
        trailers.other();
        assert!(!trailers.payload(b"\x82"), "no field block");
        trailers.headers(3, END_HEADERS, 1);
        assert!(trailers.payload(b"\x82"));
    }
}
