//! A server whose memory is measured: `weighed URL`.
//!
//! It serves `weigh` and `hold`, which look at nothing; the second takes a while. It calls `peek`
//! for whoever wants to know its reply queue. It prints a line when it is ready, and one for each
//! line of its standard input, and ends with that:
//!
//! - `peak`: the most memory that it ever had, in KiB.
//! - `call`: nothing, once a call of `peek` has ended.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rpc_core::Rpc;
use serde::de::IgnoredAny;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// So long that all calls are held that come at once.
const NAP: Duration = Duration::from_secs(3);

async fn weigh(_: IgnoredAny) -> Result<(), String> {
    Ok(())
}

async fn hold(_: IgnoredAny) -> Result<(), String> {
    sleep(NAP).await;
    Ok(())
}

fn peak() -> Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no peak")?.to_owned())
}

fn say(line: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(url) = std::env::args().nth(1) else {
        bail!("usage: weighed URL");
    };
    let rpc = Rpc::connect(&url).await?;
    rpc.register("weigh", weigh).await?;
    rpc.register("hold", hold).await?;
    say("ready")?;
    while let Some(line) = spawn_blocking(|| std::io::stdin().lines().next()).await? {
        match &*line? {
            "peak" => say(&peak()?)?,
            "call" => {
                rpc.call("peek", ()).await?;
                say("called")?;
            }
            other => bail!("unknown: {other}"),
        }
    }
    Ok(())
}
