//! The soak: clients and servers in several processes under random faults, and a ledger of every
//! call. At the end, the ledger must prove that each call ended once, in time and truthfully, and
//! that no work was done twice.
//!
//! `soak orchestrate --minutes N [--seed S]` runs it and ends with a report. The exit status is
//! that of the proof. The program starts itself again for the client and server processes.

mod client;
mod crew;
mod kinds;
mod ledger;
mod orchestrate;
mod plan;
mod proof;
mod record;
mod report;
mod role;
mod scene;
mod server;
mod till;
mod vitals;
mod world;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::orchestrate::Options;
use crate::role::Role;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    // For a look inside; the processes' words are beside their ledgers.
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "off".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("orchestrate") => {
            let is_proved = orchestrate::run(Options::parse(arguments)?).await?;
            return Ok(if is_proved {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Some("client") => client::run(Role::parse(arguments)?).await?,
        Some("server") => server::run(Role::parse(arguments)?).await?,
        _ => bail!("usage: soak orchestrate --minutes N [--seed S]"),
    }
    Ok(ExitCode::SUCCESS)
}
