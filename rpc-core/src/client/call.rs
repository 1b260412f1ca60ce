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
use crate::error::rpc_error::RpcError;
use crate::error::shorten::shorten;
use crate::wire::fault::Answer;
use crate::wire::headers::{BadHeader, DEEPEST, SHORT_STRING, check_user_header};

/// A call of a remote method. Await it for the result.
///
/// Nothing is sent before the first poll. The arguments are already encoded, so a call borrows
/// nothing and can be spawned, joined or selected. If they could not be encoded, awaiting the call
/// returns the error. Each call has a time limit, by default 30 s. Unless the machine is
/// overloaded, the call ends at most 50 ms after that limit, whatever happens to the server or the
/// broker.
///
/// # Cancellation
///
/// Dropping a call forgets it at once, and its answer is ignored. A message that was already sent
/// stays sent, so the method may still run.
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
    /// The call ends as [`RpcError::Decode`] if the result is not a `T`.
    pub fn returning<T: DeserializeOwned>(self) -> Call<T> {
        Call {
            state: self.state,
            finish: plain,
        }
    }

    /// Asks for no answer: the call ends when the broker has accepted it, whatever becomes of it
    /// later.
    ///
    /// The broker confirms the call, and stores it on disk if the method's queue is durable. The
    /// call does not expire, and its handler has no deadline; the time limit applies to the
    /// confirmation. The call runs at most once, or at least once if its method is idempotent. If
    /// it fails, only its server's log says so. A broker that has crashed may deliver a stored call
    /// as if it had already been run.
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
    /// A call made inside a handler also ends at the deadline of the call that is being handled, if
    /// that comes first. A limit below one millisecond fails at once. Defaults to the limit of the
    /// [`Rpc`](crate::Rpc), which defaults to 30 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.options.timeout = Some(timeout))
    }

    /// Sets the priority, from 0 (lowest) to 255. It takes effect only in queues that were declared
    /// with `x-max-priority`.
    ///
    /// Defaults to none, which counts as 0.
    pub fn priority(self, priority: u8) -> Self {
        self.with(|request| request.options.priority = Some(priority))
    }

    /// Whether to send the call again, within its time limit, when its connection or its server is
    /// lost, so that the caller sees only the result.
    ///
    /// Only for methods that may run several times: the lost call may have run, or may still run.
    /// Defaults to what the trait says about the method, and to `false` for untyped calls.
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.with(|request| request.options.idempotent = idempotent)
    }

    /// Whether the broker must confirm that the method's queue has the call. A call that the queue
    /// refuses is sent again within its time limit.
    ///
    /// For methods with [quorum queues](crate::QueueOptions::quorum). While a quorum queue has no
    /// leader, such as for a moment after a node of the cluster was lost, it drops unconfirmed
    /// calls, which end as [`RpcError::Timeout`]. A confirmed call ends as [`RpcError::Overloaded`]
    /// if the queue refuses it until its time limit, or if the queue refuses it once and the
    /// [`Rpc`](crate::Rpc) is set to [`fail_fast`](crate::RpcBuilder::fail_fast); it did not run.
    /// The answer does not wait for the confirmation. Defaults to whether the trait declares a
    /// quorum queue for the method, and to `false` for untyped calls.
    pub fn confirmed(self, confirmed: bool) -> Self {
        self.with(|request| request.options.confirmed = confirmed)
    }

    /// Adds a header, which the handler finds in its [`Context`](crate::Context).
    ///
    /// A name, including one inside the value, may have up to 255 bytes, and all headers together
    /// must fit in one frame (128 KiB by default). Otherwise the call ends as
    /// [`RpcError::TooLarge`].
    ///
    /// A value may be nested up to 126 deep. Names with a meaning for the protocol or the broker
    /// are refused, in upper and lower case: `From`, `CC`, `BCC`, `x-death`, `x-first-death-*`,
    /// `x-last-death-*`, `x-delivery-count` and others that RabbitMQ itself writes, and all names
    /// that start with `rpc-`. A call with such a name, or with a deeper value, ends as
    /// [`RpcError::Encode`].
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
        // A call that was polled has already been sent as it was.
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
            let what = format!("name of the header `{name}`, or one inside it,");
            return RpcError::too_large(method, what, *bytes, SHORT_STRING);
        }
        BadHeader::TooDeep => {
            format!(
                "the header `{name}` is nested more than {} deep",
                DEEPEST - 1
            )
        }
        BadHeader::Reserved => format!("the header `{name}` belongs to the protocol or the broker"),
    };
    RpcError::encode(method, reason)
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
