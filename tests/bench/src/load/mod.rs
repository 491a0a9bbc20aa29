//! The generators: wrk for HTTP/1.1, h2load for HTTP/2 and for looking at an answer before it is timed, our own for
//! connections that resume sessions, keep a schedule or only stay.

mod output;

use crate::error::Error;
use crate::process::pinned;
use crate::twins::Coding;
use crate::workload::{Load, TlsVersion};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

/// One target, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The shape of the load.
    pub(crate) load: Load,
    /// Where.
    pub(crate) url: String,
    /// Bytes of a right answer's body.
    pub(crate) answer_bytes: u64,
    /// An `Authorization` value.
    pub(crate) authorization: Option<String>,
    /// The only coding that is accepted.
    pub(crate) coding: Option<Coding>,
    /// Tokens to send in turn instead, one a line; and the file that says which is next.
    pub(crate) tokens: Option<(PathBuf, PathBuf)>,
    /// What a POST sends.
    pub(crate) body: PathBuf,
    /// Makes wrk say what it counted.
    pub(crate) script: PathBuf,
    /// The core of the generator.
    pub(crate) core: usize,
}

/// What a generator got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counted {
    /// Answers that came whole.
    pub(crate) answers: u64,
    /// What came of answers, whole or not: with HTTP/1.1 heads and bodies, with HTTP/2 bodies. `None` where only whole
    /// ones count.
    pub(crate) bytes: Option<u64>,
    /// Answers with a status other than 2xx, connections that broke.
    pub(crate) failed: u64,
    /// Where handshakes are what is measured.
    pub(crate) handshakes: Option<Handshakes>,
}

/// How connections began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Handshakes {
    pub(crate) full: u64,
    pub(crate) resumed: u64,
}

/// A look at some answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// How many had a 2xx status.
    pub(crate) good: u64,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
    /// Bytes of heads and bodies.
    pub(crate) bytes: u64,
}

/// Requests on a schedule. Latency counts from when a request was due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paced {
    pub(crate) answers: u64,
    pub(crate) failed: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// How late the generator itself was, its 99th percentile.
    pub(crate) late99_us: u64,
}

impl Target {
    /// Asks `count` times, one after the other.
    pub(crate) fn look(&self, count: u64) -> Result<Look, Error> {
        let count = count.to_string();
        match self.load {
            Load::Connections { .. } => {
                let arguments = self.own("connections", &["--count", &count]);
                run("load", self.own_child(arguments)?, output::connections_look)
            }
            Load::Handshakes { .. } => {
                let arguments = self.handshakes(&["--count", &count]);
                run("load", self.own_child(arguments)?, output::connections_look)
            }
            Load::Http1 { post, .. } => {
                let mut arguments = words(&["-c", "1", "-m", "1", "-n", &count, "--h1"]);
                if post {
                    arguments.extend(["-d".into(), self.body.clone().into()]);
                }
                run("h2load", self.spawn("h2load", arguments)?, output::h2load_look)
            }
            Load::Http2 { .. } => {
                let arguments = words(&["-c", "1", "-m", "1", "-n", &count]);
                run("h2load", self.spawn("h2load", arguments)?, output::h2load_look)
            }
        }
    }

    /// Asks for this long as fast as answers come.
    pub(crate) fn press(&self, duration: Duration) -> Result<Counted, Error> {
        let seconds = duration.as_secs().to_string();
        match self.load {
            Load::Http1 { connections, .. } => self.wrk(connections, &seconds, &[]),
            Load::Connections { at_once } => self.wrk(at_once, &seconds, &["-H", "Connection: close"]),
            Load::Http2 { connections, streams } => {
                let (connections, streams) = (connections.to_string(), streams.to_string());
                let arguments = words(&["-t", "1", "-c", &connections, "-m", &streams, "-D", &seconds]);
                run("h2load", self.spawn("h2load", arguments)?, output::h2load)
            }
            Load::Handshakes { at_once, .. } => {
                let arguments = self.handshakes(&["--at-once", &at_once.to_string(), "--seconds", &seconds]);
                run("load", self.own_child(arguments)?, output::connections)
            }
        }
    }

    /// Asks for this long at a rate, per second.
    pub(crate) fn pace(&self, duration: Duration, rate: f64) -> Result<Paced, Error> {
        let (seconds, rate) = (duration.as_secs().to_string(), format!("{rate:.0}"));
        let arguments = self.own("paced", &["--seconds", &seconds, "--rate", &rate]);
        run("load", self.own_child(arguments)?, output::paced)
    }

    /// Opens connections that stay as long as the child's standard input is open.
    pub(crate) fn stay(&self, connections: usize) -> Result<Child, Error> {
        self.own_child(self.own("idle", &["--connections", &connections.to_string()]))
    }

    fn wrk(&self, connections: u32, seconds: &str, more: &[&str]) -> Result<Counted, Error> {
        let mut arguments = words(&["-t", "1", "-c", &connections.to_string(), "-d", seconds]);
        arguments.extend(words(more));
        arguments.extend(["-s".into(), self.script.clone().into()]);
        run("wrk", self.spawn("wrk", arguments)?, output::wrk)
    }

    fn handshakes(&self, more: &[&str]) -> Vec<OsString> {
        let mut arguments = self.own("connections", more);
        if let Load::Handshakes { version, resume, .. } = self.load {
            let version = match version {
                TlsVersion::Tls12 => "1.2",
                TlsVersion::Tls13 => "1.3",
            };
            arguments.extend(words(&["--tls", version]));
            arguments.extend(resume.then(|| "--resume".into()));
        }
        arguments
    }

    fn own(&self, what: &str, more: &[&str]) -> Vec<OsString> {
        let mut arguments = words(&[what, &self.url, "--answer-bytes", &self.answer_bytes.to_string()]);
        arguments.extend(words(more));
        arguments
    }

    fn own_child(&self, arguments: Vec<OsString>) -> Result<Child, Error> {
        let program = std::env::current_exe()?.with_file_name("portcullis-bench-load");
        // It speaks up when something fails only.
        self.child(program.as_os_str(), &arguments, Stdio::inherit())
    }

    fn spawn(&self, program: &'static str, mut arguments: Vec<OsString>) -> Result<Child, Error> {
        if let Some(authorization) = &self.authorization {
            arguments.extend(["-H".into(), format!("Authorization: {authorization}").into()]);
        }
        if let Some(coding) = self.coding {
            arguments.extend(["-H".into(), format!("Accept-Encoding: {}", coding.token()).into()]);
        }
        arguments.push(self.url.as_str().into());
        if program == "wrk" {
            // What stands behind the address goes to the script.
            if let Some((tokens, place)) = &self.tokens {
                arguments.extend(["--".into(), "tokens".into(), tokens.into(), place.into()]);
            } else if matches!(self.load, Load::Http1 { post: true, .. }) {
                arguments.extend(["--".into(), "post".into(), self.body.clone().into()]);
            }
        }
        self.child(program.as_ref(), &arguments, Stdio::piped())
    }

    fn child(&self, program: &OsStr, arguments: &[OsString], errors: Stdio) -> Result<Child, Error> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        pinned(self.core, program, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|source| Error::Program { program: program.to_string_lossy().into_owned(), source })
    }
}

fn words(arguments: &[&str]) -> Vec<OsString> {
    arguments.iter().map(OsString::from).collect()
}

fn run<T>(program: &'static str, child: Child, parse: fn(&str) -> Option<T>) -> Result<T, Error> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(Error::Output { program, output: text + &String::from_utf8_lossy(&output.stderr) });
    }
    parse(&text).ok_or(Error::Output { program, output: text })
}
