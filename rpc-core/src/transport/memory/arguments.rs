//! The arguments of a queue declaration, checked and compared as RabbitMQ does it.

use std::time::Duration;

use serde_json::Value;

use crate::wire::queue_options::QueueOptions;

/// The limits that the arguments of a queue set. Unknown arguments have no effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct QueueLimits {
    /// The most messages that may be ready.
    pub(super) length: Option<usize>,
    /// The most bytes that the bodies of ready messages may take.
    pub(super) bytes: Option<usize>,
    pub(super) overflow: Overflow,
    /// Higher priorities count as this one. It is 0 for a queue without priorities.
    pub(super) top_priority: u8,
    /// How long a message may wait.
    pub(super) time_to_live: Option<Duration>,
    /// How long the queue may exist without a consumer.
    pub(super) unused: Option<Duration>,
    pub(super) single_active_consumer: bool,
}

/// What happens when a message exceeds the limits of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Dead-letters the message at the head, to make room.
    #[default]
    DropHead,
    /// Drops the new message.
    RejectPublish,
    /// Dead-letters the new message.
    RejectPublishDeadLetter,
}

impl QueueLimits {
    /// The error is the broker's reason for refusing the declaration.
    pub(super) fn of(queue: &str, options: &QueueOptions) -> Result<Self, String> {
        let mut limits = Self::default();
        for (name, value) in &options.arguments {
            limits.take(name, value).map_err(|what| {
                format!(
                    "PRECONDITION_FAILED - invalid arg '{name}' for queue '{queue}' in vhost '/': {what}"
                )
            })?;
        }
        Ok(limits)
    }

    fn take(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "x-max-length" => self.length = Some(size(value)?),
            "x-max-length-bytes" => self.bytes = Some(size(value)?),
            "x-message-ttl" => self.time_to_live = Some(milliseconds(value)?),
            "x-expires" => {
                let unused = milliseconds(value)?;
                if unused.is_zero() {
                    return Err("{value_zero,0}".to_owned());
                }
                self.unused = Some(unused);
            }
            "x-max-priority" => {
                let top = number(value)?;
                self.top_priority =
                    u8::try_from(top).map_err(|_| format!("{{max_value_exceeded,{top}}}"))?;
            }
            "x-overflow" => {
                self.overflow = match value.as_str().ok_or_else(|| unacceptable(value))? {
                    "drop-head" => Overflow::DropHead,
                    "reject-publish" => Overflow::RejectPublish,
                    "reject-publish-dlx" => Overflow::RejectPublishDeadLetter,
                    _ => return Err("invalid_overflow".to_owned()),
                };
            }
            "x-single-active-consumer" => {
                self.single_active_consumer = value.as_bool().ok_or_else(|| unacceptable(value))?;
            }
            "x-queue-type" => match value.as_str().ok_or_else(|| unacceptable(value))? {
                "classic" | "quorum" | "stream" => {}
                other => return Err(format!("\"unsupported queue type '{other}'\"")),
            },
            _ => {}
        }
        Ok(())
    }
}

/// Checks whether an existing queue may be redeclared like this. The error is the broker's reason
/// for refusing it.
pub(super) fn equivalent(
    queue: &str,
    current: &QueueOptions,
    received: &QueueOptions,
) -> Result<(), String> {
    let inequivalent = |name, difference| {
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
            let difference = format!("'{received}' but current is '{current}'");
            return inequivalent(name, difference);
        }
    }
    for name in COMPARED {
        let given = |options| given(options, name);
        let difference = match (given(received), given(current)) {
            (received, current) if received == current => continue,
            (Some(received), Some(current)) => {
                format!("'{}' but current is '{}'", bare(received), bare(current))
            }
            (received, current) => format!("{} but current is {}", long(received), long(current)),
        };
        return inequivalent(name, difference);
    }
    Ok(())
}

/// The arguments that a redeclaration must repeat, in the order in which RabbitMQ compares them.
/// It does not compare unknown arguments. `x-dead-letter-exchange` is left out because it is the
/// same for all queues.
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

fn given<'a>(options: &'a QueueOptions, name: &str) -> Option<&'a Value> {
    let value = options.arguments.get(name)?;
    // A queue without the argument is a classic queue.
    let default = name == "x-queue-type" && value == "classic";
    (!default).then_some(value)
}

fn number(value: &Value) -> Result<u64, String> {
    match (value.as_u64(), value.as_i64()) {
        (Some(number), _) => Ok(number),
        (None, Some(negative)) => Err(format!("{{value_negative,{negative}}}")),
        (None, None) => Err(format!("\"expected integer, got {}\"", kind(value))),
    }
}

fn size(value: &Value) -> Result<usize, String> {
    Ok(usize::try_from(number(value)?).unwrap_or(usize::MAX))
}

fn milliseconds(value: &Value) -> Result<Duration, String> {
    number(value).map(Duration::from_millis)
}

fn unacceptable(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", kind(value))
}

fn bare(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn long(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) => format!("the value '{}' of type '{}'", bare(value), kind(value)),
    }
}

/// RabbitMQ's name for the AMQP type of a value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "void",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "long",
        Value::String(_) => "longstr",
        Value::Array(_) => "array",
        Value::Object(_) => "table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(current: &QueueOptions, received: &QueueOptions) -> String {
        equivalent("x", current, received).unwrap_err()
    }

    #[test]
    fn a_declaration_must_repeat_what_the_broker_knows() {
        let plain = QueueOptions::default();
        assert_eq!(
            refused(&plain.clone().durable(false), &plain),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'x' in vhost '/': \
             received 'true' but current is 'false'"
        );
        let short = plain.clone().argument("x-max-length", 5);
        assert_eq!(
            refused(&short, &plain),
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'x' in vhost '/': \
             received none but current is the value '5' of type 'long'"
        );
        assert_eq!(
            refused(&short, &plain.clone().argument("x-max-length", 6)),
            "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'x' in vhost '/': \
             received '6' but current is '5'"
        );
    }

    #[test]
    fn a_declaration_need_not_repeat_what_means_nothing() {
        let plain = QueueOptions::default();
        for (name, value) in [
            ("x-team", "payments"),
            ("x-queue-type", "classic"),
            ("x-dead-letter-exchange", "mine"),
        ] {
            let labelled = plain.clone().argument(name, value);
            assert_eq!(equivalent("x", &plain, &labelled), Ok(()));
            assert_eq!(equivalent("x", &labelled, &plain), Ok(()));
        }
    }

    #[test]
    fn an_argument_that_makes_no_sense_is_refused() {
        let refused = |name: &str, value: Value| {
            let reason = QueueLimits::of("x", &QueueOptions::default().argument(name, value));
            let reason = reason.unwrap_err();
            let (start, what) = reason.split_once(" in vhost '/': ").unwrap();
            assert_eq!(
                start,
                format!("PRECONDITION_FAILED - invalid arg '{name}' for queue 'x'")
            );
            what.to_owned()
        };
        let not_a_number = "\"expected integer, got longstr\"";
        assert_eq!(refused("x-max-length", (-1).into()), "{value_negative,-1}");
        assert_eq!(refused("x-message-ttl", "1s".into()), not_a_number);
        assert_eq!(refused("x-expires", 0.into()), "{value_zero,0}");
        assert_eq!(
            refused("x-max-priority", 256.into()),
            "{max_value_exceeded,256}"
        );
        assert_eq!(refused("x-overflow", "drop".into()), "invalid_overflow");
        assert_eq!(refused("x-overflow", 3.into()), "{unacceptable_type,long}");
    }
}
