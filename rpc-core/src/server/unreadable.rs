//! What becomes of a message whose properties cannot be read.

use serde_json::Value;
use tracing::warn;

use crate::contract::service::Method;
use crate::server::redelivery::dead_letter_of;
use crate::server::settlement::{DeadLetter, keep};
use crate::transport::{PublishError, ServeChannel};
use crate::wire::headers::UNREADABLE;
use crate::wire::message::Delivery;

/// Rejects it. Nobody is answered: whom it names is as doubtful as the rest. Requeued, it would come back for ever.
pub(crate) async fn reject(
    channel: &dyn ServeChannel,
    method: &Method,
    queue: &str,
    delivery: Delivery,
) -> Result<(), PublishError> {
    let Delivery { message, tag, .. } = delivery;
    let reason = message.headers.get(UNREADABLE).and_then(Value::as_str);
    // Any peer may send a message that looks like one of these, with what text it likes.
    let reason: String = reason
        .unwrap_or("it says so")
        .chars()
        .take(MOST_SHOWN)
        .collect();
    warn!(
        queue,
        ?reason,
        "rejected a message that cannot be read; whoever sent it must mend it. What it was is kept in the queue of \
         `Serve::dead_letter_queue`, if that is set"
    );
    if let Some(queue) = method.options.dead_letters.clone() {
        let letter = dead_letter_of(method, &message);
        keep(channel, DeadLetter { queue, letter }).await?;
    }
    channel.reject(tag)
}

const MOST_SHOWN: usize = 200;
