//! One revision of the configuration with everything built from it: what a request reads and never changes.

use crate::auth::{AssertionSigner, IssuerError, Issuers, RouteRule, RuleError};
use crate::config::{self, Action, Config};
use crate::files::{FileServer, FilesError};
use crate::route::{RouteTable, SiteTable};
use crate::upstream::{self, SendLimits, Transport};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serve::shared_key::SharedKeyError;
use std::sync::Arc;
use std::time::Duration;

/// A checked configuration, ready to serve.
pub struct Snapshot {
    /// What it was built from.
    pub config: Arc<Config>,
    /// Sites by host name.
    pub(crate) sites: SiteTable,
    /// Routes by path.
    pub(crate) table: RouteTable,
    /// Routes by number.
    pub(crate) routes: Vec<PreparedRoute>,
    /// How each upstream is talked to, in the order of the configuration.
    pub(crate) transports: Vec<Transport>,
    /// Keys, by issuer.
    pub issuers: Issuers,
}

/// Why a checked configuration can't be served: something outside of it is missing.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A directory of files.
    #[error("route \"{route}\": {error}")]
    Files {
        /// The route's name.
        route: String,
        /// What is wrong.
        error: FilesError,
    },
    /// Keys of an issuer.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
    /// Who may use a route.
    #[error("route \"{route}\": {error}")]
    Rule {
        /// The route's name.
        route: String,
        /// What is wrong.
        error: RuleError,
    },
    /// The key that an upstream shares with the proxy.
    #[error("upstream \"{upstream}\": {error}")]
    AssertionKey {
        /// The upstream's name.
        upstream: String,
        /// What is wrong.
        error: SharedKeyError,
    },
    /// TLS to an upstream.
    #[error("upstream \"{upstream}\": TLS: {error}")]
    UpstreamTls {
        /// The upstream's name.
        upstream: String,
        /// What is wrong.
        error: rustls::Error,
    },
    /// The check lets no configuration with unknown names through.
    #[error("route \"{route}\" forwards to the unknown upstream \"{upstream}\"")]
    UnknownUpstream {
        /// The route's name.
        route: String,
        /// The name that no upstream has.
        upstream: String,
    },
}

pub(crate) struct PreparedRoute {
    pub(crate) name: Arc<str>,
    pub(crate) policy: PreparedPolicy,
    pub(crate) action: PreparedAction,
}

pub(crate) struct PreparedPolicy {
    pub(crate) auth: RouteRule,
    pub(crate) send: SendLimits,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) response_headers: Vec<(HeaderName, HeaderValue)>,
}

pub(crate) enum PreparedAction {
    Files(Box<FileServer>),
    Forward(ForwardTo),
    Redirect(RedirectTo),
    Respond(Fixed),
}

pub(crate) struct ForwardTo {
    /// The position of the upstream.
    pub(crate) upstream: usize,
    pub(crate) assertions: Option<Arc<AssertionSigner>>,
    pub(crate) internal: Option<Box<FileServer>>,
}

pub(crate) struct RedirectTo {
    pub(crate) status: StatusCode,
    to: Vec<Piece>,
}

enum Piece {
    Text(String),
    Host,
    Path,
    Query,
}

pub(crate) struct Fixed {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) content_type: HeaderValue,
}

impl Snapshot {
    /// Builds everything; `previous` hands over what outlives a revision (keys fetched from elsewhere).
    ///
    /// # Errors
    /// [`SnapshotError`] when something that the configuration names can't be used.
    pub fn build(config: Arc<Config>, previous: Option<&Self>) -> Result<Self, SnapshotError> {
        let issuers = Issuers::build(&config.issuers, previous.map(|previous| &previous.issuers))?;
        let assertions = config
            .upstreams
            .iter()
            .map(|upstream| {
                let key = upstream.assertion_key.as_ref();
                key.map(|key| AssertionSigner::open(&upstream.name, key).map(Arc::new))
                    .transpose()
                    .map_err(|error| SnapshotError::AssertionKey { upstream: upstream.name.clone(), error })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let transports =
            config.upstreams.iter().map(|upstream| transport(upstream, previous)).collect::<Result<Vec<_>, _>>()?;
        let routes = config
            .routes
            .iter()
            .map(|route| PreparedRoute::build(route, &config, &issuers, &assertions))
            .collect::<Result<_, _>>()?;
        let sites = SiteTable::new(&config.sites);
        let table = RouteTable::new(&config.sites, &config.routes);
        Ok(Self { config, sites, table, routes, transports, issuers })
    }
}

/// An unchanged upstream keeps its TLS settings, and with them the sessions that can be resumed.
fn transport(upstream: &config::Upstream, previous: Option<&Snapshot>) -> Result<Transport, SnapshotError> {
    let config::Upstream { name, protocol, tls, .. } = upstream;
    let known = previous.and_then(|previous| {
        let known = &previous.config.upstreams;
        let index =
            known.iter().position(|known| (&known.name, &known.protocol, &known.tls) == (name, protocol, tls))?;
        previous.transports.get(index).cloned()
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let failed = |error| SnapshotError::UpstreamTls { upstream: name.clone(), error };
    let tls = match tls {
        Some(tls) => Some((tls.clone(), upstream::client_config(tls, *protocol).map_err(failed)?)),
        None => None,
    };
    Ok(Transport { protocol: *protocol, tls })
}

impl PreparedRoute {
    fn build(
        route: &config::Route,
        config: &Config,
        issuers: &Issuers,
        assertions: &[Option<Arc<AssertionSigner>>],
    ) -> Result<Self, SnapshotError> {
        let files_error = |error| SnapshotError::Files { route: route.name.clone(), error };
        // Without `..`: a new policy field does not compile until it is prepared.
        let config::RoutePolicy {
            auth,
            body_bytes_max,
            progress_timeout,
            response_timeout,
            total_timeout,
            response_headers,
        } = &route.policy;
        let policy = PreparedPolicy {
            auth: RouteRule::new(auth, issuers)
                .map_err(|error| SnapshotError::Rule { route: route.name.clone(), error })?,
            send: SendLimits {
                body_bytes_max: *body_bytes_max,
                progress_timeout: *progress_timeout,
                response_timeout: *response_timeout,
            },
            total_timeout: *total_timeout,
            response_headers: response_headers.clone(),
        };
        let action = match &route.action {
            Action::Files(files) => {
                let server = FileServer::open(files).map_err(files_error)?;
                let for_all = auth.mode == config::AuthMode::Public;
                PreparedAction::Files(Box::new(if for_all { server } else { server.for_identified_clients() }))
            }
            Action::Forward(forward) => {
                let position = config.upstreams.iter().position(|upstream| upstream.name == forward.upstream);
                let Some(upstream) = position else {
                    let (route, upstream) = (route.name.clone(), forward.upstream.clone());
                    return Err(SnapshotError::UnknownUpstream { route, upstream });
                };
                let internal = forward.internal_root.as_deref().map(FileServer::internal).transpose();
                PreparedAction::Forward(ForwardTo {
                    upstream,
                    assertions: assertions[upstream].clone(),
                    internal: internal.map_err(files_error)?.map(Box::new),
                })
            }
            Action::Redirect(redirect) => {
                PreparedAction::Redirect(RedirectTo { status: redirect.status, to: pieces(&redirect.to) })
            }
            Action::Respond(respond) => PreparedAction::Respond(Fixed {
                status: respond.status,
                body: Bytes::from(respond.body.clone()),
                content_type: respond.content_type.clone(),
            }),
        };
        Ok(Self { name: route.name.as_str().into(), policy, action })
    }
}

impl RedirectTo {
    /// The target with the request's own parts filled in; `query` includes its `?`.
    pub(crate) fn fill(&self, host: &str, path: &str, query: &str) -> String {
        let piece = |piece: &'_ Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Host => host.to_owned(),
            Piece::Path => path.to_owned(),
            Piece::Query => query.to_owned(),
        };
        let target: String = self.to.iter().map(piece).collect();
        // A path that begins with two slashes would name another host (RFC 3986 section 4.2).
        if target.starts_with("//") { format!("/{}", target.trim_start_matches('/')) } else { target }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut left = text;
    while let Some(start) = left.find('{') {
        let variables = [("{host}", Piece::Host), ("{path}", Piece::Path), ("{query}", Piece::Query)];
        let found = variables.into_iter().find(|(name, _)| left[start..].starts_with(name));
        let (end, piece) = match found {
            Some((name, piece)) => (start + name.len(), piece),
            None => (start + 1, Piece::Text("{".to_owned())),
        };
        pieces.push(Piece::Text(left[..start].to_owned()));
        pieces.push(piece);
        left = &left[end..];
    }
    pieces.push(Piece::Text(left.to_owned()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_fill_in_the_request() {
        for (to, wanted) in [
            ("https://{host}{path}{query}", "https://a.example:1/p/q?x=1"),
            ("/new{query}", "/new?x=1"),
            ("/{other}/{path}", "/{other}//p/q"),
            ("/plain", "/plain"),
            ("{path}", "/p/q"),
        ] {
            let redirect = RedirectTo { status: StatusCode::FOUND, to: pieces(to) };
            assert_eq!(redirect.fill("a.example:1", "/p/q", "?x=1"), wanted);
        }
        let redirect = RedirectTo { status: StatusCode::FOUND, to: pieces("{path}") };
        assert_eq!(redirect.fill("a.example", "//evil.example/", ""), "/evil.example/");
    }
}
