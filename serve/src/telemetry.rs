//! What a server says: events by `tracing`, and request lines through a writer of their own.
//!
//! A request line must never slow a request down: lines are gathered per worker, handed over in blocks to one writing
//! thread through a bounded queue, and dropped, and counted, when that thread can't keep up.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Notify;
use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The `h2` crate warns about odd frames, so that a client could fill the log. A filter that names it gets what it asks.
const QUIET: &str = "h2=error";

/// Sends events of this process to standard error. A second call changes nothing (tests start many servers).
///
/// # Errors
/// When `filter` is no tracing filter, with the reason.
pub fn init(format: Format, filter: &str) -> Result<(), String> {
    let mut events = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    if !filter.split(',').any(|directive| directive.trim_start().starts_with("h2")) {
        events = events.add_directive(QUIET.parse().map_err(|error| format!("{QUIET}: {error}"))?);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(events).with_writer(io::stderr).with_target(false);
    let _ = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => {
            let people_read_it = io::IsTerminal::is_terminal(&io::stderr());
            builder.with_ansi(people_read_it).try_init()
        }
    };
    Ok(())
}

/// Whether a text is a tracing filter.
///
/// # Errors
/// The reason why not.
pub fn check_filter(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
}

/// Blocks wait here for the writing thread, at most.
const BLOCKS_MAX: usize = 64;
/// A worker hands its lines over when it has this many bytes: to wake the thread on a busy core costs as much as half a
/// small request, so it is done once for some hundred of them ...
const BLOCK_BYTES: usize = 64 * 1024;
/// ... or after this time.
const BLOCK_DELAY: Duration = Duration::from_millis(100);

/// The writing thread of request lines. Dropping it writes what is queued.
#[derive(Debug)]
pub struct RequestLog {
    blocks: Option<SyncSender<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl RequestLog {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (blocks, queue) = sync_channel(BLOCKS_MAX);
        let thread = std::thread::Builder::new().name("request-log".into()).spawn(move || write_all(output, &queue))?;
        Ok(Self { blocks: Some(blocks), dropped: Arc::default(), thread: Some(thread) })
    }

    /// What a worker needs to write; [`RequestLines::new`] makes its end of it.
    #[must_use]
    pub fn sender(&self) -> Option<LineSender> {
        let blocks = self.blocks.clone()?;
        Some(LineSender { blocks, dropped: Arc::clone(&self.dropped) })
    }

    /// Counts what was dropped, also after the log has ended.
    #[must_use]
    pub fn drops(&self) -> Drops {
        Drops(Arc::clone(&self.dropped))
    }
}

/// What a request log could not write.
#[derive(Debug, Clone)]
pub struct Drops(Arc<AtomicU64>);

impl Drops {
    /// Blocks of lines that were dropped because the output was too slow.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        drop(self.blocks.take());
        if let Some(thread) = self.thread.take() {
            // The workers have ended, so their senders are gone and the thread ends after the last block.
            let _ = thread.join();
        }
    }
}

fn write_all(mut output: impl Write, queue: &Receiver<Vec<u8>>) {
    while let Ok(block) = queue.recv() {
        // A full disk or a closed pipe must not stop the server; the next block tries again.
        let _ = output.write_all(&block).and_then(|()| output.flush());
    }
}

/// Hands blocks to the writing thread; may be sent to a worker's thread.
#[derive(Debug, Clone)]
pub struct LineSender {
    blocks: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// A worker's end of the request log.
#[derive(Debug)]
pub struct RequestLines {
    sender: LineSender,
    gathered: RefCell<Vec<u8>>,
    first: Notify,
}

impl RequestLines {
    /// Must be called on the worker's local runtime: a task hands over what stays below a block.
    #[must_use]
    pub fn new(sender: LineSender) -> Rc<Self> {
        let lines = Rc::new(Self { sender, gathered: RefCell::default(), first: Notify::new() });
        let handing_over = Rc::clone(&lines);
        tokio::task::spawn_local(async move {
            // Ends with the runtime, whose end drops the last owner, which hands over the rest.
            loop {
                handing_over.first.notified().await;
                tokio::time::sleep(BLOCK_DELAY).await;
                handing_over.hand_over();
            }
        });
        lines
    }

    /// Appends one line, which `write` forms, with its line end.
    pub fn line(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut gathered = self.gathered.borrow_mut();
        if gathered.is_empty() {
            gathered.reserve(BLOCK_BYTES + BLOCK_BYTES / 4);
            self.first.notify_one();
        }
        write(&mut gathered);
        gathered.push(b'\n');
        if gathered.len() >= BLOCK_BYTES {
            drop(gathered);
            self.hand_over();
        }
    }

    fn hand_over(&self) {
        let block = self.gathered.take();
        if block.is_empty() {
            return;
        }
        match self.sender.blocks.try_send(block) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.sender.dropped.fetch_add(1, Relaxed);
            }
        }
    }
}

impl Drop for RequestLines {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_by_the_end() {
        let output = Shared::default();
        let log = RequestLog::start(output.clone()).expect("a thread");
        let sender = log.sender().expect("running");
        let runtime = crate::worker::local_runtime().expect("a runtime");
        runtime.block_on(async {
            let lines = RequestLines::new(sender);
            for number in 0..3000 {
                lines.line(|out| out.extend_from_slice(format!("line {number}").as_bytes()));
            }
        });
        drop(runtime);
        drop(log);
        let written = String::from_utf8(output.0.lock().expect("the lock").clone()).expect("text");
        assert_eq!(written.lines().count(), 3000);
        assert!(written.ends_with("line 2999\n"));
    }
}
