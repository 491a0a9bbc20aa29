//! `[[route]]`: its match and its limits, and whether any request can reach it.

use super::{Checked, Names, action, auth, coalesce, rules, traffic};
use crate::config::file::maps::{Map, Wanted};
use crate::config::file::route as file;
use crate::config::read::{At, Context};
use crate::config::{Action, Buffer, Listener, Route, RouteMatch, RoutePolicy, Site};
use http::{HeaderName, HeaderValue, Method, header};

pub(super) fn route(written: file::Route, names: &Names, context: &mut Context<'_>) -> Checked<Route> {
    let file::Route {
        written: keys,
        r#match: path,
        name,
        site,
        methods,
        headers,
        auth: mode,
        issuers,
        audiences,
        claims,
        token_from,
        revocation,
        forward_token,
        csrf,
        allowed_origins,
        dpop,
        dpop_nonce,
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
        files,
        forward,
        redirect,
        respond,
    } = written;
    if let Some(site) = site.as_ref().filter(|site| !names.sites.contains(&site.value.0)) {
        let known: Vec<&str> = names.sites.iter().map(String::as_str).collect();
        context.unknown(site.at, format!("there is no site `{}`", site.value.0), &known);
    }
    if let Some(methods) = &methods {
        super::twice(methods, |method| format!("`{method}`"), context);
    }
    let written_action = action::ActionKeys { files, forward, redirect, respond };
    let action = action::action(written_action, path.as_ref(), &keys, names, context);
    if let (Some(Action::Files(_)), Some(methods)) = (&action, &methods)
        && !methods.iter().any(|method| method.value == Method::GET || method.value == Method::HEAD)
    {
        context.problem(methods.at, "files are only served for GET and HEAD, so this route would serve none");
    }
    let forwards = keys.at("forward").is_some();
    if !forwards {
        super::no_effect(
            &keys.among(&[
                "response_timeout",
                "stream_idle_timeout",
                "forward_token",
                "request_headers",
                "buffer",
                "coalesce",
                "deadline",
                "retry",
            ]),
            "without `forward`",
            context,
        );
    }
    let written_auth = auth::AuthKeys {
        mode,
        issuers,
        audiences,
        claims,
        token_from,
        revocation,
        forward_token,
        csrf,
        allowed_origins,
        dpop,
        dpop_nonce,
    };
    let auth = auth::auth(written_auth, &keys, names, context);
    let coalesce = coalesce::coalesce(coalesce, &keys, methods.as_ref(), action.as_ref(), context);
    let limit = [&deadline, &total_timeout].into_iter().flatten().map(|limit| limit.value.0).min();
    let retry = traffic::retry(retry, limit, context);
    let request_headers = rules::of_requests(request_headers, context);
    let response_headers = rules::of_responses(response_headers, context);
    let path = path?;
    Some(At {
        at: path.at,
        value: Route {
            name: name.map_or_else(|| path.value.text.clone(), |name| name.value.0),
            matcher: RouteMatch {
                site: site.map(|site| site.value.0),
                path: path.value,
                methods: methods.map(|methods| methods.iter().map(|m| m.value.clone()).collect()).unwrap_or_default(),
                headers: headers.map(|headers| wanted(headers.value, context)).unwrap_or_default(),
            },
            policy: RoutePolicy {
                auth: auth?,
                body_bytes_max: body_bytes_max?.value.0,
                buffer: match buffer {
                    Some(written) => Some(self::buffer(written.value)?),
                    None => None,
                },
                coalesce: coalesce?,
                progress_timeout: progress_timeout?.value.0,
                response_timeout: response_timeout?.value.0,
                stream_idle_timeout: stream_idle_timeout?.value.0,
                total_timeout: total_timeout.map(|timeout| timeout.value.0),
                deadline: deadline.map(|deadline| deadline.value.0),
                retry: retry?,
                request_headers,
                response_headers,
                security_headers: security_headers.map(|preset| preset.value),
            },
            action: action?,
        },
    })
}

fn buffer(written: file::Buffer) -> Option<Buffer> {
    let file::Buffer { written: _, memory, disk } = written;
    Some(Buffer { memory_bytes_max: memory?.value.0, disk_bytes_max: disk?.value.0 })
}

fn wanted(headers: Map<HeaderName, Wanted>, context: &mut Context<'_>) -> Vec<(HeaderName, Option<HeaderValue>)> {
    let mut fields = Vec::new();
    for (name, wanted) in headers.0 {
        if name.value == header::HOST {
            context.problem(name.at, "the host is matched by the site").help("write `site = \"NAME\"`");
        }
        fields.push((
            name.value,
            match wanted {
                Wanted::Present => None,
                Wanted::Value(value) => Some(value),
            },
        ));
    }
    fields
}

/// Reports routes of sites that no listener can serve.
pub(super) fn reachable(
    routes: &[Checked<Route>],
    sites: &[Checked<Site>],
    listeners: &[Checked<Listener>],
    context: &mut Context<'_>,
) {
    // With a listener missing from the list, anything could still be reached by it.
    let Some(listeners) = listeners.iter().map(|l| l.as_ref().map(|l| &l.value)).collect::<Option<Vec<_>>>() else {
        return;
    };
    if listeners.is_empty() {
        return;
    }
    let mut serving =
        listeners.iter().filter(|listener| listener.redirect_to_https.is_none() || listener.tls).peekable();
    if serving.peek().is_none() {
        context
            .problems
            .add(None, "every listener redirects, so no route can ever match")
            .help("add a listener with TLS");
        return;
    }
    let only_tls = serving.all(|listener| listener.tls);
    for route in routes.iter().flatten() {
        let site = sites.iter().flatten().find(|site| Some(&site.value.name) == route.value.matcher.site.as_ref());
        if let Some(site) = site.filter(|site| only_tls && site.value.tls.is_none()) {
            let name = &site.value.name;
            context
                .problem(route.at, format!("this route can never match: the site `{name}` has no certificate, and every listener speaks TLS"))
                .note_at(site.at, format!("site `{name}`"))
                .help("give the site `tls`, or add a listener with `tls = false`");
        }
    }
}
