//! What endpoints take from a request: the caller, and bodies and parameters with our own errors.

use crate::domain::account::{Role, User};
use crate::edge::AssertionError;
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::AccountStore;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::StatusCode;
use http::header::USER_AGENT;
use http::request::Parts;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serve::contract::forwarded::X_FORWARDED_FOR;
use serve::contract::identity::Assertion;
use std::convert::Infallible;
use std::net::IpAddr;
use uuid::Uuid;

/// The path as it came from the edge, before the final slash was added; assertions speak of this one.
#[derive(Debug, Clone)]
pub struct ArrivedPath(pub http::uri::PathAndQuery);

/// The user that the edge vouches for: known here, active, and in a session that was not ended.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account, read at this request, so that disabling it and signing out work at once.
    pub user: User,
    /// The session of the token that the edge has verified, when it has one.
    pub session: Option<Uuid>,
    /// When the token expires that the edge has verified.
    pub expires_at: Timestamp,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let assertion = asserted(parts, state).map_err(|error| {
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
        let user = user.filter(|user| state.may_sign_in(user)).ok_or_else(ApiError::unauthenticated)?;
        let expires_at = i64::try_from(identity.expires_at).ok().and_then(|at| Timestamp::from_second(at).ok());
        // A time that no clock reaches.
        Ok(Self { user, session, expires_at: expires_at.unwrap_or(Timestamp::MAX) })
    }
}

/// What the edge has said of this request.
#[derive(Debug, Clone)]
struct Asserted(Result<Assertion, AssertionError>);

/// What the edge says of this request.
fn asserted(parts: &mut Parts, state: &AppState) -> Result<Assertion, AssertionError> {
    // An assertion counts once, and a request may be asked for caller and client.
    if let Some(Asserted(said)) = parts.extensions.get() {
        return said.clone();
    }
    let path = parts.extensions.get::<ArrivedPath>().map_or_else(|| parts.uri.path(), |arrived| arrived.0.path());
    let said = state.edge.assertion(&parts.method, path, &parts.headers, Timestamp::now());
    parts.extensions.insert(Asserted(said.clone()));
    said
}

/// The longest name that is kept of a client, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address, when the edge vouches for this request: its fields are then the edge's own.
    pub address: Option<IpAddr>,
    /// What the client calls itself, cut.
    pub user_agent: String,
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        // PostgreSQL keeps no null characters; no other control character is worth keeping either.
        let user_agent = user_agent.unwrap_or_default();
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect();
        // The client comes first; the hops that the edge trusts follow.
        let address = asserted(parts, state).ok().and_then(|_| {
            let chain = parts.headers.get(&X_FORWARDED_FOR)?.to_str().ok()?;
            chain.split(',').next()?.trim().parse().ok()
        });
        Ok(Self { address, user_agent })
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
