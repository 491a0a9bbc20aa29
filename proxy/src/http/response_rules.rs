//! The rules of the site and the route about an answer, whoever made it.

use super::context::{Asked, RequestContext};
use super::security_headers;
use super::target::{self, Target};
use crate::config::SecurityHeaders;
use crate::rules::{Facts, HeaderRules, Layers};
use crate::snapshot::Snapshot;
use http::{HeaderMap, request};

/// Changes the fields of an answer. An error of the edge keeps those that it has.
pub(super) fn apply(snapshot: &Snapshot, context: &RequestContext, headers: &mut HeaderMap) {
    let none = HeaderRules::default();
    let Some(rules) = in_force(snapshot, context, &none) else { return };
    security_headers::add(preset(snapshot, context), context.origin.https, &rules, headers);
    let facts = || {
        context.asked.as_ref().map_or_else(Facts::default, |asked| {
            let Asked { method, uri, authority } = &**asked;
            context.facts(snapshot, method, uri, authority)
        })
    };
    if context.cause.is_some() { rules.complete(headers, facts) } else { rules.apply(headers, facts) }
}

/// Whether what the rules do to an answer is the same for every request of this route.
pub(super) fn are_constant(snapshot: &Snapshot, context: &RequestContext) -> bool {
    let none = HeaderRules::default();
    in_force(snapshot, context, &none).is_some_and(|rules| !rules.use_facts())
}

/// The head moves on, so what the rules tell of it is kept, where they do. Done once for the site, whose rules hold
/// without a route too, and once more for the route, which may take a token out of the query.
pub(super) fn keep(snapshot: &Snapshot, head: &request::Parts, target: &Target, context: &mut RequestContext) {
    let none = HeaderRules::default();
    if !in_force(snapshot, context, &none).is_some_and(|rules| rules.use_facts()) {
        return;
    }
    let mut uri = head.uri.clone();
    let route = context.route_index.and_then(|route| snapshot.routes.get(route));
    target::remove_query_token(&mut uri, route.and_then(|route| route.policy.auth.query_token_param()));
    context.asked = Some(Box::new(Asked { method: head.method.clone(), uri, authority: target.authority.clone() }));
}

/// Those of the site and of the route, as far as these are known; `None` when not even the site is.
fn in_force<'a>(snapshot: &'a Snapshot, context: &RequestContext, none: &'a HeaderRules) -> Option<Layers<'a>> {
    let site = &snapshot.site(context.site_index?).response_headers;
    let route = context.route_index.and_then(|route| snapshot.routes.get(route));
    Some(Layers { site, route: route.map_or(none, |route| &route.policy.response_headers) })
}
/// The route's word, else the site's.
fn preset(snapshot: &Snapshot, context: &RequestContext) -> SecurityHeaders {
    let route = context.route_index.and_then(|route| snapshot.routes.get(route));
    let site = || context.site_index.map(|site| snapshot.site(site).security_headers);
    route.and_then(|route| route.policy.security_headers).or_else(site).unwrap_or(SecurityHeaders::Off)
}
