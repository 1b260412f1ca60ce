//! The channel on which queues are looked at.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection};

use super::{short, words};
use crate::transport::{Lookout, QueueLook};

pub(super) struct AmqpLookout {
    connection: Arc<Connection>,
    /// Opened for the first look, and again after each at a queue that was not there, which closes it.
    channel: Option<Channel>,
}

impl AmqpLookout {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            channel: None,
        }
    }
}

#[async_trait]
impl Lookout for AmqpLookout {
    async fn look(&mut self, queue: &str) -> Option<QueueLook> {
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.connection.create_channel().await.ok()?,
        };
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(short(queue), options, FieldTable::default());
        match declared.await {
            Ok(queue) => {
                self.channel = Some(channel);
                Some(QueueLook::There {
                    calls: queue.message_count(),
                    servers: queue.consumer_count(),
                })
            }
            Err(error) => words(&error)
                .starts_with("NOT_FOUND")
                .then_some(QueueLook::Absent),
        }
    }
}

impl fmt::Debug for AmqpLookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpLookout").finish_non_exhaustive()
    }
}
