//! The lines that a server writes about requests, kept for the test.

use crate::deadline::within;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A sink for log lines; its clones are the same sink.
#[derive(Clone, Default)]
pub struct Log {
    text: Arc<Mutex<String>>,
    written: Arc<Notify>,
}

impl Log {
    /// Everything up to now.
    #[must_use]
    pub fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the line that holds `part` and reads it as JSON.
    ///
    /// # Panics
    ///
    /// When it does not come in time or is no JSON.
    pub async fn line_with(&self, part: &str) -> Value {
        serde_json::from_str(&self.text_with(part).await).expect("a line of JSON")
    }

    /// Waits for the line that holds `part`, whatever its format.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    pub async fn text_with(&self, part: &str) -> String {
        let found = async {
            loop {
                let written = self.written.notified();
                // Only whole lines count.
                let text = self.text();
                let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
                if let Some(line) = lines.lines().find(|line| line.contains(part)) {
                    return line.to_owned();
                }
                written.await;
            }
        };
        within(format!("a log line with {part:?}"), found).await
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(bytes));
        // One test waits; a permit is kept for it when it looks elsewhere just now.
        self.written.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
