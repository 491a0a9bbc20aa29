//! One application on a database of its own, and requests to it as the edge would send them.

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode, request};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_app::config::{Config, DatabaseUrl, EdgeConfig, SignInConfig, TokensConfig};
use portcullis_app::domain::revocation::RevocationKind;
use portcullis_app::service::{self, Application};
use portcullis_app::store::{Database, RevocationStore};
use serde_json::{Value, json};
use serve::contract::forwarded::X_FORWARDED_FOR;
use serve::contract::identity::{ASSERTION_TYPE, Assertion, Identity, X_AUTH_ASSERTION};
use serve::contract::request_id::X_REQUEST_ID;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ISSUER: &str = "https://id.test";
const REQUEST_ID: &str = "test-request-1";

/// An application with its state.
pub(crate) struct App {
    pub(crate) application: Application,
    key: EncodingKey,
    pub(crate) folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn string(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {}", self.text)).to_owned()
    }
}

pub(crate) fn config(state: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        threads: NonZeroUsize::MIN.saturating_add(1),
        database: DatabaseUrl::Sqlite(state.join("app.db")),
        state: state.to_owned(),
        request_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(10),
        in_flight_max: 100,
        connections_max: 100,
        access_log: None,
        attachment_bytes_max: 1024,
        edge: EdgeConfig {
            assertion_key: state.join("edge.key"),
            assertion_key_create: true,
            upstream_name: "app".to_owned(),
        },
        tokens: TokensConfig::new(ISSUER.to_owned(), "api".to_owned()),
        sign_in: SignInConfig::default(),
        demo: None,
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        change(&mut config);
        let application = service::build(config).await.expect("an application");
        let key = serve::shared_key::load_or_create(folder.path().join("edge.key"), false).expect("the shared key");
        Self { application, key: EncodingKey::from_secret(&key), folder }
    }

    /// Starts the application anew on its state.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = config(self.folder.path());
        change(&mut config);
        self.application.close().await;
        self.application = service::build(config).await.expect("an application");
    }

    /// Where its state is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Changes rows behind the application's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let url = DatabaseUrl::Sqlite(self.folder.path().join("app.db"));
        let database = Database::open(&url).await.expect("the database");
        let Database::Sqlite { writer, .. } = &database else { panic!("not SQLite") };
        sqlx::query(sql).execute(writer).await.expect("a change");
        database.close().await;
    }

    /// The names of the sessions whose end edges are told of, in order.
    pub(crate) async fn revoked_sessions(&self) -> Vec<String> {
        let url = DatabaseUrl::Sqlite(self.folder.path().join("app.db"));
        let database = Database::open(&url).await.expect("the database");
        let page = database.revocations_after(0, Timestamp::now(), 1000).await.expect("a page");
        database.close().await;
        let sessions = page.entries.into_iter().map(|entry| entry.revocation);
        sessions.filter(|entry| entry.kind == RevocationKind::Session).map(|entry| entry.value).collect()
    }

    /// A request as the edge sends it for the holder of this access token, from this address.
    pub(crate) fn request_as(&self, method: &str, path: &str, access: &Value, address: &str) -> request::Builder {
        let claims = claims_of(access);
        let mut statement = assertion(method, path, claims["sub"].as_str().expect("a subject"));
        let session = claims["sid"].as_str().map(str::to_owned);
        statement.identity.as_mut().expect("an identity").session = session;
        self.signed(&statement, path).header(&X_FORWARDED_FOR, address)
    }

    /// A request as the edge sends it for nobody, from this address.
    pub(crate) fn request_from(&self, method: &str, path: &str, address: &str) -> request::Builder {
        let mut statement = assertion(method, path, "");
        statement.identity = None;
        self.signed(&statement, path).header(&X_FORWARDED_FOR, address)
    }

    fn signed(&self, statement: &Assertion, path: &str) -> request::Builder {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(ASSERTION_TYPE.to_owned());
        let signed = jsonwebtoken::encode(&header, statement, &self.key).expect("signed");
        Request::builder()
            .method(statement.method.as_str())
            .uri(path)
            .header(&X_AUTH_ASSERTION, signed)
            .header(&X_REQUEST_ID, &statement.request_id)
    }

    /// Sends JSON with a request that was begun.
    pub(crate) async fn send_json(&self, request: request::Builder, body: Value) -> Answer {
        let request = request.header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Sends a request without a body.
    pub(crate) async fn send_empty(&self, request: request::Builder) -> Answer {
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.application.router().oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: head.status, headers: head.headers, text }
    }

    /// Posts a body of any type without an identity.
    pub(crate) async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("content-type", content_type).header(&X_REQUEST_ID, REQUEST_ID);
        self.send(request.body(body.into()).expect("a request")).await
    }

    /// Posts JSON without an identity.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    /// Registers a user and signs in; returns the pair of tokens.
    pub(crate) async fn sign_in(&self, username: &str) -> Value {
        let body = json!({"username": username, "password": "correct horse"});
        let registered = self.post("/api/register/", body.clone()).await;
        assert_eq!(registered.status, StatusCode::CREATED, "{}", registered.text);
        let pair = self.post("/api/token/", body).await;
        assert_eq!(pair.status, StatusCode::OK, "{}", pair.text);
        pair.json()
    }

    /// Gets a path with an assertion that `change` may spoil.
    pub(crate) async fn get_as(&self, path: &str, subject: &str, change: impl FnOnce(&mut Assertion)) -> Answer {
        let mut assertion = assertion("GET", path, subject);
        change(&mut assertion);
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(ASSERTION_TYPE.to_owned());
        self.get_with(path, &jsonwebtoken::encode(&header, &assertion, &self.key).expect("signed")).await
    }

    /// Gets a path with this text as assertion.
    pub(crate) async fn get_with(&self, path: &str, assertion: &str) -> Answer {
        let request = Request::get(path).header(&X_AUTH_ASSERTION, assertion).header(&X_REQUEST_ID, REQUEST_ID);
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// The key that the edge signs with.
    pub(crate) const fn key(&self) -> &EncodingKey {
        &self.key
    }
}

/// What a token says, unverified.
pub(crate) fn claims_of(token: &Value) -> Value {
    let payload = token.as_str().expect("a token").split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

/// What the edge says of a request.
pub(crate) fn assertion(method: &str, path: &str, subject: &str) -> Assertion {
    let now = u64::try_from(Timestamp::now().as_second()).expect("after 1970");
    Assertion {
        aud: "app".to_owned(),
        iat: now,
        exp: now + 30,
        jti: uuid::Uuid::new_v4().to_string(),
        request_id: REQUEST_ID.to_owned(),
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        identity: Some(Identity {
            subject: subject.to_owned(),
            issuer: ISSUER.to_owned(),
            scope: String::new(),
            session: None,
            token_id: None,
            expires_at: now + 300,
            claims: serde_json::Map::new(),
        }),
    }
}
