//! A server that some calls kill: `doomed URL QUEUE`, with QUEUE as `classic` or `quorum`.
//!
//! It serves `doom`, which kills the process with SIGKILL if the call says so, and otherwise
//! returns the process' id. It prints a line when it is ready, and one before it dies. It ends when
//! its standard input closes, so it never outlives its test.

use std::future::pending;
use std::io::{Read, Write};

use anyhow::{Result, bail};
use rpc_core::{QueueOptions, Rpc};
use rustix::process::{Signal, getpid, kill_process};
use serde::Deserialize;

#[derive(Deserialize)]
struct Doom {
    kill: bool,
}

async fn doom(doom: Doom) -> Result<i32, String> {
    if !doom.kill {
        return Ok(getpid().as_raw_nonzero().get());
    }
    say("doomed").map_err(|error| error.to_string())?;
    kill_process(getpid(), Signal::KILL).map_err(|error| error.to_string())?;
    pending().await
}

/// Writes a line at once: what is killed flushes nothing.
fn say(line: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(kind)) = (arguments.next(), arguments.next()) else {
        bail!("usage: doomed URL QUEUE");
    };
    let queue = match &*kind {
        "classic" => QueueOptions::default(),
        "quorum" => QueueOptions::default().quorum(),
        other => bail!("a queue is classic or quorum, not {other}"),
    };
    let rpc = Rpc::connect(&*url).await?;
    let serve = rpc.register("doom", doom).idempotent(true).queue(queue);
    let server = serve.dead_letter_queue("doom.lost").await?;
    say("ready")?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    // What it has answered is acked then.
    server.shutdown().await?;
    rpc.close().await;
    Ok(())
}
