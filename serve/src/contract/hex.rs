//! Lower-case hexadecimal digits, for what every request gets: ids.

/// Writes two digits for each byte, as many as fit.
pub(super) fn write(text: &mut [u8], bytes: &[u8]) {
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        digits[0] = digit(byte >> 4);
        digits[1] = digit(byte & 0xf);
    }
}

/// Computed, not looked up: many at once that way.
const fn digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// Whether all of these are such digits. Looks at all of them, whatever it finds: that is quicker than to stop early.
pub(super) fn is_hex(text: &[u8]) -> bool {
    text.iter().fold(true, |all, digit| all & matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
