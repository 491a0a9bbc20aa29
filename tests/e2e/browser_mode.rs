//! Browser mode through the edge: the application sets the cookies, the edge reads one of them, and both ask for the same
//! proof that a page of this site is behind a change.

use portcullis_app::config::BrowserConfig;
use portcullis_tests::answer::Answer;
use portcullis_tests::stack::Stack;
use serde_json::json;
use std::collections::BTreeMap;

/// Name to value.
type Jar = BTreeMap<String, String>;

fn keep(jar: &mut Jar, answer: &Answer) {
    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().expect("text");
        let (name, rest) = cookie.split_once('=').expect("a pair");
        let value = rest.split(';').next().expect("a value");
        if value.is_empty() {
            jar.remove(name)
        } else {
            jar.insert(name.to_owned(), value.to_owned())
        };
    }
}

fn line(jar: &Jar) -> String {
    jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_page_works_with_cookies_alone_and_another_site_does_not() {
    let origins = vec!["https://localhost:8443".parse().expect("an origin")];
    let stack = Stack::start_with(
        |config| config.tokens.browser = Some(BrowserConfig { origins }),
        |shipped| {
            let route = "match = \"/api/**\"\n";
            assert!(shipped.contains(route));
            shipped.replacen(route, &format!("{route}token_from = [\"header\", \"cookie:__Host-access\"]\n"), 1)
        },
    )
    .await;
    let client = stack.client();
    let credentials = json!({"username": "alice", "password": "correct horse"});
    let _ = client.post("/api/register/").json(&credentials).send().await.expect_status(201);

    let sign_in = client.post("/api/token/").header("sec-fetch-site", "same-origin").json(&credentials).send().await;
    let sign_in = sign_in.expect_status(200);
    assert!(!sign_in.text().contains("eyJ"), "no token in the body");
    let mut jar = Jar::new();
    keep(&mut jar, &sign_in);
    assert_eq!(jar.keys().collect::<Vec<_>>(), ["__Host-access", "__Host-csrf", "__Host-refresh"]);

    let me = client.get("/api/me/").header("cookie", &line(&jar)).send().await.expect_status(200).json();
    assert_eq!(me["username"], "alice");

    // A change needs the proof, at the edge and, for what comes with the refresh cookie, in the application.
    for path in ["/api/logout/", "/api/token/refresh/", "/api/token/blacklist/"] {
        let post = || client.post(path).header("cookie", &line(&jar));
        let _ = post()
            .header("sec-fetch-site", "cross-site")
            .header("x-csrf-token", &jar["__Host-csrf"])
            .send()
            .await
            .expect_status(403);
        let _ = post().header("sec-fetch-site", "same-origin").send().await.expect_status(403);
    }
    let prove = |jar: &Jar, path: &str| {
        let call = client.post(path).header("cookie", &line(jar)).header("sec-fetch-site", "same-origin");
        call.header("x-csrf-token", &jar["__Host-csrf"])
    };
    let refreshed = prove(&jar, "/api/token/refresh/").send().await.expect_status(200);
    let before = jar.clone();
    keep(&mut jar, &refreshed);
    assert_ne!(jar, before);
    // The new CSRF token, which the application has made, is one that the edge takes.
    let out = prove(&jar, "/api/logout/").send().await.expect_status(204);
    let left = jar.clone();
    keep(&mut jar, &out);
    assert!(jar.is_empty(), "{jar:?}");
    let _ = prove(&left, "/api/token/refresh/").send().await.expect_status(401);
}
