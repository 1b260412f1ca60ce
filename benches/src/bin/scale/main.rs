//! Measures what calls cost as numbers grow: of calls in flight, of calls in total, of methods,
//! servers and clients.
//!
//! ```console
//! $ benches/scale
//! ```
//!
//! It prints a table for each and has no pass or fail, because the figures depend on the machine.
//! All lines use one RabbitMQ, but each is measured in a process of its own, so that it is not
//! affected by the line before.

#[path = "../compare/cpu.rs"]
mod cpu;
mod memory;
mod process;
mod work;

use std::env;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use rpc_tests::RabbitNode;
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [] => measure().await,
        ["in-flight", url, calls] => memory::in_flight(url, calls.parse()?).await,
        ["in-all", url, calls] => memory::in_all(url, calls.parse()?).await,
        ["holder", url] => memory::hold(url).await,
        ["methods", url, methods] => work::methods(url, methods.parse()?).await,
        ["functions", url, functions] => work::functions(url, functions.parse()?).await,
        ["peers", url, peers, callers] => work::peers(url, peers.parse()?, callers.parse()?).await,
        _ => anyhow::bail!("usage: benches/scale"),
    }
}

async fn measure() -> Result<()> {
    let mut node = RabbitNode::start().await?;
    let url = node.url();
    println!("Calls in flight: memory of the client");
    for calls in ["1000", "10000"] {
        run(&["in-flight", &url, calls]).await?;
    }
    println!("Calls in all: memory of client and server");
    run(&["in-all", &url, "1000000"]).await?;
    println!("Methods of one service, called in turn by 128 callers, one by one");
    for methods in ["1", "10", "100", "1000"] {
        run(&["methods", &url, methods]).await?;
    }
    println!("Functions that are registered by themselves, called likewise");
    for functions in ["1", "10", "100", "1000"] {
        run(&["functions", &url, functions]).await?;
    }
    println!("Servers of one method and as many clients, with 128 callers in all, one by one");
    for peers in ["1", "8", "64"] {
        run(&["peers", &url, peers, "128"]).await?;
    }
    println!("The same, with 2 callers for each client");
    for (peers, callers) in [("1", "2"), ("8", "16"), ("64", "128")] {
        run(&["peers", &url, peers, callers]).await?;
    }
    node.stop().await
}

/// Measures one line and prints it.
async fn run(arguments: &[&str]) -> Result<()> {
    let status = Command::new(env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("this program cannot start itself")?;
    ensure!(status.success(), "{arguments:?} ended with {status}");
    Ok(())
}
