//! gRPC through the edge by a real client and a real server: over TLS and HTTP/2 to the edge, h2c from there.

use bytes::Buf;
use http::uri::PathAndQuery;
use http::{Request as HttpRequest, Response as HttpResponse, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_tests::certs::Authority;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::service::{AnswerBody, Service, Speaks, boxed};
use rustls_pki_types::ServerName;
use std::pin::Pin;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;

/// Messages that are texts: what gRPC carries is bytes, whoever makes them.
#[derive(Debug, Clone, Copy, Default)]
struct Texts;

impl Codec for Texts {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Texts {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(to, text.as_bytes());
        Ok(())
    }
}

impl Decoder for Texts {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Status::internal("no text"))
    }
}

type Texting = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// The server's four methods.
async fn greeter(request: HttpRequest<Incoming>) -> HttpResponse<AnswerBody> {
    let mut grpc = tonic::server::Grpc::new(Texts);
    let response = match request.uri().path() {
        "/test.Greeter/Greet" => {
            let greet = async |request: Request<String>| match request.get_ref().as_str() {
                "nobody" => Err(Status::not_found("there is nobody")),
                name => Ok(Response::new(format!("hello {name}"))),
            };
            grpc.unary(service_fn(greet), request).await
        }
        "/test.Greeter/Count" => {
            let count = async |request: Request<String>| {
                let to: usize = request.get_ref().parse().map_err(|_| Status::invalid_argument("no number"))?;
                let numbers = (1..=to).map(|number| Ok(number.to_string()));
                Ok::<_, Status>(Response::new(Box::pin(tokio_stream::iter(numbers)) as Texting))
            };
            grpc.server_streaming(service_fn(count), request).await
        }
        "/test.Greeter/Join" => {
            let join = async |request: Request<Streaming<String>>| {
                let words: Vec<_> = request.into_inner().collect().await;
                words.into_iter().collect::<Result<Vec<_>, _>>().map(|words| Response::new(words.join(" ")))
            };
            grpc.client_streaming(service_fn(join), request).await
        }
        "/test.Greeter/Echo" => {
            let echo = async |request: Request<Streaming<String>>| {
                let echoed = request.into_inner().map(|text| text.map(|text| format!("{text}!")));
                Ok::<_, Status>(Response::new(Box::pin(echoed) as Texting))
            };
            grpc.streaming(service_fn(echo), request).await
        }
        _ => Status::unimplemented("no such method").into_http(),
    };
    response.map(boxed)
}

/// A connection of a gRPC client to the edge.
#[derive(Clone)]
struct Channel(SendRequest<tonic::body::Body>);

impl tower::Service<HttpRequest<tonic::body::Body>> for Channel {
    type Response = HttpResponse<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// The edge between a gRPC server and this client.
struct Through {
    _edge: Edge,
    _server: Service,
    client: Grpc<Channel>,
}

async fn through() -> Through {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let _ = authority.leaf(folder.path(), &["localhost"]);
    let server = Service::start(Speaks::default(), greeter).await;
    let config = forwarding_to(&server.endpoint()).replace(
        "[[route]]",
        r#"protocol = "h2"
        [site.main]
        tls = { certificate = "{folder}/localhost.pem", key = "{folder}/localhost.key" }
        [[route]]"#,
    );
    let edge = Edge::start_in(folder, &config).await;
    let address = edge.address("http");
    let mut tls = authority.trusted();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("a handshake");
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let origin: Uri = format!("https://localhost:{}", address.port()).parse().expect("a URL");
    Through { _edge: edge, _server: server, client: Grpc::with_origin(Channel(sender), origin) }
}

fn method(name: &str) -> PathAndQuery {
    format!("/test.Greeter/{name}").parse().expect("a path")
}

/// A stream of requests that the test feeds.
fn feeding() -> (UnboundedSender<String>, Request<UnboundedReceiverStream<String>>) {
    let (sender, receiver) = unbounded_channel();
    (sender, Request::new(UnboundedReceiverStream::new(receiver)))
}

#[tokio::test]
async fn unary() {
    let mut through = through().await;
    through.client.ready().await.expect("ready");
    let greeting = through.client.unary(Request::new("alice".to_owned()), method("Greet"), Texts).await;
    let greeting: Response<String> = greeting.expect("a greeting");
    assert_eq!(greeting.get_ref(), "hello alice");
    through.client.ready().await.expect("ready");
    // A status without a message: only trailers, in one frame with the head.
    let nobody = through.client.unary(Request::new("nobody".to_owned()), method("Greet"), Texts).await;
    let status = nobody.map(|_: Response<String>| ()).expect_err("nobody");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is nobody"));
    through.client.ready().await.expect("ready");
    let unknown = through.client.unary(Request::new(String::new()), method("Nothing"), Texts).await;
    assert_eq!(unknown.map(|_: Response<String>| ()).expect_err("unknown").code(), Code::Unimplemented);
}

#[tokio::test]
async fn server_streaming() {
    let mut through = through().await;
    through.client.ready().await.expect("ready");
    let numbers = through.client.server_streaming(Request::new("1000".to_owned()), method("Count"), Texts).await;
    let mut numbers: Streaming<String> = numbers.expect("a stream").into_inner();
    for wanted in 1..=1000 {
        assert_eq!(numbers.message().await.expect("a message"), Some(wanted.to_string()));
    }
    assert_eq!(numbers.message().await.expect("the end"), None);
}

#[tokio::test]
async fn client_streaming() {
    let mut through = through().await;
    through.client.ready().await.expect("ready");
    let (words, request) = feeding();
    for word in ["one", "two", "three"] {
        words.send(word.to_owned()).expect("the call is under way");
    }
    drop(words);
    let joined = through.client.client_streaming(request, method("Join"), Texts).await;
    let joined: Response<String> = joined.expect("an answer");
    assert_eq!(joined.get_ref(), "one two three");
}

#[tokio::test]
async fn both_streaming_at_once() {
    let mut through = through().await;
    through.client.ready().await.expect("ready");
    let (words, request) = feeding();
    let echo = through.client.streaming(request, method("Echo"), Texts).await;
    let mut echo: Streaming<String> = echo.expect("a stream").into_inner();
    // Each message comes back before the next is sent: nothing is held back on the way.
    for word in ["ping", "pong", "ping again"] {
        words.send(word.to_owned()).expect("the call is under way");
        assert_eq!(echo.message().await.expect("a message"), Some(format!("{word}!")));
    }
    drop(words);
    assert_eq!(echo.message().await.expect("the end"), None);
}

/// A client that sends for long before it reads: the two directions do not wait for each other.
#[tokio::test]
async fn a_client_may_send_everything_before_it_reads() {
    let mut through = through().await;
    through.client.ready().await.expect("ready");
    let (words, request) = feeding();
    let echo = through.client.streaming(request, method("Echo"), Texts).await;
    let mut echo: Streaming<String> = echo.expect("a stream").into_inner();
    let word = "x".repeat(1000);
    for _ in 0..1000 {
        words.send(word.clone()).expect("the call is under way");
    }
    drop(words);
    let mut count = 0;
    while let Some(text) = echo.message().await.expect("a message") {
        assert_eq!(text.len(), 1001);
        count += 1;
    }
    assert_eq!(count, 1000);
}
