//! What every story begins and ends with: an account, signing in, signing out.

use std::time::{SystemTime, UNIX_EPOCH};

use super::window::{Screen, Window};

/// Good for a test only.
const PASSWORD: &str = "correct horse battery";

/// Someone with an account and a window.
pub(super) struct Person {
    pub(super) window: Window,
    pub(super) username: String,
    base_url: String,
}

impl Person {
    /// Makes an account at the gate; a new account is signed in at once.
    pub(super) async fn registers(driver_url: &str, base_url: &str, name: &'static str, screen: Screen) -> Self {
        let window = Window::open(driver_url, name, screen).await;
        let person = Self { window, username: unique(name), base_url: base_url.to_owned() };
        person.window.goto(&format!("{base_url}/")).await;
        person.window.sees("gate").await;
        person.window.fits_the_screen("the gate").await;
        person.window.screenshot("gate").await;
        person.window.click("tab-register").await;
        person.enters().await;
        person
    }

    /// Signs in again with the account.
    pub(super) async fn signs_in(&self) {
        self.window.click("tab-sign-in").await;
        self.enters().await;
    }

    async fn enters(&self) {
        self.window.fill("username", &self.username).await;
        self.window.fill("password", PASSWORD).await;
        self.window.click("enter").await;
        self.window.reads("who", &self.username).await;
        self.is_live().await;
    }

    /// Waits until the stream of changes is open and the gate is out of the way: before that nothing arrives live.
    pub(super) async fn is_live(&self) {
        self.window
            .until(
                "the live stream",
                "document.getElementById('live').dataset.state === 'open' && document.getElementById('gate').hidden",
            )
            .await;
    }

    /// Signs out, and checks that neither the tab nor a reload remembers anything.
    pub(super) async fn signs_out(&self) {
        self.window.click("sign-out").await;
        self.window.sees("gate").await;
        self.window.until("no token in storage", "sessionStorage.length === 0").await;
        self.window.reload().await;
        self.window.sees("gate").await;
        self.window.until("no notebook behind the gate", "document.getElementById('notebook').hidden").await;
    }

    /// Creates a note and saves it.
    pub(super) async fn writes(&self, title: &str, text: &str) {
        self.window.click("new-note").await;
        self.window.fill("title", title).await;
        self.window.fill("text", text).await;
        self.saves().await;
        self.window.until("the note's own address", "/^#\\/notes\\/.+/.test(location.hash)").await;
    }

    /// Presses the button and waits until the server has it.
    pub(super) async fn saves(&self) {
        self.window.click("save").await;
        self.window.reads("note-state", "Saved").await;
    }

    /// Saves without leaving the keyboard.
    pub(super) async fn saves_by_keyboard(&self, from: &str) {
        // Control down, S, all keys up (WebDriver section 17.4.2).
        self.window.press(from, "\u{e009}s\u{e000}").await;
        self.window.reads("note-state", "Saved").await;
    }

    /// Opens the API's page, which needs no account.
    pub(super) async fn reads_the_api_page(&self) {
        self.window.goto(&format!("{}/docs.html", self.base_url)).await;
        self.window.reads("endpoint", "/api/notes").await;
        self.window.fits_the_screen("the API's page").await;
        self.window.screenshot("docs").await;
    }
}

/// A name that no earlier run has taken: the stack may outlive the test.
fn unique(name: &str) -> String {
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_micros()).unwrap_or_default();
    format!("{name}-{moment:x}")
}
