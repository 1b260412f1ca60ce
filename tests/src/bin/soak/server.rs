//! A server process. It serves until it is asked to leave, then shuts down in order.

use std::sync::Arc;

use anyhow::{Context, Result};
use rpc_core::Rpc;
use tokio::signal::unix::{SignalKind, signal};

use crate::ledger::Ledger;
use crate::role::{Role, connect, orders};
use crate::till::{Clerk, TillServer};

/// Where calls of `remind` go that took too many servers with them.
pub(crate) const DEAD_LETTERS: &str = "soak.lost";

pub(crate) async fn run(role: Role) -> Result<()> {
    let mut told_to_leave = signal(SignalKind::terminate())?;
    // It takes no commands, and ends when its parent does.
    drop(orders());
    let ledger = Arc::new(Ledger::open(&role.folder, role.process)?);
    role.watch_for_stalls(&ledger);
    tokio::select! {
        // It had nothing yet that it could finish.
        _ = told_to_leave.recv() => return Ok(()),
        rpc = serve(&role, ledger) => {
            let (rpc, server) = rpc?;
            println!("ready");
            told_to_leave.recv().await;
            server.shutdown().await.context("it did not leave in order")?;
            rpc.close().await;
        }
    }
    Ok(())
}

async fn serve(role: &Role, ledger: Arc<Ledger>) -> Result<(Rpc, rpc_core::Server)> {
    let rpc = connect(|| Rpc::builder(&role.url)).await;
    loop {
        let service = TillServer::new(Clerk(Arc::clone(&ledger)));
        match rpc.serve(service).dead_letter_queue(DEAD_LETTERS).await {
            Ok(server) => return Ok((rpc, server)),
            // The broker may go at any time, also now.
            Err(error) => eprintln!("cannot serve yet: {error}"),
        }
    }
}
