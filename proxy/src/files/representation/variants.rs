//! A file in other codings: each is a representation of its own, with its own bytes, length and entity tag.

use super::super::coding::Accepted;
use super::super::stamp::Stamp;
use super::{Content, Representation};
use crate::config::Coding;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use std::rc::Rc;

/// What there is of each coding.
#[derive(Debug, Clone, Default)]
pub(in crate::files) struct Variants {
    forms: [Form; Coding::ALL.len()],
    /// The twins that lay on the disk, those too that are none.
    twins: [Option<Stamp>; Coding::ALL.len()],
}

/// What there is of one coding.
#[derive(Debug, Clone, Default)]
pub(in crate::files) enum Form {
    /// Nothing, and nothing will be made.
    #[default]
    None,
    /// A twin on the disk.
    Twin(Rc<Representation>),
    /// It was made here.
    Made(Rc<Representation>),
    /// It can be made here.
    Possible,
}

/// The form that a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::files) enum Choice {
    /// One that is there; `None`: the file as it is.
    Ready(Option<Coding>),
    /// One that must be made first, and what else would do.
    Make { coding: Coding, instead: Option<Coding> },
}

impl Variants {
    /// Sets what there is of one coding.
    pub(in crate::files) fn set(&mut self, coding: Coding, form: Form) {
        self.forms[coding as usize] = form;
    }

    /// Of one coding.
    pub(in crate::files) fn form(&self, coding: Coding) -> &Form {
        &self.forms[coding as usize]
    }

    /// Whether every request gets the file as it is.
    pub(in crate::files) fn is_empty(&self) -> bool {
        self.forms.iter().all(|form| matches!(form, Form::None))
    }

    /// Notes what lies on the disk.
    pub(in crate::files) fn see(&mut self, twins: [Option<Stamp>; Coding::ALL.len()]) {
        self.twins = twins;
    }

    /// The versions of all that lay on the disk, whether they are forms of the file or not: as long as they are the
    /// same, nothing has to be found out anew.
    pub(in crate::files) const fn twins(&self) -> [Option<Stamp>; Coding::ALL.len()] {
        self.twins
    }

    /// Whether the twins that are only streamed are what they were when they were opened. Each costs a look, which needs
    /// no disk.
    pub(in crate::files) fn are_unchanged(&self) -> bool {
        self.forms.iter().zip(self.twins).all(|(form, stamp)| match form {
            Form::Twin(coded) => match &coded.content {
                Content::Memory(_) => true,
                Content::File(file, ..) => Stamp::at_hand(file).is_ok_and(|now| stamp == Some(now)),
            },
            Form::None | Form::Made(_) | Form::Possible => true,
        })
    }

    /// Bytes in memory.
    pub(in crate::files) fn bytes(&self) -> usize {
        let bytes = |form: &Form| match form {
            Form::Twin(coded) | Form::Made(coded) => match &coded.content {
                Content::Memory(bytes) => bytes.len(),
                Content::File(..) => 0,
            },
            Form::None | Form::Possible => 0,
        };
        self.forms.iter().map(bytes).sum()
    }

    /// The form of a coding that is there.
    pub(in crate::files) fn ready(&self, coding: Coding) -> Option<&Rc<Representation>> {
        match self.form(coding) {
            Form::Twin(coded) | Form::Made(coded) => Some(coded),
            Form::None | Form::Possible => None,
        }
    }

    /// What a request wants most of what there is: by weight, and of equal weights the server's own preference.
    pub(in crate::files) fn choose(&self, request: &HeaderMap) -> Choice {
        let accepted = Accepted::read(request);
        let is_open = |coding: Coding| match self.form(coding) {
            Form::None => false,
            Form::Twin(..) => true,
            // A twin is what its author made; these are transformations (RFC 9111 section 5.2.1.6).
            Form::Made(_) | Form::Possible => !forbids_transformation(request),
        };
        let best = |among: &dyn Fn(Coding) -> bool| {
            let mut best = None;
            for coding in Coding::ALL {
                let weight = accepted.weight(coding);
                // What is open is asked last: most requests want none, or the first.
                if weight > best.map_or(0, |(_, weight)| weight) && among(coding) {
                    best = Some((coding, weight));
                }
            }
            best.map(|(coding, _)| coding)
        };
        match best(&is_open) {
            Some(coding) if matches!(self.form(coding), Form::Possible) => {
                Choice::Make { coding, instead: best(&|coding| self.ready(coding).is_some() && is_open(coding)) }
            }
            ready => Choice::Ready(ready),
        }
    }
}

/// Whether `Cache-Control`, of a request or an answer, has `no-transform`.
pub(in crate::files) fn forbids_transformation(fields: &HeaderMap) -> bool {
    fields.get_all(CACHE_CONTROL).iter().any(has_no_transform)
}

/// One field line of it.
pub(in crate::files) fn has_no_transform(value: &HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}
