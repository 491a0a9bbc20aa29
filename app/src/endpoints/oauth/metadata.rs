//! `GET /.well-known/oauth-authorization-server`: where everything is (RFC 8414).

use crate::state::AppState;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};

/// The metadata of this issuer. It supports none of OAuth's grants: the token endpoint speaks simplejwt's protocol.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", operation_id = "oauth_metadata", tag = "oauth",
    responses((status = OK, description = "metadata", body = Object))
)]
pub async fn metadata(State(state): State<AppState>) -> impl IntoResponse {
    let config = state.tokens.config();
    (
        [(CACHE_CONTROL, "public, max-age=3600")],
        axum::Json(describe(&config.issuer, state.introspection_secret.is_some())),
    )
}

fn describe(issuer: &str, introspection: bool) -> Value {
    let base = issuer.trim_end_matches('/');
    let mut metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{base}/api/token/"),
        "token_endpoint_auth_methods_supported": ["none"],
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "grant_types_supported": [],
        "response_types_supported": [],
        "revocation_endpoint": format!("{base}/api/token/revoke/"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "service_documentation": format!("{base}/api/openapi.json"),
    });
    if introspection {
        metadata["introspection_endpoint"] = json!(format!("{base}/api/token/introspect/"));
        // By its registered name (RFC 8414 section 2, RFC 6750 section 6.1).
        metadata["introspection_endpoint_auth_methods_supported"] = json!(["Bearer"]);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introspection_is_named_only_where_it_is_open() {
        let closed = describe("https://id.test/", false);
        assert_eq!(closed["issuer"], "https://id.test/");
        assert_eq!(closed["jwks_uri"], "https://id.test/.well-known/jwks.json");
        assert!(closed.get("introspection_endpoint").is_none());
        let open = describe("https://id.test", true);
        assert_eq!(open["introspection_endpoint"], "https://id.test/api/token/introspect/");
        assert_eq!(open["introspection_endpoint_auth_methods_supported"], json!(["Bearer"]));
    }
}
