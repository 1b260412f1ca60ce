//! From one delivery to its reply.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::SystemTime;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error};

use crate::context::{Context, Served};
use crate::fault::{Fault, kind};
use crate::message::{Delivery, JSON, Kind, Message, time_left};
use crate::service::Method;

/// Runs the handler of a call and makes the reply. There is always one: whatever is wrong with the call
/// or happens to the handler becomes an error reply.
pub(crate) async fn answer(method: &Method, delivery: Delivery, message_size: usize) -> Message {
    let Delivery {
        message,
        redelivered,
        ..
    } = delivery;
    let persistent = message.persistent;
    let correlation_id = message.correlation_id.clone();
    let result = run(method, message, redelivered).await.and_then(|body| {
        if body.len() <= message_size {
            Ok(body)
        } else {
            Err(too_large(&method.name, body.len(), message_size))
        }
    });
    let (kind, body) = match result {
        Ok(body) => (Kind::Result, body),
        Err(fault) => {
            debug!(method = %method.name, kind = %fault.kind, "answered with an error");
            (Kind::Error, encode(&method.name, &fault, message_size))
        }
    };
    Message {
        kind,
        correlation_id,
        content_type: Some(JSON.into()),
        persistent,
        body,
        ..Message::default()
    }
}

async fn run(method: &Method, call: Message, redelivered: bool) -> Result<Vec<u8>, Fault> {
    let name = &*method.name;
    if redelivered && !method.options.idempotent {
        return Err(Fault::new(
            kind::INTERRUPTED,
            format!(
                "a server that had taken `{name}` was lost; it may have run, and is not idempotent"
            ),
        ));
    }
    let deadline =
        time_left(&call, SystemTime::now()).and_then(|left| Instant::now().checked_add(left));
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
    // Made inside the async block, so that a handler that panics before its first await is caught too.
    // Its state is gone after the panic, so nobody can see it broken.
    let handler = AssertUnwindSafe(async { (method.handler)(call.body).await }).catch_unwind();
    let outcome = tokio::select! {
        // The deadline wins over a handler that is done at that very moment, perhaps since a call that it
        // made has just timed out: what ends by the deadline must not depend on chance.
        biased;
        () = until(deadline) => {
            return Err(Fault::new(
                kind::DEADLINE_EXCEEDED,
                format!("the handler of `{name}` was stopped at the deadline of the call"),
            ));
        }
        outcome = context.scope(handler) => outcome,
    };
    outcome.unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        // The words stay here: they may hold what a caller must not see.
        error!(method = name, panic = words, "a handler panicked");
        Err(Fault::new(
            kind::PANICKED,
            format!("the handler of `{name}` panicked; the server's log says why"),
        ))
    })
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
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
