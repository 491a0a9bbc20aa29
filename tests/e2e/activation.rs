//! Sockets from the service manager, and what it is told.

use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::deadline::within;
use portcullis_tests::process::Process;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use tokio::process::Command;

const CONFIG: &str = r#"
[admin]
address = "unix:admin.sock"
[listener.front]
address = "127.0.0.1:PORT"
[[route]]
match = "/**"
auth = "public"
respond = { body = "BODY" }
"#;

/// A shell stands for the manager: it has the bound socket as its standard input, gives it the number that the protocol
/// wants, and becomes the server.
#[tokio::test]
async fn a_socket_from_the_manager_is_served_and_its_queue_too() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    // Before anybody serves.
    let early = tokio::spawn(async move { Client::http(address).get("/").send().await });
    let notified = tempfile::tempdir().expect("a folder");
    let notify = UnixDatagram::bind(notified.path().join("notify")).expect("bound");
    let config = CONFIG.replace("PORT", &address.port().to_string());
    let process = Process::start_with(&config, |_| {
        let script = format!(
            "exec env LISTEN_PID=$$ LISTEN_FDS=1 NOTIFY_SOCKET={} {} \"$@\" 3<&0 </dev/null",
            notified.path().join("notify").display(),
            binary("portcullis").display()
        );
        let mut command = Command::new("/bin/sh");
        let descriptor = socket.as_fd().try_clone_to_owned().expect("a descriptor");
        command.args(["-c", &script, "sh"]).stdin(Stdio::from(descriptor));
        command
    })
    .await;
    assert_eq!(within("the early answer", early).await.expect("an answer").text(), "BODY");
    assert_eq!(hear(&notify), "READY=1");
    assert_eq!(process.command("reload").await.0, 0);
    assert!(hear(&notify).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(hear(&notify), "READY=1");
    process.signal("TERM").await;
    assert_eq!(hear(&notify), "STOPPING=1");
}

#[tokio::test]
async fn the_manager_is_told_who_has_taken_over() {
    let notified = tempfile::tempdir().expect("a folder");
    let notify = UnixDatagram::bind(notified.path().join("notify")).expect("bound");
    let mut process = Process::start_with(&CONFIG.replace("PORT", "0"), |_| {
        let script = format!(
            "exec env NOTIFY_SOCKET={} {} \"$@\"",
            notified.path().join("notify").display(),
            binary("portcullis").display()
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]);
        command
    })
    .await;
    assert_eq!(hear(&notify), "READY=1");
    process.upgrade().await;
    let told = [hear(&notify), hear(&notify)];
    assert!(told.iter().any(|word| word.starts_with("MAINPID=") && word.ends_with("\nREADY=1")), "{told:?}");
    assert_eq!(process.first_ended().await.code(), Some(0));
}

fn hear(notify: &UnixDatagram) -> String {
    notify.set_read_timeout(Some(portcullis_tests::deadline::PATIENCE)).expect("a time");
    let mut bytes = [0; 256];
    let count = notify.recv(&mut bytes).expect("the manager is told");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
