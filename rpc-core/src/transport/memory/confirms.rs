//! The channels of a link for confirmed calls and for inspecting queues.

use async_trait::async_trait;
use tokio::time::Instant;

use super::channel::{FRAME, MemoryConnection};
use super::state::BrokerState;
use crate::transport::{ConfirmChannel, PublishError, QueueProbe, QueueStatus, Receipt};
use crate::wire::message::Message;
use crate::wire::outbound;

/// A channel for confirmed calls.
#[derive(Debug)]
pub(super) struct Confirms(pub(super) MemoryConnection);

#[async_trait]
impl ConfirmChannel for Confirms {
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        outbound::check(queue, &call, FRAME).map_err(PublishError::unfit)?;
        let publish =
            |state: &mut BrokerState, call| state.confirm(self.0.id, queue, call, Instant::now());
        self.0.publish(call, publish).await
    }
}

#[async_trait]
impl QueueProbe for MemoryConnection {
    async fn probe(&mut self, queue: &str) -> Option<QueueStatus> {
        if self.loss.borrow().is_some() {
            return None;
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let status = match self.broker.lock().queues().status(queue) {
            Some((calls, servers)) => QueueStatus::There {
                calls: count(calls),
                servers: count(servers),
            },
            None => QueueStatus::Absent,
        };
        Some(status)
    }
}
