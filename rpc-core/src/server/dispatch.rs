//! Runs one call that has arrived, and makes its reply.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::OptionFuture;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, trace, warn};

use crate::contract::context::{CallInfo, Context};
use crate::contract::service::Method;
use crate::server::clock_skew::Deadline;
use crate::wire::content::Content;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::fault::{Fault, kind};
use crate::wire::message::{Delivery, JSON, Kind, Message};
use crate::wire::size_limit::{SizeLimit, TooLarge};

/// A call whose turn has come, without the data that only its arrival needed.
#[derive(Debug)]
pub(crate) struct Prepared {
    correlation_id: Option<CorrelationId>,
    persistent: bool,
    /// What the handler gets, or why the call must not run.
    run: Result<(Context, Bytes), Box<Fault>>,
}

/// Runs the handler of a call and makes the reply. Whatever is wrong with the call, and whatever
/// happens to the handler, becomes an error reply. Only an abandoned idempotent call has no reply,
/// because another server will run it.
pub(crate) async fn answer(
    method: &Method,
    call: Prepared,
    is_awaited: bool,
    size_limit: SizeLimit,
    abandon: &CancellationToken,
) -> Option<Message> {
    let Prepared {
        correlation_id,
        persistent,
        run: prepared,
    } = call;
    let result = match prepared {
        Err(fault) => Err(*fault),
        Ok((context, body)) => {
            // Covers all that runs the handler's code, including the drop of its future. The state
            // of the handler is gone after a panic, so nobody can see it broken.
            let running = AssertUnwindSafe(run(method, context, body, abandon));
            match running.catch_unwind().await {
                Ok(Some(result)) => result,
                Ok(None) if method.options.idempotent => return None,
                Ok(None) => Err(abandoned(&method.name)),
                Err(panic) => {
                    let fault = panicked(&method.name, &*panic);
                    discard(panic);
                    Err(fault)
                }
            }
        }
    };
    let (kind, body) = encode_result(method, result, is_awaited, size_limit);
    Some(Message {
        kind,
        correlation_id,
        content_type: Some(JSON.into()),
        persistent,
        body: body.into(),
        ..Message::default()
    })
}

/// Prepares a call whose turn has come. A refused or expired call gets a fault instead of a
/// context.
pub(crate) fn prepare(
    method: &Method,
    delivery: Delivery,
    refused: Option<Box<Fault>>,
    deadline: Option<Deadline>,
    now: Instant,
) -> Prepared {
    let Delivery {
        message: call,
        redelivered,
        ..
    } = delivery;
    let correlation_id = call.correlation_id.clone();
    let is_late = deadline.is_some_and(|deadline| deadline.starts_before <= now);
    let run = match refused {
        Some(fault) => Err(fault),
        None if is_late => Err(Box::new(late(&method.name))),
        None => {
            let context = Context::new(CallInfo {
                content: Content::of(&call),
                method: method.name.clone(),
                correlation_id: call.correlation_id,
                id_text: OnceLock::new(),
                deadline: deadline.map(|deadline| deadline.ends_by),
                redelivered: redelivered || call.marks.attempts.is_some(),
                user_id: call.user_id,
                headers: call.headers,
                decoded_headers: OnceLock::new(),
            });
            Ok((context, call.body))
        }
    };
    Prepared {
        correlation_id,
        persistent: call.persistent,
        run,
    }
}

/// Runs the handler, until its deadline at most; `None` if it is abandoned.
async fn run(
    method: &Method,
    context: Context,
    body: Bytes,
    abandon: &CancellationToken,
) -> Option<Result<Vec<u8>, Fault>> {
    let deadline = context.deadline();
    // Called inside the scope, because a handler may look at its context before its first await.
    let mut handler = pin!(context.scope(async {
        let result = (method.handler)(body).await;
        result.map_err(|fault| fault.explained_by(Context::current().content()))
    }));
    // Most handlers finish in their first poll, and need no timer.
    let first = poll_fn(|cx| Poll::Ready(handler.as_mut().poll(cx)));
    if let Poll::Ready(result) = first.await {
        return Some(result);
    }
    let rest = async {
        tokio::select! {
            // The deadline wins over a handler that finishes at that very moment, perhaps because a
            // call that it made has just timed out. The outcome at the deadline must not depend on
            // chance.
            biased;
            Some(()) = OptionFuture::from(deadline.map(sleep_until)) => Some(Err(stopped(&method.name))),
            result = handler => Some(result),
            () = abandon.cancelled() => None,
        }
    };
    Box::pin(rest).await
}

/// The type and the body of the reply.
fn encode_result(
    method: &Method,
    result: Result<Vec<u8>, Fault>,
    is_awaited: bool,
    size_limit: SizeLimit,
) -> (Kind, Vec<u8>) {
    let name = &*method.name;
    let fault = match result {
        Ok(body) => match size_limit.check(&body) {
            Ok(()) => return (Kind::Result, body),
            Err(too_large) => reply_too_large(name, too_large),
        },
        Err(fault) => fault,
    };
    if is_awaited {
        debug!(method = name, kind = %fault.kind, "answered with an error");
    } else {
        // Nobody waits for the reply, so only this log reports the failure. What the error says may
        // be anybody's data.
        warn!(method = name, kind = %fault.kind, "a one-way call failed");
        trace!(method = name, fault.message, "what its error says");
    }
    (Kind::Error, encode(name, &fault, size_limit))
}

fn late(method: &str) -> Fault {
    Fault::new(
        kind::EXPIRED,
        format!("the deadline of `{method}` passed before it could start"),
    )
}

fn stopped(method: &str) -> Fault {
    Fault::new(
        kind::DEADLINE_EXCEEDED,
        format!("the handler of `{method}` was stopped at the deadline of the call"),
    )
}

fn abandoned(method: &str) -> Fault {
    Fault::new(
        kind::INTERRUPTED,
        format!("the server shut down while `{method}` ran; it may have run in part"),
    )
}

/// Drops what a panic carries, which may panic in turn. A call must be settled all the same.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Its drop may panic as well, so it is leaked.
        mem::forget(again);
    }
}

fn panicked(method: &str, panic: &(dyn Any + Send)) -> Fault {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    // What a panic says may be anybody's data. The program's panic hook decides what becomes of it.
    error!(
        method,
        "a handler panicked; what it said went to the panic hook"
    );
    trace!(method, panic = message, "what the panic said");
    Fault::new(
        kind::PANICKED,
        format!("the handler of `{method}` panicked; the server's panic hook has its words"),
    )
}

/// An error reply may also be too large for a message, because of its data. A shorter error takes
/// its place, so that the caller still gets an answer.
fn encode(method: &str, fault: &Fault, size_limit: SizeLimit) -> Vec<u8> {
    let body = fault.encode();
    match size_limit.check(&body) {
        Ok(()) => body,
        Err(too_large) => reply_too_large(method, too_large).encode(),
    }
}

fn reply_too_large(method: &str, TooLarge { size, limit }: TooLarge) -> Fault {
    Fault::new(
        kind::REPLY_TOO_LARGE,
        format!("`{method}` ran, but its reply is {size} bytes and the server's limit is {limit}"),
    )
}

/// The fault of a call that is too large for this server. Its caller may have a larger limit, or
/// none.
pub(crate) fn call_too_large(method: &Method, TooLarge { size, limit }: TooLarge) -> Fault {
    let name = &method.name;
    Fault::new(
        kind::CALL_TOO_LARGE,
        format!("`{name}` did not run: the call is {size} bytes and the server's limit is {limit}"),
    )
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use serde_json::Value;

    use super::*;

    /// Panics when it is dropped, with another one of its kind, so many times.
    struct Bomb(u8);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[tokio::test]
    async fn a_panic_whose_payload_panics_is_answered_as_well() {
        for bombs in 0..3 {
            let method = Method::new("nap", move |_: Value| async move {
                if true {
                    panic_any(Bomb(bombs));
                }
                Ok::<_, String>(())
            });
            let delivery = Delivery {
                message: Message {
                    kind: Kind::Call,
                    body: Bytes::from_static(b"{}"),
                    ..Message::default()
                },
                redelivered: false,
                tag: 1,
            };
            let call = prepare(&method, delivery, None, None, Instant::now());
            let limit = SizeLimit::new(1024);
            let reply = answer(&method, call, true, limit, &CancellationToken::new()).await;
            let fault = Fault::parse(&reply.unwrap().body, &Content::default()).unwrap();
            assert_eq!(fault.kind, kind::PANICKED, "{bombs}");
        }
    }
}
