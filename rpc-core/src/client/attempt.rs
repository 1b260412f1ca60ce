//! One call in progress: waits for a connection, sends the call, and turns what comes back into its
//! result.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::request::{ClientLimits, Request};
use crate::client::session::CallSession;
use crate::connection::session::Terminated;
use crate::connection::supervisor::ConnectionState;
use crate::error::progress::Progress;
use crate::error::reason::Reason;
use crate::error::rpc_error::RpcError;
use crate::transport::PublishError;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::fault::Answer;
use crate::wire::header_table::HeaderTable;
use crate::wire::headers::{Marks, SHORT_STRING};
use crate::wire::message::{JSON, Kind, Message};
use crate::wire::outbound::Unfit;
use crate::wire::size_limit::TooLarge;

pub(crate) mod answer;
mod one_way;
mod sending;
mod waiting;

/// A call in progress, with its deadline running.
pub(crate) struct Attempt<'a> {
    pub(crate) request: &'a Request,
    body: Bytes,
    /// What the next message of the call says of those before.
    marks: Marks,
    started: Instant,
    timeout: Duration,
    deadline: Instant,
    state: &'a watch::Receiver<ConnectionState<CallSession>>,
    limits: &'a ClientLimits,
}

/// How far a call got on one connection.
pub(crate) enum Published {
    Answered(Answer),
    /// A server took it for late, which it is not, and did not run it.
    TakenForLate,
    /// Nothing of it was sent, for this reason.
    NotSent(Reason),
    /// Its queue did not take it, but may do so later.
    Refused,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        request: &'a mut Request,
        state: &'a watch::Receiver<ConnectionState<CallSession>>,
        limits: &'a ClientLimits,
    ) -> Result<Self, RpcError> {
        let body =
            std::mem::replace(&mut request.body, Ok(Bytes::new())).map_err(|error| *error)?;
        if let Err(TooLarge { size, limit }) = limits.message_size.check(&body) {
            return Err(RpcError::too_large(&*request.method, "body", size, limit));
        }
        let started = Instant::now();
        let deadline = request.deadline(started, limits.timeout);
        Ok(Self {
            marks: Marks {
                idempotent: request.options.idempotent,
                ..Marks::default()
            },
            request,
            body,
            started,
            timeout: deadline.duration_since(started),
            deadline,
            state,
            limits,
        })
    }

    /// The name of the method, for errors.
    pub(crate) fn method(&self) -> String {
        self.request.method.clone().into_owned()
    }

    /// The part of the message that is the same for an answered call and a one-way call.
    fn message(&self, session: &CallSession, id: CorrelationId) -> Message {
        Message {
            kind: Kind::Call,
            correlation_id: Some(id),
            content_type: Some(JSON.into()),
            priority: self.request.options.priority,
            user_id: session.link.user_id().map(Into::into),
            headers: HeaderTable::encode(&self.request.headers),
            body: self.body.clone(),
            ..Message::default()
        }
    }

    /// The error of a call that can never be published.
    fn unfit(&self, unfit: Unfit) -> RpcError {
        let (what, size, limit) = match unfit {
            Unfit::Frame { bytes, limit } => ("headers", bytes, limit),
            Unfit::TooLong { property, bytes } => (property, bytes, SHORT_STRING),
            // Names of methods were checked before.
            Unfit::Address => ("name", self.request.method.len(), SHORT_STRING),
        };
        RpcError::too_large(self.method(), what, size, limit)
    }

    /// Counts one more server that was lost with the call. Servers refuse a call by this count, so
    /// that it does not crash all of them.
    pub(crate) fn count_interruption(&mut self) {
        self.marks.attempts = Some(self.marks.attempts.unwrap_or_default() + 1);
    }

    fn not_connected(&self, reason: Reason) -> RpcError {
        RpcError::not_connected(self.method(), self.started.elapsed(), reason.words)
            .caused_by(reason.source)
    }

    /// The outcome of a call that could not be published.
    pub(crate) fn unpublished(
        &self,
        session: &CallSession,
        error: PublishError,
    ) -> Result<Published, RpcError> {
        if let Some(unfit) = error.unfit {
            return Err(self.unfit(unfit));
        }
        if !error.sent {
            return Ok(Published::NotSent(*error.reason));
        }
        let reason = error.reason.at(session.link.host());
        Err(self.over(Terminated::Lost(reason), true))
    }

    /// What a call that was not sent ends with if it may not wait for another connection.
    pub(crate) fn not_sent(&self, reason: Reason) -> RpcError {
        self.over(Terminated::Lost(reason), false)
    }

    fn over(&self, over: Terminated, sent: bool) -> RpcError {
        let method = self.method();
        match over {
            Terminated::Lost(reason) => {
                RpcError::connection_lost(method, sent, reason.words).caused_by(reason.source)
            }
            Terminated::Closed => RpcError::closed(method),
        }
    }

    pub(crate) fn unroutable(&self) -> RpcError {
        RpcError::no_such_method(self.method())
    }

    /// What a call ends with that its queue did not take.
    pub(crate) fn refused(&self) -> RpcError {
        self.overloaded(REFUSED)
    }

    /// What a call ends with that finds no room before it is in its queue.
    pub(crate) fn overloaded(&self, reason: &str) -> RpcError {
        RpcError::overloaded(self.method(), false, reason)
    }

    fn blocked(&self, reason: String) -> RpcError {
        RpcError::blocked(self.method(), reason)
    }

    pub(crate) fn timed_out(&self, progress: Progress) -> RpcError {
        RpcError::timeout(self.method(), self.timeout, progress)
    }
}

/// Why a call fails that its queue did not take for all its time.
const REFUSED: &str =
    "its queue refuses calls: it is full, or too few nodes of its cluster are running";
