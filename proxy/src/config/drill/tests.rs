//! Plans that are taken, and the words for those that are not.

use super::*;

const PLAN: &str = r#"
target = "https://localhost:8443"
admin = "127.0.0.1:9901"

[[request]]
path = "/"

[[request]]
method = "POST"
path = "/api/notes/"
body = '{"title":"{tag}"}'
session = true
find = "/api/notes/?q={tag}"

[session]
sign_in = "/api/token/"
username = "${env:USER}"
password = "secret"

[relay.app1]
listen = "127.0.0.1:9001"
to = "127.0.0.1:8001"

[[fault]]
name = "kill"
run = ["sh", "-c", "exit 0"]
undo = ["sh", "-c", "exit 0"]
hold = "1s"

[[fault]]
name = "slow"
kind = "slow"
relay = "app1"
"#;

fn environment(name: &str) -> Option<String> {
    (name == "USER").then(|| "ann".to_owned())
}

fn plan(text: &str) -> Result<Plan, Problems> {
    load_str("drill.toml", text, &environment, Path::new(""))
}

#[test]
fn a_plan_is_what_it_says() {
    let plan = plan(PLAN).expect("a sound plan");
    assert_eq!((plan.target.host.as_str(), plan.target.port, plan.target.tls), ("localhost", 8443, true));
    assert_eq!(plan.session.expect("a session").username, "ann");
    assert_eq!(plan.requests[1].body_of("t7").as_deref(), Some("{\"title\":\"t7\"}"));
    assert_eq!(plan.requests[1].find.as_ref().expect("a place").of("t7").as_str(), "/api/notes/?q=t7");
    assert!(matches!(plan.faults[0].action, Action::Command { .. }));
    assert_eq!(plan.faults[0].hold, Duration::from_secs(1));
    let Action::Relay { relay: 0, disturbance: Disturbance::Slow(delay) } = plan.faults[1].action else {
        panic!("a slow relay")
    };
    assert_eq!(delay, Duration::from_millis(200));
}

#[test]
fn a_plan_without_load_has_the_load_of_an_empty_table() {
    let (without, with) = (plan(PLAN).expect("sound"), plan(&format!("{PLAN}\n[load]\n")).expect("sound"));
    assert_eq!(format!("{:?}", without.load), format!("{:?}", with.load));
}

#[test]
fn every_mistake_is_told_at_its_place() {
    for (from, to, said) in [
        ("https://localhost:8443", "ftp://localhost", "drill.toml:2:10: a drill speaks `https` or `http`"),
        ("https://localhost:8443", "https://localhost:8443/api", "the target is scheme, host and port"),
        ("path = \"/\"", "path = \"api\"", "write \"/api\""),
        ("path = \"/\"", "pth = \"/\"", "did you mean `path`?"),
        ("?q={tag}", "?q=1", "put `{tag}` into it"),
        ("\"{tag}\"", "\"x\"", "a tag that the request does not carry"),
        ("method = \"POST\"\n", "", "a GET has no body"),
        (
            "[session]\nsign_in = \"/api/token/\"\nusername = \"${env:USER}\"\npassword = \"secret\"\n",
            "[events]\npath = \"/e\"\n",
            "`events` without `session`",
        ),
        ("relay = \"app1\"", "relay = \"app\"", "did you mean `app1`?"),
        ("relay = \"app1\"", "", "the kind `slow` needs the key `relay`"),
        ("relay = \"app1\"", "relay = \"app1\"\nsockets = 3", "`sockets` has no meaning for the kind `slow`"),
        ("kind = \"slow\"", "kind = \"slo\"", "did you mean `slow`?"),
        ("name = \"slow\"", "name = \"kill\"", "two faults are called \"kill\""),
        ("[\"sh\", \"-c\", \"exit 0\"]\nundo", "[\"no such program\"]\nundo", "each argument is a text of its own"),
        ("run = [\"sh\", \"-c\", \"exit 0\"]\n", "", "the kind `command` needs the key `run`"),
        ("hold = \"1s\"", "hold = \"2 hours\"", "write \"2h\""),
        ("to = \"127.0.0.1:8001\"", "to = \"unix:/a\"", "a relay leads to a host and a port"),
        ("kind = \"slow\"\nrelay = \"app1\"", "kind = \"configuration\"", "needs the key `with`"),
        ("${env:USER}", "${env:NOBODY}", "NOBODY"),
    ] {
        let text = PLAN.replacen(from, to, 1);
        assert_ne!(text, PLAN, "{from} is in the plan");
        let problems = plan(&text).expect_err(said).to_string();
        assert!(problems.contains(said), "{said:?} in\n{problems}");
        assert!(problems.starts_with("drill.toml:"), "{problems}");
        assert!(!problems.contains("\"secret\""), "a secret in\n{problems}");
    }
}

#[test]
fn a_reload_needs_somebody_who_is_asked() {
    let reload = PLAN.replace("kind = \"slow\"\nrelay = \"app1\"", "kind = \"reload\"");
    assert!(plan(&reload).is_ok());
    let nobody = reload.replace("admin = \"127.0.0.1:9901\"\n", "");
    let problems = plan(&nobody).expect_err("nobody is asked").to_string();
    assert!(problems.contains("how the edge is made to read its configuration"), "{problems}");
    assert!(plan(&nobody.replace("kind = \"reload\"", "kind = \"reload\"\nreload = [\"sh\"]")).is_ok());
}

#[test]
fn a_load_needs_connections() {
    let none = format!("{PLAN}\n[load]\nconnections = 0\nhttp2_connections = 0\n");
    assert!(plan(&none).expect_err("no connections").to_string().contains("a load without connections"));
}
