//! The head of a message as it stood on the wire: start line and fields in their order, nothing normalised.

/// A start line with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The request line or status line.
    pub start_line: String,
    /// Names as sent, values without the surrounding spaces.
    pub fields: Vec<(String, String)>,
    /// Everything as it came, with the empty line.
    pub raw: String,
}

impl Head {
    /// Reads the bytes up to and including the empty line.
    ///
    /// # Panics
    ///
    /// When a line has no colon: what the servers under test send must be well formed.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let mut lines = raw.split("\r\n").take_while(|line| !line.is_empty());
        let start_line = lines.next().unwrap_or_default().to_owned();
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a field has a colon");
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Self { start_line, fields, raw }
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// The target of a request, raw.
    #[must_use]
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The status of a response.
    ///
    /// # Panics
    ///
    /// When the start line holds none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.word(1).parse().expect("a status line has a number in second place")
    }

    /// The value of the first field of this name, compared without case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The values of all fields of this name, compared without case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a field of this name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Whether a body follows in chunks.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"))
    }

    /// The announced length of the body, 0 without one.
    #[must_use]
    pub fn content_length(&self) -> usize {
        self.field("content-length").map_or(0, |length| length.parse().expect("a length is a number"))
    }

    fn word(&self, index: usize) -> &str {
        self.start_line.split(' ').nth(index).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_keeps_order_case_and_repetition() {
        let head = Head::parse(b"GET /a%2Fb HTTP/1.1\r\nHost: x\r\nVia: 1.1 a\r\nvia:1.1 b\r\n\r\n");
        assert_eq!((head.method(), head.target()), ("GET", "/a%2Fb"));
        assert_eq!(head.all("VIA").collect::<Vec<_>>(), ["1.1 a", "1.1 b"]);
        assert_eq!(head.fields[0].0, "Host");
        assert_eq!(Head::parse(b"HTTP/1.1 204 No Content\r\n\r\n").status(), 204);
    }
}
