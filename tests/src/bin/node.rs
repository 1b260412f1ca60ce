//! Runs a command with a RabbitMQ node that lives as long as the command: `node COMMAND...`.
//! `RABBITMQ_URL` is set to the node's URL.

use std::process::ExitCode;

use anyhow::{Context, Result};
use rpc_tests::RabbitNode;
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("usage: node COMMAND...")?;
    let node = RabbitNode::start().await?;
    let mut command = Command::new(&program);
    command.args(arguments).env("RABBITMQ_URL", node.url());
    let status = command
        .status()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    // Nothing when a signal ended it.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
