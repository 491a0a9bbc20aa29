//! The trace that a request belongs to (W3C Trace Context): passed on as it came, or begun here.
//!
//! The edge records no spans of its own, so it is no member of the trace: a sound `traceparent` goes on untouched and
//! its `tracestate` with it. Without one a trace begins, so that the log lines of both servers share its id.

use super::hex::{self, is_hex};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Which trace a request belongs to, and which span asked (section 3.2).
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems add to it; worth nothing without a sound `traceparent` (section 3.3).
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of a `traceparent` of version 00, and of what later versions begin with.
const PARENT_BYTES: usize = 55;
/// Where the trace id stands in it.
const TRACE_ID: std::ops::Range<usize> = 3..35;
/// Where the id of the parent span stands in it.
const PARENT_ID: std::ops::Range<usize> = 36..52;
/// Where the flags stand in it.
const FLAGS: std::ops::Range<usize> = 53..55;

/// A trace that begins here, without its ids. Its flag says sampled: tracers that follow their parent's decision would
/// otherwise record nothing behind this edge; with it they do what they do without a parent.
const BEGUN: &[u8; PARENT_BYTES] = b"00-00000000000000000000000000000000-0000000000000000-01";

/// A sound `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    value: HeaderValue,
    begun_here: bool,
}

impl TraceParent {
    /// The `traceparent` that came with a request, when there is exactly one and it is sound.
    ///
    /// Versions above 00 count when they begin as 00 does (section 3.2.4); they are not cut down to 00, because who
    /// reads them next may know more of them.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(&TRACEPARENT).iter();
        let value = fields.next().filter(|value| is_sound(value.as_bytes()))?;
        fields.next().is_none().then(|| Self { value: value.clone(), begun_here: false })
    }

    /// Begins a trace with this id, which is 32 lower-case hexadecimal digits, not all of them zero, and a random span.
    /// A span of zero would be invalid, so zero counts as one.
    #[must_use]
    pub fn begin(trace: &[u8; 32], span: u64) -> Self {
        // Not by `format!`: this is done for nearly every request that is forwarded.
        let mut text = *BEGUN;
        text[TRACE_ID].copy_from_slice(trace);
        hex::write(&mut text[PARENT_ID], &span.max(1).to_be_bytes());
        let mut value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""));
        // Never seen twice, so HTTP/2's table of fields shall not keep it.
        value.set_sensitive(true);
        Self { value, begun_here: true }
    }

    /// Begins a trace with random ids. An id of zero would be invalid, so zero counts as one.
    #[must_use]
    pub fn begin_anew(trace: u128, span: u64) -> Self {
        let mut text = [0; 32];
        hex::write(&mut text, &trace.max(1).to_be_bytes());
        Self::begin(&text, span)
    }

    /// 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.value.as_bytes().get(TRACE_ID).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default()
    }

    /// Sets what the next hop gets. What came in sound goes on as it is, also where the client's `Connection` has named
    /// it and it was removed as a field of one hop: the log has its id. Where the trace begins here, whatever stood
    /// there was broken, and `tracestate` goes with it.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(&TRACEPARENT, self.value.clone());
        if self.begun_here {
            headers.remove(&TRACESTATE);
        }
    }

    /// Whether it begins here.
    #[must_use]
    pub const fn begins_here(&self) -> bool {
        self.begun_here
    }

    /// As the field has it.
    #[must_use]
    pub const fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Removes what is said of a trace.
    pub fn remove(headers: &mut HeaderMap) {
        // Rarely there: looking at the names costs less than asking for each.
        if headers.keys().any(|name| *name == TRACEPARENT || *name == TRACESTATE) {
            headers.remove(&TRACEPARENT);
            headers.remove(&TRACESTATE);
        }
    }
}

/// Sections 3.2.2 and 3.2.4: `version "-" trace-id "-" parent-id "-" flags`, all lower-case hexadecimal, ids not zero.
fn is_sound(value: &[u8]) -> bool {
    let Some(known) = value.get(..PARENT_BYTES) else { return false };
    let is_id = |digits: &[u8]| is_hex(digits) && digits.iter().any(|&digit| digit != b'0');
    let version = &known[..2];
    let ends = match version {
        b"00" => value.len() == PARENT_BYTES,
        b"ff" => false,
        _ => value.get(PARENT_BYTES).is_none_or(|&next| next == b'-'),
    };
    ends && is_hex(version)
        && [2, 35, 52].into_iter().all(|dash| known[dash] == b'-')
        && is_id(&known[TRACE_ID])
        && is_id(&known[PARENT_ID])
        && is_hex(&known[FLAGS])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(parents: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(&TRACEPARENT, HeaderValue::from_str(parent).expect("a value"));
        }
        headers.append(&TRACESTATE, HeaderValue::from_static("a=1"));
        headers.append(&TRACESTATE, HeaderValue::from_static("b=2"));
        headers
    }

    #[test]
    fn a_sound_parent_is_passed_on_untouched() {
        for parent in [
            SOUND,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings",
        ] {
            let mut fields = headers(&[parent]);
            let before = fields.clone();
            let trace = TraceParent::read(&fields).expect(parent);
            assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
            trace.write(&mut fields);
            assert_eq!(fields, before, "{parent}");
        }
    }

    #[test]
    fn a_parent_that_was_removed_on_the_way_is_told_all_the_same() {
        let mut fields = headers(&[SOUND]);
        let trace = TraceParent::read(&fields).expect("a sound parent");
        // As after `Connection: traceparent`.
        fields.remove(&TRACEPARENT);
        trace.write(&mut fields);
        assert_eq!(fields[&TRACEPARENT], SOUND);
    }

    #[test]
    fn a_broken_parent_is_none() {
        for parents in [
            &[][..],
            &[SOUND, SOUND],
            &[""],
            &["00"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 "],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g"],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["0G-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more"],
        ] {
            assert_eq!(TraceParent::read(&headers(parents)), None, "{parents:?}");
        }
    }

    #[test]
    fn a_trace_that_begins_here_replaces_whatever_stood_there() {
        let mut fields = headers(&["garbage", SOUND]);
        TraceParent::begin_anew(0xab, 0).write(&mut fields);
        let parents: Vec<_> = fields.get_all(&TRACEPARENT).iter().collect();
        assert_eq!(parents, ["00-000000000000000000000000000000ab-0000000000000001-01"]);
        assert!(!fields.contains_key(&TRACESTATE));
    }

    proptest! {
        #[test]
        fn what_begins_here_is_sound_elsewhere(trace: u128, span: u64) {
            let begun = TraceParent::begin_anew(trace, span);
            let mut fields = HeaderMap::new();
            begun.write(&mut fields);
            let read = TraceParent::read(&fields).expect("a sound parent");
            prop_assert_eq!(read.trace_id(), begun.trace_id());
            prop_assert_eq!(u128::from_str_radix(begun.trace_id(), 16).expect("hexadecimal"), trace.max(1));
        }

        #[test]
        fn nothing_that_is_not_of_the_form_is_believed(bytes in prop::collection::vec(32..127_u8, 0..80)) {
            // 55 random bytes are never four groups of hexadecimal digits.
            prop_assert!(!is_sound(&bytes));
        }

        #[test]
        fn one_wrong_byte_is_enough(at in 0..PARENT_BYTES, byte in 32..127_u8) {
            let mut bytes = SOUND.as_bytes().to_vec();
            bytes[at] = byte;
            let is_hex = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let is_dash = [2, 35, 52].contains(&at);
            // Another version or another digit is as good.
            prop_assert_eq!(is_sound(&bytes), if is_dash { byte == b'-' } else { is_hex });
        }
    }
}
