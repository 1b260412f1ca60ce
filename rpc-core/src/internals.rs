//! Parts of a call by themselves, for `benches` to measure. No part of the public interface.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::dispatch::{Arrived, answer};
use crate::message::{Kind, Message};
use crate::pending::{Outcome, PendingCall, PendingCalls};
use crate::service::Method;

/// A table of pending calls, in which some wait for ever.
#[derive(Debug)]
pub struct Pending {
    table: Arc<PendingCalls>,
    _waiting: Vec<PendingCall>,
}

impl Pending {
    /// A table in which so many wait.
    #[must_use]
    pub fn with(waiting: usize) -> Self {
        let table = Arc::<PendingCalls>::default();
        let waiting = (0..waiting).filter_map(|_| table.enter().ok()).collect();
        Self {
            table,
            _waiting: waiting,
        }
    }

    /// Lets one more call enter and be answered; whether it was.
    pub async fn round_trip(&self) -> bool {
        let Ok(mut call) = self.table.enter() else {
            return false;
        };
        let reply = Message {
            correlation_id: Some(call.id().to_string()),
            ..Message::default()
        };
        self.table.deliver(reply, Outcome::Answered);
        matches!(call.outcome().await, Outcome::Answered(_))
    }
}

/// What a server does with a call that has arrived; whether the reply is a result.
pub async fn dispatch(method: &Method, body: &[u8]) -> bool {
    let call = Arrived {
        message: Message {
            kind: Kind::Call,
            body: Bytes::copy_from_slice(body),
            ..Message::default()
        },
        redelivered: false,
        refused: None,
        deadline: None,
    };
    let reply = answer(method, call, true, usize::MAX, &CancellationToken::new()).await;
    reply.is_some_and(|reply| reply.kind == Kind::Result)
}
