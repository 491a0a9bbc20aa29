//! `[site.NAME]`: what one or several host names share.

use super::maps::Map;
use super::values::{ErrorStatus, FilePath, Host};
use crate::config::node::{Kind, Node};
use crate::config::read::{About, Context, List, Written};
use crate::config::{HeaderRule, SecretBytes, SecurityHeaders};
use http::HeaderName;
use serde_json::{Value, json};

table! {
    /// What one or several host names share: their certificate, rules about header fields, and the routes that name the
    /// site.
    Site as "site" => {
        /// Host names without port; `*.example.com` covers one label. Left out or empty: any host.
        default([]) hosts: List<Host>,
        /// The certificate, or `"self-signed"` for development. Left out: the site is served in the clear only.
        optional tls: Tls,
        /// What happens to header fields of forwarded requests, as `request_headers` of a route, which comes after it.
        optional request_headers: Map<HeaderName, HeaderRule>,
        /// What happens to header fields of responses, as `response_headers` of a route, which comes after it. Also on
        /// the edge's own errors, once the site is known.
        optional response_headers: Map<HeaderName, HeaderRule>,
        /// Fields that protect browsers, on every response that does not bring them itself. `basic`:
        /// `X-Content-Type-Options: nosniff`, `Referrer-Policy: strict-origin-when-cross-origin`,
        /// `X-Frame-Options: SAMEORIGIN` and, where the client came over TLS, `Strict-Transport-Security` for a year.
        /// `isolated`: these and `Cross-Origin-Opener-Policy: same-origin`. A rule in `response_headers` about one of the
        /// names replaces or removes it. A content security policy belongs to the site's own pages: write it in
        /// `response_headers`. Left out: `off`.
        optional security_headers: SecurityHeaders,
        /// Pages in place of problems, by status: `{ 404 = "errors/404.html" }`, read when the configuration is. They have
        /// the status of the error and go to clients that ask for `text/html` by name; all others get the problem.
        optional error_pages: Map<ErrorStatus, FilePath>,
    }
}

table! {
    /// A certificate and its key, in PEM.
    Certificate as "site.tls", later: ["acme"] => {
        /// The file of the certificate chain, leaf first.
        required certificate: FilePath,
        /// The private key: PEM from a reference, `"${file:/run/secrets/tls_key}"`, or the path of its file.
        required key: KeyText,
    }
}

/// A private key, or the path of its file.
#[derive(Debug)]
pub(in crate::config) struct KeyText(pub(in crate::config) SecretBytes);

impl Written for KeyText {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        if let Kind::Text(text) = &node.kind
            && is_path(text)
        {
            // Worth showing: it is where the mistake is.
            return Some(Self(SecretBytes(text.clone().into_bytes())));
        }
        SecretBytes::read(node, context).map(Self)
    }

    fn kind() -> String {
        "a path, or the key itself as \"${file:PATH}\" or \"${env:NAME}\"".to_owned()
    }

    fn schema() -> Value {
        SecretBytes::schema()
    }
}

/// Whether a text can only be a path: base64 has no dot, and no DER key starts with a slash in it.
fn is_path(text: &str) -> bool {
    let one_line = !text.contains(['\n', '\0']) && text.len() < 4096;
    one_line && !text.trim_start().starts_with("-----") && (text.starts_with('/') || text.contains('.'))
}

/// A site's certificate, as written.
#[derive(Debug)]
pub(in crate::config) enum Tls {
    /// Made at first start.
    SelfSigned,
    /// From files.
    Pem(Certificate),
}

impl Written for Tls {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "self-signed" => Some(Self::SelfSigned),
            Kind::Table(entries) if entries.iter().any(|e| e.key == "acme") && entries.len() == 1 => {
                context.problem(entries[0].key_at, "`acme` is not available in this version").help(
                    "write `tls = { certificate = \"PATH\", key = \"PATH\" }`, or \"self-signed\" for development",
                );
                None
            }
            Kind::Table(_) => Certificate::read(node, context).map(Self::Pem),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "`\"self-signed\"` or `{ certificate = ..., key = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "const": "self-signed" }, Certificate::schema()] })
    }

    fn about() -> Option<&'static About> {
        Certificate::about()
    }
}
