//! The same notebook on a screen 390 pixels wide: one pane at a time, nothing to scroll sideways.

use super::person::Person;
use super::window::Screen;

/// Longer than the screen is wide: it must wrap or be cut, not push.
const LONG_WORD: &str = "Grillengitterstabbefestigungsschraubenmutternverzeichnisnachtragsband";

/// Register, write, go back, search, change the theme, share, sign out.
pub(super) async fn one_hand_is_enough(driver_url: &str, base_url: &str) {
    let cleo = Person::registers(driver_url, base_url, "cleo", Screen::Phone).await;
    let window = &cleo.window;

    cleo.writes(
        LONG_WORD,
        &format!("# {LONG_WORD}\n\n`{LONG_WORD}{LONG_WORD}`\n\n| a | b |\n|---|---|\n| {LONG_WORD} | x |"),
    )
    .await;
    window.fits_the_screen("the text field").await;
    window.click("tab-read").await;
    window.until("a rendered heading", "document.querySelector('[data-testid=reading] h1')").await;
    window.fits_the_screen("the open note").await;
    window.screenshot("note").await;

    window.click("share").await;
    window.sees("share-user").await;
    window.fits_the_screen("the share dialog").await;
    window.screenshot("share").await;
    // Escape, as a keyboard at the phone has it: the dialog closes and the focus goes back to its button.
    window.press("share-user", "\u{e00c}").await;
    window.until("focus back on the button", "document.activeElement.id === 'share'").await;

    window.click("back").await;
    window.reads("note-row", LONG_WORD).await;
    window.fits_the_screen("the list").await;
    window.fill("search", "no such words anywhere").await;
    window.sees("list-empty").await;
    window.fill("search", "Grillen").await;
    window.reads("note-row", LONG_WORD).await;

    window.click("theme-toggle-notebook").await;
    window.until("a chosen theme", "document.documentElement.dataset.theme === localStorage.getItem('theme')").await;
    window.screenshot("list").await;

    cleo.signs_out().await;
    cleo.reads_the_api_page().await;
    cleo.window.has_a_quiet_console().await;
    cleo.window.close().await;
}
