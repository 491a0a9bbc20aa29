//! The error body that both servers answer with: `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type of a problem (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Which server words the error: users ask first "which hop said it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The front server.
    Edge,
    /// The application server or the business behind it.
    App,
}

/// One error, as a client sees it. Owned strings only where the text is not fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem; `about:blank` means that the status says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short summary of the kind, the same for each occurrence.
    pub title: String,
    /// The HTTP status, repeated for those who read only the body.
    pub status: u16,
    /// A stable, machine-readable code from the documented list.
    pub code: String,
    /// What happened this time, when that may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Which server answered.
    pub source: Source,
    /// The id that joins this answer with both logs.
    pub request_id: String,
    /// From the edge, when an upstream failed: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// And how many endpoints or connections were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// For validation: the fields at fault and what is wrong with each.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub errors: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem without detail. `title` is the status's reason phrase unless the code says more.
    #[must_use]
    pub fn new(status: http::StatusCode, code: &str, title: &str, source: Source, request_id: &str) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: None,
            source,
            request_id: request_id.to_owned(),
            upstream: None,
            attempts: None,
            errors: serde_json::Map::new(),
        }
    }

    /// Adds what happened this time. Never put anything secret or attacker-controlled here unescaped.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The body's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of strings and numbers always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_rfc_9457_says() {
        let problem =
            Problem::new(http::StatusCode::UNAUTHORIZED, "token_expired", "Token expired", Source::Edge, "r1");
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({"type": "about:blank", "title": "Token expired", "status": 401, "code": "token_expired", "source": "edge", "request_id": "r1"})
        );
    }
}
