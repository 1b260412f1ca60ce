//! What becomes of a call that arrives: it runs, is refused, or a copy takes its place.

use std::sync::Arc;

use tracing::error;

use crate::server::clock_skew::ClockSkew;
use crate::server::dispatch;
use crate::server::method_server::{MethodServer, ServerCall};
use crate::server::redelivery::{self, Verdict};
use crate::server::settlement::{DeadLetter, Settlement};
use crate::wire::message::{Delivery, Message};

/// Judges calls as they arrive, and counts those that are not finished.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    clock_skew: ClockSkew,
    /// Each call that has arrived and is not finished holds a clone.
    open: Arc<()>,
}

/// What is to be done with a call.
pub(crate) enum Admitted {
    /// The call takes its turn, even if it is only refused then.
    Call(ServerCall),
    /// A copy replaces the call in its queue.
    Copy {
        copy: Box<Message>,
        /// That of the original.
        settlement: Settlement,
        /// Counts the call until the copy has its place.
        open: Arc<()>,
    },
}

impl Admission {
    /// Judges a call that has just arrived.
    pub(crate) fn admit(
        &mut self,
        server: &MethodServer,
        delivery: Box<Delivery>,
        settlement: Settlement,
    ) -> Admitted {
        let method = &server.method;
        let verdict = match delivery.message.extras.too_large {
            Some(too_large) => Verdict::Refuse(dispatch::call_too_large(method, too_large)),
            None => redelivery::judge(method, &delivery),
        };
        // Computed on arrival, because the time that a call waits here for its turn counts too.
        let deadline = self.clock_skew.deadline(&delivery);
        let mut dead_letter = None;
        let refused = match verdict {
            Verdict::Run => None,
            Verdict::Refuse(fault) => Some(fault),
            Verdict::DeadLetter(fault) => {
                error!(method = %method.name, fault.message, "giving up on a call");
                dead_letter = method.options.dead_letters.clone().map(|queue| {
                    let letter = redelivery::dead_letter_of(method, &delivery.message);
                    Box::new(DeadLetter { queue, letter })
                });
                Some(fault)
            }
            Verdict::Replace(copy) => {
                return Admitted::Copy {
                    copy,
                    settlement,
                    open: Arc::clone(&self.open),
                };
            }
        };
        Admitted::Call(ServerCall {
            delivery,
            refused: refused.map(Box::new),
            deadline,
            settlement,
            dead_letter,
            open: Arc::clone(&self.open),
        })
    }

    /// How many calls are not finished.
    pub(crate) fn open(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }
}
