//! One call before and while it runs.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::client::Answer;
use crate::codec;
use crate::context::Context;
use crate::descriptor::MethodDescriptor;
use crate::error::{CallError, RpcError, shorten};
use crate::fault::kind;
use crate::message::{DEEPEST, FROM, Headers, SHORT_STRING, depth_of, longest_name_in};
use crate::options::FOREVER;
use crate::rpc::Rpc;

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
    state: State,
    finish: Finish<T, Err>,
}

/// Makes the end of a call of what came back.
pub(crate) type Finish<T, Err> = fn(Cow<'static, str>, Result<Answer, RpcError>) -> Result<T, Err>;

enum State {
    Ready(Rpc, Box<Request>),
    Running(BoxFuture<'static, (Cow<'static, str>, Result<Answer, RpcError>)>),
    Done,
}

/// All that is known of a call before it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Cow<'static, str>,
    /// The encoded arguments, or the first thing that was wrong with the call.
    pub(crate) body: Result<Vec<u8>, RpcError>,
    pub(crate) timeout: Duration,
    /// The deadline of the call inside whose handler this one was made.
    pub(crate) inherited: Option<Instant>,
    pub(crate) priority: Option<u8>,
    /// Whether it ends when the broker has taken it.
    pub(crate) one_way: bool,
    /// Whether the broker is to confirm that its queue has it.
    pub(crate) confirmed: bool,
    /// Whether it may be sent again after it may have run.
    pub(crate) idempotent: bool,
    pub(crate) headers: Headers,
}

impl Request {
    fn new(rpc: &Rpc, name: Cow<'static, str>, body: Result<Vec<u8>, String>) -> Self {
        let method = rpc.prefixed(name);
        let body = if method.is_empty() {
            Err(RpcError::Encode {
                method: String::new(),
                reason: "the method has no name".into(),
            })
        } else if method.len() > SHORT_STRING {
            Err(RpcError::TooLarge {
                method: shorten(&method),
                what: "method name".into(),
                size: method.len(),
                limit: SHORT_STRING,
            })
        } else {
            body.map_err(|reason| RpcError::Encode {
                method: method.clone().into_owned(),
                reason,
            })
        };
        Self {
            method,
            body,
            timeout: rpc.default_timeout(),
            inherited: Context::current_deadline(),
            priority: None,
            one_way: false,
            confirmed: false,
            idempotent: false,
            headers: Headers::new(),
        }
    }

    /// When a call that starts now must have ended.
    pub(crate) fn deadline(&self, now: Instant) -> Instant {
        let own = now + self.timeout.min(FOREVER);
        self.inherited
            .map_or(own, |inherited| own.min(inherited.max(now)))
    }

    fn refuse(&mut self, error: RpcError) {
        if self.body.is_ok() {
            self.body = Err(error);
        }
    }
}

impl Call<Value> {
    pub(crate) fn untyped<A: Serialize + ?Sized>(
        rpc: &Rpc,
        method: Cow<'static, str>,
        args: &A,
    ) -> Self {
        Self::ready(
            rpc,
            Request::new(rpc, method, codec::encode_args(args)),
            plain,
        )
    }
}

impl<T, Err> Call<T, Err> {
    /// A call of a method of a trait.
    pub(crate) fn described(
        rpc: &Rpc,
        method: &'static MethodDescriptor,
        body: Result<Vec<u8>, String>,
        finish: Finish<T, Err>,
    ) -> Self {
        let mut request = Request::new(rpc, method.name.into(), body);
        if let Some(timeout) = method.timeout {
            request.timeout = timeout;
        }
        request.priority = method.priority;
        request.one_way = method.one_way;
        request.idempotent = method.idempotent;
        request.confirmed = method.queue.is_some_and(|queue| queue().is_quorum());
        Self::ready(rpc, request, finish)
    }

    fn ready(rpc: &Rpc, request: Request, finish: Finish<T, Err>) -> Self {
        Self {
            state: State::Ready(rpc.clone(), Box::new(request)),
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
        let call = self.with(|request| request.one_way = true);
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
        self.with(|request| request.timeout = timeout)
    }

    /// Sets the priority, from 0 (lowest) to 255. It acts only on queues that were declared with
    /// `x-max-priority`.
    ///
    /// Defaults to none, which counts as 0.
    pub fn priority(self, priority: u8) -> Self {
        self.with(|request| request.priority = Some(priority))
    }

    /// Sends the call again, within its time limit, when its connection or its server is lost on the way, so
    /// that its caller sees only the result.
    ///
    /// Only for methods that may run several times: the lost call may have run, or may run yet. Defaults to
    /// what the trait says of the method, and to off for untyped calls.
    pub fn idempotent(self) -> Self {
        self.with(|request| request.idempotent = true)
    }

    /// Has the broker confirm that the method's queue has the call, and sends it again within its time limit
    /// while the queue refuses it.
    ///
    /// For methods with [quorum queues](crate::QueueOptions::quorum), which drop other calls while they have no leader, as
    /// for a moment after a node of the cluster was lost: such a call ends as [`RpcError::Timeout`]. A call that
    /// is refused for all its time, or at all where the [`Rpc`] is to [`fail_fast`](crate::RpcBuilder::fail_fast), ends
    /// as [`RpcError::Overloaded`]; it did not run. The answer does not wait for the confirmation. Defaults to
    /// whether the trait declares the queue so, and to off for untyped calls.
    pub fn confirmed(self) -> Self {
        self.with(|request| request.confirmed = true)
    }

    /// Adds a header, which the handler finds in its [`Context`].
    ///
    /// A name, also one inside the value, may have 255 bytes, and all headers together must fit one frame
    /// (128 KiB by default); the call ends as [`RpcError::TooLarge`] otherwise. The names `From`, `CC` and
    /// `BCC` and those that start with `rpc-` or `x-` belong to the protocol and the broker, and a value may be
    /// nested 126 deep; the call ends as [`RpcError::Encode`] otherwise.
    pub fn header(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.with(|request| {
            let method = shorten(&request.method);
            let longest = name.len().max(longest_name_in(&value));
            if longest > SHORT_STRING {
                request.refuse(RpcError::TooLarge {
                    method,
                    what: format!("name of the header `{}`, or one inside it,", shorten(&name)),
                    size: longest,
                    limit: SHORT_STRING,
                });
            } else if depth_of(&value) >= DEEPEST {
                let reason = format!(
                    "the header `{name}` is nested more than {} deep",
                    DEEPEST - 1
                );
                request.refuse(RpcError::Encode { method, reason });
            } else if is_reserved(&name) {
                let reason = format!("the header `{name}` belongs to the protocol or the broker");
                request.refuse(RpcError::Encode { method, reason });
            } else {
                request.headers.insert(name, value);
            }
        })
    }

    fn with(mut self, set: impl FnOnce(&mut Request)) -> Self {
        // A call that was polled has been sent as it was.
        if let State::Ready(_, request) = &mut self.state {
            set(request);
        }
        self
    }
}

impl<T, Err> Future for Call<T, Err> {
    type Output = Result<T, Err>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let State::Ready(..) = self.state
            && let State::Ready(rpc, request) = std::mem::replace(&mut self.state, State::Done)
        {
            self.state = State::Running(Box::pin(async move {
                let method = request.method.clone();
                let answer = rpc.client().call(request).await;
                (method, answer)
            }));
        }
        let State::Running(running) = &mut self.state else {
            panic!("a `Call` was polled after it had ended");
        };
        let (method, answer) = std::task::ready!(running.as_mut().poll(cx));
        self.state = State::Done;
        Poll::Ready((self.finish)(method, answer))
    }
}

impl<T, Err> fmt::Debug for Call<T, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        match &self.state {
            State::Ready(_, request) => call.field("method", &request.method),
            State::Running(_) => call.field("state", &"running"),
            State::Done => call.field("state", &"done"),
        };
        call.finish_non_exhaustive()
    }
}

/// `CC` and `BCC` would have RabbitMQ send the call to further queues, and close the channel of all calls
/// if they are no lists.
fn is_reserved(name: &str) -> bool {
    [FROM, "CC", "BCC"].contains(&name) || name.starts_with("rpc-") || name.starts_with("x-")
}

/// The end of a method that returns a plain value.
pub(crate) fn plain<T: DeserializeOwned>(
    method: Cow<'static, str>,
    answer: Result<Answer, RpcError>,
) -> Result<T, RpcError> {
    match answer? {
        Answer::Value(body) => codec::decode_result(&body).map_err(|reason| RpcError::Decode {
            method: method.into_owned(),
            expected: type_name::<T>().to_owned(),
            reason,
        }),
        Answer::Fault(fault) => Err(RpcError::Remote(fault.into_remote(&method))),
    }
}

/// The end of a method that returns a `Result`.
pub(crate) fn fallible<T, E>(
    method: Cow<'static, str>,
    answer: Result<Answer, RpcError>,
) -> Result<T, CallError<E>>
where
    T: DeserializeOwned,
    E: DeserializeOwned,
{
    // Data that is no `E` leaves the remote error as it came: it says more than a decode error would.
    if let Ok(Answer::Fault(fault)) = &answer
        && !fault.kind.starts_with(kind::PREFIX)
        && let Some(data) = &fault.data
        && let Ok(error) = E::deserialize(data)
    {
        return Err(CallError::Service(error));
    }
    plain(method, answer).map_err(CallError::Rpc)
}
