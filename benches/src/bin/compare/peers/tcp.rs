//! tarpc over TCP with JSON: no broker.

use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::StreamExt;
use tarpc::client::Config;
use tarpc::context::{self, Context};
use tarpc::serde_transport::tcp;
use tarpc::server::{self, Channel};
use tarpc::tokio_serde::formats::Json;

use super::Served;
use crate::echo::{Echo, LIMIT};

#[tarpc::service]
trait Bench {
    async fn echo(text: String) -> String;
}

#[derive(Clone)]
struct Desk;

impl Bench for Desk {
    async fn echo(self, _: Context, text: String) -> String {
        text
    }
}

pub(crate) async fn serve() -> Result<Served> {
    let mut incoming = tcp::listen("127.0.0.1:0", Json::default).await?;
    let address = incoming.local_addr();
    let accepting = tokio::spawn(async move {
        while let Some(connection) = incoming.next().await {
            let served = connection.and_then(|connection| {
                connection.get_ref().set_nodelay(true)?;
                Ok(server::Config {
                    pending_response_buffer: BUFFER,
                }
                .channel(connection)
                .execute(Desk.serve()))
            });
            match served {
                Ok(calls) => drop(tokio::spawn(calls.for_each(|call| async {
                    tokio::spawn(call);
                }))),
                Err(error) => eprintln!("tarpc: {error}"),
            }
        }
    });
    Ok(Served {
        url: address.to_string(),
        close: Box::pin(async move { accepting.abort() }),
    })
}

/// A client.
#[derive(Clone)]
pub(crate) struct Caller(BenchClient);

impl Caller {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let connection = tcp::connect(address, Json::default).await?;
        connection.get_ref().set_nodelay(true)?;
        let mut config = Config::default();
        config.max_in_flight_requests = usize::MAX;
        config.pending_request_buffer = BUFFER;
        Ok(Self(BenchClient::new(config, connection).spawn()))
    }
}

impl Echo for Caller {
    async fn echo(&self, text: &str) -> Result<String> {
        let mut context = context::current();
        context.deadline = Instant::now() + LIMIT;
        let result = self.0.echo(context, text.to_owned()).await;
        result.context("the call failed")
    }
}

/// tarpc's default is 100, and its documentation says that a low limit reduces throughput.
const BUFFER: usize = 10_000;
