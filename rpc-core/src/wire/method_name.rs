//! Which names a method may have. The name of a method is also the name of its queue.

use std::fmt;

use crate::wire::headers::SHORT_STRING;

/// Why a method cannot have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    Empty,
    TooLong { bytes: usize },
    Reserved,
}

/// Checks the name of a method that is called or served, including its prefix. This is the only
/// rule for such names.
///
/// Names that start with `amq.` belong to the broker. It refuses to declare a queue of such a name.
/// A publish to a made-up name among its pseudo queues costs the connection (RabbitMQ 3.10).
pub(crate) fn check(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        Err(BadName::Empty)
    } else if name.len() > SHORT_STRING {
        Err(BadName::TooLong { bytes: name.len() })
    } else if name.starts_with("amq.") {
        Err(BadName::Reserved)
    } else {
        Ok(())
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the name is {bytes} bytes, and AMQP allows {SHORT_STRING}"
                )
            }
            Self::Reserved => f.write_str("RabbitMQ keeps names that start with `amq.` to itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_broker_refuses_are_refused() {
        assert_eq!(check("bank.pay"), Ok(()));
        assert_eq!(check("amqp"), Ok(()));
        assert_eq!(check(&"n".repeat(SHORT_STRING)), Ok(()));
        assert_eq!(check(""), Err(BadName::Empty));
        assert_eq!(
            check(&"n".repeat(256)),
            Err(BadName::TooLong { bytes: 256 })
        );
        assert_eq!(check("amq.rabbitmq.reply-to.x.y"), Err(BadName::Reserved));
    }
}
