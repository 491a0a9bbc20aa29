//! CRC-32C (RFC 9260 appendix A), which version 2 of the PROXY protocol can carry.

/// The remainders of all bytes for the reversed polynomial of Castagnoli.
static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let mut remainder = byte;
        let mut bit = 0;
        while bit < 8 {
            remainder = (remainder >> 1) ^ if remainder & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte as usize] = remainder;
        byte += 1;
    }
    table
}

/// The checksum of these pieces, one behind the other.
pub(super) fn crc32c(pieces: [&[u8]; 3]) -> u32 {
    let bytes = pieces.into_iter().flatten();
    !bytes.fold(!0, |sum, &byte| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4 there.
        assert_eq!(crc32c([&[0; 32], &[], &[]]), 0x8a91_36aa);
        assert_eq!(crc32c([&[0xff; 32], &[], &[]]), 0x62a8_ab43);
        assert_eq!(crc32c([b"1234", b"5678", b"9"]), 0xe306_9283);
    }
}
