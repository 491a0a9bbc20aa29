//! What endpoints take from a request: the caller, and bodies and parameters with our own errors.

use crate::domain::account::{Role, User};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::AccountStore;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// The path as it came from the edge, before the final slash was added; assertions speak of this one.
#[derive(Debug, Clone)]
pub struct ArrivedPath(pub http::uri::PathAndQuery);

/// The user that the edge vouches for: known here, and active.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account, read at this request, so that disabling it works at once.
    pub user: User,
    /// The session of the token, when it has one.
    pub session: Option<String>,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path = parts.extensions.get::<ArrivedPath>().map_or_else(|| parts.uri.path(), |arrived| arrived.0.path());
        let assertion =
            state.edge.assertion(&parts.method, path, &parts.headers, Timestamp::now()).map_err(|error| {
                tracing::warn!(%error, "an assertion does not count");
                ApiError::unauthenticated()
            })?;
        let identity = assertion.identity.ok_or_else(ApiError::unauthenticated)?;
        // Another issuer's subjects may look like ours.
        if identity.issuer != state.config.tokens.issuer {
            return Err(ApiError::unauthenticated());
        }
        let id = identity.subject.parse().map_err(|_| ApiError::unauthenticated())?;
        let user = state.store.user(id).await?.filter(|user| user.active).ok_or_else(ApiError::unauthenticated)?;
        Ok(Self { user, session: identity.session })
    }
}

/// A caller with the role admin.
#[derive(Debug, Clone)]
pub struct Admin(pub Caller);

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match caller.user.role {
            Role::Admin => Ok(Self(caller)),
            Role::User => Err(ApiError::forbidden()),
        }
    }
}

/// A JSON body; whatever is wrong with it becomes a problem.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::unsupported_media_type("application/json")),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large"))
            }
            Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
        }
    }
}

/// Parameters in the path. One that does not parse names nothing: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let result: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        result.map(|path| Self(path.0)).map_err(|_| ApiError::not_found())
    }
}

/// Parameters in the query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let result: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        result.map(|query| Self(query.0)).map_err(|rejection| ApiError::bad_request(rejection.body_text()))
    }
}
