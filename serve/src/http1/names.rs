//! Names of fields that most messages have: found by their length and their bytes, not read letter by letter.

use http::HeaderName;

/// A name as clients of HTTP/1 write it, and as a map has it.
struct Known {
    written: &'static [u8],
    folded: &'static [u8],
    name: HeaderName,
}

macro_rules! known {
    ($($table:ident: $($written:literal $folded:literal),+;)+) => {
        $(
            static $table: [Known; [$($written),+].len()] = [$(
                Known {
                    written: $written.as_bytes(),
                    folded: $folded.as_bytes(),
                    name: HeaderName::from_static($folded),
                },
            )+];
        )+

        #[cfg(test)]
        static TABLES: &[&[Known]] = &[$(&$table),+];
    };
}

// The most frequent of each length first.
known! {
    OF_2: "TE" "te";
    OF_3: "Via" "via", "Age" "age", "DNT" "dnt";
    OF_4: "Host" "host", "Date" "date", "ETag" "etag", "Vary" "vary";
    OF_5: "Range" "range", "Allow" "allow";
    OF_6: "Accept" "accept", "Cookie" "cookie", "Server" "server", "Origin" "origin", "Pragma" "pragma";
    OF_7: "Referer" "referer", "Expires" "expires", "Upgrade" "upgrade";
    OF_8: "Priority" "priority", "Location" "location", "If-Range" "if-range", "If-Match" "if-match";
    OF_9: "Sec-CH-UA" "sec-ch-ua";
    OF_10: "User-Agent" "user-agent", "Connection" "connection", "Set-Cookie" "set-cookie", "Keep-Alive" "keep-alive";
    OF_11: "Traceparent" "traceparent";
    OF_12: "Content-Type" "content-type", "X-Request-ID" "x-request-id";
    OF_13: "Cache-Control" "cache-control", "Last-Modified" "last-modified", "Authorization" "authorization",
        "If-None-Match" "if-none-match", "Accept-Ranges" "accept-ranges", "Content-Range" "content-range";
    OF_14: "Content-Length" "content-length", "Sec-Fetch-Site" "sec-fetch-site", "Sec-Fetch-Mode" "sec-fetch-mode",
        "Sec-Fetch-Dest" "sec-fetch-dest", "Sec-Fetch-User" "sec-fetch-user";
    OF_15: "Accept-Encoding" "accept-encoding", "Accept-Language" "accept-language", "X-Forwarded-For" "x-forwarded-for",
        "X-Frame-Options" "x-frame-options", "Referrer-Policy" "referrer-policy";
    OF_16: "Content-Encoding" "content-encoding", "Sec-CH-UA-Mobile" "sec-ch-ua-mobile",
        "Content-Language" "content-language", "X-Requested-With" "x-requested-with";
    OF_17: "Transfer-Encoding" "transfer-encoding", "If-Modified-Since" "if-modified-since",
        "X-Forwarded-Proto" "x-forwarded-proto";
    OF_18: "Sec-CH-UA-Platform" "sec-ch-ua-platform";
    OF_19: "Content-Disposition" "content-disposition";
    OF_22: "X-Content-Type-Options" "x-content-type-options";
    OF_23: "Content-Security-Policy" "content-security-policy";
    OF_25: "Upgrade-Insecure-Requests" "upgrade-insecure-requests",
        "Strict-Transport-Security" "strict-transport-security";
    OF_26: "Cross-Origin-Opener-Policy" "cross-origin-opener-policy";
}

/// The name, if it is one of these in a usual spelling.
pub(super) fn known(name: &[u8]) -> Option<HeaderName> {
    let table: &[Known] = match name.len() {
        2 => &OF_2,
        3 => &OF_3,
        4 => &OF_4,
        5 => &OF_5,
        6 => &OF_6,
        7 => &OF_7,
        8 => &OF_8,
        9 => &OF_9,
        10 => &OF_10,
        11 => &OF_11,
        12 => &OF_12,
        13 => &OF_13,
        14 => &OF_14,
        15 => &OF_15,
        16 => &OF_16,
        17 => &OF_17,
        18 => &OF_18,
        19 => &OF_19,
        22 => &OF_22,
        23 => &OF_23,
        25 => &OF_25,
        26 => &OF_26,
        _ => return None,
    };
    // Most that differ do so in their last letter.
    let last = name.last()?.to_ascii_lowercase();
    let is_it = |known: &&Known| known.folded.ends_with(&[last]) && (name == known.written || name == known.folded);
    table.iter().find(is_it).map(|known| known.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_in_both_spellings_and_is_what_reading_it_gives() {
        for Known { written, folded, name } in TABLES.iter().copied().flatten() {
            let text = String::from_utf8_lossy(written);
            assert!(written.eq_ignore_ascii_case(folded), "{text}");
            for spelling in [written, folded] {
                assert_eq!(known(spelling).as_ref(), Some(name), "{text}");
                assert_eq!(known(spelling), HeaderName::from_bytes(spelling).ok(), "{text}");
            }
        }
    }

    #[test]
    fn no_other_name_is_taken_for_one_of_them() {
        for name in
            ["", "x", "Hos", "Hosts", "hOST", "H0st", "User_Agent", "Content-Length ", "\u{e9}\u{e9}", "zzzzzzzzzz"]
        {
            assert_eq!(known(name.as_bytes()), None, "{name}");
        }
    }
}
