//! The whole state of the broker. One lock guards it, so that every operation is atomic for all
//! connections.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::consumers::{ChannelId, ConsumerId};
use super::faults::Faults;
use super::queue::{Held, Position, QueueId};
use super::queues::{Arriving, Queues, ReplyQueue};
use crate::transport::{Loss, TakeCall, TakeReply};
use crate::wire::message::{Incoming, Message};
use crate::wire::queue_options::QueueOptions;

mod routing;

#[derive(Debug)]
pub(super) struct BrokerState {
    running: bool,
    blocked: Option<String>,
    ids: u64,
    connections: FxHashMap<ConnectionId, ConnectionEntry>,
    channels: FxHashMap<ChannelId, ChannelEntry>,
    queues: Queues,
    faults: Faults,
}

pub(super) type ConnectionId = u64;

#[derive(Debug)]
struct ConnectionEntry {
    loss: watch::Sender<Option<Loss>>,
    reply_queues: Vec<String>,
    channels: Vec<ChannelId>,
}

/// A serving channel.
#[derive(Debug)]
struct ChannelEntry {
    connection: ConnectionId,
    subscriptions: FxHashMap<ConsumerId, Subscriber>,
    unsettled: FxHashMap<u64, Unsettled>,
    tags: u64,
    /// Set before the subscriptions end, so that the server takes no delivery that already belongs
    /// to another server.
    ended: Arc<AtomicBool>,
}

/// A subscription. It is told of its end when this is dropped.
struct Subscriber {
    queue: QueueId,
    take: TakeCall,
}

#[derive(Debug)]
struct Unsettled {
    queue: QueueId,
    consumer: ConsumerId,
    position: Position,
    held: Held,
}

/// Why the broker refused an operation.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The channel or its connection is gone.
    Closed,
    /// The broker's reason. The broker has closed the channel, as it does after every error.
    Because(String),
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Routed<T> {
    Done(T),
    /// The broker is blocked. Contains the call, to be tried again.
    Blocked(Box<Message>),
}

impl BrokerState {
    pub(super) fn new(alarm_moved: Arc<Notify>) -> Self {
        Self {
            running: true,
            blocked: None,
            ids: 0,
            connections: FxHashMap::default(),
            channels: FxHashMap::default(),
            queues: Queues::new(alarm_moved),
            faults: Faults::default(),
        }
    }

    /// `None` while the broker is stopped.
    pub(super) fn connect(&mut self, loss: watch::Sender<Option<Loss>>) -> Option<ConnectionId> {
        if !self.running {
            return None;
        }
        let id = self.next_id();
        let connection = ConnectionEntry {
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
        incoming: UnboundedSender<Arriving>,
    ) -> Result<(), Refusal> {
        let open = self
            .connections
            .get_mut(&connection)
            .ok_or(Refusal::Closed)?;
        open.reply_queues.push(reply_queue.clone());
        let replies = ReplyQueue::new(incoming);
        self.queues.replies.insert(reply_queue, replies);
        Ok(())
    }

    pub(super) fn shorten(&mut self, reply_queue: &str, take: TakeReply) {
        if let Some(replies) = self.queues.replies.get_mut(reply_queue) {
            replies.take = Some(take);
        }
    }

    pub(super) fn close_calls(&mut self, connection: ConnectionId, reply_queue: &str) {
        self.queues.replies.remove(reply_queue);
        if let Some(connection) = self.connections.get_mut(&connection) {
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
        let channel = ChannelEntry {
            connection,
            subscriptions: FxHashMap::default(),
            unsettled: FxHashMap::default(),
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

    pub(super) fn declare(
        &mut self,
        channel: ChannelId,
        name: &str,
        options: &QueueOptions,
        now: Instant,
    ) -> Result<(), Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        if let Err(reason) = self.queues.declare(name, options, now) {
            self.close_channel(channel, now);
            return Err(Refusal::Because(reason));
        }
        Ok(())
    }

    pub(super) fn subscribe(
        &mut self,
        channel: ChannelId,
        name: &str,
        prefetch: u16,
        take: TakeCall,
        now: Instant,
    ) -> Result<ConsumerId, Refusal> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::Closed);
        }
        let Some(queue) = self.queues.id(name) else {
            self.close_channel(channel, now);
            let reason = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
            return Err(Refusal::Because(reason));
        };
        let id = self.next_id();
        if let Some(channel) = self.channels.get_mut(&channel) {
            let subscription = Subscriber { queue, take };
            channel.subscriptions.insert(id, subscription);
        }
        if let Some(queue) = self.queues.methods.get_mut(&queue) {
            queue.join(id, channel, prefetch);
        }
        self.run(queue, now);
        Ok(id)
    }

    /// Ends one subscription of a channel. Its deliveries can still be settled.
    pub(super) fn unsubscribe(&mut self, channel: ChannelId, id: ConsumerId, now: Instant) {
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        let Some(subscription) = open.subscriptions.remove(&id) else {
            return;
        };
        if let Some(queue) = self.queues.methods.get_mut(&subscription.queue) {
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

    /// Ends connections. Their unsettled messages are redelivered to other consumers.
    pub(super) fn disconnect(&mut self, ids: &[ConnectionId], reason: &str, now: Instant) {
        let ended: Vec<_> = ids
            .iter()
            .filter_map(|id| self.connections.remove(id))
            .collect();
        for name in ended.iter().flat_map(|connection| &connection.reply_queues) {
            if let Some(incoming) = self.queues.replies.remove(name) {
                incoming.send(None, Incoming::Ended(reason.into()));
            }
        }
        let channels: Vec<_> = ended
            .iter()
            .flat_map(|connection| &connection.channels)
            .copied()
            .collect();
        self.close_channels(&channels, now);
        for connection in ended {
            connection.loss.send_replace(Some(Loss(reason.into())));
        }
    }

    pub(super) fn disconnect_all(&mut self, reason: &str, now: Instant) {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        self.disconnect(&ids, reason, now);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.running = false;
        self.disconnect_all("the broker was stopped", now);
        self.queues.restart();
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

    pub(super) fn faults(&mut self) -> &mut Faults {
        self.faults.any = true;
        &mut self.faults
    }

    pub(super) fn queues(&self) -> &Queues {
        &self.queues
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn close_channels(&mut self, ids: &[ChannelId], now: Instant) {
        let closed: Vec<_> = ids
            .iter()
            .filter_map(|id| self.channels.remove(id))
            .collect();
        let mut touched = HashSet::new();
        // All consumers leave before any message returns. Otherwise a message could go to a
        // consumer that is about to leave too.
        for channel in &closed {
            channel.ended.store(true, Ordering::Release);
            for (id, subscription) in &channel.subscriptions {
                if let Some(queue) = self.queues.methods.get_mut(&subscription.queue) {
                    queue.leave(*id, now);
                    touched.insert(subscription.queue);
                }
            }
        }
        for unsettled in closed
            .into_iter()
            .flat_map(|channel| channel.unsettled.into_values())
        {
            if let Some(queue) = self.queues.methods.get_mut(&unsettled.queue) {
                queue.settled(unsettled.consumer);
                queue.requeue(unsettled.position, unsettled.held);
                touched.insert(unsettled.queue);
            }
        }
        for queue in touched {
            self.run(queue, now);
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        (self.take)(None);
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
