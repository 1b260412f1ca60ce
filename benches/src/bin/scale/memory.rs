//! The memory of calls.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rpc_core::{Batching, Rpc};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::process::memory;
use crate::work::call_often;

/// A server in a process of its own, whose method never returns. The process ends when its standard
/// input closes.
pub(crate) async fn hold(url: &str) -> Result<()> {
    let rpc = Rpc::connect(url).await?;
    let hold = |_: Value| async { std::future::pending::<Result<(), String>>().await };
    rpc.register("hold", hold).concurrency(u16::MAX).await?;
    println!("ready");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// The memory that a client needs for this many calls in flight.
pub(crate) async fn in_flight(url: &str, calls: usize) -> Result<()> {
    let mut server = Command::new(env::current_exe()?)
        .args(["holder", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = server.stdout.take().context("the server says nothing")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    ensure!(line.as_deref() == Some("ready"), "the server said {line:?}");
    let client = Rpc::connect(url).await?;
    let call = || {
        let call = client.call("hold", json!({ "text": "x".repeat(64) }));
        tokio::spawn(call.timeout(Duration::from_secs(600)))
    };
    // A first call, so that what is allocated only once is already there.
    let warm: Vec<_> = (0..100).map(|_| call()).collect();
    wait_for(&client, warm.len()).await?;
    let before = memory()?;
    let waiting: Vec<_> = (0..calls).map(|_| call()).collect();
    wait_for(&client, warm.len() + calls).await?;
    let after = memory()?;
    let each = (after - before) as f64 / calls as f64;
    println!("  {calls:>9}  {each:.2} KiB each, with the task of its caller");
    warm.iter().chain(&waiting).for_each(|call| call.abort());
    drop(server.stdin.take());
    server.wait().await?;
    Ok(())
}

async fn wait_for(client: &Rpc, calls: usize) -> Result<()> {
    let all = async {
        while client.in_flight() < calls {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), all)
        .await
        .context("not all calls are sent")?;
    // Gives the connection time to write the last calls.
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// The memory that remains in use after this many calls, in a process that is client and server.
pub(crate) async fn in_all(url: &str, calls: usize) -> Result<()> {
    let (server, client) = (Rpc::connect(url).await?, Rpc::connect(url).await?);
    server
        .register("echo", |value: Value| async { Ok::<_, String>(value) })
        .await?;
    let plain = Rpc::builder(url)
        .batching(Batching::off())
        .connect()
        .await?;
    let names = vec!["echo".to_owned()];
    let tenth = calls / 10;
    let mut line = format!("  {calls:>9} ");
    for part in 0..=10 {
        // The last tenth one by one.
        let client = if part == 10 { &plain } else { &client };
        let count = if part == 0 { 20_000 } else { tenth };
        call_often(std::slice::from_ref(client), &names, 100, count).await?;
        if [0, 1, 5, 9, 10].contains(&part) {
            line += &format!("  {part}/10: {} MiB", memory()? / 1024);
        }
    }
    println!("{line}");
    Ok(())
}
