//! The claims of a token, read strictly (RFC 7519 section 4.1).

use super::object::{self, ObjectError};
use super::reject::Reason;
use serde_json::{Map, Value};

/// Seconds since 1970 above which a double no longer holds every second.
const NUMERIC_DATE_MAX: u64 = 1 << 53;

/// Claims as the issuer wrote them; believed only after the signature.
#[derive(Debug, Default)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a payload: one JSON object in which no claim is there twice.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Reason> {
        object::parse(payload).map(Self).map_err(|error| match error {
            ObjectError::Json => Reason::Claims,
            ObjectError::Twice => Reason::ClaimTwice,
        })
    }

    /// Any claim.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All claims.
    pub(crate) fn into_inner(self) -> Map<String, Value> {
        self.0
    }

    /// A claim that is a text where it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Reason> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Reason::ClaimType),
        }
    }

    /// A claim that names a user: a text, or an integer written in decimal (simplejwt's `user_id`).
    pub(crate) fn subject(&self, name: &str) -> Result<Option<String>, Reason> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
            Some(_) => Err(Reason::ClaimType),
        }
    }

    /// A point in time in whole seconds since 1970. Fractions are allowed by the RFC and cut off.
    pub(crate) fn date(&self, name: &str) -> Result<Option<u64>, Reason> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = match value.as_u64() {
            Some(seconds) => seconds,
            None => whole_seconds(value.as_f64().ok_or(Reason::ClaimType)?).ok_or(Reason::ClaimType)?,
        };
        if seconds <= NUMERIC_DATE_MAX { Ok(Some(seconds)) } else { Err(Reason::ClaimType) }
    }

    /// `aud`: one text or a list of texts (section 4.1.3).
    pub(crate) fn audiences(&self) -> Result<Option<Vec<&str>>, Reason> {
        match self.0.get("aud") {
            None => Ok(None),
            Some(Value::String(one)) => Ok(Some(vec![one])),
            Some(Value::Array(many)) => {
                many.iter().map(|item| item.as_str().ok_or(Reason::ClaimType)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(Reason::ClaimType),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is checked first, and cutting off the fraction is what is meant"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    (0.0..=NUMERIC_DATE_MAX as f64).contains(&seconds).then_some(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_claims_have_their_type_or_the_token_is_refused() {
        type Read = fn(&Claims) -> Result<Option<String>, Reason>;
        let date: Read = |claims| claims.date("x").map(|date| date.map(|date| date.to_string()));
        let text: Read = |claims| claims.text("x").map(|text| text.map(str::to_owned));
        let subject: Read = |claims| claims.subject("x");
        for (json, read, expected) in [
            ("{}", date, Ok(None)),
            (r#"{"x":1700000000}"#, date, Ok(Some("1700000000"))),
            (r#"{"x":1700000000.9}"#, date, Ok(Some("1700000000"))),
            (r#"{"x":1.7e9}"#, date, Ok(Some("1700000000"))),
            (r#"{"x":-1}"#, date, Err(Reason::ClaimType)),
            (r#"{"x":"1700000000"}"#, date, Err(Reason::ClaimType)),
            (r#"{"x":1e300}"#, date, Err(Reason::ClaimType)),
            (r#"{"x":18446744073709551615}"#, date, Err(Reason::ClaimType)),
            (r#"{"x":null}"#, date, Err(Reason::ClaimType)),
            (r#"{"x":"a"}"#, text, Ok(Some("a"))),
            (r#"{"x":["a"]}"#, text, Err(Reason::ClaimType)),
            (r#"{"x":"ann"}"#, subject, Ok(Some("ann"))),
            (r#"{"x":42}"#, subject, Ok(Some("42"))),
            (r#"{"x":-42}"#, subject, Ok(Some("-42"))),
            (r#"{"x":4.5}"#, subject, Err(Reason::ClaimType)),
            (r#"{"x":""}"#, subject, Err(Reason::ClaimType)),
            (r#"{"x":{"id":1}}"#, subject, Err(Reason::ClaimType)),
            (r#"{"x":true}"#, subject, Err(Reason::ClaimType)),
        ] {
            let claims = Claims::parse(json.as_bytes()).expect("claims");
            assert_eq!(read(&claims), expected.map(|value| value.map(str::to_owned)), "{json}");
        }
    }

    #[test]
    fn audiences_are_one_text_or_a_list_of_texts() {
        for (json, expected) in [
            ("{}", Ok(None)),
            (r#"{"aud":"a"}"#, Ok(Some(vec!["a"]))),
            (r#"{"aud":["a","b"]}"#, Ok(Some(vec!["a", "b"]))),
            (r#"{"aud":[]}"#, Ok(Some(vec![]))),
            (r#"{"aud":["a",1]}"#, Err(Reason::ClaimType)),
            (r#"{"aud":{"a":1}}"#, Err(Reason::ClaimType)),
        ] {
            assert_eq!(Claims::parse(json.as_bytes()).expect("claims").audiences(), expected, "{json}");
        }
    }
}
