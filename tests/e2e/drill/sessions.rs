//! The session of a drill: signed in once, renewed while faults happen.

use super::rig::{NOTHING, drill, edge_with, fault, plan};
use portcullis_tests::exchange::{Received, ok};
use portcullis_tests::origin::{Answering, Origin};
use std::sync::Mutex;

const SESSION: &str = r#"
[session]
sign_in = "/sign-in"
refresh = "/refresh"
refresh_every = "100ms"
username = "ann"
password = "her password"

[[request]]
path = "/me"
session = true
"#;

/// What [`application`] gives and asks for.
struct Tokens {
    given: u32,
    refuse_refresh: Option<u32>,
}

impl Tokens {
    fn give(&mut self) -> Vec<u8> {
        self.given += 1;
        ok(&format!("{{\"access\":\"access-{0}\",\"refresh\":\"refresh-{0}\"}}", self.given))
    }

    fn answer(&mut self, received: &Received) -> Vec<u8> {
        let body = String::from_utf8_lossy(&received.body.content).into_owned();
        match received.head.target() {
            "/sign-in" if body.contains("ann") && body.contains("her password") => self.give(),
            "/refresh" if self.refuse_refresh.take_if(|number| *number == self.given).is_some() => refusal(),
            "/refresh" if body.contains(&format!("\"refresh-{}\"", self.given)) => self.give(),
            // The token before the last one may still be on its way.
            "/me" => {
                match received.head.field("authorization").and_then(|value| value.strip_prefix("Bearer access-")) {
                    Some(number) if number.parse().is_ok_and(|number: u32| number + 1 >= self.given) => ok("ann"),
                    _ => refusal(),
                }
            }
            "/sign-in" | "/refresh" => refusal(),
            _ => ok("hello"),
        }
    }
}

fn refusal() -> Vec<u8> {
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
}

/// Gives tokens of which each refreshes once. The refresh of the token with this number is refused.
async fn application(refuse_refresh: Option<u32>) -> Answering {
    let tokens = Mutex::new(Tokens { given: 0, refuse_refresh });
    Origin::start().await.answering(move |received| tokens.lock().expect("no panic").answer(received))
}

fn asked(application: &Answering, path: &str) -> usize {
    application.received().iter().filter(|received| received.head.target() == path).count()
}

#[tokio::test]
async fn a_session_is_renewed_while_the_drill_goes_on() {
    let application = application(None).await;
    let edge = edge_with(&[application.endpoint()], "forward_token = true").await;
    let folder = plan(edge.address("http"), &format!("{SESSION}{NOTHING}"));
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(0), "{report:#}\n{said}");
    assert_eq!(asked(&application, "/sign-in"), 1);
    assert!(asked(&application, "/refresh") >= 3, "{}", asked(&application, "/refresh"));
    assert!(asked(&application, "/me") > 10, "the session's user asked");
}

/// What a user would see: signed out in the middle of his work.
#[tokio::test]
async fn a_refused_refresh_is_one_loss_and_the_session_begins_anew() {
    let application = application(Some(4)).await;
    let edge = edge_with(&[application.endpoint()], "forward_token = true").await;
    let folder = plan(edge.address("http"), &format!("{SESSION}{NOTHING}"));
    let (code, report, said) = drill(folder.path()).await;
    assert_eq!(code, Some(3), "{report:#}\n{said}");
    let lost: Vec<_> = ["no fault", "nothing"].iter().map(|name| fault(&report, name)["lost"].as_u64()).collect();
    assert_eq!(lost.iter().flatten().sum::<u64>(), 1, "{report:#}");
    let bad = fault(&report, if lost[0] == Some(1) { "no fault" } else { "nothing" });
    assert_eq!(bad["causes"][0]["cause"], "the session's refresh: status 401", "{report:#}");
    assert_eq!(asked(&application, "/sign-in"), 2);
}
