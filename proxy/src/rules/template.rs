//! Templates with the facts of one request filled in.

use crate::config::{Piece, Template, Variable};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Everything but visible ASCII, and `%` itself, as in `X-Auth-Subject`.
const INVISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// What rules may tell of a request. What is not known is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// With the port, if the client wrote one.
    pub host: &'a str,
    /// As the client wrote it.
    pub path: &'a str,
    /// Without its `?`. A token in it has been removed.
    pub query: Option<&'a str>,
    /// The client as trusted hops tell.
    pub client: Option<IpAddr>,
    /// `http` or `https`, as the client spoke.
    pub scheme: &'a str,
    /// The method.
    pub method: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The name of the route.
    pub route: &'a str,
    /// The name of the site.
    pub site: &'a str,
    /// Who signed in, as the issuer names it.
    pub subject: &'a str,
    /// `TLSv1.2` or `TLSv1.3`.
    pub tls_version: &'a str,
}

/// The text with its variables filled in.
#[must_use]
pub fn fill(template: &Template, facts: &Facts<'_>) -> String {
    let mut filled = String::new();
    for piece in template.pieces() {
        let variable = match piece {
            Piece::Text(text) => {
                filled.push_str(text);
                continue;
            }
            Piece::Variable(variable) => variable,
        };
        match variable {
            Variable::Host => filled.push_str(facts.host),
            Variable::Path => filled.push_str(facts.path),
            Variable::Query => {
                if let Some(query) = facts.query {
                    filled.push('?');
                    filled.push_str(query);
                }
            }
            Variable::ClientAddress => {
                if let Some(client) = facts.client {
                    // Writing to a string can't fail.
                    let _ = write!(filled, "{client}");
                }
            }
            Variable::Scheme => filled.push_str(facts.scheme),
            Variable::Method => filled.push_str(facts.method),
            Variable::RequestId => filled.push_str(facts.request_id),
            Variable::Route => filled.push_str(facts.route),
            Variable::Site => filled.push_str(facts.site),
            Variable::Subject => filled.extend(utf8_percent_encode(facts.subject, INVISIBLE)),
            Variable::TlsVersion => filled.push_str(facts.tls_version),
        }
    }
    filled
}
