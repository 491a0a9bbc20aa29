//! The application behind every proxy of the benchmark: answers at once, on one thread. Arguments: the ports, each an
//! endpoint. One process for all, because whoever sends to a process that sleeps pays for waking it: two processes that take
//! turns on one core would be counted as the proxy's work.
//!
//! `GET .../download` is 1 MiB, every other GET 200 bytes of JSON; a POST is answered with its own body.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// What `GET` answers: 200 bytes.
const ITEM: &[u8] = br#"{"id":7,"title":"a note of the benchmark","body":"as long as the small answer of an application is in practice, an object with a handful of fields","tags":["bench","proxy","json"],"done":false,"ok":1}"#;
const DOWNLOAD_BYTES: usize = 1024 * 1024;

fn main() -> std::io::Result<()> {
    let ports: Vec<u16> = std::env::args().skip(1).filter_map(|port| port.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build_local(Default::default())?;
    runtime.block_on(async {
        let download = Bytes::from(vec![b'd'; DOWNLOAD_BYTES]);
        let mut endpoints = Vec::new();
        for port in ports {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            endpoints.push(tokio::task::spawn_local(serve(listener, download.clone())));
        }
        for endpoint in endpoints {
            endpoint.await??;
        }
        Ok(())
    })
}

/// Answers at one endpoint, for ever.
async fn serve(listener: TcpListener, download: Bytes) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let download = download.clone();
        let service = service_fn(move |request| std::future::ready(answer(request, &download)));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that leaves is none of the measurement's business.
        tokio::task::spawn_local(async move { drop(connection.await) });
    }
}

fn answer(request: Request<Incoming>, download: &Bytes) -> Result<Response<Either<Full<Bytes>, Incoming>>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::POST, _) => {
            let length = request.headers().get(http::header::CONTENT_LENGTH).cloned();
            let mut response = Response::new(Either::Right(request.into_body()));
            length.map(|length| response.headers_mut().insert(http::header::CONTENT_LENGTH, length));
            return Ok(response);
        }
        (_, path) if path.ends_with("/download") => download.clone(),
        _ => Bytes::from_static(ITEM),
    };
    let mut response = Response::new(Either::Left(Full::new(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
