//! The frames of a connection, read in pieces of any size.

use std::io::IoSliceMut;

use super::header::{self, Flaw};
use super::layout::{END, HEAD, HEADER};
use super::methods;

/// The bytes that were read from a connection, and how far they were checked.
///
/// Method and content header frames are held back until they are complete. All other frames pass
/// through as they arrive. So at most one frame is held back, of at most [`LARGEST`] bytes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Its whole length is available; only `start..end` is in use.
    buffer: Vec<u8>,
    /// `start..checked` may be handed out.
    start: usize,
    /// `checked..end` was not checked yet.
    checked: usize,
    end: usize,
    /// The bytes still to come of a frame that passes through.
    passing: usize,
    /// The bytes still to come of a frame that was replaced before it was complete.
    dropping: usize,
    /// The size of the incomplete frame that is held back, or 0 if it is not known.
    gathering: usize,
}

impl Frames {
    /// Whether there is something to hand out.
    pub(crate) fn is_ready(&self) -> bool {
        self.start < self.checked
    }

    /// The space to read into, which is never empty. Call it only when there is nothing to hand
    /// out.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.checked) = (0, 0);
        // This is more than what is held back, which is less than the frame being gathered, or
        // less than the head of a frame.
        let room = self.gathering.max(ROOM);
        if self.buffer.len() != room {
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room);
        }
        &mut self.buffer[self.end..]
    }

    /// Checks `bytes` further bytes, which were read into [`space`](Self::space).
    pub(crate) fn read(&mut self, bytes: usize) {
        self.end += bytes;
        self.gathering = 0;
        while self.check_next() {}
    }

    /// Copies as much of what may be handed out as fits, and returns how many bytes that was.
    pub(crate) fn hand_out(&mut self, buffers: &mut [IoSliceMut<'_>]) -> usize {
        let before = self.start;
        for buffer in buffers {
            let bytes = buffer.len().min(self.checked - self.start);
            let from = &self.buffer[self.start..self.start + bytes];
            buffer[..bytes].copy_from_slice(from);
            self.start += bytes;
        }
        self.start - before
    }

    /// Checks one frame. Returns `false` if more of it must arrive first.
    fn check_next(&mut self) -> bool {
        self.drop_rest();
        let passed = self.passing.min(self.end - self.checked);
        self.checked += passed;
        self.passing -= passed;
        let ahead = &mut self.buffer[self.checked..self.end];
        let Some(&[kind, _, _, a, b, c, d]) = ahead.first_chunk::<HEAD>() else {
            return false;
        };
        let payload = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let size = payload.saturating_add(HEAD + 1);
        match kind {
            HEADER if size > LARGEST => {
                let enough = HEAD + header::START + 1;
                if ahead.len() < enough {
                    return false;
                }
                self.dropping = size;
                self.replace(enough, Flaw::Size);
            }
            // Methods that have to be checked are never this large.
            METHOD if size > ROOM => self.passing = size,
            HEADER | METHOD if ahead.len() < size => {
                self.gathering = size;
                return false;
            }
            // The end octet is wrong, so lapin refuses the frame itself.
            HEADER | METHOD if ahead[size - 1] != END => self.passing = size,
            HEADER => match header::check(&ahead[HEAD..size - 1]) {
                Ok(()) => self.checked += size,
                Err(flaw) => self.replace(size, flaw),
            },
            METHOD => {
                methods::repair(&mut ahead[HEAD..size - 1]);
                self.checked += size;
            }
            // Not a frame: a broker that speaks another version answers with its protocol header.
            PROTOCOL => self.passing = PROTOCOL_SIZE,
            _ => self.passing = size,
        }
        true
    }

    /// Replaces a content header, of which `arrived` bytes are in the buffer, by one that can be
    /// read.
    fn replace(&mut self, arrived: usize, flaw: Flaw) {
        let frame = self.checked..self.checked + arrived;
        let instead = header::instead_of(&self.buffer[frame.clone()], flaw);
        self.checked += instead.len();
        self.end = self.end - arrived + instead.len();
        self.dropping = self.dropping.saturating_sub(arrived);
        self.buffer.splice(frame, instead);
    }

    fn drop_rest(&mut self) {
        let dropped = self.dropping.min(self.end - self.checked);
        if dropped > 0 {
            let rest = self.checked + dropped..self.end;
            self.buffer.copy_within(rest, self.checked);
            self.end -= dropped;
            self.dropping -= dropped;
        }
    }
}

/// The sanitized form of a stream that arrives in pieces of this size.
#[cfg(any(test, feature = "__internals"))]
pub(crate) fn sift(stream: &[u8], piece: usize) -> Vec<u8> {
    let (mut frames, mut out) = (Frames::default(), Vec::new());
    for mut piece in stream.chunks(piece.max(1)) {
        while !piece.is_empty() {
            let space = frames.space();
            let read = piece.len().min(space.len());
            space[..read].copy_from_slice(&piece[..read]);
            piece = &piece[read..];
            frames.read(read);
            while frames.is_ready() {
                // Two buffers, as lapin reads.
                let (mut one, mut two) = ([0; 61], [0; 173]);
                let buffers = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
                let bytes = frames.hand_out(buffers);
                out.extend([&one[..], &two[..]].concat().iter().take(bytes));
            }
        }
    }
    out
}

const METHOD: u8 = 1;
const PROTOCOL: u8 = b'A';

/// `AMQP` and its version.
const PROTOCOL_SIZE: usize = 8;

/// The most bytes that are read at once.
const ROOM: usize = 64 * 1024;

/// A larger content header is not checked, and counts as unreadable. RabbitMQ's frames are at most
/// 128 KiB by default.
const LARGEST: usize = 1024 * 1024;
