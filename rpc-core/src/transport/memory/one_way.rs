//! The ends of a link beside those for calls and for serving.

use async_trait::async_trait;
use tokio::time::Instant;

use super::channel::Connection;
use super::state::State;
use crate::message::Message;
use crate::transport::{Lookout, OneWayChannel, PublishError, QueueLook, Receipt};

/// The end of calls that nobody answers.
#[derive(Debug)]
pub(super) struct OneWayCalls(pub(super) Connection);

#[async_trait]
impl OneWayChannel for OneWayCalls {
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        let publish =
            |state: &mut State, call| state.one_way(self.0.id, queue, call, Instant::now());
        self.0.publish(call, publish).await
    }

    fn is_closed(&self) -> bool {
        self.0.loss.borrow().is_some()
    }
}

#[async_trait]
impl Lookout for Connection {
    async fn look(&mut self, queue: &str) -> Option<QueueLook> {
        if self.loss.borrow().is_some() {
            return None;
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let look = match self.broker.lock().queues().look(queue) {
            Some((calls, servers)) => QueueLook::There {
                calls: count(calls),
                servers: count(servers),
            },
            None => QueueLook::Absent,
        };
        Some(look)
    }
}
