//! The event stream of a drill: each change must be told, and what was done is looked for.

use super::rig::{NOTHING, drill, edge_with, plan};
use portcullis_tests::exchange::{Exchange, ok};
use portcullis_tests::origin::Origin;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const NOTES: &str = r#"
[session]
sign_in = "/sign-in"
username = "ann"
password = "her password"

[events]
path = "/events"
echo = "id"

[[request]]
method = "POST"
path = "/notes"
body = "{tag}"
weight = 2
find = "/find?q={tag}"
"#;

/// The note with which something goes wrong.
const ODD: usize = 10;

/// What goes wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    Nothing,
    Untold,
    /// Untold, but then the stream says that everything has to be loaded again.
    Resynced,
    Twice,
    Forgotten,
    /// The stream ends before it is told, and tells it when it is back.
    StreamEnds,
}

/// A notebook that tells of its notes.
struct Notebook {
    mishap: Mishap,
    notes: Vec<String>,
    stream: Option<Exchange>,
    untold: Vec<String>,
    /// `Last-Event-ID` of each stream.
    resumed: Arc<Mutex<Vec<Option<String>>>>,
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn told(note: &str) -> String {
    format!("id: at-{note}\nevent: note\ndata: {{\"note\":\"note-{note}\"}}\n\n")
}

impl Notebook {
    async fn serve(mut self, mut origin: Origin) {
        loop {
            let exchange = origin.exchange().await;
            let path = exchange.head().target().to_owned();
            match path.split_once('?').map_or(path.as_str(), |(path, _)| path) {
                "/sign-in" => exchange.reply(ok("{\"access\":\"a\"}")).await,
                "/notes" => self.note(exchange).await,
                "/find" => {
                    let wanted = path.split_once("q=").map_or("", |(_, tag)| tag);
                    let found: Vec<_> = self.notes.iter().filter(|note| note.as_str() == wanted).cloned().collect();
                    exchange.reply(ok(&found.join(" "))).await;
                }
                "/events" => self.open(exchange).await,
                _ => exchange.reply(ok("hello")).await,
            }
        }
    }

    async fn open(&mut self, mut exchange: Exchange) {
        let last = exchange.head().field("last-event-id").map(str::to_owned);
        self.resumed.lock().expect("no panic").push(last);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        exchange.send(head).await;
        self.stream = Some(exchange);
        for note in std::mem::take(&mut self.untold) {
            self.tell(&told(&note)).await;
        }
    }

    async fn tell(&mut self, event: &str) {
        if let Some(stream) = &mut self.stream {
            stream.send(chunk(event)).await;
        }
    }

    async fn note(&mut self, mut exchange: Exchange) {
        let note = String::from_utf8(exchange.read_body().await.content.clone()).expect("a tag");
        let mishap = if self.notes.len() == ODD {
            std::mem::replace(&mut self.mishap, Mishap::Nothing)
        } else {
            Mishap::Nothing
        };
        if mishap != Mishap::Forgotten {
            self.notes.push(note.clone());
        }
        match mishap {
            Mishap::Nothing | Mishap::Forgotten if self.stream.is_some() => self.tell(&told(&note)).await,
            Mishap::Nothing | Mishap::Forgotten => self.untold.push(note.clone()),
            Mishap::Untold => {}
            Mishap::Resynced => self.tell("event: resync\ndata: {}\n\n").await,
            Mishap::Twice => {
                self.notes.push(note.clone());
                self.tell(&told(&note)).await;
            }
            Mishap::StreamEnds => {
                self.untold.push(note.clone());
                if let Some(mut stream) = self.stream.take() {
                    stream.send("0\r\n\r\n").await;
                    stream.keep();
                }
            }
        }
        exchange.reply(ok(&format!("{{\"id\":\"note-{note}\"}}"))).await;
    }
}

/// What a drill finds when this happens: its exit code, its report, and `Last-Event-ID` of each stream.
async fn with(mishap: Mishap) -> (Option<i32>, Value, Vec<Option<String>>) {
    let origin = Origin::start().await;
    let resumed = Arc::default();
    let notebook =
        Notebook { mishap, notes: Vec::new(), stream: None, untold: Vec::new(), resumed: Arc::clone(&resumed) };
    let edge = edge_with(&[origin.endpoint()], "").await;
    let serving = tokio::spawn(notebook.serve(origin));
    let folder = plan(edge.address("http"), &format!("{NOTES}{NOTHING}"));
    let (code, report, _) = drill(folder.path()).await;
    serving.abort();
    let resumed = resumed.lock().expect("no panic").clone();
    (code, report, resumed)
}

/// The sum over all phases.
fn sum(report: &Value, key: &str) -> u64 {
    report["faults"].as_array().expect("faults").iter().filter_map(|fault| fault[key].as_u64()).sum()
}

#[tokio::test]
async fn a_change_that_no_event_tells_of_is_a_gap() {
    let (code, report, _) = with(Mishap::Nothing).await;
    assert_eq!((code, sum(&report, "event_gaps"), sum(&report, "event_stream_ends")), (Some(0), 0, 0), "{report:#}");
    let (code, report, _) = with(Mishap::Untold).await;
    assert_eq!((code, sum(&report, "event_gaps"), sum(&report, "lost")), (Some(3), 1, 0), "{report:#}");
}

#[tokio::test]
async fn a_stream_that_has_everything_loaded_again_leaves_no_gap() {
    let (code, report, _) = with(Mishap::Resynced).await;
    assert_eq!((code, sum(&report, "event_gaps"), sum(&report, "event_resyncs")), (Some(0), 0, 1), "{report:#}");
}

#[tokio::test]
async fn a_stream_that_ends_comes_back_and_asks_for_what_it_has_missed() {
    let (code, report, resumed) = with(Mishap::StreamEnds).await;
    assert_eq!((code, sum(&report, "event_gaps"), sum(&report, "event_stream_ends")), (Some(0), 0, 1), "{report:#}");
    assert_eq!(resumed.len(), 2, "{resumed:?}");
    assert!(resumed[1].as_ref().is_some_and(|id| id.starts_with("at-")), "{resumed:?}");
}

#[tokio::test]
async fn what_was_answered_must_be_done_and_only_once() {
    let (code, report, _) = with(Mishap::Twice).await;
    assert_eq!((code, sum(&report, "duplicated"), sum(&report, "lost")), (Some(3), 1, 0), "{report:#}");
    let (code, report, _) = with(Mishap::Forgotten).await;
    assert_eq!((code, sum(&report, "duplicated"), sum(&report, "lost")), (Some(3), 0, 1), "{report:#}");
    assert!(report.to_string().contains("answered, but not done"));
}
