//! One wake-up of a connection's task for whatever its socket, its streams and `h2` have to say.
//!
//! Streams and `h2` wake each other all the time while the connection's task is running: a response makes frames, a
//! frame makes room for a body. Each of these would have the runtime poll the task once more. Here they only leave
//! a mark, which the running turn looks at before it ends.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Wake};

/// The turns of one connection, as the waker of everything in it.
///
/// The order of the two flags matters when another thread wakes: it marks before it looks, the turn's end looks after
/// it has unmarked, so one of them sees the other.
#[derive(Default)]
pub(super) struct Turns {
    task: AtomicWaker,
    running: AtomicBool,
    woken: AtomicBool,
}

impl Turns {
    /// A turn begins: `cx` is the task's own.
    pub(super) fn begin(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
        self.running.store(true, SeqCst);
        self.woken.store(false, SeqCst);
    }

    /// Whether anything was woken since this was last asked.
    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, SeqCst)
    }

    /// Something has yet to be done.
    pub(super) fn mark(&self) {
        self.woken.store(true, SeqCst);
    }

    /// The turn ends. True when another must follow.
    pub(super) fn end(&self) -> bool {
        self.running.store(false, SeqCst);
        self.woken.load(SeqCst)
    }
}

impl Wake for Turns {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, SeqCst);
        if !self.running.load(SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Waker;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn only_between_turns_is_the_task_woken() {
        let wakes = Arc::new(Wakes::default());
        let task = Waker::from(Arc::clone(&wakes));
        let turns = Arc::new(Turns::default());
        let waker = Waker::from(Arc::clone(&turns));
        turns.begin(&Context::from_waker(&task));
        waker.wake_by_ref();
        assert!(turns.take_woken() && !turns.take_woken());
        assert!(!turns.end());
        assert_eq!(wakes.0.load(SeqCst), 0);
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(wakes.0.load(SeqCst), 1, "once is enough");
        turns.begin(&Context::from_waker(&task));
        waker.wake_by_ref();
        assert!(turns.end(), "what came last is not lost");
    }
}
