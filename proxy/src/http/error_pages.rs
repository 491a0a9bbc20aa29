//! A page for people in place of a problem, where route or site have one for its status. Programs still get the problem:
//! only who asks for HTML by name gets the page. Status and all other fields stay, `Cache-Control: no-store` too, and a
//! page is never looked for twice: it is bytes in memory.

use super::body::ProxyBody;
use super::context::RequestContext;
use crate::snapshot::{PreparedAction, Snapshot};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Exchanges the body of an error of the edge, if there is a page.
pub(super) fn apply(snapshot: &Snapshot, context: &RequestContext, response: &mut Response<ProxyBody>) {
    let status = response.status();
    let of_route = context.route_index.and_then(|route| snapshot.routes.get(route)).and_then(|route| {
        if let PreparedAction::Files(files) = &route.action { files.error_page(status) } else { None }
    });
    let of_site = || context.site_index.and_then(|site| snapshot.site(site).error_page(status));
    let Some(page) = of_route.or_else(of_site) else { return };
    *response.body_mut() = ProxyBody::bytes(page);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.append(VARY, HeaderValue::from_static("Accept"));
}

/// Whether HTML is asked for by name: browsers do when they navigate, and neither scripts nor command lines.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|range| range.eq_ignore_ascii_case("text/html"));
        let is_refused =
            |weight: &str| weight.trim_end_matches('0').trim_end_matches('.').trim_end_matches('0').is_empty();
        let mut weights = parts.filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_html && !weights.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_asked_for_by_name() {
        for (accept, wants) in [
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", true),
            ("application/json, TEXT/HTML ; q=0.1", true),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/html;q=0", false),
            ("text/html; q=0.000", false),
            ("text/htmlx", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_html(&headers), wants, "{accept}");
        }
        assert!(!wants_html(&HeaderMap::new()));
    }
}
