//! One-way calls: the caller waits until the broker has the call, not until a server has run it.
//!
//! `cargo run --example one_way` runs over `memory://`; with `RABBITMQ_URL` set, over that broker.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rpc_core::{Rpc, RpcError, Server, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Keeps what happened.
#[rpc_service(prefix = "audit.")]
trait Audit {
    /// Keeps one event. It is idempotent, so it also runs after a crash of the broker: at least once.
    #[rpc(one_way, idempotent)]
    async fn record(&self, event: Event);
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Event {
    user: String,
    what: String,
}

/// Hands on what it gets, so that `main` can see it.
struct Journal(mpsc::UnboundedSender<Event>);

impl Audit for Journal {
    async fn record(&self, event: Event) {
        // Fails only when nobody reads any more, which is the end of this program.
        let _ = self.0.send(event);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let audit = AuditClient::new(&rpc);
    let event = |what: &str| Event {
        user: "ada".into(),
        what: what.into(),
    };

    // A queue comes into being with the first server, so before that there is nowhere to keep a call.
    match audit.record(event("too early")).await {
        Err(RpcError::NoSuchMethod { .. }) => println!("caller: no server has ever run"),
        Ok(()) => println!("caller: the queue is there from an earlier run"),
        Err(other) => bail!("expected no such method, got {other}"),
    }

    let (journal, mut events) = mpsc::unbounded_channel();
    let serve = async || -> Result<Server> {
        Ok(rpc
            .serve(AuditServer::new(Journal(journal.clone())))
            .await?)
    };

    let server = serve().await?;
    audit.record(event("logs in")).await?;
    until(&mut events, "logs in").await?;
    server.shutdown().await?;

    // No server runs, but the queue is there: the broker keeps the call.
    audit.record(event("logs out")).await?;
    println!("caller: the broker has it");

    let server = serve().await?;
    until(&mut events, "logs out").await?;
    server.shutdown().await?;
    rpc.close().await;
    Ok(())
}

/// Reads events up to the one that is meant.
async fn until(events: &mut mpsc::UnboundedReceiver<Event>, what: &str) -> Result<()> {
    loop {
        let event = timeout(Duration::from_secs(10), events.recv()).await?;
        let event = event.context("the journal is closed")?;
        println!("server: {} {}", event.user, event.what);
        if event.what == what {
            return Ok(());
        }
    }
}
