//! The lines of requests in every format.

use super::{ask, get, text, with_front_logging};
use crate::config::{LineField, LineTemplate, LogFormat};
use http::{HeaderValue, Request, Version, header};
use std::sync::Arc;

fn template(text: &str) -> LogFormat {
    LogFormat::Template(Arc::new(LineTemplate::parse(text).expect(text)))
}

/// Every field there is, by name.
fn everything() -> LogFormat {
    let fields: Vec<String> = LineField::ALL.iter().map(|field| format!("{0}=\"{{{0}}}\"", field.name())).collect();
    template(&fields.join(" "))
}

/// The line without the values that differ from run to run.
fn without_time(line: &str) -> String {
    let (before, rest) = line.split_once('[').expect("a time");
    let (time, after) = rest.split_once(']').expect("a time");
    assert_eq!(time.len(), "10/Oct/2000:13:55:36 +0000".len(), "{time}");
    assert!(time.ends_with(" +0000") && time.as_bytes()[11] == b':', "{time}");
    format!("{before}[T]{after}")
}

#[test]
fn combined_lines_are_read_by_every_log_reader() {
    let log = with_front_logging(LogFormat::Combined, async |front| {
        let agent = HeaderValue::from_bytes(b"a \"quoted\" \\ agent\xe9").expect("a value");
        let full = get("/hello?x=1").header(header::REFERER, "https://me:pw@from.test/page?token=t&y=2");
        let _ = text(ask(&front, full.header(header::USER_AGENT, agent)).await).await;
        let _ = text(ask(&front, get("/hello").version(Version::HTTP_2)).await).await;
        let _ = text(ask(&front, get("/p\"q").header(header::USER_AGENT, "")).await).await;
        let _ = text(ask(&front, get("example.test:80").method("CONNECT")).await).await;
    });
    let lines: Vec<String> = log.lines().map(without_time).collect();
    let sizes: Vec<&str> = log.lines().map(|line| line.split(' ').nth(9).expect("bytes")).collect();
    assert_eq!(
        lines,
        [
            "192.0.2.7 - - [T] \"GET /hello?x=1 HTTP/1.1\" 200 5 \"https://from.test/page?token=redacted&y=2\" \
             \"a \\x22quoted\\x22 \\x5C agent\\xE9\""
                .to_owned(),
            "192.0.2.7 - - [T] \"GET /hello HTTP/2.0\" 200 5 \"-\" \"-\"".to_owned(),
            format!("192.0.2.7 - - [T] \"GET /p\\x22q HTTP/1.1\" 404 {} \"-\" \"-\"", sizes[2]),
            format!("192.0.2.7 - - [T] \"CONNECT example.test:80 HTTP/1.1\" 405 {} \"-\" \"-\"", sizes[3]),
        ]
    );
}

#[test]
fn text_lines_tell_what_there_is_to_tell() {
    let log = with_front_logging(LogFormat::Text, async |front| {
        let _ = text(ask(&front, get("/hello?a=b")).await).await;
        let _ = text(ask(&front, get("/nowhere")).await).await;
    });
    // Time, duration and id differ from run to run.
    let word = |line: &str, from: usize, to: usize| line.split(' ').collect::<Vec<_>>()[from..to].join(" ");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(word(lines[0], 1, 6), "192.0.2.7 GET example.test/hello?a=b HTTP/1.1 200");
    assert_eq!(word(lines[0], 6, 7), "5B");
    assert_eq!(word(lines[0], 8, 10), "site=main route=/hello");
    assert!(word(lines[0], 10, 11).starts_with("id="), "{}", lines[0]);
    assert!(lines[1].contains(" site=main code=no_route reason=\"no route leads there\" id="), "{}", lines[1]);
}

#[test]
fn a_template_is_filled_in_and_what_is_not_there_is_a_hyphen() {
    let format = "{{{method}}} {host} {path}|{query}|{target} {protocol} {tls_version} {status} {bytes_sent} \
                  {bytes_received} {client} {peer} {site} {route} {upstream} {endpoint} {attempts} {upstream_ms} \
                  {subject} {agent} {referer} {code} {reason} {broke_off}";
    let log = with_front_logging(template(format), async |front| {
        let _ = text(ask(&front, get("/hello?a=b").header(header::USER_AGENT, "curl")).await).await;
        let _ = text(ask(&front, get("/nowhere").header(header::REFERER, "")).await).await;
        drop(ask(&front, get("/hello")).await);
    });
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines[0],
        "{GET} example.test /hello|a=b|/hello?a=b HTTP/1.1 - 200 5 0 192.0.2.7 192.0.2.7 main /hello - - - - - curl - \
         - - -"
    );
    assert!(lines[1].starts_with("{GET} example.test /nowhere|-|/nowhere HTTP/1.1 - 404 "), "{}", lines[1]);
    assert!(lines[1].ends_with(" main - - - - - - - - no_route no route leads there -"), "{}", lines[1]);
    assert!(lines[2].ends_with(" the peer closed the body before its end"), "{}", lines[2]);
}

#[test]
fn every_field_has_a_value_in_a_template() {
    let log = with_front_logging(everything(), async |front| {
        let _ = text(ask(&front, get("/hello")).await).await;
    });
    assert_eq!(log.lines().count(), 1);
    assert_eq!(log.matches("=\"").count(), LineField::ALL.len(), "{log}");
    assert!(!log.contains("=\"\""), "{log}");
}

/// Whatever the format, and whether the request is let through, refused, or lost before it has a route.
#[test]
fn no_format_writes_a_secret() {
    const CANARY: &str = "s3cr3tc4n4ry";
    for format in [LogFormat::Json, LogFormat::Text, LogFormat::Combined, everything()] {
        let name = format!("{format:?}");
        let log = with_front_logging(format, async |front| {
            for (host, path) in [
                ("example.test", "/hello"),
                ("example.test", "/jwt/x"),
                ("example.test", "/nowhere"),
                ("example.test", "/a/../closed/x"),
                ("elsewhere.test", "/hello"),
                ("user:s3cr3tc4n4ry@example.test", "/hello"),
            ] {
                for query in ["jwt", "JWT", "access_token", "%6awt", "a=1;jwt", "password", "X-Amz-Signature", "sig"] {
                    let request = Request::get(format!("{path}?{query}={CANARY}&last=1"))
                        .header(header::HOST, host)
                        .header(header::AUTHORIZATION, format!("Bearer {CANARY}"))
                        .header(header::PROXY_AUTHORIZATION, format!("Basic {CANARY}"))
                        .header(header::COOKIE, format!("session={CANARY}; other={CANARY}"))
                        .header(header::REFERER, format!("https://u:{CANARY}@a.test/?jwt={CANARY}&x=1#{CANARY}"))
                        .header("x-auth-subject", CANARY)
                        .header("x-auth-assertion", CANARY);
                    let _ = text(ask(&front, request).await).await;
                }
            }
        });
        assert_eq!(log.lines().count(), 48, "{name}: {log}");
        assert!(log.contains("last=1") && log.contains("redacted"), "{name}: {log}");
        assert!(!log.contains(CANARY), "{name}: {log}");
    }
}

#[test]
fn nothing_that_a_client_sends_breaks_a_line() {
    for format in [LogFormat::Json, LogFormat::Text, LogFormat::Combined, everything()] {
        let name = format!("{format:?}");
        let log = with_front_logging(format, async |front| {
            let odd = HeaderValue::from_bytes(b"a\t\"b\\ \xc2\x85\xff\x80").expect("a value");
            let request = get("/hello").header(header::USER_AGENT, odd.clone()).header(header::REFERER, odd);
            let _ = text(ask(&front, request).await).await;
        });
        assert_eq!(log.lines().count(), 1, "{name}: {log}");
        assert!(!log.trim_end().chars().any(char::is_control), "{name}: {log:?}");
    }
}
