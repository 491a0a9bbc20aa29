//! Texts with variables of the request: `https://{host}{path}`. Read once, when the configuration is.

use std::fmt;

/// Bytes of a template.
const BYTES_MAX: usize = 4096;
/// Variables in a template: each may be as long as a request target.
const VARIABLES_MAX: usize = 16;

/// What a template may hold in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// `{host}`: the host, with its port if the client wrote one.
    Host,
    /// `{path}`: the path as the client wrote it.
    Path,
    /// `{query}`: the query with its `?`, empty without one.
    Query,
    /// `{client_address}`: the client's IP address, empty when it is not known.
    ClientAddress,
    /// `{scheme}`: `http` or `https`, as the client spoke.
    Scheme,
    /// `{method}`: the method.
    Method,
    /// `{request_id}`: the id of the request.
    RequestId,
    /// `{route}`: the name of the route, empty when there is none.
    Route,
    /// `{site}`: the name of the site.
    Site,
    /// `{subject}`: who signed in, percent-encoded as in `X-Auth-Subject`, empty when nobody did.
    Subject,
    /// `{tls_version}`: `TLSv1.2` or `TLSv1.3`, empty without TLS.
    TlsVersion,
}

impl Variable {
    /// Those that header rules know: all of them.
    pub(super) const ALL: [Self; 11] = [
        Self::Host,
        Self::Path,
        Self::Query,
        Self::ClientAddress,
        Self::Scheme,
        Self::Method,
        Self::RequestId,
        Self::Route,
        Self::Site,
        Self::Subject,
        Self::TlsVersion,
    ];

    /// Those that the target of a redirect knows: what a client can be sent back to.
    pub(super) const OF_REDIRECTS: [Self; 3] = [Self::Host, Self::Path, Self::Query];

    /// As it is written between the braces.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Path => "path",
            Self::Query => "query",
            Self::ClientAddress => "client_address",
            Self::Scheme => "scheme",
            Self::Method => "method",
            Self::RequestId => "request_id",
            Self::Route => "route",
            Self::Site => "site",
            Self::Subject => "subject",
            Self::TlsVersion => "tls_version",
        }
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Stays as it is.
    Text(String),
    /// Is filled in for each request.
    Variable(Variable),
}

/// A text with variables.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
    secret: bool,
}

/// Why a text is no [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTemplate {
    /// `{host` at the end.
    #[error("this `{{` is never closed")]
    Open,
    /// A word in braces that is no variable here.
    #[error("there is no variable `{0}`")]
    Unknown(String),
    /// More than it may have.
    #[error("a text with variables has at most 4 KiB and 16 of them")]
    TooLong,
}

impl Template {
    /// Reads a template that may hold the `known` variables. `{{` is a brace, and so is one that no word follows: JSON
    /// in a header value is left alone.
    pub(super) fn parse(text: &str, known: &[Variable]) -> Result<Self, BadTemplate> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let word_end = after.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
            rest = match (word_end, after.as_bytes().get(word_end.unwrap_or(0))) {
                (None, _) => return Err(BadTemplate::Open),
                (Some(0), Some(b'{')) => {
                    plain.push('{');
                    &after[1..]
                }
                (Some(end @ 1..), Some(b'}')) => {
                    let word = &after[..end];
                    let variable = known.iter().find(|variable| variable.name() == word);
                    let variable = *variable.ok_or_else(|| BadTemplate::Unknown(word.to_owned()))?;
                    pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain))));
                    pieces.push(Piece::Variable(variable));
                    &after[end + 1..]
                }
                _ => {
                    plain.push('{');
                    after
                }
            };
        }
        plain.push_str(rest);
        pieces.extend((!plain.is_empty()).then_some(Piece::Text(plain)));
        let variables = pieces.iter().filter(|piece| matches!(piece, Piece::Variable(_))).count();
        if text.len() > BYTES_MAX || variables > VARIABLES_MAX {
            return Err(BadTemplate::TooLong);
        }
        Ok(Self { text: text.to_owned(), pieces, secret: false })
    }

    /// The same, but never shown: it holds what a reference brought.
    pub(super) fn hidden(self) -> Self {
        Self { secret: true, ..self }
    }

    /// As written; `None` when it must not be shown.
    pub(super) fn shown(&self) -> Option<&str> {
        (!self.secret).then_some(&self.text)
    }

    /// Whether it must not be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Its parts, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// A secret never shows.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().unwrap_or("[redacted]").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn variables_stand_in_braces() {
        for (written, pieces) in [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("{host}", vec![Piece::Variable(Variable::Host)]),
            (
                "https://{host}{path}!",
                vec![text("https://"), Piece::Variable(Variable::Host), Piece::Variable(Variable::Path), text("!")],
            ),
            ("{{host}", vec![text("{host}")]),
            ("{{{host}}", vec![text("{"), Piece::Variable(Variable::Host), text("}")]),
            (r#"{"group":"a","to":[{"url":"b"}]}"#, vec![text(r#"{"group":"a","to":[{"url":"b"}]}"#)]),
            ("{}", vec![text("{}")]),
            ("{not a word}", vec![text("{not a word}")]),
            ("a{\u{e9}}", vec![text("a{\u{e9}}")]),
        ] {
            assert_eq!(Template::parse(written, &Variable::ALL).expect(written).pieces(), pieces, "{written}");
        }
    }

    #[test]
    fn every_variable_is_known_by_its_name() {
        for variable in Variable::ALL {
            let template = Template::parse(&format!("{{{}}}", variable.name()), &Variable::ALL);
            assert_eq!(template.expect("a template").pieces(), [Piece::Variable(variable)]);
        }
    }

    #[test]
    fn what_looks_like_a_variable_must_be_one() {
        let parse = |text: &str| Template::parse(text, &Variable::OF_REDIRECTS);
        assert_eq!(parse("{hots}"), Err(BadTemplate::Unknown("hots".to_owned())));
        assert_eq!(parse("{subject}"), Err(BadTemplate::Unknown("subject".to_owned())));
        assert_eq!(parse("{Host}"), Err(BadTemplate::Unknown("Host".to_owned())));
        assert_eq!(parse("a{"), Err(BadTemplate::Open));
        assert_eq!(parse("a{host"), Err(BadTemplate::Open));
        assert_eq!(parse(&"{host}".repeat(17)), Err(BadTemplate::TooLong));
        assert_eq!(parse(&"a".repeat(5000)), Err(BadTemplate::TooLong));
    }

    #[test]
    fn a_hidden_template_does_not_show() {
        let hidden = Template::parse("Basic c2VjcmV0", &Variable::ALL).expect("a template").hidden();
        assert_eq!(format!("{hidden:?}"), "\"[redacted]\"");
        assert_eq!(hidden.pieces(), [text("Basic c2VjcmV0")]);
    }
}
