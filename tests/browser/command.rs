//! Chromium's own commands beside the WebDriver standard: its console, and where downloads go.

use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};

/// A POST below the session's own path.
#[derive(Debug)]
pub(super) struct ChromiumCommand {
    path: &'static str,
    body: Value,
}

impl ChromiumCommand {
    /// What the console has said since the last time; needs the capability `goog:loggingPrefs`.
    pub(super) fn console() -> Self {
        Self { path: "se/log", body: json!({ "type": "browser" }) }
    }

    /// Lets downloads land in `folder` without asking.
    pub(super) fn downloads_to(folder: &str) -> Self {
        Self {
            path: "goog/cdp/execute",
            body: json!({ "cmd": "Browser.setDownloadBehavior", "params": { "behavior": "allow", "downloadPath": folder } }),
        }
    }
}

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _request_url: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
