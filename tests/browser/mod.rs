//! The site in a real Chromium against the real stack, as two people and a phone use it.
//!
//! Everything goes through the page: accounts are made at the gate, bytes go in by the file field and come out as a
//! download. Where Chromium is missing [`run`] says SKIPPED, unless `PORTCULLIS_REQUIRE_BROWSER=1` makes that a failure.

mod chromedriver;
mod command;
mod desktop;
mod modules;
mod person;
mod phone;
mod window;

use chromedriver::Chromedriver;

/// Set to `1` where a missing browser must fail the test, as in continuous integration.
const REQUIRE: &str = "PORTCULLIS_REQUIRE_BROWSER";

/// Plays every story against the site at `base_url` (no final slash), for example `https://localhost:8443`.
///
/// # Panics
///
/// When the site doesn't do what the story says; the window that waited in vain has then left a screenshot in
/// `tests/browser/screenshots/`. Also when Chromium is missing and the environment requires it.
#[expect(clippy::print_stdout, reason = "a skipped test must say so where its reader looks")]
pub(crate) async fn run(base_url: &str) {
    let Some(driver) = Chromedriver::start().await else {
        let required = std::env::var(REQUIRE).is_ok_and(|value| value == "1");
        assert!(!required, "{REQUIRE}=1, but chromedriver and chromium are not both installed");
        println!("SKIPPED: the browser test needs chromedriver and chromium");
        return;
    };
    // A task of its own, so that a failed story still ends the browsers it has opened.
    let (url, base_url) = (driver.url().to_owned(), base_url.to_owned());
    let stories = tokio::spawn(async move {
        desktop::two_people_share_a_note(&url, &base_url).await;
        phone::one_hand_is_enough(&url, &base_url).await;
        modules::hold_alone(&url, &base_url).await;
    });
    let outcome = stories.await;
    driver.stop().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}
