//! How many more servers a TRACE or OPTIONS may pass (RFC 9110 section 7.6.2), and which methods a route takes.

use super::body::ProxyBody;
use http::header::{ALLOW, MAX_FORWARDS};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// `Allow` where no route has named its methods.
pub(super) const ALLOW_USUAL: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// Counts one hop. `true`: the request has come to its end and is not forwarded. Only these two methods are counted;
/// what is no number limits nothing and goes on as it is.
pub(super) fn ends_here(method: &Method, headers: &mut HeaderMap) -> bool {
    if *method != Method::OPTIONS && *method != Method::TRACE {
        return false;
    }
    let mut fields = headers.get_all(MAX_FORWARDS).iter();
    let (Some(value), None) = (fields.next(), fields.next()) else { return false };
    // `parse` would take a sign.
    let digits = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(digits) = digits else { return false };
    // More hops than fit are as many as fit.
    let Some(left) = digits.parse().unwrap_or(u32::MAX).checked_sub(1) else { return true };
    headers.insert(MAX_FORWARDS, HeaderValue::from(left));
    false
}

/// The edge's own answer to OPTIONS: what the route lets through.
pub(super) fn options(methods: &[Method]) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::bytes(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow(methods));
    response
}

/// Routes that let GET through let HEAD through too.
fn allow(methods: &[Method]) -> HeaderValue {
    if methods.is_empty() {
        return ALLOW_USUAL;
    }
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if let Some(get) = names.iter().position(|name| *name == "GET").filter(|_| !names.contains(&"HEAD")) {
        names.insert(get + 1, "HEAD");
    }
    HeaderValue::try_from(names.join(", ")).unwrap_or(ALLOW_USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_counted_down_to_the_end() {
        for (method, told, ends, left) in [
            (Method::OPTIONS, &["0"][..], true, &["0"][..]),
            (Method::OPTIONS, &["000"], true, &["000"]),
            (Method::OPTIONS, &["1"], false, &["0"]),
            (Method::TRACE, &["10"], false, &["9"]),
            (Method::TRACE, &["99999999999999999999"], false, &["4294967294"]),
            (Method::OPTIONS, &[], false, &[]),
            (Method::OPTIONS, &["+0"], false, &["+0"]),
            (Method::OPTIONS, &[""], false, &[""]),
            (Method::OPTIONS, &["0", "0"], false, &["0", "0"]),
            (Method::GET, &["0"], false, &["0"]),
        ] {
            let mut headers = HeaderMap::new();
            for value in told {
                headers.append(MAX_FORWARDS, HeaderValue::from_static(value));
            }
            assert_eq!(ends_here(&method, &mut headers), ends, "{method} {told:?}");
            assert_eq!(headers.get_all(MAX_FORWARDS).iter().collect::<Vec<_>>(), left, "{method} {told:?}");
        }
    }

    #[test]
    fn the_methods_of_a_route_are_told() {
        assert_eq!(allow(&[]), ALLOW_USUAL);
        assert_eq!(allow(&[Method::OPTIONS, Method::GET, Method::POST]), "OPTIONS, GET, HEAD, POST");
        assert_eq!(allow(&[Method::HEAD, Method::GET]), "HEAD, GET");
    }
}
