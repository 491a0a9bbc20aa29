//! Request bodies that are held until they are whole: the application sees none of a slow upload.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

async fn edge(origin: &Origin, buffer: &str) -> Edge {
    Edge::start(&format!("{}\nbuffer = {buffer}\n", forwarding_to(&origin.endpoint()))).await
}

#[tokio::test]
async fn the_upstream_is_asked_when_the_body_is_whole_and_learns_its_length() {
    for buffer in ["{ memory = \"1KiB\" }", "{ memory = \"8B\", disk = \"1KiB\" }"] {
        let mut origin = Origin::start().await;
        let edge = edge(&origin, buffer).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n").await;
        client.send("6\r\nworld,\r\n").await;
        // Another request shows that the edge has had every chance to ask.
        let (answer, ()) = tokio::join!(edge.http().get("/other").send(), async {
            let exchange = origin.exchange().await;
            assert_eq!(exchange.head().target(), "/other", "{buffer}: the upload came first");
            exchange.reply_text("other").await;
        });
        let _ = answer.expect_status(200);
        assert!(origin.is_quiet(), "{buffer}");
        client.send("4\r\n bye\r\n0\r\n\r\n").await;
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.head().all("content-length").collect::<Vec<_>>(), ["16"], "{buffer}");
        assert_eq!(exchange.read_body().await.content, b"hello world, bye", "{buffer}");
        exchange.reply_text("done").await;
        assert_eq!(client.read_head().await.status(), 200, "{buffer}");
    }
}

#[tokio::test]
async fn what_does_not_fit_streams_on() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "{ memory = \"8B\" }").await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send("0123456789");
    let (answer, ()) = tokio::join!(call.send(), async {
        // The upstream is asked before the body is whole.
        let mut exchange = origin.exchange().await;
        upload.send("abc");
        drop(upload);
        assert_eq!(exchange.read_body().await.content, b"0123456789abc");
        exchange.reply_text("done").await;
    });
    let _ = answer.expect_status(200);
}
