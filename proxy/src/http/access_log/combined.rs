//! The combined format of Apache and nginx, which every log reader knows.

use super::Line;
use super::escape::Escape;
use super::field::{Value, protocol};
use super::number::{push_address, push_number};
use http::Version;
use std::time::SystemTime;

impl Line {
    /// `addr - subject [day/Mon/year:HH:MM:SS +0000] "METHOD target PROTO" status bytes "referer" "agent"`
    pub(super) fn combined(&self, out: &mut Vec<u8>, now: SystemTime) {
        let (context, head) = (&self.context, &self.head);
        match context.origin.client {
            Some(client) => push_address(out, client),
            None => out.extend_from_slice(b"unix:"),
        }
        out.extend_from_slice(b" - ");
        let subject = context.caller.as_ref().map(|caller| caller.subject().as_bytes());
        or_hyphen(out, subject, |out, subject| Escape::Word.push(out, subject));
        out.extend_from_slice(b" [");
        out.extend_from_slice(&self.access.shape.time.local(now));
        out.extend_from_slice(b"] \"");
        out.extend_from_slice(head.method.as_str().as_bytes());
        out.push(b' ');
        match head.uri.path() {
            // CONNECT names a host and no path.
            "" => Escape::Word.push(out, self.host().unwrap_or_default()),
            path => self.push(out, &Value::Target(path, head.uri.query()), Escape::Word),
        }
        out.push(b' ');
        // Both write HTTP/2 so.
        let written = if head.version == Version::HTTP_2 { "HTTP/2.0" } else { protocol(head.version) };
        out.extend_from_slice(written.as_bytes());
        out.extend_from_slice(b"\" ");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.push(b' ');
        push_number(out, self.bytes_sent);
        out.extend_from_slice(b" \"");
        let referer = head.referer.as_ref().map(http::HeaderValue::as_bytes);
        or_hyphen(out, referer, |out, referer| self.push(out, &Value::Referer(referer), Escape::Hex));
        out.extend_from_slice(b"\" \"");
        let agent = head.agent.as_ref().map(http::HeaderValue::as_bytes);
        or_hyphen(out, agent, |out, agent| Escape::Hex.push(out, agent));
        out.push(b'"');
    }
}

/// Appends what is there, or the sign that nothing is.
fn or_hyphen(out: &mut Vec<u8>, bytes: Option<&[u8]>, push: impl FnOnce(&mut Vec<u8>, &[u8])) {
    match bytes {
        Some(bytes) if !bytes.is_empty() => push(out, bytes),
        _ => out.push(b'-'),
    }
}
