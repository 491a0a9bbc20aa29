//! What the edge itself tells an upstream of a request: who the client is, the request's id and trace, the hop.
//!
//! Where nothing in between looks at these fields they never become part of the request's map: HTTP/1 writes them as
//! text behind the request line, most of which the connection has from the request before. A rule about request fields,
//! and an endpoint that speaks HTTP/2, get them in the map.

use http::header::VIA;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use serve::contract::forwarded::{self, Origin, OriginPort};
use serve::contract::forwarded_prefix::X_FORWARDED_PREFIX;
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::contract::trace::{TRACEPARENT, TraceParent};
use serve::http1::field;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

/// Tells of the client of one connection. As long as no hop before the peer is told and all requests are for one host,
/// that is the same for each, so what was told last is kept.
#[derive(Debug)]
pub(super) struct Teller {
    peer: Option<IpAddr>,
    port: Option<u16>,
    last: RefCell<Option<Rc<Told>>>,
}

/// Who the client is, as fields and as the text of these.
#[derive(Debug)]
struct Told {
    host: HeaderValue,
    https: bool,
    fields: Vec<(&'static HeaderName, HeaderValue)>,
    text: Vec<u8>,
}

impl Teller {
    /// For a connection of this peer, `None` on a Unix socket, to this port.
    pub(super) const fn new(peer: Option<IpAddr>, port: Option<u16>) -> Self {
        Self { peer, port, last: RefCell::new(None) }
    }

    fn tell(&self, origin: &Origin, host: &HeaderValue) -> Rc<Told> {
        if !origin.chain.is_empty() || origin.port != OriginPort::Own {
            return Rc::new(self.form(origin, host.clone()));
        }
        let mut last = self.last.borrow_mut();
        if let Some(told) = last.as_ref().filter(|told| told.host == *host && told.https == origin.https) {
            return Rc::clone(told);
        }
        // A copy: the host is a part of what was read, and would keep all of that for as long as the connection lasts.
        let host = HeaderValue::from_bytes(host.as_bytes()).unwrap_or_else(|_| host.clone());
        let told = Rc::new(self.form(origin, host));
        *last = Some(Rc::clone(&told));
        told
    }

    fn form(&self, origin: &Origin, host: HeaderValue) -> Told {
        let fields: Vec<_> = forwarded::fields(origin, self.peer, Some(&host), self.port).collect();
        let mut text = Vec::new();
        for (name, value) in &fields {
            field(&mut text, name.as_str().as_bytes(), value.as_bytes());
        }
        Told { host, https: origin.https, fields, text }
    }
}

/// The fields of one request.
#[derive(Debug, Clone)]
pub(super) struct OwnFields {
    told: Rc<Told>,
    /// What was cut off the path.
    pub(super) prefix: Option<HeaderValue>,
    request_id: RequestId,
    /// Only one that begins here.
    trace: Option<TraceParent>,
    via: &'static str,
}

impl OwnFields {
    /// `host` is what the client asked for, and `received` the version in which it did.
    pub(super) fn new(
        teller: &Teller,
        origin: &Origin,
        host: &HeaderValue,
        request_id: &RequestId,
        received: Version,
    ) -> Self {
        let via = match received {
            Version::HTTP_2 => "2 portcullis",
            Version::HTTP_10 => "1.0 portcullis",
            _ => "1.1 portcullis",
        };
        Self { told: teller.tell(origin, host), prefix: None, request_id: request_id.clone(), trace: None, via }
    }

    /// Tells the trace too. What a client said of a trace that is none is taken out of `headers`, and a sound one stays
    /// there.
    pub(super) fn tell_trace(&mut self, trace: &TraceParent, headers: &mut HeaderMap) {
        if trace.begins_here() {
            TraceParent::remove(headers);
            self.trace = Some(trace.clone());
        } else {
            trace.write(headers);
        }
    }

    /// Puts the fields into the map.
    pub(super) fn insert(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.told.fields {
            headers.insert(*name, value.clone());
        }
        if let Some(prefix) = &self.prefix {
            headers.insert(&X_FORWARDED_PREFIX, prefix.clone());
        }
        headers.insert(X_REQUEST_ID.clone(), self.request_id.header_value());
        if let Some(trace) = &self.trace {
            trace.write(headers);
        }
        // One more hop behind those that are there, in however many fields they stand (RFC 9110 section 7.6.3). A map
        // that is full takes no more.
        let _ = headers.try_append(VIA, HeaderValue::from_static(self.via));
    }
}

impl crate::upstream::OwnFields for OwnFields {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.told.text);
        if let Some(prefix) = &self.prefix {
            field(out, X_FORWARDED_PREFIX.as_str().as_bytes(), prefix.as_bytes());
        }
        field(out, X_REQUEST_ID.as_str().as_bytes(), self.request_id.as_str().as_bytes());
        if let Some(trace) = &self.trace {
            field(out, TRACEPARENT.as_str().as_bytes(), trace.value().as_bytes());
        }
        field(out, b"via", self.via.as_bytes());
    }

    fn insert(&self, headers: &mut HeaderMap) {
        self.insert(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::OwnFields as _;

    fn origin(chain: &[&str]) -> Origin {
        let chain: Vec<IpAddr> = chain.iter().map(|address| address.parse().expect("an address")).collect();
        let client = chain.first().copied().or("192.0.2.7".parse().ok());
        Origin { client, https: false, peer_https: false, chain, port: OriginPort::Own }
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().expect("text"));
        let mut lines: Vec<_> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_text_is_that_of_the_fields() {
        let teller = Teller::new("192.0.2.7".parse().ok(), Some(8443));
        let id = RequestId::from_random(7);
        for (chain, host, prefix, version) in [
            (&[][..], "example.com", None, Version::HTTP_11),
            (&[], "example.com", Some("/api"), Version::HTTP_2),
            (&[], "other.example", None, Version::HTTP_10),
            (&["198.51.100.1", "2001:db8::1"], "example.com", None, Version::HTTP_11),
        ] {
            let mut own = OwnFields::new(&teller, &origin(chain), &HeaderValue::from_static(host), &id, version);
            own.prefix = prefix.map(HeaderValue::from_static);
            own.tell_trace(&TraceParent::begin_anew(1, 2), &mut HeaderMap::new());
            let mut headers = HeaderMap::new();
            own.insert(&mut headers);
            let mut text = Vec::new();
            own.write(&mut text);
            let text = String::from_utf8(text).expect("text");
            let mut written: Vec<_> = text.split_terminator("\r\n").collect();
            written.sort_unstable();
            assert_eq!(lines(&headers), written);
            assert!(written.iter().any(|line| *line == format!("x-forwarded-host: {host}")), "{written:?}");
            assert!(headers.contains_key(http::header::FORWARDED));
        }
    }

    #[test]
    fn each_host_and_each_chain_is_told_as_it_is() {
        let teller = Teller::new("192.0.2.7".parse().ok(), None);
        let told = |chain: &[&str], host: &'static str| {
            let told = teller.tell(&origin(chain), &HeaderValue::from_static(host));
            String::from_utf8(told.text.clone()).expect("text")
        };
        let plain = told(&[], "a");
        assert!(
            plain.contains("x-forwarded-for: 192.0.2.7\r\n") && plain.contains("x-forwarded-host: a\r\n"),
            "{plain}"
        );
        let chained = told(&["198.51.100.1"], "a");
        assert!(chained.contains("x-forwarded-for: 198.51.100.1, 192.0.2.7\r\n"), "{chained}");
        assert_eq!(told(&[], "a"), plain, "what a chain told is not kept");
        assert!(told(&[], "b").contains("x-forwarded-host: b\r\n"));
    }

    #[test]
    fn what_a_client_says_of_a_trace_that_is_none_goes_and_a_sound_one_stays() {
        let teller = Teller::new(None, None);
        let own = || {
            OwnFields::new(
                &teller,
                &origin(&[]),
                &HeaderValue::from_static("a"),
                &RequestId::from_random(7),
                Version::HTTP_11,
            )
        };
        let mut headers = HeaderMap::new();
        headers.append(&TRACEPARENT, HeaderValue::from_static("garbage"));
        headers.append("tracestate", HeaderValue::from_static("a=1"));
        let mut begun = own();
        begun.tell_trace(&TraceParent::begin_anew(1, 2), &mut headers);
        assert!(headers.is_empty());
        let sound = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        headers.append(&TRACEPARENT, sound.clone());
        let trace = TraceParent::read(&headers).expect("a sound parent");
        let mut text = Vec::new();
        let mut passed = own();
        passed.tell_trace(&trace, &mut headers);
        passed.write(&mut text);
        assert_eq!(headers.get_all(&TRACEPARENT).iter().collect::<Vec<_>>(), [&sound]);
        assert!(!String::from_utf8_lossy(&text).contains("traceparent"));
    }
}
