//! What CPython's `json` module says of a text that is no JSON: simplejwt passes its message on, with line, column and
//! offset, and clients show it.
//!
//! Only texts that serde_json has refused come here. The scanner follows `json.scanner` and `json.decoder` of
//! Python 3.11 in what it checks and in which order.

/// Deeper texts are not looked through; serde_json stops at this depth too.
const DEPTH_MAX: usize = 128;

/// The message for a text that is no JSON.
pub(super) fn explain(body: &[u8]) -> String {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => match (error.error_len(), std::str::from_utf8(&body[..error.valid_up_to()])) {
            // A character cut off at the end is dropped silently by the stream reader that Django uses.
            (None, Ok(text)) => text,
            (length, _) => return not_utf8(body, error.valid_up_to(), length.unwrap_or(1)),
        },
    };
    if text.starts_with('\u{feff}') {
        return "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)".to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut scanner = Scanner { chars: &chars, at: 0 };
    match scanner.document() {
        Err(Fault::At(message, at)) => format!("{message}: {}", position(&chars, at)),
        Err(Fault::NotFinite(name)) => format!("Out of range float values are not JSON compliant: '{name}'"),
        // Refused by serde_json alone: too deep, or a lone surrogate, or a number out of range.
        Ok(()) => format!("Expecting value: {}", position(&chars, 0)),
    }
}

/// `UnicodeDecodeError` in words.
fn not_utf8(body: &[u8], start: usize, length: usize) -> String {
    let first = body.get(start).copied().unwrap_or_default();
    let starts = (0xc2..=0xf4).contains(&first);
    let reason = if starts { "invalid continuation byte" } else { "invalid start byte" };
    if length == 1 {
        format!("'utf-8' codec can't decode byte 0x{first:02x} in position {start}: {reason}")
    } else {
        format!("'utf-8' codec can't decode bytes in position {start}-{}: {reason}", start + length - 1)
    }
}

/// `line 2 column 6 (char 13)`; the offset counts characters, not bytes.
fn position(chars: &[char], at: usize) -> String {
    let before = &chars[..at.min(chars.len())];
    let line = 1 + before.iter().filter(|&&c| c == '\n').count();
    let column = before.iter().rev().take_while(|&&c| c != '\n').count() + 1;
    format!("line {line} column {column} (char {at})")
}

enum Fault {
    At(&'static str, usize),
    NotFinite(&'static str),
}

struct Scanner<'text> {
    chars: &'text [char],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.spaces();
        self.value(0)?;
        self.spaces();
        if self.at == self.chars.len() { Ok(()) } else { Err(Fault::At("Extra data", self.at)) }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        let expecting = Fault::At("Expecting value", self.at);
        if depth > DEPTH_MAX {
            return Err(expecting);
        }
        match self.peek() {
            Some('"') => self.string(),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('-' | '0'..='9') if self.number() => Ok(()),
            _ => {
                for word in ["null", "true", "false"] {
                    if self.word(word) {
                        return Ok(());
                    }
                }
                for name in ["NaN", "Infinity", "-Infinity"] {
                    if self.word(name) {
                        return Err(Fault::NotFinite(name));
                    }
                }
                Err(expecting)
            }
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = &self.chars[self.at..];
        let found = word.chars().count() <= rest.len() && word.chars().zip(rest).all(|(wanted, &c)| wanted == c);
        if found {
            self.at += word.chars().count();
        }
        found
    }

    /// `-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?`; takes as much as fits and leaves the rest to the caller.
    fn number(&mut self) -> bool {
        let digits = |mut at: usize| {
            while self.chars.get(at).is_some_and(char::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let start = self.at + usize::from(self.peek() == Some('-'));
        let mut end = match self.chars.get(start) {
            Some('0') => start + 1,
            Some('1'..='9') => digits(start),
            _ => return false,
        };
        if self.chars.get(end) == Some(&'.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if matches!(self.chars.get(end), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.chars.get(end + 1), Some('+' | '-')));
            let exponent = end + 1 + sign;
            if digits(exponent) > exponent {
                end = digits(exponent);
            }
        }
        self.at = end;
        true
    }

    fn string(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(Fault::At("Unterminated string starting at", begin)),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') => self.escape(begin)?,
                Some('\u{0}'..='\u{1f}') => return Err(Fault::At("Invalid control character at", self.at)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<(), Fault> {
        let backslash = self.at;
        match self.chars.get(backslash + 1) {
            None => Err(Fault::At("Unterminated string starting at", begin)),
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                self.at += 2;
                Ok(())
            }
            Some('u') => {
                let digits = self.chars.get(backslash + 2..backslash + 6).unwrap_or_default();
                if digits.len() == 4 && digits.iter().all(char::is_ascii_hexdigit) {
                    self.at += 6;
                    Ok(())
                } else {
                    Err(Fault::At("Invalid \\uXXXX escape", backslash + 1))
                }
            }
            Some(_) => Err(Fault::At("Invalid \\escape", backslash)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        self.at += 1;
        self.spaces();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some('"') {
                return Err(Fault::At(NAME, self.at));
            }
            self.string()?;
            self.spaces();
            if self.peek() != Some(':') {
                return Err(Fault::At("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.spaces();
            self.value(depth + 1)?;
            self.spaces();
            match self.peek() {
                Some('}') => break,
                Some(',') => self.at += 1,
                _ => return Err(Fault::At("Expecting ',' delimiter", self.at)),
            }
            self.spaces();
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        self.spaces();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.spaces();
            match self.peek() {
                Some(']') => break,
                Some(',') => self.at += 1,
                _ => return Err(Fault::At("Expecting ',' delimiter", self.at)),
            }
            self.spaces();
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair was recorded from CPython 3.11 through Django REST framework 3.18.
    #[test]
    fn messages_are_those_of_cpython() {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        let table: [(&[u8], &str); 26] = [
            (b"{", &format!("{NAME}: line 1 column 2 (char 1)")),
            (b"nope", "Expecting value: line 1 column 1 (char 0)"),
            (b"{\"a\":1} x", "Extra data: line 1 column 9 (char 8)"),
            (b"{\"a\":1,}", &format!("{NAME}: line 1 column 8 (char 7)")),
            (b"{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            (b"{\"a\":}", "Expecting value: line 1 column 6 (char 5)"),
            (b"{'a':1}", &format!("{NAME}: line 1 column 2 (char 1)")),
            (b"{\"a\":1,\n \"b\" 2}", "Expecting ':' delimiter: line 2 column 6 (char 13)"),
            (b"{\"a\":\"b", "Unterminated string starting at: line 1 column 6 (char 5)"),
            (b"{\"a\":\"b\n\"}", "Invalid control character at: line 1 column 8 (char 7)"),
            (b"{\"a\":\"\\x\"}", "Invalid \\escape: line 1 column 7 (char 6)"),
            (b"{\"a\":\"\\u12\"}", "Invalid \\uXXXX escape: line 1 column 8 (char 7)"),
            (b"{\"a\":NaN}", "Out of range float values are not JSON compliant: 'NaN'"),
            (b"[-Infinity]", "Out of range float values are not JSON compliant: '-Infinity'"),
            (b"{\"a\":1 \"b\":2}", "Expecting ',' delimiter: line 1 column 8 (char 7)"),
            (b"[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
            (b"[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
            (b"[1,]", "Expecting value: line 1 column 4 (char 3)"),
            (b"[01]", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
            (b"[1.]", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
            (b"[-]", "Expecting value: line 1 column 2 (char 1)"),
            (b"  ", "Expecting value: line 1 column 3 (char 2)"),
            (b"{\"a\":\"\xff\"}", "'utf-8' codec can't decode byte 0xff in position 6: invalid start byte"),
            (
                b"{\"username\":\"ada\",\"password\":\"\xc3\"}",
                "'utf-8' codec can't decode byte 0xc3 in position 30: invalid continuation byte",
            ),
            (b"[\xe5", "Expecting value: line 1 column 2 (char 1)"),
            (b"\xef\xbb\xbf{}", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        ];
        for (body, message) in table {
            assert_eq!(explain(body), message, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_only_serde_refuses_still_has_a_message() {
        for body in ["[".repeat(1000), r#"{"a":"\ud800"}"#.to_owned(), "[1e999]".to_owned()] {
            assert!(explain(body.as_bytes()).starts_with("Expecting value: line 1 column "));
        }
    }
}
