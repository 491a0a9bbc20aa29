//! Forwarding fields: read through trusted hops only, and what is written of them is sound.

#![no_main]

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use serve::contract::forwarded::{self, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use std::net::{IpAddr, Ipv4Addr};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    let names = [FORWARDED, X_FORWARDED_FOR.clone(), X_FORWARDED_PROTO.clone(), X_FORWARDED_HOST.clone()];
    for (index, line) in text.split('\n').take(32).enumerate() {
        if let Ok(value) = HeaderValue::from_str(line) {
            headers.append(names[index % names.len()].clone(), value);
        }
    }
    let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().expect("a network")];

    let from_stranger = forwarded::read(&headers, Some(STRANGER), false, &trusted);
    assert_eq!((from_stranger.client, from_stranger.https), (Some(STRANGER), false), "a stranger is not believed");

    let origin = forwarded::read(&headers, Some(PEER), false, &trusted);
    let mut written = headers.clone();
    forwarded::remove(&mut written);
    let told = forwarded::fields(&origin, Some(PEER), None, Some(443));
    written.extend(told.map(|(name, value)| (name.clone(), value)));
    for name in [&FORWARDED, &X_FORWARDED_FOR, &X_FORWARDED_PROTO] {
        assert_eq!(written.get_all(name).iter().count(), 1, "{name} stands once");
    }
    // The next hop, which trusts this one, comes to the same client.
    let next = forwarded::read(&written, Some(PEER), false, &trusted);
    assert_eq!(next.client, origin.client, "{headers:?} -> {written:?}");
});
