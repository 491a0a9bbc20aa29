//! Where an issuer publishes its keys, as its own document says (OpenID Connect Discovery 1.0 sections 3 and 4).
//!
//! The document is read anew before every fetch of keys: an issuer that moves its set is followed at once, and a
//! document that no longer says what it must stops being believed.

use super::fetch::{Endpoint, FetchError, Fetched, UrlProblem};
use crate::auth::object;
use http::Uri;
use rustls::ClientConfig;
use serde_json::Value;
use std::sync::Arc;

/// What is put behind the issuer's URL (section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Why a document is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentProblem {
    #[error("not a JSON object with distinct members")]
    Malformed,
    /// Section 4.3: else one issuer could speak for another.
    #[error("its `issuer` is not the `iss` of this issuer")]
    Issuer,
    #[error("no `jwks_uri` in it")]
    NoKeys,
    #[error("its `jwks_uri`: {0}")]
    Url(#[from] UrlProblem),
    /// What came over https must not lead to where everybody on the way can write.
    #[error("its `jwks_uri` is not https as the document itself is")]
    Downgrade,
}

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the discovery document: {0}")]
    Document(#[from] DocumentProblem),
}

/// An issuer's document.
#[derive(Debug)]
pub(crate) struct Discovery {
    document: Endpoint,
    issuer: String,
    insecure: bool,
    tls: Arc<ClientConfig>,
}

impl Discovery {
    /// The document of the issuer at this URL, which must name `issuer`. `insecure`: the operator has said that plain
    /// http is fine here, also for the keys.
    pub(crate) fn new(url: &Uri, issuer: &str, insecure: bool, tls: &Arc<ClientConfig>) -> Result<Self, UrlProblem> {
        let document = format!("{}{WELL_KNOWN}", url.to_string().trim_end_matches('/'));
        let document: Uri = document.parse().map_err(|_| UrlProblem::Malformed)?;
        let document = Endpoint::new(&document, insecure, tls)?;
        Ok(Self { document, issuer: issuer.to_owned(), insecure, tls: Arc::clone(tls) })
    }

    /// Reads the document, then the keys.
    pub(crate) async fn fetch(&self) -> Result<Fetched, DiscoveryError> {
        let document = self.document.fetch().await?;
        let keys = self.keys(&document.body)?;
        let mut fetched = keys.fetch().await?;
        // The sooner of the two.
        fetched.max_age = match (fetched.max_age, document.max_age) {
            (Some(keys), Some(document)) => Some(keys.min(document)),
            (keys, document) => keys.or(document),
        };
        Ok(fetched)
    }

    fn keys(&self, document: &[u8]) -> Result<Endpoint, DocumentProblem> {
        let members = object::parse(document).map_err(|_| DocumentProblem::Malformed)?;
        if members.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(DocumentProblem::Issuer);
        }
        let url = members.get("jwks_uri").and_then(Value::as_str).ok_or(DocumentProblem::NoKeys)?;
        let url: Uri = url.parse().map_err(|_| UrlProblem::Malformed)?;
        let keys = Endpoint::new(&url, self.insecure, &self.tls)?;
        if self.document.is_https() && !keys.is_https() {
            return Err(DocumentProblem::Downgrade);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fetch;
    use super::*;

    fn discovery(url: &str, insecure: bool) -> Discovery {
        let tls = fetch::tls_config().expect("TLS");
        Discovery::new(&url.parse().expect("a URL"), "https://id.example/a", insecure, &tls).expect("an issuer")
    }

    #[test]
    fn the_document_says_who_it_is_about_and_where_its_keys_are() {
        use DocumentProblem::{Downgrade, Issuer, Malformed, NoKeys, Url};
        let public = discovery("https://id.example/a/", false);
        let internal = discovery("http://id:8080/a", true);
        let local = discovery("http://127.0.0.1:8080/a", false);
        let document = |issuer: &str, keys: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}"}}"#);
        let right = |keys: &str| document("https://id.example/a", keys);
        for (discovery, document, expected) in [
            (&public, right("https://keys.example/jwks"), Ok(())),
            (&public, right("http://keys.example/jwks"), Err(Url(UrlProblem::Insecure))),
            (&public, right("http://127.0.0.1/jwks"), Err(Downgrade)),
            (&public, right("/jwks"), Err(Url(UrlProblem::Malformed))),
            (&public, right("file:///etc/passwd"), Err(Url(UrlProblem::Malformed))),
            (&public, document("https://id.example/a/", "https://keys.example/jwks"), Err(Issuer)),
            (&public, document("https://evil.example", "https://keys.example/jwks"), Err(Issuer)),
            (&public, r#"{"jwks_uri":"https://keys.example/jwks"}"#.to_owned(), Err(Issuer)),
            (&public, r#"{"issuer":["https://id.example/a"]}"#.to_owned(), Err(Issuer)),
            (&public, r#"{"issuer":"https://id.example/a"}"#.to_owned(), Err(NoKeys)),
            (&public, r#"{"issuer":"x","issuer":"https://id.example/a"}"#.to_owned(), Err(Malformed)),
            (&public, "<html>".to_owned(), Err(Malformed)),
            (&internal, right("http://id:8080/jwks"), Ok(())),
            (&internal, right("https://keys.example/jwks"), Ok(())),
            (&local, right("http://127.0.0.1:8080/jwks"), Ok(())),
            (&local, right("http://id:8080/jwks"), Err(Url(UrlProblem::Insecure))),
        ] {
            assert_eq!(discovery.keys(document.as_bytes()).map(drop), expected, "{document}");
        }
    }
}
