//! The peers that are compared, and how a point of the comparison is set up.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, bail};
use serde::{Deserialize, Serialize};

/// A peer in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    RpcCore,
    RpcCoreBatchingOff,
    RpcCoreUntyped,
    LapinOneByOne,
    LapinTasks,
    AioPika,
    Nats,
    Tarpc,
    Memory,
    Channel,
}

/// What must run beside client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    RabbitMq,
    Nats,
}

/// Which processes there are, besides the broker's, which is always separate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// Client and server in one process.
    Together,
    /// One process each.
    Apart,
    /// A client, and two servers whose handlers take 5 ms, so that there is work to spread.
    Naps,
}

impl Peer {
    pub(crate) const ALL: [Self; 10] = [
        Self::RpcCore,
        Self::RpcCoreBatchingOff,
        Self::RpcCoreUntyped,
        Self::LapinOneByOne,
        Self::LapinTasks,
        Self::AioPika,
        Self::Nats,
        Self::Tarpc,
        Self::Memory,
        Self::Channel,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RpcCore => "rpc-core",
            Self::RpcCoreBatchingOff => "rpc-core-batching-off",
            Self::RpcCoreUntyped => "rpc-core-untyped",
            Self::LapinOneByOne => "lapin-one-by-one",
            Self::LapinTasks => "lapin-tasks",
            Self::AioPika => "aio-pika",
            Self::Nats => "nats",
            Self::Tarpc => "tarpc",
            Self::Memory => "memory",
            Self::Channel => "channel",
        }
    }

    pub(crate) fn broker(self) -> Option<Broker> {
        match self {
            Self::RpcCore
            | Self::RpcCoreBatchingOff
            | Self::RpcCoreUntyped
            | Self::LapinOneByOne
            | Self::LapinTasks
            | Self::AioPika => Some(Broker::RabbitMq),
            Self::Nats => Some(Broker::Nats),
            Self::Tarpc | Self::Memory | Self::Channel => None,
        }
    }

    pub(crate) fn knows(self, layout: Layout) -> bool {
        match layout {
            Layout::Together => true,
            Layout::Apart => !matches!(self, Self::Memory | Self::Channel),
            Layout::Naps => matches!(self, Self::RpcCore | Self::RpcCoreBatchingOff),
        }
    }
}

impl Layout {
    pub(crate) const ALL: [Self; 3] = [Self::Together, Self::Apart, Self::Naps];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Apart => "apart",
            Self::Naps => "naps",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Peer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match Self::ALL.into_iter().find(|peer| peer.name() == name) {
            Some(peer) => Ok(peer),
            None => bail!("there is no peer {name}; there are {}", names(Self::ALL)),
        }
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match Self::ALL.into_iter().find(|layout| layout.name() == name) {
            Some(layout) => Ok(layout),
            None => bail!("there is no layout {name}; there are {}", names(Self::ALL)),
        }
    }
}

/// The name in output and in options.
pub(crate) fn names<T: fmt::Display>(of: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = of.into_iter().map(|one| one.to_string()).collect();
    names.join(",")
}
