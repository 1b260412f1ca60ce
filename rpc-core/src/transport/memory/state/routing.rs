//! How messages are routed: to a queue, to a consumer, or back to their caller.

use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;
use serde_json::json;
use tokio::time::Instant;

use super::{BrokerState, ChannelEntry, ConnectionId, Refusal, Routed, Unsettled};
use crate::transport::memory::arguments::Overflow;
use crate::transport::memory::consumers::ChannelId;
use crate::transport::memory::queue::{Handout, Queue, QueueId, whole_milliseconds};
use crate::transport::memory::queues::ReplyQueues;
use crate::transport::{Receipt, TakeReply};
use crate::wire::header_table::{self, HeaderTable};
use crate::wire::headers::DEATH_REASON;
use crate::wire::message::{Delivery, Incoming, Message, unix_millis};

impl BrokerState {
    /// Routes a call, or returns it to the channel that sent it.
    pub(in crate::transport::memory) fn call(
        &mut self,
        (connection, reply_queue): (ConnectionId, &str),
        queue: &str,
        call: Message,
        now: Instant,
    ) -> Result<Routed<()>, Refusal> {
        if !self.connections.contains_key(&connection) {
            return Err(Refusal::Closed);
        }
        if self.blocked.is_some() {
            return Ok(Routed::Blocked(Box::new(call)));
        }
        if let Some(id) = self.queues.id(queue) {
            self.enqueue(id, call, now);
        } else if let Some(other) = self.queues.replies.get(queue) {
            other.send(None, Incoming::Reply(call));
        } else if let Some(own) = self.queues.replies.get(reply_queue) {
            own.send(None, Incoming::Returned(call));
        }
        Ok(Routed::Done(()))
    }

    /// Routes a call and reports what became of it.
    pub(in crate::transport::memory) fn confirm(
        &mut self,
        connection: ConnectionId,
        queue: &str,
        call: Message,
        now: Instant,
    ) -> Result<Routed<Receipt>, Refusal> {
        if !self.connections.contains_key(&connection) {
            return Err(Refusal::Closed);
        }
        if self.blocked.is_some() {
            return Ok(Routed::Blocked(Box::new(call)));
        }
        Ok(Routed::Done(self.offer(queue, call, now)))
    }

    fn offer(&mut self, queue: &str, message: Message, now: Instant) -> Receipt {
        match self.queues.id(queue) {
            None => Receipt::Unroutable,
            Some(id) if self.enqueue(id, message, now) => Receipt::Taken,
            Some(_) => Receipt::Refused,
        }
    }

    /// Routes a message that a server puts into a queue, and reports what became of it.
    pub(in crate::transport::memory) fn place(
        &mut self,
        channel: ChannelId,
        queue: &str,
        message: Message,
    ) -> Result<Receipt, Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        Ok(self.offer(queue, message, Instant::now()))
    }

    /// Routes a reply. It is dropped if no queue takes it. If this returns a function, the caller
    /// must release the lock and pass it the message.
    pub(in crate::transport::memory) fn reply(
        &mut self,
        channel: ChannelId,
        queue: &str,
        message: Message,
    ) -> Result<Option<(TakeReply, Message)>, Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        if let Some(caller) = self.queues.replies.get(queue) {
            // Once a fault was requested, replies may be delayed. From then on all of them go
            // through the stream, which keeps their order.
            if let Some(take) = caller.take.as_ref().filter(|_| !self.faults.any) {
                return Ok(Some((Arc::clone(take), message)));
            }
            let due = Some(self.faults.delay)
                .filter(|delay| !delay.is_zero())
                .and_then(|delay| Instant::now().checked_add(delay));
            for _ in 0..self.faults.next_copies() {
                caller.send(due, Incoming::Reply(message.clone()));
            }
        } else {
            self.offer(queue, message, Instant::now());
        }
        Ok(None)
    }

    pub(in crate::transport::memory) fn ack(
        &mut self,
        channel: ChannelId,
        tag: u64,
    ) -> Result<(), Refusal> {
        let settled = self.settle(channel, tag)?;
        self.run_if_ready(settled.queue);
        Ok(())
    }

    pub(in crate::transport::memory) fn reject(
        &mut self,
        channel: ChannelId,
        tag: u64,
    ) -> Result<(), Refusal> {
        let settled = self.settle(channel, tag)?;
        if let Some(queue) = self.queues.methods.get(&settled.queue) {
            let message = settled.held.message;
            bounce(&self.queues.replies, message, "rejected", queue.name());
        }
        self.run_if_ready(settled.queue);
        Ok(())
    }

    pub(in crate::transport::memory) fn requeue(
        &mut self,
        channel: ChannelId,
        tag: u64,
    ) -> Result<(), Refusal> {
        let settled = self.settle(channel, tag)?;
        if let Some(queue) = self.queues.methods.get_mut(&settled.queue) {
            queue.requeue(settled.position, settled.held);
        }
        self.run_if_ready(settled.queue);
        Ok(())
    }

    /// Expires the messages and queues that are due, and returns when the next ones will be.
    pub(in crate::transport::memory) fn ring(&mut self, now: Instant) -> Option<Instant> {
        while let Some(id) = self.queues.alarms.take(now) {
            let queue = self.queues.methods.get(&id);
            if queue.is_some_and(|queue| queue.outlived(now)) {
                self.queues.remove(id);
            } else {
                self.run(id, now);
            }
        }
        self.queues.alarms.next()
    }

    /// Brings a queue to rest after one of its messages was settled.
    fn run_if_ready(&mut self, id: QueueId) {
        let is_ready = |queue: &Queue| queue.depth() > 0;
        if self.queues.methods.get(&id).is_some_and(is_ready) {
            self.run(id, Instant::now());
        }
    }

    /// Brings a queue to rest, after any change of its head, its length or its consumers.
    pub(super) fn run(&mut self, id: QueueId, now: Instant) {
        let Some(queue) = self.queues.methods.get_mut(&id) else {
            return;
        };
        if queue.abandoned() {
            self.queues.remove(id);
            return;
        }
        while let Some(message) = queue.overflow() {
            bounce(&self.queues.replies, message, "maxlen", queue.name());
        }
        loop {
            while let Some(message) = queue.expire(now) {
                bounce(&self.queues.replies, message, "expired", queue.name());
            }
            let Some(handout) = queue.hand_out() else {
                break;
            };
            deliver(&mut self.channels, id, handout);
        }
        if let Some(due) = queue.due() {
            self.queues.alarms.set(id, due);
        }
    }

    /// Returns whether the queue took the message, which is what RabbitMQ confirms.
    fn enqueue(&mut self, id: QueueId, message: Message, now: Instant) -> bool {
        let Some(queue) = self.queues.methods.get_mut(&id) else {
            return false;
        };
        match queue.refuses(message.body.len()) {
            None | Some(Overflow::DropHead) => {}
            Some(Overflow::RejectPublish) => return false,
            Some(Overflow::RejectPublishDeadLetter) => {
                bounce(&self.queues.replies, message, "maxlen", queue.name());
                return false;
            }
        }
        if let Some(handout) = queue.push(message, now) {
            deliver(&mut self.channels, id, handout);
        } else {
            self.run(id, now);
        }
        true
    }

    /// An unknown tag closes the channel.
    fn settle(&mut self, channel: ChannelId, tag: u64) -> Result<Unsettled, Refusal> {
        let open = self.channels.get_mut(&channel).ok_or(Refusal::Closed)?;
        let Some(settled) = open.unsettled.remove(&tag) else {
            self.close_channel(channel, Instant::now());
            let reason = format!("PRECONDITION_FAILED - unknown delivery tag {tag}");
            return Err(Refusal::Because(reason));
        };
        if let Some(queue) = self.queues.methods.get_mut(&settled.queue) {
            queue.settled(settled.consumer);
        }
        Ok(settled)
    }
}

fn deliver(channels: &mut FxHashMap<ChannelId, ChannelEntry>, queue: QueueId, handout: Handout) {
    // Both exist: a consumer leaves its queue before its subscription and its channel are removed.
    let Some(channel) = channels.get_mut(&handout.channel) else {
        return;
    };
    let Some(subscription) = channel.subscriptions.get(&handout.consumer) else {
        return;
    };
    channel.tags += 1;
    let delivery = Delivery {
        message: handout.held.message.clone(),
        redelivered: handout.held.redelivered,
        tag: channel.tags,
    };
    (subscription.take)(Some(delivery));
    let unsettled = Unsettled {
        queue,
        consumer: handout.consumer,
        position: handout.position,
        held: handout.held,
    };
    channel.unsettled.insert(channel.tags, unsettled);
}

/// Sends a message through the dead-letter exchange, which routes to callers by the header `From`.
fn bounce(reply_queues: &ReplyQueues, mut message: Message, reason: &str, queue: &str) {
    let from = message.from.as_deref();
    let Some(caller) = from.and_then(|from| reply_queues.get(from)) else {
        return;
    };
    // The expiration is removed. Otherwise the message could expire again on its way back.
    let expiration = message.expiration.take().map(|expiration| {
        let milliseconds = whole_milliseconds(expiration).as_millis();
        milliseconds.to_string()
    });
    add_death(&mut message, reason, queue, expiration);
    caller.send(None, Incoming::Reply(message));
}

fn add_death(message: &mut Message, reason: &str, queue: &str, expiration: Option<String>) {
    let mut death = json!({
        "count": 1,
        "reason": reason,
        "queue": queue,
        "time": unix_millis(SystemTime::now()) / 1000,
        "exchange": "",
        "routing-keys": [queue],
    });
    if let (Some(expiration), Some(death)) = (expiration, death.as_object_mut()) {
        death.insert("original-expiration".to_owned(), expiration.into());
    }
    let earlier = message.extras.reserved.without(&["x-death"]);
    let mut reserved = earlier.as_bytes().to_vec();
    header_table::push(&mut reserved, "x-death", &json!([death]));
    // As in RabbitMQ, a caller's own headers of these names are kept.
    if earlier.get(DEATH_REASON).is_none() {
        for (name, value) in [
            ("x-first-death-exchange", ""),
            ("x-first-death-queue", queue),
            (DEATH_REASON, reason),
        ] {
            header_table::push(&mut reserved, name, &value.into());
        }
    }
    message.extras.reserved = HeaderTable::of_fields(reserved);
}
