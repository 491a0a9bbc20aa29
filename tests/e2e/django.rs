//! The example of `docs/link.md`, as it stands there, run by a real Django before a real edge.

use portcullis_tests::deadline::within;
use portcullis_tests::edge::Edge;
use portcullis_tests::linked::write_key;
use portcullis_tests::tokens::{SigningKey, Token, jwk_set};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const LINES_MAX: usize = 40;

/// What a project around the example must have, and a server that says its port.
const SERVER: &str = r#"
import os, socketserver, sys
from wsgiref.simple_server import WSGIServer, make_server
from django.conf import settings
FOLDER = os.path.dirname(os.path.abspath(__file__))
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="server", INSTALLED_APPS=["link"], USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", PORTCULLIS_KEY=FOLDER + "/shared.key",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER + "/db.sqlite3"}},
)
import django
django.setup()
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from link.models import link, revoke

def log_out(request, sid):
    revoke("session", sid, 9000000000)
    return HttpResponse("out")

urlpatterns = [path(".well-known/portcullis/link", link), path("log-out/<sid>", log_out)]

class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

if __name__ == "__main__":
    sys.modules["server"] = sys.modules["__main__"]
    call_command("migrate", run_syncdb=True, verbosity=0)
    server = make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), Threaded)
    print("port", server.server_port, flush=True)
    server.serve_forever()
"#;

/// The code in the page.
fn example() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/link.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, rest) = page.split_once("```python\n").expect("an example");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// A virtual environment with Django; none where that can't be made.
async fn python(folder: &Path) -> Option<PathBuf> {
    let made = folder.join("venv");
    let run = async |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder).output().await;
        output.is_ok_and(|output| output.status.success())
    };
    let python = made.join("bin/python");
    let installed = run(Path::new("python3"), &["-m", "venv", "venv"]).await
        && run(&python, &["-m", "pip", "install", "--quiet", "django>=5.2,<6"]).await;
    installed.then_some(python)
}

async fn serve(python: &Path, folder: &Path, port: u16) -> (Child, u16) {
    let mut child = Command::new(python)
        .args(["server.py", &port.to_string()])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Django starts");
    let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
    let line = within("Django to listen", said.next_line()).await.expect("text").expect("a line");
    (child, line.strip_prefix("port ").and_then(|port| port.parse().ok()).expect("a port"))
}

#[tokio::test]
async fn the_example_for_django_speaks_the_link() {
    let example = example();
    let lines = example.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= LINES_MAX, "{lines} lines");
    let folder = TempDir::new().expect("a folder");
    let Some(python) = python(folder.path()).await else {
        let required = std::env::var("PORTCULLIS_REQUIRE_DJANGO").is_ok_and(|value| value == "1");
        assert!(!required, "PORTCULLIS_REQUIRE_DJANGO=1, but there is no python3 with Django");
        println!("SKIPPED: no python3 with venv, or Django can't be installed");
        return;
    };
    let path = folder.path().to_owned();
    std::fs::create_dir(path.join("link")).expect("a folder");
    for (name, text) in [("link/__init__.py", ""), ("link/models.py", example.as_str()), ("server.py", SERVER)] {
        std::fs::write(path.join(name), text).expect("a file");
    }
    write_key(&path.join("shared.key"), &[9; 32]);
    let key = SigningKey::new("first", "EdDSA");
    std::fs::write(path.join("jwks.json"), jwk_set(&[&key])).expect("the keys");
    let (mut child, port) = serve(&python, &path, 0).await;
    let config = format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = ["127.0.0.1:{port}"]
        assertion_key = {{ file = "{{folder}}/shared.key" }}
        link = true

        [issuer.test]
        iss = "https://issuer.test"
        audiences = ["api"]
        algorithms = ["EdDSA"]
        keys = {{ jwks_file = "{{folder}}/jwks.json" }}
        revocations = "app"

        [[route]]
        match = "/require/**"
        revocation = "require"
        respond = {{ body = "in" }}

        [[route]]
        match = "/log-out/**"
        auth = "public"
        forward = "app"
        "#
    );
    let edge = Edge::start_in(folder, &config).await;
    edge.ready().await;
    let client = edge.http();
    let token = |sid: &str| Token::good(&key, "ann").claim("sid", json!(sid)).sign(&key);
    let verdict = async |token: &str| {
        let answer = client.get("/require/x").bearer(token).send().await;
        if answer.status == 200 { "200".to_owned() } else { answer.edge_code() }
    };
    let until = async |token: &str, wanted: &str| {
        within(format!("a token to be {wanted}"), async { while verdict(token).await != wanted {} }).await;
    };
    let (one, two, three) = (token("one"), token("two"), token("three"));
    assert_eq!((verdict(&one).await, verdict(&two).await), ("200".to_owned(), "200".to_owned()));
    let _ = client.get("/log-out/one").send().await.expect_status(200);
    until(&one, "token_revoked").await;
    assert_eq!(verdict(&two).await, "200");
    // Killed after a log-out that the edge may not have heard of.
    let _ = client.get("/log-out/two").send().await.expect_status(200);
    child.kill().await.expect("killed");
    let (_child, _) = serve(&python, &path, port).await;
    until(&two, "token_revoked").await;
    assert_eq!((verdict(&one).await, verdict(&three).await), ("token_revoked".to_owned(), "200".to_owned()));
    // Nobody without the key.
    let direct = portcullis_tests::client::Client::http(([127, 0, 0, 1], port).into());
    let _ = direct.get("/.well-known/portcullis/link").send().await.expect_status(403);
}
