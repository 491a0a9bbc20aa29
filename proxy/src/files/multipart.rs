//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 sections 14.6 and 15.3.7.2).

use super::body::FileBody;
use super::range::ByteRange;
use super::representation::{Content, Representation};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use std::fmt::Write as _;
use std::sync::Arc;

/// Random bytes in a boundary. Whoever writes the file does not know it, so no file can hold it but by an accident of
/// one in 2^128.
const BOUNDARY_BYTES: usize = 16;

/// A body of several parts, and the `Content-Type` that names their boundary.
pub(super) struct Multipart {
    pub content_type: HeaderValue,
    pub body: FileBody,
    /// In bytes, with boundaries and the parts' own fields.
    pub length: u64,
}

impl Multipart {
    /// `None`: the system has no random bytes.
    pub(super) fn new(representation: &Representation, parts: &[ByteRange]) -> Option<Self> {
        let mut random = [0; BOUNDARY_BYTES];
        getrandom::fill(&mut random).ok()?;
        Self::with_boundary(representation, parts, &format!("{:032x}", u128::from_le_bytes(random)))
    }

    fn with_boundary(representation: &Representation, parts: &[ByteRange], boundary: &str) -> Option<Self> {
        let size = representation.content.size();
        let mut chain = Vec::with_capacity(parts.len() * 2 + 1);
        let mut length = 0;
        let mut head = format!("--{boundary}\r\n");
        for part in parts {
            // Section 15.3.7.2: each part says what it is, as the whole would.
            if let Some(content_type) = representation.headers.get(CONTENT_TYPE) {
                push_field(&mut head, CONTENT_TYPE.as_str(), content_type)?;
            }
            push_field(&mut head, CONTENT_RANGE.as_str(), &part.content_range(size)?)?;
            head.push_str("\r\n");
            length += head.len() as u64 + part.len();
            chain.push(FileBody::memory(Bytes::from(std::mem::take(&mut head))));
            chain.push(part_of(&representation.content, *part));
            write!(head, "\r\n--{boundary}\r\n").ok()?;
        }
        let end = format!("\r\n--{boundary}--\r\n");
        length += end.len() as u64;
        chain.push(FileBody::memory(Bytes::from(end)));
        let content_type = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")).ok()?;
        Some(Self { content_type, body: FileBody::chain(chain), length })
    }
}

/// The bytes of one part, which lies within the content.
pub(super) fn part_of(content: &Content, part: ByteRange) -> FileBody {
    match content {
        Content::Memory(bytes) => {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            FileBody::memory(bytes.slice(at(part.first)..at(part.last.saturating_add(1))))
        }
        Content::File(file, _, disk) => FileBody::stream(Arc::clone(file), part.first, part.len(), Arc::clone(disk)),
    }
}

fn push_field(head: &mut String, name: &str, value: &HeaderValue) -> Option<()> {
    write!(head, "{name}: {}\r\n", value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::cache_control::{Audience, CachePolicy};
    use super::super::validators::Validators;
    use super::*;
    use http_body::Body as _;
    use http_body_util::BodyExt;

    fn representation() -> Representation {
        let policy = CachePolicy::of_audience(Audience::Everyone);
        let validators = Validators { etag: None, last_modified: None };
        Representation::new("a.txt", validators, Content::Memory(Bytes::from_static(b"0123456789")), &policy)
    }

    #[tokio::test]
    async fn parts_stand_between_boundaries_as_in_section_15_3_7_2() {
        let parts = [ByteRange { first: 7, last: 9 }, ByteRange { first: 0, last: 0 }];
        let multipart = Multipart::with_boundary(&representation(), &parts, "B").expect("parts");
        assert_eq!(multipart.content_type, "multipart/byteranges; boundary=B");
        let expected = "--B\r\n\
            content-type: text/plain; charset=utf-8\r\ncontent-range: bytes 7-9/10\r\n\r\n789\r\n--B\r\n\
            content-type: text/plain; charset=utf-8\r\ncontent-range: bytes 0-0/10\r\n\r\n0\r\n--B--\r\n";
        assert_eq!(multipart.length, expected.len() as u64);
        assert_eq!(multipart.body.size_hint().exact(), Some(multipart.length));
        assert_eq!(multipart.body.collect().await.expect("body").to_bytes(), expected);
    }

    #[test]
    fn boundaries_differ_each_time() {
        let parts = [ByteRange { first: 0, last: 0 }, ByteRange { first: 9, last: 9 }];
        let boundary = || Multipart::new(&representation(), &parts).expect("parts").content_type;
        let (one, other) = (boundary(), boundary());
        assert_ne!(one, other);
        assert_eq!(one.len(), "multipart/byteranges; boundary=".len() + 32);
    }
}
