//! What the errors of calls say of all that was done for them, with the clock stopped.

use std::error::Error;
use std::future::{IntoFuture, pending};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::*;
use crate::error::kind;
use crate::rpc::Rpc;
use crate::transport::memory::MemoryBroker;

#[derive(Deserialize)]
struct Args {
    a: u8,
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_second_attempt_says_nothing_of_the_first() {
    let connect = async || Rpc::connect("memory://doubt").await.unwrap();
    let (first, second, client) = (connect().await, connect().await, connect().await);
    let (took, mut taken) = mpsc::channel(1);
    let nap = move |_: Value| {
        let took = took.clone();
        async move {
            took.send(()).await.unwrap();
            pending::<Result<(), String>>().await
        }
    };
    let server = first.register("nap", nap).await.unwrap();
    let call = || client.call("nap", json!({"a": "text"})).idempotent(true);
    let attempts = tokio::spawn(call().into_future());
    taken.recv().await.unwrap();
    let other = |args: Args| async move { Ok::<_, String>(args.a) };
    second.register("nap", other).await.unwrap();
    drop((server, first));

    let error = attempts.await.unwrap().unwrap_err();
    assert_eq!(error, RpcError::interrupted("nap"));
    assert!(error.may_have_run());
    // Where there was no other attempt, it is certain.
    let error = call().await.unwrap_err();
    assert_eq!(error.kind(), kind::INVALID_ARGUMENTS);
    assert!(!error.may_have_run());
}

#[tokio::test(start_paused = true)]
async fn the_source_of_a_call_without_a_connection_is_why_there_is_none() {
    let broker = MemoryBroker::named("away");
    let rpc = Rpc::builder("memory://away").fail_fast(true);
    let rpc = rpc.connect().await.unwrap();
    broker.stop();
    sleep(Duration::from_secs(1)).await;
    let error = rpc.call("nap", ()).await.unwrap_err();
    assert_eq!(error.kind(), kind::NOT_CONNECTED);
    let source = error.source().and_then(|source| source.downcast_ref());
    let reason = "the broker is stopped";
    assert_eq!(
        source,
        Some(&ConnectError::unreachable("memory://away", reason))
    );
}
