//! The ends of a link beside those for calls and for serving.

use async_trait::async_trait;
use tokio::time::Instant;

use super::channel::Connection;
use super::state::OneWay;
use crate::message::Message;
use crate::transport::{Lookout, OneWayChannel, PublishError, QueueLook, Receipt};

/// The end of calls that nobody answers.
#[derive(Debug)]
pub(super) struct OneWayCalls(pub(super) Connection);

#[async_trait]
impl OneWayChannel for OneWayCalls {
    async fn publish(&self, queue: &str, mut call: Message) -> Result<Receipt, PublishError> {
        let Connection { broker, id, .. } = &self.0;
        loop {
            // As with calls that are answered.
            let opened = broker.gate.notified();
            let published = broker.lock().one_way(*id, queue, call, Instant::now());
            match published.map_err(|refusal| self.0.not_sent(refusal))? {
                OneWay::Done(receipt) => return Ok(receipt),
                OneWay::Blocked(returned) => call = *returned,
            }
            opened.await;
        }
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
