//! What becomes of a message that no server can run: its properties cannot be used, or it is no
//! call.

use tracing::warn;

use crate::contract::service::Method;
use crate::server::redelivery::dead_letter_of;
use crate::server::settlement::{DeadLetter, keep};
use crate::transport::{PublishError, ServeChannel};
use crate::wire::flaw::Flaw;
use crate::wire::message::{Delivery, Kind};

/// Rejects the message. Nobody is answered, because the caller that the message names is as
/// doubtful as the rest of it. Requeued, the message would come back for ever.
pub(crate) async fn reject(
    channel: &dyn ServeChannel,
    method: &Method,
    queue: &str,
    delivery: Delivery,
) -> Result<(), PublishError> {
    let Delivery { message, tag, .. } = delivery;
    let can_be_rejected = message.can_be_rejected();
    let flaw = message
        .extras
        .unreadable
        .as_ref()
        .map(|unreadable| unreadable.flaw);
    let reason = match (flaw, &message.kind) {
        (Some(flaw), _) => flaw.to_string(),
        (None, Kind::Unreadable) => "its sender calls it so".to_owned(),
        (None, _) => "its type is not that of a call".to_owned(),
    };
    warn!(
        queue,
        reason,
        "rejected a message that cannot be read; its sender must be fixed. What can be shown of it is \
         published to the queue of `Serve::dead_letter_queue`, if that is set"
    );
    // What may have ended a connection is not published in any form.
    let is_suspect = flaw == Some(Flaw::Suspect);
    if let Some(queue) = method.options.dead_letters.clone().filter(|_| !is_suspect) {
        let letter = dead_letter_of(method, &message);
        keep(channel, DeadLetter { queue, letter }).await?;
    }
    if can_be_rejected {
        channel.reject(tag)
    } else {
        channel.ack(tag)
    }
}
