//! Request and reply over NATS, with async-nats.

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions, Message};
use futures_util::StreamExt;

use super::Served;
use crate::echo::{Echo, LIMIT, answer, decode_result, encode_call};

pub(crate) async fn serve(url: &str) -> Result<Served> {
    let client = async_nats::connect(url).await?;
    let mut calls = client.queue_subscribe(SUBJECT, "bench".into()).await?;
    // After this returns, the broker has the subscription.
    client.flush().await?;
    let replies = client.clone();
    tokio::spawn(async move {
        while let Some(call) = calls.next().await {
            if let Err(error) = reply(&replies, call).await {
                eprintln!("nats: {error:#}");
            }
        }
    });
    Ok(Served {
        url: url.to_owned(),
        close: Box::pin(async move {
            if let Err(error) = client.drain().await {
                eprintln!("nats: {error}");
            }
        }),
    })
}

/// Handled inline, as in NATS' own examples: a publish only writes into a buffer.
async fn reply(client: &Client, call: Message) -> Result<()> {
    let to = call.reply.context("a call without reply")?;
    client
        .publish(to, answer(&call.payload)?.into())
        .await
        .context("no reply")
}

/// A client.
#[derive(Clone)]
pub(crate) struct Caller(Client);

impl Caller {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let options = ConnectOptions::new().request_timeout(Some(LIMIT));
        Ok(Self(options.connect(url).await?))
    }
}

impl Echo for Caller {
    async fn echo(&self, text: &str) -> Result<String> {
        let body = encode_call(text)?;
        decode_result(&self.0.request(SUBJECT, body.into()).await?.payload)
    }
}

const SUBJECT: &str = "bench.echo";
