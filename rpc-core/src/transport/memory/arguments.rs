//! The arguments of a queue's declaration, checked and compared as RabbitMQ does.

use std::time::Duration;

use serde_json::Value;

use crate::options::QueueOptions;

/// What the arguments of a queue ask for. Arguments that the broker does not know are accepted and
/// have no effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// The most messages that may wait.
    pub(super) length: Option<usize>,
    /// The most bytes of bodies that may wait.
    pub(super) bytes: Option<usize>,
    pub(super) overflow: Overflow,
    /// Higher priorities count as this one; 0 for a queue without priorities.
    pub(super) top_priority: u8,
    /// How long any message may wait.
    pub(super) time_to_live: Option<Duration>,
    /// How long the queue lives without a consumer.
    pub(super) unused: Option<Duration>,
}

/// What happens to the message that is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Makes room: the message at the head is dead-lettered.
    #[default]
    DropHead,
    /// Drops the new message.
    RejectPublish,
    /// Dead-letters the new message.
    RejectPublishDeadLetter,
}

impl Limits {
    /// The error is the broker's reason for refusing the declaration.
    pub(super) fn of(queue: &str, options: &QueueOptions) -> Result<Self, String> {
        let mut limits = Self::default();
        for (name, value) in &options.arguments {
            let invalid = |what| {
                format!(
                    "PRECONDITION_FAILED - {}",
                    invalid(name, queue, value, what)
                )
            };
            match name.as_str() {
                "x-max-length" => limits.length = Some(number(value).map_err(invalid)?),
                "x-max-length-bytes" => limits.bytes = Some(number(value).map_err(invalid)?),
                "x-message-ttl" => {
                    limits.time_to_live = Some(milliseconds(value).map_err(invalid)?)
                }
                "x-expires" => {
                    let unused = milliseconds(value).map_err(invalid)?;
                    if unused.is_zero() {
                        return Err(invalid("value_zero"));
                    }
                    limits.unused = Some(unused);
                }
                "x-max-priority" => {
                    let top: usize = number(value).map_err(invalid)?;
                    limits.top_priority =
                        u8::try_from(top).map_err(|_| invalid("max_value_exceeded"))?;
                }
                "x-overflow" => {
                    limits.overflow = match value.as_str() {
                        Some("drop-head") => Overflow::DropHead,
                        Some("reject-publish") => Overflow::RejectPublish,
                        Some("reject-publish-dlx") => Overflow::RejectPublishDeadLetter,
                        Some(_) => return Err(invalid("invalid_overflow")),
                        None => return Err(invalid("unacceptable_type")),
                    };
                }
                _ => {}
            }
        }
        Ok(limits)
    }
}

/// Whether a queue that exists may be declared again like this. The error is the broker's reason.
pub(super) fn equivalent(
    queue: &str,
    current: &QueueOptions,
    received: &QueueOptions,
) -> Result<(), String> {
    let differs = |name, difference: String| {
        Err(format!(
            "PRECONDITION_FAILED - inequivalent arg '{name}' for queue '{queue}' in vhost '/': received {difference}"
        ))
    };
    let flags = [
        ("durable", current.durable, received.durable),
        ("auto_delete", current.auto_delete, received.auto_delete),
    ];
    for (name, current, received) in flags {
        if current != received {
            return differs(name, format!("'{received}' but current is '{current}'"));
        }
    }
    for name in COMPARED {
        let (current, received) = (current.arguments.get(name), received.arguments.get(name));
        if current != received {
            let (current, received) = (shown(current), shown(received));
            return differs(name, format!("{received} but current is {current}"));
        }
    }
    Ok(())
}

/// The arguments that a second declaration must repeat; RabbitMQ does not compare those it does not
/// know. `x-dead-letter-exchange` is missing, since it is the same for all queues.
const COMPARED: [&str; 10] = [
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-single-active-consumer",
    "x-queue-type",
];

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => format!("the value '{text}' of type 'longstr'"),
        Some(value @ Value::Number(_)) => format!("the value '{value}' of type 'signedint'"),
        Some(value) => format!("the value '{value}'"),
    }
}

fn invalid(name: &str, queue: &str, value: &Value, what: &str) -> String {
    format!("invalid arg '{name}' for queue '{queue}' in vhost '/': {{{what},{value}}}")
}

fn number(value: &Value) -> Result<usize, &'static str> {
    match value.as_u64() {
        Some(number) => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        None if value.is_i64() => Err("value_negative"),
        None => Err("unacceptable_type"),
    }
}

fn milliseconds(value: &Value) -> Result<Duration, &'static str> {
    number(value).map(|number| Duration::from_millis(u64::try_from(number).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_must_repeat_what_the_broker_knows() {
        let durable = QueueOptions::default();
        let transient = durable.clone().durable(false);
        assert_eq!(
            equivalent("x", &transient, &durable).unwrap_err(),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'x' in vhost '/': \
             received 'true' but current is 'false'"
        );
        let short = durable.clone().argument("x-max-length", 5);
        assert_eq!(
            equivalent("x", &short, &durable).unwrap_err(),
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'x' in vhost '/': \
             received none but current is the value '5' of type 'signedint'"
        );
        let labelled = short.clone().argument("x-team", "payments");
        assert_eq!(equivalent("x", &short, &labelled), Ok(()));
    }

    #[test]
    fn an_argument_that_makes_no_sense_is_refused() {
        let refused = |name: &str, value: Value| {
            Limits::of("x", &QueueOptions::default().argument(name, value)).unwrap_err()
        };
        assert_eq!(
            refused("x-max-length", (-1).into()),
            "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'x' in vhost '/': {value_negative,-1}"
        );
        assert!(refused("x-expires", 0.into()).contains("{value_zero,0}"));
        assert!(refused("x-max-priority", 256.into()).contains("{max_value_exceeded,256}"));
        assert!(refused("x-overflow", "drop-tail".into()).contains("x-overflow"));
        assert!(refused("x-message-ttl", "1s".into()).contains("unacceptable_type"));
    }
}
