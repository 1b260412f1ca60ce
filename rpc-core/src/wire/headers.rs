//! The headers of a message: the protocol's own, those that a user may set, and how large they are.

use std::collections::BTreeMap;

use serde_json::Value;

/// Headers of a message. A JSON string travels as an AMQP long string, an integer as a 64-bit
/// integer.
pub(crate) type Headers = BTreeMap<String, Value>;

/// What the protocol's headers say about a call, besides its time limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// [`IDEMPOTENT`]: the caller itself sends the call again if its server is lost.
    pub(crate) idempotent: bool,
    /// [`IN_TIME`]: the call is sent again because a server wrongly judged it expired.
    pub(crate) in_time: bool,
    /// [`ATTEMPTS`]: how many servers were lost while they ran the call.
    pub(crate) attempts: Option<u64>,
}

impl Marks {
    /// The headers that carry the marks.
    pub(crate) fn headers(self) -> impl Iterator<Item = (&'static str, Value)> {
        let flag = |name, is_set: bool| is_set.then(|| (name, true.into()));
        let attempts = self.attempts.map(|count| (ATTEMPTS, count.into()));
        [
            flag(IDEMPOTENT, self.idempotent),
            flag(IN_TIME, self.in_time),
            attempts,
        ]
        .into_iter()
        .flatten()
    }
}

/// Why a user's header is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Its name, or one inside its value, is longer than an AMQP short string.
    NameTooLong { bytes: usize },
    /// Its value is nested too deep to be read again.
    TooDeep,
    /// The protocol or the broker gives it a meaning.
    Reserved,
}

/// Checks a header that a user sets. The only place that does.
pub(crate) fn check_user_header(name: &str, value: &Value) -> Result<(), BadHeader> {
    let bytes = name.len().max(longest_name_in(value));
    if bytes > SHORT_STRING {
        Err(BadHeader::NameTooLong { bytes })
    } else if depth_of(value) >= DEEPEST {
        Err(BadHeader::TooDeep)
    } else if is_reserved(name) {
        Err(BadHeader::Reserved)
    } else {
        Ok(())
    }
}

/// Whether the protocol or RabbitMQ gives a header of this name a meaning. Upper and lower case
/// count as the same, because a peer or a gateway may ignore case.
///
/// `CC` and `BCC` make RabbitMQ send the call to further queues, and close the channel if they are
/// not lists. The broker itself writes the others: dead-lettering (`x-death` and its kin), quorum
/// queues (`x-delivery-count`, `x-acquired-count`), federation and shovels.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&&*name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

const RESERVED: [&str; 9] = [
    "from",
    "cc",
    "bcc",
    "x-death",
    "x-delivery-count",
    "x-acquired-count",
    "x-received-from",
    "x-shovelled",
    "x-shovelled-timestamp",
];

const RESERVED_PREFIXES: [&str; 3] = ["rpc-", "x-first-death-", "x-last-death-"];

/// The header by which [`DEAD_LETTER_EXCHANGE`](crate::wire::message::DEAD_LETTER_EXCHANGE) finds
/// the caller: the name of its reply queue.
pub(crate) const FROM: &str = "From";

/// The header with the caller's deadline: milliseconds since the Unix epoch on the caller's clock.
pub(crate) const DEADLINE: &str = "rpc-deadline";

/// The header with what was left of the caller's time limit when it published, in milliseconds.
pub(crate) const TIMEOUT: &str = "rpc-timeout";

/// The header of a call that is sent again because a server wrongly judged it expired.
pub(crate) const IN_TIME: &str = "rpc-in-time";

/// The header of a call whose caller itself sends it again if its server is lost.
pub(crate) const IDEMPOTENT: &str = "rpc-idempotent";

/// The header with how many servers were lost while they ran the call, if any.
pub(crate) const ATTEMPTS: &str = "rpc-attempts";

/// The header in which a quorum queue says how often it has delivered the call before.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";

/// The header of a reply that says whether its server accepts batches of the method.
pub(crate) const LANE: &str = "rpc-lane";

/// The header in which the broker says how often a message was dead-lettered, and from where.
pub(crate) const DEATHS: &str = "x-death";

/// The header in which the broker says why a message came back.
pub(crate) const DEATH_REASON: &str = "x-first-death-reason";

/// The header with the name of the method, in a batch and in a call in a dead-letter queue.
pub(crate) const METHOD: &str = "rpc-method";

/// The header that says why a message cannot be read.
pub(crate) const UNREADABLE: &str = "rpc-unreadable";

/// The header with the properties of a message that cannot be read: their bytes, with escapes for
/// those that are not ASCII.
pub(crate) const PROPERTIES: &str = "rpc-properties";

/// The longest AMQP short string, in bytes: queue names, header names, correlation ids.
pub(crate) const SHORT_STRING: usize = 255;

/// How many levels of tables and arrays headers may have, counting the table of all headers as the
/// first. JSON is read to the same depth. lapin's stack overflows only at a far greater depth.
pub(crate) const DEEPEST: usize = 127;

/// How many bytes headers take on the wire, encoded as an AMQP field table.
pub(crate) fn headers_size(headers: &Headers) -> usize {
    LENGTH + headers.iter().map(field_size).sum::<usize>()
}

fn field_size((name, value): (&String, &Value)) -> usize {
    1 + name.len() + value_size(value)
}

fn value_size(value: &Value) -> usize {
    let content = match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => LENGTH + text.len(),
        Value::Array(values) => LENGTH + values.iter().map(value_size).sum::<usize>(),
        Value::Object(fields) => LENGTH + fields.iter().map(field_size).sum::<usize>(),
    };
    // One more byte holds the type.
    1 + content
}

/// The length of the longest name in a table, at any depth. AMQP's limit is [`SHORT_STRING`].
pub(crate) fn longest_name(table: &Headers) -> usize {
    let fields = table.iter();
    let longest = fields.map(|(name, value)| name.len().max(longest_name_in(value)));
    longest.max().unwrap_or_default()
}

/// The same for a value in a table.
pub(crate) fn longest_name_in(value: &Value) -> usize {
    let longest = match value {
        Value::Array(values) => values.iter().map(longest_name_in).max(),
        Value::Object(fields) => {
            let names = fields
                .iter()
                .map(|(name, value)| name.len().max(longest_name_in(value)));
            names.max()
        }
        _ => None,
    };
    longest.unwrap_or_default()
}

/// How many levels of tables and arrays a value has.
pub(crate) fn depth_of(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(depth_of).max(),
        Value::Object(fields) => fields.values().map(depth_of).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or_default()
}

/// How many bytes the length of a string, an array or a table takes.
const LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_count_at_every_depth() {
        let table = Headers::from([("ab".to_owned(), json!([{"c": {"defg": 1}}, "longer text"]))]);
        assert_eq!(longest_name(&table), 4);
    }

    #[test]
    fn depth_counts_the_deepest() {
        assert_eq!(depth_of(&json!("text")), 0);
        assert_eq!(depth_of(&json!([1, {"a": [], "b": 2}])), 3);
    }

    #[test]
    fn headers_have_the_size_of_their_encoding() {
        let size = |value: Value| headers_size(&Headers::from([("name".to_owned(), value)]));
        assert_eq!(headers_size(&Headers::new()), 4);
        assert_eq!(size(json!("text")), 4 + 5 + 1 + 4 + 4);
        assert_eq!(size(json!([1, 2, null])), 4 + 5 + 1 + 4 + 9 + 9 + 1);
        assert_eq!(size(json!({"a": true})), 4 + 5 + 1 + 4 + 2 + 2);
    }

    #[test]
    fn only_headers_with_a_meaning_are_refused() {
        for name in [
            "From",
            "FROM",
            "cc",
            "Bcc",
            "rpc-timeout",
            "RPC-x",
            "x-death",
            "X-Death",
        ] {
            assert_eq!(
                check_user_header(name, &json!(1)),
                Err(BadHeader::Reserved),
                "{name}"
            );
        }
        for name in [
            "x-request-id",
            "X-Request-Id",
            "x-b3-traceid",
            "traceparent",
            "ccc",
            "x-",
        ] {
            assert_eq!(check_user_header(name, &json!(1)), Ok(()), "{name}");
        }
    }
}
