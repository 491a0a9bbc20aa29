//! Several ranges at once: what the parts hold, put together, is the file.

use super::*;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use proptest::prelude::*;

fn content(length: usize) -> Vec<u8> {
    // Lines that look like boundaries and fields must confuse nobody.
    b"\r\n--B--\r\nContent-Range: bytes 0-1/2\r\n\r\n0123456789".iter().copied().cycle().take(length).collect()
}

/// Each part's first byte and bytes, by the letter of RFC 2046 section 5.1.1.
fn parts_of(got: &Got) -> Vec<(usize, Vec<u8>)> {
    let boundary = got.field(CONTENT_TYPE).strip_prefix("multipart/byteranges; boundary=").expect("multipart");
    let mut rest = &got.body[..];
    let mut parts = Vec::new();
    let mut delimiter = format!("--{boundary}\r\n");
    loop {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a boundary");
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of the part's fields");
        let (head, body) = (std::str::from_utf8(&rest[..end]).expect("text"), &rest[end + 4..]);
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("content-type: application/octet-stream"));
        let range = lines.next().and_then(|line| line.strip_prefix("content-range: bytes ")).expect("a range");
        assert_eq!(lines.next(), None);
        let (first, last) = range.split_once('/').expect("a size").0.split_once('-').expect("two ends");
        let (first, last): (usize, usize) = (first.parse().expect("first"), last.parse().expect("last"));
        let (part, after) = body.split_at(last - first + 1);
        parts.push((first, part.to_vec()));
        if after == format!("\r\n--{boundary}--\r\n").as_bytes() {
            return parts;
        }
        rest = after;
        delimiter = format!("\r\n--{boundary}\r\n");
    }
}

#[tokio::test]
async fn parts_come_in_the_order_of_the_request_from_memory_and_from_disk() {
    let bytes = content(200_000);
    let site = Site::new(&[("large.bin", &bytes), ("small.bin", &bytes[..1000])]);
    for target in ["/small.bin", "/large.bin"] {
        let got = site.get_if(target, RANGE, "bytes=500-599,0-9,5-20,-1,900000-").await.expect(target);
        assert_eq!(got.head.status, StatusCode::PARTIAL_CONTENT);
        assert!(got.field(CONTENT_RANGE).is_empty(), "each part has its own");
        assert_eq!(got.field(CONTENT_LENGTH), got.body.len().to_string());
        let size = if target == "/small.bin" { 1000 } else { 200_000 };
        let expected: Vec<_> = [(500, 599), (0, 20), (size - 1, size - 1)]
            .map(|(first, last)| (first, bytes[first..=last].to_vec()))
            .into();
        assert_eq!(parts_of(&got), expected, "{target}");
    }
}

#[tokio::test]
async fn what_is_joined_to_one_part_comes_as_one() {
    let site = Site::new(&[("a.bin", b"0123456789")]);
    let got = site.get_if("/a.bin", RANGE, "bytes=0-3,4-5,2-4").await.expect("part");
    assert_eq!((got.field(CONTENT_RANGE), &got.body[..]), ("bytes 0-5/10", &b"012345"[..]));
}

#[tokio::test]
async fn sets_that_nobody_means_are_refused() {
    let site = Site::new(&[("a.bin", &content(1000))]);
    let many: Vec<String> = (0..65).map(|index| format!("{0}-{0}", index * 2)).collect();
    for set in [many.join(","), vec!["0-"; 1000].join(","), "1000-,2000-".to_owned()] {
        let refused = site.get_if("/a.bin", RANGE, &format!("bytes={set}")).await.err();
        assert_eq!(refused, Some(FileError::RangeNotSatisfiable { size_bytes: 1000 }), "{set}");
    }
}

#[tokio::test]
async fn several_ranges_are_of_the_version_that_the_client_has() {
    let site = Site::new(&[("a.bin", &content(1000))]);
    let etag = site.get("/a.bin").await.expect("file").field(ETAG).to_owned();
    for (validator, status) in [(etag.as_str(), StatusCode::PARTIAL_CONTENT), ("\"other\"", StatusCode::OK)] {
        let fields = [(RANGE, "bytes=0-1,5-6"), (IF_RANGE, validator)];
        let got = site.ask(Method::GET, "/a.bin", &fields).await.expect("answer");
        assert_eq!(got.head.status, status, "{validator}");
    }
}

#[tokio::test]
async fn head_ignores_ranges() {
    let site = Site::new(&[("a.bin", &content(1000))]);
    let got = site.ask(Method::HEAD, "/a.bin", &[(RANGE, "bytes=0-1,5-6")]).await.expect("head");
    assert_eq!((got.head.status, got.field(CONTENT_LENGTH)), (StatusCode::OK, "1000"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_set_of_ranges_that_covers_the_file_gives_the_file(
        cuts in prop::collection::btree_set(1usize..3000, 0..40),
        more in prop::collection::vec((0usize..3000, 0usize..500), 0..20),
        size in prop::sample::select(vec![1usize, 2, 999, 1000, 1001, 3000]),
        turned in any::<bool>(),
    ) {
        let bytes = content(size);
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().filter(|cut| *cut < size).chain([size]) {
            ranges.push((from, to - 1));
            from = to;
        }
        ranges.extend(more.iter().map(|(first, length)| (*first, first + length)));
        if turned {
            ranges.reverse();
        }
        let set: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let site = Site::new(&[("a.bin", &bytes)]);
            // Gaps are left open by asking for every second one alone, so that parts stay apart.
            for half in [0, 1] {
                let chosen: Vec<&str> = set.iter().map(String::as_str).skip(half).step_by(2).collect();
                if chosen.is_empty() {
                    continue;
                }
                let got = site.get_if("/a.bin", RANGE, &format!("bytes={}", chosen.join(","))).await;
                let Ok(got) = got else { continue };
                assert_eq!(got.field(CONTENT_LENGTH), got.body.len().to_string());
                let mut seen = vec![None; size];
                let parts = match got.field(CONTENT_RANGE).strip_prefix("bytes ") {
                    Some(range) => vec![(range.split_once('-').expect("range").0.parse().expect("first"), got.body.to_vec())],
                    None => parts_of(&got),
                };
                for (first, part) in parts {
                    for (offset, byte) in part.into_iter().enumerate() {
                        assert_eq!(seen[first + offset].replace(byte), None, "sent twice");
                    }
                }
                for (at, byte) in seen.iter().enumerate() {
                    let asked = ranges.iter().skip(half).step_by(2).any(|(first, last)| (*first..=*last).contains(&at));
                    assert_eq!(*byte, asked.then_some(bytes[at]), "byte {at} of {chosen:?}");
                }
            }
            let whole = site.get_if("/a.bin", RANGE, &format!("bytes={}", set.join(","))).await.expect("the file");
            assert_eq!(whole.field(CONTENT_RANGE), format!("bytes 0-{}/{size}", size - 1));
            assert!(whole.body == bytes);
        });
    }
}
