//! The operator's own line: fields between his text.

use super::Line;
use super::escape::Escape;
use crate::config::{LinePiece, LineTemplate};
use std::time::SystemTime;

impl Line {
    pub(super) fn template(&self, out: &mut Vec<u8>, template: &LineTemplate, now: SystemTime) {
        for piece in template.pieces() {
            match piece {
                LinePiece::Text(text) => out.extend_from_slice(text.as_bytes()),
                LinePiece::Field(field) => {
                    let start = out.len();
                    if let Some(value) = self.value(*field, now) {
                        self.push(out, &value, Escape::Hex);
                    }
                    // An empty value would be a column that is missing.
                    if out.len() == start {
                        out.push(b'-');
                    }
                }
            }
        }
    }
}
