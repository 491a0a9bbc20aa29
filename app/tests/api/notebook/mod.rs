//! The notebook: notes, shares, attachments, live events and administration, as several people use them.

mod admin;
mod attachments;
mod events;
mod notes;
mod shares;

use crate::app::{Answer, App, assertion};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use jsonwebtoken::{Algorithm, Header};
use portcullis_app::config::{Config, DemoConfig};
use serde_json::{Value, json};
use serve::contract::identity::{ASSERTION_TYPE, X_AUTH_ASSERTION};
use serve::contract::request_id::X_REQUEST_ID;
use std::path::PathBuf;
use std::time::Duration;
use tower::ServiceExt;

const PASSWORD: &str = "correct horse";

/// An application and where its attachments are.
struct Notebook {
    app: App,
    attachments: PathBuf,
}

/// Somebody with an account.
struct Person {
    id: String,
    name: String,
}

/// A note as somebody made it.
struct Made {
    path: String,
    etag: String,
    note: Value,
}

impl Notebook {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut attachments = PathBuf::new();
        let app = App::with(|config| {
            attachments = config.attachments();
            config.demo = Some(DemoConfig { username: "root".into(), password: Some(PASSWORD.into()) });
            change(config);
        })
        .await;
        Self { app, attachments }
    }

    async fn person(&self, name: &str) -> Person {
        let made = self.app.post("/api/register/", json!({"username": name, "password": PASSWORD})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        Person { id: made.string("id"), name: name.to_owned() }
    }

    /// The administrator, who is made at the first start.
    async fn root(&self) -> Person {
        let pair = self.app.post("/api/token/", json!({"username": "root", "password": PASSWORD})).await;
        let access = pair.string("access");
        let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).expect("claims")).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        Person { id: claims["sub"].as_str().expect("a subject").to_owned(), name: "root".into() }
    }

    /// A request as the edge sends it on behalf of a person.
    fn request(&self, person: &Person, method: Method, path: &str) -> http::request::Builder {
        let statement = assertion(method.as_str(), path, &person.id);
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(ASSERTION_TYPE.to_owned());
        let signed = jsonwebtoken::encode(&header, &statement, self.app.key()).expect("signed");
        Request::builder()
            .method(method)
            .uri(path)
            .header(&X_AUTH_ASSERTION, signed)
            .header(&X_REQUEST_ID, &statement.request_id)
    }

    async fn get(&self, person: &Person, path: &str) -> Answer {
        self.app.send(self.request(person, Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    async fn delete(&self, person: &Person, path: &str) -> Answer {
        self.app.send(self.request(person, Method::DELETE, path).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, person: &Person, path: &str, body: Value) -> Answer {
        self.send_json(person, Method::POST, path, None, body).await
    }

    async fn put(&self, person: &Person, path: &str, if_match: &str, body: Value) -> Answer {
        self.send_json(person, Method::PUT, path, Some(if_match), body).await
    }

    async fn patch(&self, person: &Person, path: &str, if_match: &str, body: Value) -> Answer {
        self.send_json(person, Method::PATCH, path, Some(if_match), body).await
    }

    async fn send_json(
        &self,
        person: &Person,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Value,
    ) -> Answer {
        let mut request = self.request(person, method, path).header("content-type", "application/json");
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        self.app.send(request.body(body.to_string().into()).expect("a request")).await
    }

    async fn note(&self, owner: &Person, title: &str) -> Made {
        let made = self.post(owner, "/api/notes/", json!({"title": title})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let field = |name: &str| made.headers[name].to_str().expect("text").to_owned();
        Made { path: field("location"), etag: field("etag"), note: made.json() }
    }

    async fn share(&self, owner: &Person, note: &Made, with: &Person, role: &str) {
        let path = format!("{}shares/{}/", note.path, with.name);
        let shared = self.send_json(owner, Method::PUT, &path, None, json!({"role": role})).await;
        assert_eq!(shared.status, StatusCode::OK, "{}", shared.text);
    }

    async fn upload(&self, person: &Person, note: &Made, name: &str, content: impl Into<Body>) -> Answer {
        let path = format!("{}attachments/?name={name}", note.path);
        let request = self.request(person, Method::POST, &path).header("content-type", "text/plain");
        self.app.send(request.body(content.into()).expect("a request")).await
    }

    async fn listen(&self, person: &Person, last_event_id: Option<&str>) -> Stream {
        let mut request = self.request(person, Method::GET, "/api/events/");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.app.application.router().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { body: response.into_body(), text: String::new() }
    }

    /// The names of all files below the attachments' root, without locks.
    fn files(&self) -> Vec<String> {
        fn walk(folder: PathBuf, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let entry = entry.expect("an entry");
                let name = entry.file_name().into_string().expect("text");
                if [".locks", ".database"].contains(&name.as_str()) {
                    continue;
                }
                if entry.path().is_dir() {
                    walk(entry.path(), found);
                } else {
                    found.push(name);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.attachments.clone(), &mut found);
        found
    }
}

/// An open stream of events.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    /// The next block that is more than comments, an id or the retry time; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let event = Event::parse(&block);
                if !event.data.is_null() {
                    return Some(event);
                }
                continue;
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.expect("in time");
            let bytes = frame?.expect("no error").into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }

    async fn expect(&mut self) -> Event {
        self.next().await.expect("an event")
    }
}

/// One event as a client reads it.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Event {
    fn parse(block: &str) -> Self {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Self {
            name: field("event").unwrap_or_default().to_owned(),
            id: field("id").unwrap_or_default().to_owned(),
            data: field("data").map_or(Value::Null, |data| serde_json::from_str(data).expect("JSON")),
        }
    }

    fn kind(&self) -> &str {
        self.data["kind"].as_str().unwrap_or_default()
    }
}

/// Status and code of a refusal.
fn refusal(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.text);
    (answer.status.as_u16(), answer.string("code"))
}
