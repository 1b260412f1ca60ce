//! What becomes of a call that another server already had.

use crate::contract::service::Method;
use crate::wire::fault::{Fault, kind};
use crate::wire::message::{Delivery, Message};

/// What to do with a delivery.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// No server was lost with the call, or few enough.
    Run,
    /// The call must not run.
    Refuse(Fault),
    /// Too many servers were lost with the call.
    DeadLetter(Fault),
    /// The call may run, but the loss must be recorded first: this message replaces it.
    Replace(Box<Message>),
}

/// Judges a call by how many servers were lost with it.
///
/// For a call in a classic queue, RabbitMQ says only that it was delivered before, not how often. A
/// quorum queue says how often. But when a node comes back, the queue for a moment delivers to
/// servers that the node had before, and counts that too.
///
/// A caller that sends its call again counts the losses itself. Any other call is replaced by a
/// copy, which carries the number of servers that had the call. If the server of the copy is lost
/// too, the copy comes back with that number and marked as redelivered.
///
/// The call itself does not show that a copy was made, though. If the connection is lost before the
/// call is acknowledged, both exist, and each is counted separately.
pub(crate) fn judge(method: &Method, delivery: &Delivery) -> Verdict {
    let message = &delivery.message;
    let by_broker = match message.user_id {
        // Only its publisher may send a message with this user id, so no copy can be made.
        Some(_) => message.delivery_count(),
        None => 0,
    };
    let lost = message
        .marks
        .attempts
        .unwrap_or_default()
        .saturating_add(by_broker.max(u64::from(delivery.redelivered)));
    if lost == 0 {
        return Verdict::Run;
    }
    let name = &method.name;
    if !method.options.idempotent && delivery.redelivered {
        return Verdict::Refuse(Fault::new(
            kind::INTERRUPTED,
            format!(
                "a server was lost while it had this call of `{name}`; the call may have run, \
                 and the method is not idempotent"
            ),
        ));
    }
    if lost >= MOST_LOST {
        return Verdict::DeadLetter(Fault::new(
            kind::POISONED,
            format!(
                "{lost} servers were lost while they ran this call of `{name}`; it is not run again"
            ),
        ));
    }
    if by_broker > 0 || !delivery.redelivered {
        return Verdict::Run;
    }
    if message.reply_to.is_some() && message.marks.idempotent {
        return Verdict::Refuse(Fault::new(
            kind::INTERRUPTED,
            format!(
                "a server was lost while it had this call of `{name}`; the caller sends it again"
            ),
        ));
    }
    if message.user_id.is_some() {
        return Verdict::Refuse(Fault::new(
            kind::INTERRUPTED,
            format!(
                "a server was lost while it had this call of `{name}`; losses cannot be counted for a \
                 call with a user id in a classic queue, so it is not run again"
            ),
        ));
    }
    let mut copy = message.clone().for_another();
    copy.marks.attempts = Some(lost);
    Verdict::Replace(Box::new(copy))
}

/// The copy of a call that goes to the dead-letter queue.
pub(crate) fn dead_letter_of(method: &Method, call: &Message) -> Message {
    let mut letter = Message {
        reply_to: None,
        from: None,
        expiration: None,
        user_id: None,
        persistent: true,
        ..call.clone()
    };
    letter.extras.method = Some((*method.name).into());
    letter
}

/// Whether a copy of the call would be a different call. Such a call is not handed to another
/// server.
pub(crate) fn is_unique(message: &Message) -> bool {
    // The time to live of a copy would start anew.
    let foreign_limit = message.expiration.is_some() && message.limit.is_none();
    // The body of a call that is too large was not kept.
    message.user_id.is_some() || foreign_limit || message.extras.too_large.is_some()
}

/// Once this many servers were lost with a call, it is not given to another one.
const MOST_LOST: u64 = 2;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::wire::headers::{ATTEMPTS, DELIVERY_COUNT, IDEMPOTENT};
    use crate::wire::strategies::message_with;

    fn verdict(idempotent: bool, redelivered: bool, headers: &[(&str, u64)]) -> &'static str {
        verdict_for(None, None, idempotent, redelivered, headers)
    }

    fn verdict_for(
        reply_to: Option<&str>,
        user_id: Option<&str>,
        idempotent: bool,
        redelivered: bool,
        headers: &[(&str, u64)],
    ) -> &'static str {
        let mut method = Method::new("nap", |_: Value| async { Ok::<_, String>(()) });
        method.options.idempotent = idempotent;
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let message = Message {
            reply_to: reply_to.map(Into::into),
            user_id: user_id.map(Into::into),
            ..message_with(&headers.collect())
        };
        let delivery = Delivery {
            message,
            redelivered,
            tag: 1,
        };
        match judge(&method, &delivery) {
            Verdict::Run => "run",
            Verdict::Refuse(fault) if fault.kind == kind::INTERRUPTED => "interrupted",
            Verdict::Refuse(_) => "refuse",
            Verdict::DeadLetter(_) => "dead-letter",
            Verdict::Replace(copy) => match copy.marks.attempts.unwrap_or_default() {
                1 => "count one",
                _ => "count more",
            },
        }
    }

    #[test]
    fn a_call_that_may_run_once_runs_once() {
        assert_eq!(verdict(false, false, &[]), "run");
        assert_eq!(verdict(false, true, &[]), "interrupted");
        assert_eq!(verdict(false, true, &[(DELIVERY_COUNT, 1)]), "interrupted");
    }

    #[test]
    fn an_idempotent_call_is_counted_and_runs_twice_at_most() {
        assert_eq!(verdict(true, false, &[]), "run");
        assert_eq!(verdict(true, true, &[]), "count one");
        assert_eq!(verdict(true, false, &[(ATTEMPTS, 1)]), "run");
        assert_eq!(verdict(true, true, &[(ATTEMPTS, 1)]), "dead-letter");
    }

    #[test]
    fn absurd_counts_are_no_reason_to_run() {
        // AMQP's largest integer.
        let absurd = [(ATTEMPTS, u64::MAX >> 1)];
        assert_eq!(verdict(false, true, &absurd), "interrupted");
        assert_eq!(verdict(true, true, &absurd), "dead-letter");
    }

    #[test]
    fn what_a_quorum_queue_counts_is_not_how_many_servers_were_lost() {
        assert_eq!(verdict(true, true, &[(DELIVERY_COUNT, 2)]), "count one");
        assert_eq!(
            verdict(true, true, &[(DELIVERY_COUNT, 3), (ATTEMPTS, 1)]),
            "dead-letter"
        );
    }

    #[test]
    fn a_call_that_cannot_be_copied_goes_by_what_the_broker_counts() {
        let verdict = |headers| verdict_for(None, Some("carol"), true, true, headers);
        assert_eq!(verdict(&[]), "interrupted");
        assert_eq!(verdict(&[(DELIVERY_COUNT, 1)]), "run");
        assert_eq!(verdict(&[(DELIVERY_COUNT, 2)]), "dead-letter");
    }

    #[test]
    fn a_caller_that_sends_its_call_again_counts_by_itself() {
        let again = |redelivered, attempts| {
            let headers = [(IDEMPOTENT, 1), (ATTEMPTS, attempts)];
            verdict_for(Some("caller"), None, true, redelivered, &headers)
        };
        assert_eq!(again(false, 0), "run");
        assert_eq!(again(true, 0), "interrupted");
        assert_eq!(again(false, 1), "run");
        assert_eq!(again(true, 1), "dead-letter");
        // Nobody waits for one that is one-way.
        assert_eq!(verdict(true, true, &[(IDEMPOTENT, 1)]), "count one");
        // What a quorum queue counts makes no difference.
        let headers = [(IDEMPOTENT, 1), (DELIVERY_COUNT, 3)];
        let verdict = verdict_for(Some("caller"), None, true, true, &headers);
        assert_eq!(verdict, "interrupted");
    }
}
