//! The channel on which queues are inspected.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection};

use super::failure::words;
use super::limits::short;
use crate::transport::{QueueProbe, QueueStatus};

pub(super) struct AmqpQueueProbe {
    connection: Arc<Connection>,
    /// Opened for the first probe, and again after each probe of a missing queue, which makes the
    /// broker close the channel.
    channel: Option<Channel>,
    /// Queues that this user may not inspect. Repeated probes of them would fill the broker's log.
    refused: HashSet<String>,
}

impl AmqpQueueProbe {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            channel: None,
            refused: HashSet::new(),
        }
    }
}

#[async_trait]
impl QueueProbe for AmqpQueueProbe {
    async fn probe(&mut self, queue: &str) -> Option<QueueStatus> {
        let may_be_cut = !queue.is_ascii() && queue.len() > MAX_UNCUT;
        if may_be_cut || self.refused.contains(queue) {
            return None;
        }
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
                Some(QueueStatus::There {
                    calls: queue.message_count(),
                    servers: queue.consumer_count(),
                })
            }
            Err(error) => {
                let words = words(&error);
                if words.starts_with("ACCESS_REFUSED") {
                    if self.refused.len() == MAX_REFUSED {
                        self.refused.clear();
                    }
                    self.refused.insert(queue.to_owned());
                }
                words
                    .starts_with("NOT_FOUND")
                    .then_some(QueueStatus::Absent)
            }
        }
    }
}

impl fmt::Debug for AmqpQueueProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpQueueProbe").finish_non_exhaustive()
    }
}

/// The longest name of a queue that is safe if it is not ASCII. RabbitMQ cuts the text of a
/// refusal at 252 bytes; the text contains the names of the queue and of the virtual host. If the
/// cut falls within a character, RabbitMQ 4.3 ends the connection (`INTERNAL_ERROR`).
const MAX_UNCUT: usize = 100;

/// Bounds `refused`, because a caller can make up any number of method names.
const MAX_REFUSED: usize = 1024;
