//! A file as it is answered: its fields, made once per version, and where its content is.

mod variants;

use super::body::{FileBody, Sealed};
use super::cache_control::CachePolicy;
use super::disk::Disk;
use super::prepared::PreparedFields;
use super::validators::Validators;
use crate::config::Coding;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use std::fs::File;
use std::sync::Arc;
pub(super) use variants::{Choice, Form, Variants, forbids_transformation};

/// The selected representation of RFC 9110 section 3.2, for one version of one file.
#[derive(Debug, Clone)]
pub(super) struct Representation {
    /// The fields of a 200 answer.
    pub headers: HeaderMap,
    /// What conditions are compared with; also in `headers`.
    pub validators: Validators,
    /// Its bytes.
    pub content: Content,
    /// A copy of them for the kernel to send.
    pub sealed: Option<Sealed>,
    /// The same in other codings; empty in these themselves.
    pub variants: Variants,
    /// The fields as text.
    pub prepared: PreparedFields,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// All of them at hand.
    Memory(Bytes),
    /// In an open file, of which this many bytes belong to the answer, and on this disk.
    File(Arc<File>, u64, Arc<Disk>),
}

impl Content {
    /// In bytes.
    pub(super) const fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, size, _) => *size,
        }
    }
}

impl Representation {
    /// Prepares the fields of a file's answer.
    pub(super) fn new(path: &str, validators: Validators, content: Content, policy: &CachePolicy) -> Self {
        let content_type = policy.content_type(path);
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CACHE_CONTROL, policy.of(path, &content_type));
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.size()));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self::of(headers, validators, content)
    }

    /// The same in a coding. The fields are those of the file (RFC 9110 section 8.4: it is the type of what is decoded
    /// that counts), but for what describes the bytes.
    pub(super) fn coded(&self, coding: Coding, validators: Validators, content: Content) -> Self {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.size()));
        Self::of(headers, validators, content)
    }

    /// With these fields beside the validators.
    fn of(headers: HeaderMap, validators: Validators, content: Content) -> Self {
        let (variants, prepared) = (Variants::default(), PreparedFields::default());
        let mut representation = Self { headers, validators, content, sealed: None, variants, prepared };
        representation.write_validators();
        representation
    }

    /// All of it as a body.
    pub(super) fn body(&self) -> FileBody {
        match (&self.content, &self.sealed) {
            (Content::Memory(bytes), None) => FileBody::memory(bytes.clone()),
            (Content::Memory(bytes), Some(copy)) => FileBody::sealed(bytes.clone(), copy.clone()),
            (Content::File(file, size, disk), _) => FileBody::stream(Arc::clone(file), 0, *size, Arc::clone(disk)),
        }
    }

    /// The form that a request gets, of those that are there.
    pub(super) fn in_coding(&self, coding: Option<Coding>) -> &Self {
        coding.and_then(|coding| self.variants.ready(coding)).map_or(self, |coded| coded)
    }

    /// Brings the fields in line with the validators.
    pub(super) fn write_validators(&mut self) {
        self.headers.remove(ETAG);
        self.headers.remove(LAST_MODIFIED);
        if let Some(etag) = &self.validators.etag {
            self.headers.insert(ETAG, etag.value().clone());
        }
        if let Some(modified) = &self.validators.last_modified {
            self.headers.insert(LAST_MODIFIED, modified.value().clone());
        }
    }
}
