//! An answer that a worker has in memory.

use super::answer::{Selected, respond, select};
use super::body::FileBody;
use super::error::FileError;
use super::prepared::Way;
use super::representation::{Content, Representation};
use crate::config::Coding;
use http::{HeaderMap, Method, Response, StatusCode};
use std::rc::Rc;
use std::sync::Arc;

/// An answer from memory.
#[derive(Debug)]
pub enum AtHand {
    /// The usual one: all of a file.
    Whole(WholeFile),
    /// Any other.
    Other(Response<FileBody>),
}

/// All of a file, which is in memory.
#[derive(Debug)]
pub struct WholeFile {
    file: Rc<Representation>,
    coding: Option<Coding>,
}

impl AtHand {
    /// Decides what a GET or HEAD gets of a file in one of the codings that it is there in.
    ///
    /// # Errors
    /// 412 and 416.
    pub(super) fn of(
        file: Rc<Representation>,
        coding: Option<Coding>,
        method: &Method,
        request: &HeaderMap,
    ) -> Result<Self, FileError> {
        let representation = file.in_coding(coding);
        match select(method, request, representation)? {
            Selected::Whole if matches!(representation.content, Content::Memory(_)) => {
                Ok(Self::Whole(WholeFile { file, coding }))
            }
            selected => Ok(Self::Other(selected.response(representation))),
        }
    }

    /// As a response.
    pub fn into_response(self) -> Response<FileBody> {
        match self {
            Self::Whole(file) => file.into_response(),
            Self::Other(response) => response,
        }
    }
}

impl WholeFile {
    fn representation(&self) -> &Representation {
        self.file.in_coding(self.coding)
    }

    /// The fields of the answer.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.representation().headers
    }

    /// The fields that go out by this way, as text. `make` does what the way does to the fields; `None` when that is
    /// not the same for every request.
    #[must_use]
    pub fn prepared_fields(&self, way: Way, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Arc<[u8]>> {
        self.representation().prepared.of(way, make)
    }

    /// The bytes of the answer.
    #[must_use]
    pub fn body(&self) -> FileBody {
        self.representation().body()
    }

    /// As a response.
    #[must_use]
    pub fn into_response(self) -> Response<FileBody> {
        respond(StatusCode::OK, self.headers().clone(), self.body())
    }
}
