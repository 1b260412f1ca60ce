//! Messages as a well-behaved peer would send them, to be spoilt.

use std::time::{SystemTime, UNIX_EPOCH};

use rpc_tests::{short, sized};

use super::encoding::{Field, Properties, Value};

/// What a peer knows of those whom it attacks.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// The reply queue of an honest caller.
    pub(crate) victim: String,
    /// The peer's own name.
    pub(crate) user: String,
    /// An address for direct replies, of a caller that has gone.
    pub(crate) direct: String,
}

/// A message that is not sent yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) queue: String,
    pub(crate) properties: Properties,
    /// The records of a batch; of other messages, nothing.
    pub(crate) records: Vec<Record>,
    /// The body of a message that is no batch.
    pub(crate) body: Vec<u8>,
}

/// A record of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) id: Vec<u8>,
    pub(crate) timeout: u64,
    pub(crate) deadline: u64,
    pub(crate) headers: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// The limit of a call, in milliseconds.
const LIMIT: u64 = 5_000;

impl Draft {
    /// A call that naps for so many milliseconds.
    pub(crate) fn call(method: &str, nap: u64) -> Self {
        let mut properties = Properties::default();
        properties.text(Field::Type, "call");
        properties.text(Field::ReplyTo, NOBODY);
        properties.text(Field::CorrelationId, "6f8a30a4-0e1f-4c7b-8f3f-1d1f6a3c2b10");
        properties.text(Field::ContentType, "application/json");
        properties.text(Field::Expiration, LIMIT.to_string());
        properties.bytes(Field::DeliveryMode, &[1]);
        properties.set("From", Value::text(NOBODY));
        properties.set("rpc-timeout", Value::long(signed(LIMIT)));
        properties.set("rpc-deadline", Value::long(signed(now() + LIMIT)));
        Self {
            queue: method.to_owned(),
            properties,
            records: Vec::new(),
            body: format!("{{\"n\": 0, \"nap\": {nap}}}").into_bytes(),
        }
    }

    /// A call that servers give up, since two others were lost with it.
    pub(crate) fn given_up(method: &str) -> Self {
        let mut draft = Self::call(method, 0);
        draft.properties.set("rpc-attempts", Value::long(2));
        draft
    }

    /// A batch of three calls.
    pub(crate) fn batch(method: &str, nap: u64) -> Self {
        let mut draft = Self::call(method, nap);
        let body = std::mem::take(&mut draft.body);
        draft.queue = format!("rpc.lane.{method}");
        draft.properties.text(Field::Type, "batch");
        draft
            .properties
            .text(Field::ContentType, "application/vnd.rpc-batch");
        draft.properties.without(Field::CorrelationId);
        draft.properties.set("rpc-method", Value::text(method));
        draft.records = (0..3).map(|number| Record::call(number, &body)).collect();
        draft
    }

    /// A reply, or what looks like one, to an honest caller.
    pub(crate) fn reply(kind: &str, world: &World) -> Self {
        let mut draft = Self::call(&world.victim, 0);
        draft.properties.text(Field::Type, kind);
        if kind != "call" {
            draft.properties.without(Field::ReplyTo);
            draft.properties.without(Field::Expiration);
        }
        if kind == "batch" {
            draft.properties.without(Field::CorrelationId);
            draft.records = (0..3).map(Record::result).collect();
        }
        draft.properties.set("rpc-lane", Value::flag(true));
        draft
    }

    pub(crate) fn is_batch(&self) -> bool {
        !self.records.is_empty()
    }

    /// The whole body, whatever the message is.
    pub(crate) fn content(&self) -> Vec<u8> {
        if !self.is_batch() {
            return self.body.clone();
        }
        let mut content = Vec::new();
        for record in &self.records {
            record.write(&mut content);
        }
        content
    }

    /// Replaces the whole body.
    pub(crate) fn set_content(&mut self, content: Vec<u8>) {
        self.records.clear();
        self.body = content;
    }

    /// Replaces the body, or that of the first call of a batch.
    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        match self.records.first_mut() {
            Some(record) => record.body = body,
            None => self.body = body,
        }
    }
}

impl Record {
    pub(crate) fn call(number: usize, body: &[u8]) -> Self {
        Self {
            kind: b'C',
            id: format!("hostile-{number}").into_bytes(),
            timeout: LIMIT,
            deadline: now() + LIMIT,
            headers: Vec::new(),
            body: body.to_vec(),
        }
    }

    fn result(number: usize) -> Self {
        Self {
            kind: b'R',
            ..Self::call(number, b"1")
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.push(self.kind);
        to.extend(short(&self.id));
        if self.kind == b'C' {
            to.extend(self.timeout.to_be_bytes());
            to.extend(self.deadline.to_be_bytes());
            to.extend(sized(&self.headers));
        }
        to.extend(sized(&self.body));
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

/// A reply queue that is not there.
const NOBODY: &str = "rpc.reply.nobody";
