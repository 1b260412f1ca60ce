//! The test harness: real brokers, real faults, real Python peers.
//!
//! - [`RabbitNode`]: a private RabbitMQ node that a test may kill, pause and restart.
//! - [`Cluster`]: three nodes that form one broker.
//! - [`fresh_vhost`]: an empty virtual host on the node that the whole test binary shares.
//! - [`TcpRelay`]: a network between two peers that a test may cut or freeze.
//! - [`Log`]: the logged lines, for a test to read.
//! - [`RawPeer`]: a hand-driven AMQP peer, for messages that the library itself would never send.
//! - [`RawFrames`]: a peer that writes raw bytes, for messages that no AMQP library would send.
//! - [`Authority`]: certificates for [`RabbitNode::start_with_tls`].
//! - [`PythonServer`], [`PythonClient`]: `aio-pika` as the peer; [`python`] is the interpreter that
//!   runs it.
//! - [`Language`]: the peers of `examples/peers`, in Python, JavaScript and Go.
//! - [`NatsServer`]: a NATS server, which the benchmarks compare with.
//!
//! Nothing here uses `rpc-core`, so a bug there cannot hide itself in the harness.

mod authority;
mod cluster;
mod config;
mod epmd;
mod eventually;
mod guard;
mod handshake;
mod installation;
mod log;
mod nats;
mod node;
mod peer;
mod percent;
mod port;
mod python;
mod raw_frames;
mod raw_message;
mod raw_peer;
mod relay;
mod vhost;

pub use authority::{Authority, Identity};
pub use cluster::Cluster;
pub use config::TlsListener;
pub use eventually::eventually;
pub use log::Log;
pub use nats::NatsServer;
pub use node::RabbitNode;
pub use peer::{Language, PeerServer};
pub use port::port_of;
pub use python::{Outcome, PythonCall, PythonClient, PythonError, PythonServer, python};
pub use raw_frames::{RawFrames, short, sized};
pub use raw_message::{RawConsumer, RawMessage, call_properties, long, reply_properties, table};
pub use raw_peer::RawPeer;
pub use relay::{TcpRelay, Way};
pub use vhost::{SharedNode, Vhost, fresh_vhost, shared_node};
