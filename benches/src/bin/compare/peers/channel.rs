//! The lower bound for a call over `memory://`: a channel to a task and one back, with the same
//! JSON.

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};

use crate::echo::{Echo, answer, decode_result, encode_call};

type Call = (Vec<u8>, oneshot::Sender<Vec<u8>>);

/// A client. Its server is a task that ends with it.
#[derive(Clone)]
pub(crate) struct Caller(mpsc::Sender<Call>);

impl Caller {
    pub(crate) fn start() -> Self {
        let (send, mut calls) = mpsc::channel::<Call>(CALLS);
        tokio::spawn(async move {
            while let Some((body, reply)) = calls.recv().await {
                match answer(&body) {
                    // Fails if the caller is gone.
                    Ok(body) => drop(reply.send(body)),
                    Err(error) => eprintln!("channel: {error:#}"),
                }
            }
        });
        Self(send)
    }
}

impl Echo for Caller {
    async fn echo(&self, text: &str) -> Result<String> {
        let (send, reply) = oneshot::channel();
        let call = (encode_call(text)?, send);
        self.0.send(call).await.context("the server has ended")?;
        decode_result(&reply.await.context("no reply")?)
    }
}

const CALLS: usize = 1024;
