//! Typed remote calls over RabbitMQ.
//!
//! A trait is the contract: [`rpc_service`](macro@rpc_service) makes a typed client and a server of it. Caller and
//! server never meet; both only reach the broker.
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
//! - Every call ends, in exactly one typed way, whatever breaks: see [`RpcError`].
//! - The wire is that of Python's `aio_pika.patterns.JsonRPC`, in both directions.
//! - Tests need no broker: see [`MemoryBroker`].
//!
//! # Non-goals
//!
//! - Publish and subscribe, streams, work queues: use lapin.
//! - Codecs other than JSON.
//!
//! # Delivery semantics
//!
//! A call runs at most once, unless its method is served as [idempotent](Serve::idempotent). It is
//! acknowledged after its reply was sent. If a server dies while it runs a call, the broker gives the
//! call to another server, which does not run it again but tells the caller:
//! [`RpcError::Interrupted`]. Each call has a deadline, which travels with it: an expired call is not
//! started, a running handler is dropped, and calls made inside a handler end by the same time. Servers
//! learn how far a caller's clock is from theirs, so clocks may differ.
//!
//! # Errors
//!
//! A call ends as an [`RpcError`], or as a [`CallError`] where its method returns a `Result`; connecting as a
//! [`ConnectError`], serving as a [`ServeError`]. A program seldom needs a `match` over their variants:
//! [`may_have_run`](RpcError::may_have_run) and [`is_retryable`](RpcError::is_retryable) say whether a call can be
//! repeated, [`kind`](RpcError::kind) is for statuses and metrics (the kinds are listed in [`kind`](mod@kind)), and
//! [`source`](std::error::Error::source) is the error of the library below. Tests make each error by a function of
//! its name, such as [`RpcError::no_such_method`].
//!
//! # Features
//!
//! All are on by default.
//!
//! - `tls`: `amqps://`, through rustls. A server's certificate is always checked; [`RpcBuilder::tls_ca`] trusts a
//!   private CA, [`RpcBuilder::tls_identity`] shows a client certificate. The cryptography is that of ring, unless the
//!   program has installed another provider (`rustls::crypto::CryptoProvider::install_default`), such as aws-lc-rs.
//! - `memory`: `memory://`, a broker in the process, and [`MemoryBroker`]. Without it, a URL of that kind is
//!   [`ConnectError::MemoryDisabled`].
//!
//! # Other crates in the interface
//!
//! Untyped values are [`serde_json::Value`], and the deadline of a call ([`Context::deadline`]) is a
//! [`tokio::time::Instant`], so that it stands still with a paused clock in tests. Both are exported from
//! here, so a program need not depend on the same versions to name them. A new major version of either is one of this
//! crate.
//!
//! This crate turns on the features `float_roundtrip` and `raw_value` of serde_json, for all that is built with it.
//! By the first, a number arrives as it was sent, to its last bit; it makes reading numbers a little slower.
//!
//! What users may do on the broker, and how they log in by certificate: [`permissions`].

#![cfg_attr(docsrs, feature(doc_cfg))]

// What a user holds, then the folders in the order of a call; ARCHITECTURE.md says who may know whom.
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
