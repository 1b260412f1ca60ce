//! The ends of a link beside those for calls and for serving.

use async_trait::async_trait;
use tokio::time::Instant;

use super::channel::Connection;
use super::state::State;
use crate::message::Message;
use crate::transport::{ConfirmChannel, Lookout, PublishError, QueueLook, Receipt};

/// The end of calls that are confirmed.
#[derive(Debug)]
pub(super) struct Confirms(pub(super) Connection);

#[async_trait]
impl ConfirmChannel for Confirms {
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        let publish =
            |state: &mut State, call| state.confirm(self.0.id, queue, call, Instant::now());
        self.0.publish(call, publish).await
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
