//! Rules about header fields: which names they may have.

use crate::config::HeaderRule;
use crate::config::file::maps::Map;
use crate::config::read::{At, Context};
use http::HeaderName;
use serve::contract::identity;

/// Fields that the connection owns (RFC 9110 section 7.6.1) or that must agree with the body.
const FIXED_FIELDS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Rules in one table: each is looked at for each request.
const RULES_MAX: usize = 100;

/// A table of rules, as written.
type Written = Option<At<Map<HeaderName, HeaderRule>>>;

/// Why a field has no rule: the message, and help.
type Refusal = (String, Option<&'static str>);

/// `request_headers`, of a site or of a route.
pub(super) fn of_requests(written: Written, context: &mut Context<'_>) -> Vec<(HeaderName, HeaderRule)> {
    rules(written, context, |name| {
        if folded(name) == "host" {
            let help = "write `forward = { upstream = \"NAME\", host = \"upstream\" }` or another name there";
            return Some((format!("`{name}` is no matter of header rules"), Some(help)));
        }
        let claims = identity::is_identity_field(name.as_str());
        claims.then(|| {
            let help = "a field of another name may hold `{subject}`";
            (format!("`{name}` says who the user is: only a token can"), Some(help))
        })
    })
}

/// `response_headers`, of a site or of a route.
pub(super) fn of_responses(written: Written, context: &mut Context<'_>) -> Vec<(HeaderName, HeaderRule)> {
    rules(written, context, |_| None)
}

fn rules(
    written: Written,
    context: &mut Context<'_>,
    refused: impl Fn(&HeaderName) -> Option<Refusal>,
) -> Vec<(HeaderName, HeaderRule)> {
    let Some(At { value: Map(rules), at }) = written else { return Vec::new() };
    if rules.len() > RULES_MAX {
        context.problem(at, format!("more than {RULES_MAX} header rules"));
    }
    for (name, _) in &rules {
        if let Some((message, help)) = everywhere(&name.value).or_else(|| refused(&name.value)) {
            let problem = context.problem(name.at, message);
            if let Some(help) = help {
                problem.help(help);
            }
        }
    }
    rules.into_iter().map(|(name, rule)| (name.value, rule)).collect()
}

fn everywhere(name: &HeaderName) -> Option<Refusal> {
    let plain = folded(name);
    if FIXED_FIELDS.contains(&plain.as_str()) || plain.starts_with("proxy-") {
        return Some((format!("`{name}` belongs to the connection and cannot be changed"), None));
    }
    let help = "the id joins the log lines of both servers; a field of another name may hold `{request_id}`";
    (plain == "x-request-id").then(|| (format!("`{name}` is the edge's own"), Some(help)))
}

/// Many application servers read `_` and `.` in a name as `-`.
fn folded(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}
