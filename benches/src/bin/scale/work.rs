//! The cost of calls without batching. With batching, the size of the batches would differ from
//! line to line: the more methods or clients there are, the fewer calls of each wait at the same
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use rpc_core::__internals::Echoes;
use rpc_core::{Batching, Rpc};
use serde_json::{Value, json};

use crate::cpu;
use crate::process::memory;

/// Echo calls to this many methods of one service.
pub(crate) async fn methods(url: &str, methods: usize) -> Result<()> {
    let (server, client) = (connect(url).await?, connect(url).await?);
    let names = names("method", methods);
    server.serve(Echoes(names.clone())).await?;
    measure(methods, &[client], CALLERS, &names).await
}

/// Echo calls to this many registered functions.
pub(crate) async fn functions(url: &str, functions: usize) -> Result<()> {
    let (server, client) = (connect(url).await?, connect(url).await?);
    let names = names("function", functions);
    for name in &names {
        server.register(name.clone(), echo).await?;
    }
    measure(functions, &[client], CALLERS, &names).await
}

fn names(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{of}{number}")).collect()
}

/// Echo calls to this many servers, each with a client of its own.
pub(crate) async fn peers(url: &str, peers: usize, callers: usize) -> Result<()> {
    let start = || async {
        let server = connect(url).await?;
        server.register("echo", echo).await?;
        anyhow::Ok((server, connect(url).await?))
    };
    let both = try_join_all((0..peers).map(|_| start())).await?;
    let (_servers, clients): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    measure(peers, &clients, callers, &["echo".to_owned()]).await
}

async fn connect(url: &str) -> Result<Rpc> {
    let builder = Rpc::builder(url).batching(Batching::off());
    Ok(builder.connect().await?)
}

async fn echo(value: Value) -> Result<Value, String> {
    Ok(value)
}

fn processor() -> Result<f64> {
    cpu::seconds(std::process::id()).context("times are read from /proc")
}

async fn measure(count: usize, clients: &[Rpc], callers: usize, names: &[String]) -> Result<()> {
    call_often(clients, names, callers, CALLS / 4).await?;
    let (start, spent) = (Instant::now(), processor()?);
    call_often(clients, names, callers, CALLS).await?;
    let rate = CALLS as f64 / start.elapsed().as_secs_f64();
    let each = (processor()? - spent) * 1e6 / CALLS as f64;
    let memory = memory()? / 1024;
    println!("  {count:>9}  {rate:>7.0} calls/s  {each:>5.1} us of a processor each  {memory} MiB");
    Ok(())
}

/// Makes this many calls, from callers that are spread over the clients and call the methods in
/// turn.
pub(crate) async fn call_often(
    clients: &[Rpc],
    names: &[String],
    callers: usize,
    calls: usize,
) -> Result<()> {
    let names: Arc<[String]> = names.into();
    let made = Arc::new(AtomicUsize::new(0));
    let callers = (0..callers).map(|caller| {
        let client = clients[caller % clients.len()].clone();
        let (names, made) = (Arc::clone(&names), Arc::clone(&made));
        tokio::spawn(async move {
            let args = json!({ "text": "x".repeat(64) });
            loop {
                let number = made.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return anyhow::Ok(());
                }
                let name = &names[number % names.len()];
                let back = client.call(name.clone(), &args).await?;
                ensure!(back == args, "{back} came back");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}

const CALLERS: usize = 128;
const CALLS: usize = 100_000;
