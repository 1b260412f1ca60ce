//! The gate of all that peers wrote: the properties of every message become typed here, or the
//! message is marked as unreadable. Nothing else reads them.

use std::borrow::Cow;
use std::str::from_utf8;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::wire::extras::{Extras, Unreadable};
use crate::wire::flaw::Flaw;
use crate::wire::header_table::{self, Field, HeaderTable, take, take_array};
use crate::wire::headers::{
    ATTEMPTS, DEADLINE, DEATHS, FROM, Headers, IDEMPOTENT, IN_TIME, LANE, METHOD, SHORT_STRING,
    TIMEOUT, is_reserved,
};
use crate::wire::message::{JSON, Kind, Message, TimeLimit};
use crate::wire::size_limit::{SizeLimit, TooLarge};

/// Reads the properties of a message, in the bytes in which they travel (AMQP 0-9-1, section
/// 4.2.6.1). The body is still to come.
pub(crate) fn read(properties: &[u8]) -> Message {
    parse(properties).unwrap_or_else(|flaw| unreadable(flaw, properties))
}

/// A message whose properties cannot be used. Nothing in it is believed.
pub(crate) fn unreadable(flaw: Flaw, properties: &[u8]) -> Message {
    let shown = &properties[..properties.len().min(MAX_SHOWN)];
    let mut shown = shown.escape_ascii().to_string();
    // The text is ASCII, so this cannot cut a character.
    shown.truncate(MAX_SHOWN);
    let mut message = Message {
        kind: Kind::Unreadable,
        ..Message::default()
    };
    message.extras.unreadable = Some(Unreadable {
        flaw,
        may_have_died: properties
            .windows(DEATHS.len())
            .any(|bytes| bytes == DEATHS.as_bytes()),
        properties: shown,
    });
    message
}

/// How large the body of a message may be. That of a batch may exceed the limit of a single call
/// or reply, so that peers with other limits can be answered.
pub(crate) fn largest_body(kind: &Kind, limit: SizeLimit) -> usize {
    match kind {
        Kind::Batch => limit.bytes().saturating_add(BATCH_ROOM),
        _ => limit.bytes(),
    }
}

/// Drops a body that is larger than it may be, and notes its size.
pub(crate) fn bound(message: &mut Message, limit: SizeLimit) {
    let (size, limit) = (message.body.len(), largest_body(&message.kind, limit));
    if size > limit {
        message.body = Bytes::new();
        message.extras.too_large = Some(TooLarge { size, limit });
    }
}

/// The headers of a call in a batch, which travel as JSON. Those of a meaning are typed, and others
/// that are reserved are dropped: only the broker writes them, and it does not see this call.
pub(crate) fn read_record_headers(message: &mut Message, headers: &Headers) -> Result<(), Flaw> {
    let mut table = Vec::new();
    for (name, value) in headers {
        header_table::push(&mut table, name, value);
    }
    header_table::check(&table)?;
    let mut reader = HeaderReader::default();
    reader.read(message, &table);
    message.headers = HeaderTable::of_fields(reader.users);
    // These are the batch's, for all its calls.
    message.from = None;
    message.limit = None;
    message.takes_batches = None;
    message.extras = Extras::default();
    Ok(())
}

fn parse(properties: &[u8]) -> Result<Message, Flaw> {
    let mut rest = properties;
    let flags = u16::from_be_bytes(*take_array(&mut rest)?);
    let mut message = Message::default();
    let has = |place: u32| flags & (1 << (15 - place)) != 0;
    if has(0) {
        let content_type = text(&mut rest, "content_type")?;
        // Almost all messages are JSON, and this saves their allocation.
        message.content_type = Some(match content_type {
            JSON => Cow::Borrowed(JSON),
            other => Cow::Owned(other.to_owned()),
        });
    }
    if has(1) {
        message.extras.content_encoding = Some(text(&mut rest, "content_encoding")?.into());
    }
    let mut table = None;
    if has(2) {
        let size = u32::from_be_bytes(*take_array(&mut rest)?);
        let size = usize::try_from(size).map_err(|_| Flaw::Length)?;
        let headers = take(&mut rest, size)?;
        header_table::check(headers)?;
        table = Some(headers);
    }
    if has(3) {
        let [mode] = *take_array(&mut rest)?;
        message.persistent = mode == PERSISTENT;
    }
    if has(4) {
        let [priority] = *take_array(&mut rest)?;
        message.priority = Some(priority);
    }
    if has(5) {
        message.correlation_id = Some(text(&mut rest, "correlation_id")?.into());
    }
    if has(6) {
        let reply_to = text(&mut rest, "reply_to")?;
        if reply_to.starts_with(PSEUDO_QUEUES) && !is_direct_reply(reply_to) {
            return Err(Flaw::ReplyTo);
        }
        // To nowhere, as some libraries say that they want no reply.
        message.reply_to = Some(reply_to)
            .filter(|name| !name.is_empty())
            .map(Into::into);
    }
    if has(7) {
        let millis = text(&mut rest, "expiration")?.parse().ok();
        message.expiration = millis.map(Duration::from_millis);
    }
    if has(8) {
        message.extras.message_id = Some(text(&mut rest, "message_id")?.into());
    }
    if has(9) {
        message.extras.timestamp = Some(u64::from_be_bytes(*take_array(&mut rest)?));
    }
    if has(10) {
        message.kind = Kind::parse(Some(text(&mut rest, "type")?));
    }
    if has(11) {
        message.user_id = Some(text(&mut rest, "user_id")?.into());
    }
    if has(12) {
        message.extras.app_id = Some(text(&mut rest, "app_id")?.into());
    }
    if has(13) {
        message.extras.cluster_id = Some(text(&mut rest, "cluster_id")?.into());
    }
    if !rest.is_empty() {
        return Err(Flaw::Length);
    }
    if let Some(table) = table {
        let mut reader = HeaderReader::default();
        reader.read(&mut message, table);
        message.headers = HeaderTable::of_fields(reader.users);
        if !reader.reserved.is_empty() {
            message.extras.reserved = HeaderTable::of_fields(reader.reserved);
        }
    }
    Ok(message)
}

fn text<'a>(rest: &mut &'a [u8], property: &'static str) -> Result<&'a str, Flaw> {
    let [length] = *take_array(rest)?;
    from_utf8(take(rest, length.into())?).map_err(|_| Flaw::Property(property))
}

/// Whether this is an address of RabbitMQ's direct reply-to: `amq.rabbitmq.reply-to.`, a process of
/// the broker in base64, a dot, and a key. The broker of version 3 crashes the channel that
/// publishes to anything else.
fn is_direct_reply(address: &str) -> bool {
    let is_base64 = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let rest = address.strip_prefix(DIRECT_REPLY_TO);
    let parts = rest.and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(process, key)| is_base64(process) && is_base64(key))
}

/// Sorts the headers of one message.
#[derive(Default)]
struct HeaderReader {
    users: Vec<u8>,
    reserved: Vec<u8>,
}

impl HeaderReader {
    /// Sets the typed fields of the message, and keeps all other headers as they are. What travels
    /// twice counts as it stands last.
    fn read(&mut self, message: &mut Message, table: &[u8]) {
        let (mut timeout, mut deadline) = (None, None);
        for field in header_table::fields(table) {
            let value = field.value;
            match field.name {
                FROM => {
                    let from = value.as_str().filter(|name| name.len() <= SHORT_STRING);
                    message.from = from.map(Arc::from);
                    self.keep_unless(from.is_some(), field);
                }
                TIMEOUT => timeout = Some((field, self.number(field))),
                DEADLINE => deadline = Some((field, self.number(field))),
                LANE => {
                    message.takes_batches = value.as_bool();
                    self.keep_unless(value.kind == b't', field);
                }
                // A mark of an unexpected type counts as set.
                IDEMPOTENT => {
                    message.marks.idempotent = true;
                    self.keep_unless(value.as_bool() == Some(true), field);
                }
                IN_TIME => {
                    message.marks.in_time = true;
                    self.keep_unless(value.as_bool() == Some(true), field);
                }
                ATTEMPTS => {
                    message.marks.attempts = Some(self.number(field).unwrap_or_default());
                }
                METHOD => {
                    let method = value.as_str().map(Arc::from);
                    self.keep_unless(method.is_some(), field);
                    message.extras.method = method;
                }
                name if is_reserved(name) => self.reserved.extend(field.bytes),
                _ => self.users.extend(field.bytes),
            }
        }
        let millis = |limit: Option<(Field<'_>, Option<u64>)>| limit.and_then(|(_, millis)| millis);
        let (timeout, deadline_millis) = (millis(timeout), millis(deadline));
        message.limit = timeout.map(|timeout| TimeLimit {
            timeout,
            deadline: deadline_millis,
        });
        if let (None, Some((field, _))) = (message.limit, deadline) {
            self.reserved.extend(field.bytes);
        }
    }

    /// The number in a header of the protocol.
    fn number(&mut self, field: Field<'_>) -> Option<u64> {
        let number = field.value.as_u64();
        self.keep_unless(field.value.kind == b'l' && number.is_some(), field);
        number
    }

    /// Keeps a header of the protocol as it is, unless its typed value says all of it.
    fn keep_unless(&mut self, is_typed: bool, field: Field<'_>) {
        if !is_typed {
            self.reserved.extend(field.bytes);
        }
    }
}

/// How the names of RabbitMQ's pseudo queues begin. Names such as `amq.gen-..` belong to ordinary
/// queues.
pub(crate) const PSEUDO_QUEUES: &str = "amq.rabbitmq.";

/// The start of an address of a direct reply.
pub(crate) const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to.";

const PERSISTENT: u8 = 2;

/// The most bytes of unreadable properties that are shown.
const MAX_SHOWN: usize = 3072;

/// In bytes: more than any batch of this library holds, with its ids and time limits.
const BATCH_ROOM: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
