//! A new configuration replaces the old one between two requests; a bad one does not.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;
use portcullis_tests::process::Process;

/// A process on sockets in its folder that answers so; `more` are other tables.
fn listening(text: &str, more: &str) -> String {
    format!(
        "[admin]\naddress = \"unix:admin.sock\"\n[listener.front]\naddress = \"unix:front.sock\"\n{more}\
         [[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {{ body = \"{text}\" }}\n"
    )
}

fn answering(text: &str) -> String {
    format!(
        "[listener.http]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/**\"\nauth = \"public\"\n\
         respond = {{ body = \"{text}\" }}\n"
    )
}

#[tokio::test]
async fn routes_change_on_open_connections_too() {
    let edge = Edge::start(&answering("old")).await;
    let client = edge.http();
    let mut kept = client.connect().await;
    assert_eq!(client.get("/").send_on(&mut kept).await.text(), "old");
    edge.reload(&answering("new")).await.expect("a good configuration");
    assert_eq!(client.get("/").send().await.text(), "new");
    assert_eq!(client.get("/").send_on(&mut kept).await.text(), "new", "one revision per request, not per connection");
}

#[tokio::test]
async fn a_bad_configuration_keeps_the_old_one_and_says_why() {
    let edge = Edge::start(&answering("old")).await;
    let bad = answering("new").replace("auth = \"public\"", "auth = \"publik\"\nbody_bytes_mx = 1");
    let mistakes = edge.reload(&bad).await.expect_err("two mistakes");
    assert!(mistakes.contains("publik") && mistakes.contains("body_bytes_mx"), "all mistakes at once: {mistakes}");
    assert_eq!(edge.http().get("/").send().await.text(), "old");
    edge.reload(&answering("newer")).await.expect("a good configuration");
    assert_eq!(edge.http().get("/").send().await.text(), "newer");
}

#[tokio::test]
async fn work_in_flight_ends_under_the_configuration_that_it_began_with() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, mut exchange) = tokio::join!(edge.http().get("/").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").await;
        exchange
    });
    assert_eq!(answer.read_until("half ").await, "half ");
    edge.reload(&answering("new")).await.expect("a good configuration");
    assert_eq!(edge.http().get("/").send().await.text(), "new");
    exchange.send("whole").await;
    assert_eq!(answer.collect().await.expect("the rest").text(), "whole");
}

/// What is static is named; listeners are not.
#[tokio::test]
async fn what_needs_a_restart_is_said() {
    let mut process = Process::start(&listening("old", "")).await;
    process.configure(&format!("{}\n[server]\nthreads = 3\n", listening("new", "")));
    let (code, said) = process.command("reload").await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the configuration is in force") && said.contains("[server] differs"), "{said}");
    process.says("configuration reloaded").await;
}

#[tokio::test]
async fn listeners_come_change_and_go_while_connections_go_on() {
    let process = Process::start(&listening("one", "")).await;
    let front = Client::unix(&process.folder().join("front.sock"));
    let second = Client::unix(&process.folder().join("second.sock"));
    process
        .configure(&listening("two", "[listener.second]\naddress = \"unix:second.sock\"\nuri_bytes_max = \"64B\"\n"));
    let (code, said) = process.command("reload").await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("listener \"second\" opened at unix:second.sock"), "{said}");
    let mut kept = second.connect().await;
    let long = format!("/{}", "x".repeat(100));
    assert_eq!(second.get("/").send_on(&mut kept).await.text(), "two");
    assert_eq!(second.get(&long).send().await.status, 414);

    // The limit alone changes: the address stays, and so does what is open, under what it began with.
    process.configure(&listening("three", "[listener.second]\naddress = \"unix:second.sock\"\n"));
    let (_, said) = process.command("reload").await;
    assert!(said.contains("listener \"second\" changed"), "{said}");
    assert_eq!(second.get(&long).send().await.text(), "three");
    // An answer that ends its connection, too.
    assert_eq!(second.get(&long).send_on(&mut kept).await.status, 414);
    let mut kept = second.connect().await;
    assert_eq!(second.get("/").send_on(&mut kept).await.text(), "three");

    process.configure(&listening("four", ""));
    let (_, said) = process.command("reload").await;
    assert!(said.contains("listener \"second\" closed"), "{said}");
    // Told with its next answer, which it gets.
    let last = second.get("/").send_on(&mut kept).await;
    assert_eq!((last.text(), last.header("connection")), ("four", Some("close")));
    let refused = async {
        let path = process.folder().join("second.sock");
        while tokio::net::UnixStream::connect(&path).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within("new connections to be refused", refused).await;
    assert_eq!(front.get("/").send().await.text(), "four");
}

#[tokio::test]
async fn an_address_that_is_taken_changes_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let process = Process::start(&listening("old", "")).await;
    process.configure(&listening("new", &format!("[listener.second]\naddress = \"{address}\"\n")));
    let (code, said) = process.command("reload").await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    let front = Client::unix(&process.folder().join("front.sock"));
    assert_eq!(front.get("/").send().await.text(), "old");
    drop(taken);
    assert_eq!(process.command("reload").await.0, 0);
    assert_eq!(front.get("/").send().await.text(), "new");
}

#[tokio::test]
async fn the_outcome_is_in_the_exit_code_the_metrics_and_the_answer_and_pages_may_not_ask() {
    let process = Process::start(&listening("old", "")).await;
    let admin = Client::unix(&process.folder().join("admin.sock"));
    assert_eq!(process.command("reload").await.0, 0);
    process.configure(&listening("new", "").replace("respond", "respnd"));
    let answer = admin.call("POST", "/reload").send().await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("did you mean `respond`?"), "{}", answer.text());
    let (code, said) = process.command("reload").await;
    assert_eq!(code, 2);
    assert!(said.contains("did you mean `respond`?"), "{said}");
    assert_eq!(admin.call("POST", "/reload").header("origin", "http://page.example").send().await.status, 403);
    assert_eq!(admin.get("/reload").send().await.status, 405);
    let page = admin.get("/metrics").send().await;
    for line in [
        "portcullis_reloads_total{outcome=\"good\"} 1",
        // The command found the mistake itself, as the process would have.
        "portcullis_reloads_total{outcome=\"failed\"} 1",
        "portcullis_snapshots_live 1",
    ] {
        assert!(page.text().lines().any(|found| found == line), "{line}\n{}", page.text());
    }
}

#[tokio::test]
async fn changed_files_are_taken_without_being_told() {
    let watching = |body: &str| {
        format!("{}\n[server]\nreload_on_change = true\n", listening("BODY", "").replace("\"BODY\"", body))
    };
    let mut process = Process::start(&watching("\"first\"")).await;
    // A file that the configuration comes to name is watched from then on.
    std::fs::write(process.folder().join("body.txt"), "second").expect("written");
    process.configure(&watching("\"${file:body.txt}\""));
    process.says("configuration reloaded").await;
    let front = Client::unix(&process.folder().join("front.sock"));
    assert_eq!(front.get("/").send().await.text(), "second");
    std::fs::write(process.folder().join("new"), "third, renamed").expect("written");
    std::fs::rename(process.folder().join("new"), process.folder().join("body.txt")).expect("renamed");
    process.says("configuration reloaded").await;
    assert_eq!(front.get("/").send().await.text(), "third, renamed");
}
