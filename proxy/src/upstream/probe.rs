//! Active probes: one request a round to each endpoint, by the protocol and under the TLS of its upstream, over a
//! connection of its own. The control thread sends them, so their number does not grow with the workers.

use super::dial::{self, Spoken, Transport};
use super::group::Group;
use super::host;
use super::member::Member;
use super::stream::Stream;
use crate::config::Health;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// What is read of an answer's body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Probes every member of a group, those too that appear later, until the task is dropped.
pub(super) async fn probe_all(group: Arc<Group>, rules: Health, transport: Transport) {
    let mut tasks = JoinSet::new();
    let mut probed: HashMap<*const Member, AbortHandle> = HashMap::new();
    let mut changes = group.changes();
    loop {
        let members = group.members();
        probed.retain(|known, task| {
            let stays = members.iter().any(|member| Arc::as_ptr(member) == *known);
            if !stays {
                task.abort();
            }
            stays
        });
        for member in members {
            probed.entry(Arc::as_ptr(&member)).or_insert_with(|| {
                tasks.spawn_local(watch(Arc::clone(&group), member, rules.clone(), transport.clone()))
            });
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn watch(group: Arc<Group>, member: Arc<Member>, rules: Health, transport: Transport) {
    loop {
        let outcome = timeout(rules.timeout, probe(&member, &rules, &transport));
        let outcome = outcome.await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        group.probed(&member, outcome);
        sleep(spread(rules.every, getrandom::u32().unwrap_or_default())).await;
    }
}

/// Less up to a fifth of it, so that neither endpoints nor edges are in step.
fn spread(every: Duration, jitter: u32) -> Duration {
    every - every / 5 * (jitter % 1000) / 1000
}

/// One probe.
///
/// # Errors
/// Why the endpoint is not well.
async fn probe(member: &Member, rules: &Health, transport: &Transport) -> Result<(), String> {
    let (stream, spoken) = dial::open(member, transport).await.map_err(|error| error.to_string())?;
    let host = host::of_endpoint(&member.address);
    let scheme = if transport.tls.is_some() { "https" } else { "http" };
    let authority = host.to_str().unwrap_or("localhost");
    let uri = match spoken {
        Spoken::Http1 => rules.path.clone(),
        Spoken::Http2 => format!("{scheme}://{authority}{}", rules.path),
    };
    let request = Request::get(uri).header(header::USER_AGENT, concat!("portcullis/", env!("CARGO_PKG_VERSION")));
    let request = if spoken == Spoken::Http1 { request.header(header::HOST, &host) } else { request };
    let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
    let exchange = async { judge(ask(stream, spoken, request).await.map_err(|error| error.to_string())?, rules).await };
    exchange.await
}

/// The answer, with the task that brings its body.
struct Asked {
    response: Response<Incoming>,
    _connection: JoinSet<()>,
}

async fn ask(stream: Stream, spoken: Spoken, request: Request<Empty<Bytes>>) -> Result<Asked, hyper::Error> {
    let io = TokioIo::new(stream);
    let mut tasks = JoinSet::new();
    let response = match spoken {
        Spoken::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await?;
            tasks.spawn_local(async move { drop(connection.await) });
            sender.send_request(request).await?
        }
        Spoken::Http2 => {
            let (mut sender, connection) = http2::handshake(Local, io).await?;
            tasks.spawn_local(async move { drop(connection.await) });
            sender.send_request(request).await?
        }
    };
    Ok(Asked { response, _connection: tasks })
}

async fn judge(asked: Asked, rules: &Health) -> Result<(), String> {
    let Asked { response, _connection } = asked;
    let status = response.status();
    let good = match rules.status.as_slice() {
        [] => status.is_success() || status.is_redirection(),
        wanted => wanted.contains(&status),
    };
    if !good {
        return Err(format!("status {}", status.as_u16()));
    }
    let Some(wanted) = &rules.body else { return Ok(()) };
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
    let body = body.to_bytes();
    let found = memchr::memmem::find(&body, wanted.as_bytes()).is_some();
    if found { Ok(()) } else { Err(format!("the body does not contain {wanted:?}")) }
}

/// Tasks of HTTP/2 stay on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_spread() {
        let second = Duration::from_secs(1);
        assert_eq!(spread(second, 0), second);
        assert_eq!(spread(second, 500), Duration::from_millis(900));
        assert!(spread(second, 999) >= Duration::from_millis(800));
    }
}
