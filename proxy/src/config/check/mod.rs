//! The one arrow from what was written to what is meant.
//!
//! Each written table is taken apart without `..`: a new key does not compile until it is handled here. A value of one
//! key that is wrong by itself was refused while reading; what is checked here is how keys and tables fit together,
//! and that every file is there. What passes, starts, unless an address cannot be bound.

mod action;
mod assertion_key;
mod auth;
mod coalesce;
mod compress;
mod error_pages;
mod files;
mod health;
mod issuer;
mod key_files;
mod keys;
mod listener;
mod overlap;
mod pem;
mod root;
mod route;
mod rules;
mod server;
mod site;
mod sticky;
mod traffic;
mod upstream;
mod zones;

use super::Config;
use super::read::{At, Context};
use super::source::Span;
use super::whole::Whole;

/// What is meant by all files together. `None`: something is wrong and has been reported.
pub(super) fn check(whole: Whole, context: &mut Context<'_>) -> Option<Config> {
    let names = Names::of(&whole);
    let Whole { server, admin, log, listeners, sites, upstreams, issuers, routes, has_listeners, has_routes } = whole;
    let has_certificates = sites.iter().any(|(_, site)| site.written.at("tls").is_some());

    let server = server::server(server, context);
    let admin = server::admin(admin, context);
    let log = server::log(log, context);
    let listeners = each(listeners, |name, written| listener::listener(name, written, has_certificates, context));
    let sites = each(sites, |name, written| site::site(name, written, context));
    let upstreams = each(upstreams, |name, written| upstream::upstream(name, written, context));
    let issuers = each(issuers, |name, written| issuer::issuer(name, written, &names, context));
    let routes = routes.into_iter().map(|written| route::route(written.value, &names, context)).collect::<Vec<_>>();

    let admin_address =
        admin.as_ref().and_then(|admin| admin.as_ref()).map(|admin| (admin.value.address.clone(), admin.at));
    listener::addresses(&listeners, admin_address, context);
    site::hosts(&sites, context);
    issuer::distinct(&issuers, context);
    overlap::overlaps(&routes, context);
    auth::provable(&routes, &upstreams, context);
    route::reachable(&routes, &sites, &listeners, context);
    if !has_listeners {
        context.problems.add(None, "there is no listener").help("add `[listener.NAME]` with an `address`");
    }
    if !has_routes {
        context
            .problems
            .add(None, "there is no route: every request would be answered with 404")
            .help("add `[[route]]`");
    }

    Some(Config {
        server: server?,
        admin: admin?.map(|admin| admin.value),
        log: log?,
        listeners: all(listeners)?,
        sites: all(sites)?,
        upstreams: all(upstreams)?,
        issuers: all(issuers)?,
        routes: routes.into_iter().map(|route| route.map(|route| route.value)).collect::<Option<_>>()?,
    })
}

/// What can be referred to by name, whether its own table is right or not.
pub(super) struct Names {
    sites: Vec<String>,
    upstreams: Vec<String>,
    /// The upstreams that have a link.
    linked: Vec<String>,
    issuers: Vec<IssuerName>,
}

/// What a route must know of an issuer.
struct IssuerName {
    name: String,
    /// `None`: they could not be read, or any is fine.
    audiences: Option<Vec<String>>,
    /// Whether a link tells of its revocations.
    is_linked: bool,
}

impl Names {
    fn of(whole: &Whole) -> Self {
        let names = |name: &At<String>| name.value.clone();
        let issuers = whole.issuers.iter().map(|(name, issuer)| IssuerName {
            name: names(name),
            audiences: issuer
                .audiences
                .as_ref()
                .map(|list| list.iter().map(|audience| audience.value.0.clone()).collect::<Vec<_>>())
                .filter(|list| !list.is_empty()),
            is_linked: issuer.revocations.is_some()
                || issuer.keys.as_ref().is_some_and(|keys| keys.value.link.is_some()),
        });
        let linked = whole.upstreams.iter().filter(|(_, upstream)| upstream.link.as_ref().is_some_and(|on| on.value));
        Self {
            sites: whole.sites.iter().map(|(name, _)| names(name)).collect(),
            upstreams: whole.upstreams.iter().map(|(name, _)| names(name)).collect(),
            linked: linked.map(|(name, _)| names(name)).collect(),
            issuers: issuers.collect(),
        }
    }
}

/// An item that was checked, and where its name stands; `None` when it has mistakes.
type Checked<T> = Option<At<T>>;

fn each<W, T>(written: Vec<(At<String>, W)>, mut check: impl FnMut(&At<String>, W) -> Option<T>) -> Vec<Checked<T>> {
    let checked = |(name, written): (At<String>, W)| check(&name, written).map(|value| At { value, at: name.at });
    written.into_iter().map(checked).collect()
}

fn all<T>(checked: Vec<Checked<T>>) -> Option<Vec<T>> {
    checked.into_iter().map(|item| item.map(|item| item.value)).collect()
}

/// Reports what is in a list twice.
fn twice<T: PartialEq>(items: &[At<T>], shown: impl Fn(&T) -> String, context: &mut Context<'_>) {
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|other| other.value == item.value) {
            context.problem(item.at, format!("{} stands here twice", shown(&item.value)));
        }
    }
}

/// Reports keys that would have no effect, and why.
fn no_effect(keys: &[(&str, Span)], why: &str, context: &mut Context<'_>) {
    for (key, at) in keys {
        context.problem(*at, format!("`{key}` has no effect {why}")).help(format!("remove `{key}`"));
    }
}
