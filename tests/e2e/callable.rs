//! The application's host serves any callable: here one of five lines that it has never heard of.

use http::{Request, Response};
use portcullis_app::host::{self, HostConfig};
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use serve::Body;
use serve::listener::Address;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;
use tower::service_fn;

async fn callable(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    assert_ne!(path, "/panic", "as asked");
    Ok(Response::new(Body::full(format!("five lines at {path}"))))
}

fn config(listen: Address) -> HostConfig {
    HostConfig {
        listen,
        threads: NonZeroUsize::MIN,
        request_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(5),
        in_flight_max: 16,
        connections_max: 16,
        access_log: None,
    }
}

#[tokio::test]
async fn five_lines_behind_the_edge() {
    let host = host::start(&config("127.0.0.1:0".parse().expect("an address")), || service_fn(callable)).await;
    let host = host.expect("the host starts");
    let edge = Edge::start(&forwarding_to(&host.address().to_string())).await;
    assert_eq!(edge.http().get("/x").send().await.expect_status(200).text(), "five lines at /x");
    assert_eq!(host.drain().await.cut, 0);
}

#[tokio::test]
async fn a_panic_of_the_callable_is_one_failed_request() {
    let host = host::start(&config("127.0.0.1:0".parse().expect("an address")), || service_fn(callable)).await;
    let host = host.expect("the host starts");
    let Address::Tcp(address) = *host.address() else { unreachable!("a TCP address") };
    let client = Client::http(address);
    let failed = client.get("/panic").send().await.expect_status(500);
    assert_eq!(failed.json()["source"], "app");
    assert_eq!(client.get("/x").send().await.expect_status(200).text(), "five lines at /x");
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("app.sock");
    let listen = format!("unix:{}", path.display()).parse().expect("an address");
    let _host = host::start(&config(listen), || service_fn(callable)).await.expect("the host starts");
    let client = Client::unix(Path::new(&path));
    assert_eq!(client.get("/x").send().await.expect_status(200).text(), "five lines at /x");
}
