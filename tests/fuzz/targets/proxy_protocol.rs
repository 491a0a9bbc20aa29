//! The PROXY protocol: any bytes are a header, the start of one or none; and what is understood can be told on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serve::proxy_protocol::{BadHeader, Extent, HEADER_BYTES_MAX, Version, extent, parse, prelude};

fuzz_target!(|bytes: &[u8]| {
    let length = match extent(bytes) {
        Ok(Extent::Whole(length)) => length,
        Ok(Extent::Part) => {
            assert!(bytes.len() < HEADER_BYTES_MAX, "more is never waited for");
            assert_eq!(parse(bytes), Err(BadHeader::Short));
            return;
        }
        Err(_) => return,
    };
    assert!(length <= bytes.len() && length <= HEADER_BYTES_MAX);
    let (header, _) = bytes.split_at(length);
    assert_eq!(extent(header), Ok(Extent::Whole(length)), "what follows does not matter");
    for cut in 0..length {
        assert_eq!(extent(&header[..cut]), Ok(Extent::Part), "no shorter header is another one");
    }
    if let Ok(Some(told)) = parse(header) {
        for version in [Version::V1, Version::V2] {
            let told_on = prelude(version, Some(told.client), Some(told.server));
            assert_eq!(parse(&told_on), Ok(Some(told)));
        }
    }
});
