//! The line for people. Formed without allocation, because it is formed for every request: through `fmt` it took a
//! quarter of the instructions of a small file's answer.

use super::Line;
use super::escape::Escape;
use super::field::{Value, protocol};
use super::number::{push_address, push_number, push_tenths};
use std::time::{Duration, SystemTime};

impl Line {
    pub(super) fn text(&self, out: &mut Vec<u8>, now: SystemTime) {
        let (context, head) = (&self.context, &self.head);
        let attempt = &context.attempt;
        let start = out.len();
        out.extend_from_slice(&self.access.shape.time.text(now));
        out.push(b' ');
        match context.origin.client {
            Some(client) => push_address(out, client),
            None => out.extend_from_slice(b"unix"),
        }
        push(out, b" ", head.method.as_str().as_bytes());
        out.push(b' ');
        // Words of a client or of a token: a space in one could begin a word that it may not say, such as ` code=`.
        Escape::Word.push(out, self.host().unwrap_or_default());
        self.push(out, &Value::Target(head.uri.path(), head.uri.query()), Escape::Word);
        push(out, b" ", protocol(head.version).as_bytes());
        push(out, b" ", self.status.as_str().as_bytes());
        out.push(b' ');
        push_number(out, self.bytes_sent);
        out.extend_from_slice(b"B ");
        push_tenths(out, self.duration);

        // Behind the fixed part stands only what there is to tell, by name.
        let mut told = |name: &[u8], value: Option<&str>| {
            if let Some(value) = value {
                push(out, name, value.as_bytes());
            }
        };
        told(b" tls=", self.tls_version());
        told(b" site=", context.site.as_deref());
        told(b" route=", context.route.as_deref());
        told(b" upstream=", context.upstream.as_deref());
        told(b" endpoint=", attempt.endpoint.as_deref());
        if attempt.attempts > 1 {
            out.extend_from_slice(b" attempts=");
            push_number(out, u64::from(attempt.attempts));
        }
        time(out, b" connect=", attempt.connect);
        time(out, b" first-byte=", attempt.first_byte);
        time(out, b" upstream-total=", attempt.total);
        if self.all_received() > 0 {
            out.extend_from_slice(b" received=");
            push_number(out, self.all_received());
            out.push(b'B');
        }
        if let Some(caller) = &context.caller {
            out.extend_from_slice(b" subject=");
            Escape::Word.push(out, caller.subject().as_bytes());
        }
        if let Some((code, reason)) = &context.cause {
            push(out, b" code=", code.as_bytes());
            out.extend_from_slice(b" reason=\"");
            Escape::Hex.push(out, reason.as_bytes());
            out.push(b'"');
        }
        if let Some(error) = self.error {
            out.extend_from_slice(b" broke-off=\"");
            self.push(out, &Value::Broken(error), Escape::Hex);
            out.push(b'"');
        }
        push(out, b" id=", context.request_id.as_str().as_bytes());
        keep_on_one_line(out, start);
    }
}

fn push(out: &mut Vec<u8>, before: &[u8], text: &[u8]) {
    out.extend_from_slice(before);
    out.extend_from_slice(text);
}

fn time(out: &mut Vec<u8>, name: &[u8], duration: Option<Duration>) {
    if let Some(duration) = duration {
        out.extend_from_slice(name);
        push_tenths(out, duration);
    }
}

/// A line stays a line, whatever the names in a configuration hold.
fn keep_on_one_line(out: &mut Vec<u8>, start: usize) {
    // Without an early end, so that many bytes are looked at at once.
    if out[start..].iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte)) {
        return;
    }
    let line = String::from_utf8_lossy(&out[start..]);
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.truncate(start);
    out.extend_from_slice(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line_and_other_lines_are_left_alone() {
        for (text, wanted) in
            [("GET /", "GET /"), ("a\nb\r\u{7f}c\td", "a b  c d"), ("caf\u{e9} \u{85}\u{9b}31m", "caf\u{e9}   31m")]
        {
            let mut out = b"before\n".to_vec();
            out.extend_from_slice(text.as_bytes());
            keep_on_one_line(&mut out, 7);
            assert_eq!(String::from_utf8(out).expect("text"), format!("before\n{wanted}"));
        }
    }
}
