//! The brokers that the peers need.

use anyhow::{Context, Result};
use rpc_tests::{NatsServer, RabbitNode};

use crate::peer::{Broker, Peer};

/// The running brokers, which this program has started.
pub(crate) struct Brokers {
    rabbit: Option<RabbitNode>,
    nats: Option<NatsServer>,
}

impl Brokers {
    /// Starts the brokers that the peers need. Returns the peers that must be left out, each with
    /// the reason.
    pub(crate) async fn start(peers: &[Peer]) -> (Self, Vec<(Peer, String)>) {
        let needs = |broker| peers.iter().any(|peer| peer.broker() == Some(broker));
        let mut skipped = Vec::new();
        let mut skip = |which: &dyn Fn(Peer) -> bool, error: anyhow::Error| {
            for peer in peers.iter().copied().filter(|peer| which(*peer)) {
                skipped.push((peer, format!("{error:#}")));
            }
        };
        let mut brokers = Self {
            rabbit: None,
            nats: None,
        };
        if needs(Broker::RabbitMq) {
            match RabbitNode::start().await {
                Ok(node) => brokers.rabbit = Some(node),
                Err(error) => skip(&|peer| peer.broker() == Some(Broker::RabbitMq), error),
            }
        }
        if needs(Broker::Nats) {
            match NatsServer::start().await {
                Ok(server) => brokers.nats = Some(server),
                Err(error) => skip(&|peer| peer.broker() == Some(Broker::Nats), error),
            }
        }
        if brokers.rabbit.is_some()
            && let Err(error) = rpc_tests::python()
        {
            skip(&|peer| peer == Peer::AioPika, error);
        }
        (brokers, skipped)
    }

    /// The URL at which the peer's processes connect.
    pub(crate) fn url(&self, peer: Peer) -> Result<String> {
        match peer.broker() {
            Some(Broker::RabbitMq) => Ok(self.rabbit()?.url()),
            Some(Broker::Nats) => Ok(self.nats()?.url()),
            None if peer == Peer::Memory => Ok("memory://bench".to_owned()),
            None => Ok(String::new()),
        }
    }

    /// The process of the peer's broker, if it has one.
    pub(crate) fn process(&self, peer: Peer) -> Result<Option<u32>> {
        match peer.broker() {
            Some(Broker::RabbitMq) => Ok(Some(self.rabbit()?.id()?)),
            Some(Broker::Nats) => Ok(Some(self.nats()?.id())),
            None => Ok(None),
        }
    }

    /// Their names and versions.
    pub(crate) fn versions(&self) -> Result<Vec<(String, String)>> {
        let mut versions = Vec::new();
        if let Some(node) = &self.rabbit {
            versions.push(("RabbitMQ".to_owned(), node.version().to_owned()));
        }
        if let Some(server) = &self.nats {
            versions.push(("nats-server".to_owned(), server.version()?));
        }
        Ok(versions)
    }

    fn rabbit(&self) -> Result<&RabbitNode> {
        self.rabbit.as_ref().context("RabbitMQ does not run")
    }

    fn nats(&self) -> Result<&NatsServer> {
        self.nats.as_ref().context("nats-server does not run")
    }
}
