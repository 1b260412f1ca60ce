//! Calls and handlers without a trait: a name, a JSON object, a JSON value.
//!
//! `cargo run --example untyped` runs over `memory://`; with `RABBITMQ_URL` set, over that broker, where
//! programs in other languages can take either side.

use std::env;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rpc_core::{Rpc, RpcError};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

#[derive(Deserialize)]
struct SleepArgs {
    t: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;

    // A handler takes any type that decodes from an object; its error is any that encodes.
    rpc.register("sleep", |args: SleepArgs| async move {
        sleep(Duration::from_secs(args.t)).await;
        Ok::<_, String>(args.t)
    })
    .await?;

    // With `Value` it takes everything. Options follow `register`, before the await.
    rpc.register("count_keys", |args: Value| async move {
        let Some(object) = args.as_object().filter(|object| !object.is_empty()) else {
            return Err("nothing to count");
        };
        Ok(object.len())
    })
    .concurrency(8)
    .idempotent(true)
    .await?;

    let slept = rpc.call("sleep", json!({"t": 1})).await?;
    println!("sleep             -> {slept}");

    let count: usize = rpc
        .call("count_keys", json!({"a": 1, "b": 2}))
        .returning()
        .await?;
    println!("count_keys        -> {count}");
    ensure!(count == 2, "{count} keys");

    match rpc.call("count_keys", ()).await {
        Err(RpcError::Remote(error)) => println!("count_keys of ()  -> {error}"),
        other => bail!("expected the handler's error, got {other:?}"),
    }
    match rpc.call("sleep", json!({"minutes": 1})).await {
        Err(error) => println!("wrong argument    -> {error}"),
        Ok(value) => bail!("expected an error, got {value}"),
    }
    match rpc.call("no_such_method", ()).await {
        Err(error @ RpcError::NoSuchMethod { .. }) => println!("unknown method    -> {error}"),
        other => bail!("expected no such method, got {other:?}"),
    }

    rpc.close().await;
    Ok(())
}
