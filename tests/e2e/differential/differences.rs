//! The differences that are right. Most say one thing: this server refuses what its neighbours repair, because behind a
//! repair two servers may read two requests (RFC 9112 section 11.2).

use super::Difference;
use portcullis_tests::peer::Peer::{self, Haproxy, Nginx};

const LENGTH: &str = "it has read all of a short body before it forwards, and then knows its length";
const LINE_FEED: &str =
    "RFC 9112 section 2.2 allows bare line feeds; who counts lines otherwise behind us finds another request";
const CHUNK_LINE: &str = "RFC 9112 section 7.1 ends the lines of chunks with CRLF and allows nothing else";
const REPEATED: &str =
    "RFC 9112 section 6.3: refuse or repair repeated lengths; what is repaired here may not be behind us";
const CONTROL: &str = "RFC 9110 section 5.5: control characters in values are invalid and dangerous";
const VERSION: &str = "RFC 9110 section 15.6.6: 505 for a version that is not served";
const HOST: &str = "RFC 9112 section 3.2: 400 without exactly one valid Host, which would choose no site or two";
const FORM: &str = "RFC 9112 section 3.2: no form of a target that fits the method, so that no route can be chosen";
const PATH: &str = "routes and token rules are chosen by path: one that could be read in two ways matches none";
const KEPT: &str = "both refuse; the path is wrong and the framing is not, so that the connection may go on";

const fn differs(
    case: &'static str,
    peer: Peer,
    ours: &'static str,
    theirs: &'static str,
    why: &'static str,
) -> Difference {
    Difference { case, peer, ours, theirs, why }
}

/// The answers to a good GET and the last request.
const TAKEN: &str = "2xx 2xx: GET /a; GET /last";
const REFUSED: &str = "refused";
/// Refused, and the connection goes on.
const REFUSED_ALONE: &str = "refused 2xx: GET /last";
const LENGTH_5: &str = "2xx 2xx: POST /a 5 hello; GET /last";
const CHUNKED: &str = "2xx 2xx: POST /a chunked hello; GET /last";

pub(super) const DIFFERENCES: &[Difference] = &[
    differs("a POST in chunks", Nginx, CHUNKED, LENGTH_5, LENGTH),
    differs("CHUNKED", Nginx, CHUNKED, LENGTH_5, LENGTH),
    differs("an extension of a chunk", Nginx, CHUNKED, LENGTH_5, LENGTH),
    differs("a trailer", Nginx, CHUNKED, LENGTH_5, LENGTH),
    differs(
        "a GET in chunks",
        Nginx,
        "2xx 2xx: GET /a chunked hello; GET /last",
        "2xx 2xx: GET /a 5 hello; GET /last",
        LENGTH,
    ),
    differs(
        "a method in lower case",
        Nginx,
        "2xx 2xx: get /a; GET /last",
        REFUSED,
        "RFC 9110 section 9.1: any token is a method; what a method means is for the application to say",
    ),
    differs(
        "an absolute target",
        Haproxy,
        "2xx 2xx: GET /x; GET /last",
        "2xx 2xx: GET http://a/x; GET /last",
        "RFC 9112 section 3.2.1: a request to an origin server names the path; its Host says the rest",
    ),
    differs(
        "a length and chunks",
        Haproxy,
        REFUSED,
        "2xx: POST /a chunked hello",
        "RFC 9112 section 6.1 lets a server refuse both: no sound client sends them",
    ),
    differs("the same length twice", Haproxy, REFUSED, LENGTH_5, REPEATED),
    differs("a list of lengths", Haproxy, REFUSED, LENGTH_5, REPEATED),
    differs(
        "chunks in HTTP/1.0",
        Haproxy,
        REFUSED,
        "2xx: POST /a chunked hello",
        "RFC 9112 section 6.1: a coding in HTTP/1.0 is faulty framing",
    ),
    differs("a bare line feed behind a chunk size", Nginx, REFUSED, LENGTH_5, CHUNK_LINE),
    differs("a bare line feed behind a chunk", Nginx, REFUSED, LENGTH_5, CHUNK_LINE),
    differs("bare line feeds", Nginx, REFUSED, TAKEN, LINE_FEED),
    differs("a bare line feed behind a field", Nginx, REFUSED, TAKEN, LINE_FEED),
    differs("a bare line feed behind a chunk size", Haproxy, REFUSED, CHUNKED, CHUNK_LINE),
    differs("a bare line feed behind a chunk", Haproxy, REFUSED, CHUNKED, CHUNK_LINE),
    differs("bare line feeds", Haproxy, REFUSED, TAKEN, LINE_FEED),
    differs("a bare line feed behind a field", Haproxy, REFUSED, TAKEN, LINE_FEED),
    differs(
        "a folded value",
        Haproxy,
        REFUSED,
        TAKEN,
        "RFC 9112 section 5.2: a server refuses folded lines or unfolds them; to refuse leaves one reading",
    ),
    differs("a zero byte in a value", Haproxy, REFUSED, TAKEN, CONTROL),
    differs("a control character in a value", Nginx, REFUSED, TAKEN, CONTROL),
    differs("DEL in a value", Nginx, REFUSED, TAKEN, CONTROL),
    differs("a control character in a value", Haproxy, REFUSED, TAKEN, CONTROL),
    differs("DEL in a value", Haproxy, REFUSED, TAKEN, CONTROL),
    differs(
        "a field without a colon",
        Nginx,
        REFUSED,
        TAKEN,
        "RFC 9112 section 5: no field line; nginx drops it, so that it and we would count other lines",
    ),
    differs(
        "a bracket in a name",
        Nginx,
        REFUSED,
        TAKEN,
        "RFC 9110 section 5.1: no token; nginx drops the field and forwards the rest",
    ),
    differs(
        "two spaces behind the method",
        Nginx,
        REFUSED,
        TAKEN,
        "RFC 9112 section 3: exactly one space; a lenient reading may find another target",
    ),
    differs(
        "two spaces behind the method",
        Haproxy,
        REFUSED,
        TAKEN,
        "RFC 9112 section 3: exactly one space; a lenient reading may find another target",
    ),
    differs(
        "a space behind the version",
        Nginx,
        REFUSED,
        TAKEN,
        "RFC 9112 section 3: nothing stands between the version and the end of the line",
    ),
    differs(
        "a fragment in the target",
        Nginx,
        REFUSED,
        "2xx 2xx: GET /a#b; GET /last",
        "RFC 9112 section 3.2: a fragment is no part of a target; one reader routes on it and the next cuts it off",
    ),
    differs(
        "a letter beyond ASCII in the target",
        Haproxy,
        "2xx 2xx: GET /\u{e9}; GET /last",
        REFUSED,
        "clients do send raw UTF-8 in paths; the bytes go on as they came, as with nginx",
    ),
    differs(
        "HTTP/0.9",
        Nginx,
        REFUSED,
        "closed: GET /a",
        "RFC 9112 section 3: a request line has a version; nobody speaks HTTP/0.9 any more",
    ),
    differs("HTTP/1.2", Nginx, REFUSED, TAKEN, VERSION),
    differs("HTTP/1.2", Haproxy, REFUSED, TAKEN, VERSION),
    differs("HTTP/2.0", Haproxy, REFUSED, TAKEN, VERSION),
    differs("HTTP/1.10", Nginx, REFUSED, TAKEN, "RFC 9112 section 2.3: one digit, a dot and one digit"),
    differs("no host", Haproxy, REFUSED, TAKEN, HOST),
    differs("the same host twice", Haproxy, REFUSED, TAKEN, HOST),
    differs("a host with a path", Haproxy, REFUSED, TAKEN, HOST),
    differs(
        "an absolute target of another host",
        Nginx,
        REFUSED,
        "2xx 2xx: GET /x; GET /last",
        "two hosts in one request: nginx routes by the target, an application may look at Host",
    ),
    differs("a target without a slash", Haproxy, REFUSED, "2xx 2xx: GET a; GET /last", FORM),
    differs(
        "CONNECT",
        Haproxy,
        REFUSED,
        "2xx 2xx: CONNECT a:80; GET /last",
        "a reverse proxy opens no tunnels to hosts that a client names",
    ),
    differs("an asterisk of a GET", Haproxy, REFUSED, "2xx 2xx: GET *; GET /last", FORM),
    differs("dot segments", Nginx, REFUSED_ALONE, "2xx 2xx: GET /a/../b; GET /last", PATH),
    differs("dot segments", Haproxy, REFUSED_ALONE, "2xx 2xx: GET /a/../b; GET /last", PATH),
    differs("dot segments above the root", Nginx, REFUSED_ALONE, REFUSED, KEPT),
    differs("dot segments above the root", Haproxy, REFUSED_ALONE, "2xx 2xx: GET /../a; GET /last", PATH),
    differs("a zero byte in an encoded target", Nginx, REFUSED_ALONE, REFUSED, KEPT),
    differs("a zero byte in an encoded target", Haproxy, REFUSED_ALONE, "2xx 2xx: GET /a%00; GET /last", PATH),
    differs("a broken percent sign", Nginx, REFUSED_ALONE, REFUSED, KEPT),
    differs("a broken percent sign", Haproxy, REFUSED_ALONE, "2xx 2xx: GET /a%zz; GET /last", PATH),
    differs(
        "TRACE",
        Nginx,
        REFUSED_ALONE,
        REFUSED,
        "both refuse; an unwanted method says nothing about the framing, so that the connection may go on",
    ),
    differs(
        "TRACE",
        Haproxy,
        REFUSED_ALONE,
        "2xx 2xx: TRACE /a; GET /last",
        "its answer would show cookies and the assertion, so a route has to name it",
    ),
];
