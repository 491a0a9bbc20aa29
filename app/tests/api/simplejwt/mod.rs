//! The same requests to this application and to a real djangorestframework-simplejwt, answer by answer, field by field.
//!
//! The original is installed into a virtual environment below `target/`, once. Where there is no `python3`, or the
//! package index does not answer, the test says SKIPPED; the recordings in `tokens.rs` hold in any case.

mod original;
mod steps;

use crate::app::{App, claims_of};
use http::Request;
use original::{Answered, Original};
use portcullis_app::config::{GivenAlgorithm, SignInConfig, SigningConfig, SlidingConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use steps::{DIFFERENT, Deed, STEPS, Step};

/// Both sides sign with it, and so does this test.
const SECRET: &str = "a secret of thirty-two bytes or more";

/// What answers gave to later requests, by name.
type Memory = BTreeMap<&'static str, String>;

#[tokio::test]
async fn every_answer_is_that_of_the_original() {
    let Some(mut original) = Original::start(SECRET) else { return };
    let app = application().await;
    let (mut ours, mut theirs) = (Memory::new(), Memory::new());
    let mut wrong = Vec::new();
    let mut differing = Vec::new();
    for step in STEPS {
        let Step { name, deed } = step;
        match deed {
            Deed::Deactivate(username, sql) => {
                app.execute(sql).await;
                original.change("deactivate", username);
            }
            Deed::Delete(username, sql) => {
                app.execute(sql).await;
                original.change("delete", username);
            }
            Deed::Forge(token, change) => {
                for memory in [&mut ours, &mut theirs] {
                    let forged = forge(&memory[token.from], change);
                    memory.insert(token.to, forged);
                }
            }
            Deed::Ask(ask) => {
                let fill = |memory: &Memory| {
                    memory
                        .iter()
                        .fold(ask.body.to_owned(), |body, (name, value)| body.replace(&format!("${name}$"), value))
                };
                let (mine, original) = (send(&app, ask.method, ask.path, ask.content_type, fill(&ours)).await, {
                    original.ask(ask.method, ask.path, ask.content_type, &fill(&theirs))
                });
                for (member, name) in ask.keep {
                    for (memory, answer) in [(&mut ours, &mine), (&mut theirs, &original)] {
                        if let Some(value) = answer.json()[*member].as_str() {
                            memory.insert(*name, value.to_owned());
                        }
                    }
                }
                match DIFFERENT.iter().find(|different| different.step == *name) {
                    None if mine.shape() != original.shape() => {
                        wrong.push(format!("{name}:\n  ours   {:?}\n  theirs {:?}", mine.shape(), original.shape()));
                    }
                    None => {}
                    Some(different) => {
                        assert_eq!((mine.status, original.status), different.statuses, "{name}: {}", different.reason);
                        differing.push(*name);
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(differing, DIFFERENT.map(|different| different.step), "the list of differences is true");
}

async fn application() -> App {
    let app = App::with(|config| {
        let file = config.state.join("secret");
        std::fs::write(&file, SECRET).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        config.tokens.signing = SigningConfig::Given { algorithm: GivenAlgorithm::Hs256, file };
        let (lifetime, refresh_lifetime) = (Duration::from_secs(5 * 60), Duration::from_secs(24 * 60 * 60));
        config.tokens.sliding = Some(SlidingConfig { lifetime, refresh_lifetime });
        let unbounded = NonZeroU32::MAX;
        config.sign_in = SignInConfig { account_burst: unbounded, address_burst: unbounded, ..SignInConfig::default() };
    })
    .await;
    for username in ["ada", "bob", "eve"] {
        let made = app.post("/api/register/", json!({"username": username, "password": "correct horse"})).await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    }
    app
}

async fn send(app: &App, method: &str, path: &str, content_type: &str, body: String) -> Answered {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    let answer = app.send(request.body(body.into()).expect("a request")).await;
    let field = |name: &str| answer.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    Answered {
        status: answer.status.as_u16(),
        fields: ["content-type", "www-authenticate", "allow"].map(field),
        text: answer.text.clone(),
    }
}

/// The token with other claims, signed by the secret of both sides.
fn forge(token: &str, change: &fn(&mut Value)) -> String {
    let mut claims = claims_of(&json!(token));
    change(&mut claims);
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("signed")
}
