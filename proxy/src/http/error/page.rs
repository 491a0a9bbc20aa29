//! The documented list of errors, as a page.

use super::codes;
use std::fmt::Write as _;

/// Every error that the edge makes, as a Markdown page: `docs/errors.md`.
#[must_use]
pub fn error_reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for (heading, codes) in codes::groups() {
        // Writing to a string can't fail.
        let _ = write!(
            page,
            "\n## {heading}\n\n| code | status | again? | meaning | what to do |\n|---|---|---|---|---|\n"
        );
        for entry in codes {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                entry.code,
                entry.status.as_u16(),
                entry.retry.as_str(),
                entry.meaning,
                entry.remedy
            );
        }
    }
    page
}

const INTRODUCTION: &str = r#"# Errors of the edge

Generated from the list in `proxy/src/http/error/codes.rs`; a test keeps this page equal to it.

Every error that the front server itself answers is a problem (RFC 9457), `application/problem+json`:

```json
{
  "type": "about:blank",
  "title": "Bad Gateway",
  "status": 502,
  "code": "upstream_connect",
  "detail": "upstream \"app\": it does not accept connections",
  "source": "edge",
  "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
  "upstream": "app",
  "attempts": 2
}
```

- `code` is stable: programs may depend on it. Each has one status, and a later version gives none another meaning.
- `source` says which server made the error: `edge` is the front server, `app` the application, whose codes are its own.
- `request_id` is also in the field `X-Request-Id`, in the edge's log line and in the application's.
- `upstream` and `attempts` stand in every 5xx of a request that went to an upstream: its name, and how many endpoints
  or connections were tried. The address of the last one is in the log line only.
- `detail` is for people. The exact reason is in the log line, as `reason` beside `code`.
- An issuer with `errors = "simplejwt"` answers refusals of tokens in that library's words instead, with the same status
  and `X-Request-Id`; the log line has the code.
- Over HTTP/1.1 the connection ends where the rest of it can't be trusted. An answer that has begun can't become an
  error any more: it breaks off, and the log line says why as `broke_off`.

**again?** tells whether a client should send the same request again. *No*: it would get the same answer. *Yes, later*:
after `Retry-After` or a few seconds, whatever the method, because this one had no effect. *Idempotent ones*: only when
the method is idempotent (RFC 9110 section 9.2.2), because this one may have had an effect.
"#;
