//! The body as Django REST framework reads it: JSON or a form, text fields trimmed, its messages word for word.

use super::error::TokenApiError;
use super::json_error;
use crate::domain::account::trim;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

/// The largest body, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Where messages go that belong to no field.
const NO_FIELD: &str = "non_field_errors";

/// The members of a body, not yet checked.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = TokenApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, TokenApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_vec());
        let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| TokenApiError::TooLarge)?;
        if body.is_empty() {
            // Whatever type is claimed for nothing.
            return Ok(Self(Map::new()));
        }
        let content_type = String::from_utf8_lossy(content_type.as_deref().unwrap_or_default()).into_owned();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            Self::from_json(&body)
        } else if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            // Of several values the last one counts, as in Django's QueryDict.
            let pairs = form_urlencoded::parse(&body).into_owned();
            Ok(Self(pairs.map(|(name, value)| (name, Value::String(value))).collect()))
        } else {
            Err(TokenApiError::MediaType(content_type))
        }
    }
}

impl Fields {
    fn from_json(body: &[u8]) -> Result<Self, TokenApiError> {
        let found = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => return Ok(Self(members)),
            Ok(Value::Null) => return Err(TokenApiError::Fields(vec![(NO_FIELD, "No data provided".to_owned())])),
            Ok(Value::Array(_)) => "list",
            Ok(Value::String(_)) => "str",
            Ok(Value::Bool(_)) => "bool",
            Ok(Value::Number(number)) if number.is_f64() => "float",
            Ok(Value::Number(_)) => "int",
            Err(_) => return Err(TokenApiError::Parse(format!("JSON parse error - {}", json_error::explain(body)))),
        };
        let message = format!("Invalid data. Expected a dictionary, but got {found}.");
        Err(TokenApiError::Fields(vec![(NO_FIELD, message)]))
    }

    /// Takes the named fields as text; reports every one that is not.
    pub(super) fn texts<const N: usize>(mut self, names: [&'static str; N]) -> Result<[String; N], TokenApiError> {
        let mut errors = Vec::new();
        let texts = names.map(|name| {
            text(self.0.remove(name)).unwrap_or_else(|message| {
                errors.push((name, message.to_owned()));
                String::new()
            })
        });
        if errors.is_empty() { Ok(texts) } else { Err(TokenApiError::Fields(errors)) }
    }
}

/// `rest_framework.fields.CharField`.
fn text(value: Option<Value>) -> Result<String, &'static str> {
    let text = match value {
        None => return Err("This field is required."),
        Some(Value::Null) => return Err("This field may not be null."),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => return Err("Not a valid string."),
    };
    let trimmed = trim(&text);
    if trimmed.is_empty() {
        Err("This field may not be blank.")
    } else if trimmed.contains('\0') {
        Err("Null characters are not allowed.")
    } else {
        Ok(trimmed.to_owned())
    }
}
