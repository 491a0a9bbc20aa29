//! Which coding of a file a request gets: twins are found beside the file, other forms are made when they are wanted.

use super::coding::{Key, Lookup, Made, Source, Twins, is_coded_form, may_be_of};
use super::disk::Disk;
use super::error::FileError;
use super::find::{Memory, Tree};
use super::open::Opened;
use super::path::RelativePath;
use super::read;
use super::representation::{Choice, Content, Form, Representation, Variants, forbids_transformation};
use super::stamp::Stamp;
use super::validators::{EntityTag, Validators};
use crate::config::Coding;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use rustix::io::Errno;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;

/// How long a request waits for a form that is being made. Text of some 100 KiB takes some milliseconds, and saves more
/// than that on most networks; also, shared caches that ask first should not keep what nobody compressed. Behind a long
/// queue the file as it is comes sooner.
const WAIT_MAX: Duration = Duration::from_millis(100);

impl Tree {
    /// Opens what lies beside a file and can stand for it. Whatever else lies there under such a name (links, devices,
    /// what is older than the file or can't be read) is as good as nothing.
    ///
    /// # Errors
    /// When the disk does not answer: nothing is known then.
    pub(super) async fn open_twins(&self, path: &RelativePath, file: &Stamp) -> Result<Twins, FileError> {
        let mut twins = Twins::default();
        let content_type = self.cache_policy.content_type(path.as_str());
        if !self.codings.precompressed || file.size == 0 || !self.codings.covers(&content_type) {
            return Ok(twins);
        }
        for coding in Coding::ALL {
            match self.root.open_beneath(&path.beside(coding.extension())).await {
                Ok(Opened::File(twin, stamp)) if stamp.can_be_twin_of(file) => {
                    twins[coding as usize] = Some((twin, stamp));
                }
                Err(FileError::Stalled) => return Err(FileError::Stalled),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(twins)
    }

    /// Completes a file that has just been read with its other forms. Twins are kept as the file is: in memory or open.
    ///
    /// # Errors
    /// The disk's.
    pub(super) async fn add_variants(
        &self,
        file: &mut Representation,
        stamp: Stamp,
        twins: Twins,
    ) -> Result<(), FileError> {
        let mut variants = Variants::default();
        if file.headers.get(CONTENT_TYPE).is_some_and(|content_type| self.codings.covers(content_type)) {
            // A weak tag names no version whose form could be kept.
            let is_strong = file.validators.etag.as_ref().is_some_and(EntityTag::is_strong);
            if is_strong && !forbids_transformation(&file.headers) {
                self.codings.made_for(stamp.size).iter().for_each(|coding| variants.set(*coding, Form::Possible));
            }
            if twins.iter().any(Option::is_some) || !variants.is_empty() {
                // On every form, and before these copy the fields: the answer hangs on the request's field.
                file.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
                file.validators = file.validators.clone().among_others();
            }
            variants.see(twins.each_ref().map(|twin| twin.as_ref().map(|(_, stamp)| *stamp)));
            for (coding, (twin, stamp)) in Coding::ALL.into_iter().zip(twins).filter_map(|(c, twin)| Some((c, twin?))) {
                if let Some(coded) = self.twin(coding, file, twin, stamp).await? {
                    variants.set(coding, Form::Twin(Rc::new(coded)));
                }
            }
        }
        file.variants = variants;
        Ok(())
    }

    /// `None`: it is being written to, or is one of another content. Times tell nothing where a deploy has kept those of
    /// its files: the twin of the version before is the newer one then.
    async fn twin(
        &self,
        coding: Coding,
        file: &Representation,
        twin: File,
        stamp: Stamp,
    ) -> Result<Option<Representation>, FileError> {
        let (twin, now, disk) = (Arc::new(twin), SystemTime::now(), self.root.disk());
        let (validators, content) = match &file.content {
            Content::File(_, length, _) => {
                let (looked_at, length) = (Arc::clone(&twin), *length);
                let is_sound = disk.ask(move || may_be_of(coding, &looked_at, stamp.size, length)).await?;
                if !is_sound {
                    return Ok(None);
                }
                (Validators::of_coded_stamp(&stamp, coding, now), Content::File(twin, stamp.size, Arc::clone(disk)))
            }
            Content::Memory(content) => {
                let Some(coded) = read_unchanged(&twin, stamp, disk).await? else { return Ok(None) };
                let (decoded, wanted) = (coded.clone(), content.clone());
                let is_sound = waiting(move || is_coded_form(coding, &decoded, &wanted)).await?;
                if !is_sound {
                    return Ok(None);
                }
                (Validators::of_coded_content(&coded, coding, &stamp, now), Content::Memory(coded))
            }
        };
        Ok(Some(file.coded(coding, validators.among_others(), content)))
    }

    /// The form of a file that a request gets. Waits, if need be, for one that is being made, but not for long.
    pub(super) async fn negotiate(
        &self,
        file: Rc<Representation>,
        request: &HeaderMap,
        memory: Memory<'_>,
    ) -> Rc<Representation> {
        if file.variants.is_empty() {
            return file;
        }
        let (coding, instead) = match file.variants.choose(request) {
            Choice::Ready(coding) => return in_coding(file, coding),
            Choice::Make { coding, instead } => (coding, instead),
        };
        let form = match self.make(&file, coding).await {
            Made::Smaller(content, etag) => {
                let validators = Validators::of_made_content(etag, &file.validators);
                Form::Made(Rc::new(file.coded(coding, validators, Content::Memory(content))))
            }
            Made::NotWorthIt => Form::None,
            Made::Failed => return in_coding(file, instead),
        };
        let mut more = Representation::clone(&file);
        more.variants.set(coding, form);
        let more = Rc::new(more);
        if let Some(key) = memory.key {
            memory.files.exchange(self.id, key, &file, &more);
        }
        let coding = if more.variants.ready(coding).is_some() { Some(coding) } else { instead };
        in_coding(more, coding)
    }

    async fn make(&self, file: &Representation, coding: Coding) -> Made {
        let Some(etag) = &file.validators.etag else { return Made::Failed };
        let key = Key { tag: etag.value().as_bytes().into(), coding };
        match self.codings.results.find_or_make(key, || source(&file.content)) {
            Lookup::Made(made) => made,
            Lookup::Busy => Made::Failed,
            Lookup::Underway(mut underway) => {
                let made = tokio::time::timeout(WAIT_MAX, underway.wait_for(Option::is_some)).await;
                made.ok().and_then(Result::ok).and_then(|made| made.clone()).unwrap_or(Made::Failed)
            }
        }
    }
}

fn in_coding(file: Rc<Representation>, coding: Option<Coding>) -> Rc<Representation> {
    coding.and_then(|coding| file.variants.ready(coding).cloned()).unwrap_or(file)
}

/// Reads the content where it is compressed, so that no worker waits for a large file. The tag of one that is streamed
/// is that of its stamp, so it must still have it afterwards.
fn source(content: &Content) -> Source {
    match content {
        Content::Memory(bytes) => {
            let bytes = bytes.clone();
            Box::new(move || Some(bytes))
        }
        Content::File(file, size, disk) => {
            let (file, size, disk) = (Arc::clone(file), *size, Arc::clone(disk));
            let (before, worker) = (Stamp::at_hand(&file).ok(), Handle::current());
            Box::new(move || {
                // Not on this thread, of which there are few: a disk that does not answer would keep it.
                let size = usize::try_from(size).ok()?;
                let read =
                    disk.ask(move || Some((read::whole_blocking(&file, size).ok()?, Stamp::of_file(&file).ok()?)));
                let (content, after) = worker.block_on(read).ok()??;
                (content.len() == size && before == Some(after)).then(|| Bytes::from(content))
            })
        }
    }
}

/// On a thread that may take its time.
async fn waiting<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Result<T, FileError> {
    tokio::task::spawn_blocking(look).await.map_err(|_| FileError::Unavailable(Errno::CANCELED))
}

/// `None` when the file is another than it was when it was opened.
async fn read_unchanged(file: &Arc<File>, stamp: Stamp, disk: &Disk) -> Result<Option<Bytes>, FileError> {
    let Ok(size) = usize::try_from(stamp.size) else { return Ok(None) };
    let (content, after) = read::whole(file, size, disk).await?;
    Ok((content.len() == size && after == stamp).then(|| Bytes::from(content)))
}
