//! Configurations that serve the folder `site` of an edge, in the clear and over TLS.

use crate::edge::Edge;
use tempfile::TempDir;

/// An edge's listeners `http` and `https`, and its site; more keys of the site may follow.
pub const SITE: &str = r#"
    [listener.http]
    address = "127.0.0.1:0"
    tls = false

    [listener.https]
    address = "127.0.0.1:0"
    tls = true

    [site.any]
    tls = "self-signed"
"#;

/// The configuration, with more keys of `files` behind the root: `", fresh_for = \"0s\""`.
#[must_use]
pub fn config(keys: &str) -> String {
    let route = r#"
        [[route]]
        match = "/**"
        auth = "public"
        files = { root = "{folder}/site" KEYS }
    "#;
    [SITE, &route.replace("KEYS", keys)].concat()
}

/// An edge that serves the folder `site` of this one.
pub async fn serve(folder: TempDir, keys: &str) -> Edge {
    Edge::start_in(folder, &config(keys)).await
}
