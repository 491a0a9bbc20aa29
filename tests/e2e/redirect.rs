//! Answers that the edge makes alone: to https, elsewhere, a fixed text, and that there is nothing.

use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::raw::talk;

const CONFIG: &str = r#"
    [listener.http]
    address = "127.0.0.1:0"

    [listener.secure]
    address = "127.0.0.1:0"
    redirect_to_https = 8443

    [[route]]
    match = "/old/**"
    auth = "public"
    redirect = { to = "https://new.example{path}{query}", status = 301 }

    [[route]]
    match = "/hello"
    auth = "public"
    respond = { status = 203, body = "hello", content_type = "text/x-hello" }
"#;

#[tokio::test]
async fn plain_http_is_sent_to_https() {
    let edge = Edge::start(CONFIG).await;
    let client = Client::http(edge.address("secure"));
    for (host, target, location) in [
        ("shop.example", "/a%2Fb?c=d", "https://shop.example:8443/a%2Fb?c=d"),
        ("shop.example:8080", "/", "https://shop.example:8443/"),
        ("[::1]:8080", "/", "https://[::1]:8443/"),
    ] {
        let answer = client.clone().host(host).get(target).send().await.expect_status(308);
        assert_eq!(answer.header("location"), Some(location));
    }
}

#[tokio::test]
async fn a_route_redirects_with_path_and_query() {
    let edge = Edge::start(CONFIG).await;
    let answer = edge.http().get("/old/a%20b?c").send().await.expect_status(301);
    assert_eq!(answer.header("location"), Some("https://new.example/old/a%20b?c"));
}

/// `*` is the server as a whole: `https://host*` would be another host.
#[tokio::test]
async fn the_server_as_a_whole_is_sent_to_the_root() {
    let route = "[[route]]\nmatch = \"/**\"\nauth = \"public\"\nredirect = { to = \"https://{host}{path}\" }\n";
    let (listeners, _) = CONFIG.split_once("[[route]]").expect("routes");
    let edge = Edge::start(&format!("{listeners}{route}")).await;
    for (listener, location) in [("secure", "https://shop.example:8443/"), ("http", "https://shop.example/")] {
        let request = "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
        let answer = talk(edge.address(listener), request).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 30"), "{answer}");
        assert!(answer.contains(&format!("\r\nlocation: {location}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn a_route_answers_a_fixed_text() {
    let edge = Edge::start(CONFIG).await;
    let answer = edge.http().get("/hello").send().await.expect_status(203);
    assert_eq!((answer.text(), answer.header("content-type")), ("hello", Some("text/x-hello")));
    let head = edge.http().call("HEAD", "/hello").send().await.expect_status(203);
    assert_eq!((head.text(), head.header("content-length")), ("", Some("5")));
}

#[tokio::test]
async fn no_route_is_404_with_its_code() {
    let edge = Edge::start(CONFIG).await;
    let answer = edge.http().get("/nothing").send().await.expect_status(404);
    assert_eq!(answer.edge_code(), "no_route");
}
