//! The disk under a root, for whoever has to wait for it: on a blocking thread, for a bounded time, and never on more
//! threads at once than there are places.
//!
//! A disk that is gone (a network file system without its server, say) reports no error. It does not answer, and a
//! thread that has asked it can't be called back. Without places a dead disk would soon hold every blocking thread of a
//! worker, and all other disks, which are well, would wait behind it.

use rustix::io::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Threads of the whole process that may wait for one disk. An eighth of what one worker's pool has (512), so that many
/// disks may be dead before it is full; and more than a disk gets faster by.
pub(super) const PLACES: usize = 64;

/// Every disk in use: roots on the same one, also those of another snapshot, share its places.
static DEVICES: Mutex<Vec<(u64, Weak<Device>)>> = Mutex::new(Vec::new());

/// A disk as one root sees it.
#[derive(Debug)]
pub(super) struct Disk {
    device: Arc<Device>,
    /// How long a request waits for one answer of the disk.
    patience: Duration,
}

#[derive(Debug)]
struct Device {
    /// As the kernel numbers it (`st_dev`).
    number: u64,
    places: Arc<Semaphore>,
    /// Nothing has been answered since somebody waited in vain.
    is_stalled: AtomicBool,
}

impl Disk {
    /// The disk with this number (`st_dev`).
    pub(super) fn of(number: u64, patience: Duration) -> Arc<Self> {
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        devices.retain(|(_, device)| device.strong_count() > 0);
        let known = devices.iter().find(|(known, _)| *known == number).and_then(|(_, device)| device.upgrade());
        let device = known.unwrap_or_else(|| {
            let device = Arc::new(Device {
                number,
                places: Arc::new(Semaphore::new(PLACES)),
                is_stalled: AtomicBool::new(false),
            });
            devices.push((number, Arc::downgrade(&device)));
            device
        });
        Arc::new(Self { device, patience })
    }

    /// Does what may have to wait for the disk, on a blocking thread. Who comes while all places are taken waits for one,
    /// unless the disk answers nobody any more.
    ///
    /// # Errors
    /// `TIMEDOUT` when the disk does not answer in time. The thread stays with it, and keeps its place, until it does.
    pub(super) async fn ask<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Errno> {
        let places = &self.device.places;
        let free = Arc::clone(places).try_acquire_owned();
        if free.is_err() && self.device.is_stalled.load(Ordering::Relaxed) {
            return Err(Errno::TIMEDOUT);
        }
        let device = Arc::clone(&self.device);
        let answer = async {
            let place = match free {
                Ok(place) => place,
                Err(_) => Arc::clone(places).acquire_owned().await.map_err(|_| Errno::CANCELED)?,
            };
            let job = move || {
                let answer = work();
                device.has_answered();
                drop(place);
                answer
            };
            tokio::task::spawn_blocking(job).await.map_err(|_| Errno::CANCELED)
        };
        timeout(self.patience, answer).await.unwrap_or_else(|_| {
            self.device.has_kept_waiting();
            Err(Errno::TIMEDOUT)
        })
    }

    /// Places that nobody has.
    #[cfg(test)]
    pub(super) fn free_places(&self) -> usize {
        self.device.places.available_permits()
    }
}

impl Device {
    fn has_answered(&self) {
        // Read first: many threads come by here, and the answer is nearly always the same.
        if self.is_stalled.load(Ordering::Relaxed) && self.is_stalled.swap(false, Ordering::Relaxed) {
            tracing::info!(device = self.number, "the disk answers again");
        }
    }

    fn has_kept_waiting(&self) {
        if !self.is_stalled.swap(true, Ordering::Relaxed) {
            tracing::warn!(device = self.number, "a disk with static files does not answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// Asks in vain until no place is left. What it gives lets go of all of them.
    async fn stall(disk: &Disk) -> Vec<mpsc::Sender<()>> {
        let mut held = Vec::new();
        for _ in 0..PLACES {
            let (release, released) = mpsc::channel::<()>();
            assert_eq!(disk.ask(move || released.recv()).await.err(), Some(Errno::TIMEDOUT));
            held.push(release);
        }
        held
    }

    #[tokio::test]
    async fn an_answer_is_handed_on_and_its_place_is_free_again() {
        let disk = Disk::of(u64::MAX, LONG);
        assert_eq!(disk.ask(|| 7).await, Ok(7));
        assert_eq!(disk.free_places(), PLACES);
    }

    #[tokio::test]
    async fn a_disk_that_answers_nobody_is_given_up_until_it_does() {
        let disk = Disk::of(u64::MAX - 1, SHORT);
        let held = stall(&disk).await;
        assert_eq!(disk.free_places(), 0);
        // At once: the time of this one would not be up before the test's.
        let patient = Disk::of(u64::MAX - 1, LONG);
        assert_eq!(patient.ask(|| ()).await, Err(Errno::TIMEDOUT));
        let other = Disk::of(u64::MAX - 2, LONG);
        assert_eq!(other.ask(|| 7).await, Ok(7), "another disk is well");

        drop(held);
        let all = patient.device.places.acquire_many(u32::try_from(PLACES).expect("few")).await;
        drop(all.expect("all places come back"));
        assert_eq!(patient.ask(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_busy_disk_is_waited_for() {
        let disk = Disk::of(u64::MAX - 3, LONG);
        let mut busy = Vec::new();
        let mut held = Vec::new();
        for _ in 0..PLACES {
            let (release, released) = mpsc::channel::<()>();
            let disk = Arc::clone(&disk);
            busy.push(tokio::spawn(async move { disk.ask(move || released.recv()).await.is_ok() }));
            held.push(release);
        }
        while disk.free_places() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting = {
            let disk = Arc::clone(&disk);
            tokio::spawn(async move { disk.ask(|| 7).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        held.pop();
        assert_eq!(waiting.await.expect("it is answered"), Ok(7));
        drop(held);
        for one in busy {
            assert!(one.await.expect("it is answered"));
        }
    }

    #[test]
    fn roots_on_one_disk_share_its_places() {
        let (one, other) = (Disk::of(u64::MAX - 4, LONG), Disk::of(u64::MAX - 4, SHORT));
        assert!(Arc::ptr_eq(&one.device, &other.device));
        assert!(!Arc::ptr_eq(&one.device, &Disk::of(u64::MAX - 5, LONG).device));
    }
}
