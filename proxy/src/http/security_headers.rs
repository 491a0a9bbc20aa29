//! Fields that protect browsers, for operators who ask for them by one word.

use crate::config::SecurityHeaders;
use crate::rules::Layers;
use http::header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A field, and whether it needs TLS (RFC 6797 section 7.2) or only pages that want to be isolated.
struct Field {
    name: HeaderName,
    value: HeaderValue,
    only: Only,
}

#[derive(PartialEq, Eq)]
enum Only {
    Always,
    OverTls,
    Isolated,
}

static FIELDS: [Field; 5] = [
    Field { name: X_CONTENT_TYPE_OPTIONS, value: HeaderValue::from_static("nosniff"), only: Only::Always },
    Field {
        name: REFERRER_POLICY,
        value: HeaderValue::from_static("strict-origin-when-cross-origin"),
        only: Only::Always,
    },
    Field { name: X_FRAME_OPTIONS, value: HeaderValue::from_static("SAMEORIGIN"), only: Only::Always },
    Field { name: STRICT_TRANSPORT_SECURITY, value: HeaderValue::from_static("max-age=31536000"), only: Only::OverTls },
    Field {
        name: HeaderName::from_static("cross-origin-opener-policy"),
        value: HeaderValue::from_static("same-origin"),
        only: Only::Isolated,
    },
];

/// Adds what the answer has not and no rule is about. Whoever made the answer knows better, and so does a rule.
pub(super) fn add(preset: SecurityHeaders, https: bool, rules: &Layers<'_>, headers: &mut HeaderMap) {
    if preset == SecurityHeaders::Off {
        return;
    }
    for Field { name, value, only } in &FIELDS {
        let wanted = match only {
            Only::Always => true,
            Only::OverTls => https,
            Only::Isolated => preset == SecurityHeaders::Isolated,
        };
        if wanted && !headers.contains_key(name) && !rules.are_about(name) {
            // A map that is full takes no more.
            let _ = headers.try_insert(name, value.clone());
        }
    }
}
