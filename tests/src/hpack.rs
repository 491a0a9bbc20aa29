//! Header blocks by hand (RFC 7541): literals without table and without Huffman, and the status of an answer.

/// A literal field that enters no table (RFC 7541 section 6.2.2), with a new name.
#[must_use]
pub fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        bytes.extend(integer(7, 0, text.len()));
        bytes.extend(text);
    }
    bytes
}

/// A block of literal fields, in this order.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// The block of a request to `localhost` with further fields behind the four of the request line.
#[must_use]
pub fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let line = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)];
    [block(&line), block(fields)].concat()
}

/// An integer (RFC 7541 section 5.1) whose first byte has `bits` bits for it, below `marks`.
#[must_use]
pub fn integer(bits: u8, marks: u8, value: usize) -> Vec<u8> {
    let limit = (1_usize << bits) - 1;
    let byte = |value: usize| u8::try_from(value & 0xff).expect("eight bits");
    if value < limit {
        return vec![marks | byte(value)];
    }
    let mut bytes = vec![marks | byte(limit)];
    let mut rest = value - limit;
    while rest >= 0x80 {
        bytes.push(byte(rest) | 0x80);
        rest >>= 7;
    }
    bytes.push(byte(rest));
    bytes
}

/// Statuses that have an entry in the static table, from index 8 on (RFC 7541 appendix A).
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];

/// The status that an answer's block begins with.
///
/// # Panics
///
/// When it does not begin with one.
#[must_use]
pub fn status(block: &[u8]) -> u16 {
    // Changes of the table's size stand first (RFC 7541 section 6.3).
    let block = &block[block.iter().take_while(|byte| *byte & 0xe0 == 0x20).count()..];
    let first = *block.first().expect("a block with a field");
    if first & 0x80 != 0 {
        return STATUSES[usize::from(first & 0x7f) - 8];
    }
    let mask = if first & 0x40 == 0 { 0x0f } else { 0x3f };
    assert!((8..=14).contains(&(first & mask)), "an answer begins with its status: {block:02x?}");
    let length = usize::from(block[1] & 0x7f);
    let value = &block[2..2 + length];
    let digits = if block[1] & 0x80 == 0 { value.to_vec() } else { digits(value) };
    std::str::from_utf8(&digits).ok().and_then(|text| text.parse().ok()).expect("a status is a number")
}

/// Digits in the Huffman code of RFC 7541 appendix B: 0 to 2 have five bits, 3 to 9 six.
fn digits(coded: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |sum, bit| sum << 1 | bit);
    let mut found = Vec::new();
    let mut rest = bits.as_slice();
    while let Some(short) = rest.get(..5).map(number).filter(|code| *code < 31) {
        let (digit, length) = if short < 3 {
            (short, 5)
        } else {
            (number(rest.get(..6).expect("a digit of six bits")) - 0b01_1001 + 3, 6)
        };
        found.push(b'0' + digit);
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_the_standard() {
        // RFC 7541 appendix C.1.
        assert_eq!(integer(5, 0, 10), [10]);
        assert_eq!(integer(5, 0, 1337), [31, 154, 10]);
        assert_eq!(integer(8, 0, 42), [42]);
    }

    #[test]
    fn a_status_is_found_in_every_spelling() {
        assert_eq!(status(&[0x88]), 200);
        assert_eq!(status(&[0x20, 0x8d]), 404);
        assert_eq!(status(b"\x08\x03502"), 502);
        // RFC 7541 appendix C.6.1: "302" in Huffman code.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), 302);
        // And C.6.2: "307".
        assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), 307);
    }
}
