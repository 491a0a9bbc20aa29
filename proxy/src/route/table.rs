//! Sites by host name, and the routes of each.

use super::matcher::Tree;
use super::path::{Ambiguous, NormalPath, Segments};
use crate::config::{Route, Site};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::borrow::Cow;
use std::collections::HashMap;

/// Finds a site by the host of a request.
#[derive(Debug, Default)]
pub struct SiteTable {
    exact: HashMap<Box<str>, usize>,
    /// `*.example.com` is kept as `example.com`.
    wildcards: HashMap<Box<str>, usize>,
    default: Option<usize>,
}

impl SiteTable {
    /// Indexes the sites by their position.
    #[must_use]
    pub fn new(sites: &[Site]) -> Self {
        // Without any site there is nothing to tell apart: every host is served.
        let mut table = Self { default: sites.is_empty().then_some(0), ..Self::default() };
        for (index, site) in sites.iter().enumerate() {
            if site.hosts.is_empty() {
                table.default = Some(index);
            }
            for host in &site.hosts {
                match host.strip_prefix("*.") {
                    Some(parent) => table.wildcards.insert(parent.into(), index),
                    None => table.exact.insert(host.as_str().into(), index),
                };
            }
        }
        table
    }

    /// The position of the site for this host (without port; any case).
    #[must_use]
    pub fn find(&self, host: &str) -> Option<usize> {
        if self.exact.is_empty() && self.wildcards.is_empty() {
            return self.default;
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        let exact = self.exact.get(host.as_ref());
        let wildcard = || host.split_once('.').and_then(|(_, parent)| self.wildcards.get(parent));
        exact.or_else(wildcard).copied().or(self.default)
    }
}

/// Finds the route of a request.
#[derive(Debug)]
pub struct RouteTable {
    /// For each site: its own routes. A route that names a site is more specific than any that does not.
    of_site: Vec<Tree<Candidate>>,
    of_all: Tree<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    route: usize,
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Candidate {
    fn predicates(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.headers.len()
    }

    fn fits(&self, method: &Method, headers: &HeaderMap) -> bool {
        let method_fits = self.methods.is_empty()
            || self.methods.contains(method)
            // Where GET is routed, HEAD is too (RFC 9110 section 9.3.2).
            || (*method == Method::HEAD && self.methods.contains(&Method::GET));
        method_fits
            && self.headers.iter().all(|(name, wanted)| match wanted {
                Some(wanted) => headers.get_all(name).iter().any(|value| value == wanted),
                None => headers.contains_key(name),
            })
    }
}

/// What a request leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The position of the route.
    Route(usize),
    /// No route has this path and method.
    Nothing,
}

impl RouteTable {
    /// Builds the trees. `routes` are numbered by their position.
    #[must_use]
    pub fn new(sites: &[Site], routes: &[Route]) -> Self {
        let mut table = Self { of_site: sites.iter().map(|_| Tree::default()).collect(), of_all: Tree::default() };
        for (index, route) in routes.iter().enumerate() {
            let candidate = Candidate {
                route: index,
                methods: route.matcher.methods.clone(),
                headers: route.matcher.headers.clone(),
            };
            let site = route.matcher.site.as_ref().and_then(|name| sites.iter().position(|site| site.name == *name));
            let tree = match site {
                Some(site) => &mut table.of_site[site],
                None => &mut table.of_all,
            };
            tree.insert(&route.matcher.path, candidate);
        }
        // More predicates are more specific; equal ones are an error of the configuration.
        let mut sort = |candidates: &mut Vec<Candidate>| {
            candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.predicates()));
        };
        table.of_all.for_each(&mut sort);
        table.of_site.iter_mut().for_each(|tree| tree.for_each(&mut sort));
        table
    }

    /// The best route.
    ///
    /// # Errors
    /// [`Ambiguous::TwoRoutes`] when an application could read the path so that another route would apply.
    pub fn find(
        &self,
        site: usize,
        path: &NormalPath<'_>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Found, Ambiguous> {
        let look = |segments: &Segments<'_>| self.look(site, segments, method, headers);
        let found = look(&path.segments);
        for other in &path.others {
            let segments: Segments<'_> = other.iter().map(|segment| Cow::Borrowed(segment.as_str())).collect();
            if look(&segments) != found {
                return Err(Ambiguous::TwoRoutes);
            }
        }
        Ok(found)
    }

    fn look(&self, site: usize, segments: &Segments<'_>, method: &Method, headers: &HeaderMap) -> Found {
        let fits = |candidate: &Candidate| candidate.fits(method, headers);
        let own = self.of_site.get(site).and_then(|tree| tree.find(segments, &fits));
        own.or_else(|| self.of_all.find(segments, &fits))
            .map_or(Found::Nothing, |candidate| Found::Route(candidate.route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, PathPattern, PatternSegment, RouteMatch};

    fn pattern(text: &str) -> PathPattern {
        let (text_left, rest) = text.strip_suffix("/**").map_or((text, false), |left| (left, true));
        let segments = text_left
            .strip_prefix('/')
            .map(|left| {
                left.split('/')
                    .map(
                        |segment| {
                            if segment == "*" { PatternSegment::Any } else { PatternSegment::Literal(segment.into()) }
                        },
                    )
                    .collect()
            })
            .unwrap_or_default();
        PathPattern { text: text.into(), segments, rest }
    }

    fn site(name: &str, hosts: &[&str]) -> Site {
        Site { name: name.into(), hosts: hosts.iter().map(|&host| host.into()).collect(), ..Site::default() }
    }

    fn route(path: &str, site: Option<&str>, methods: &[Method]) -> Route {
        Route {
            name: path.into(),
            matcher: RouteMatch {
                site: site.map(Into::into),
                path: pattern(path),
                methods: methods.to_vec(),
                headers: vec![],
            },
            policy: config::RoutePolicy {
                auth: config::RouteAuth {
                    revocation: config::Revocation::BestEffort,
                    mode: config::AuthMode::Public,
                    issuers: vec![],
                    audiences: vec![],
                    claims: vec![],
                    token_from: vec![],
                    forward_token: false,
                    csrf: config::CsrfProof::Token,
                    allowed_origins: Vec::new(),
                    dpop: config::DpopMode::Off,
                    dpop_nonce: true,
                },
                body_bytes_max: 0,
                buffer: None,
                coalesce: None,
                progress_timeout: std::time::Duration::ZERO,
                response_timeout: std::time::Duration::ZERO,
                stream_idle_timeout: std::time::Duration::ZERO,
                total_timeout: None,
                deadline: None,
                retry: None,
                request_headers: vec![],
                response_headers: vec![],
                security_headers: None,
            },
            action: config::Action::Respond(config::Respond {
                status: http::StatusCode::OK,
                body: String::new(),
                content_type: HeaderValue::from_static("text/plain"),
            }),
        }
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let mut routes = vec![
            route("/**", None, &[]),
            route("/api/**", None, &[]),
            route("/api/token/**", None, &[]),
            route("/api/*/photo", None, &[]),
            route("/api/me/photo", None, &[]),
            route("/api/me", None, &[]),
            route("/api/me", None, &[Method::POST]),
            route("/about", Some("b"), &[]),
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            let sites = [site("a", &[]), site("b", &["b.example", "*.b.example"])];
            let table = RouteTable::new(&sites, &routes);
            for (site, method, path, wanted) in [
                (0, Method::GET, "/", "/**"),
                (0, Method::GET, "/about", "/**"),
                (1, Method::GET, "/about", "/about"),
                (0, Method::GET, "/api", "/api/**"),
                (0, Method::GET, "/api/", "/api/**"),
                (0, Method::GET, "/apix", "/**"),
                (0, Method::GET, "/api/token", "/api/token/**"),
                (0, Method::GET, "/api/token/refresh/", "/api/token/**"),
                (0, Method::GET, "/api/you/photo", "/api/*/photo"),
                (0, Method::GET, "/api/me/photo", "/api/me/photo"),
                (0, Method::GET, "/api/me/photo/x", "/api/**"),
                (0, Method::GET, "/api//photo", "/api/**"),
                (0, Method::GET, "/api//token/x", "ambiguous"),
                (0, Method::GET, "/;/api/token/x", "ambiguous"),
                (0, Method::GET, "/api%2Ftoken/x", "ambiguous"),
                (0, Method::GET, "/api/token%2Fx", "ambiguous"),
                (0, Method::GET, "/api/files/a%2Fb", "/api/**"),
            ] {
                let path_read = NormalPath::read(path).expect(path);
                let found = match table.find(site, &path_read, &method, &HeaderMap::new()) {
                    Ok(Found::Route(index)) => routes[index].name.as_str(),
                    Ok(Found::Nothing) => "nothing",
                    Err(_) => "ambiguous",
                };
                assert_eq!(found, wanted, "{method} {path} on site {site}");
            }
            let me = NormalPath::read("/api/me").expect("a path");
            let Ok(Found::Route(posted)) = table.find(0, &me, &Method::POST, &HeaderMap::new()) else { panic!("none") };
            assert_eq!(routes[posted].matcher.methods, [Method::POST]);
        }
    }

    #[test]
    fn sites_are_found_by_host_in_any_case() {
        let table = SiteTable::new(&[site("a", &["a.example"]), site("b", &["*.b.example"]), site("rest", &[])]);
        for (host, wanted) in [
            ("a.example", 0),
            ("A.Example", 0),
            ("a.example.", 0),
            ("x.b.example", 1),
            ("b.example", 2),
            ("x.y.b.example", 2),
        ] {
            assert_eq!(table.find(host), Some(wanted), "{host}");
        }
        assert_eq!(SiteTable::new(&[site("a", &["a.example"])]).find("other"), None);
        assert_eq!(SiteTable::new(&[]).find("any"), Some(0));
    }
}
