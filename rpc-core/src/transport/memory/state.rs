//! Everything the broker knows, and how messages travel through it. All under one lock, so that each
//! operation happens at once as seen from all connections.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::arguments::Overflow;
use super::queue::{ChannelId, ConsumerId, Handout, Held, Position, Queue, whole_milliseconds};
use crate::message::{Delivery, FROM, Incoming, Message, unix_millis};
use crate::options::QueueOptions;
use crate::transport::Loss;

pub(super) struct State {
    running: bool,
    blocked: Option<String>,
    ids: u64,
    queue_ids: HashMap<String, QueueId>,
    queues: HashMap<QueueId, Queue>,
    reply_queues: HashMap<String, ReplyQueue>,
    connections: HashMap<ConnectionId, Connection>,
    channels: HashMap<ChannelId, Channel>,
    /// When to look at which queue; at most one entry for each, which may be early but never late.
    alarms: BTreeSet<(Instant, QueueId)>,
    /// Notified when the first alarm becomes an earlier one.
    alarm_moved: Arc<Notify>,
}

pub(super) type ConnectionId = u64;

/// Never reused, so that what was taken from a queue cannot get into a later one of the same name.
type QueueId = u64;

struct Connection {
    loss: watch::Sender<Option<Loss>>,
    reply_queues: Vec<String>,
    channels: Vec<ChannelId>,
}

/// A reply queue has one consumer, which takes everything at once and settles nothing: nothing ever
/// waits in it.
struct ReplyQueue {
    connection: ConnectionId,
    incoming: UnboundedSender<Incoming>,
}

/// A channel of a server.
struct Channel {
    connection: ConnectionId,
    subscriptions: HashMap<ConsumerId, Subscription>,
    unsettled: HashMap<u64, Unsettled>,
    tags: u64,
    /// Set before the subscriptions go, so that no delivery is taken that already belongs to another.
    ended: Arc<AtomicBool>,
}

struct Subscription {
    queue: QueueId,
    deliveries: UnboundedSender<Delivery>,
}

struct Unsettled {
    queue: QueueId,
    consumer: ConsumerId,
    position: Position,
    held: Held,
}

/// Why the broker did not do what a channel asked for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The channel or its connection is gone.
    Closed,
    /// The broker's reason. It has closed the channel, as it does after every error.
    Because(String),
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Published {
    Done,
    /// The broker takes none at the moment; here it is back.
    Blocked(Box<Message>),
}

impl State {
    pub(super) fn new(alarm_moved: Arc<Notify>) -> Self {
        Self {
            running: true,
            blocked: None,
            ids: 0,
            queue_ids: HashMap::new(),
            queues: HashMap::new(),
            reply_queues: HashMap::new(),
            connections: HashMap::new(),
            channels: HashMap::new(),
            alarms: BTreeSet::new(),
            alarm_moved,
        }
    }

    /// `None` while the broker is stopped.
    pub(super) fn connect(&mut self, loss: watch::Sender<Option<Loss>>) -> Option<ConnectionId> {
        if !self.running {
            return None;
        }
        let id = self.next_id();
        let connection = Connection {
            loss,
            reply_queues: Vec::new(),
            channels: Vec::new(),
        };
        self.connections.insert(id, connection);
        Some(id)
    }

    pub(super) fn open_calls(
        &mut self,
        connection: ConnectionId,
        reply_queue: String,
        incoming: UnboundedSender<Incoming>,
    ) -> Result<(), Refusal> {
        let open = self
            .connections
            .get_mut(&connection)
            .ok_or(Refusal::Closed)?;
        open.reply_queues.push(reply_queue.clone());
        let queue = ReplyQueue {
            connection,
            incoming,
        };
        self.reply_queues.insert(reply_queue, queue);
        Ok(())
    }

    pub(super) fn close_calls(&mut self, reply_queue: &str) {
        let Some(queue) = self.reply_queues.remove(reply_queue) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(&queue.connection) {
            connection.reply_queues.retain(|name| name != reply_queue);
        }
    }

    pub(super) fn open_channel(
        &mut self,
        connection: ConnectionId,
        ended: Arc<AtomicBool>,
    ) -> Result<ChannelId, Refusal> {
        let id = self.next_id();
        let open = self
            .connections
            .get_mut(&connection)
            .ok_or(Refusal::Closed)?;
        open.channels.push(id);
        let channel = Channel {
            connection,
            subscriptions: HashMap::new(),
            unsettled: HashMap::new(),
            tags: 0,
            ended,
        };
        self.channels.insert(id, channel);
        Ok(id)
    }

    pub(super) fn close_channel(&mut self, id: ChannelId, now: Instant) {
        let Some(channel) = self.channels.get(&id) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(&channel.connection) {
            connection.channels.retain(|other| *other != id);
        }
        self.close_channels(&[id], now);
    }

    pub(super) fn subscribe(
        &mut self,
        channel: ChannelId,
        name: &str,
        options: &QueueOptions,
        prefetch: u16,
        deliveries: UnboundedSender<Delivery>,
        now: Instant,
    ) -> Result<ConsumerId, Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        let queue = match self.declare(name, options, now) {
            Ok(queue) => queue,
            Err(reason) => {
                self.close_channel(channel, now);
                return Err(Refusal::Because(reason));
            }
        };
        let id = self.next_id();
        if let Some(channel) = self.channels.get_mut(&channel) {
            let subscription = Subscription { queue, deliveries };
            channel.subscriptions.insert(id, subscription);
        }
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.join(id, channel, prefetch);
        }
        self.run(queue, now);
        Ok(id)
    }

    /// Ends one subscription of a channel. What it delivered stays to be settled.
    pub(super) fn unsubscribe(&mut self, channel: ChannelId, id: ConsumerId, now: Instant) {
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        let Some(subscription) = open.subscriptions.remove(&id) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&subscription.queue) {
            queue.leave(id, now);
        }
        self.run(subscription.queue, now);
    }

    /// Ends all subscriptions of a channel.
    pub(super) fn cancel(&mut self, channel: ChannelId, now: Instant) {
        let Some(open) = self.channels.get(&channel) else {
            return;
        };
        let subscriptions: Vec<_> = open.subscriptions.keys().copied().collect();
        for id in subscriptions {
            self.unsubscribe(channel, id, now);
        }
    }

    /// Routes a call, or returns it to the channel it came from.
    pub(super) fn call(
        &mut self,
        reply_queue: &str,
        queue: &str,
        call: Message,
        now: Instant,
    ) -> Result<Published, Refusal> {
        let own = self.reply_queues.get(reply_queue).ok_or(Refusal::Closed)?;
        if self.blocked.is_some() {
            return Ok(Published::Blocked(Box::new(call)));
        }
        if let Some(id) = self.queue_ids.get(queue) {
            self.enqueue(*id, call, now);
        } else if let Some(other) = self.reply_queues.get(queue) {
            let _ = other.incoming.send(Incoming::Reply(call));
        } else {
            let _ = own.incoming.send(Incoming::Returned(call));
        }
        Ok(Published::Done)
    }

    /// Routes a message that is dropped if no queue takes it.
    pub(super) fn reply(
        &mut self,
        channel: ChannelId,
        queue: &str,
        message: Message,
        now: Instant,
    ) -> Result<(), Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        if let Some(caller) = self.reply_queues.get(queue) {
            let _ = caller.incoming.send(Incoming::Reply(message));
        } else if let Some(id) = self.queue_ids.get(queue) {
            self.enqueue(*id, message, now);
        }
        Ok(())
    }

    pub(super) fn ack(
        &mut self,
        channel: ChannelId,
        tag: u64,
        now: Instant,
    ) -> Result<(), Refusal> {
        let settled = self.settle(channel, tag, now)?;
        self.run(settled.queue, now);
        Ok(())
    }

    pub(super) fn reject(
        &mut self,
        channel: ChannelId,
        tag: u64,
        now: Instant,
    ) -> Result<(), Refusal> {
        let settled = self.settle(channel, tag, now)?;
        if let Some(queue) = self.queues.get(&settled.queue) {
            bounce(
                &self.reply_queues,
                settled.held.message,
                "rejected",
                queue.name(),
            );
        }
        self.run(settled.queue, now);
        Ok(())
    }

    pub(super) fn hand_back(
        &mut self,
        channel: ChannelId,
        queue: &str,
        delivery: Delivery,
        now: Instant,
    ) -> Result<(), Refusal> {
        let open = self.channels.get(&channel).ok_or(Refusal::Closed)?;
        // A tag that is wrong must not double the message.
        if open.unsettled.contains_key(&delivery.tag) {
            self.reply(channel, queue, delivery.message, now)?;
        }
        self.ack(channel, delivery.tag, now)
    }

    /// Ends connections. The messages they had not settled go to others.
    pub(super) fn disconnect(&mut self, ids: &[ConnectionId], reason: &str, now: Instant) {
        let ended: Vec<_> = ids
            .iter()
            .filter_map(|id| self.connections.remove(id))
            .collect();
        for name in ended.iter().flat_map(|connection| &connection.reply_queues) {
            self.reply_queues.remove(name);
        }
        let channels: Vec<_> = ended
            .iter()
            .flat_map(|connection| &connection.channels)
            .copied()
            .collect();
        self.close_channels(&channels, now);
        for connection in ended {
            connection.loss.send_replace(Some(Loss(reason.to_owned())));
        }
    }

    pub(super) fn disconnect_all(&mut self, reason: &str, now: Instant) {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        self.disconnect(&ids, reason, now);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.running = false;
        self.disconnect_all("the broker was stopped", now);
        let transient: Vec<_> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.durable())
            .map(|(id, _)| *id)
            .collect();
        for id in transient {
            self.remove(id);
        }
        let durable: Vec<_> = self.queues.keys().copied().collect();
        for id in durable {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.restart();
            }
            self.run(id, now);
        }
    }

    pub(super) fn start(&mut self) {
        self.running = true;
    }

    pub(super) fn block(&mut self, reason: Option<String>) {
        self.blocked = reason;
    }

    pub(super) fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    pub(super) fn depth(&self, queue: &str) -> Option<usize> {
        if self.reply_queues.contains_key(queue) {
            return Some(0);
        }
        let id = self.queue_ids.get(queue)?;
        self.queues.get(id).map(Queue::depth)
    }

    pub(super) fn queue_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .queue_ids
            .keys()
            .chain(self.reply_queues.keys())
            .cloned()
            .collect();
        names.sort_unstable();
        names
    }

    /// Lets messages and queues go whose time is over, and says when to come again.
    pub(super) fn ring(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&(at, id)) = self.alarms.first() {
            if at > now {
                return Some(at);
            }
            self.alarms.pop_first();
            let Some(queue) = self.queues.get_mut(&id) else {
                continue;
            };
            queue.alarm = None;
            if queue.outlived(now) {
                self.remove(id);
            } else {
                self.run(id, now);
            }
        }
        None
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn declare(
        &mut self,
        name: &str,
        options: &QueueOptions,
        now: Instant,
    ) -> Result<QueueId, String> {
        if self.reply_queues.contains_key(name) {
            return Err(format!(
                "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'"
            ));
        }
        if let Some(id) = self.queue_ids.get(name) {
            if let Some(queue) = self.queues.get_mut(id) {
                queue.redeclare(options, now)?;
            }
            return Ok(*id);
        }
        if name.starts_with("amq.") {
            return Err(format!(
                "ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"
            ));
        }
        let queue = Queue::declare(name, options, now)?;
        let id = self.next_id();
        self.queues.insert(id, queue);
        self.queue_ids.insert(name.to_owned(), id);
        Ok(id)
    }

    fn remove(&mut self, id: QueueId) {
        let Some(queue) = self.queues.remove(&id) else {
            return;
        };
        self.queue_ids.remove(queue.name());
        if let Some(at) = queue.alarm {
            self.alarms.remove(&(at, id));
        }
    }

    /// An unknown tag closes the channel.
    fn settle(&mut self, channel: ChannelId, tag: u64, now: Instant) -> Result<Unsettled, Refusal> {
        let open = self.channels.get_mut(&channel).ok_or(Refusal::Closed)?;
        let Some(settled) = open.unsettled.remove(&tag) else {
            self.close_channel(channel, now);
            let reason = format!("PRECONDITION_FAILED - unknown delivery tag {tag}");
            return Err(Refusal::Because(reason));
        };
        if let Some(queue) = self.queues.get_mut(&settled.queue) {
            queue.settled(settled.consumer);
        }
        Ok(settled)
    }

    fn enqueue(&mut self, id: QueueId, message: Message, now: Instant) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        match queue.refuses(message.body.len()) {
            None | Some(Overflow::DropHead) => {}
            Some(Overflow::RejectPublish) => return,
            Some(Overflow::RejectPublishDeadLetter) => {
                bounce(&self.reply_queues, message, "maxlen", queue.name());
                return;
            }
        }
        queue.push(message, now);
        // A consumer with free capacity takes it even if it expires at once. Then nothing else waits.
        if let Some(handout) = queue.hand_out() {
            deliver(&mut self.channels, id, handout);
        }
        self.run(id, now);
    }

    fn close_channels(&mut self, ids: &[ChannelId], now: Instant) {
        let closed: Vec<_> = ids
            .iter()
            .filter_map(|id| self.channels.remove(id))
            .collect();
        let mut touched = HashSet::new();
        // All consumers leave before any message returns, or it could go to one that is leaving too.
        for channel in &closed {
            channel.ended.store(true, Ordering::Release);
            for (id, subscription) in &channel.subscriptions {
                if let Some(queue) = self.queues.get_mut(&subscription.queue) {
                    queue.leave(*id, now);
                    touched.insert(subscription.queue);
                }
            }
        }
        for unsettled in closed
            .into_iter()
            .flat_map(|channel| channel.unsettled.into_values())
        {
            if let Some(queue) = self.queues.get_mut(&unsettled.queue) {
                queue.settled(unsettled.consumer);
                queue.requeue(unsettled.position, unsettled.held);
                touched.insert(unsettled.queue);
            }
        }
        for queue in touched {
            self.run(queue, now);
        }
    }

    /// Brings a queue to rest after anything that may have changed its head, its length or its
    /// consumers.
    fn run(&mut self, id: QueueId, now: Instant) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        // Whoever declares a queue consumes from it at once, so one without consumers has lost its last.
        if queue.abandoned() {
            self.remove(id);
            return;
        }
        while let Some(message) = queue.overflow() {
            bounce(&self.reply_queues, message, "maxlen", queue.name());
        }
        loop {
            while let Some(message) = queue.expire(now) {
                bounce(&self.reply_queues, message, "expired", queue.name());
            }
            let Some(handout) = queue.hand_out() else {
                break;
            };
            deliver(&mut self.channels, id, handout);
        }
        let due = queue.due();
        if let Some(at) = due.filter(|at| queue.alarm.is_none_or(|set| *at < set)) {
            if let Some(set) = queue.alarm.replace(at) {
                self.alarms.remove(&(set, id));
            }
            self.alarms.insert((at, id));
            if self.alarms.first() == Some(&(at, id)) {
                self.alarm_moved.notify_waiters();
            }
        }
    }
}

fn deliver(channels: &mut HashMap<ChannelId, Channel>, queue: QueueId, handout: Handout) {
    // Both are there: a consumer leaves its queue before its subscription and its channel go.
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
    let _ = subscription.deliveries.send(delivery);
    let unsettled = Unsettled {
        queue,
        consumer: handout.consumer,
        position: handout.position,
        held: handout.held,
    };
    channel.unsettled.insert(channel.tags, unsettled);
}

/// Sends a message through the dead-letter exchange, which knows callers by the header `From`.
fn bounce(
    reply_queues: &HashMap<String, ReplyQueue>,
    mut message: Message,
    reason: &str,
    queue: &str,
) {
    let from = message.headers.get(FROM).and_then(Value::as_str);
    let Some(caller) = from.and_then(|from| reply_queues.get(from)) else {
        return;
    };
    let mut death = json!({
        "count": 1,
        "reason": reason,
        "queue": queue,
        "time": unix_millis(SystemTime::now()) / 1000,
        "exchange": "",
        "routing-keys": [queue],
    });
    // The caller's queue must not lose what came back because its time was over.
    if let Some(expiration) = message.expiration.take() {
        let milliseconds = whole_milliseconds(expiration).as_millis();
        death["original-expiration"] = milliseconds.to_string().into();
    }
    message.headers.extend([
        ("x-death".to_owned(), json!([death])),
        ("x-first-death-exchange".to_owned(), "".into()),
        ("x-first-death-queue".to_owned(), queue.into()),
        ("x-first-death-reason".to_owned(), reason.into()),
    ]);
    let _ = caller.incoming.send(Incoming::Reply(message));
}
