//! rpc-core, over RabbitMQ and `memory://`.

use std::time::Duration;

use anyhow::{Result, bail};
use rpc_core::{Batching, Rpc, RpcBuilder, rpc_service};
use serde_json::{Value, json};

use super::Served;
use crate::echo::Echo;

/// Whether waiting calls may be sent in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batches {
    On,
    Off,
}

fn with_batches(builder: RpcBuilder, batches: Batches) -> RpcBuilder {
    match batches {
        Batches::On => builder,
        Batches::Off => builder.batching(Batching::off()),
    }
}

#[rpc_service(prefix = "bench.")]
trait Bench {
    /// Returns the text.
    async fn echo(&self, text: &str) -> String;

    /// Takes 5 ms, and returns the number of the server.
    async fn nap(&self) -> usize;
}

struct Desk {
    number: usize,
}

impl Bench for Desk {
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }

    async fn nap(&self) -> usize {
        tokio::time::sleep(NAP).await;
        self.number
    }
}

/// How long a handler takes in the layout `naps`.
pub(crate) const NAP: Duration = Duration::from_millis(5);

pub(crate) async fn serve(url: &str, batches: Batches, number: usize) -> Result<Served> {
    let rpc = with_batches(Rpc::builder(url), batches).connect().await?;
    rpc.serve(BenchServer::new(Desk { number })).await?;
    let untyped = |args: Value| async move {
        let text = args.get("text").cloned();
        text.ok_or("there is no text")
    };
    rpc.register(UNTYPED, untyped).await?;
    Ok(Served {
        url: url.to_owned(),
        close: Box::pin(async move { rpc.close().await }),
    })
}

/// Calls through the generated client.
#[derive(Clone)]
pub(crate) struct Typed(BenchClient);

/// Calls by name.
#[derive(Clone)]
pub(crate) struct Untyped(Rpc);

impl Typed {
    pub(crate) async fn connect(url: &str, batches: Batches) -> Result<Self> {
        let rpc = with_batches(Rpc::builder(url), batches).connect().await?;
        Ok(Self(BenchClient::new(&rpc)))
    }

    /// A call that takes 5 ms at its server, whose number it returns.
    pub(crate) async fn nap(&self) -> Result<usize> {
        Ok(self.0.nap().await?)
    }
}

impl Echo for Typed {
    async fn echo(&self, text: &str) -> Result<String> {
        Ok(self.0.echo(text).await?)
    }
}

impl Untyped {
    pub(crate) async fn connect(url: &str, batches: Batches) -> Result<Self> {
        Ok(Self(
            with_batches(Rpc::builder(url), batches).connect().await?,
        ))
    }
}

impl Echo for Untyped {
    async fn echo(&self, text: &str) -> Result<String> {
        let value = self.0.call(UNTYPED, json!({ "text": text })).await?;
        match value {
            Value::String(text) => Ok(text),
            other => bail!("no text, but {other}"),
        }
    }
}

const UNTYPED: &str = "bench.untyped";
