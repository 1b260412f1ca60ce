//! The frames of a connection as they come, in any pieces.

use std::io::IoSliceMut;

use super::header::{self, Flaw};
use super::layout::{END, HEAD, HEADER};
use super::methods;

/// What was read of a connection, and how far it was looked at.
///
/// Method and content header frames are gathered until they are whole; all others pass as they come. So what is held
/// back is one frame at the most, of [`LARGEST`] bytes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Its length is the room there is, most of it not in use.
    buffer: Vec<u8>,
    /// From here to `checked` all may be handed out, and from there to `end` it was not looked at.
    start: usize,
    checked: usize,
    end: usize,
    /// How much is still to come of a frame that passes.
    passing: usize,
    /// How much is still to come of a frame that was replaced before it was there.
    dropping: usize,
    /// The size of the frame that is being gathered, if it is known.
    gathering: usize,
}

impl Frames {
    /// Whether there is something to hand out.
    pub(crate) fn is_ready(&self) -> bool {
        self.start < self.checked
    }

    /// Where to read to; never empty. Only when there is nothing to hand out.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.checked) = (0, 0);
        // More than what is held back: that is less than the frame to be gathered, or than the head of one.
        let room = self.gathering.max(ROOM);
        if self.buffer.len() != room {
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room);
        }
        &mut self.buffer[self.end..]
    }

    /// So much was read.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.end += bytes;
        self.gathering = 0;
        while self.look_at_next() {}
    }

    /// Copies what may be handed out, as much as there is place for.
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

    /// Looks at one frame; `false` if more of it must come first.
    fn look_at_next(&mut self) -> bool {
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
            // The methods that are looked at are never so large.
            METHOD if size > ROOM => self.passing = size,
            HEADER | METHOD if ahead.len() < size => {
                self.gathering = size;
                return false;
            }
            // lapin takes no frame without its end.
            HEADER | METHOD if ahead[size - 1] != END => self.passing = size,
            HEADER => match header::check(&ahead[HEAD..size - 1]) {
                Ok(()) => self.checked += size,
                Err(flaw) => self.replace(size, flaw),
            },
            METHOD => {
                methods::mend(&mut ahead[HEAD..size - 1]);
                self.checked += size;
            }
            // Not a frame: a broker says so which protocol it speaks, if it is another one.
            PROTOCOL => self.passing = PROTOCOL_SIZE,
            _ => self.passing = size,
        }
        true
    }

    /// Puts a message that can be read in the place of a content header, of which so much is there.
    fn replace(&mut self, there: usize, flaw: Flaw) {
        let frame = self.checked..self.checked + there;
        let instead = header::instead_of(&self.buffer[frame.clone()], flaw);
        self.checked += instead.len();
        self.end = self.end - there + instead.len();
        self.dropping = self.dropping.saturating_sub(there);
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

/// All that comes out of a stream which comes in pieces of this size.
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
                // Two, as lapin reads.
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

/// What is read at once.
const ROOM: usize = 64 * 1024;

/// A content header beyond this size is not looked at, and counts as one that cannot be read. RabbitMQ's frames are of
/// 128 KiB at most unless it is configured otherwise.
const LARGEST: usize = 1024 * 1024;
