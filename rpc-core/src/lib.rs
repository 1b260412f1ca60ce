//! Typed remote calls over RabbitMQ.
//!
//! A trait is the contract. [`rpc_service`](macro@rpc_service) generates a typed client and a
//! server from it. Caller and server never connect to each other; both connect only to the broker.
//!
//! ```
//! use rpc_core::{Rpc, rpc_service};
//! use serde_json::json;
//!
//! /// Greets people.
//! #[rpc_service]
//! pub trait Greeter {
//!     /// Greets one by name.
//!     async fn greet(&self, name: String) -> String;
//! }
//!
//! struct Polite;
//!
//! impl Greeter for Polite {
//!     async fn greet(&self, name: String) -> String {
//!         format!("Good day, {name}")
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rpc = Rpc::connect("memory://").await?; // or amqp:// or amqps://
//! let server = rpc.serve(GreeterServer::new(Polite)).await?;
//!
//! let client = GreeterClient::new(&rpc);
//! assert_eq!(client.greet("Ada".into()).await?, "Good day, Ada");
//!
//! // The same call without the trait, as a program in any language makes it.
//! let greeting = rpc.call("greet", json!({"name": "Ada"})).await?;
//! assert_eq!(greeting, "Good day, Ada");
//!
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Goals
//!
//! - Every call ends in exactly one typed outcome, whatever breaks: see [`RpcError`].
//! - The wire format is that of Python's `aio_pika.patterns.JsonRPC`, in both directions.
//! - Tests need no broker: see [`MemoryBroker`].
//!
//! # Non-goals
//!
//! - Publish/subscribe, streams and work queues: use lapin.
//! - Codecs other than JSON.
//!
//! # Delivery semantics
//!
//! A call runs at most once, unless its method is served as [idempotent](Serve::idempotent). A
//! server acknowledges a call after it has sent the reply. If a server dies while it runs a call,
//! the broker redelivers the call to another server. That server does not run it again; the caller
//! gets [`RpcError::Interrupted`].
//!
//! Each call has a deadline, which travels with it. An expired call is not started, a handler that
//! still runs at the deadline is dropped, and calls made inside a handler end by the same deadline.
//! Servers estimate how far a caller's clock is from their own, so clocks may differ.
//!
//! # Errors
//!
//! A call fails with an [`RpcError`], or with a [`CallError`] if its method returns a `Result`.
//! Connecting fails with a [`ConnectError`], serving with a [`ServeError`]. A program seldom needs
//! a `match` over their variants: [`may_have_run`](RpcError::may_have_run) and
//! [`is_retryable`](RpcError::is_retryable) say whether a call can be repeated,
//! [`kind`](RpcError::kind) is for statuses and metrics (the kinds are listed in
//! [`kind`](mod@kind)), and [`source`](std::error::Error::source) is the error of the underlying
//! library. Tests construct each error with a function of the same name, such as
//! [`RpcError::no_such_method`].
//!
//! # Features
//!
//! All are on by default.
//!
//! - `tls`: `amqps://`, through rustls. The broker's certificate is always verified.
//!   [`RpcBuilder::tls_ca`] trusts a private CA, and [`RpcBuilder::tls_identity`] presents a client
//!   certificate. The cryptography comes from ring, unless the program has installed another
//!   provider (`rustls::crypto::CryptoProvider::install_default`), such as aws-lc-rs.
//! - `memory`: `memory://`, a broker inside the process, and [`MemoryBroker`]. Without this
//!   feature, connecting to such a URL fails with [`ConnectError::MemoryDisabled`].
//!
//! # Other crates in the interface
//!
//! Untyped values are [`serde_json::Value`]. The deadline of a call ([`Context::deadline`]) is a
//! [`tokio::time::Instant`], so it follows tokio's paused clock in tests. Both are re-exported
//! here, so a program can name them without depending on the same versions. A new major version of
//! either crate is a new major version of this one.
//!
//! This crate turns on the features `float_roundtrip` and `raw_value` of serde_json, also for
//! everything else in the same build. With `float_roundtrip`, a number arrives exactly as it was
//! sent, to the last bit; parsing numbers becomes a little slower.
//!
//! For the permissions that a user needs on the broker, and for login by certificate, see
//! [`permissions`].

#![cfg_attr(docsrs, feature(doc_cfg))]

// First what a user holds, then the folders in the order in which a call passes through them.
// ARCHITECTURE.md says which may import which.
mod rpc;
mod builder;
mod contract;
mod client;
mod server;
mod connection;
mod transport;
mod wire;
mod error;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod __internals;

pub use builder::RpcBuilder;
pub use client::call::Call;
pub use contract::call_options::CallOptions;
pub use contract::context::Context;
pub use contract::descriptor::{ArgumentDescriptor, MethodDescriptor, ServiceDescriptor};
pub use contract::service::{Method, Service};
pub use error::call_error::CallError;
pub use error::cause::Cause;
pub use error::connect::ConnectError;
pub use error::kind;
pub use error::progress::Progress;
pub use error::raw_json::RawJson;
pub use error::remote::RemoteError;
pub use error::rpc_error::RpcError;
pub use error::serve::ServeError;
pub use rpc::Rpc;
pub use serde_json;
pub use server::{Serve, Server};
pub use tokio::time::Instant;
#[cfg(feature = "memory")]
pub use transport::memory::MemoryBroker;
pub use wire::batching::Batching;
pub use wire::queue_options::QueueOptions;

#[cfg(doc)]
pub mod guide;
#[cfg(doc)]
pub use guide::permissions;

#[doc = include_str!("../docs/rpc_service.md")]
pub use rpc_macros::rpc_service;
