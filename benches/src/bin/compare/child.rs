//! One process of a measured point: a client, a server, or both. It reports its progress on
//! standard output.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use crate::echo::Echo;
use crate::load::{self, Load, Outcome};
use crate::peer::{Layout, Peer};
use crate::peers::amqp::Serving;
use crate::peers::rpc::Batches;
use crate::peers::{Served, amqp, channel, nats, rpc, tcp};

/// The task of a process, passed as JSON in its argument. aio-pika's script takes the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) role: Role,
    pub(crate) peer: Peer,
    pub(crate) layout: Layout,
    /// The broker, or the server of a peer that has no broker.
    pub(crate) url: String,
    /// The length of the text, in bytes.
    pub(crate) payload: usize,
    pub(crate) load: Load,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Client,
    /// One of several servers, with its number.
    Server(usize),
    Both,
}

/// Runs the task. A server prints `ready` and its URL, and ends when its standard input closes. A
/// client prints `begin` and `end` around the measured time, then an [`Outcome`].
pub(crate) async fn run(task: &Task) -> Result<()> {
    match task.role {
        Role::Server(number) => {
            let served = serve(task, number).await?;
            println!("ready {}", served.url);
            tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
            served.close.await;
        }
        Role::Client => print(&call(task, &task.url).await?)?,
        // Its server runs inside the client's process.
        Role::Both if task.peer == Peer::Channel => print(&call(task, &task.url).await?)?,
        Role::Both => {
            let served = serve(task, 0).await?;
            let outcome = call(task, &served.url).await?;
            served.close.await;
            print(&outcome)?;
        }
    }
    Ok(())
}

fn print(outcome: &Outcome) -> Result<()> {
    println!("{}", serde_json::to_string(outcome)?);
    Ok(())
}

async fn serve(task: &Task, number: usize) -> Result<Served> {
    let url = &task.url;
    match task.peer {
        Peer::RpcCore | Peer::RpcCoreUntyped | Peer::Memory => {
            rpc::serve(url, Batches::On, number).await
        }
        Peer::RpcCoreBatchingOff => rpc::serve(url, Batches::Off, number).await,
        Peer::LapinOneByOne => amqp::serve(url, Serving::OneByOne).await,
        Peer::LapinTasks => amqp::serve(url, Serving::Tasks).await,
        Peer::Nats => nats::serve(url).await,
        Peer::Tarpc => tcp::serve().await,
        Peer::AioPika | Peer::Channel => bail!("{} has no server here", task.peer),
    }
}

async fn call(task: &Task, url: &str) -> Result<Outcome> {
    match task.peer {
        Peer::RpcCore | Peer::Memory => typed(task, url, Batches::On).await,
        Peer::RpcCoreBatchingOff => typed(task, url, Batches::Off).await,
        Peer::RpcCoreUntyped => echo(task, rpc::Untyped::connect(url, Batches::On).await?).await,
        Peer::LapinOneByOne | Peer::LapinTasks => {
            echo(task, amqp::Caller::connect(url).await?).await
        }
        Peer::Nats => echo(task, nats::Caller::connect(url).await?).await,
        Peer::Tarpc => echo(task, tcp::Caller::connect(url).await?).await,
        Peer::Channel => echo(task, channel::Caller::start()).await,
        Peer::AioPika => bail!("{} has no client here", task.peer),
    }
}

async fn typed(task: &Task, url: &str, batches: Batches) -> Result<Outcome> {
    let client = rpc::Typed::connect(url, batches).await?;
    if task.layout != Layout::Naps {
        return echo(task, client).await;
    }
    let nap = move || {
        let client = client.clone();
        async move { client.nap().await }
    };
    load::run(task.load, nap).await
}

async fn echo(task: &Task, client: impl Echo) -> Result<Outcome> {
    let text: Arc<str> = "x".repeat(task.payload).into();
    let call = move || {
        let (client, text) = (client.clone(), Arc::clone(&text));
        async move {
            let back = client.echo(&text).await?;
            ensure!(back == *text, "the text came back as {} bytes", back.len());
            Ok(0)
        }
    };
    load::run(task.load, call).await
}
