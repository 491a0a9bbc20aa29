//! A response's body on its way into what waits to be written: framed, and never longer or shorter than its head said.

use super::head::Framing;
use super::outgoing::Outgoing;
use crate::part::Part;
use http::HeaderMap;

/// A body that is not as long as its head said.
#[derive(Debug)]
pub(super) struct BrokenOff;

/// How a response's body leaves.
pub(super) struct Reply {
    pub(super) framing: Framing,
    /// Bytes that its head announced and that are still to come.
    pub(super) left: Option<u64>,
    pub(super) ended: bool,
}

impl Reply {
    /// The next part.
    ///
    /// # Errors
    /// It is more than was announced, or less.
    pub(super) fn part(&mut self, part: Part, out: &mut Outgoing) -> Result<(), BrokenOff> {
        if let Some(left) = &mut self.left {
            // More than was announced would be read as the next response.
            *left = left.checked_sub(part.bytes() as u64).ok_or(BrokenOff)?;
        }
        let frame = match part {
            Part::Frame(frame) => frame,
            Part::File(part) => {
                out.file(self.framing, part);
                return Ok(());
            }
        };
        match frame.into_data() {
            Ok(data) => {
                out.body(self.framing, data);
                Ok(())
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailer) => self.end(Some(&trailer), out),
                Err(_) => Ok(()),
            },
        }
    }

    /// Nothing follows but this.
    ///
    /// # Errors
    /// It is less than was announced.
    pub(super) fn end(&mut self, trailer: Option<&HeaderMap>, out: &mut Outgoing) -> Result<(), BrokenOff> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(BrokenOff);
        }
        out.end(self.framing, trailer);
        self.ended = true;
        Ok(())
    }
}
