//! Two people at two desks: what one does, the other sees without touching anything.

use std::path::Path;
use std::time::Duration;

use super::person::Person;
use super::window::Screen;

/// Larger than one read buffer anywhere on the way, and no multiple of one.
const FILE_BYTES: usize = 700_001;
const FILE_NAME: &str = "measured – Größe 1.bin";

/// Sign in, create, share, follow live, settle a conflict, upload, download, sign out.
pub(super) async fn two_people_share_a_note(driver_url: &str, base_url: &str) {
    let ada = Person::registers(driver_url, base_url, "ada", Screen::Desktop).await;
    ada.signs_out().await;
    ada.signs_in().await;
    let ben = Person::registers(driver_url, base_url, "ben", Screen::Desktop).await;

    ada.writes("Gate log", "The bars are **down**.\n\n<script>alert(1)</script>").await;
    shares_with(&ada, &ben).await;
    ben.window.reads("note-row", "Gate log").await;
    ben.window.click("note-row").await;
    ben.window
        .until("rendered Markdown", "document.querySelector('[data-testid=reading] strong').textContent === 'down'")
        .await;
    ben.window.until("no script from a note", "!document.querySelector('[data-testid=note] script')").await;

    a_change_arrives(&ada, &ben).await;
    a_reload_keeps_the_session(&ben).await;
    a_conflict_is_settled(&ada, &ben).await;
    bytes_arrive_whole(&ada, &ben).await;
    sessions_are_seen_and_ended(&ada).await;

    for person in [ada, ben] {
        person.window.screenshot("note").await;
        person.signs_out().await;
        person.reads_the_api_page().await;
        person.window.has_a_quiet_console().await;
        person.window.close().await;
    }
}

/// One's own session is listed as such, and signing out everywhere ends it.
async fn sessions_are_seen_and_ended(person: &Person) {
    person.window.click("to-sessions").await;
    person.window.reads("session-row", "This one").await;
    person.window.click("everywhere").await;
    person.window.click("confirm-everywhere").await;
    person.window.until("the gate is back", "!document.getElementById('gate').hidden").await;
    person.signs_in().await;
    person.is_live().await;
}

async fn shares_with(owner: &Person, other: &Person) {
    owner.window.click("share").await;
    owner.window.fill("share-user", &other.username).await;
    owner.window.press("share-role", "Editor").await;
    owner.window.click("share-add").await;
    owner.window.reads("share-list", &other.username).await;
    owner.window.screenshot("share").await;
    owner.window.click("share-close").await;
    owner.window.reads("people", "editor").await;
}

/// The second window has the note open and must follow it.
async fn a_change_arrives(writer: &Person, reader: &Person) {
    writer.window.click("tab-write").await;
    writer.window.fill("text", "The bars are **up** again.").await;
    writer.saves_by_keyboard("text").await;
    reader.window.reads("reading", "up again").await;
    reader.window.reads("notice", &writer.username).await;
}

async fn a_reload_keeps_the_session(person: &Person) {
    person.window.press("reading", "/").await;
    person.window.until("the search has the focus", "document.activeElement.id === 'search'").await;
    person.window.reload().await;
    person.is_live().await;
    person.window.reads("reading", "up again").await;
}

/// Both write; the slower one is told before he saves and keeps his version.
async fn a_conflict_is_settled(fast: &Person, slow: &Person) {
    slow.window.click("tab-write").await;
    slow.window.fill("text", "Half a sentence that nobody may").await;
    fast.window.fill("text", "Written meanwhile.").await;
    fast.saves().await;
    slow.window.reads("banner", &fast.username).await;
    slow.window.until("untouched writing", "document.getElementById('text').value.startsWith('Half a sentence')").await;
    slow.window.press("text", " overwrite.").await;
    slow.window.click("banner-action").await;
    slow.window.reads("conflict-theirs", "Written meanwhile.").await;
    slow.window.screenshot("conflict").await;
    slow.window.click("conflict-keep-mine").await;
    slow.window.reads("note-state", "Saved").await;
    fast.window
        .until(
            "the kept version",
            "document.getElementById('text').value === 'Half a sentence that nobody may overwrite.'",
        )
        .await;
}

/// One uploads, the other downloads; not a byte differs.
async fn bytes_arrive_whole(sender: &Person, receiver: &Person) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outbox, inbox) = (folder.path().join("outbox"), folder.path().join("inbox"));
    for side in [&outbox, &inbox] {
        std::fs::create_dir(side).expect("a folder");
    }
    let bytes = patterned(FILE_BYTES);
    let file = outbox.join(FILE_NAME);
    std::fs::write(&file, &bytes).expect("the file to send");

    sender.window.choose_file("file", &file).await;
    sender.window.reads("file-row", FILE_NAME).await;
    receiver.window.reads("file-row", FILE_NAME).await;
    receiver.window.downloads_to(&inbox).await;
    receiver.window.click("download").await;
    let received = arrival(&inbox.join(FILE_NAME)).await;
    assert!(received == bytes, "{} of {} bytes arrived, or they differ", received.len(), bytes.len());
}

/// Waits for a finished download: until then the browser keeps it under another name.
async fn arrival(path: &Path) -> Vec<u8> {
    let arrived = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !path.is_file() {
            look.tick().await;
        }
    };
    let folder = path.parent().map(|folder| std::fs::read_dir(folder).map(Iterator::count));
    let outcome = tokio::time::timeout(Duration::from_secs(30), arrived).await;
    assert!(
        outcome.is_ok(),
        "the download didn't arrive at {}; entries beside it at the start: {folder:?}",
        path.display()
    );
    std::fs::read(path).expect("the downloaded file")
}

/// Bytes without a short period, so that a lost or repeated block shows.
fn patterned(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(count)
    .collect()
}
