//! Isolated parts of the library, for `benches` to measure and `fuzz` to feed. Not part of the
//! public interface.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::pending::{Outcome, PendingCall, PendingCalls};
use crate::contract::service::{Method, Service};
use crate::server::dispatch::{answer, prepare};
use crate::transport::amqp::edge::proof::{self, KeepingEdge};
use crate::wire::correlation_id::CorrelationId;
use crate::wire::message::{Delivery, JSON, Kind, Message, TimeLimit};
use crate::wire::size_limit::SizeLimit;

mod wire;

pub use wire::{End, Judgement, Wire, check_url};

/// A table of pending calls, some of which wait forever.
#[derive(Debug)]
pub struct Pending {
    table: Arc<PendingCalls>,
    _waiting: Vec<PendingCall>,
}

impl Pending {
    /// A table in which this many calls wait.
    #[must_use]
    pub fn with(waiting: usize) -> Self {
        let table = Arc::<PendingCalls>::default();
        let waiting = (0..waiting).filter_map(|_| table.enter().ok()).collect();
        Self {
            table,
            _waiting: waiting,
        }
    }

    /// Enters one more call and answers it. Returns whether the answer arrived.
    pub async fn round_trip(&self) -> bool {
        let Ok(mut call) = self.table.enter() else {
            return false;
        };
        let reply = Message {
            correlation_id: Some(call.id()),
            ..Message::default()
        };
        self.table.deliver(reply, Outcome::Answered);
        matches!(call.outcome().await, Outcome::Answered(_))
    }
}

/// Checks what must hold for any bytes, both as the content header of a message and as a stream from
/// a broker.
///
/// # Panics
/// If something of a message would be left to lapin, or something readable were not read.
pub fn whatever_comes_can_be_read(bytes: &[u8]) {
    proof::whatever_comes_can_be_read(bytes);
}

/// The edge between a connection and lapin.
#[derive(Debug)]
pub struct Edge(KeepingEdge);

impl Default for Edge {
    fn default() -> Self {
        Self(KeepingEdge::new())
    }
}

impl Edge {
    /// Reads a stream of up to 64 KiB, and returns how many messages were taken out of it.
    pub fn take(&mut self, stream: &[u8]) -> usize {
        let mut passed = Vec::new();
        // What ends a connection is no message.
        let read = self.0.read(stream, &mut passed);
        read.map_or(0, |()| self.0.take().len())
    }
}

/// A call of about the usual size, in the bytes in which a broker delivers it.
#[must_use]
pub fn delivery(body: &[u8]) -> Vec<u8> {
    let queue: Arc<str> = format!("rpc.reply.{}", Uuid::nil()).into();
    proof::delivery(&Message {
        kind: Kind::Call,
        correlation_id: Some(CorrelationId::Uuid(Uuid::nil())),
        reply_to: Some(Arc::clone(&queue)),
        from: Some(queue),
        limit: Some(TimeLimit {
            timeout: 30_000,
            deadline: Some(1_700_000_000_000),
        }),
        content_type: Some(JSON.into()),
        expiration: Some(Duration::from_millis(29_500)),
        body: Bytes::copy_from_slice(body),
        ..Message::default()
    })
}

/// A service with methods of these names, each of which returns its arguments.
#[derive(Debug)]
pub struct Echoes(pub Vec<String>);

impl Service for Echoes {
    fn into_methods(self) -> Vec<Method> {
        let echo = |value: Value| async { Ok::<_, String>(value) };
        let names = self.0.into_iter();
        names.map(|name| Method::new(name, echo)).collect()
    }
}

/// Does what a server does with a call that has arrived, and returns the reply.
pub async fn dispatch(method: &Method, body: &[u8]) -> Option<Wire> {
    let delivery = Delivery {
        message: Message {
            kind: Kind::Call,
            body: Bytes::copy_from_slice(body),
            ..Message::default()
        },
        redelivered: false,
        tag: 1,
    };
    let call = prepare(method, delivery, None, None, Instant::now());
    let reply = answer(
        method,
        call,
        true,
        SizeLimit::new(usize::MAX),
        &CancellationToken::new(),
    )
    .await;
    reply.map(Wire)
}
