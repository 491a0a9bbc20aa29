//! Introspection through the shipped configuration: the one route on which the edge hands `Authorization` on.

use portcullis_tests::stack::Stack;

#[tokio::test]
async fn who_shows_the_secret_is_told_whether_a_token_counts() {
    let mut secret = String::new();
    let stack = Stack::start_with(
        |config| {
            let file = config.state.join("introspection.key");
            serve::shared_key::load_or_create(&file, true).expect("a secret");
            secret = std::fs::read_to_string(&file).expect("text").trim().to_owned();
            config.tokens.introspection_secret = Some(file);
        },
        str::to_owned,
    )
    .await;
    let user = stack.register("alice").await;
    let ask = || {
        let call = stack.client().post("/api/token/introspect/");
        call.header("content-type", "application/x-www-form-urlencoded").body(format!("token={}", user.access))
    };
    let told = ask().bearer(&secret).send().await.expect_status(200).json();
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &"alice".into()));
    // A token of a user is no secret of a resource server.
    let _ = ask().bearer(&user.access).send().await.expect_status(401);
    let _ = ask().send().await.expect_status(401);

    let metadata = stack.client().get("/.well-known/oauth-authorization-server").send().await.expect_status(200).json();
    assert_eq!(metadata["introspection_endpoint"], "https://localhost:8443/api/token/introspect/");
}
