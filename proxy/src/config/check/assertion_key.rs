//! The file of a 256-bit key that several servers share: whether it is there and holds one.

use crate::config::KeyFile;
use crate::config::disk::read_text;
use crate::config::file::assertion_key::AssertionKey;
use crate::config::read::Context;
use crate::config::source::Span;
use std::path::Path;

pub(super) fn key_file(written: AssertionKey, context: &mut Context<'_>) -> Option<KeyFile> {
    let AssertionKey { written: _, file, create } = written;
    let (file, create) = (file?, create?.value);
    let path = file.value.0;
    if path.exists() {
        valid_key(&path, file.at, context)?;
    } else if !create {
        context
            .problem(file.at, format!("{} does not exist", path.display()))
            .help("with `create = true` the first of the two servers to start makes it");
        return None;
    }
    Some(KeyFile { path, create })
}

fn valid_key(path: &Path, at: Span, context: &mut Context<'_>) -> Option<()> {
    let text = match read_text(path, 1024) {
        Ok(text) => text,
        Err(reason) => {
            context.problem(at, format!("cannot read {}: {reason}", path.display()));
            return None;
        }
    };
    if serve::shared_key::parse(text.trim_end().as_bytes()).is_some() {
        return Some(());
    }
    context
        .problem(at, format!("{} holds no 256-bit key", path.display()))
        .help("it is one line of 43 base64url characters; with `create = true` a new one is made when there is none");
    None
}
