//! One call before and while it runs.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Client;
use crate::client::request::Request;
use crate::contract::returns::{Finish, plain};
use crate::error::call::{RpcError, shorten};
use crate::wire::fault::Answer;
use crate::wire::headers::{BadHeader, DEEPEST, SHORT_STRING, check_user_header};

/// A call of a remote method: a future of its result.
///
/// Nothing is sent before the first poll. The arguments are encoded already, so a call borrows nothing
/// and can be spawned, joined or selected; if they could not be encoded, awaiting it says so. Each call
/// has a time limit, by default 30 s, and ends within 50 ms after it (on a machine that is not
/// overloaded), whatever happens to the server or the broker.
///
/// # Cancellation
///
/// Dropping a call forgets it at once: its answer will be ignored. What was sent stays sent, so the
/// method may still run.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// # use rpc_core::Rpc;
/// # use serde_json::{Value, json};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rpc = Rpc::connect("memory://").await?;
/// rpc.register("echo", |args: Value| async move { Ok::<_, String>(args) }).await?;
///
/// let answer = rpc
///     .call("echo", json!({"text": "hi"}))
///     .timeout(Duration::from_secs(5))
///     .await?;
/// assert_eq!(answer, json!({"text": "hi"}));
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T, Err = RpcError> {
    state: CallState,
    finish: Finish<T, Err>,
}

enum CallState {
    Ready(Arc<Client>, Request),
    Running(BoxFuture<'static, (Cow<'static, str>, Result<Answer, RpcError>)>),
    Done,
}

impl<T, Err> Call<T, Err> {
    pub(crate) fn new(client: &Arc<Client>, request: Request, finish: Finish<T, Err>) -> Self {
        Self {
            state: CallState::Ready(Arc::clone(client), request),
            finish,
        }
    }
}

impl Call<Value> {
    /// Decodes the result of an untyped call into `T`.
    ///
    /// The call ends as [`RpcError::Decode`] if it is none.
    pub fn returning<T: DeserializeOwned>(self) -> Call<T> {
        Call {
            state: self.state,
            finish: plain,
        }
    }

    /// Asks for no answer: the call ends when the broker has taken it, whatever becomes of it then.
    ///
    /// It is confirmed by the broker and stored on disk where the method's queue is durable. It does not
    /// expire, and its handler has no deadline; the time limit is that of the confirmation. It runs at
    /// most once, or at least once if its method is idempotent, and whether it failed is in the log of
    /// its server only. A broker that crashes may hand on what it had stored as if it had been run.
    pub fn one_way(self) -> Call<()> {
        let call = self.with(|request| request.options.one_way = true);
        Call {
            state: call.state,
            finish: plain,
        }
    }
}

/// Options of this one call.
impl<T, Err> Call<T, Err> {
    /// Sets how long the call may take, from the first poll to the answer.
    ///
    /// A call made inside a handler ends by the deadline of the call that is handled, if that comes
    /// first. Less than a millisecond fails at once. Defaults to the limit of the [`Rpc`], which defaults
    /// to 30 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.options.timeout = Some(timeout))
    }

    /// Sets the priority, from 0 (lowest) to 255. It acts only on queues that were declared with
    /// `x-max-priority`.
    ///
    /// Defaults to none, which counts as 0.
    pub fn priority(self, priority: u8) -> Self {
        self.with(|request| request.options.priority = Some(priority))
    }

    /// Whether to send the call again, within its time limit, when its connection or its server is lost on the way, so
    /// that its caller sees only the result.
    ///
    /// Only for methods that may run several times: the lost call may have run, or may run yet. Defaults to
    /// what the trait says of the method, and to off for untyped calls.
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.with(|request| request.options.idempotent = idempotent)
    }

    /// Whether the broker is to confirm that the method's queue has the call. The call is sent again within
    /// its time limit while the queue refuses it.
    ///
    /// For methods with [quorum queues](crate::QueueOptions::quorum), which drop other calls while they have no leader, as
    /// for a moment after a node of the cluster was lost: such a call ends as [`RpcError::Timeout`]. A call that
    /// is refused for all its time, or at all where the [`Rpc`] is to [`fail_fast`](crate::RpcBuilder::fail_fast), ends
    /// as [`RpcError::Overloaded`]; it did not run. The answer does not wait for the confirmation. Defaults to
    /// whether the trait declares the queue so, and to off for untyped calls.
    pub fn confirmed(self, confirmed: bool) -> Self {
        self.with(|request| request.options.confirmed = confirmed)
    }

    /// Adds a header, which the handler finds in its [`Context`](crate::Context).
    ///
    /// A name, also one inside the value, may have 255 bytes, and all headers together must fit one frame
    /// (128 KiB by default); the call ends as [`RpcError::TooLarge`] otherwise. A value may be nested 126
    /// deep. Names that the protocol or the broker gives a meaning are refused, in any case: `From`, `CC`,
    /// `BCC`, `x-death`, `x-first-death-*`, `x-last-death-*`, `x-delivery-count` and others that RabbitMQ
    /// writes itself, and those that start with `rpc-`. The call ends as [`RpcError::Encode`] then.
    pub fn header(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.with(|request| match check_user_header(&name, &value) {
            Ok(()) => drop(request.headers.insert(name, value)),
            Err(bad) => {
                let error = header_error(&request.method, &name, &bad);
                request.refuse(error);
            }
        })
    }

    fn with(mut self, set: impl FnOnce(&mut Request)) -> Self {
        // A call that was polled has been sent as it was.
        if let CallState::Ready(_, request) = &mut self.state {
            set(request);
        }
        self
    }
}

fn header_error(method: &str, name: &str, bad: &BadHeader) -> RpcError {
    let (method, name) = (shorten(method), shorten(name));
    let reason = match bad {
        BadHeader::NameTooLong { bytes } => {
            return RpcError::TooLarge {
                method,
                what: format!("name of the header `{name}`, or one inside it,"),
                size: *bytes,
                limit: SHORT_STRING,
            };
        }
        BadHeader::TooDeep => {
            format!(
                "the header `{name}` is nested more than {} deep",
                DEEPEST - 1
            )
        }
        BadHeader::Reserved => format!("the header `{name}` belongs to the protocol or the broker"),
    };
    RpcError::Encode { method, reason }
}

impl<T, Err> Future for Call<T, Err> {
    type Output = Result<T, Err>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let CallState::Ready(..) = self.state
            && let CallState::Ready(client, mut request) =
                std::mem::replace(&mut self.state, CallState::Done)
        {
            self.state = CallState::Running(Box::pin(async move {
                let answer = client.call(&mut request).await;
                (request.method, answer)
            }));
        }
        let CallState::Running(running) = &mut self.state else {
            panic!("a `Call` was polled after it had ended");
        };
        let (method, answer) = std::task::ready!(running.as_mut().poll(cx));
        self.state = CallState::Done;
        Poll::Ready((self.finish)(method, answer))
    }
}

impl<T, Err> fmt::Debug for Call<T, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        match &self.state {
            CallState::Ready(_, request) => call.field("method", &request.method),
            CallState::Running(_) => call.field("state", &"running"),
            CallState::Done => call.field("state", &"done"),
        };
        call.finish_non_exhaustive()
    }
}
