//! One line a request, written when its answer has ended, and nothing secret in it.

use portcullis_tests::certs::Authority;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;
use tempfile::TempDir;

#[tokio::test]
async fn a_line_tells_who_asked_for_what_and_how_it_went() {
    let origin = Origin::start().await.always(ok("hello"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = edge.http().host("shop.example").get("/a?b=c").send().await.expect_status(200);
    let id = answer.header("x-request-id").expect("an id");
    let line = edge.log().line_with(id).await;
    for (field, value) in [
        ("method", "GET"),
        ("host", "shop.example"),
        ("path", "/a"),
        ("query", "b=c"),
        ("client", "127.0.0.1"),
        ("upstream", "app"),
        ("route", "/**"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!((&line["status"], &line["bytes_sent"]), (&200.into(), &5.into()), "{line}");
    assert_eq!(edge.log().text().lines().count(), 1);
}

#[tokio::test]
async fn a_line_waits_for_the_end_of_the_body() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, exchange) = tokio::join!(edge.http().get("/long").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").await;
        exchange
    });
    assert_eq!(answer.read_until("half ").await, "half ");
    assert_eq!(edge.log().text(), "");
    exchange.reset();
    assert!(answer.collect().await.is_err());
    let line = edge.log().line_with("/long").await;
    assert_eq!((&line["status"], &line["bytes_sent"]), (&200.into(), &5.into()), "{line}");
    assert!(line["broke_off"].is_string(), "{line}");
}

#[tokio::test]
async fn an_error_of_the_edge_is_logged_with_its_code() {
    let dead = Origin::start().await.address();
    let edge = Edge::start(&forwarding_to(&dead.to_string())).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    let line = edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
    assert_eq!(line["code"].as_str(), Some(answer.edge_code().as_str()), "{line}");
}

/// What each format is called, and its lines of configuration.
const FORMATS: [(&str, &str); 4] = [
    ("json", "format = \"json\""),
    ("text", "format = \"text\""),
    ("combined", "format = \"combined\""),
    (
        "template",
        "format = \"template\"\ntemplate = \"{host} {target} {path} {query} {subject} {agent} {referer} {reason}\"",
    ),
];

#[tokio::test]
async fn no_token_and_no_cookie_is_ever_written() {
    for (name, format) in FORMATS {
        let guarded = Guarded::start("EdDSA", &format!("[log]\n{format}")).await;
        let token = guarded.token("alice");
        let client = guarded.edge.http();
        let cookie = format!("__Host-access={token}");
        let referer = format!("https://me:{token}@from.test/?access_token={token}&x#{token}");
        for call in [
            client.get("/x?marker=1").bearer(&token),
            client.get("/cookie/x?marker=2").header("Cookie", &cookie),
            client.get(&format!("/query/x?marker=3&access_token={token}")),
            client.get(&format!("/x?marker=4&access_token={token}&token={token}")),
            client.get("/x?marker=5").bearer(&format!("{token}x")),
            client.get("/public/x?marker=6").header("Referer", &referer).header("X-Auth-Assertion", &token),
        ] {
            let _ = call.send().await;
        }
        for marker in 1..=6 {
            let _ = guarded.edge.log().text_with(&format!("marker={marker}")).await;
        }
        let signature = token.rsplit('.').next().expect("a signature");
        let log = guarded.edge.log().text();
        assert!(log.contains("alice"), "{name} names the user: {log}");
        assert!(!log.contains(signature), "{name}: {log}");
    }
}

#[tokio::test]
async fn a_combined_line_names_the_user() {
    let guarded = Guarded::start("EdDSA", "[log]\nformat = \"combined\"").await;
    let token = guarded.token("alice \"a\" b");
    let call = guarded.edge.http().get("/x?a=b").bearer(&token).header("User-Agent", "test/1");
    let _ = call.header("Referer", "https://from.test/").send().await.expect_status(200);
    let line = guarded.edge.log().text_with("/x?a=b").await;
    let (before, rest) = line.split_once('[').expect("a time");
    assert_eq!(before, "127.0.0.1 - alice\\x20\\x22a\\x22\\x20b ");
    let (_, after) = rest.split_once(']').expect("a time");
    assert_eq!(after, " \"GET /x?a=b HTTP/1.1\" 200 2 \"https://from.test/\" \"test/1\"");
}

/// Programs find words such as ` code=` in the line for people, so nobody may write one: not by `Host`, not by a path or
/// its query, not by the subject of a token.
#[tokio::test]
async fn a_text_line_has_no_words_of_a_client() {
    let guarded = Guarded::start("EdDSA", "[log]\nformat = \"text\"").await;
    let token = guarded.token("alice code=forged reason=\"forged\"");
    let _ = guarded.edge.http().get("/x?marker=1").bearer(&token).send().await.expect_status(200);
    let line = guarded.edge.log().text_with("marker=1").await;
    assert!(line.contains("/x?marker=1 HTTP/1.1 200 "), "{line}");
    assert!(line.contains(" subject=alice\\x20code=forged\\x20reason=\\x22forged\\x22 id="), "{line}");

    let request = "GET /\"x?marker=2 HTTP/1.1\r\nHost: a code=forged reason=\"forged\"\r\nConnection: close\r\n\r\n";
    let answer = talk(guarded.edge.address("http"), request).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let line = guarded.edge.log().text_with("marker=2").await;
    assert!(
        line.contains(" GET a\\x20code=forged\\x20reason=\\x22forged\\x22/\\x22x?marker=2 HTTP/1.1 400 "),
        "{line}"
    );
    assert!(line.contains(" code=bad_host reason=\""), "{line}");
    assert!(!guarded.edge.log().text().contains(" code=forged"));
}

/// The times of one request are nested: connect and first byte are parts of what the upstream took, and that of the
/// whole; and an upstream's time goes on until the end of its body.
#[tokio::test]
async fn a_line_tells_where_the_time_and_the_bytes_went() {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint());
    let edge = Edge::start(&format!("{config}\n[site.main]\n")).await;
    let (mut answer, exchange) = tokio::join!(edge.http().post("/timed").body("12345").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.read_body().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").await;
        exchange
    });
    assert_eq!(answer.read_until("half ").await, "half ");
    exchange.reply("more.").await;
    assert_eq!(answer.collect().await.expect("whole").text(), "more.");
    let line = edge.log().line_with("/timed").await;
    for (field, value) in [("bytes_received", 5), ("bytes_sent", 10), ("attempts", 1), ("status", 200)] {
        assert_eq!(line[field], value, "{line}");
    }
    for (field, value) in [("site", "main"), ("protocol", "HTTP/1.1"), ("endpoint", origin.endpoint().as_str())] {
        assert_eq!(line[field], value, "{line}");
    }
    assert!(line.get("tls_version").is_none() && line.get("code").is_none(), "{line}");
    let [connect, first_byte, upstream, whole] = ["connect_ms", "first_byte_ms", "upstream_ms", "duration_ms"]
        .map(|field| line[field].as_f64().unwrap_or_else(|| unreachable!("{field} in {line}")));
    assert!(0.0 < connect && connect <= first_byte && first_byte < upstream && upstream <= whole, "{line}");

    // A connection that is used again costs no connect.
    let (_, ()) = tokio::join!(edge.http().get("/again").send(), async {
        origin.exchange().await.reply_text("ok").await;
    });
    let line = edge.log().line_with("/again").await;
    assert!(line.get("connect_ms").is_none() && line["upstream_ms"].is_number(), "{line}");
    assert_eq!(line["bytes_received"], 0);
}

#[tokio::test]
async fn a_line_tells_what_was_spoken() {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let config = r#"
        [listener.https]
        address = "127.0.0.1:0"

        [site.main]
        tls = { certificate = "{folder}/localhost.pem", key = "${file:{folder}/localhost.key}" }

        [[route]]
        match = "/**"
        name = "greeting"
        auth = "public"
        respond = { body = "hello" }
    "#;
    let edge = Edge::start_in(folder, config).await;
    let client = Client::https(edge.address("https"), authority.trusted()).http2();
    let _ = client.get("/spoken").send().await.expect_status(200);
    let line = edge.log().line_with("/spoken").await;
    for (field, value) in [("tls_version", "TLSv1.3"), ("protocol", "HTTP/2"), ("route", "greeting"), ("site", "main")]
    {
        assert_eq!(line[field], value, "{line}");
    }
    for field in ["upstream", "endpoint", "attempts", "connect_ms", "first_byte_ms", "upstream_ms", "peer"] {
        assert!(line.get(field).is_none(), "{field} in {line}");
    }
}

/// Both directions of a tunnel are counted, and its line waits for its end.
#[tokio::test]
async fn a_tunnel_is_one_line() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/tunnel").header("Connection", "upgrade").header("Upgrade", "websocket");
    let call = call.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let (answer, server) = tokio::join!(call.open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        exchange.into_raw()
    });
    let (mut client, mut server) = (answer.upgrade().await, server);
    client.send("up").await;
    server.send("down!").await;
    client.finish().await;
    server.finish().await;
    assert_eq!((server.read_to_close().await, client.read_to_close().await), ("up".into(), "down!".into()));
    let line = edge.log().line_with("/tunnel").await;
    assert_eq!((&line["status"], &line["bytes_received"], &line["bytes_sent"]), (&101.into(), &2.into(), &5.into()));
}
