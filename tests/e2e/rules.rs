//! Rules about fields, paths, hosts and traces, seen from both ends.

use portcullis_tests::certs::Authority;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::raw::talk;
use tempfile::TempDir;

/// Two sites before one upstream; `routes` follow.
async fn two_sites(routes: &str) -> (Answering, Edge) {
    let origin = Origin::start()
        .await
        .always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: origin\r\nX-Site: origin\r\nVary: Accept\r\n\r\nok");
    let config = format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = ["{}"]

        [site.shop]
        hosts = ["shop.example"]
        request_headers = {{ X-Site = "{{site}}", X-From = "site", X-Both = {{ add = "site" }} }}
        response_headers = {{ X-Site = "{{site}}", Server = false, X-Id = "{{request_id}}" }}

        [site.blog]
        hosts = ["blog.example"]
        {routes}
        "#,
        origin.endpoint()
    );
    let edge = Edge::start(&config).await;
    (origin, edge)
}

#[tokio::test]
async fn rules_of_the_site_hold_unless_the_route_says_otherwise() {
    let (origin, edge) = two_sites(
        r#"
        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"

        [[route]]
        match = "/own/**"
        name = "own"
        auth = "public"
        forward = "app"
        request_headers = { x-from = "{route} {method} {path}{query} {scheme} {client_address}", X-Both = { add = "route" } }
        response_headers = { X-Site = false, Server = "edge", Vary = { add = "Cookie" } }
        "#,
    )
    .await;
    let shop = edge.http().host("shop.example");

    let call = shop.get("/a").header("X-Both", "client").header("X-Site", "forged");
    let answer = call.send().await.expect_status(200);
    assert_eq!((answer.header("x-site"), answer.header("server")), (Some("shop"), None));
    assert_eq!(answer.header("x-id"), answer.header("x-request-id"));
    let head = origin.last().head;
    assert_eq!(head.all("x-site").collect::<Vec<_>>(), ["shop"], "{}", head.raw);
    assert_eq!(head.field("x-from"), Some("site"), "{}", head.raw);
    assert_eq!(head.all("x-both").collect::<Vec<_>>(), ["client", "site"], "{}", head.raw);

    let answer = shop.get("/own/%7Eb?c=d").send().await.expect_status(200);
    assert_eq!((answer.header("x-site"), answer.header("server")), (None, Some("edge")));
    let varies: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(varies, ["Accept", "Cookie"]);
    let head = origin.last().head;
    assert_eq!(head.field("x-from"), Some("own GET /own/%7Eb?c=d http 127.0.0.1"), "{}", head.raw);
    assert_eq!(head.all("x-both").collect::<Vec<_>>(), ["route"], "{}", head.raw);

    let answer = edge.http().host("blog.example").get("/a").send().await.expect_status(200);
    assert_eq!((answer.header("x-site"), answer.header("server")), (Some("origin"), Some("origin")));
    assert!(!origin.last().head.has("x-from"), "another site has no rules");
}

#[tokio::test]
async fn answers_of_the_edge_itself_follow_the_rules_too() {
    let (_origin, edge) = two_sites(
        r#"
        [issuer.any]
        iss = "https://issuer.example"
        audiences = ["api"]
        algorithms = ["HS256"]
        keys = { secret = "0123456789abcdef0123456789abcdef" }

        [[route]]
        match = "/closed"
        token_from = ["query:ticket"]
        respond = {}
        response_headers = { X-Asked = "{path}{query}", Cache-Control = "public, max-age=3600", WWW-Authenticate = false }

        [[route]]
        match = "/fixed"
        auth = "public"
        respond = { body = "fixed" }
        response_headers = { Cache-Control = "public, max-age=3600" }
        "#,
    )
    .await;
    let shop = edge.http().host("shop.example");
    let fixed = shop.get("/fixed").send().await.expect_status(200);
    assert_eq!((fixed.header("x-site"), fixed.header("cache-control")), (Some("shop"), Some("public, max-age=3600")));

    // Nobody may keep a refusal, and what it says of itself stays.
    let refused = shop.get("/closed?a=1&ticket=c2VjcmV0").send().await.expect_status(401);
    assert_eq!((refused.header("x-site"), refused.header("cache-control")), (Some("shop"), Some("no-store")));
    assert!(refused.header("www-authenticate").is_some(), "{refused:?}");
    assert_eq!(refused.header("x-asked"), Some("/closed?a=1"), "a token is not sent back");

    // Without a route the site still speaks, without a site nobody does.
    let lost = shop.get("/nowhere").send().await.expect_status(404);
    assert_eq!(lost.header("x-site"), Some("shop"));
    let odd = shop.get("/a/%2e%2e/b").send().await.expect_status(400);
    assert_eq!(odd.header("x-site"), Some("shop"));
    let unknown = edge.http().host("elsewhere.example").get("/fixed").send().await.expect_status(404);
    assert_eq!(unknown.header("x-site"), None);
}

#[tokio::test]
async fn a_dead_upstream_is_answered_with_the_rules_of_its_route() {
    let dead = Origin::start().await.address();
    let rules = "response_headers = { X-Frame-Options = \"DENY\", Retry-After = \"9999\" }";
    let edge = Edge::start(&format!("{}{rules}", forwarding_to(&dead.to_string()))).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    assert_eq!((answer.header("x-frame-options"), answer.header("retry-after")), (Some("DENY"), Some("1")));
}

#[tokio::test]
async fn the_subject_is_told_by_rules_and_never_by_a_client() {
    let guarded = Guarded::start("EdDSA", "[site.any]\nrequest_headers = { X-User = \"{subject}\" }").await;
    for (call, wanted) in [
        (guarded.edge.http().get("/x").bearer(&guarded.token("J\u{fc}rgen")), "J%C3%BCrgen"),
        (guarded.edge.http().get("/optional/x"), ""),
        (guarded.edge.http().get("/public/x"), ""),
    ] {
        let _ = call.header("X-User", "root").send().await.expect_status(200);
        let head = guarded.origin.last().head;
        assert_eq!(head.all("x-user").collect::<Vec<_>>(), [wanted], "{}", head.raw);
    }
}

#[tokio::test]
async fn rules_tell_how_the_client_came() {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = r#"
        [listener.https]
        address = "127.0.0.1:0"
        [site.main]
        tls = { certificate = "{folder}/localhost.pem", key = "${file:{folder}/localhost.key}" }
        response_headers = { X-Came = "{scheme} {tls_version} {host}" }
        [[route]]
        match = "/**"
        auth = "public"
        respond = {}
        "#;
    let edge = Edge::start_in(folder, config).await;
    let client = Client::https(edge.address("https"), authority.trusted());
    for client in [client.clone(), client.http2()] {
        let answer = client.get("/").send().await.expect_status(200);
        let came = format!("https TLSv1.3 localhost:{}", edge.address("https").port());
        assert_eq!(answer.header("x-came"), Some(came.as_str()));
    }
}

#[tokio::test]
async fn paths_are_changed_segment_by_segment() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"
        [upstream.app]
        endpoints = ["{}"]
        [[route]]
        match = "/api/**"
        auth = "public"
        forward = {{ upstream = "app", strip_prefix = "/api", add_prefix = "/v1" }}
        [[route]]
        match = "/cut/**"
        auth = "public"
        forward = {{ upstream = "app", strip_prefix = "/cut" }}
        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        origin.endpoint()
    );
    let edge = Edge::start(&config).await;
    for (target, wanted, prefix) in [
        ("/api/a%2Fb?x=%2F&y", "/v1/a%2Fb?x=%2F&y", Some("/api")),
        ("/api", "/v1", Some("/api")),
        ("/%61pi/x", "/v1/x", Some("/api")),
        ("/cut", "/", Some("/cut")),
        ("/cut?q=/cut", "/?q=/cut", Some("/cut")),
        ("/cut/cut/x/", "/cut/x/", Some("/cut")),
        ("/apix//%7E;a=b", "/apix//%7E;a=b", None),
    ] {
        let call = edge.http().get(target).header("X-Forwarded-Prefix", "/forged");
        let _ = call.send().await.expect_status(200);
        let head = origin.last().head;
        assert_eq!(head.target(), wanted, "{target}");
        assert_eq!(
            head.all("x-forwarded-prefix").collect::<Vec<_>>(),
            prefix.into_iter().collect::<Vec<_>>(),
            "{target}"
        );
    }
    let before = origin.received().len();
    for target in ["/cut//evil.example/", "/api;v=1/x", "//api/x", "/api%2Fx", "/cut/../api"] {
        let answer = edge.http().get(target).send().await.expect_status(400);
        assert_eq!(answer.edge_code(), "bad_path", "{target}");
    }
    assert_eq!(origin.received().len(), before, "nothing of it reached the upstream");
}

#[tokio::test]
async fn a_trusted_hop_has_cut_its_own_prefix_before() {
    let origin = Origin::start().await.always(ok("ok"));
    let trust = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let forward = format!("{trust}{}", forwarding_to(&origin.endpoint()))
        .replace("match = \"/**\"", "match = \"/api/**\"")
        .replace("forward = \"app\"", "forward = { upstream = \"app\", strip_prefix = \"/api\" }");
    let edge = Edge::start(&forward).await;
    for (told, wanted) in [("/outer", "/outer/api"), ("//evil.example", "/api")] {
        let _ = edge.http().get("/api/x").header("X-Forwarded-Prefix", told).send().await.expect_status(200);
        assert_eq!(origin.last().head.all("x-forwarded-prefix").collect::<Vec<_>>(), [wanted]);
    }
}

#[tokio::test]
async fn the_host_is_the_clients_the_upstreams_or_a_fixed_one() {
    let origin = Origin::start().await.always(ok("ok"));
    let endpoint = origin.endpoint();
    for (host, wanted) in
        [("preserve", "shop.example:8080"), ("upstream", endpoint.as_str()), ("app.internal:81", "app.internal:81")]
    {
        let forward = format!("forward = {{ upstream = \"app\", host = {host:?} }}");
        let edge = Edge::start(&forwarding_to(&endpoint).replace("forward = \"app\"", &forward)).await;
        let _ = edge.http().host("shop.example:8080").get("/").send().await.expect_status(200);
        let head = origin.last().head;
        assert_eq!(head.all("host").collect::<Vec<_>>(), [wanted], "{}", head.raw);
        assert_eq!(head.field("x-forwarded-host"), Some("shop.example:8080"), "{}", head.raw);
        assert!(
            head.field("forwarded").is_some_and(|told| told.contains("host=\"shop.example:8080\"")),
            "{}",
            head.raw
        );
    }
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[tokio::test]
async fn a_sound_trace_is_passed_on_and_logged() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/sound").header("Traceparent", PARENT);
    let _ = call.header("Tracestate", "a=1").header("Tracestate", "b=2").send().await.expect_status(200);
    let head = origin.last().head;
    assert_eq!(head.all("traceparent").collect::<Vec<_>>(), [PARENT]);
    assert_eq!(head.all("tracestate").collect::<Vec<_>>(), ["a=1", "b=2"]);
    let line = edge.log().line_with("/sound").await;
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
}

#[tokio::test]
async fn without_a_sound_trace_one_begins() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut seen = Vec::new();
    for (number, parents) in [&[][..], &["garbage"], &[PARENT, PARENT]].into_iter().enumerate() {
        let path = format!("/begun/{number}");
        let call = parents.iter().fold(edge.http().get(&path), |call, parent| call.header("traceparent", parent));
        let answer = call.header("tracestate", "a=1").send().await.expect_status(200);
        let head = origin.last().head;
        let [parent] = head.all("traceparent").collect::<Vec<_>>()[..] else { panic!("one parent: {}", head.raw) };
        let groups: Vec<_> = parent.split('-').collect();
        let [version, trace, span, flags] = groups[..] else { panic!("{parent}") };
        assert_eq!((version, trace.len(), span.len(), flags), ("00", 32, 16, "01"), "{parent}");
        assert_eq!(Some(trace), answer.header("x-request-id"), "found by one id as by the other");
        assert!(!head.has("tracestate"), "{}", head.raw);
        assert_eq!(edge.log().line_with(&path).await["trace_id"], trace);
        seen.extend([trace.to_owned(), span.to_owned()]);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6, "every id is new");
}

#[tokio::test]
async fn traces_can_be_left_to_the_client() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&format!("[server]\ntrace = false\n{}", forwarding_to(&origin.endpoint()))).await;
    let _ = edge.http().get("/with").header("traceparent", "garbage").send().await.expect_status(200);
    assert_eq!(origin.last().head.field("traceparent"), Some("garbage"));
    let _ = edge.http().get("/without").send().await.expect_status(200);
    assert!(!origin.last().head.has("traceparent"));
    assert!(edge.log().line_with("/without").await["trace_id"].is_null());
}

#[tokio::test]
async fn every_hop_stands_in_via() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let request = "GET / HTTP/1.0\r\nHost: a\r\nVia: 1.1 one, 2 two\r\nVia: 1.1 three\r\n\r\n";
    assert!(talk(edge.address("http"), request).await.contains("200"));
    let head = origin.last().head;
    assert_eq!(head.all("via").collect::<Vec<_>>(), ["1.1 one, 2 two", "1.1 three", "1.0 portcullis"]);
}
