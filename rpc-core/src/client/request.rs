//! A call before it is sent, and what bounds it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::contract::call_options::CallOptions;
use crate::contract::context::Context;
use crate::contract::descriptor::MethodDescriptor;
use crate::contract::options::FOREVER;
use crate::error::call::{RpcError, shorten};
use crate::wire::headers::{Headers, SHORT_STRING};
use crate::wire::method_name::{self, BadName};
use crate::wire::size_limit::SizeLimit;

/// All that is known of a call before it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Cow<'static, str>,
    /// The encoded arguments, or the first thing that was wrong with the call.
    pub(crate) body: Result<Bytes, Box<RpcError>>,
    pub(crate) options: CallOptions,
    /// The deadline of the call inside whose handler this one was made.
    pub(crate) inherited: Option<Instant>,
    pub(crate) headers: Headers,
}

impl Request {
    pub(crate) fn new(
        method: Cow<'static, str>,
        options: CallOptions,
        body: Result<Vec<u8>, String>,
    ) -> Self {
        let body = match method_name::check(&method) {
            Ok(()) => body.map_err(|reason| encode_error(&method, reason)),
            Err(reason) => Err(name_error(&method, reason)),
        };
        Self {
            method,
            body: body.map(Bytes::from).map_err(Box::new),
            options,
            inherited: Context::current_deadline(),
            headers: Headers::new(),
        }
    }

    /// The options of a method of a trait.
    pub(crate) fn options_of(method: &MethodDescriptor) -> CallOptions {
        let mut options = method.options;
        options.confirmed |= method.queue.is_some_and(|queue| queue().is_quorum());
        options
    }

    /// When a call that starts now must have ended.
    pub(crate) fn deadline(&self, now: Instant, default_timeout: Duration) -> Instant {
        let timeout = self.options.timeout.unwrap_or(default_timeout);
        let own = now + timeout.min(FOREVER);
        self.inherited
            .map_or(own, |inherited| own.min(inherited.max(now)))
    }

    /// Keeps the first error; nothing is sent then.
    pub(crate) fn refuse(&mut self, error: RpcError) {
        if self.body.is_ok() {
            self.body = Err(Box::new(error));
        }
    }
}

fn encode_error(method: &str, reason: String) -> RpcError {
    RpcError::Encode {
        method: shorten(method),
        reason,
    }
}

fn name_error(method: &str, reason: BadName) -> RpcError {
    match reason {
        BadName::TooLong { bytes } => RpcError::TooLarge {
            method: shorten(method),
            what: "method name".into(),
            size: bytes,
            limit: SHORT_STRING,
        },
        BadName::Empty | BadName::Reserved => encode_error(method, reason.to_string()),
    }
}

/// What bounds the calls of one `Rpc`.
#[derive(Clone, Debug)]
pub(crate) struct ClientLimits {
    /// The time limit of a call that sets none.
    pub(crate) timeout: Duration,
    /// That of calls and replies.
    pub(crate) message_size: SizeLimit,
    /// How many calls may be in flight; others wait for their turn.
    pub(crate) in_flight: usize,
    /// Whether calls fail at once, instead of at their deadline, while there is no connection.
    pub(crate) fail_fast: bool,
}
