//! The generators: wrk for HTTP/1.1, h2load for HTTP/2 and for looking at an answer before it is timed.

use crate::error::Error;
use crate::process::pinned;
use crate::workload::Load;
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
    /// An `Authorization` value.
    pub(crate) authorization: Option<String>,
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
    /// Bytes of answers, heads and bodies, without TLS; `None` where the generator counts frames too.
    pub(crate) bytes: Option<u64>,
    /// Answers with a status other than 2xx, connections that broke.
    pub(crate) failed: u64,
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

impl Target {
    /// Asks `count` times, one after the other.
    pub(crate) fn look(&self, count: u64) -> Result<Look, Error> {
        let mut arguments = words(&["-c", "1", "-m", "1", "-n", &count.to_string()]);
        if let Load::Http1 { post, .. } = self.load {
            arguments.push("--h1".into());
            if post {
                arguments.extend([OsString::from("-d"), self.body.clone().into()]);
            }
        }
        let output = finish("h2load", self.spawn("h2load", arguments)?)?;
        parse_look(&output).ok_or(Error::Output { program: "h2load", output })
    }

    /// Asks for this long as fast as answers come.
    pub(crate) fn press(&self, duration: Duration) -> Result<Counted, Error> {
        let seconds = duration.as_secs().to_string();
        let (program, arguments, parse): (_, _, fn(&str) -> _) = match self.load {
            Load::Http1 { connections, .. } => {
                let mut arguments = words(&["-t", "1", "-c", &connections.to_string(), "-d", &seconds, "-s"]);
                arguments.push(self.script.clone().into());
                ("wrk", arguments, parse_wrk)
            }
            Load::Http2 { connections, streams } => {
                let (connections, streams) = (connections.to_string(), streams.to_string());
                ("h2load", words(&["-t", "1", "-c", &connections, "-m", &streams, "-D", &seconds]), parse_h2load)
            }
        };
        let output = finish(program, self.spawn(program, arguments)?)?;
        parse(&output).ok_or(Error::Output { program, output })
    }

    fn spawn(&self, program: &'static str, mut arguments: Vec<OsString>) -> Result<Child, Error> {
        if let Some(authorization) = &self.authorization {
            arguments.extend([OsString::from("-H"), format!("Authorization: {authorization}").into()]);
        }
        arguments.push(self.url.as_str().into());
        if program == "wrk" && matches!(self.load, Load::Http1 { post: true, .. }) {
            // What stands behind the address goes to the script.
            arguments.extend([OsString::from("--"), self.body.clone().into()]);
        }
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        pinned(self.core, program.as_ref(), &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Program { program: program.to_owned(), source })
    }
}

fn words(arguments: &[&str]) -> Vec<OsString> {
    arguments.iter().map(OsString::from).collect()
}

fn finish(program: &'static str, child: Child) -> Result<String, Error> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(Error::Output { program, output: text + &String::from_utf8_lossy(&output.stderr) })
}

/// The line that the script has wrk write: answers, bytes, failures.
fn parse_wrk(output: &str) -> Option<Counted> {
    let mut numbers = output.lines().find_map(|line| line.strip_prefix("counted "))?.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Counted { answers: next()?, bytes: Some(next()?), failed: next()? })
}

/// `requests: 8 total, 8 started, 8 done, 8 succeeded, 0 failed, 0 errored, 0 timeout`
fn parse_h2load(output: &str) -> Option<Counted> {
    let line = output.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |what: &str| line.split(", ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok());
    // Failures include errors and timeouts, and answers that are not 2xx or 3xx.
    Some(Counted { answers: count("succeeded")?, bytes: None, failed: count("failed")? })
}

/// `status codes: 4 2xx, ...` and `traffic: 4.94KB (5056) total, 756B (756) headers (...), 4.00KB (4096) data`
fn parse_look(output: &str) -> Option<Look> {
    let good = output.lines().find_map(|line| line.strip_prefix("status codes: ")?.split_once(" 2xx"))?.0;
    let traffic = output.lines().find_map(|line| line.strip_prefix("traffic: "))?;
    let bytes = |what: &str| -> Option<u64> {
        let (before, _) = traffic.split_once(what)?;
        before.rsplit_once('(')?.1.parse().ok()
    };
    Some(Look { good: good.parse().ok()?, body_bytes: bytes(") data")?, bytes: bytes(") total")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const H2LOAD: &str = "\
finished in 16.84ms, 237.57 req/s, 293.25KB/s
requests: 10 total, 10 started, 9 done, 8 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 4.94KB (5056) total, 756B (756) headers (space savings 0.00%), 4.00KB (4096) data
";

    #[test]
    fn what_the_generators_say_is_understood() {
        assert_eq!(parse_look(H2LOAD), Some(Look { good: 4, body_bytes: 4096, bytes: 5056 }));
        assert_eq!(parse_h2load(H2LOAD), Some(Counted { answers: 8, bytes: None, failed: 1 }));
        let wrk = "Running 1s test @ http://127.0.0.1/\nTransfer/sec: 48.77MB\ncounted 40474 51158936 3\n";
        assert_eq!(parse_wrk(wrk), Some(Counted { answers: 40474, bytes: Some(51_158_936), failed: 3 }));
        assert_eq!(parse_wrk("unable to connect"), None);
        assert_eq!(parse_h2load(""), None);
    }
}
