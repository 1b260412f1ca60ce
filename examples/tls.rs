//! TLS with a client certificate: the broker knows the program by it, so there is no password.
//!
//! `cargo run --example tls` does nothing but to say what it needs. To run it:
//!
//! ```sh
//! RABBITMQ_URL='amqps://broker.example?auth_mechanism=external' \
//!     RPC_CA=ca.pem RPC_CERTIFICATE=client.pem RPC_KEY=client.key cargo run --example tls
//! ```
//!
//! On the broker: `rabbitmq-plugins enable rabbitmq_auth_mechanism_ssl`, `auth_mechanisms.1 = EXTERNAL` in
//! `rabbitmq.conf`, and a user with the common name of the certificate and no password.

use std::env;
use std::fs;

use anyhow::{Context, Result};
use rpc_core::{Rpc, RpcBuilder, rpc_service};

/// Greets.
#[rpc_service(prefix = "tls.")]
pub(crate) trait Greeter {
    /// Greets one by name.
    #[rpc(idempotent)]
    async fn greet(&self, name: &str) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: &str) -> String {
        format!("Good day, {name}")
    }
}

/// Connections to `url` that trust `ca` alone and show a certificate of their own; all in PEM.
pub(crate) fn builder(url: &str, ca: &str, certificate: &str, key: &str) -> RpcBuilder {
    Rpc::builder(url)
        .tls_ca(ca)
        .tls_identity(certificate, key)
        .connection_name("example tls")
}

/// Serves and calls over such a connection.
pub(crate) async fn run(builder: RpcBuilder) -> Result<String> {
    let rpc = builder.connect().await?;
    let server = rpc.serve(GreeterServer::new(Polite)).await?;
    let greeting = GreeterClient::new(&rpc).greet("Ada").await?;
    server.shutdown().await?;
    rpc.close().await;
    Ok(greeting)
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::var("RABBITMQ_URL").unwrap_or_default();
    if !url.starts_with("amqps://") {
        println!("RABBITMQ_URL names no broker with amqps://, so there is nothing to do.");
        println!("The head of this example says how to run it.");
        return Ok(());
    }
    let builder = builder(
        &url,
        &pem("RPC_CA")?,
        &pem("RPC_CERTIFICATE")?,
        &pem("RPC_KEY")?,
    );
    println!("{}", run(builder).await?);
    Ok(())
}

/// The file that a variable names.
fn pem(variable: &str) -> Result<String> {
    let path = env::var(variable).with_context(|| format!("{variable} is not set"))?;
    fs::read_to_string(&path).with_context(|| format!("{variable} names `{path}`"))
}
