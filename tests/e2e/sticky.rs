//! Clients that come back to their endpoint: by a sealed cookie, or by what they have in common.

use portcullis_tests::answer::Answer;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};

async fn servers() -> [Answering; 3] {
    let mut servers = Vec::new();
    for name in ["one", "two", "three"] {
        servers.push(Origin::start().await.always(ok(name)));
    }
    servers.try_into().unwrap_or_else(|_| unreachable!("three"))
}

fn config(servers: &[Answering], keys: &str) -> String {
    let endpoints: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.endpoint())).collect();
    format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = [{}]
        {keys}

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        endpoints.join(", ")
    )
}

const STICKY: &str = "balance = \"round-robin\"\nsticky = { cookie = \"home\", key = { file = \"{folder}/sticky.key\", create = true } }";

async fn get(edge: &Edge, name: &str, value: &str) -> Answer {
    edge.http().get("/").header(name, value).send().await.expect_status(200)
}

/// The pair of the cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let field = answer.header("set-cookie").expect("a cookie");
    assert!(field.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"), "{field}");
    field.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_cookie_brings_a_client_back_and_says_nothing() {
    let servers = servers().await;
    let edge = Edge::start(&config(&servers, STICKY)).await;
    let first = edge.http().get("/").send().await.expect_status(200);
    let pair = cookie(&first);
    let port = servers[0].endpoint().rsplit_once(':').expect("a port").1.to_owned();
    assert!(pair.starts_with("home=") && !pair.contains(&port), "{pair}");
    for _ in 0..5 {
        let again = get(&edge, "cookie", &format!("a=b; {pair}")).await;
        assert_eq!(again.text(), first.text());
        assert_eq!(again.header("set-cookie"), None, "it has one already");
    }
    assert_ne!(edge.http().get("/").send().await.text(), first.text(), "a new client is balanced");
    let forged = get(&edge, "cookie", "home=AAAA").await;
    let _ = cookie(&forged);
}

#[tokio::test]
async fn a_client_whose_endpoint_is_gone_gets_another_one_for_good() {
    let mut servers = Vec::from(servers().await);
    let edge = Edge::start(&config(&servers, STICKY)).await;
    let first = edge.http().get("/").send().await.expect_status(200);
    let home = ["one", "two", "three"].iter().position(|name| *name == first.text()).expect("a name");
    drop(servers.remove(home));
    let moved = get(&edge, "cookie", &cookie(&first)).await;
    assert_ne!(moved.text(), first.text());
    let pair = cookie(&moved);
    for _ in 0..3 {
        assert_eq!(get(&edge, "cookie", &pair).await.text(), moved.text());
    }
}

/// A shared cache would hand one client's cookie to all.
#[tokio::test]
async fn an_answer_that_sets_the_cookie_is_for_its_client_only() {
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60, s-maxage=600\r\nCDN-Cache-Control: max-age=600\r\n\
        Content-Length: 2\r\n\r\nok";
    let server = Origin::start().await.always(answer);
    let servers = [server];
    // The last word is a rule's, but for this.
    for (rule, of_the_application) in
        [("", true), ("response_headers = { cache-control = \"public, max-age=60\" }", false)]
    {
        let config = config(&servers, STICKY).replace("forward = \"app\"", &format!("forward = \"app\"\n{rule}"));
        let edge = Edge::start(&config).await;
        let first = edge.http().get("/").send().await.expect_status(200);
        let pair = cookie(&first);
        assert_eq!(first.header("cache-control"), Some("private, max-age=60"));
        assert_eq!(first.header("cdn-cache-control"), None);
        let again = get(&edge, "cookie", &pair).await;
        assert_eq!(again.header("set-cookie"), None);
        let said = if of_the_application { "public, max-age=60, s-maxage=600" } else { "public, max-age=60" };
        assert_eq!(again.header("cache-control"), Some(said), "for everybody");
        assert_eq!(again.header("cdn-cache-control"), Some("max-age=600"));
    }
}

#[tokio::test]
async fn requests_with_the_same_field_go_to_the_same_endpoint() {
    let servers = servers().await;
    let edge = Edge::start(&config(&servers, "balance = \"hash\"\nhash_by = \"header:X-Tenant\"")).await;
    let mut homes = std::collections::BTreeSet::new();
    for tenant in 0..20 {
        let tenant = format!("tenant {tenant}");
        let home = get(&edge, "x-tenant", &tenant).await.text().to_owned();
        for _ in 0..3 {
            assert_eq!(get(&edge, "x-tenant", &tenant).await.text(), home);
        }
        homes.insert(home);
    }
    assert_eq!(homes.len(), 3, "twenty tenants use all of them");
}
