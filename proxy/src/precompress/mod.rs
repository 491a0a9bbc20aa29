//! `portcullis precompress DIR`: the twins of static files, made beforehand.
//!
//! [`walk`] finds the files, threads take them one by one, [`twin`] decides about each coding and writes, [`summary`]
//! tells what was done. Nothing outside the directory is touched: no link is followed, whatever happens meanwhile.

mod options;
mod summary;
#[cfg(test)]
mod tests;
mod twin;
mod walk;

pub(crate) use options::Options;
pub(crate) use summary::Summary;

use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes the twins.
///
/// # Errors
/// When the directory can't be read. What goes wrong with single files is in the summary.
pub(crate) fn run(options: &Options) -> io::Result<Summary> {
    let root = walk::open(&options.dir)?;
    let (mut files, mut summary) = walk::find(&root, options)?;
    // The large ones first: one that comes last would be waited for by all other threads.
    files.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path().cmp(&other.path())));
    let progress = progress(files.iter().map(|file| file.size).sum());
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Summary::default()));
    let work = || {
        let mut own = Summary::default();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            twin::make(&root, file, options, &mut own);
            progress.inc(file.size);
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).add(own);
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads().get().min(files.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    progress.finish_and_clear();
    summary.add(done.into_inner().unwrap_or_else(PoisonError::into_inner));
    summary.finish();
    Ok(summary)
}

/// On standard error, and only if that is a terminal.
fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
