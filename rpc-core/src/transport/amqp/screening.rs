//! What is looked at in a delivery before its server gets it.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::acks::Acks;
use super::direct_replies::DirectReplies;
use super::suspects::{Suspects, identity_of};
use crate::transport::TakeCall;
use crate::wire::flaw::Flaw;
use crate::wire::inbound::{self, DIRECT_REPLY_TO};
use crate::wire::message::{Delivery, Message};

/// Passes the deliveries of one subscription on. Those that must not be answered are marked as
/// unreadable.
pub(super) struct Screening {
    pub(super) acks: Arc<Acks>,
    pub(super) suspects: Arc<Suspects>,
    pub(super) direct_replies: Arc<DirectReplies>,
    pub(super) take: TakeCall,
    pub(super) runtime: Handle,
}

impl Screening {
    /// Takes a delivery, on lapin's thread.
    pub(super) fn pass(&self, delivery: Delivery) {
        self.acks.open(delivery.tag, identity_of(&delivery.message));
        if delivery.redelivered && self.suspects.contains(&delivery.message) {
            (self.take)(Some(without_answer(delivery, Flaw::Suspect)));
        } else if is_direct(&delivery.message) {
            let (direct, take) = (Arc::clone(&self.direct_replies), Arc::clone(&self.take));
            // Ends within a few seconds, and the prefetch bounds how many there are.
            self.runtime.spawn(check_address(direct, take, delivery));
        } else {
            (self.take)(Some(delivery));
        }
    }
}

/// Whether the reply goes to an address of the broker.
fn is_direct(call: &Message) -> bool {
    let reply_to = call.reply_to.as_deref();
    reply_to.is_some_and(|address| address.starts_with(DIRECT_REPLY_TO))
}

/// Passes a call on if its reply may be published. It may take a moment to find out for the first
/// such call of a connection.
async fn check_address(direct: Arc<DirectReplies>, take: TakeCall, call: Delivery) {
    let address = call.message.reply_to.as_deref().unwrap_or_default();
    let call = match direct.accept(address).await {
        true => call,
        false => without_answer(call, Flaw::ReplyTo),
    };
    take(Some(call));
}

fn without_answer(delivery: Delivery, flaw: Flaw) -> Delivery {
    let mut message = inbound::unreadable(flaw, &[]);
    if let Some(unreadable) = &mut message.extras.unreadable {
        unreadable.may_have_died = !delivery.message.can_be_rejected();
    }
    message.body = delivery.message.body;
    Delivery {
        message,
        ..delivery
    }
}
