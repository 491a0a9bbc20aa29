//! An edge with a link to an upstream under the test's control: the test is the application and says event by event
//! what is told.

use crate::deadline::within;
use crate::edge::Edge;
use crate::exchange::Exchange;
use crate::origin::Origin;
use crate::raw::Raw;
use crate::tokens::{SigningKey, base64url, jwk_set};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use serve::contract::link::{PATH, proof_text};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tempfile::TempDir;

/// The shared key of both sides.
const KEY: [u8; 32] = [7; 32];

const CONFIG: &str = r#"
    [listener.http]
    address = "127.0.0.1:0"

    [upstream.app]
    endpoints = [ENDPOINTS]
    assertion_key = { file = "{folder}/shared.key" }
    link = true

    [issuer.test]
    iss = "https://issuer.test"
    audiences = ["api"]
    algorithms = ["EdDSA"]
    keys = KEYS
    revocations = "app"

    [[route]]
    match = "/require/**"
    revocation = "require"
    respond = { body = "in" }

    [[route]]
    match = "/best-effort/**"
    respond = { body = "in" }

    [[route]]
    match = "/off/**"
    revocation = "off"
    respond = { body = "in" }

    [[route]]
    match = "/**"
    auth = "public"
    forward = "app"

    [[route]]
    match = "/stripped/**"
    auth = "public"
    forward = { upstream = "app", strip_prefix = "/stripped" }
"#;

/// An edge and the application that it listens to.
pub struct Linked {
    /// The edge, listener `http`.
    pub edge: Edge,
    /// The application.
    pub origin: Origin,
    /// Signs tokens that the edge believes.
    pub key: SigningKey,
}

/// Which keys the edge believes.
#[derive(Debug, Clone, Copy)]
pub enum KeysFrom {
    /// A file.
    File,
    /// The link.
    Link,
}

impl Linked {
    /// Starts both; nothing has been told.
    pub async fn start(keys: KeysFrom) -> Self {
        Self::start_with(keys, &[]).await
    }

    /// As [`Linked::start`], with more endpoints.
    ///
    /// # Panics
    ///
    /// When the edge does not start.
    pub async fn start_with(keys: KeysFrom, more: &[String]) -> Self {
        Self::start_from(keys, more, "").await
    }

    /// As [`Linked::start`], with further keys of the upstream.
    ///
    /// # Panics
    ///
    /// When the edge does not start.
    pub async fn start_with_keys(keys: KeysFrom, upstream: &str) -> Self {
        Self::start_from(keys, &[], upstream).await
    }

    async fn start_from(keys: KeysFrom, more: &[String], upstream: &str) -> Self {
        let origin = Origin::start().await;
        let key = SigningKey::new("first", "EdDSA");
        let folder = TempDir::new().expect("a folder");
        write_key(&folder.path().join("shared.key"), &KEY);
        std::fs::write(folder.path().join("jwks.json"), jwk_set(&[&key])).expect("the keys are written");
        let keys = match keys {
            KeysFrom::File => r#"{ jwks_file = "{folder}/jwks.json" }"#,
            KeysFrom::Link => r#"{ link = "app" }"#,
        };
        let own = origin.endpoint();
        let endpoints: Vec<_> = std::iter::once(&own).chain(more).map(|one| format!("{one:?}")).collect();
        let config = CONFIG.replace("ENDPOINTS", &endpoints.join(", ")).replace("KEYS", keys);
        let config = config.replace("link = true\n", &format!("link = true\n{upstream}\n"));
        let edge = Edge::start_in(folder, &config).await;
        Self { edge, origin, key }
    }

    /// The edge's next request for the link.
    pub async fn asked(&mut self) -> Exchange {
        asked(&mut self.origin).await
    }

    /// Answers the edge's next request, as who holds the key.
    pub async fn open(&mut self) -> Stream {
        Stream::answer(self.asked().await, &KEY).await
    }

    /// Answers this request for the link, as who holds the key.
    pub async fn opened(exchange: Exchange) -> Stream {
        Stream::answer(exchange, &KEY).await
    }

    /// What a request with this token is told: 200, or the code of the edge's error.
    pub async fn verdict(&self, path: &str, token: &str) -> String {
        let answer = self.edge.http().get(path).bearer(token).send().await;
        if answer.status == 200 { "200".to_owned() } else { answer.edge_code() }
    }

    /// Waits until a request with this token is told this.
    pub async fn until(&self, path: &str, token: &str, wanted: &str) {
        let told = async { while self.verdict(path, token).await != wanted {} };
        within(format!("{path} to be {wanted}"), told).await;
    }
}

/// The next request for the link at this origin.
///
/// # Panics
///
/// When another request comes.
pub async fn asked(origin: &mut Origin) -> Exchange {
    let exchange = origin.exchange().await;
    assert_eq!((exchange.head().method(), exchange.head().target()), ("GET", PATH));
    exchange
}

/// A shared key in a file of its owner alone.
///
/// # Panics
///
/// When it can't be written.
pub fn write_key(path: &Path, key: &[u8; 32]) {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", base64url(key))).expect("the key is written");
}

/// An open link, told by the test.
pub struct Stream(Raw);

impl Stream {
    /// Answers a request with the proof of this key.
    ///
    /// # Panics
    ///
    /// When the request has no token of the right form.
    pub async fn answer(mut exchange: Exchange, key: &[u8; 32]) -> Self {
        let token = exchange.head().field("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let claims = crate::tokens::claims_of(token.expect("a token"));
        let jti = claims["jti"].as_str().expect("an id");
        let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), proof_text(jti).as_bytes());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Link-Proof: {}\r\nConnection: close\r\n\r\n",
            base64url(proof)
        );
        exchange.send(head).await;
        Self(exchange.into_raw())
    }

    /// Tells an event.
    pub async fn tell(&mut self, name: &str, id: Option<&str>, data: Value) {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.send(&format!("event: {name}\n{id}data: {data}\n\n")).await;
    }

    /// Tells that these are all revocations.
    pub async fn snapshot(&mut self, id: &str, entries: &[Value]) {
        self.tell("hello", None, json!({})).await;
        self.tell("revocations", Some(id), json!({ "entries": entries })).await;
        self.tell("ready", None, json!({})).await;
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, text: &str) {
        self.0.send(text).await;
    }

    /// Ends the stream.
    pub async fn end(mut self) {
        self.0.finish().await;
    }
}

/// A revocation that lasts for the whole test.
#[must_use]
pub fn revoked(kind: &str, value: &str) -> Value {
    json!({ "kind": kind, "value": value, "until": crate::tokens::seconds_since_1970() + 1000 })
}

/// The same as news after an event.
#[must_use]
pub fn news(kind: &str, value: &str, previous: &str) -> Value {
    let mut news = revoked(kind, value);
    news["previous"] = json!(previous);
    news
}
