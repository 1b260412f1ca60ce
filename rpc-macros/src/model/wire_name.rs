//! Checks names that a broker would otherwise refuse only when the method is served.

/// The length limit of a queue's name, in bytes.
const LONGEST: usize = 255;

/// Checks whether a queue may have this name, or a name that starts with it. The error says why
/// not.
pub(super) fn check(name: &str) -> Result<(), String> {
    let length = name.len();
    if length > LONGEST {
        return Err(format!(
            "the name on the wire is {length} bytes, and AMQP allows {LONGEST}: shorten the name or the prefix"
        ));
    }
    if name.starts_with("amq.") {
        return Err(
            "RabbitMQ keeps names that start with `amq.` to itself: choose another name or prefix"
                .into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_broker_refuses_are_refused() {
        assert_eq!(check(&"x".repeat(LONGEST)), Ok(()));
        assert_eq!(check("amqp"), Ok(()));
        assert!(check(&"x".repeat(LONGEST + 1)).unwrap_err().contains("256"));
        assert!(check("amq.x").unwrap_err().contains("RabbitMQ"));
    }
}
