//! The line for people. Formed without allocation, because it is formed for every request: through `fmt` it took a
//! quarter of the instructions of a small file's answer.

use super::{Line, protocol};
use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

impl Line {
    pub(super) fn text(&self, out: &mut Vec<u8>, now: SystemTime) {
        let context = &self.context;
        let start = out.len();
        out.extend_from_slice(&self.access.time.text(now));
        out.push(b' ');
        match context.origin.client {
            Some(client) => push_address(out, client),
            None => out.extend_from_slice(b"unix"),
        }
        push(out, b" ", self.method.as_str());
        push(out, b" ", self.host().unwrap_or_default());
        push(out, b"", self.uri.path());
        if let Some(query) = self.uri.query() {
            push(out, b"?", &self.redacted(query));
        }
        push(out, b" ", protocol(self.version));
        push(out, b" ", self.status.as_str());
        push(out, b" ", itoa::Buffer::new().format(self.bytes));
        out.extend_from_slice(b"B ");
        push_milliseconds(out, context.started.elapsed());
        let mut add = |name: &[u8], value: Option<&str>| value.into_iter().for_each(|value| push(out, name, value));
        add(b" route=", context.route.as_deref());
        add(b" endpoint=", context.attempt.endpoint.as_deref());
        add(b" subject=", context.subject.as_ref().map(|identity| identity.subject.as_str()));
        add(b" code=", context.cause.as_ref().map(|(code, _)| *code));
        add(b" reason=", context.cause.as_ref().map(|(_, reason)| format!("{reason:?}")).as_deref());
        add(b" broke-off=", self.error.map(|error| format!("\"{error}\"")).as_deref());
        add(b" id=", Some(context.request_id.as_str()));
        keep_on_one_line(out, start);
    }
}

fn push(out: &mut Vec<u8>, before: &[u8], text: &str) {
    out.extend_from_slice(before);
    out.extend_from_slice(text.as_bytes());
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                push(out, if index == 0 { b"" } else { b"." }, itoa::Buffer::new().format(octet));
            }
        }
        IpAddr::V6(address) => {
            // Writing to memory can't fail.
            let _ = write!(out, "{address}");
        }
    }
}

/// To a tenth of a millisecond.
fn push_milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let tenths = (duration.as_micros() + 50) / 100;
    push(out, b"", itoa::Buffer::new().format(tenths / 10));
    push(out, b".", itoa::Buffer::new().format(tenths % 10));
    out.extend_from_slice(b"ms");
}

/// A line stays a line, whatever a client or a token's subject holds.
fn keep_on_one_line(out: &mut Vec<u8>, start: usize) {
    if out[start..].iter().all(|byte| (b' '..=b'~').contains(byte)) {
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

    fn formed(form: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        form(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        for address in ["0.0.0.0", "192.0.2.7", "255.255.255.255", "2001:db8::1"] {
            assert_eq!(formed(|out| push_address(out, address.parse().expect(address))), address);
        }
        for (microseconds, wanted) in [(0, "0.0ms"), (49, "0.0ms"), (50, "0.1ms"), (9_949, "9.9ms"), (9_950, "10.0ms")]
        {
            assert_eq!(formed(|out| push_milliseconds(out, Duration::from_micros(microseconds))), wanted);
        }
    }

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
