//! The link: who may listen, what is told, and what a stream that broke off goes on with.

use crate::app::App;
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_app::link::STREAMS_MAX;
use serde_json::{Value, json};
use serve::contract::link::{Claims, PATH, PROOF, REQUEST_TYPE, proof_text};
use tower::ServiceExt;

fn claims() -> Claims {
    let now = u64::try_from(Timestamp::now().as_second()).expect("after 1970");
    Claims { aud: "app".to_owned(), iat: now, exp: now + 30, jti: uuid::Uuid::new_v4().to_string() }
}

fn sign(claims: &Claims, typ: &str, key: &EncodingKey) -> String {
    let header = Header { typ: Some(typ.to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, key).expect("signed")
}

async fn ask(app: &App, token: &str, seen: Option<&str>) -> Response<Body> {
    let mut request = Request::get(PATH).header("authorization", format!("Bearer {token}"));
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen);
    }
    app.application.router().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

struct Listener {
    body: BodyDataStream,
    /// The id that was seen last.
    id: String,
}

impl Listener {
    async fn open(app: &App, seen: Option<&str>) -> Self {
        let response = ask(app, &sign(&claims(), REQUEST_TYPE, app.key()), seen).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), id: String::new() }
    }

    /// The next event but heartbeats; none at the end.
    async fn hear(&mut self) -> Option<(String, Value)> {
        loop {
            let bytes = self.body.next().await?.expect("an event");
            let text = std::str::from_utf8(&bytes).expect("text");
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let Some(id) = field("id: ") {
                self.id = id;
            }
            let name = field("event: ").expect("a name");
            if name != "heartbeat" {
                return Some((name, serde_json::from_str(&field("data: ").expect("data")).expect("JSON")));
            }
        }
    }

    async fn expect(&mut self, name: &str) -> Value {
        let (found, data) = self.hear().await.expect("an event");
        assert_eq!(found, name, "{data}");
        data
    }
}

async fn sign_out(app: &App, name: &str) -> String {
    let refresh = app.sign_in(name).await["refresh"].clone();
    let answer = app.post("/api/token/blacklist/", json!({ "refresh": refresh })).await;
    assert_eq!(answer.status, StatusCode::OK);
    refresh.as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn who_holds_the_key_listens_and_nobody_else() {
    let app = App::new().await;
    let good = claims();
    let response = ask(&app, &sign(&good, REQUEST_TYPE, app.key()), None).await;
    assert_eq!(response.status(), StatusCode::OK);
    let key = serve::shared_key::load_or_create(app.folder().join("edge.key"), false).expect("the key");
    let mac = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key),
        proof_text(&good.jti).as_bytes(),
    );
    use base64::Engine as _;
    let proof = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac);
    assert_eq!(response.headers()[&PROOF], proof, "the application holds the key too");

    let stranger = EncodingKey::from_secret(&[7; 32]);
    for (why, token) in [
        ("used before", sign(&good, REQUEST_TYPE, app.key())),
        ("another key", sign(&claims(), REQUEST_TYPE, &stranger)),
        ("an assertion", sign(&claims(), "edge-assertion+jwt", app.key())),
        ("another upstream", sign(&Claims { aud: "other".into(), ..claims() }, REQUEST_TYPE, app.key())),
        ("too old", sign(&Claims { exp: good.iat - 10, ..claims() }, REQUEST_TYPE, app.key())),
        ("nothing", String::new()),
    ] {
        assert_eq!(ask(&app, &token, None).await.status(), StatusCode::UNAUTHORIZED, "{why}");
    }
}

#[tokio::test]
async fn a_stream_begins_with_a_snapshot_and_tells_what_happens() {
    let app = App::new().await;
    sign_out(&app, "ada").await;
    let mut edge = Listener::open(&app, None).await;
    assert_eq!(edge.expect("hello").await["in_flight_max"], 100);
    assert_eq!(edge.expect("keys").await["keys"][0]["kty"], "OKP");
    let snapshot = edge.expect("revocations").await;
    assert_eq!(snapshot["entries"].as_array().expect("entries").len(), 1);
    assert_eq!(snapshot["entries"][0]["kind"], "session");
    edge.expect("ready").await;
    let before = edge.id.clone();
    sign_out(&app, "bob").await;
    let told = edge.expect("revoke").await;
    assert_eq!((&told["kind"], &told["previous"]), (&json!("session"), &json!(before)));
    assert!(told["at_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000));
    app.application.begin_drain(false);
    edge.expect("draining").await;
    assert_eq!(edge.hear().await, None, "the stream ends");
}

#[tokio::test]
async fn a_stream_resumes_where_it_broke_off_or_begins_anew() {
    let app = App::new().await;
    sign_out(&app, "zoe").await;
    let mut edge = Listener::open(&app, None).await;
    for name in ["hello", "keys", "revocations", "ready"] {
        edge.expect(name).await;
    }
    let seen = edge.id.clone();
    drop(edge);
    sign_out(&app, "ada").await;
    sign_out(&app, "bob").await;
    let mut edge = Listener::open(&app, Some(&seen)).await;
    for name in ["hello", "keys", "revoke", "revoke", "ready"] {
        edge.expect(name).await;
    }
    for unknown in ["0-", "2-0123456789abcdef", "9-x", "nonsense"] {
        let mut edge = Listener::open(&app, Some(unknown)).await;
        for name in ["hello", "keys"] {
            edge.expect(name).await;
        }
        assert_eq!(edge.expect("revocations").await["entries"].as_array().expect("entries").len(), 3, "{unknown}");
    }
}

#[tokio::test]
async fn another_process_on_the_same_database_is_heard_too() {
    let app = App::new().await;
    let mut edge = Listener::open(&app, None).await;
    for name in ["hello", "keys", "revocations", "ready"] {
        edge.expect(name).await;
    }
    app.execute("UPDATE revocation_counter SET sequence = 1, mark = 'm'").await;
    app.execute(
        "INSERT INTO revocations (sequence, mark, kind, value, before, until, written)
         VALUES (1, 'm', 'kid', 'k', NULL, 9000000000000, 0)",
    )
    .await;
    let told = edge.expect("revoke").await;
    assert_eq!((&told["kind"], &told["value"], edge.id.as_str()), (&json!("kid"), &json!("k"), "1-m"));
}

#[tokio::test]
async fn a_long_snapshot_comes_in_parts() {
    let app = App::new().await;
    app.execute(
        "INSERT INTO revocations (sequence, mark, kind, value, before, until, written)
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
         SELECT n, 'm', 'jti', 'token-' || n, NULL, 9000000000000, 0 FROM n",
    )
    .await;
    app.execute("UPDATE revocation_counter SET sequence = 1200, mark = 'm'").await;
    let mut edge = Listener::open(&app, None).await;
    for name in ["hello", "keys"] {
        edge.expect(name).await;
    }
    let mut parts = Vec::new();
    while parts.last() != Some(&200) {
        assert_eq!(edge.id, "", "only the last part has an id");
        let part = edge.expect("revocations").await;
        parts.push(part["entries"].as_array().expect("entries").len());
    }
    assert_eq!((parts, edge.id.as_str()), (vec![500, 500, 200], "1200-m"));
}

#[tokio::test]
async fn edges_are_bounded() {
    let app = App::new().await;
    let mut open = Vec::new();
    for _ in 0..STREAMS_MAX {
        open.push(Listener::open(&app, None).await);
    }
    let token = sign(&claims(), REQUEST_TYPE, app.key());
    assert_eq!(ask(&app, &token, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    Listener::open(&app, None).await;
}

/// The three steps of a rotation: both keys are good, the edge signs with the other one, the old one goes.
#[tokio::test]
async fn the_shared_key_is_replaced_without_a_restart() {
    use base64::Engine as _;
    let app = App::new().await;
    let file = app.folder().join("edge.key");
    let old = std::fs::read_to_string(&file).expect("a key").trim().to_owned();
    let line = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([7; 32]);
    let new = EncodingKey::from_secret(&[7; 32]);
    let id = app.post("/api/register/", json!({"username": "ada", "password": "correct horse"})).await.string("id");
    let status = async |key: &EncodingKey| {
        let stated = crate::app::assertion("GET", "/api/me/", &id);
        let header = Header { typ: Some("edge-assertion+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
        app.get_with("/api/me/", &jsonwebtoken::encode(&header, &stated, key).expect("signed")).await.status
    };
    assert_eq!((status(app.key()).await, status(&new).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    std::fs::write(&file, format!("{old}\n{line}\n")).expect("both");
    while status(&new).await != StatusCode::OK {
        assert_eq!(status(app.key()).await, StatusCode::OK, "the old key goes on");
    }
    assert_eq!(status(app.key()).await, StatusCode::OK);
    std::fs::write(&file, format!("{line}\n")).expect("the new one");
    while status(app.key()).await != StatusCode::UNAUTHORIZED {
        assert_eq!(status(&new).await, StatusCode::OK, "the new key goes on");
    }
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let app = App::new().await;
    let id = app.post("/api/register/", json!({"username": "ada", "password": "correct horse"})).await.string("id");
    let stated = crate::app::assertion("GET", "/api/me/", &id);
    let header = Header { typ: Some("edge-assertion+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    let assertion = jsonwebtoken::encode(&header, &stated, app.key()).expect("signed");
    assert_eq!(app.get_with("/api/me/", &assertion).await.status, StatusCode::OK);
    assert_eq!(app.get_with("/api/me/", &assertion).await.status, StatusCode::UNAUTHORIZED, "a copy");
}
