//! From one call that has arrived to its reply.

use std::any::Any;
use std::future::pending;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::context::{Context, Served};
use crate::fault::{Fault, kind};
use crate::message::{JSON, Kind, Message};
use crate::service::Method;

/// A call on its server.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) message: Message,
    pub(crate) redelivered: bool,
    /// Why it must not run.
    pub(crate) refused: Option<Fault>,
    /// Whether anybody waits for the answer.
    pub(crate) awaited: bool,
    /// By the clock of this machine; `None` if the caller set no limit.
    pub(crate) deadline: Option<Instant>,
}

/// Runs the handler of a call and makes the reply. Whatever is wrong with the call or happens to the
/// handler becomes an error reply; only an idempotent call that is abandoned has none, since another
/// server will run it.
pub(crate) async fn answer(
    method: &Method,
    arrived: Arrived,
    message_size: usize,
    abandon: &CancellationToken,
) -> Option<Message> {
    let name = &*method.name;
    let persistent = arrived.message.persistent;
    let correlation_id = arrived.message.correlation_id.clone();
    let awaited = arrived.awaited;
    let running = async {
        tokio::select! {
            biased;
            result = run(method, arrived) => Some(result),
            () = abandon.cancelled() => None,
        }
    };
    // Around all that runs the handler's code, also the drop of its future. Its state is gone after a
    // panic, so nobody can see it broken.
    let result = match AssertUnwindSafe(running).catch_unwind().await {
        Ok(Some(result)) => result,
        Ok(None) if method.options.idempotent => return None,
        Ok(None) => Err(Fault::new(
            kind::INTERRUPTED,
            format!("the server shut down while `{name}` ran; it may have run in part"),
        )),
        Err(panic) => Err(panicked(name, &*panic)),
    };
    let result = result.and_then(|body| {
        if body.len() <= message_size {
            Ok(body)
        } else {
            Err(too_large(name, body.len(), message_size))
        }
    });
    let (kind, body) = match result {
        Ok(body) => (Kind::Result, body),
        Err(fault) => {
            if awaited {
                debug!(method = name, kind = %fault.kind, "answered with an error");
            } else {
                // Nobody else will say so.
                warn!(method = name, kind = %fault.kind, fault.message, "a one-way call failed");
            }
            (Kind::Error, encode(name, &fault, message_size))
        }
    };
    Some(Message {
        kind,
        correlation_id,
        content_type: Some(JSON.into()),
        persistent,
        body,
        ..Message::default()
    })
}

async fn run(method: &Method, arrived: Arrived) -> Result<Vec<u8>, Fault> {
    let name = &*method.name;
    let Arrived {
        message: call,
        redelivered,
        refused,
        deadline,
        ..
    } = arrived;
    if let Some(fault) = refused {
        return Err(fault);
    }
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(Fault::new(
            kind::EXPIRED,
            format!("the deadline of `{name}` passed before it could start"),
        ));
    }
    let context = Context::new(Served {
        method: name.to_owned(),
        correlation_id: call.correlation_id,
        deadline,
        redelivered,
        user_id: call.user_id,
        headers: call.headers,
    });
    // Made inside the scope, since a handler may look at its context before its first await.
    let handler = context.scope(async { (method.handler)(call.body).await });
    tokio::select! {
        // The deadline wins over a handler that is done at that very moment, perhaps since a call that it
        // made has just timed out: what ends by the deadline must not depend on chance.
        biased;
        () = until(deadline) => Err(Fault::new(
            kind::DEADLINE_EXCEEDED,
            format!("the handler of `{name}` was stopped at the deadline of the call"),
        )),
        result = handler => result,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

fn panicked(method: &str, panic: &(dyn Any + Send)) -> Fault {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    // The words stay here: they may hold what a caller must not see.
    error!(method, panic = words, "a handler panicked");
    Fault::new(
        kind::PANICKED,
        format!("the handler of `{method}` panicked; the server's log says why"),
    )
}

/// An error's own data may be too large for a message as well; its words must still arrive.
fn encode(method: &str, fault: &Fault, message_size: usize) -> Vec<u8> {
    let body = fault.encode();
    if body.len() <= message_size {
        return body;
    }
    too_large(method, body.len(), message_size).encode()
}

fn too_large(method: &str, size: usize, limit: usize) -> Fault {
    Fault::new(
        kind::TOO_LARGE,
        format!("`{method}` ran, but its reply is {size} bytes and the server's limit is {limit}"),
    )
}
