//! A call before it is sent, and the limits of a client.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::contract::call_options::CallOptions;
use crate::contract::context::Context;
use crate::contract::method_options::FOREVER;
use crate::error::reason::Reason;
use crate::error::rpc_error::RpcError;
use crate::error::shorten::shorten;
use crate::wire::headers::{Headers, SHORT_STRING};
use crate::wire::method_name::{self, BadName};
use crate::wire::size_limit::SizeLimit;

/// A call before it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Cow<'static, str>,
    /// The encoded arguments, or the first error found in the call.
    pub(crate) body: Result<Bytes, Box<RpcError>>,
    pub(crate) options: CallOptions,
    /// The deadline of the call whose handler makes this one, if any.
    pub(crate) inherited: Option<Instant>,
    pub(crate) headers: Headers,
}

impl Request {
    pub(crate) fn new(
        method: Cow<'static, str>,
        options: CallOptions,
        body: Result<Vec<u8>, Reason>,
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

    /// The deadline of a call that starts at `now`.
    pub(crate) fn deadline(&self, now: Instant, default_timeout: Duration) -> Instant {
        let timeout = self.options.timeout.unwrap_or(default_timeout);
        let own = now + timeout.min(FOREVER);
        self.inherited
            .map_or(own, |inherited| own.min(inherited.max(now)))
    }

    /// Makes the call fail with this error instead of being sent. The first error is kept.
    pub(crate) fn refuse(&mut self, error: RpcError) {
        if self.body.is_ok() {
            self.body = Err(Box::new(error));
        }
    }
}

fn encode_error(method: &str, reason: Reason) -> RpcError {
    RpcError::encode(shorten(method), reason.words).caused_by(reason.source)
}

fn name_error(method: &str, reason: BadName) -> RpcError {
    match reason {
        BadName::TooLong { bytes } => {
            RpcError::too_large(shorten(method), "method name", bytes, SHORT_STRING)
        }
        BadName::Empty | BadName::Reserved => encode_error(method, reason.to_string().into()),
    }
}

/// The limits on the calls of one `Rpc`.
#[derive(Clone, Debug)]
pub(crate) struct ClientLimits {
    /// The time limit of a call that sets none.
    pub(crate) timeout: Duration,
    /// The largest body of a call or a reply.
    pub(crate) message_size: SizeLimit,
    /// How many calls may be in flight at once. Others wait for their turn.
    pub(crate) in_flight: usize,
    /// Whether a call that cannot be sent now, such as for lack of a connection, fails at once
    /// instead of at its deadline.
    pub(crate) fail_fast: bool,
}
