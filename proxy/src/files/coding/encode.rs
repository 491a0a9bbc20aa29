//! Coded forms of whole files. The same bytes and effort always give the same result, so that servers agree.

use crate::config::Coding;
use flate2::Compression;
use std::io::{self, Read, Write};

/// How much work is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// While a client waits: some tens of MB a second.
    Brief,
    /// Beforehand: as small as it gets, at about 1 MB a second.
    Thorough,
}

/// The window of brotli, as a power of two: 4 MiB. What browsers must be able to hold is 16 MiB.
const BROTLI_WINDOW: u32 = 22;

/// The largest window that RFC 9659 lets zstd use over HTTP, as a power of two: 8 MiB.
const ZSTD_WINDOW: u32 = 23;

/// A piece that is compared while a coded form is read back.
const PIECE_BYTES: usize = 64 * 1024;

/// The coded form of `content`. Takes processor time in proportion: not for a worker.
///
/// # Errors
/// An encoder's, which has no other reason to fail than memory.
pub fn encode(coding: Coding, effort: Effort, content: &[u8]) -> io::Result<Vec<u8>> {
    let room = Vec::with_capacity(content.len() / 3 + 64);
    match coding {
        Coding::Brotli => {
            let quality = match effort {
                Effort::Brief => 5,
                Effort::Thorough => 11,
            };
            let mut writer = brotli::CompressorWriter::new(room, 4096, quality, BROTLI_WINDOW);
            writer.write_all(content)?;
            Ok(writer.into_inner())
        }
        Coding::Zstd => {
            let level = match effort {
                Effort::Brief => 6,
                Effort::Thorough => 19,
            };
            let mut encoder = zstd::Encoder::new(room, level)?;
            encoder.set_pledged_src_size(Some(content.len() as u64))?;
            encoder.include_contentsize(true)?;
            if content.len() > 1 << ZSTD_WINDOW {
                encoder.window_log(ZSTD_WINDOW)?;
            }
            encoder.write_all(content)?;
            encoder.finish()
        }
        Coding::Gzip => {
            let level = match effort {
                Effort::Brief => 6,
                Effort::Thorough => 9,
            };
            // Without a time and a name: both would make equal files differ.
            let mut encoder = flate2::GzBuilder::new().write(room, Compression::new(level));
            encoder.write_all(content)?;
            encoder.finish()
        }
    }
}

/// Whether `coded` is a coded form of exactly this content, whoever made it.
#[must_use]
pub fn is_coded_form(coding: Coding, coded: &[u8], content: &[u8]) -> bool {
    match coding {
        Coding::Brotli => gives(brotli::Decompressor::new(coded, 4096), content),
        Coding::Zstd => zstd::Decoder::with_buffer(coded).is_ok_and(|decoder| gives(decoder, content)),
        Coding::Gzip => gives(flate2::read::MultiGzDecoder::new(coded), content),
    }
}

/// Compares piece by piece, so that a small file that would become a huge one ends where it differs.
fn gives(mut decoder: impl Read, mut content: &[u8]) -> bool {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return content.is_empty(),
            Ok(count) => match piece.get(..count).and_then(|decoded| content.strip_prefix(decoded)) {
                Some(rest) => content = rest,
                None => return false,
            },
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_deterministic_smaller_and_give_the_content_back() {
        let content = b"<p>the same words again and again</p>\n".repeat(500);
        for coding in Coding::ALL {
            for effort in [Effort::Brief, Effort::Thorough] {
                let coded = encode(coding, effort, &content).expect("encoded");
                assert_eq!(coded, encode(coding, effort, &content).expect("encoded"));
                assert!(coded.len() * 10 < content.len(), "{coding:?}: {}", coded.len());
                assert!(is_coded_form(coding, &coded, &content), "{coding:?}");
                assert!(!is_coded_form(coding, &coded, &content[1..]), "{coding:?}");
                assert!(!is_coded_form(coding, &coded[..coded.len() - 5], &content), "{coding:?} is cut");
                assert!(!is_coded_form(coding, b"no such form", &content), "{coding:?}");
            }
        }
    }

    #[test]
    fn gzip_tells_neither_a_time_nor_a_name() {
        let coded = encode(Coding::Gzip, Effort::Brief, b"hello").expect("encoded");
        // RFC 1952 section 2.3: magic, method, flags, time.
        assert_eq!(coded[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn empty_content_has_forms() {
        for coding in Coding::ALL {
            let coded = encode(coding, Effort::Brief, b"").expect("encoded");
            assert!(is_coded_form(coding, &coded, b"") && !is_coded_form(coding, &coded, b"x"), "{coding:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_content_comes_back(content in prop::collection::vec(any::<u8>(), 0..5000)) {
            for coding in Coding::ALL {
                let coded = encode(coding, Effort::Brief, &content).expect("encoded");
                prop_assert!(is_coded_form(coding, &coded, &content));
            }
        }
    }
}
