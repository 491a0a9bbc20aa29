//! Counts the frames that come in, before `h2` sees them, to find clients that only cause work.
//!
//! Only the nine bytes in front of each frame are looked at (RFC 9113 section 4.1), and the first of trailers. What a
//! frame means, and whether it is allowed where it stands, is for `h2` to say.

use super::trailers::Trailers;
use crate::counters::Protection;

/// Streams that a client may reset, beyond as many as were answered (CVE-2023-44487).
pub(super) const RESETS_MAX: u64 = 200;

/// Streams that `h2` may reset for breaking its rules, or refuse, over the life of a connection (CVE-2025-8671).
pub(super) const LOCAL_RESETS_MAX: usize = 1024;

/// Frames without a request or a body in them that a client may send at once: PING and SETTINGS each demand an answer,
/// WINDOW_UPDATE, PRIORITY and unknown ones cost time (CVE-2019-9511 to 9517).
pub(super) const CONTROL_FRAMES_MAX: u64 = 1000;

/// How many of them are forgiven a second.
const CONTROL_FRAMES_PER_SECOND: u64 = 100;

/// How many of them are forgiven for an answered request.
const CONTROL_FRAMES_PER_ANSWER: u64 = 8;

/// One of them is forgiven for so many bytes that were taken or sent: some clients open both windows for every frame.
const BYTES_PER_CONTROL_FRAME: u64 = 2048;

/// DATA frames without data, but for a stream's last, over the life of a connection (CVE-2019-9518). `h2` itself ends
/// the connection at 100, without telling why.
pub(super) const EMPTY_FRAMES_MAX: u32 = 90;

/// Streams that may be reset because their windows stayed shut, over the life of a connection. A browser does that to
/// the few films that it has paused.
const STALLS_MAX: u32 = 16;

/// CONTINUATION frames of a field block beyond those that its largest size needs (CVE-2024-27316).
const CONTINUATIONS_EXTRA_MAX: usize = 4;

/// The largest frame that every peer takes, in bytes (RFC 9113 section 4.2).
const FRAME_BYTES: usize = 16 * 1024;

/// The client's connection preface (RFC 9113 section 3.4): no frame.
const PREFACE_BYTES: usize = 24;

/// Bytes in front of each frame.
const FRAME_HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const FLAG_END_STREAM: u8 = 0x1;
const FLAG_END_HEADERS: u8 = 0x4;

/// What has come in on one connection.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes of the current frame, or of the preface, that are still to come.
    payload_left: usize,
    head: [u8; FRAME_HEAD_BYTES],
    head_filled: usize,
    kind: u8,
    /// A field block has begun; the second says whether it ends with the current frame.
    block: Option<(u32, bool)>,
    trailers: Trailers,
    continuations_max: u32,
    /// Field blocks: requests, and a few trailers.
    blocks: usize,
    resets: u64,
    answers: u64,
    control_frames: u64,
    empty_frames: u32,
    stalls: u32,
    /// Bytes of bodies for which no frame was forgiven yet.
    bytes: u64,
    /// Up to when time was forgiven, in milliseconds.
    forgiven_ms: u64,
    tripped: Option<Protection>,
}

impl Meter {
    /// For a connection of this moment whose field blocks have at most so many bytes.
    pub(super) fn new(header_bytes_max: usize, now_ms: u64) -> Self {
        let continuations = header_bytes_max / FRAME_BYTES + CONTINUATIONS_EXTRA_MAX;
        Self {
            payload_left: PREFACE_BYTES,
            head: [0; FRAME_HEAD_BYTES],
            head_filled: 0,
            kind: SETTINGS,
            block: None,
            trailers: Trailers::new(),
            continuations_max: u32::try_from(continuations).unwrap_or(u32::MAX),
            blocks: 0,
            resets: 0,
            answers: 0,
            control_frames: 0,
            empty_frames: 0,
            stalls: 0,
            bytes: 0,
            forgiven_ms: now_ms,
            tripped: None,
        }
    }

    /// Looks at bytes that have come in.
    pub(super) fn received(&mut self, mut bytes: &[u8], now_ms: u64) {
        loop {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            if self.trailers.payload(&bytes[..skipped]) {
                self.trip(Protection::Malformed);
            }
            bytes = &bytes[skipped..];
            if self.payload_left == 0 && matches!(self.block, Some((_, true))) {
                self.block = None;
            }
            if bytes.is_empty() {
                return;
            }
            let taken = (FRAME_HEAD_BYTES - self.head_filled).min(bytes.len());
            self.head[self.head_filled..][..taken].copy_from_slice(&bytes[..taken]);
            self.head_filled += taken;
            bytes = &bytes[taken..];
            if self.head_filled == FRAME_HEAD_BYTES {
                self.head_filled = 0;
                self.frame(now_ms);
            }
        }
    }

    fn frame(&mut self, now_ms: u64) {
        let [high, middle, low, kind, flags, stream @ ..] = self.head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.payload_left = length;
        self.kind = kind;
        match kind {
            // The highest bit is reserved.
            HEADERS => self.trailers.headers(u32::from_be_bytes(stream) & 0x7fff_ffff, flags, length),
            CONTINUATION => self.trailers.continuation(length),
            _ => self.trailers.other(),
        }
        match kind {
            DATA if length > 0 => self.moved(length),
            DATA if flags & FLAG_END_STREAM != 0 => {}
            DATA => {
                self.empty_frames += 1;
                if self.empty_frames > EMPTY_FRAMES_MAX {
                    self.trip(Protection::EmptyFrames);
                }
            }
            HEADERS => {
                self.blocks += 1;
                self.block = Some((0, flags & FLAG_END_HEADERS != 0));
            }
            CONTINUATION => {
                let count = self.block.map_or(0, |(count, _)| count) + 1;
                self.block = Some((count, flags & FLAG_END_HEADERS != 0));
                if count > self.continuations_max {
                    self.trip(Protection::Continuation);
                }
            }
            RST_STREAM => {
                self.resets += 1;
                if self.resets > RESETS_MAX + self.answers {
                    self.trip(Protection::RapidReset);
                }
            }
            // Answers to our own SETTINGS and PING too: there is hardly ever one to answer.
            _ => self.control_frame(now_ms),
        }
    }

    fn control_frame(&mut self, now_ms: u64) {
        self.control_frames += 1;
        if self.control_frames <= CONTROL_FRAMES_MAX {
            return;
        }
        let forgiven = now_ms.saturating_sub(self.forgiven_ms).saturating_mul(CONTROL_FRAMES_PER_SECOND) / 1000;
        if forgiven > 0 {
            self.forgiven_ms = now_ms;
            self.forgive(forgiven);
        }
        if self.control_frames > CONTROL_FRAMES_MAX {
            self.trip(Protection::ControlFrames);
        }
    }

    fn forgive(&mut self, frames: u64) {
        self.control_frames = self.control_frames.saturating_sub(frames);
    }

    /// A request was answered to the end.
    pub(super) fn answered(&mut self) {
        self.answers += 1;
        self.forgive(CONTROL_FRAMES_PER_ANSWER);
    }

    /// A stream was reset because its window stayed shut.
    pub(super) fn stalled(&mut self) {
        self.stalls += 1;
        if self.stalls > STALLS_MAX {
            self.trip(Protection::WindowStall);
        }
    }

    /// Bytes were taken or sent.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.bytes >= BYTES_PER_CONTROL_FRAME {
            self.forgive(self.bytes / BYTES_PER_CONTROL_FRAME);
            self.bytes %= BYTES_PER_CONTROL_FRAME;
        }
    }

    fn trip(&mut self, reason: Protection) {
        self.tripped.get_or_insert(reason);
    }

    /// What the client is cut for, once it has gone too far.
    pub(super) const fn tripped(&self) -> Option<Protection> {
        self.tripped
    }

    /// Whether a field block has begun and not ended: nothing else can come on the connection until it does.
    pub(super) const fn is_in_block(&self) -> bool {
        self.block.is_some()
    }

    /// What `h2` most likely means when it finds the client excessive by its own measures: it does not say. What came
    /// last tells little of a flood of several kinds, which has been read further than `h2` has looked.
    pub(super) const fn likely(&self) -> Protection {
        match self.kind {
            DATA => Protection::EmptyFrames,
            CONTINUATION => Protection::HeaderList,
            _ if self.resets > self.blocks as u64 / 2 => Protection::RapidReset,
            HEADERS if self.blocks <= LOCAL_RESETS_MAX => Protection::HeaderList,
            _ => Protection::InducedReset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const STREAM: [u8; 4] = [0, 0, 0, 1];

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags];
        bytes.extend(STREAM);
        bytes.extend(std::iter::repeat_n(0, usize::from(length)));
        bytes
    }

    fn begun() -> Meter {
        let mut meter = Meter::new(32 * 1024, 0);
        meter.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0);
        meter
    }

    fn frames_until_trip(meter: &mut Meter, bytes: &[u8]) -> (u64, Protection) {
        for count in 1..100_000 {
            meter.received(bytes, 0);
            if let Some(reason) = meter.tripped() {
                return (count, reason);
            }
        }
        panic!("never");
    }

    #[test]
    fn each_flood_is_found() {
        for (kind, flags, length, count, reason) in [
            (PING, 1, 8, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (PING, 0, 8, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (SETTINGS, 0, 0, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (2, 0, 5, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (8, 0, 4, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (200, 0, 0, CONTROL_FRAMES_MAX + 1, Protection::ControlFrames),
            (RST_STREAM, 0, 4, RESETS_MAX + 1, Protection::RapidReset),
            (DATA, 0, 0, u64::from(EMPTY_FRAMES_MAX) + 1, Protection::EmptyFrames),
            (CONTINUATION, 0, 0, 7, Protection::Continuation),
        ] {
            assert_eq!(frames_until_trip(&mut begun(), &frame(kind, flags, length)), (count, reason), "{kind}");
        }
    }

    #[test]
    fn what_a_client_gets_done_is_in_its_favour() {
        let mut meter = begun();
        for _ in 0..100 {
            (0..400).for_each(|_| meter.received(&frame(8, 0, 4), 0));
            meter.moved(400 * 2048);
            (0..8).for_each(|_| meter.received(&frame(PING, 0, 8), 0));
            meter.received(&frame(RST_STREAM, 0, 4), 0);
            meter.received(&frame(RST_STREAM, 0, 4), 0);
            meter.answered();
        }
        assert_eq!(meter.tripped(), None);
        let mut slow = begun();
        for second in 0..100 {
            (0..100).for_each(|_| slow.received(&frame(PING, 0, 8), second * 1000));
        }
        assert_eq!(slow.tripped(), None);
    }

    #[test]
    fn frames_are_found_wherever_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for _ in 0..=RESETS_MAX {
            bytes.extend(frame(HEADERS, FLAG_END_HEADERS, 30));
            bytes.extend(frame(DATA, 0, 7));
            bytes.extend(frame(RST_STREAM, 0, 4));
        }
        for step in 1..40 {
            let mut meter = Meter::new(32 * 1024, 0);
            // All but the last byte of the last frame's head, and its payload.
            let (before, last) = bytes.split_at(bytes.len() - 5);
            before.chunks(step).for_each(|piece| meter.received(piece, 0));
            assert_eq!(meter.tripped(), None, "{step}");
            meter.received(last, 0);
            assert_eq!(meter.tripped(), Some(Protection::RapidReset), "{step}");
        }
    }

    #[test]
    fn what_h2_found_is_told_by_what_there_was_most_of() {
        let headers = frame(HEADERS, FLAG_END_HEADERS, 30);
        let reset = frame(RST_STREAM, 0, 4);
        let window = frame(8, 0, 4);
        for (frames, times, expected) in [
            (vec![&headers], 1, Protection::HeaderList),
            (vec![&headers], LOCAL_RESETS_MAX + 1, Protection::InducedReset),
            (vec![&headers, &window], 500, Protection::InducedReset),
            (vec![&headers, &reset], 150, Protection::RapidReset),
            (vec![&reset, &headers], 150, Protection::RapidReset),
        ] {
            let mut meter = begun();
            (0..times).for_each(|_| frames.iter().for_each(|frame| meter.received(frame, 0)));
            assert_eq!(meter.likely(), expected);
        }
    }

    #[test]
    fn trailers_that_begin_with_a_pseudo_field_are_malformed_wherever_they_are_cut() {
        let head = |kind, flags, length| frame(kind, flags, length)[..FRAME_HEAD_BYTES].to_vec();
        let request = [head(HEADERS, FLAG_END_HEADERS, 3), b"\x82\x87\x84".to_vec(), frame(DATA, 0, 7)].concat();
        for (block, expected) in [(b"\x40\x02:a\x00", Some(Protection::Malformed)), (b"\x40\x02xa\x00", None)] {
            let trailers = [head(HEADERS, 0, 1), block[..1].to_vec(), head(CONTINUATION, FLAG_END_HEADERS, 4)].concat();
            let bytes = [&request[..], &trailers, &block[1..]].concat();
            for cut in 1..bytes.len() {
                let mut meter = begun();
                meter.received(&bytes[..cut], 0);
                meter.received(&bytes[cut..], 0);
                assert_eq!(meter.tripped(), expected, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_field_block_is_open_until_its_last_byte() {
        let mut meter = begun();
        let head = frame(HEADERS, 0, 3);
        meter.received(&head[..10], 0);
        assert!(meter.is_in_block());
        meter.received(&head[10..], 0);
        assert!(meter.is_in_block(), "more frames of it must follow");
        let end = frame(CONTINUATION, FLAG_END_HEADERS, 3);
        meter.received(&end[..end.len() - 1], 0);
        assert!(meter.is_in_block());
        meter.received(&end[end.len() - 1..], 0);
        assert!(!meter.is_in_block());
    }
}
