//! What is held in memory: gathered, so that bytes that came one by one take little more room than they count for.

use crate::budget::{Budget, Share};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

/// Small pieces are gathered to pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes in the order in which they came. The room that they take is at most twice what they count for.
pub(super) struct Memory {
    full: VecDeque<Bytes>,
    /// What the next piece has so far, always less than all of it.
    tail: BytesMut,
    bytes: u64,
    share: Share,
}

impl Memory {
    /// Nothing yet.
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { full: VecDeque::new(), tail: BytesMut::new(), bytes: 0, share: Share::none(budget) }
    }

    /// Keeps a copy: the piece may be a small part of a large buffer, which would not be counted. False when the budget
    /// has no room for all of it.
    pub(super) fn keep(&mut self, mut data: &[u8]) -> bool {
        let length = data.len() as u64;
        if !self.share.grow(length) {
            return false;
        }
        self.bytes += length;
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(PIECE_BYTES - self.tail.len()));
            self.tail.extend_from_slice(now);
            if self.tail.len() == PIECE_BYTES {
                self.full.push_back(mem::take(&mut self.tail).freeze());
            }
            data = later;
        }
        true
    }

    /// Gives out the next piece, which counts no more.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let tail = || (!self.tail.is_empty()).then(|| mem::take(&mut self.tail).freeze());
        let data = self.full.pop_front().or_else(tail)?;
        self.bytes -= data.len() as u64;
        self.share.shrink(data.len() as u64);
        Some(data)
    }

    /// All pieces, and the room that they take.
    pub(super) fn into_pieces(self) -> (Vec<Bytes>, Share) {
        let Self { full, tail, bytes: _, share } = self;
        let tail = Some(tail.freeze()).filter(|tail| !tail.is_empty());
        (full.into_iter().chain(tail).collect(), share)
    }

    /// Bytes that are held.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Pieces that they are held in.
    #[cfg(test)]
    pub(super) fn pieces(&self) -> usize {
        self.full.len() + usize::from(!self.tail.is_empty())
    }
}
