//! Converts messages to AMQP properties and back, without any I/O.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
#[cfg(feature = "__internals")]
use lapin::protocol::basic::parse_properties;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use serde_json::{Map, Number, Value};

use super::limits::short;
use crate::wire::correlation_id;
use crate::wire::headers::{DEADLINE, FROM, Headers, LANE, Marks, TIMEOUT};
use crate::wire::message::{ContentEncoding, JSON, Kind, Message, TimeLimit};

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
    if let Some(encoding) = &message.content_encoding {
        properties = properties.with_content_encoding(short(&encoding.0));
    }
    if let Some(priority) = message.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(expiration) = message.expiration {
        // RabbitMQ expects the milliseconds as a decimal string.
        properties = properties.with_expiration(short(&expiration.as_millis().to_string()));
    }
    if let Some(user) = &message.user_id {
        properties = properties.with_user_id(short(user));
    }
    let mut headers = table(&message.headers);
    if let Some(from) = &message.from {
        headers.insert(FROM.into(), AMQPValue::LongString((**from).into()));
    }
    if let Some(TimeLimit { timeout, deadline }) = message.limit {
        let millis = |millis| AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX));
        headers.insert(TIMEOUT.into(), millis(timeout));
        if let Some(deadline) = deadline {
            headers.insert(DEADLINE.into(), millis(deadline));
        }
    }
    if let Some(takes_batches) = message.takes_batches {
        headers.insert(LANE.into(), AMQPValue::Boolean(takes_batches));
    }
    for (name, value) in message.marks.headers() {
        headers.insert(name.into(), to_value(&value));
    }
    properties.with_headers(headers)
}

pub(super) fn from_amqp(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let mut headers = properties.headers().as_ref().map(map).unwrap_or_default();
    let takes_batches = headers.remove(LANE).and_then(|takes| takes.as_bool());
    let from = headers.remove(FROM);
    let from = from.as_ref().and_then(Value::as_str).map(Arc::from);
    let mut millis = |name| headers.remove(name).and_then(|millis| millis.as_u64());
    let (timeout, deadline) = (millis(TIMEOUT), millis(DEADLINE));
    Message {
        kind: Kind::parse(properties.kind().as_ref().map(ShortString::as_str)),
        correlation_id: (properties.correlation_id().as_ref()).map(|id| id.as_str().into()),
        reply_to: (properties.reply_to().as_ref()).map(|queue| queue.as_str().into()),
        from,
        limit: timeout.map(|timeout| TimeLimit { timeout, deadline }),
        content_type: properties.content_type().as_ref().map(|found| {
            // Almost all messages are JSON, and this saves their allocation.
            match found.as_str() {
                JSON => Cow::Borrowed(JSON),
                other => Cow::Owned(other.to_owned()),
            }
        }),
        content_encoding: (properties.content_encoding().as_ref())
            .map(|encoding| Box::new(ContentEncoding(encoding.as_str().into()))),
        priority: *properties.priority(),
        persistent: *properties.delivery_mode() == Some(PERSISTENT),
        expiration: properties
            .expiration()
            .as_ref()
            .and_then(|millis| millis.as_str().parse().ok())
            .map(Duration::from_millis),
        user_id: properties
            .user_id()
            .as_ref()
            .map(|user| user.as_str().into()),
        takes_batches,
        marks: Marks::take_from(&mut headers),
        headers,
        body: body.into(),
    }
}

/// Reads the properties of a message, followed by its body; `None` if lapin cannot read them.
#[cfg(feature = "__internals")]
pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
    let (body, properties) = parse_properties(bytes).ok()?;
    Some(from_amqp(&properties, body.to_vec()))
}

/// The message as its receiver sees it.
#[cfg(any(test, feature = "__internals"))]
pub(crate) fn forward(message: &Message) -> Message {
    from_amqp(&to_amqp(message), message.body.to_vec())
}

/// No name is lost here: names longer than 255 bytes are refused earlier.
pub(super) fn table(values: &BTreeMap<String, Value>) -> FieldTable {
    values
        .iter()
        .map(|(name, value)| (short(name), to_value(value)))
        .collect::<BTreeMap<_, _>>()
        .into()
}

fn map(table: &FieldTable) -> Headers {
    table
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), from_value(value)))
        .collect()
}

fn to_value(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        // AMQP has no unsigned 64-bit integer.
        Value::Number(number) => number.as_i64().map_or_else(
            || AMQPValue::Double(number.as_f64().unwrap_or(f64::MAX)),
            AMQPValue::LongLongInt,
        ),
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(to_value).collect();
            AMQPValue::FieldArray(FieldArray::from(values))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()));
            AMQPValue::FieldTable(table(&fields.collect()))
        }
    }
}

fn from_value(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => Value::Bool(*value),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Timestamp(value) => (*value).into(),
        AMQPValue::Float(value) => number(f64::from(*value)),
        AMQPValue::Double(value) => number(*value),
        AMQPValue::DecimalValue(value) => {
            number(f64::from(value.value) / 10f64.powi(i32::from(value.scale)))
        }
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::LongString(text) => text.to_string().into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(from_value).collect(),
        AMQPValue::FieldTable(table) => {
            Value::Object(map(table).into_iter().collect::<Map<_, _>>())
        }
        AMQPValue::ByteArray(bytes) => bytes.as_slice().to_vec().into(),
        AMQPValue::Void => Value::Null,
    }
}

/// JSON has no NaN and no infinities, so they become null.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

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
    }

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

    #[test]
    fn odd_properties_of_foreign_peers_are_no_error() {
        let properties = BasicProperties::default()
            .with_expiration("soon".into())
            .with_type("strange".into());
        let message = from_amqp(&properties, Vec::new());
        assert_eq!(message.expiration, None);
        assert_eq!(message.kind, Kind::Unknown("strange".into()));
        assert_eq!(from_value(&AMQPValue::Double(f64::NAN)), Value::Null);
        assert_eq!(
            from_amqp(&BasicProperties::default(), Vec::new()),
            Message::default()
        );
    }
}
