//! Lower-case hexadecimal digits, for what every request gets: ids.

/// Writes two digits for each byte, as many as fit.
pub(super) fn write(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// Whether all of these are such digits. Looks at all of them, whatever it finds: that is quicker than to stop early.
pub(super) fn is_hex(text: &[u8]) -> bool {
    text.iter().fold(true, |all, digit| all & matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
