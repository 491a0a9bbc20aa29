//! An edge that asks for tokens, with keys of the test's own, before an upstream that answers everything.

use crate::edge::Edge;
use crate::exchange::ok;
use crate::origin::{Answering, Origin};
use crate::tokens::{SigningKey, Token, jwk_set};
use serve::contract::identity::Assertion;
use tempfile::TempDir;

/// The edge, its upstream and the key that it believes.
pub struct Guarded {
    /// The edge, listener `http`.
    pub edge: Edge,
    /// What it forwards to, as `app`.
    pub origin: Answering,
    /// Signs tokens that it believes.
    pub key: SigningKey,
}

/// Routes of every kind of access, all forwarded to `app`.
const ROUTES: &str = r#"
    [listener.http]
    address = "127.0.0.1:0"

    [upstream.app]
    endpoints = ["ENDPOINT"]
    assertion_key = { file = "{folder}/assertion.key", create = true }

    [[route]]
    match = "/public/**"
    auth = "public"
    forward = "app"

    [[route]]
    match = "/optional/**"
    auth = "optional"
    forward = "app"

    [[route]]
    match = "/admin/**"
    claims = [{ path = "/roles", any_of = ["admin"] }]
    forward = "app"

    [[route]]
    match = "/scoped/**"
    claims = [{ path = "/scope", contains_word = "notes:read" }]
    forward = "app"

    [[route]]
    match = "/cookie/**"
    token_from = ["header", "cookie:__Host-access"]
    forward = "app"

    [[route]]
    match = "/query/**"
    token_from = ["query:access_token"]
    forward = "app"

    [[route]]
    match = "/passed/**"
    forward_token = true
    forward = "app"

    [[route]]
    match = "/**"
    forward = "app"

"#;

impl Guarded {
    /// Starts one that believes a fresh key of this algorithm; `issuer` adds lines to its issuer.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(algorithm: &str, issuer: &str) -> Self {
        let origin = Origin::start().await.always(ok("ok"));
        let key = SigningKey::new("first", algorithm);
        let folder = TempDir::new().expect("a folder");
        let keys = if let Some(secret) = key.secret() {
            std::fs::write(folder.path().join("secret"), crate::tokens::base64url(secret))
                .expect("the secret is written");
            r#"{ secret = "${file:{folder}/secret}" }"#
        } else {
            std::fs::write(folder.path().join("jwks.json"), jwk_set(&[&key])).expect("the keys are written");
            r#"{ jwks_file = "{folder}/jwks.json" }"#
        };
        let routes = ROUTES.replace("ENDPOINT", &origin.endpoint());
        let config = format!(
            "{routes}\n[issuer.test]\niss = \"https://issuer.test\"\naudiences = [\"api\"]\n\
             algorithms = [\"{algorithm}\"]\nkeys = {keys}\n{issuer}\n"
        );
        let edge = Edge::start_in(folder, &config).await;
        // The secret in the file is text: its bytes, not what they encode, are the key.
        let key = match key.secret() {
            Some(secret) => SigningKey::hmac("first", algorithm, crate::tokens::base64url(secret).as_bytes()),
            None => key,
        };
        Self { edge, origin, key }
    }

    /// A token that the edge accepts, for this subject.
    #[must_use]
    pub fn token(&self, subject: &str) -> String {
        Token::good(&self.key, subject).sign(&self.key)
    }

    /// The last assertion that the upstream got, its signature checked with the shared key.
    ///
    /// # Panics
    ///
    /// When there is not exactly one, or it is not as RFC 7515 and the contract say.
    #[must_use]
    pub fn assertion(&self) -> Assertion {
        let head = self.origin.last().head;
        let found: Vec<&str> = head.all("x-auth-assertion").collect();
        assert_eq!(found.len(), 1, "one assertion: {}", head.raw);
        let key = std::fs::read_to_string(self.edge.folder().join("assertion.key")).expect("the shared key");
        crate::tokens::read_assertion(found[0], key.trim())
    }
}
