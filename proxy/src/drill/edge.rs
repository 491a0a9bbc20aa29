//! The edge's admin listener: what it has counted, and a reload.

use crate::config::Address;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// From the connect to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 4 << 20;
const RETRIED: &str = "portcullis_upstream_retries_total";
const PARKED: &str = "portcullis_upstream_parked_total";

/// Sums over all upstreams; none where the edge has no such metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) retried: Option<u64>,
    pub(super) parked: Option<u64>,
}

impl Counts {
    /// What has come since `before`. A number that has become smaller began anew: the edge has.
    pub(super) fn since(self, before: Self) -> Self {
        let difference =
            |now: Option<u64>, before: Option<u64>| now.map(|now| now.checked_sub(before.unwrap_or(0)).unwrap_or(now));
        Self { retried: difference(self.retried, before.retried), parked: difference(self.parked, before.parked) }
    }

    /// Reads the page of metrics (Prometheus text format).
    fn read(page: &str) -> Self {
        Self { retried: sum(page, RETRIED), parked: sum(page, PARKED) }
    }
}

fn sum(page: &str, name: &str) -> Option<u64> {
    let samples = page.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with(['{', ' ']));
    let values: Vec<u64> = samples.filter_map(|rest| rest.rsplit(' ').next()?.parse().ok()).collect();
    // A family without samples is known by its type: nothing has happened yet.
    let is_known = || page.lines().any(|line| line.strip_prefix("# TYPE ").is_some_and(|rest| rest.starts_with(name)));
    (!values.is_empty() || is_known()).then(|| values.iter().sum())
}

/// What the edge has counted; none when it does not answer.
pub(super) async fn counts(admin: &Address) -> Option<Counts> {
    let (status, page) = ask(admin, Method::GET, "/metrics").await.ok()?;
    (status == StatusCode::OK).then(|| Counts::read(&page))
}

/// Asks the edge to read its configuration again. The status and what it says.
///
/// # Errors
/// There is no answer, worded.
pub(super) async fn reload(admin: &Address) -> Result<(StatusCode, String), String> {
    ask(admin, Method::POST, "/reload").await
}

async fn ask(admin: &Address, method: Method, path: &str) -> Result<(StatusCode, String), String> {
    let asking = async {
        match admin {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                exchange(stream, method, path).await
            }
            Address::Unix(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
                exchange(stream, method, path).await
            }
        }
    };
    let answer = tokio::time::timeout(TIMEOUT, asking).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    answer.map_err(|reason| format!("the admin listener {admin}: {reason}"))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    method: Method,
    path: &str,
) -> Result<(StatusCode, String), String> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::task::spawn_local(connection);
    let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_and_missing_families_stay_unknown() {
        let page = "# TYPE portcullis_upstream_retries_total counter\n\
            portcullis_upstream_retries_total{upstream=\"a\"} 3\n\
            portcullis_upstream_retries_total{upstream=\"b c\"} 4\n\
            portcullis_upstream_retries_total_more 9\n";
        assert_eq!(Counts::read(page), Counts { retried: Some(7), parked: None });
        let quiet = "# TYPE portcullis_upstream_parked_total counter\n";
        assert_eq!(Counts::read(quiet).parked, Some(0));
    }

    #[test]
    fn a_counter_that_began_anew_is_counted_from_zero() {
        let counts = |retried| Counts { retried: Some(retried), parked: None };
        assert_eq!(counts(5).since(counts(3)), counts(2));
        assert_eq!(counts(1).since(counts(3)), counts(1));
        assert_eq!(counts(1).since(Counts::default()), counts(1));
    }
}
