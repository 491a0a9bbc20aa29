//! Receiving one attachment: write, count and digest as the bytes come, with a bounded buffer.

use super::incoming::Temporary;
use crate::domain::attachment::Digest;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use std::io::{self, Write};

/// How much is gathered before one trip to the blocking pool, in bytes.
const GATHER_BYTES: usize = 256 * 1024;

/// Why an upload ends early. Its file is gone in any case.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is longer than allowed.
    #[error("the attachment is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// The disk said no.
    #[error("the attachment could not be written")]
    Io(#[from] io::Error),
}

/// An attachment that is being received. Dropping it leaves nothing.
#[derive(Debug)]
pub struct Upload {
    /// `None` only while the blocking pool has it, or after it failed there.
    sink: Option<Sink>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    size_bytes: u64,
    bytes_max: u64,
}

/// A whole attachment, synced to disk, not yet at its place.
#[derive(Debug)]
pub struct Received {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length, in bytes.
    pub size_bytes: u64,
    pub(super) temporary: Temporary,
}

struct Sink {
    temporary: Temporary,
    context: Context,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.temporary.fmt(f)
    }
}

impl Upload {
    pub(super) fn new(temporary: Temporary, bytes_max: u64) -> Self {
        let sink = Sink { temporary, context: Context::new(&SHA256) };
        Self { sink: Some(sink), gathered: Vec::new(), gathered_bytes: 0, size_bytes: 0, bytes_max }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the limit is passed or the disk fails; the upload is over then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.bytes_max {
            self.discard().await?;
            return Err(UploadError::TooLarge { bytes_max: self.bytes_max });
        }
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= GATHER_BYTES {
            let sink = self.flush(|_| Ok(())).await?;
            self.sink = Some(sink);
        }
        Ok(())
    }

    /// Writes what is left and syncs the file.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn finish(mut self) -> Result<Received, UploadError> {
        let Sink { temporary, context } = self.flush(|temporary| temporary.file.sync_all()).await?;
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Ok(Received { digest: Digest::new(bytes), size_bytes: self.size_bytes, temporary })
    }

    /// Removes the file now, where dropping would remove it soon.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn discard(&mut self) -> io::Result<()> {
        self.gathered.clear();
        match self.sink.take() {
            Some(sink) => super::blocking(move || sink.temporary.remove()).await,
            None => Ok(()),
        }
    }

    async fn flush(
        &mut self,
        then: impl FnOnce(&Temporary) -> io::Result<()> + Send + 'static,
    ) -> Result<Sink, UploadError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let mut sink = self.sink.take().ok_or_else(|| io::Error::other("the upload has failed before"))?;
        let sink = super::blocking(move || {
            for bytes in gathered {
                sink.context.update(&bytes);
                sink.temporary.file.write_all(&bytes)?;
            }
            then(&sink.temporary)?;
            Ok(sink)
        });
        Ok(sink.await?)
    }
}
