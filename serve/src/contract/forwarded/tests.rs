//! Whose word counts, and what the next hop is told.

use super::*;
use proptest::prelude::*;
use std::net::SocketAddr;

/// Makes the fields those that the next hop gets.
fn write(
    headers: &mut HeaderMap,
    origin: &Origin,
    peer: Option<IpAddr>,
    host: Option<&HeaderValue>,
    port: Option<u16>,
) {
    remove(headers);
    headers.extend(fields(origin, peer, host, port).map(|(name, value)| (name.clone(), value)));
}

proptest! {
    #[test]
    fn addresses_are_written_as_everywhere(address: IpAddr) {
        let mut text = String::new();
        push_address(&mut text, address);
        prop_assert_eq!(text, address.to_string());
    }
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
        .collect()
}

fn client(fields: &[(&'static str, &str)], peer: &str) -> String {
    let trusted = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
    let origin = read(&headers(fields), Some(peer.parse().expect("an address")), false, &trusted);
    format!("{} {}", origin.client.expect("a client"), if origin.https { "https" } else { "http" })
}

#[test]
fn only_trusted_hops_are_believed_and_from_the_right() {
    for (fields, peer, wanted) in [
        (&[("x-forwarded-for", "6.6.6.6")][..], "9.9.9.9", "9.9.9.9 http"),
        (&[("x-forwarded-for", "6.6.6.6, 1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "1.2.3.4, 10.0.0.2")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.1", "10.0.0.3 http"),
        (&[("x-forwarded-for", "1.2.3.4, garbage, 10.0.0.2")], "10.0.0.1", "10.0.0.2 http"),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")], "10.0.0.1", "1.2.3.4 https"),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")], "9.9.9.9", "9.9.9.9 http"),
        (&[("forwarded", "for=1.2.3.4;proto=https")], "fd00::1", "1.2.3.4 https"),
        (&[("forwarded", "For=\"[2001:db8::1]:4711\"")], "10.0.0.1", "2001:db8::1 http"),
        (&[("forwarded", "for=unknown, for=10.0.0.5")], "10.0.0.1", "10.0.0.5 http"),
        (&[("forwarded", "for=\"a, for=6.6.6.6\", for=1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        (&[("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "::ffff:1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "1.2.3.4:5678")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "[2001:db8::1]:5678")], "10.0.0.1", "2001:db8::1 http"),
        (&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", "1.2.3.4,, ,")], "10.0.0.1", "1.2.3.4 http"),
        (&[("x-forwarded-for", ",")], "10.0.0.1", "10.0.0.1 http"),
        (&[("forwarded", "for=\"1.2.3\\.4\"; PROTO=HTTPS ;by=_x")], "10.0.0.1", "1.2.3.4 https"),
        (&[("forwarded", "for=1.2.3.4;for=6.6.6.6")], "10.0.0.1", "10.0.0.1 http"),
        (&[("forwarded", "for=_hidden, for=10.0.0.5:80")], "10.0.0.1", "10.0.0.5 http"),
        (&[("forwarded", "for=2001:db8::1")], "10.0.0.1", "2001:db8::1 http"),
        (&[("forwarded", "by=1.2.3.4")], "10.0.0.1", "10.0.0.1 http"),
    ] {
        assert_eq!(client(fields, peer), wanted, "{fields:?} from {peer}");
    }
}

/// A client's part stands before the comma of the trusted proxy that has added the client's real address.
#[test]
fn a_client_can_not_swallow_the_word_of_the_proxy_behind_it() {
    for (name, forged) in [
        ("forwarded", "for=6.6.6.6;x=\""),
        ("forwarded", "for=6.6.6.6;x=\"\\"),
        ("forwarded", "\""),
        ("x-forwarded-for", "\""),
        ("x-forwarded-for", "6.6.6.6, \"a"),
        ("x-forwarded-for", "\u{e9}"),
        ("forwarded", "for=6.6.6.6;x=\u{e9}"),
    ] {
        for (told, wanted) in [("1.2.3.4", "1.2.3.4 http"), ("2001:db8::1", "2001:db8::1 http")] {
            let element = match (name, told.contains(':')) {
                ("forwarded", true) => format!("for=\"[{told}]\";host=\"a\""),
                ("forwarded", false) => format!("for={told}"),
                _ => told.to_owned(),
            };
            assert_eq!(client(&[(name, &format!("{forged}, {element}"))], "10.0.0.1"), wanted, "{forged}");
        }
    }
    // Nor by so many hops that nobody would walk them.
    let many = format!("{}, 1.2.3.4", vec!["10.0.0.9"; 100].join(", "));
    assert_eq!(client(&[("x-forwarded-for", &many)], "10.0.0.1"), "1.2.3.4 http");
}

#[test]
fn each_scheme_stands_beside_who_spoke_it() {
    for (fields, peer, https, wanted) in [
        (&[][..], "10.0.0.1", true, "for=10.0.0.1;proto=https;host=\"a\""),
        (
            &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")],
            "10.0.0.1",
            false,
            "for=1.2.3.4;proto=https, for=10.0.0.1;proto=http;host=\"a\"",
        ),
        (
            &[("x-forwarded-for", "1.2.3.4, 10.0.0.2"), ("x-forwarded-proto", "http")],
            "10.0.0.1",
            true,
            "for=1.2.3.4;proto=http, for=10.0.0.2, for=10.0.0.1;proto=https;host=\"a\"",
        ),
    ] {
        let mut fields = headers(fields);
        let peer = peer.parse().ok();
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let origin = read(&fields, peer, https, &trusted);
        write(&mut fields, &origin, peer, Some(&HeaderValue::from_static("a")), None);
        assert_eq!(fields["forwarded"], wanted);
        // Whoever trusts this proxy learns the same.
        fields.remove("x-forwarded-for");
        let next = read(&fields, peer, false, &trusted);
        assert_eq!((next.client, next.https), (origin.client, origin.https), "{wanted}");
    }
}

#[test]
fn forged_fields_are_replaced() {
    let mut fields = headers(&[
        ("x-forwarded-for", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("x_forwarded_for", "6.6.6.6"),
        ("x.real.ip", "6.6.6.6"),
        ("x-original-url", "/admin"),
        ("x-forwarded-host", "evil"),
        ("x_forwarded_user", "admin"),
        ("ssl-client-verify", "SUCCESS"),
        ("cf-connecting-ipv6", "::6"),
        ("x-forwarded2", "kept"),
    ]);
    let peer = "2001:db8::7".parse().ok();
    let origin = read(&fields, peer, true, &[]);
    write(&mut fields, &origin, peer, Some(&HeaderValue::from_static("example.com:8443")), Some(8443));
    let got = |name: &str| fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    assert_eq!(got("x-forwarded-for"), "2001:db8::7");
    assert_eq!(got("forwarded"), "for=\"[2001:db8::7]\";proto=https;host=\"example.com:8443\"");
    assert_eq!(got("x-forwarded-host"), "example.com:8443");
    assert_eq!(got("x-forwarded-port"), "8443");
    for gone in [
        "x-real-ip",
        "x_forwarded_for",
        "x.real.ip",
        "x-original-url",
        "x_forwarded_user",
        "ssl-client-verify",
        "cf-connecting-ipv6",
    ] {
        assert_eq!(got(gone), "-", "{gone}");
    }
    assert_eq!(got("x-forwarded2"), "kept");
}

#[test]
fn the_port_is_the_one_that_the_client_reached() {
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    for (told, peer, wanted) in [
        (&[][..], "9.9.9.9", Some("8080")),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "443")], "9.9.9.9", Some("8080")),
        (&[], "10.0.0.1", Some("8080")),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "443")], "10.0.0.1", Some("443")),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "1, 443")], "10.0.0.1", Some("443")),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "0443")], "10.0.0.1", Some("443")),
        (&[("x-forwarded-for", "1.2.3.4")], "10.0.0.1", None),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "https")], "10.0.0.1", None),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "+443")], "10.0.0.1", None),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "0")], "10.0.0.1", None),
        (&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "65536")], "10.0.0.1", None),
        (&[("forwarded", "for=1.2.3.4;proto=https"), ("x-forwarded-port", "1")], "10.0.0.1", None),
    ] {
        let mut fields = headers(told);
        let peer = peer.parse().ok();
        let origin = read(&fields, peer, false, &trusted);
        write(&mut fields, &origin, peer, None, Some(8080));
        let port = fields.get("x-forwarded-port").map(|port| port.to_str().expect("text"));
        assert_eq!(port, wanted, "{told:?} from {peer:?}");
    }
}

/// Elements as honest, careless and hostile hops write them.
fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<IpAddr>().prop_map(|address| address.to_string()),
        any::<SocketAddr>().prop_map(|address| address.to_string()),
        any::<SocketAddr>().prop_map(|address| format!("for=\"{address}\"")),
        any::<std::net::Ipv4Addr>().prop_map(|address| format!("For={address};proto=https;by=_me")),
        any::<std::net::Ipv6Addr>().prop_map(|address| format!("for=\"[{address}]\";host=\"a, b\"")),
        Just("for=unknown".to_owned()),
        Just("for=_obfuscated".to_owned()),
        Just("unknown".to_owned()),
        "[ -~]{0,30}",
        "[\",;\\\\= a-f0-9.:\\[\\]\u{e9}]{0,30}",
    ]
}

proptest! {
    #[test]
    fn an_untrusted_peer_is_always_the_client(elements in prop::collection::vec(element(), 0..40), forwarded: bool) {
        let name = if forwarded { "forwarded" } else { "x-forwarded-for" };
        let fields = headers(&[(name, &elements.join(", ")), ("x-forwarded-proto", "https")]);
        let peer = "9.9.9.9".parse().ok();
        let origin = read(&fields, peer, false, &["10.0.0.0/8".parse().expect("a network")]);
        prop_assert_eq!(origin, Origin { client: peer, https: false, peer_https: false, chain: vec![], port: OriginPort::Own });
    }

    #[test]
    fn the_walk_ends_at_the_first_hop_that_nobody_vouches_for(
        before in prop::collection::vec(element(), 0..40),
        client: IpAddr,
        trusted_hops in prop::collection::vec(any::<u8>(), 0..10),
        forwarded: bool,
    ) {
        let client = client.to_canonical();
        let trusted: IpNet = "10.0.0.0/24".parse().expect("a network");
        prop_assume!(!trusted.contains(&client));
        let hop = |address: IpAddr| match (forwarded, address) {
            (false, address) => address.to_string(),
            (true, IpAddr::V4(address)) => format!("for={address}"),
            (true, IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        };
        let hops: Vec<IpAddr> = trusted_hops.iter().map(|&last| IpAddr::from([10, 0, 0, last])).collect();
        let told = before.into_iter().chain([hop(client)]).chain(hops.iter().copied().map(hop)).collect::<Vec<_>>();
        let name = if forwarded { "forwarded" } else { "x-forwarded-for" };
        let peer = Some(IpAddr::from([10, 0, 0, 1]));
        let origin = read(&headers(&[(name, &told.join(", "))]), peer, false, &[trusted]);
        prop_assert_eq!(origin.client, Some(client));
        prop_assert_eq!(&origin.chain[1..], &hops[..]);
    }

    #[test]
    fn what_is_told_is_one_sound_field_each(elements in prop::collection::vec(element(), 0..40), forwarded: bool) {
        let trusted: [IpNet; 1] = ["0.0.0.0/0".parse().expect("a network")];
        let name = if forwarded { "forwarded" } else { "x-forwarded-for" };
        let mut fields = headers(&[(name, &elements.join(", "))]);
        let peer = Some(IpAddr::from([10, 0, 0, 1]));
        let origin = read(&fields, peer, true, &trusted);
        write(&mut fields, &origin, peer, None, None);
        for name in [&header::FORWARDED, &X_FORWARDED_FOR, &X_FORWARDED_PROTO] {
            prop_assert_eq!(fields.get_all(name).iter().count(), 1);
        }
        prop_assert_eq!(read(&fields, peer, true, &trusted).client, origin.client);
    }
}
