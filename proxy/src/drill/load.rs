//! The load: requests leave at their moments, whether answers come or not.

use super::dialer::Version;
use super::echoes::Echoes;
use super::phase::{Deed, Phase};
use super::pool::{Answer, NoAnswer, Pool};
use super::session::Session;
use crate::config::drill::{Destination, Load, Request};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Uri};
use http_body_util::Full;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// What every task of the drill shares.
pub(super) struct Shared {
    pub(super) target: Destination,
    pub(super) load: Load,
    pub(super) requests: Vec<Request>,
    pub(super) pool: Pool,
    pub(super) session: Option<Session>,
    pub(super) echoes: Echoes,
    /// The phase to which what begins now belongs.
    pub(super) phase: RefCell<Rc<Phase>>,
    /// Begins every tag and id of this drill.
    pub(super) run: String,
    pub(super) in_flight: Cell<usize>,
    pub(super) number: Cell<u64>,
}

impl Shared {
    /// The phase of now.
    pub(super) fn phase(&self) -> Rc<Phase> {
        Rc::clone(&self.phase.borrow())
    }

    /// A text that nothing else has.
    pub(super) fn tag(&self) -> String {
        let number = self.number.replace(self.number.get() + 1);
        // All of one length: none is the beginning of another.
        format!("{}x{number:08x}", self.run)
    }

    /// A request of this target.
    pub(super) fn outgoing(
        &self,
        method: &http::Method,
        path: http::uri::PathAndQuery,
        version: Version,
        body: Option<String>,
    ) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(body.map(Full::from).unwrap_or_default());
        *request.method_mut() = method.clone();
        let authority = self.target.authority.to_str().unwrap_or_default();
        *request.uri_mut() = match version {
            Version::Http1 => Uri::from(path),
            Version::Http2 => Uri::builder()
                .scheme(if self.target.tls { "https" } else { "http" })
                .authority(authority)
                .path_and_query(path)
                .build()
                .unwrap_or_default(),
        };
        let headers = request.headers_mut();
        if version == Version::Http1 {
            headers.insert(HOST, self.target.authority.clone());
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("portcullis-drill/", env!("CARGO_PKG_VERSION"))));
        request
    }

    fn request(&self, request: &Request, tag: &str, version: Version) -> http::Request<Full<Bytes>> {
        let body = request.body_of(tag);
        let is_json = body.as_ref().is_some_and(|body| body.starts_with(['{', '[']));
        let mut outgoing = self.outgoing(&request.method, request.path.of(tag), version, body);
        let headers = outgoing.headers_mut();
        if is_json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &request.headers {
            headers.insert(name, value.clone());
        }
        // Where the edge believes it, its log shows it.
        if let Ok(id) = HeaderValue::from_str(&format!("drill-{tag}")) {
            headers.insert(serve::contract::request_id::X_REQUEST_ID.clone(), id);
        }
        if let Some(token) = self.session.as_ref().filter(|_| request.session).and_then(Session::bearer) {
            headers.insert(AUTHORIZATION, token);
        }
        outgoing
    }

    /// Sends one request of the plan and judges its answer.
    pub(super) async fn once(&self, index: usize, version: Version) -> Result<Answer, (String, String)> {
        let (answer, _) = self.tagged(index, &self.tag(), version).await;
        answer
    }

    /// The answer, or cause and id; and whether the request was sent twice.
    async fn tagged(&self, index: usize, tag: &str, version: Version) -> (Result<Answer, (String, String)>, bool) {
        let Some(request) = self.requests.get(index) else { return (Err((String::new(), String::new())), false) };
        let outgoing = self.request(request, tag, version);
        let sent_id = format!("drill-{tag}");
        match timeout(self.load.timeout, self.pool.send(outgoing, version)).await {
            Err(_) => (Err((format!("no answer within {:?}", self.load.timeout), sent_id)), false),
            Ok(Err(NoAnswer { cause, resent })) => (Err((cause, sent_id)), resent),
            Ok(Ok(answer)) if request.accepts(answer.status) => {
                let resent = answer.resent;
                (Ok(answer), resent)
            }
            Ok(Ok(answer)) => (Err((refusal(&answer), id(&answer).unwrap_or(sent_id))), answer.resent),
        }
    }
}

/// Status and stable code of an answer that is none.
fn refusal(answer: &Answer) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let code = problem.as_ref().and_then(|problem| problem.get("code")?.as_str());
    match code {
        Some(code) => format!("status {} {}", answer.status.as_u16(), code.chars().take(64).collect::<String>()),
        None => format!("status {}", answer.status.as_u16()),
    }
}

fn id(answer: &Answer) -> Option<String> {
    let id = answer.headers.get(&serve::contract::request_id::X_REQUEST_ID)?;
    id.to_str().ok().map(|id| id.chars().take(64).collect())
}

/// Sends until the future is dropped.
pub(super) async fn run(shared: Rc<Shared>) {
    let begun = Instant::now();
    let rate = u64::from(shared.load.rate);
    let order = order(&shared.requests);
    let both = shared.load.connections > 0 && shared.load.http2_connections > 0;
    for number in 0_u64.. {
        let due = begun + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate);
        sleep_until(due).await;
        let phase = shared.phase();
        if shared.in_flight.get() >= shared.load.in_flight_max {
            phase.tally.borrow_mut().held_back += 1;
            continue;
        }
        let turn = usize::try_from(number).unwrap_or_default();
        // Each request of the plan takes each kind of connection in turn.
        let (index, round) = (order[turn % order.len()], turn / order.len());
        let version = match (turn + round).is_multiple_of(2) {
            true if both => Version::Http2,
            _ if shared.load.connections == 0 => Version::Http2,
            _ => Version::Http1,
        };
        shared.in_flight.set(shared.in_flight.get() + 1);
        phase.begin();
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            one(&shared, &phase, index, version).await;
            phase.end(due.elapsed());
            shared.in_flight.set(shared.in_flight.get() - 1);
        });
    }
}

/// Which request follows which: each as often as its weight says.
fn order(requests: &[Request]) -> Vec<usize> {
    let mut order = Vec::new();
    let most = requests.iter().map(|request| request.weight).max().unwrap_or(1);
    for round in 0..most {
        order.extend((0..requests.len()).filter(|index| requests[*index].weight > round));
    }
    order
}

async fn one(shared: &Shared, phase: &Phase, index: usize, version: Version) {
    let (tag, resyncs) = (shared.tag(), shared.echoes.resyncs());
    let (outcome, resent) = shared.tagged(index, &tag, version).await;
    let mut tally = phase.tally.borrow_mut();
    tally.resent += u64::from(resent);
    let finds = shared.requests.get(index).is_some_and(|request| request.find.is_some());
    if finds {
        tally.acted(Deed { request: index, tag, is_answered: outcome.is_ok() });
    }
    match outcome {
        Ok(answer) if finds => shared.echoes.expect(&answer.body, resyncs),
        Ok(_) => {}
        Err((cause, id)) => tally.lose(&cause, &id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_comes_as_often_as_its_weight() {
        let text = "target = \"http://localhost\"\n[[request]]\npath = \"/a\"\nweight = 3\n[[request]]\npath = \"/b\"\n\
            [[fault]]\nname = \"a\"\nkind = \"stalled-clients\"\n";
        let plan = crate::config::drill::load_str("a", text, &|_| None, std::path::Path::new("")).expect("sound");
        assert_eq!(order(&plan.requests), [0, 1, 0, 0]);
    }
}
