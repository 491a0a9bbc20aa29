//! The list of all errors that the edge makes. A cause is worded only through an entry of it, so a code that is not
//! documented does not compile. `docs/errors.md` is this list as a page.

use serve::contract::error_code::ErrorCode;

serve::error_codes! {
    /// About the request itself.
    pub(super) REQUEST = {
        MALFORMED_REQUEST = "malformed_request", BAD_REQUEST, Useless,
            "The bytes are no HTTP request, or one that two servers could read in two ways (RFC 9112).",
            "Look at the client or the proxy before this one. The connection is closed and nothing was forwarded.";
        VERSION_UNSUPPORTED = "version_unsupported", HTTP_VERSION_NOT_SUPPORTED, Useless,
            "The request names a version of HTTP that is not spoken here.",
            "Speak HTTP/1.1 or HTTP/2.";
        CODING_UNSUPPORTED = "coding_unsupported", NOT_IMPLEMENTED, Useless,
            "The request's body has a transfer coding other than chunked (RFC 9112 section 6.1).",
            "Send the body with a length or chunked. Compression belongs into `Content-Encoding`.";
        REQUEST_TIMEOUT = "request_timeout", REQUEST_TIMEOUT, Later,
            "The head of the request did not come in the listener's `header_timeout`.",
            "A slow network or a slow attack. Raise `header_timeout` only for honest clients.";
        HEADERS_TOO_LARGE = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, Useless,
            "The request's fields are more or larger than the listener allows.",
            "Most often too many cookies. Clear them, or raise `header_bytes_max` or `header_count_max`.";
        URI_TOO_LONG = "uri_too_long", URI_TOO_LONG, Useless,
            "The request's target is longer than the listener's `uri_bytes_max`.",
            "Send the parameters in a body, or raise `uri_bytes_max`.";
        BAD_HOST = "bad_host", BAD_REQUEST, Useless,
            "There is no host, more than one, a malformed one, or two that disagree.",
            "Send exactly one `Host` field; in a target with a host, the same one.";
        BAD_TARGET = "bad_target", BAD_REQUEST, Useless,
            "The request's target is no path, or names another scheme than the connection's.",
            "Send a target that begins with a slash, or `*` with OPTIONS.";
        BAD_PATH = "bad_path", BAD_REQUEST, Useless,
            "The path can be read in several ways that lead to different places.",
            "Send it without `..`, encoded slashes, repeated slashes or `;` where routes differ by them.";
        CONNECT_UNSUPPORTED = "connect_unsupported", METHOD_NOT_ALLOWED, Useless,
            "CONNECT asks for a forward proxy, which this is not.",
            "Use a forward proxy.";
        TRACE_REFUSED = "trace_refused", METHOD_NOT_ALLOWED, Useless,
            "The answer to TRACE would show the client the request as the application gets it, with cookies and identity.",
            "Ask otherwise. Where an application needs it, name `TRACE` in the route's `methods`.";
        UNKNOWN_HOST = "unknown_host", NOT_FOUND, Useless,
            "No site has this host name.",
            "Add the name to a site's `hosts`, or a site without `hosts`, which takes every name.";
        NO_ROUTE = "no_route", NOT_FOUND, Useless,
            "No route matches path, method and fields.",
            "Add a route, or compare `methods` and `headers` of the one that was meant.";
        BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, Useless,
            "The request's body is larger than the route's `body_bytes_max`.",
            "Send less, or raise `body_bytes_max` of the route.";
        BODY_TOO_SLOW = "body_too_slow", REQUEST_TIMEOUT, Idempotent,
            "The client sent nothing of its body for the route's `progress_timeout`.",
            "Look at the client's network; raise `progress_timeout` if its pauses are honest.";
        BODY_BROKEN = "body_broken", BAD_REQUEST, Idempotent,
            "The request's body broke off before its end.",
            "Look at the client: it closed the connection or broke the framing.";
    }
}

/// The entry for bytes that are no request.
pub(super) fn of_malformed(code: &str) -> &'static ErrorCode {
    REQUEST.iter().copied().find(|entry| entry.code == code).unwrap_or(&MALFORMED_REQUEST)
}

serve::error_codes! {
    /// About static files.
    pub(super) FILES = {
        FILE_NOT_FOUND = "file_not_found", NOT_FOUND, Useless,
            "There is no such file below the route's `root`.",
            "Deploy the file, or look at `root`, `index`, `fallback` and `strip_prefix`.";
        FILE_FORBIDDEN = "file_forbidden", FORBIDDEN, Useless,
            "The file is there and the proxy's user may not read it.",
            "Give that user the right to read the file and to enter its folders.";
        METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, Useless,
            "Files are only read; `Allow` lists the methods.",
            "Send the request to a route that forwards.";
        PRECONDITION_FAILED = "precondition_failed", PRECONDITION_FAILED, Useless,
            "The file is not in the state that the request's conditions name (RFC 9110 section 13).",
            "Load the file anew and take its present `ETag`.";
        RANGE_NOT_SATISFIABLE = "range_not_satisfiable", RANGE_NOT_SATISFIABLE, Useless,
            "The range lies behind the end of the file; `Content-Range` tells its length.",
            "Ask for a range inside the file.";
        FILE_UNAVAILABLE = "file_unavailable", SERVICE_UNAVAILABLE, Later,
            "The file can't be read now: descriptors or memory ran out, or the disk failed.",
            "The log line's reason is the system's error. Raise the limit on open files, or look at the disk.";
        DISK_STALLED = "disk_stalled", SERVICE_UNAVAILABLE, Later,
            "The disk with the file has not answered within the route's `disk_timeout`.",
            "Look at the disk, or at the server of the network file system. While it answers nobody, requests for its files \
             that are not in memory are refused at once; files on other disks go on.";
    }
}

serve::error_codes! {
    /// About upstreams.
    pub(super) UPSTREAMS = {
        UPSTREAM_UNRESOLVED = "upstream_unresolved", SERVICE_UNAVAILABLE, Later,
            "The names of the upstream's endpoints have no address.",
            "Look at `endpoints` and at the name service; names are resolved again by themselves.";
        UPSTREAM_CONNECT = "upstream_connect", BAD_GATEWAY, Later,
            "No endpoint of the upstream accepts connections.",
            "See whether the application runs and listens where `endpoints` says.";
        UPSTREAM_TLS = "upstream_tls", BAD_GATEWAY, Later,
            "TLS to an endpoint failed: its certificate can't be verified, or it does not accept the proxy's.",
            "The `reason` in the log line says which check failed. Look at the upstream's `tls`.";
        UPSTREAM_BUSY = "upstream_busy", SERVICE_UNAVAILABLE, Later,
            "Every place on the HTTP/2 connections to the endpoint is taken, or it refuses requests.",
            "Raise the endpoint's limit of concurrent streams, or add endpoints.";
        UPSTREAM_NOT_BACK = "upstream_not_back", SERVICE_UNAVAILABLE, Later,
            "Every endpoint of the upstream was away, the request waited (`park`), and none came back in `park.timeout`.",
            "See why the application does not start. Raise `timeout` if its restarts take longer.";
        PARKING_FULL = "parking_full", SERVICE_UNAVAILABLE, Later,
            "Every endpoint of the upstream is away, and as many requests wait for it as `park` allows.",
            "Restart faster, or raise `requests_max` or `bytes_max` of `park`.";
        QUEUE_FULL = "queue_full", SERVICE_UNAVAILABLE, Later,
            "The upstream has as many requests as its `limits` allow, and as many wait for a place.",
            "Add endpoints, or raise `limits` if it can take more. A longer queue makes answers later, not more.";
        QUEUE_TIMEOUT = "queue_timeout", SERVICE_UNAVAILABLE, Later,
            "The upstream has as many requests as its `limits` allow, and no place became free in `queue_timeout`.",
            "As for `queue_full`.";
        REQUEST_SHED = "request_shed", SERVICE_UNAVAILABLE, Later,
            "The request waited for a place, and what was left of its time (`deadline`) was shorter than answers take now.",
            "As for `queue_full`; or raise `deadline`.";
        CIRCUIT_OPEN = "circuit_open", SERVICE_UNAVAILABLE, Later,
            "Every endpoint has failed as often as the upstream's `breaker` allows, and is left alone for `open_for`.",
            "The log says since when, `portcullis_upstream_failures_total` why. Mend the application.";
        UPSTREAM_CONNECT_TIMEOUT = "upstream_connect_timeout", GATEWAY_TIMEOUT, Later,
            "No endpoint of the upstream answered a connect in `connect_timeout`.",
            "See whether the host is up and a firewall drops packets.";
        UPSTREAM_TIMEOUT = "upstream_timeout", GATEWAY_TIMEOUT, Idempotent,
            "The head of the upstream's answer did not come in the route's `response_timeout`.",
            "Find out what takes so long in the application; the request id is in its log. Or raise the limit.";
        UPSTREAM_RESET = "upstream_reset", BAD_GATEWAY, Idempotent,
            "The upstream closed the connection before its answer was complete enough to be passed on.",
            "The application crashed or was killed. Its log has the request id if it came that far.";
        UPSTREAM_MALFORMED = "upstream_malformed", BAD_GATEWAY, Idempotent,
            "The upstream's answer is no HTTP, or it switched protocols unasked.",
            "See whether the endpoint speaks HTTP on this port; the log line's reason says what is wrong.";
        INTERNAL_FILE = "internal_file", BAD_GATEWAY, Useless,
            "The application named a file by `X-Accel-Redirect` that can't be served.",
            "Compare the path that it names with the route's `internal_root`; the log line's reason says more.";
        TOTAL_TIMEOUT = "total_timeout", GATEWAY_TIMEOUT, Idempotent,
            "The request took longer than the route's `total_timeout`.",
            "Find the slow part by the times in the log line, or raise the limit.";
        DEADLINE = "deadline_exceeded", GATEWAY_TIMEOUT, Idempotent,
            "There was no head of a response by the request's deadline: the route's `deadline`, or what a trusted proxy has \
             told in `X-Request-Timeout`.",
            "The log line's `tried` tells where the time went. Find the slow part, or raise the limit.";
    }
}

serve::error_codes! {
    /// About the edge.
    pub(super) EDGE = {
        OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, Later,
            "The edge uses as much of its memory as `server.overload` allows, and refuses requests until it is less.",
            "Give it more memory, or find out what holds it: `portcullis_overload_memory_bytes`, open connections, held bodies.";
        HELD_BODY = "held_body", INTERNAL_SERVER_ERROR, Idempotent,
            "The request's body was held on the edge's disk and can't be read back.",
            "Look at the disk that temporary files are on; the proxy's own log has the system's error.";
        INTERNAL = "internal", INTERNAL_SERVER_ERROR, Idempotent,
            "A defect in the proxy. Other requests go on.",
            "Report it with the request id and the panic in the proxy's own log.";
    }
}

/// The whole list, in the order of the page.
pub(super) fn groups() -> [(&'static str, &'static [&'static ErrorCode]); 5] {
    [
        ("The request", REQUEST),
        ("Tokens", crate::auth::CODES),
        ("Files", FILES),
        ("Upstreams", UPSTREAMS),
        ("The edge itself", EDGE),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_entry_with_an_error_status() {
        let all: Vec<_> = groups().into_iter().flat_map(|(_, codes)| codes).collect();
        for (index, entry) in all.iter().enumerate() {
            assert!(entry.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{entry:?}");
            assert!(entry.status.is_client_error() || entry.status.is_server_error(), "{entry:?}");
            assert!(entry.meaning.ends_with('.') && entry.remedy.ends_with('.'), "{entry:?}");
            assert!(all[..index].iter().all(|other| other.code != entry.code), "{entry:?}");
        }
    }
}
