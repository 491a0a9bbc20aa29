//! The way of a request, step by step. The only file that knows the order.

use super::affinity::affinity;
use super::body::ProxyBody;
use super::coalescing::{self, Arrived, Outgoing, Turn};
use super::context::RequestContext;
use super::deadline::{self, Budget};
use super::error::Cause;
use super::headers::{self, Carries, X_ACCEL_REDIRECT};
use super::location;
use super::max_forwards;
use super::random;
use super::response_rules;
use super::target::{self, Target};
use super::websocket::{self, Handshake};
use super::worker::{Local, WorkerState};
use crate::auth::{AssertionSigner, Permit, Presented, RequestFacts};
use crate::files::{AtHand, FileError, FileRequest, FileServer, SmallFiles, WholeFile};
use crate::link;
use crate::route::{Found, NormalPath};
use crate::rules::{Layers, PathRule};
use crate::snapshot::{ForwardTo, PreparedAction, PreparedPolicy, PreparedRoute, Snapshot};
use crate::spool::{BodyLimits, Replay};
use crate::upstream::{Again, Call, OwnFields as _, SendLimits, take_head};
use http::{HeaderMap, HeaderValue, Method, Response, Uri, Version, header, request};
use http_body::Body as _;
use serve::Body;
use serve::contract::identity::{self, X_AUTH_ASSERTION};
use serve::contract::request_id::RequestId;
use serve::proxy_protocol;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// What a listener decides about its requests.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) redirect_to_https: Option<u16>,
    pub(super) header_bytes_max: usize,
    pub(super) uri_bytes_max: usize,
}

/// How far a request came without waiting for anything.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is returned")]
pub(super) enum Entry {
    /// To its answer.
    Answered(Response<ProxyBody>),
    /// To its answer, whose fields may be there as text.
    File(WholeFile),
    /// To its route, by which [`handle`] goes on.
    Routed(Target),
}

/// Does what needs no wait: finds out what a request is for, and answers it if all that takes is in memory and no
/// client has to be asked for anything.
pub(super) fn enter(
    worker: &WorkerState,
    local: &Local,
    entrance: &Entrance,
    context: &mut RequestContext,
    head: &mut request::Parts,
    body: &Body,
) -> Result<Entry, Cause> {
    if context.extended_connect {
        head.method = Method::GET;
    }
    check_head(head, entrance, context)?;
    let target = Target::read(head)?;
    if let Some(port) = entrance.redirect_to_https {
        return location::redirect_to_https(head, &target, port).map(Entry::Answered);
    }
    let snapshot = &*local.snapshot;
    let site = snapshot.sites.find(target.host()).ok_or(Cause::UnknownHost)?;
    context.site = local.site_names.get(site).cloned();
    context.site_index = Some(site);
    response_rules::keep(snapshot, head, &target, context);
    let (index, route) = find_route(snapshot, site, head)?;
    context.route = Some(Arc::clone(&route.name));
    context.route_index = Some(index);
    response_rules::keep(snapshot, head, &target, context);
    // Its answer would show a script what it can't read otherwise: cookies, and towards the application the assertion.
    if head.method == Method::TRACE && !route.methods.contains(&Method::TRACE) {
        return Err(Cause::Trace);
    }
    check_length(body, route.policy.send.body_bytes_max)?;
    match file_at_hand(worker, route, context, head) {
        None => Ok(Entry::Routed(target)),
        Some(Ok(AtHand::Whole(file))) => Ok(Entry::File(file)),
        Some(Ok(AtHand::Other(response))) => Ok(Entry::Answered(response.map(ProxyBody::from))),
        Some(Err(error)) => Err(Cause::File(error)),
    }
}

/// A file in memory, on a route that lets everyone in and sets no time for the whole answer.
fn file_at_hand(
    worker: &WorkerState,
    route: &PreparedRoute,
    context: &RequestContext,
    head: &request::Parts,
) -> Option<Result<AtHand, FileError>> {
    let PreparedAction::Files(files) = &route.action else { return None };
    // How long its head may take does not matter: it takes no time.
    let is_plain = route.policy.auth.is_public() && route.policy.total_timeout.is_none();
    if !is_plain || context.extended_connect {
        return None;
    }
    files.try_serve_cached(&file_request(head), &worker.files, context.started.into_std())
}

fn file_request(head: &request::Parts) -> FileRequest<'_> {
    FileRequest { method: &head.method, raw_path: head.uri.path(), query: head.uri.query(), headers: &head.headers }
}

/// Answers a request that [`enter`] found the route of.
pub(super) async fn handle(
    worker: &WorkerState,
    local: &Rc<Local>,
    context: &mut RequestContext,
    head: &mut request::Parts,
    body: &mut Body,
    target: &Target,
) -> Result<Response<ProxyBody>, Cause> {
    let snapshot = &*local.snapshot;
    let (site, route) = routed(snapshot, context).ok_or(Cause::NoRoute)?;
    // Without `..`: a new policy does not compile until it has its place in the order. The rules about the response
    // come when there is one, an error too: `response_rules::apply`, in the ring.
    let PreparedPolicy {
        auth,
        send,
        total_timeout,
        deadline,
        request_headers,
        response_headers: _,
        security_headers: _,
    } = &route.policy;
    let presented = Presented {
        method: &head.method,
        headers: &head.headers,
        path: head.uri.path(),
        query: head.uri.query(),
        client: context.origin.client,
        https: context.origin.https,
        authority: &target.authority,
        websocket: context.extended_connect || websocket::is_wanted(head),
    };
    let permit = match auth.grant_everyone() {
        Some(permit) => permit,
        None => auth.authorize(presented, &worker.tokens, SystemTime::now()).await.map_err(|refusal| {
            worker.metrics.refused_tokens.made(refusal.log_reason());
            Cause::Refused(Box::new(refusal))
        })?,
    };
    context.caller = permit.verified().cloned();
    context.dpop_nonce = permit.next_nonce().cloned().map(Box::new);
    identity::strip(&mut head.headers, &snapshot.config.server.identity_headers);
    auth.cleanse(&mut head.headers);
    if auth.query_token_param().is_some() {
        target::remove_query_token(&mut head.uri, auth.query_token_param());
    }
    let forwards = matches!(route.action, PreparedAction::Forward(_));
    if forwards && max_forwards::ends_here(&head.method, &mut head.headers) {
        return if head.method == Method::TRACE {
            Err(Cause::Trace)
        } else {
            Ok(max_forwards::options(&route.methods))
        };
    }

    let told = deadline::take(&mut head.headers, context);
    let budget = Budget { total: *total_timeout, head: [*deadline, told].into_iter().flatten().min() };
    context.deadline = budget.deadline(context.started);
    let rules = Layers { site: &snapshot.site(site).request_headers, route: request_headers };
    let started = context.started;
    let acting = pin!(act(&permit, worker, local, &route.action, rules, send, context, head, body, target));
    budget.within(started, acting).await
}

/// What can be said before the route is known.
fn check_head(head: &request::Parts, entrance: &Entrance, context: &RequestContext) -> Result<(), Cause> {
    if head.method == Method::CONNECT {
        return Err(Cause::Connect);
    }
    // What is no path is neither a resource nor `*` (RFC 9112 section 3.2).
    let is_path = head.uri.path().starts_with('/') || (head.method == Method::OPTIONS && head.uri.path() == "*");
    if !is_path {
        return Err(Cause::Target);
    }
    // A target with a scheme is for a listener of that scheme (RFC 9110 section 7.4). What HTTP/2 says of it is not
    // compared: a TLS terminator before this server passes its client's word on.
    let scheme = head.uri.scheme_str().filter(|_| head.version < Version::HTTP_2);
    if scheme.is_some_and(|scheme| scheme != if context.origin.https { "https" } else { "http" }) {
        return Err(Cause::Scheme);
    }
    let target_bytes = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_bytes > entrance.uri_bytes_max {
        return Err(Cause::TargetTooLong(entrance.uri_bytes_max));
    }
    // As RFC 9113 section 6.5.2 counts: name, value and 32 for the entry.
    let fields_bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    if fields_bytes > entrance.header_bytes_max {
        return Err(Cause::HeadTooLarge(entrance.header_bytes_max));
    }
    Ok(())
}

/// Where [`enter`] left the request.
fn routed<'a>(snapshot: &'a Snapshot, context: &RequestContext) -> Option<(usize, &'a PreparedRoute)> {
    Some((context.site_index?, snapshot.routes.get(context.route_index?)?))
}

fn find_route<'a>(
    snapshot: &'a Snapshot,
    site: usize,
    head: &request::Parts,
) -> Result<(usize, &'a PreparedRoute), Cause> {
    let path = NormalPath::read(head.uri.path()).map_err(Cause::Path)?;
    let found = snapshot.table.find(site, &path, &head.method, &head.headers).map_err(Cause::Path)?;
    match found {
        Found::Route(index) => snapshot.routes.get(index).map(|route| (index, route)).ok_or(Cause::NoRoute),
        Found::Nothing => Err(Cause::NoRoute),
    }
}

/// An announced length is refused before a byte is read or the application is asked.
fn check_length(body: &Body, limit_bytes: u64) -> Result<(), Cause> {
    if body.size_hint().lower() > limit_bytes { Err(Cause::BodyTooLarge(limit_bytes)) } else { Ok(()) }
}

/// What the route is for. Only who holds a permit gets here.
#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct of these would be named once and hide the order"
)]
async fn act(
    permit: &Permit,
    worker: &WorkerState,
    local: &Rc<Local>,
    action: &PreparedAction,
    rules: Layers<'_>,
    limits: &SendLimits,
    context: &mut RequestContext,
    head: &mut request::Parts,
    body: &mut Body,
    target: &Target,
) -> Result<Response<ProxyBody>, Cause> {
    match action {
        // Success would tell the client that it has a tunnel.
        PreparedAction::Files(_) | PreparedAction::Redirect(_) | PreparedAction::Respond(_)
            if context.extended_connect =>
        {
            Err(Cause::Connect)
        }
        PreparedAction::Files(files) => {
            let request = file_request(head);
            let now = std::time::Instant::now();
            let served = match files.try_serve_cached(&request, &worker.files, now) {
                Some(served) => served.map(AtHand::into_response),
                // At most once a second for a small file.
                None => Box::pin(files.serve(request, &worker.files, now)).await,
            };
            Ok(served.map_err(Cause::File)?.map(ProxyBody::from))
        }
        PreparedAction::Forward(to) => {
            forward(permit, worker, local, to, rules, limits, context, head, body, target).await
        }
        PreparedAction::Redirect(to) => {
            let mut facts = context.facts(&local.snapshot, &head.method, &head.uri, &target.authority);
            facts.path = location::path_in_address(facts.path);
            location::location(to.status, &to.fill(&facts))
        }
        PreparedAction::Respond(fixed) => {
            let mut response = Response::new(ProxyBody::bytes(fixed.body.clone()));
            *response.status_mut() = fixed.status;
            response.headers_mut().insert(header::CONTENT_TYPE, fixed.content_type.clone());
            Ok(response)
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the forwarding arm of `act`")]
async fn forward(
    permit: &Permit,
    worker: &WorkerState,
    local: &Rc<Local>,
    to: &ForwardTo,
    rules: Layers<'_>,
    limits: &SendLimits,
    context: &mut RequestContext,
    head: &mut request::Parts,
    body: &mut Body,
    target: &Target,
) -> Result<Response<ProxyBody>, Cause> {
    let upstream = &local.upstreams[to.upstream];
    let offers_tunnel = context.extended_connect || websocket::is_wanted(head);
    let tunnel = offers_tunnel.then(|| body.take_tunnel()).flatten().map(Box::new);
    if context.extended_connect && tunnel.is_none() {
        return Err(Cause::Connect);
    }
    let lead = match &to.coalesce {
        None => None,
        // Rare, and large beside the rest of a request's future.
        Some(coalesce) => {
            let arrived = Arrived { head, body, target, permit };
            match Box::pin(coalescing::turn(arrived, limits, coalesce, worker, local, to, context)).await? {
                Turn::Copied(response) => return Ok(*response),
                Turn::Lead(lead) => Some(lead),
                Turn::Own => None,
            }
        }
    };
    let hold = to.hold.filter(|_| !body.is_end_stream() && !headers::is_grpc(&head.headers));
    let waiting_body = hold.is_none() && lead.is_none() && !body.is_end_stream();
    let carries = Carries { waiting_body, websocket: tunnel.is_some() };
    // By the fields as they came.
    let affinity = affinity(upstream.hash_by(), to.sticky.as_deref(), &head.headers, context, permit);
    // The answer may name a file, whose conditions and ranges are then the client's.
    let for_internal_file = to.internal.as_ref().map(|_| Box::new((head.method.clone(), head.headers.clone())));
    let stripped = to.path.as_ref().and_then(PathRule::stripped);
    let mut own = headers::towards_upstream(head, carries, context, &worker.teller, target, stripped);
    if local.snapshot.config.server.trace {
        own.tell_trace(context.trace(), &mut head.headers);
    }
    // Rules may be about any field, and others are looked at by whoever makes the call for several.
    let apart = rules.are_none() && lead.is_none() && !context.extended_connect;
    if !apart {
        own.insert(&mut head.headers);
    }
    // Rules tell of the request as it came, so they come before the path changes.
    rules.apply(&mut head.headers, || context.facts(&local.snapshot, &head.method, &head.uri, &target.authority));
    let handshake = context.extended_connect.then(|| Handshake::begin(&mut head.headers));
    permit.write_fields(&mut head.headers);
    head.uri = towards(&head.uri, to.path.as_ref())?;
    // What is between application and edge is no client's, whatever route leads there.
    if link::is_between_servers(head.uri.path()) {
        return Err(Cause::NoRoute);
    }
    context.upstream = Some(Rc::clone(upstream.name()));
    let client = body.interim();
    let mut content = std::mem::replace(body, Body::empty());
    let mut replay = None;
    if let Some(hold) = hold {
        let limits = BodyLimits { bytes_max: limits.body_bytes_max, progress_timeout: limits.progress_timeout };
        let spool = &local.snapshot.spool;
        // Rare, and large beside the rest of a request's future.
        let held = if to.retry.is_some() {
            Box::pin(spool.hold_for_long(content, hold, limits)).await
        } else {
            Box::pin(spool.hold(content, hold, limits)).await.map(|body| (body, None))
        };
        (content, replay) = held.map_err(Cause::Body)?;
    }
    // After the body was held, which takes as long as its client does: an assertion counts for seconds.
    let request_id = context.request_id.clone();
    let renewal = Renewal { assertions: to.assertions.as_deref(), permit, request_id: &request_id, replay };
    renewal.renew(head);
    head.extensions.clear();

    let mut interim = |status, mut fields| {
        headers::remove_hop_by_hop(&mut fields);
        // There is no content that could have one (RFC 9110 section 8.6).
        fields.remove(header::CONTENT_LENGTH);
        // What a client does not take in time it can do without.
        let _ = client.as_ref().is_some_and(|client| client.send(status, fields));
    };
    let told = upstream.proxy_protocol();
    let prelude = told.map(|version| proxy_protocol::prelude(version, context.client_end(), context.server_end()));
    let prelude = prelude.unwrap_or_default();
    let sent = if let Some(lead) = lead {
        let (deadline, limits) = (context.deadline, *limits);
        let outgoing = Outgoing { head: take_head(head), body: content, affinity, limits, deadline, prelude };
        Box::pin(coalescing::lead(lead, local, to, outgoing, &mut context.attempt)).await
    } else {
        let call = Call {
            head,
            own: apart.then_some(&own),
            body: content,
            again: Some(&renewal),
            tunnel,
            affinity,
            host: &to.host,
            limits: *limits,
            deadline: context.deadline,
            retry: to.retry.as_deref(),
            identity_headers: &local.identity_headers,
            prelude: &prelude,
            interim: &mut interim,
        };
        upstream.send(call, &mut context.attempt).await.map(|response| response.map(ProxyBody::from))
    };
    let mut response = sent.map_err(|error| Cause::Upstream { name: upstream.name().to_string(), error })?;
    if offers_tunnel {
        websocket::finish(handshake.as_ref(), &mut response)?;
    }
    headers::towards_client(&mut response);
    if let (Some(sticky), Some(endpoint)) = (&to.sticky, &context.attempt.endpoint)
        && let Some(field) = sticky.bind(endpoint, affinity.sticky)
    {
        response.headers_mut().append(header::SET_COOKIE, field);
        context.binds_client = true;
    }
    let Some(path) = response.headers_mut().remove(&X_ACCEL_REDIRECT) else { return Ok(response) };
    match (&to.internal, for_internal_file) {
        (Some(files), Some(asked)) => {
            let (method, asked) = &*asked;
            context.attempt.ended(Instant::now());
            Box::pin(internal_file(files, &path, method, asked, response.headers(), &worker.files)).await
        }
        _ => Ok(response),
    }
}

/// What a request needs for one more attempt: its body where all of it is held, and a new assertion, because the
/// application takes each once.
struct Renewal<'a> {
    assertions: Option<&'a AssertionSigner>,
    permit: &'a Permit,
    request_id: &'a RequestId,
    replay: Option<Replay>,
}

impl Again for Renewal<'_> {
    fn holds(&self) -> bool {
        self.replay.is_some()
    }

    fn body(&self) -> Option<Body> {
        self.replay.as_ref().map(Replay::body)
    }

    fn renew(&self, head: &mut request::Parts) {
        if let Some(assertions) = self.assertions {
            let facts = RequestFacts {
                nonce: random::bits(),
                request_id: self.request_id.as_str(),
                method: &head.method,
                path: head.uri.path(),
            };
            let assertion = assertions.mint(facts, self.permit, SystemTime::now());
            head.headers.insert(X_AUTH_ASSERTION.clone(), assertion);
        }
    }
}

/// The application has authorised a download and named the file; the edge serves it, with ranges and conditions.
async fn internal_file(
    files: &FileServer,
    path: &HeaderValue,
    method: &Method,
    asked: &HeaderMap,
    answered: &HeaderMap,
    kept: &SmallFiles,
) -> Result<Response<ProxyBody>, Cause> {
    let path = path.to_str().map_err(|_| Cause::InternalFile(FileError::NotFound { no_store: true }))?;
    let request = FileRequest { method, raw_path: path, query: None, headers: asked };
    match files.serve_internal(path, request, answered, kept, std::time::Instant::now()).await {
        Ok(served) => Ok(served.map(ProxyBody::from)),
        // The client's own conditions and ranges are its business, a missing file is the application's fault.
        Err(
            error @ (FileError::PreconditionFailed
            | FileError::RangeNotSatisfiable { .. }
            | FileError::Unavailable(_)
            | FileError::Stalled),
        ) => Err(Cause::File(error)),
        Err(error) => Err(Cause::InternalFile(error)),
    }
}

/// The target in origin form, with the path as the route changes it.
fn towards(uri: &Uri, rule: Option<&PathRule>) -> Result<Uri, Cause> {
    let Some(target) = uri.path_and_query() else { return Ok(uri.clone()) };
    let changed = match rule {
        None => target.clone(),
        Some(rule) => rule.apply(target).map_err(Cause::PathRule)?,
    };
    Ok(Uri::from(changed))
}
