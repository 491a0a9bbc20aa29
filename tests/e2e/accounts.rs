//! Sign in, stay signed in, sign out: the token service through the edge, as a client written for simplejwt uses it.

use portcullis_tests::stack::Stack;
use portcullis_tests::tokens::{claims_of, header_of};
use serde_json::json;

#[tokio::test]
async fn a_user_registers_signs_in_and_is_known_by_name() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let me = stack.client().get("/api/me/").bearer(&user.access).send().await.expect_status(200).json();
    assert_eq!((&me["username"], &me["role"]), (&json!("alice"), &json!("user")));
    let claims = claims_of(&user.access);
    assert_eq!((&claims["token_type"], &claims["sub"]), (&json!("access"), &me["id"]));
    assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), 300);
    assert_eq!((&header_of(&user.access)["alg"], &header_of(&user.access)["typ"]), (&json!("EdDSA"), &json!("JWT")));
}

#[tokio::test]
async fn without_a_token_the_edge_asks_for_one() {
    let stack = Stack::start().await;
    for path in ["/api/me/", "/api/notes/", "/api/events/", "/api/attachments/x/"] {
        let answer = stack.client().get(path).send().await.expect_status(401);
        assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")), "{path}");
    }
}

#[tokio::test]
async fn wrong_credentials_look_alike() {
    let stack = Stack::start().await;
    let _ = stack.register("alice").await;
    let mut answers = Vec::new();
    for (username, password) in [("alice", "wrong password"), ("nobody", "wrong password")] {
        let body = json!({ "username": username, "password": password });
        answers.push(stack.client().post("/api/token/").json(&body).send().await.expect_status(401).json());
    }
    assert_eq!(answers[0], json!({ "detail": "No active account found with the given credentials" }));
    assert_eq!(answers[0], answers[1]);
    let incomplete = stack.client().post("/api/token/").json(&json!({ "username": "alice" })).send().await;
    assert_eq!(incomplete.expect_status(400).json(), json!({ "password": ["This field is required."] }));
}

#[tokio::test]
async fn a_refresh_rotates_and_a_second_use_gets_the_same_successor() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let body = json!({ "refresh": user.refresh });
    let refresh = || stack.client().post("/api/token/refresh/").json(&body).send();
    let (first, second) = tokio::join!(refresh(), refresh());
    let (first, second) = (first.expect_status(200).json(), second.expect_status(200).json());
    assert_ne!(first["refresh"], json!(user.refresh), "the token rotates");
    assert_eq!(first["refresh"], second["refresh"], "two tabs share one successor");
    let access = first["access"].as_str().expect("an access token");
    let _ = stack.client().get("/api/me/").bearer(access).send().await.expect_status(200);
}

#[tokio::test]
async fn a_refresh_token_opens_nothing_but_the_refresh() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let _ = stack.client().get("/api/me/").bearer(&user.refresh).send().await.expect_status(401);
    let wrong = stack.client().post("/api/token/refresh/").json(&json!({ "refresh": user.access })).send().await;
    assert_eq!(wrong.expect_status(401).json()["code"], "token_not_valid");
}

#[tokio::test]
async fn verify_and_blacklist() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let refresh = json!({ "refresh": user.refresh });
    let token = json!({ "token": user.refresh });
    let client = stack.client();
    assert_eq!(client.post("/api/token/verify/").json(&token).send().await.expect_status(200).json(), json!({}));
    let _ = client.post("/api/token/blacklist/").json(&refresh).send().await.expect_status(200);
    let _ = client.post("/api/token/verify/").json(&token).send().await.expect_status(401);
    let used = client.post("/api/token/refresh/").json(&refresh).send().await.expect_status(401).json();
    assert_eq!(used["code"], "token_not_valid");
}

#[tokio::test]
async fn administration_is_for_the_admin_role() {
    let stack = Stack::start().await;
    let (admin, user) = (stack.sign_in_demo().await, stack.register("alice").await);
    let client = stack.client();
    let refused = client.get("/api/admin/users/").bearer(&user.access).send().await.expect_status(403);
    assert_eq!(refused.edge_code(), "insufficient_scope");

    let listed = client.get("/api/admin/users/").bearer(&admin.access).send().await.expect_status(200).json();
    let items = listed["items"].as_array().expect("a list");
    let alice = items.iter().find(|item| item["username"] == "alice").expect("the new user is listed");
    let disable = format!("/api/admin/users/{}/disable/", alice["id"].as_str().expect("an id"));
    let disabled = client.post(&disable).bearer(&admin.access).send().await.expect_status(200).json();
    assert_eq!(disabled["active"], json!(false));
    let again = json!({ "username": "alice", "password": user.password });
    let _ = client.post("/api/token/").json(&again).send().await.expect_status(401);
    let refresh = json!({ "refresh": user.refresh });
    let _ = client.post("/api/token/refresh/").json(&refresh).send().await.expect_status(401);
}

#[tokio::test]
async fn registration_names_every_mistake() {
    let stack = Stack::start().await;
    let _ = stack.register("alice").await;
    let client = stack.client();
    let bad = client.post("/api/register/").json(&json!({ "username": "a b", "password": "short" })).send().await;
    let problem = bad.expect_status(400).json();
    assert_eq!(problem["code"], "validation");
    for field in ["username", "password"] {
        assert!(problem["errors"][field].is_array(), "{problem}");
    }
    let taken =
        client.post("/api/register/").json(&json!({ "username": "ALICE", "password": "long enough 1" })).send().await;
    assert_eq!(taken.expect_status(409).json()["code"], "username_taken");
}

#[tokio::test]
async fn the_published_keys_verify_what_is_signed() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let set = stack.client().get("/.well-known/jwks.json").send().await.expect_status(200).json();
    let wanted = header_of(&user.access)["kid"].clone();
    let key = set["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == wanted).expect("the signing key");
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert!(key.get("d").is_none(), "the private half stays at home");
}

#[tokio::test]
async fn the_application_believes_the_edge_only() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let direct = stack.application();
    for call in [
        direct.get("/api/me/").bearer(&user.access),
        direct.get("/api/me/").header("X-Auth-Subject", "alice"),
        direct.get("/api/me/").header("X-Auth-Assertion", &user.access),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, 401, "reaching the application's port grants nothing: {answer:?}");
    }
}
