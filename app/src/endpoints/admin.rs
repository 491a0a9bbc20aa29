//! `/api/admin/users/`: administrators list and disable accounts.

use crate::domain::account::User;
use crate::domain::cursor::{self, Cursor};
use crate::error::ApiError;
use crate::extract::{Admin, Path, Query};
use crate::state::AppState;
use crate::store::UserListStore;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An account as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    id: String,
    username: String,
    /// `user` or `admin`.
    role: &'static str,
    /// Whether it may be used.
    active: bool,
    created_at: String,
    /// When tokens were last obtained with the password.
    last_login: Option<String>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.into_string(),
            role: user.role.as_str(),
            active: user.active,
            created_at: user.created_at.to_string(),
            last_login: user.last_login.map(|at| at.to_string()),
        }
    }
}

/// One page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserListView {
    items: Vec<UserView>,
    /// Where the next page goes on; null at the end.
    next: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize)]
pub struct PageParameters {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 20 when absent.
    limit: Option<String>,
}

/// All accounts, the newest first.
#[utoipa::path(get, path = "/api/admin/users/", operation_id = "list_users", tag = "administration", params(
        ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent")),
    responses((status = OK, body = UserListView), (status = FORBIDDEN, description = "forbidden")))]
pub async fn users(
    State(state): State<AppState>,
    _admin: Admin,
    Query(parameters): Query<PageParameters>,
) -> Result<axum::Json<UserListView>, ApiError> {
    let field = |name: &'static str, message: String| ApiError::validation().with_field(name, message);
    let limit = cursor::limit(parameters.limit.as_deref()).map_err(|error| field("limit", error.to_string()))?;
    let after = parameters
        .cursor
        .filter(|cursor| !cursor.is_empty())
        .map(|cursor| Cursor::decode(&cursor))
        .transpose()
        .map_err(|error| field("cursor", error.to_string()))?;
    let page = state.store.users(after.as_ref(), limit).await?;
    Ok(axum::Json(UserListView {
        items: page.users.into_iter().map(UserView::from).collect(),
        next: page.next.map(|next| next.encode()),
    }))
}

/// Forbids an account to be used: its tokens and its open event streams end at once.
#[utoipa::path(post, path = "/api/admin/users/{id}/disable/", operation_id = "disable_user", tag = "administration", params(("id" = String, Path)),
    responses((status = OK, body = UserView), (status = FORBIDDEN, description = "forbidden"),
        (status = NOT_FOUND, description = "not_found"), (status = CONFLICT, description = "self")))]
pub async fn disable(
    State(state): State<AppState>,
    admin: Admin,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<UserView>, ApiError> {
    set_active(&state, &admin, id, false).await
}

/// Allows an account to be used again.
#[utoipa::path(post, path = "/api/admin/users/{id}/enable/", operation_id = "enable_user", tag = "administration", params(("id" = String, Path)),
    responses((status = OK, body = UserView), (status = FORBIDDEN, description = "forbidden"),
        (status = NOT_FOUND, description = "not_found"), (status = CONFLICT, description = "self")))]
pub async fn enable(
    State(state): State<AppState>,
    admin: Admin,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<UserView>, ApiError> {
    set_active(&state, &admin, id, true).await
}

async fn set_active(
    state: &AppState,
    Admin(admin): &Admin,
    id: Uuid,
    active: bool,
) -> Result<axum::Json<UserView>, ApiError> {
    // Nobody locks himself out, so that there is always an administrator left.
    if admin.user.id == id {
        return Err(ApiError::new(StatusCode::CONFLICT, "self", "Not for your own account"));
    }
    let user = if active {
        state.store.enable(id).await?
    } else {
        let now = Timestamp::now();
        let user = state.store.disable(id, now, state.tokens.outlived(now)).await?;
        state.sessions_ended(id);
        user
    };
    let user = user.ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(user.into()))
}
