//! Chromedriver as a child process on a port that it chooses itself.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long the process may take to start, and to close its browsers at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where Debian and others put the browser that chromedriver drives.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A running chromedriver. [`Chromedriver::stop`] ends it with all its browsers; dropping it kills this one process.
pub(super) struct Chromedriver {
    child: Child,
    url: String,
    port: u16,
}

impl Chromedriver {
    /// Starts it, or gives `None` where it or a browser is not installed.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't come up.
    pub(super) async fn start() -> Option<Self> {
        if !BROWSERS.iter().any(|browser| installed(browser)) || !installed("chromedriver") {
            return None;
        }
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let port = timeout(PATIENCE, announced_port(stdout)).await;
        let port = port.ok().flatten().expect("chromedriver names its port in time");
        Some(Self { child, url: format!("http://127.0.0.1:{port}"), port })
    }

    /// Where sessions are opened.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Closes every browser it has opened, then ends. Killing it first would leave the browsers behind as orphans.
    pub(super) async fn stop(mut self) {
        let asked = timeout(PATIENCE, self.ask_to_end()).await;
        if !matches!(asked, Ok(Ok(_))) {
            self.child.kill().await.expect("chromedriver can be killed");
        }
    }

    async fn ask_to_end(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).await?;
        self.child.wait().await
    }
}

/// Reads the line "ChromeDriver was started successfully on port N." and goes on draining the pipe behind it.
async fn announced_port(stdout: tokio::process::ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.expect("chromedriver's output is text") {
        let Some((_, rest)) = line.split_once("successfully on port ") else { continue };
        let port = rest.trim_end_matches('.').parse().expect("a port number");
        // A full pipe would stop chromedriver in the middle of a story.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        return Some(port);
    }
    None
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
