//! The shipped site under the shipped configuration.

use portcullis_tests::client::Client;
use portcullis_tests::stack::Stack;

#[tokio::test]
async fn the_front_page_comes_over_tls_and_plain_http_leads_to_it() {
    let stack = Stack::start().await;
    for client in [stack.client(), stack.client().http2()] {
        let page = client.get("/").send().await.expect_status(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'self'")));
        assert!(page.text().contains("<title>"), "{}", page.text());
    }
    let plain = Client::http(stack.edge.address("http")).host("localhost:8080").get("/?a=b").send().await;
    assert_eq!(plain.expect_status(308).header("location"), Some("https://localhost:8443/?a=b"));
}

#[tokio::test]
async fn the_description_of_the_api_is_public() {
    let stack = Stack::start().await;
    let document = stack.client().get("/api/openapi.json").send().await.expect_status(200).json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    for path in ["/api/token/", "/api/me/", "/api/notes/"] {
        assert!(document["paths"][path].is_object(), "{path} is described");
    }
}

#[tokio::test]
async fn both_servers_say_that_they_are_ready() {
    let stack = Stack::start().await;
    for client in [stack.edge.admin(), stack.application()] {
        for path in ["/livez", "/readyz"] {
            let _ = client.get(path).send().await.expect_status(200);
        }
    }
}
