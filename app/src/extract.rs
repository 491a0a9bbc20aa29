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

/// The user that the edge vouches for: known here, active, and in a session that was not ended.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account, read at this request, so that disabling it and signing out work at once.
    pub user: User,
    /// When the token expires that the edge has verified.
    pub expires_at: Timestamp,
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
        // Tokens of ours name their session by its id.
        let session = identity.session.map(|session| session.parse()).transpose();
        let session = session.map_err(|_| ApiError::unauthenticated())?;
        let user = state.store.user_in_session(id, session).await?;
        let user = user.filter(|user| user.active).ok_or_else(ApiError::unauthenticated)?;
        let expires_at = i64::try_from(identity.expires_at).ok().and_then(|at| Timestamp::from_second(at).ok());
        // A time that no clock reaches.
        Ok(Self { user, expires_at: expires_at.unwrap_or(Timestamp::MAX) })
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
