//! The site's modules without their page, as tables: the sanitiser, the event parser, the line comparison, the errors.
//!
//! They run in Chromium from the very files that the front server serves; no second JavaScript engine is needed.

use serde_json::{Value, json};

use super::window::{Screen, Window};

/// Each module's table, in one window.
pub(super) async fn hold_alone(driver_url: &str, base_url: &str) {
    let window = Window::open(driver_url, "modules", Screen::Desktop).await;
    window.goto(&format!("{base_url}/")).await;
    sanitiser(&window).await;
    event_parser(&window).await;
    line_comparison(&window).await;
    problems(&window).await;
    // No look at the console here: over hostile HTML the browser's own content policy is expected to speak up.
    window.close().await;
}

/// What comes in from the server, and what may stand in the page.
const HTML: [(&str, &str); 16] = [
    ("<p>a <strong>b</strong></p>", "<p>a <strong>b</strong></p>"),
    ("<script>alert(1)</script>x", "x"),
    ("<p onclick=alert(1)>x</p>", "<p>x</p>"),
    ("<p style=position:fixed class=bar id=gate>x</p>", "<p>x</p>"),
    ("<img src=x onerror=alert(1)>", "<img src=\"x\">"),
    ("<img src=https://elsewhere.example/spy.png>", ""),
    ("<img src='data:image/svg+xml;base64,AAAA'>", ""),
    ("<a href=javascript:alert(1)>x</a>", "<a>x</a>"),
    ("<a href=' java\nscript:alert(1)'>x</a>", "<a>x</a>"),
    ("<a href=data:text/html,x>x</a>", "<a>x</a>"),
    (
        "<a href=https://example.com/>x</a>",
        "<a href=\"https://example.com/\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">x</a>",
    ),
    ("<iframe src=/></iframe><object data=/></object><form action=/><input name=password></form>y", "y"),
    ("<svg><script>alert(1)</script></svg><math><mtext></mtext></math>z", "z"),
    ("<input type=checkbox checked><input type=password>", "<input checked=\"\" type=\"checkbox\" disabled=\"\">"),
    ("<center>old <b>but</b> text</center>", "old <b>but</b> text"),
    ("w<template><img src=x onerror=alert(1)></template><noscript><p>n</noscript>", "w"),
];

async fn sanitiser(window: &Window) {
    for (html, expected) in HTML {
        let body = format!(
            "const {{ safeFragment }} = await import('/js/html/sanitise.js');
             const box = document.createElement('div');
             box.append(safeFragment({}));
             return box.innerHTML;",
            json!(html)
        );
        assert_eq!(window.evaluate(&body).await, expected, "from {html}");
    }
}

async fn event_parser(window: &Window) {
    let stream = ": beat\r\nevent: note\r\nid: 7\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata: plain\n\nevent: empty\n\nid: 8\ndata:x\r\rdata: unfinished";
    let expected = json!([
        { "event": "note", "data": "{\"a\":\n1}" },
        { "event": "message", "data": "plain" },
        { "event": "message", "data": "x" },
        "8",
    ]);
    // However the network cuts the stream, the events are the same.
    for piece in [1, 2, 3, 7, 1000] {
        let body = format!(
            "const {{ SseParser }} = await import('/js/live/sse.js');
             const [parser, stream, events] = [new SseParser(), {}, []];
             for (let at = 0; at < stream.length; at += {piece}) events.push(...parser.feed(stream.slice(at, at + {piece})));
             return [...events, parser.lastId];",
            json!(stream)
        );
        assert_eq!(window.evaluate(&body).await, expected, "in pieces of {piece}");
    }
    // The application's greeting: an id to resume from, without an event.
    let greeting = "const { SseParser } = await import('/js/live/sse.js');
                    const parser = new SseParser();
                    return [parser.feed(': listening\\nretry: 1000\\nid: 6\\n\\n'), parser.lastId];";
    assert_eq!(window.evaluate(greeting).await, json!([[], "6"]));
}

async fn line_comparison(window: &Window) {
    // Each side's lines that have no partner on the other.
    for (left, right, alone) in [
        ("a\nb\nc", "a\nb\nc", json!([[], []])),
        ("a\nb\nc", "a\nx\nc", json!([["b"], ["x"]])),
        ("a\nc", "a\nb\nc", json!([[], ["b"]])),
        ("a\na\nb", "b\na\na", json!([["b"], ["b"]])),
        ("", "new", json!([[""], ["new"]])),
    ] {
        let body = format!(
            "const {{ compareLines }} = await import('/js/notes/diff.js');
             const {{ left, right }} = compareLines({}, {});
             const alone = (lines) => lines.filter((line) => !line.shared).map((line) => line.line);
             return [alone(left), alone(right)];",
            json!(left),
            json!(right)
        );
        assert_eq!(window.evaluate(&body).await, alone, "{left:?} and {right:?}");
    }
}

async fn problems(window: &Window) {
    let problem = r#"{"type":"about:blank","title":"Token expired","status":401,"code":"token_expired","source":"edge","request_id":"r1"}"#;
    let invalid = r#"{"title":"Validation failed","detail":"See errors.","code":"validation","source":"app","request_id":"r2","errors":{"title":["empty"]}}"#;
    let simplejwt = r#"{"detail":"Token is expired","code":"token_not_valid"}"#;
    let table: [(&str, Value); 5] = [
        (problem, json!(["Token expired", "token_expired · said by edge · request r1", {}])),
        (invalid, json!(["See errors.", "validation · said by app · request r2", { "title": ["empty"] }])),
        (simplejwt, json!(["Token is expired", "token_not_valid · request header", {}])),
        (
            r#"{"password":["This field is required."]}"#,
            json!(["Some fields need another look.", "http_401 · request header", { "password": ["This field is required."] }]),
        ),
        ("<h1>Bad gateway</h1>", json!(["The server answered 401.", "http_401 · request header", {}])),
    ];
    for (text, expected) in table {
        let body = format!(
            "const {{ Problem }} = await import('/js/http/problem.js');
             const problem = Problem.fromBody(401, 'header', {});
             return [problem.message, problem.facts(), problem.fields];",
            json!(text)
        );
        assert_eq!(window.evaluate(&body).await, expected, "from {text}");
    }
}
