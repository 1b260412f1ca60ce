//! What lapin needs to publish a message, without any I/O.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::parsing::parse_field_table;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::Value;

use super::limits::short;
use crate::wire::correlation_id;
use crate::wire::extras::Extras;
use crate::wire::header_table::HeaderTable;
use crate::wire::headers::{
    ATTEMPTS, DEADLINE, FROM, IDEMPOTENT, IN_TIME, LANE, METHOD, PROPERTIES, TIMEOUT, UNREADABLE,
};
use crate::wire::message::Message;
use crate::wire::outbound::{self, Unfit};

/// The address and the properties of a message, if it may be published. The only way to lapin:
/// nothing is published that has not passed [`outbound::check`].
pub(super) fn publishable(
    queue: &str,
    message: &Message,
    limit: usize,
) -> Result<(ShortString, BasicProperties), Unfit> {
    outbound::check(queue, message, limit)?;
    Ok((short(queue), to_amqp(message)))
}

pub(super) fn to_amqp(message: &Message) -> BasicProperties {
    let mut properties = BasicProperties::default().with_delivery_mode(if message.persistent {
        PERSISTENT
    } else {
        TRANSIENT
    });
    if let Some(kind) = message.kind.as_str() {
        properties = properties.with_type(short(kind));
    }
    if let Some(id) = &message.correlation_id {
        properties =
            properties.with_correlation_id(short(id.encode(&mut correlation_id::buffer())));
    }
    if let Some(queue) = &message.reply_to {
        properties = properties.with_reply_to(short(queue));
    }
    if let Some(content_type) = &message.content_type {
        properties = properties.with_content_type(short(content_type));
    }
    if let Some(priority) = message.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(expiration) = message.expiration {
        // RabbitMQ expects the milliseconds as a decimal string, and closes the channel for more.
        let millis = expiration.as_millis().min(LONGEST_EXPIRATION);
        properties = properties.with_expiration(short(&millis.to_string()));
    }
    if let Some(user) = &message.user_id {
        properties = properties.with_user_id(short(user));
    }
    if !message.extras.is_empty() {
        properties = with_extras(properties, &message.extras);
    }
    properties.with_headers(headers(message).into())
}

fn with_extras(mut properties: BasicProperties, extras: &Extras) -> BasicProperties {
    if let Some(encoding) = &extras.content_encoding {
        properties = properties.with_content_encoding(short(encoding));
    }
    if let Some(id) = &extras.message_id {
        properties = properties.with_message_id(short(id));
    }
    if let Some(timestamp) = extras.timestamp {
        properties = properties.with_timestamp(timestamp);
    }
    if let Some(app) = &extras.app_id {
        properties = properties.with_app_id(short(app));
    }
    if let Some(cluster) = &extras.cluster_id {
        properties = properties.with_cluster_id(short(cluster));
    }
    properties
}

fn headers(message: &Message) -> BTreeMap<ShortString, AMQPValue> {
    let mut headers = BTreeMap::new();
    for table in [&message.headers, &message.extras.reserved] {
        if !table.is_empty() {
            headers.extend(fields(table));
        }
    }
    // What came in another form than ours is among the reserved ones, and stays as it came.
    let mut add = |name: &str, value| {
        headers.entry(name.into()).or_insert(value);
    };
    let millis = |millis| AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX));
    if let Some(from) = &message.from {
        add(FROM, AMQPValue::LongString((**from).into()));
    }
    if let Some(limit) = message.limit {
        add(TIMEOUT, millis(limit.timeout));
        if let Some(deadline) = limit.deadline {
            add(DEADLINE, millis(deadline));
        }
    }
    if let Some(takes_batches) = message.takes_batches {
        add(LANE, AMQPValue::Boolean(takes_batches));
    }
    if message.marks.idempotent {
        add(IDEMPOTENT, AMQPValue::Boolean(true));
    }
    if message.marks.in_time {
        add(IN_TIME, AMQPValue::Boolean(true));
    }
    if let Some(attempts) = message.marks.attempts {
        add(ATTEMPTS, millis(attempts));
    }
    if let Some(method) = &message.extras.method {
        add(METHOD, AMQPValue::LongString((**method).into()));
    }
    if let Some(unreadable) = &message.extras.unreadable {
        add(
            UNREADABLE,
            AMQPValue::LongString(unreadable.flaw.to_string().into()),
        );
        add(
            PROPERTIES,
            AMQPValue::LongString(unreadable.properties.as_str().into()),
        );
    }
    headers
}

/// The arguments of a queue. Names longer than 255 bytes were refused before.
pub(super) fn table(values: &BTreeMap<String, Value>) -> FieldTable {
    fields(&HeaderTable::encode(values))
        .collect::<BTreeMap<_, _>>()
        .into()
}

/// A table's fields as lapin has them. Their types stay.
fn fields(table: &HeaderTable) -> impl Iterator<Item = (ShortString, AMQPValue)> {
    let fields = table.as_bytes();
    let mut bytes = u32::try_from(fields.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
        .to_vec();
    bytes.extend(fields);
    // It was checked when it came, or was encoded here.
    let table =
        parse_field_table(&bytes[..]).map_or_else(|_| FieldTable::default(), |(_, table)| table);
    let fields: Vec<_> = table
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    fields.into_iter()
}

/// The message as its receiver sees it, by way of lapin's encoder.
#[cfg(any(test, feature = "__internals"))]
pub(crate) fn forward(message: &Message) -> Message {
    Message {
        body: message.body.clone(),
        ..crate::wire::inbound::read(&encode(message))
    }
}

/// The properties of a message in the bytes that lapin sends.
#[cfg(any(test, feature = "__internals"))]
pub(crate) fn encode(message: &Message) -> Vec<u8> {
    let properties = to_amqp(message);
    let encode = lapin::protocol::basic::gen_properties(&properties);
    encode(Vec::new().into()).map_or_else(|_| Vec::new(), |written| written.into_inner().0)
}

/// In milliseconds: 49 days (RabbitMQ's `MAX_EXPIRY_TIMER`).
const LONGEST_EXPIRATION: u128 = 0xFFFF_FFFF;

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::strategies as any;

    proptest! {
        #[test]
        fn a_message_survives_the_wire(message in any::message()) {
            prop_assert_eq!(forward(&message), message);
        }

        /// What may be published has the size that was computed, or less.
        #[test]
        fn the_size_of_properties_is_known(message in any::message()) {
            let encoded = encode(&message);
            let fits = |limit| outbound::check("queue", &message, limit).is_ok();
            prop_assert!(!fits(encoded.len() - 1));
            prop_assert!(fits(encoded.len() + SLACK));
        }
    }

    /// The routing key counts, and the digits of an expiration count as twenty.
    const SLACK: usize = 32;

    #[test]
    fn the_from_header_is_a_long_string() {
        let call = Message {
            from: Some("queue".into()),
            ..Message::default()
        };
        let properties = to_amqp(&call);
        let table = properties.headers().as_ref().unwrap();
        let value = table.inner().get("From").unwrap();
        assert_eq!(*value, AMQPValue::LongString("queue".into()));
    }
}
