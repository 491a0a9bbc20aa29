//! One revision of the configuration with everything built from it: what a request reads and never changes.

use crate::auth::{AssertionSigner, BadTokens, IssuerError, Issuers, NoRandom, Proofs, RouteRule, RuleError};
use crate::coalesce::{CoalesceLimits, Coalescer};
use crate::config::{self, Action, Config, SecurityHeaders, Template};
use crate::files::coding::Results;
use crate::files::{FileServer, FilesError};
use crate::link::Links;
use crate::route::{RouteTable, SiteTable};
use crate::rules::{Facts, HeaderRules, PathRule, fill};
use crate::spool::{HoldLimits, Spool};
use crate::upstream::{self, Group, HostField, RetryPolicy, SendLimits, Sticky, Transport, UpstreamError};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use serve::shared_key::SharedKeyError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A checked configuration, ready to serve.
pub struct Snapshot {
    /// What it was built from.
    pub config: Arc<Config>,
    /// Sites by host name.
    pub(crate) sites: SiteTable,
    /// Sites by number; at least one.
    site_rules: Vec<SiteRules>,
    /// Routes by path.
    pub(crate) table: RouteTable,
    /// Routes by number.
    pub(crate) routes: Vec<PreparedRoute>,
    /// How each upstream is talked to, in the order of the configuration.
    pub(crate) transports: Vec<Transport>,
    /// What workers share of each upstream, in the same order.
    pub(crate) shared: Vec<Arc<upstream::Shared>>,
    /// The endpoints of each upstream, in the order of the configuration.
    pub(crate) groups: Vec<Arc<Group>>,
    /// Keys, by issuer.
    pub issuers: Issuers,
    /// How many bad tokens a client may send; `None`: any number.
    pub(crate) bad_tokens: Option<Arc<BadTokens>>,
    /// Nonces, and DPoP proofs that were used.
    pub(crate) proofs: Arc<Proofs>,
    /// What upstreams tell.
    pub links: Links,
    /// Where request bodies are held.
    pub(crate) spool: Arc<Spool>,
    /// Files that were compressed on the fly.
    pub(crate) compressed: Arc<Results>,
    /// Whether any site or route has a page in place of a problem.
    pub(crate) has_error_pages: bool,
    /// The calls that equal requests share.
    pub(crate) coalescer: Arc<Coalescer<Arc<UpstreamError>>>,
    /// One count for each snapshot that lives.
    live: Arc<()>,
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
    /// Nonces of DPoP can't be made.
    #[error("{0}")]
    Nonces(#[from] NoRandom),
    /// The cryptographic library has no AES-256-GCM.
    #[error("there is no AES-256-GCM to seal cookies with")]
    NoCipher,
    /// The key that seals the cookie of an upstream.
    #[error("upstream \"{upstream}\": sticky: {error}")]
    StickyKey {
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

/// What is made with the keys of one upstream.
struct UpstreamKeys {
    assertions: Option<Arc<AssertionSigner>>,
    sticky: Option<Arc<Sticky>>,
}

/// What a site has to say about the fields of messages.
pub(crate) struct SiteRules {
    pub(crate) name: String,
    pub(crate) request_headers: HeaderRules,
    pub(crate) response_headers: HeaderRules,
    pub(crate) security_headers: SecurityHeaders,
    error_pages: Box<[(StatusCode, Bytes)]>,
}

pub(crate) struct PreparedRoute {
    pub(crate) name: Arc<str>,
    /// Empty: any method.
    pub(crate) methods: Box<[Method]>,
    pub(crate) policy: PreparedPolicy,
    pub(crate) action: PreparedAction,
}

pub(crate) struct PreparedPolicy {
    pub(crate) auth: RouteRule,
    pub(crate) send: SendLimits,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) request_headers: HeaderRules,
    pub(crate) response_headers: HeaderRules,
    /// `None`: as the site says.
    pub(crate) security_headers: Option<SecurityHeaders>,
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
    /// What is held of a request body before the upstream is asked.
    pub(crate) hold: Option<HoldLimits>,
    /// What equal requests share of their answers.
    pub(crate) coalesce: Option<CoalesceLimits>,
    /// What is sent again when it failed.
    pub(crate) retry: Option<Arc<RetryPolicy>>,
    /// `None`: the path goes on byte for byte.
    pub(crate) path: Option<PathRule>,
    pub(crate) host: HostField,
    /// Brings clients back to their endpoint.
    pub(crate) sticky: Option<Arc<Sticky>>,
}

pub(crate) struct RedirectTo {
    pub(crate) status: StatusCode,
    to: Template,
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
        let links = links(&config, previous)?;
        let issuers = Issuers::build_with(&config.issuers, &links, previous.map(|previous| &previous.issuers))?;
        let bad_tokens = bad_tokens(&config.server, previous);
        // What was used under one revision is used under the next.
        let proofs = previous.map_or_else(Proofs::new, |previous| Ok(Arc::clone(&previous.proofs)))?;
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
        let shared = config.upstreams.iter().map(|upstream| shared(upstream, previous)).collect();
        let upstreams = config.upstreams.iter().zip(assertions).map(|(one, assertions)| {
            let sticky = sticky(one, &config.server)?;
            Ok(UpstreamKeys { assertions, sticky })
        });
        let upstreams = upstreams.collect::<Result<Vec<_>, SnapshotError>>()?;
        let groups =
            config.upstreams.iter().map(|upstream| group(upstream, &config.server, &links, previous)).collect();
        // What was compressed under one revision need not be compressed again under the next.
        let compressed = previous.map_or_else(Arc::default, |previous| Arc::clone(&previous.compressed));
        let routes = config
            .routes
            .iter()
            .map(|route| {
                PreparedRoute::build(route, &config, &issuers, bad_tokens.as_ref(), &proofs, &upstreams, &compressed)
            })
            .collect::<Result<_, _>>()?;
        let sites = SiteTable::new(&config.sites);
        let mut site_rules: Vec<_> = config.sites.iter().map(SiteRules::new).collect();
        if site_rules.is_empty() {
            // Without any site every host is the first one's.
            site_rules.push(SiteRules::new(&config::Site::default()));
        }
        let table = RouteTable::new(&config.sites, &config.routes);
        let spool = spool(&config.server, previous);
        let coalescer = previous.map_or_else(Coalescer::new, |previous| Arc::clone(&previous.coalescer));
        let has_error_pages = config.sites.iter().any(|site| !site.error_pages.is_empty())
            || config.routes.iter().any(|route| match &route.action {
                Action::Files(files) => !files.error_pages.is_empty(),
                Action::Forward(_) | Action::Redirect(_) | Action::Respond(_) => false,
            });
        Ok(Self {
            config,
            sites,
            site_rules,
            table,
            routes,
            transports,
            shared,
            groups,
            issuers,
            links,
            bad_tokens,
            proofs,
            spool,
            has_error_pages,
            coalescer,
            live: previous.map(|previous| Arc::clone(&previous.live)).unwrap_or_default(),
            compressed,
        })
    }

    /// How many snapshots live: this one, and those that requests and streams still use.
    #[must_use]
    pub fn live_count(&self) -> usize {
        Arc::strong_count(&self.live)
    }

    /// Whether keys and revocations are known, as far as routes need them.
    ///
    /// # Errors
    /// What is missing, for the readiness page.
    pub fn ready(&self, now: Instant, unix: u64) -> Result<(), String> {
        self.issuers.ready()?;
        self.routes.iter().try_for_each(|route| route.policy.auth.ready(now, unix))
    }

    /// What the site of this number says about fields.
    pub(crate) fn site(&self, index: usize) -> &SiteRules {
        &self.site_rules[index]
    }
}

impl SiteRules {
    fn new(site: &config::Site) -> Self {
        Self {
            name: site.name.clone(),
            request_headers: HeaderRules::new(&site.request_headers),
            response_headers: HeaderRules::new(&site.response_headers),
            security_headers: site.security_headers.unwrap_or(SecurityHeaders::Off),
            error_pages: site
                .error_pages
                .iter()
                .map(|(status, _, page)| (*status, Bytes::copy_from_slice(page)))
                .collect(),
        }
    }

    /// The page in place of a problem with this status.
    pub(crate) fn error_page(&self, status: StatusCode) -> Option<Bytes> {
        self.error_pages.iter().find(|(known, _)| *known == status).map(|(_, page)| page.clone())
    }
}

/// Links outlive a revision, with everything that was told.
fn links(config: &Config, previous: Option<&Snapshot>) -> Result<Links, SnapshotError> {
    let mut links = Links::default();
    for (index, one) in config.upstreams.iter().enumerate().filter(|(_, one)| one.link) {
        let Some(file) = &one.assertion_key else { continue };
        let key = serve::shared_key::load_or_create(&file.path, file.create)
            .map_err(|error| SnapshotError::AssertionKey { upstream: one.name.clone(), error })?;
        let addresses: Vec<_> = one.endpoints.iter().map(|one| upstream::display(&one.address)).collect();
        links.add(index, &one.name, &key, &addresses, previous.map(|previous| &previous.links));
    }
    Ok(links)
}

/// Bodies that are held under one revision count under the next.
fn spool(server: &config::Server, previous: Option<&Snapshot>) -> Arc<Spool> {
    let settings =
        |server: &config::Server| (server.state.clone(), server.buffer_memory_bytes_max, server.buffer_disk_bytes_max);
    match previous {
        Some(previous) if settings(&previous.config.server) == settings(server) => Arc::clone(&previous.spool),
        _ => Spool::new(server.state.join("bodies"), server.buffer_memory_bytes_max, server.buffer_disk_bytes_max),
    }
}

/// What clients have spent under one revision they have spent under the next.
fn bad_tokens(server: &config::Server, previous: Option<&Snapshot>) -> Option<Arc<BadTokens>> {
    let per_minute = server.bad_tokens_per_minute_max?;
    let kept =
        previous.and_then(|previous| previous.bad_tokens.as_ref()).filter(|kept| kept.per_minute() == per_minute);
    Some(kept.map_or_else(|| BadTokens::new(per_minute), Arc::clone))
}

/// The cookie of an upstream, under its own key or the one of this edge.
fn sticky(one: &config::Upstream, server: &config::Server) -> Result<Option<Arc<Sticky>>, SnapshotError> {
    let Some(sticky) = &one.sticky else { return Ok(None) };
    let failed = |error| SnapshotError::StickyKey { upstream: one.name.clone(), error };
    let key = match &sticky.key {
        Some(file) => serve::shared_key::load_or_create(&file.path, file.create),
        None => serve::shared_key::load_or_create(server.state.join("sticky.key"), true),
    };
    let sticky = Sticky::new(&one.name, sticky, &key.map_err(failed)?).map_err(|_| SnapshotError::NoCipher)?;
    Ok(Some(Arc::new(sticky)))
}

/// What is known of endpoints under one revision is known under the next.
fn group(
    upstream: &config::Upstream,
    server: &config::Server,
    links: &Links,
    previous: Option<&Snapshot>,
) -> Arc<Group> {
    let known = previous.and_then(|previous| previous.groups.iter().find(|group| group.name() == upstream.name));
    Group::new(upstream, server.zone.as_deref(), links.get(&upstream.name), known.map(AsRef::as_ref))
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

/// What is shared of an upstream outlives a revision.
fn shared(upstream: &config::Upstream, previous: Option<&Snapshot>) -> Arc<upstream::Shared> {
    let known = previous.and_then(|previous| {
        let index = previous.config.upstreams.iter().position(|known| known.name == upstream.name)?;
        previous.shared.get(index)
    });
    upstream::Shared::new(upstream, known)
}

impl PreparedRoute {
    fn build(
        route: &config::Route,
        config: &Config,
        issuers: &Issuers,
        bad_tokens: Option<&Arc<BadTokens>>,
        proofs: &Arc<Proofs>,
        upstreams: &[UpstreamKeys],
        compressed: &Arc<Results>,
    ) -> Result<Self, SnapshotError> {
        let files_error = |error| SnapshotError::Files { route: route.name.clone(), error };
        // Without `..`: a new policy field does not compile until it is prepared.
        let config::RoutePolicy {
            auth,
            body_bytes_max,
            buffer,
            coalesce,
            progress_timeout,
            response_timeout,
            stream_idle_timeout,
            total_timeout,
            deadline,
            retry,
            request_headers,
            response_headers,
            security_headers,
        } = &route.policy;
        let upstream = match &route.action {
            Action::Forward(forward) => config.upstreams.iter().position(|upstream| upstream.name == forward.upstream),
            Action::Files(_) | Action::Redirect(_) | Action::Respond(_) => None,
        };
        let policy = PreparedPolicy {
            auth: RouteRule::new(auth, issuers)
                .map_err(|error| SnapshotError::Rule { route: route.name.clone(), error })?
                .within(bad_tokens.cloned())
                .remembering(proofs)
                .with_csrf_of(upstream.and_then(|upstream| upstreams[upstream].assertions.clone())),
            send: SendLimits {
                body_bytes_max: *body_bytes_max,
                progress_timeout: *progress_timeout,
                response_timeout: *response_timeout,
                stream_idle_timeout: *stream_idle_timeout,
            },
            total_timeout: *total_timeout,
            deadline: *deadline,
            request_headers: HeaderRules::new(request_headers),
            response_headers: HeaderRules::new(response_headers),
            security_headers: *security_headers,
        };
        let action = match &route.action {
            Action::Files(files) => {
                let server = FileServer::open(files).map_err(files_error)?.with_results(compressed);
                let for_all = auth.mode == config::AuthMode::Public;
                PreparedAction::Files(Box::new(if for_all { server } else { server.for_identified_clients() }))
            }
            Action::Forward(forward) => {
                let Some(upstream) = upstream else {
                    let (route, upstream) = (route.name.clone(), forward.upstream.clone());
                    return Err(SnapshotError::UnknownUpstream { route, upstream });
                };
                let internal = forward.internal_root.as_deref().map(FileServer::internal).transpose();
                PreparedAction::Forward(ForwardTo {
                    upstream,
                    hold: buffer.map(|buffer| HoldLimits {
                        memory_bytes_max: buffer.memory_bytes_max,
                        disk_bytes_max: buffer.disk_bytes_max,
                    }),
                    coalesce: coalesce.map(|coalesce| CoalesceLimits {
                        request_bytes_max: usize::try_from(coalesce.request_bytes_max).unwrap_or(usize::MAX),
                        response_bytes_max: usize::try_from(coalesce.response_bytes_max).unwrap_or(usize::MAX),
                        waiting_max: coalesce.waiting_max,
                    }),
                    assertions: upstreams[upstream].assertions.clone(),
                    internal: internal.map_err(files_error)?.map(Box::new),
                    retry: retry.as_ref().map(RetryPolicy::new).map(Arc::new),
                    path: PathRule::new(&forward.path),
                    host: HostField::new(&forward.host),
                    sticky: upstreams[upstream].sticky.clone(),
                })
            }
            Action::Redirect(redirect) => {
                PreparedAction::Redirect(RedirectTo { status: redirect.status, to: redirect.to.clone() })
            }
            Action::Respond(respond) => PreparedAction::Respond(Fixed {
                status: respond.status,
                body: Bytes::from(respond.body.clone()),
                content_type: respond.content_type.clone(),
            }),
        };
        Ok(Self { name: route.name.as_str().into(), methods: route.matcher.methods.as_slice().into(), policy, action })
    }
}

impl RedirectTo {
    /// The target with the request's own parts filled in.
    pub(crate) fn fill(&self, facts: &Facts<'_>) -> String {
        let target = fill(&self.to, facts);
        // A path that begins with two slashes would name another host (RFC 3986 section 4.2).
        if target.starts_with("//") { format!("/{}", target.trim_start_matches('/')) } else { target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn redirect(to: &str, path: &str) -> String {
        let text = format!(
            "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/**\"\nauth = \"public\"\nredirect = {{ to = {to:?} }}"
        );
        let config = config::load_str("test.toml", &text, &|_| None, Path::new("")).expect("a sound redirect");
        let snapshot = Snapshot::build(Arc::new(config), None).expect("a snapshot");
        let PreparedAction::Redirect(redirect) = &snapshot.routes[0].action else { panic!("a redirect") };
        redirect.fill(&Facts { host: "a.example:1", path, query: Some("x=1"), ..Facts::default() })
    }

    #[test]
    fn redirects_fill_in_the_request() {
        for (to, wanted) in [
            ("https://{host}{path}{query}", "https://a.example:1/p/q?x=1"),
            ("/new{query}", "/new?x=1"),
            ("/{{other}/{path}", "/{other}//p/q"),
            ("/plain", "/plain"),
            ("{path}", "/p/q"),
        ] {
            assert_eq!(redirect(to, "/p/q"), wanted);
        }
        assert_eq!(redirect("{path}", "//evil.example/"), "/evil.example/");
    }
}
