//! Every endpoint in one list.

use crate::endpoints::{
    account, admin, attachments, events, jwks, link, markdown, notes, oauth, openapi, password, sessions, shares, token,
};
use crate::error::{self, ApiError};
use crate::extract::ArrivedPath;
use crate::state::AppState;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::uri::PathAndQuery;
use http::{Method, Uri};
use tower::ServiceExt;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest JSON body, in bytes. Endpoints that stream their body don't pass through this limit.
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// The paths that name a file and so have no final slash.
const FILES: [&str; 4] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/api/openapi.json",
    serve::contract::link::PATH,
];

#[derive(OpenApi)]
#[openapi(info(
    title = "Portcullis application",
    description = "Accounts, tokens and a shared notebook. Every path is accepted with and without its final slash."
))]
struct Api;

/// The whole application as one service.
pub fn router(state: AppState) -> axum::Router {
    let endpoints = OpenApiRouter::with_openapi(Api::openapi())
        // accounts
        .routes(routes!(token::obtain::obtain))
        .routes(routes!(token::refresh::refresh))
        .routes(routes!(token::verify::verify))
        .routes(routes!(token::blacklist::blacklist))
        .routes(routes!(oauth::revoke::revoke))
        .routes(routes!(oauth::metadata::metadata))
        .routes(routes!(jwks::jwks))
        .routes(routes!(account::register))
        .routes(routes!(account::me))
        .routes(routes!(password::change))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(sessions::log_out))
        .routes(routes!(sessions::log_out_everywhere))
        // notebook
        .routes(routes!(notes::list, notes::create))
        .routes(routes!(notes::read, notes::replace, notes::change, notes::remove))
        .routes(routes!(shares::put, shares::remove))
        .routes(routes!(attachments::upload))
        .routes(routes!(attachments::download, attachments::remove))
        .routes(routes!(markdown::preview))
        .routes(routes!(events::listen))
        // administration
        .routes(routes!(admin::users))
        .routes(routes!(admin::disable))
        .routes(routes!(admin::enable));
    let (endpoints, api) = by_settings(endpoints, &state).split_for_parts();
    let document = openapi::Document::new(&api);
    let endpoints = endpoints
        .route("/api/openapi.json", get(move || async move { document }))
        // Not in the document: no client can reach it.
        .route(serve::contract::link::PATH, get(link::listen))
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        // Outermost, because the fallbacks' errors are rendered too.
        .layer(axum::middleware::from_fn(error::render))
        .with_state(state);
    // Before the endpoints are matched: a layer of the router itself would run after that.
    axum::Router::new().fallback_service(endpoints.map_request(with_final_slash))
}

/// What is there only where the settings say so.
fn by_settings(endpoints: OpenApiRouter<AppState>, state: &AppState) -> OpenApiRouter<AppState> {
    let endpoints = match state.tokens.config().sliding {
        Some(_) => endpoints.routes(routes!(token::sliding::obtain)).routes(routes!(token::sliding::refresh)),
        None => endpoints,
    };
    match state.introspection_secret {
        Some(_) => endpoints.routes(routes!(oauth::introspect::introspect)),
        None => endpoints,
    }
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    if uri.path().starts_with(token::PREFIX) {
        token::other_method(method)
    } else {
        ApiError::method_not_allowed().into_response()
    }
}

/// Accepts every path with and without its final slash, as Django's `APPEND_SLASH` does but without the redirect,
/// which would lose the body of a POST.
fn with_final_slash(mut request: Request) -> Request {
    let Some(arrived) = request.uri().path_and_query().cloned() else { return request };
    let path = arrived.path();
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let is_file = FILES.contains(&trimmed);
    if is_file != path.ends_with('/') {
        return request;
    }
    let slash = if is_file { "" } else { "/" };
    let canonical = match arrived.query() {
        Some(query) => format!("{trimmed}{slash}?{query}"),
        None => format!("{trimmed}{slash}"),
    };
    if let Ok(canonical) = PathAndQuery::try_from(canonical) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(canonical);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(ArrivedPath(arrived));
        }
    }
    request
}
