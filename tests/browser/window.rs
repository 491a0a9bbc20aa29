//! One browser window with a profile of its own, and what a hand or an eye does with it.
//!
//! Waiting is done inside the page: a condition is looked at again and again until it holds or [`PATIENCE`] is over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, TimeoutConfiguration};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::command::ChromiumCommand;

/// How long anything on the page may take. Generous: a debug build on a busy machine hashes passwords here.
const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of screen the window is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Screen {
    /// 1280 by 800 with a mouse.
    Desktop,
    /// 390 by 844 with touch, as a phone of today reports itself.
    Phone,
}

/// A window of a browser that shares nothing with other windows.
pub(super) struct Window {
    client: Client,
    name: &'static str,
}

impl Window {
    /// Opens a window; `name` marks its screenshots and its failures.
    ///
    /// # Panics
    ///
    /// When the browser doesn't start. So do all methods when the page doesn't do what they say.
    pub(super) async fn open(driver_url: &str, name: &'static str, screen: Screen) -> Self {
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(screen))
            .connect(driver_url)
            .await
            .expect("a browser session");
        let timeouts = TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None);
        client.update_timeouts(timeouts).await.expect("timeouts are set");
        Self { client, name }
    }

    pub(super) async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Loads the same address again, as F5 does.
    pub(super) async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
    }

    /// Waits until the JavaScript expression `condition` is true; one that throws isn't yet.
    pub(super) async fn until(&self, what: &str, condition: &str) {
        // No eval in the page: its content policy forbids that, and rightly. The condition is part of the script.
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const look = () => {{
               let holds = false;
               try {{ holds = Boolean({condition}); }} catch {{ /* not there yet */ }}
               if (holds) done(true); else setTimeout(look, 20);
             }};
             look();"
        );
        let outcome = self.client.execute_async(&script, Vec::new()).await;
        let report = match &outcome {
            Ok(_) => String::new(),
            Err(error) => self.report(error).await,
        };
        assert!(outcome.is_ok(), "{}: waited {PATIENCE:?} for {what}: {report}", self.name);
    }

    /// Runs the body of an async function in the page and gives what it returns; for the site's modules on their own.
    pub(super) async fn evaluate(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {body} }})().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let answer = self.client.execute_async(&script, Vec::new()).await.expect("a script runs");
        assert!(answer.get("error").is_none(), "{}: {}", self.name, answer["error"]);
        answer["value"].clone()
    }

    /// What a failed wait leaves for the reader: a picture, and what the console said.
    async fn report(&self, error: &CmdError) -> String {
        let shot = self.screenshot("failed").await;
        let console = self.console().await;
        format!("{error}\nscreenshot: {}\nconsole: {console:#?}", shot.display())
    }

    /// Waits until the element with this `data-testid` can be seen.
    pub(super) async fn sees(&self, testid: &str) {
        self.until(testid, &format!("document.querySelector('{}').checkVisibility()", css(testid))).await;
    }

    /// Waits until a visible element with this `data-testid` holds `text`.
    pub(super) async fn reads(&self, testid: &str, text: &str) {
        let condition = format!(
            "[...document.querySelectorAll('{}')].some((e) => e.checkVisibility() && e.textContent.includes({}))",
            css(testid),
            json!(text)
        );
        self.until(&format!("“{text}” in {testid}"), &condition).await;
    }

    pub(super) async fn click(&self, testid: &str) {
        self.find(testid).await.click().await.expect("a click");
    }

    /// Replaces a field's text with `text`, key by key as a person would.
    pub(super) async fn fill(&self, testid: &str, text: &str) {
        let field = self.find(testid).await;
        field.clear().await.expect("the field can be emptied");
        field.send_keys(text).await.expect("keys reach the field");
    }

    /// Presses keys in an element without emptying it first.
    pub(super) async fn press(&self, testid: &str, keys: &str) {
        self.find(testid).await.send_keys(keys).await.expect("keys reach the element");
    }

    /// Chooses files in a file field.
    pub(super) async fn choose_file(&self, testid: &str, path: &Path) {
        let path = path.to_str().expect("the path is text");
        // The field lies invisible below its label; a person clicks the label, WebDriver needs the field.
        let field = self.client.find(Locator::Css(&css(testid))).await.expect("the file field");
        field.send_keys(path).await.expect("a file can be chosen");
    }

    pub(super) async fn downloads_to(&self, folder: &Path) {
        let folder = folder.to_str().expect("the path is text");
        self.client.issue_cmd(ChromiumCommand::downloads_to(folder)).await.expect("downloads are allowed");
    }

    /// Fails if the page, or one of its panes, is wider than the screen.
    pub(super) async fn fits_the_screen(&self, place: &str) {
        let wide = self
            .client
            .execute(
                "return [...document.querySelectorAll('html, #main-pane, #notes, dialog[open]')]
                   .filter((e) => e.scrollWidth > e.clientWidth + 1 || e.scrollWidth > innerWidth)
                   .map((e) => `${e.localName}#${e.id} ${e.scrollWidth} of ${e.clientWidth}`);",
                Vec::new(),
            )
            .await
            .expect("a script runs");
        assert_eq!(wide, json!([]), "{}: sideways scrolling at {place}", self.name);
    }

    /// Fails if the console has said anything that is not mere information.
    pub(super) async fn has_a_quiet_console(&self) {
        let console = self.console().await;
        let complaints: Vec<&Value> =
            console.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING").collect();
        assert!(complaints.is_empty(), "{}: the console complains: {complaints:#?}", self.name);
    }

    async fn console(&self) -> Vec<Value> {
        let entries = self.client.issue_cmd(ChromiumCommand::console()).await.expect("the console can be read");
        entries.as_array().cloned().unwrap_or_default()
    }

    /// Writes a picture into the ignored folder and gives its path.
    pub(super) async fn screenshot(&self, label: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/screenshots");
        let path = folder.join(format!("{}-{label}.png", self.name));
        // What is still moving is shown where it will come to rest.
        let settle = "for (const animation of document.getAnimations()) animation.finish();";
        self.client.execute(settle, Vec::new()).await.expect("a script runs");
        let picture = self.client.screenshot().await.expect("a screenshot");
        std::fs::create_dir_all(&folder).expect("the folder for screenshots");
        std::fs::write(&path, picture).expect("the screenshot is written");
        path
    }

    pub(super) async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }

    async fn find(&self, testid: &str) -> Element {
        self.sees(testid).await;
        self.client.find(Locator::Css(&css(testid))).await.expect("an element that was just seen")
    }
}

fn css(testid: &str) -> String {
    format!("[data-testid=\"{testid}\"]")
}

fn capabilities(screen: Screen) -> Capabilities {
    let mut arguments = vec!["--headless=new", "--disable-gpu", "--ignore-certificate-errors"];
    if is_root() {
        // Chromium refuses to run its sandbox as root, which is what a container's user usually is.
        arguments.push("--no-sandbox");
        arguments.push("--disable-dev-shm-usage");
    }
    // Metrics, not a window size: that would count the frame of the window in, and has a minimum wider than a phone.
    let metrics = match screen {
        Screen::Desktop => json!({ "width": 1280, "height": 800, "pixelRatio": 1.0, "mobile": false, "touch": false }),
        Screen::Phone => json!({ "width": 390, "height": 844, "pixelRatio": 2.0, "mobile": true, "touch": true }),
    };
    let options = json!({ "args": arguments, "mobileEmulation": { "deviceMetrics": metrics } });
    Capabilities::from_iter([
        ("goog:chromeOptions".to_owned(), options),
        ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
    ])
}

/// Whose process this is, as the kernel tells without a call that needs unsafe code or a crate.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
