//! Puts the messages of a connection together, from their methods, headers and bodies.

use std::mem;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tracing::debug;

use super::layout::START;
use super::methods::{self, Method};
use super::violation::Violation;
use crate::transport::amqp::taps::{Returned, TakeDelivery, TakeReturned, Taps};
use crate::wire::flaw::Flaw;
use crate::wire::inbound::{self, largest_body};
use crate::wire::message::{Delivery, Message};
use crate::wire::size_limit::TooLarge;

/// The messages of which some part has arrived: at most one for each channel.
#[derive(Debug)]
pub(super) struct Assembly {
    taps: Arc<Taps>,
    partial: FxHashMap<u16, Partial>,
}

/// A message of which some part has arrived.
#[derive(Debug)]
struct Partial {
    receiver: Receiver,
    /// Set with the content header.
    message: Option<Message>,
    body: Vec<u8>,
    /// How many bytes of the body are still to come.
    left: u64,
}

/// Who gets a message.
enum Receiver {
    Consumer {
        take: TakeDelivery,
        tag: u64,
        redelivered: bool,
    },
    Publisher {
        take: TakeReturned,
        queue: String,
    },
    /// Its subscription or its channel has just ended.
    Nobody,
}

impl Assembly {
    pub(super) fn new(taps: Arc<Taps>) -> Self {
        Self {
            taps,
            partial: FxHashMap::default(),
        }
    }

    /// Looks at a method. Returns whether it announces a message, and so is not for lapin.
    pub(super) fn method(&mut self, channel: u16, payload: &mut [u8]) -> Result<bool, Violation> {
        let receiver = match methods::parse(payload) {
            Some(Method::Deliver {
                consumer,
                tag,
                redelivered,
            }) => match self.taps.consumer(consumer) {
                Some(take) => Receiver::Consumer {
                    take,
                    tag,
                    redelivered,
                },
                None => Receiver::Nobody,
            },
            Some(Method::Return { routing_key }) => match self.taps.publisher(channel) {
                Some(take) => Receiver::Publisher {
                    take,
                    queue: String::from_utf8_lossy(routing_key).into_owned(),
                },
                None => Receiver::Nobody,
            },
            Some(Method::GetOk) => return Err(Violation("the broker sent an unasked message")),
            Some(Method::ChannelEnd) => {
                // Whatever has half arrived on it stays incomplete.
                self.partial.remove(&channel);
                methods::repair(payload);
                return Ok(false);
            }
            Some(Method::Start { version }) => {
                if let Some((major, minor)) = version {
                    self.taps.set_broker(major, minor);
                }
                return Ok(false);
            }
            Some(Method::Other) => {
                if self.partial.contains_key(&channel) {
                    return Err(INTERRUPTED);
                }
                methods::repair(payload);
                return Ok(false);
            }
            None => return Err(Violation("the broker sent a method that is too short")),
        };
        let partial = Partial {
            receiver,
            message: None,
            body: Vec::new(),
            left: 0,
        };
        match self.partial.insert(channel, partial) {
            None => Ok(true),
            Some(_) => Err(INTERRUPTED),
        }
    }

    /// Takes a content header.
    pub(super) fn header(&mut self, channel: u16, payload: &[u8]) -> Result<(), Violation> {
        let (body_size, properties) = split(payload)?;
        self.begin_body(channel, body_size, inbound::read(properties))
    }

    /// Takes the start of a content header that is too large to be read.
    pub(super) fn too_large_header(&mut self, channel: u16, start: &[u8]) -> Result<(), Violation> {
        let (body_size, _) = split(start)?;
        let mut message = inbound::unreadable(Flaw::Size, &[]);
        if let Some(unreadable) = &mut message.extras.unreadable {
            // Nobody has looked.
            unreadable.may_have_died = true;
        }
        self.begin_body(channel, body_size, message)
    }

    fn begin_body(
        &mut self,
        channel: u16,
        body_size: u64,
        mut message: Message,
    ) -> Result<(), Violation> {
        let limit = largest_body(&message.kind, self.taps.limit);
        let size = usize::try_from(body_size).unwrap_or(usize::MAX);
        if size > limit {
            message.extras.too_large = Some(TooLarge { size, limit });
        }
        match self.partial.get_mut(&channel) {
            Some(partial) if partial.message.is_none() => {
                partial.message = Some(message);
                partial.left = body_size;
            }
            _ => return Err(UNANNOUNCED),
        }
        self.finish_if_complete(channel);
        Ok(())
    }

    /// Notes that a frame with a piece of a body begins.
    pub(super) fn begin_body_frame(&mut self, channel: u16) -> Result<(), Violation> {
        match self.partial.get(&channel) {
            Some(partial) if partial.message.is_some() => Ok(()),
            _ => Err(UNANNOUNCED),
        }
    }

    /// Takes a piece of a body.
    pub(super) fn body(&mut self, channel: u16, piece: &[u8]) -> Result<(), Violation> {
        let Some(partial) = self.partial.get_mut(&channel) else {
            return Err(UNANNOUNCED);
        };
        let is_kept =
            (partial.message.as_ref()).is_some_and(|message| message.extras.too_large.is_none());
        let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let Some(left) = partial.left.checked_sub(size) else {
            return Err(Violation(
                "the broker sent more of a body than it announced",
            ));
        };
        partial.left = left;
        if !is_kept {
            return Ok(());
        }
        if partial.body.capacity() == 0 {
            // One allocation for almost all bodies. A larger one grows as it arrives, whatever
            // size was announced.
            let announced = usize::try_from(left.saturating_add(size)).unwrap_or(usize::MAX);
            partial.body.reserve_exact(announced.min(AT_ONCE));
        }
        partial.body.extend_from_slice(piece);
        Ok(())
    }

    /// Hands a message over if all of it has arrived.
    pub(super) fn finish_if_complete(&mut self, channel: u16) {
        let Some(partial) = self
            .partial
            .get_mut(&channel)
            .filter(|partial| partial.left == 0)
        else {
            return;
        };
        let Some(mut message) = partial.message.take() else {
            return;
        };
        message.body = mem::take(&mut partial.body).into();
        let receiver = mem::replace(&mut partial.receiver, Receiver::Nobody);
        self.partial.remove(&channel);
        match receiver {
            Receiver::Consumer {
                take,
                tag,
                redelivered,
            } => take(Delivery {
                message,
                redelivered,
                tag,
            }),
            Receiver::Publisher { take, queue } => take(Returned { queue, message }),
            Receiver::Nobody => debug!(channel, "dropped a message whose receiver is gone"),
        }
    }
}

/// The size of the body, and the properties.
fn split(payload: &[u8]) -> Result<(u64, &[u8]), Violation> {
    let Some((start, properties)) = payload.split_first_chunk::<START>() else {
        return Err(Violation(
            "the broker sent a content header that is too short",
        ));
    };
    // After a class and a weight, which is always 0, of two bytes each.
    let [_, _, _, _, size @ ..] = *start;
    Ok((u64::from_be_bytes(size), properties))
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Consumer { .. } => "Consumer",
            Self::Publisher { .. } => "Publisher",
            Self::Nobody => "Nobody",
        })
    }
}

const INTERRUPTED: Violation = Violation("the broker interrupted a message");
const UNANNOUNCED: Violation =
    Violation("the broker sent a part of a message that it had not announced");

/// In bytes.
const AT_ONCE: usize = 1024 * 1024;
