//! What the edge itself tells an upstream of a request: who the client is, the request's id and trace, the hop.
//!
//! Where nothing in between looks at these fields they never become part of the request's map: HTTP/1 writes them as
//! text behind it, most of which is there from the request before. A rule about request fields, and an endpoint that
//! speaks HTTP/2, get them in the map.

use super::context::RequestContext;
use crate::upstream;
use http::header::VIA;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use lru::DefaultHasher;
use serve::contract::forwarded::{self, Origin, OriginPort};
use serve::contract::forwarded_prefix::X_FORWARDED_PREFIX;
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::contract::trace::{TRACEPARENT, TraceParent};
use serve::http1::field;
use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::rc::Rc;

/// Of so many kinds of requests it is kept what was told: at most 256 KiB.
const PLACES: usize = 128;

/// As long as a name of DNS. One that is longer is told anew for each request.
const HOST_BYTES_MAX: usize = 255;

/// Tells of clients. As long as no hop before the peer is told, all requests of a peer for one host are told of alike, so
/// what was told is kept: by worker, because a connection may be idle for long, and would keep it all the time.
#[derive(Debug)]
pub(super) struct Teller {
    hasher: DefaultHasher,
    /// Each may be taken by whatever has its hash.
    places: RefCell<Box<[Option<Rc<Told>>]>>,
}

/// Whom a request came from, through which door, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    /// `None` on a Unix socket.
    peer: Option<IpAddr>,
    /// The port of this proxy.
    port: Option<u16>,
    https: bool,
    host: HeaderValue,
}

/// Who the client is, as fields and as the text of these.
#[derive(Debug)]
struct Told {
    asked: Asked,
    fields: Vec<(&'static HeaderName, HeaderValue)>,
    text: Vec<u8>,
}

impl Default for Teller {
    fn default() -> Self {
        let places = std::iter::repeat_with(|| None).take(PLACES).collect();
        Self { hasher: DefaultHasher::default(), places: RefCell::new(places) }
    }
}

impl Teller {
    fn tell(&self, origin: &Origin, peer: Option<IpAddr>, port: Option<u16>, host: &HeaderValue) -> Rc<Told> {
        let mut asked = Asked { peer, port, https: origin.https, host: host.clone() };
        if !origin.chain.is_empty() || origin.port != OriginPort::Own || host.len() > HOST_BYTES_MAX {
            return Rc::new(Told::of(origin, asked));
        }
        let hash = usize::try_from(self.hasher.hash_one(&asked)).unwrap_or_default();
        let mut places = self.places.borrow_mut();
        let place = &mut places[hash % PLACES];
        if let Some(told) = place.as_ref().filter(|told| told.asked == asked) {
            return Rc::clone(told);
        }
        // A copy: the host is a part of what was read, and would keep all of that.
        if let Ok(copy) = HeaderValue::from_bytes(host.as_bytes()) {
            asked.host = copy;
        }
        Rc::clone(place.insert(Rc::new(Told::of(origin, asked))))
    }
}

impl Told {
    fn of(origin: &Origin, asked: Asked) -> Self {
        let fields: Vec<_> = forwarded::fields(origin, asked.peer, Some(&asked.host), asked.port).collect();
        let mut text = Vec::new();
        for (name, value) in &fields {
            field(&mut text, name.as_str().as_bytes(), value.as_bytes());
        }
        Self { asked, fields, text }
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
    /// Of a request for `host`, which came in this version.
    pub(super) fn new(teller: &Teller, context: &RequestContext, host: &HeaderValue, received: Version) -> Self {
        let RequestContext { origin, peer_ip, local_port, request_id, .. } = context;
        Self::of(teller.tell(origin, *peer_ip, *local_port, host), request_id, received)
    }

    fn of(told: Rc<Told>, request_id: &RequestId, received: Version) -> Self {
        let via = match received {
            Version::HTTP_2 => "2 portcullis",
            Version::HTTP_10 => "1.0 portcullis",
            _ => "1.1 portcullis",
        };
        Self { told, prefix: None, request_id: request_id.clone(), trace: None, via }
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
}

impl upstream::OwnFields for OwnFields {
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
        let teller = Teller::default();
        let id = RequestId::from_random(7);
        for (chain, host, prefix, version) in [
            (&[][..], "example.com", None, Version::HTTP_11),
            (&[], "example.com", Some("/api"), Version::HTTP_2),
            (&[], "other.example", None, Version::HTTP_10),
            (&["198.51.100.1", "2001:db8::1"], "example.com", None, Version::HTTP_11),
        ] {
            let host_field = HeaderValue::from_static(host);
            let told = teller.tell(&origin(chain), "192.0.2.7".parse().ok(), Some(8443), &host_field);
            let mut own = OwnFields::of(told, &id, version);
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
        let teller = Teller::default();
        let tell = |chain: &[&str], peer: &str, port, host: &str| {
            let host = HeaderValue::from_str(host).expect("a host");
            teller.tell(&origin(chain), peer.parse().ok(), port, &host)
        };
        let text = |told: Rc<Told>| String::from_utf8(told.text.clone()).expect("text");
        let told = |chain: &[&str], host: &str| text(tell(chain, "192.0.2.7", None, host));
        let plain = told(&[], "a");
        assert!(
            plain.contains("x-forwarded-for: 192.0.2.7\r\n") && plain.contains("x-forwarded-host: a\r\n"),
            "{plain}"
        );
        let chained = told(&["198.51.100.1"], "a");
        assert!(chained.contains("x-forwarded-for: 198.51.100.1, 192.0.2.7\r\n"), "{chained}");
        assert_eq!(told(&[], "a"), plain, "what a chain told is not kept");
        assert!(told(&[], "b").contains("x-forwarded-host: b\r\n"));
        assert!(text(tell(&[], "192.0.2.8", None, "a")).contains("x-forwarded-for: 192.0.2.8\r\n"));
        assert!(text(tell(&[], "192.0.2.7", Some(81), "a")).contains("x-forwarded-port: 81\r\n"));
        for number in 0..2 * PLACES {
            // Whatever shares a place.
            let host = format!("h{number}");
            assert!(told(&[], &host).contains(&format!("x-forwarded-host: {host}\r\n")));
        }
        let kept = || tell(&[], "192.0.2.7", None, "a");
        assert!(Rc::ptr_eq(&kept(), &kept()));
        let long = "a".repeat(HOST_BYTES_MAX + 1);
        let told_anew = || tell(&[], "192.0.2.7", None, &long);
        assert!(!Rc::ptr_eq(&told_anew(), &told_anew()), "it would take more room than it has");
    }

    #[test]
    fn what_a_client_says_of_a_trace_that_is_none_goes_and_a_sound_one_stays() {
        let told = Teller::default().tell(&origin(&[]), None, None, &HeaderValue::from_static("a"));
        let own = || OwnFields::of(Rc::clone(&told), &RequestId::from_random(7), Version::HTTP_11);
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
