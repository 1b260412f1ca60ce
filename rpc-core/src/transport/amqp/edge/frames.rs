//! The frames of a connection, read in pieces of any size.

use std::io::IoSliceMut;
use std::sync::Arc;

use super::assembly::Assembly;
use super::layout::{BODY, END, HEAD, HEADER, HEARTBEAT, METHOD, PROTOCOL, PROTOCOL_SIZE, START};
use super::violation::Violation;
use crate::transport::amqp::taps::Taps;

/// The bytes that were read from a connection, and how far they were looked at.
///
/// Methods and content headers are held back until they are complete. The bodies of messages are
/// taken as they arrive, and all other frames pass to lapin as they arrive. So at most one frame is
/// held back, of at most [`LARGEST`] bytes.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Its whole length is available. `start..passed` is for lapin, `next..end` was not looked at
    /// yet, and what is between the two was taken out.
    buffer: Vec<u8>,
    start: usize,
    passed: usize,
    next: usize,
    end: usize,
    within: Within,
    /// The size of the incomplete frame that is held back, or 0 if it is not known.
    gathering: usize,
    assembly: Assembly,
}

/// Where in the stream the next byte is.
#[derive(Clone, Copy, Debug)]
enum Within {
    /// At the start of a frame.
    Nothing,
    /// In a frame that passes to lapin: so many bytes are still to come.
    Passing(usize),
    /// In a frame of a message's body: so many bytes of its payload are still to come.
    Body { channel: u16, left: usize },
    /// In a content header that is too large to be read: so many bytes are still to come.
    Skipping(usize),
}

impl Frames {
    pub(in crate::transport::amqp) fn new(taps: Arc<Taps>) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            passed: 0,
            next: 0,
            end: 0,
            within: Within::Nothing,
            gathering: 0,
            assembly: Assembly::new(taps),
        }
    }

    /// Whether there is something to hand out.
    pub(crate) fn is_ready(&self) -> bool {
        self.start < self.passed
    }

    /// The space to read into, which is never empty. Call it only when there is nothing to hand
    /// out.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.next..self.end, 0);
        self.end -= self.next;
        (self.start, self.passed, self.next) = (0, 0, 0);
        // This is more than what is held back, which is less than the frame being gathered, or
        // less than the head of a frame.
        let room = self.gathering.max(ROOM);
        if self.buffer.len() != room {
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room);
        }
        &mut self.buffer[self.end..]
    }

    /// Looks at `bytes` further bytes, which were read into [`space`](Self::space).
    pub(crate) fn read(&mut self, bytes: usize) -> Result<(), Violation> {
        self.end += bytes;
        self.gathering = 0;
        while self.step()? {}
        Ok(())
    }

    /// Copies as much of what is for lapin as fits, and returns how many bytes that was.
    pub(crate) fn hand_out(&mut self, buffers: &mut [IoSliceMut<'_>]) -> usize {
        let before = self.start;
        for buffer in buffers {
            let bytes = buffer.len().min(self.passed - self.start);
            let from = &self.buffer[self.start..self.start + bytes];
            buffer[..bytes].copy_from_slice(from);
            self.start += bytes;
        }
        self.start - before
    }

    /// Puts a heartbeat in the place of what was taken out, if that is large enough.
    pub(super) fn stand_in(&mut self) {
        let gap = &mut self.buffer[self.passed..self.next];
        if let Some(place) = gap.first_chunk_mut() {
            *place = HEARTBEAT;
            self.passed += HEARTBEAT.len();
        }
    }

    /// Looks at a frame, or at the next piece of one. Returns `false` if more must arrive first.
    fn step(&mut self) -> Result<bool, Violation> {
        let arrived = self.end - self.next;
        match self.within {
            Within::Nothing => return self.begin(),
            _ if arrived == 0 => return Ok(false),
            Within::Passing(left) => {
                let passes = left.min(arrived);
                self.pass(passes);
                self.within = match left - passes {
                    0 => Within::Nothing,
                    left => Within::Passing(left),
                };
            }
            Within::Skipping(left) => {
                let skipped = left.min(arrived);
                self.next += skipped;
                self.within = match left - skipped {
                    0 => Within::Nothing,
                    left => Within::Skipping(left),
                };
            }
            Within::Body { channel, left: 0 } => {
                if self.buffer[self.next] != END {
                    return Err(NO_END);
                }
                self.next += 1;
                self.within = Within::Nothing;
                self.assembly.finish_if_complete(channel);
            }
            Within::Body { channel, left } => {
                let taken = left.min(arrived);
                let piece = &self.buffer[self.next..self.next + taken];
                self.assembly.body(channel, piece)?;
                self.next += taken;
                let left = left - taken;
                self.within = Within::Body { channel, left };
            }
        }
        Ok(true)
    }

    /// Looks at the start of a frame.
    fn begin(&mut self) -> Result<bool, Violation> {
        let ahead = &mut self.buffer[self.next..self.end];
        let Some(&[kind, high, low, a, b, c, d]) = ahead.first_chunk::<HEAD>() else {
            return Ok(false);
        };
        let channel = u16::from_be_bytes([high, low]);
        let payload = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let size = payload.saturating_add(HEAD + 1);
        match kind {
            BODY => {
                self.next += HEAD;
                let left = payload;
                self.assembly.begin_body_frame(channel)?;
                self.within = Within::Body { channel, left };
            }
            HEADER if size > LARGEST => {
                let Some(start) = ahead.get(HEAD..HEAD + START) else {
                    return Ok(false);
                };
                self.assembly.too_large_header(channel, start)?;
                self.within = Within::Skipping(size);
            }
            // Methods that matter here are never this large.
            METHOD if size > ROOM => self.within = Within::Passing(size),
            HEADER | METHOD if ahead.len() < size => {
                self.gathering = size;
                return Ok(false);
            }
            HEADER | METHOD if ahead[size - 1] != END => return Err(NO_END),
            HEADER => {
                self.assembly.header(channel, &ahead[HEAD..size - 1])?;
                self.next += size;
            }
            METHOD => {
                if self.assembly.method(channel, &mut ahead[HEAD..size - 1])? {
                    self.next += size;
                } else {
                    self.pass(size);
                }
            }
            PROTOCOL => self.within = Within::Passing(PROTOCOL_SIZE),
            _ => self.within = Within::Passing(size),
        }
        Ok(true)
    }

    /// Leaves the next bytes to lapin.
    fn pass(&mut self, bytes: usize) {
        if self.passed != self.next {
            let from = self.next..self.next + bytes;
            self.buffer.copy_within(from, self.passed);
        }
        self.passed += bytes;
        self.next += bytes;
    }
}

const NO_END: Violation = Violation("the broker sent a frame without its end byte");

/// The most bytes that are read at once.
const ROOM: usize = 64 * 1024;

/// A larger content header is not read, and counts as unreadable. RabbitMQ's frames are at most 128
/// KiB by default.
pub(super) const LARGEST: usize = 1024 * 1024;
