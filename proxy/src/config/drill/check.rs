//! The one arrow from a written plan to what is meant.

use super::fault::{Surroundings, fault};
use super::{Destination, Events, Load, Plan, Relay, Request, Session, file};
use crate::config::read::{At, Context};
use crate::config::{Address, EndpointAddress};
use http::uri::Scheme;
use http::{HeaderValue, Method, StatusCode, Uri};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What is meant by the plan. `None`: something is wrong and has been reported.
pub(super) fn check(written: file::File, base_dir: &Path, context: &mut Context<'_>) -> Option<Plan> {
    let file::File {
        written: keys,
        target,
        admin,
        ca,
        directory,
        load: load_table,
        request: requests,
        session,
        events,
        relay: relays,
        fault: faults,
    } = written;
    let target = destination(target, context);
    let directory = folder(directory, base_dir, context);
    let load = match (load_table, keys.at("load")) {
        (Some(written), _) => load(written, context),
        (None, Some(_)) => None,
        (None, None) => Some(Load::default()),
    };
    let session = session.map(|written| self::session(written.value));
    let has_session = keys.at("session").is_some();
    let requests: Option<Vec<_>> = requests
        .map(|list| list.value.0.into_iter().filter_map(|written| request(written, has_session, context)).collect());
    if let (Some(at), false) = (keys.at("events"), has_session) {
        context.problem(at, "`events` without `session`: nobody listens").help("add `[session]`");
    }
    let events = match events {
        Some(At { value: file::Events { written: _, path, echo, resync }, .. }) => {
            let (path, resync) = (path?.value, resync?.value.0);
            Some(Events { path, echo: echo.map(|echo| echo.value.0), resync })
        }
        None => None,
    };
    let relays = relays.map_or_else(|| Some(Vec::new()), |written| self::relays(written.value.0, context))?;
    let surroundings = Surroundings {
        directory: directory.clone(),
        relays: relays.iter().map(|relay| relay.name.clone()).collect(),
        has_admin: keys.at("admin").is_some(),
    };
    let mut names: Vec<At<String>> = Vec::new();
    let mut checked = Vec::new();
    for written in faults?.value.0 {
        if let Some(name) = &written.value.name {
            if let Some(first) = names.iter().find(|other| other.value == name.value.0) {
                let message = format!("two faults are called {:?}", name.value.0);
                context.problem(name.at, message).note_at(first.at, "first");
            }
            names.push(At { value: name.value.0.clone(), at: name.at });
        }
        checked.extend(fault(written, &surroundings, context));
    }
    Some(Plan {
        target: target?,
        admin: admin.map(|admin| admin.value),
        ca: ca.map(|ca| ca.value.0),
        directory,
        load: load?,
        requests: requests?,
        session: match session {
            Some(session) => Some(session?),
            None => None,
        },
        events,
        relays,
        faults: checked,
    })
}

fn destination(written: Option<At<Uri>>, context: &mut Context<'_>) -> Option<Destination> {
    let At { value: url, at } = written?;
    let tls = match url.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => {
            context.problem(at, "a drill speaks `https` or `http`");
            return None;
        }
    };
    let authority = url.authority()?;
    if url.path_and_query().is_some_and(|path| path.as_str() != "/") {
        context.problem(at, "the target is scheme, host and port").help("paths stand in `[[request]]`");
    }
    if authority.as_str().contains('@') {
        context.problem(at, "a target has no user in it").help("`[session]` signs in");
        return None;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Destination {
        host,
        port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        authority: HeaderValue::from_str(authority.as_str()).ok()?,
        tls,
    })
}

fn folder(
    written: Option<At<crate::config::file::values::FilePath>>,
    base_dir: &Path,
    context: &mut Context<'_>,
) -> PathBuf {
    let here = || if base_dir.as_os_str().is_empty() { PathBuf::from(".") } else { base_dir.to_owned() };
    let Some(At { value, at }) = written else { return here() };
    if !value.0.is_dir() {
        context.problem(at, format!("{} is no directory", value.0.display()));
    }
    value.0
}

impl Default for Load {
    fn default() -> Self {
        use std::time::Duration;
        // As the defaults in `file`, which a test compares.
        Self {
            rate: 100,
            connections: 16,
            http2_connections: 2,
            in_flight_max: 1000,
            timeout: Duration::from_secs(10),
            warm_up: Duration::from_secs(5),
            resend: true,
        }
    }
}

fn load(written: At<file::Load>, context: &mut Context<'_>) -> Option<Load> {
    let At { value: written, at } = written;
    let file::Load { written: _, rate, connections, http2_connections, in_flight_max, timeout, warm_up, resend } =
        written;
    let (connections, http2_connections) = (connections?.value.0 as usize, http2_connections?.value.0 as usize);
    if connections + http2_connections == 0 {
        context
            .problem(at, "a load without connections")
            .help("`connections` or `http2_connections` has to be more than 0");
    }
    Some(Load {
        rate: rate?.value.0,
        connections,
        http2_connections,
        in_flight_max: in_flight_max?.value.0 as usize,
        timeout: timeout?.value.0,
        warm_up: warm_up?.value.0,
        resend: resend?.value,
    })
}

fn request(written: At<file::Request>, has_session: bool, context: &mut Context<'_>) -> Option<Request> {
    let file::Request { written: _, method, path, body, headers, session, weight, status, find } = written.value;
    let (method, path, session) = (method?, path?, session?);
    if session.value && !has_session {
        context
            .problem(session.at, "`session` without a table `session`: nobody has signed in")
            .help("add `[session]`");
    }
    if let (Some(body), true) = (&body, [Method::GET, Method::HEAD, Method::TRACE].contains(&method.value)) {
        context.problem(body.at, format!("a {} has no body", method.value)).help("say the `method`");
    }
    if let Some(find) = &find {
        if !find.value.is_tagged() {
            context.problem(find.at, "`find` looks for one request").help("put `{tag}` into it");
        }
        if !path.value.is_tagged() && !body.as_ref().is_some_and(|body| body.value.contains(super::target::TAG)) {
            context
                .problem(find.at, "`find` looks for a tag that the request does not carry")
                .help("put `{tag}` into its `body` or `path`");
        }
    }
    let statuses = status.map(|list| {
        let codes = list.value.0.iter().filter_map(|code| StatusCode::from_u16(u16::try_from(code.value.0).ok()?).ok());
        codes.collect()
    });
    Some(Request {
        method: method.value,
        path: path.value,
        body: body.map(|body| body.value),
        headers: headers
            .map(|map| map.value.0.into_iter().map(|(name, value)| (name.value, value)).collect())
            .unwrap_or_default(),
        session: session.value,
        weight: weight?.value.0,
        statuses: statuses.unwrap_or_default(),
        find: find.map(|find| find.value),
    })
}

fn session(written: file::Session) -> Option<Session> {
    let file::Session { written: _, sign_in, refresh, refresh_every, username, password, register } = written;
    Some(Session {
        sign_in: sign_in?.value,
        refresh: refresh.map(|refresh| refresh.value),
        refresh_every: refresh_every?.value.0,
        username: username?.value.0,
        password: password?.value,
        register: register.map(|register| register.value),
    })
}

fn relays(written: Vec<(At<String>, file::Relay)>, context: &mut Context<'_>) -> Option<Vec<Relay>> {
    let mut relays: Vec<(Relay, At<SocketAddr>)> = Vec::new();
    for (name, file::Relay { written: _, listen, to }) in written {
        let (listen, to) = (listen?, to?);
        let Address::Tcp(address) = listen.value else {
            context.problem(listen.at, "a relay listens on TCP").help("write for example \"127.0.0.1:9001\"");
            continue;
        };
        let EndpointAddress::Tcp { host, port } = to.value else {
            context.problem(to.at, "a relay leads to a host and a port").help("write for example \"127.0.0.1:8001\"");
            continue;
        };
        if let Some((_, first)) = relays.iter().find(|(_, other)| other.value == address && address.port() != 0) {
            context.problem(listen.at, format!("two relays listen on {address}")).note_at(first.at, "first");
        }
        relays.push((Relay { name: name.value, listen: address, host, port }, At { value: address, at: listen.at }));
    }
    Some(relays.into_iter().map(|(relay, _)| relay).collect())
}
