//! What was compressed on the fly: once for each version of a file and coding, by a bounded number of jobs beside the
//! workers, kept for all of them up to a bound of bytes.

use super::encode::{Effort, encode};
use crate::config::Coding;
use crate::files::validators::EntityTag;
use bytes::Bytes;
use lru::LruCache;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use tokio::sync::watch;

/// Bytes of results that are kept: 16 MiB for all workers together.
pub const COMPRESSED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Jobs that wait for their turn. Who comes later gets the file as it is.
const WAITING_MAX: usize = 64;

/// What an entry costs beside its bytes. Rounded up.
const ENTRY_BYTES: usize = 256;

/// The version of a file by its strong entity tag, which is a hash of 128 bits, and the coding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::files) struct Key {
    pub tag: Box<[u8]>,
    pub coding: Coding,
}

/// Brings the content, on the thread that then compresses it. `None`: it can't be read, or is another one by now.
pub(in crate::files) type Source = Box<dyn FnOnce() -> Option<Bytes> + Send>;

/// What a job has come to.
#[derive(Debug, Clone)]
pub(in crate::files) enum Made {
    /// The coded bytes, and the tag that is made from them.
    Smaller(Bytes, Option<EntityTag>),
    /// They would hardly be fewer.
    NotWorthIt,
    /// Nothing, this time.
    Failed,
}

/// What is known at once.
#[derive(Debug)]
pub(in crate::files) enum Lookup {
    /// It was made before.
    Made(Made),
    /// It is being made; whoever wants can wait.
    Underway(watch::Receiver<Option<Made>>),
    /// Too much is waiting to be made.
    Busy,
}

/// The results, and the jobs that make them. Belongs to the process: a snapshot takes it over from the one before.
#[derive(Debug)]
pub struct Results {
    state: Mutex<State>,
    bytes_max: usize,
    jobs_max: usize,
}

/// How it stands; see `docs/metrics.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResultsState {
    /// Bytes in use.
    pub bytes: u64,
    /// Jobs that gave a smaller form, since the start, in the order of [`Coding::ALL`].
    pub made: [u64; Coding::ALL.len()],
    /// Jobs whose result was not worth it or that failed.
    pub useless: u64,
    /// Requests that found too many jobs waiting.
    pub busy: u64,
}

struct State {
    kept: LruCache<Key, Made>,
    underway: HashMap<Key, watch::Receiver<Option<Made>>>,
    waiting: VecDeque<Job>,
    jobs: usize,
    counted: ResultsState,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("kept", &self.kept.len()).field("counted", &self.counted).finish_non_exhaustive()
    }
}

struct Job {
    key: Key,
    source: Source,
    done: watch::Sender<Option<Made>>,
}

impl Default for Results {
    fn default() -> Self {
        // Half of the cores at most: the workers need them too.
        Self::new(COMPRESSED_BYTES_MAX, available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2))
    }
}

impl Results {
    /// Keeps at most `bytes_max` bytes, the least recently used leave first, and runs at most `jobs_max` jobs at once.
    #[must_use]
    pub fn new(bytes_max: usize, jobs_max: usize) -> Self {
        let state = State {
            kept: LruCache::unbounded(),
            underway: HashMap::new(),
            waiting: VecDeque::new(),
            jobs: 0,
            counted: ResultsState::default(),
        };
        Self { state: Mutex::new(state), bytes_max, jobs_max }
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> ResultsState {
        self.lock().counted
    }

    /// The result, or the job that makes it, which is started if there is none.
    pub(in crate::files) fn find_or_make(self: &Arc<Self>, key: Key, source: impl FnOnce() -> Source) -> Lookup {
        let mut state = self.lock();
        if let Some(made) = state.kept.get(&key) {
            return Lookup::Made(made.clone());
        }
        if let Some(underway) = state.underway.get(&key) {
            return Lookup::Underway(underway.clone());
        }
        if state.waiting.len() >= WAITING_MAX {
            state.counted.busy += 1;
            return Lookup::Busy;
        }
        let (done, underway) = watch::channel(None);
        state.underway.insert(key.clone(), underway.clone());
        state.waiting.push_back(Job { key, source: source(), done });
        let starts = state.jobs < self.jobs_max;
        state.jobs += usize::from(starts);
        drop(state);
        if starts {
            let results = Arc::clone(self);
            tokio::task::spawn_blocking(move || results.work());
        }
        Lookup::Underway(underway)
    }

    /// Does what is waiting, one after the other.
    fn work(&self) {
        while let Some(Job { key, source, done }) = self.next() {
            // Also when an encoder panics: the others must not wait for a thread that is gone.
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(key.coding, source)));
            self.finish(key, made.unwrap_or(Made::Failed), &done);
        }
    }

    /// The next job. `None`: there is none, and this thread does not count any more. Both under one lock: who comes
    /// between them would leave a job to a thread that ends.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        state.jobs -= usize::from(next.is_none());
        next
    }

    fn finish(&self, key: Key, made: Made, done: &watch::Sender<Option<Made>>) {
        let mut state = self.lock();
        state.underway.remove(&key);
        match &made {
            Made::Smaller(..) => state.counted.made[key.coding as usize] += 1,
            Made::NotWorthIt | Made::Failed => state.counted.useless += 1,
        }
        // What could not be read now may be read later.
        if !matches!(made, Made::Failed) && cost(&key, &made) <= self.bytes_max as u64 {
            let added = cost(&key, &made);
            if let Some((old_key, old)) = state.kept.push(key, made.clone()) {
                state.counted.bytes -= cost(&old_key, &old);
            }
            state.counted.bytes += added;
            while state.counted.bytes > self.bytes_max as u64
                && let Some((old_key, old)) = state.kept.pop_lru()
            {
                state.counted.bytes -= cost(&old_key, &old);
            }
        }
        drop(state);
        // Nobody may be waiting any more.
        done.send_replace(Some(made));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(coding: Coding, source: Source) -> Made {
    let Some(content) = source() else { return Made::Failed };
    match encode(coding, Effort::Brief, &content) {
        Ok(coded) if is_worth_it(coded.len(), content.len()) => {
            let etag = EntityTag::of_coded(&coded, coding);
            Made::Smaller(Bytes::from(coded.into_boxed_slice()), etag)
        }
        Ok(_) => Made::NotWorthIt,
        Err(_) => Made::Failed,
    }
}

/// Below a twentieth the client's work is not worth what is saved.
fn is_worth_it(coded: usize, content: usize) -> bool {
    coded <= content - content / 20
}

fn cost(key: &Key, made: &Made) -> u64 {
    let bytes = match made {
        Made::Smaller(bytes, _) => bytes.len(),
        Made::NotWorthIt | Made::Failed => 0,
    };
    (ENTRY_BYTES + key.tag.len() + bytes) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn key(name: &str) -> Key {
        Key { tag: name.as_bytes().into(), coding: Coding::Gzip }
    }

    fn text() -> Bytes {
        Bytes::from(b"again and again ".repeat(100))
    }

    async fn outcome(lookup: Lookup) -> Made {
        match lookup {
            Lookup::Made(made) => made,
            Lookup::Underway(mut underway) => {
                let made = underway.wait_for(Option::is_some).await.expect("a result");
                made.clone().expect("a result")
            }
            Lookup::Busy => Made::Failed,
        }
    }

    #[tokio::test]
    async fn one_job_serves_everybody_who_asks() {
        let results = Arc::new(Results::new(1 << 20, 1));
        let (calls, (go, wait)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel::<()>());
        let counted = Arc::clone(&calls);
        let first = results.find_or_make(key("a"), || {
            Box::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                wait.recv().ok()?;
                Some(text())
            })
        });
        let second = results.find_or_make(key("a"), || unreachable!("it is being made"));
        assert!(matches!((&first, &second), (Lookup::Underway(_), Lookup::Underway(_))));
        go.send(()).expect("the job listens");
        let (first, second) = (outcome(first).await, outcome(second).await);
        let (Made::Smaller(first, _), Made::Smaller(second, _)) = (first, second) else { unreachable!("made") };
        assert_eq!(first, second);
        assert!(matches!(results.find_or_make(key("a"), || unreachable!("kept")), Lookup::Made(Made::Smaller(..))));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(results.state().made, [0, 0, 1]);
    }

    #[tokio::test]
    async fn what_does_not_pay_is_remembered_and_what_fails_is_not() {
        let results = Arc::new(Results::new(1 << 20, 1));
        let random = Bytes::from_static(b"\x00\x9f\x12\xfe\x77\x31\xaa\x05");
        assert!(matches!(
            outcome(results.find_or_make(key("r"), || Box::new(|| Some(random)))).await,
            Made::NotWorthIt
        ));
        assert!(matches!(results.find_or_make(key("r"), || unreachable!("known")), Lookup::Made(Made::NotWorthIt)));
        for _ in 0..2 {
            assert!(matches!(outcome(results.find_or_make(key("f"), || Box::new(|| None))).await, Made::Failed));
        }
        let panicking = results.find_or_make(key("p"), || Box::new(|| unreachable!("an encoder's mistake")));
        assert!(matches!(outcome(panicking).await, Made::Failed));
        assert!(matches!(
            outcome(results.find_or_make(key("t"), || Box::new(|| Some(text())))).await,
            Made::Smaller(..)
        ));
    }

    #[tokio::test]
    async fn jobs_that_wait_are_bounded() {
        let results = Arc::new(Results::new(1 << 20, 1));
        let (go, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let running = results.find_or_make(key("running"), || {
            Box::new(move || {
                begun.send(()).ok()?;
                wait.recv().ok()?;
                None
            })
        });
        has_begun.await.expect("the job runs");
        let waiting: Vec<Lookup> = (0..WAITING_MAX)
            .map(|number| results.find_or_make(key(&number.to_string()), || Box::new(|| Some(text()))))
            .collect();
        assert!(waiting.iter().all(|lookup| matches!(lookup, Lookup::Underway(_))));
        assert!(matches!(results.find_or_make(key("more"), || unreachable!("no room")), Lookup::Busy));
        assert_eq!(results.state().busy, 1);
        go.send(()).expect("the job listens");
        assert!(matches!(outcome(running).await, Made::Failed));
        for lookup in waiting {
            assert!(matches!(outcome(lookup).await, Made::Smaller(..)));
        }
    }

    #[tokio::test]
    async fn the_bytes_are_bounded_and_the_least_used_leave_first() {
        let one = Arc::new(Results::new(1 << 20, 1));
        outcome(one.find_or_make(key("a"), || Box::new(|| Some(text())))).await;
        let size = usize::try_from(one.state().bytes).expect("small");
        let results = Arc::new(Results::new(2 * size, 1));
        for name in ["a", "b", "a", "c"] {
            outcome(results.find_or_make(key(name), || Box::new(|| Some(text())))).await;
        }
        assert!(matches!(results.find_or_make(key("a"), || unreachable!("kept")), Lookup::Made(_)));
        assert!(matches!(results.find_or_make(key("b"), || Box::new(|| None)), Lookup::Underway(_)), "it left");
        assert_eq!(results.state().bytes, 2 * size as u64);
    }

    /// Found in a review: a thread that had seen that nothing waits still counted, so who came in that moment started none,
    /// and its job stayed undone until somebody else came.
    #[test]
    fn a_thread_that_finds_nothing_to_do_counts_no_more_from_that_moment_on() {
        let results = Results::new(1 << 20, 2);
        results.lock().jobs = 2;
        assert!(results.next().is_none());
        assert_eq!(results.lock().jobs, 1);
    }
}
