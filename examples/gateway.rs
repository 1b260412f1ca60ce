//! An untyped gateway: methods of a list, served by hand, and forwarded from one broker to another.
//!
//! `cargo run --example gateway` runs between two brokers in this process; with `RABBITMQ_URL` and `INNER_URL`
//! set, between those. It knows the names of the methods only, so it needs no new release when they change.

use std::env;

use anyhow::{Result, bail};
use rpc_core::{Context, Method, Rpc, RpcError};
use serde::Serialize;
use serde_json::{Value, json};

/// What may be called from outside.
const OPEN: [&str; 2] = ["stock.count", "stock.order"];

/// Forwards the calls of one method.
fn forward(name: &str, inner: &Rpc) -> Method {
    let (inner, method) = (inner.clone(), name.to_owned());
    Method::new(name, move |kwargs: Value| {
        let mut forwarded = inner.call(&*method, kwargs);
        // The deadline goes along by itself.
        for (name, value) in Context::current().headers() {
            forwarded = forwarded.header(name, value.clone());
        }
        async move { forwarded.await.map_err(Refused::from) }
    })
}

/// What callers outside are told.
#[derive(Debug, Serialize, thiserror::Error)]
#[error("{message}")]
struct Refused {
    kind: String,
    message: String,
    data: Option<Value>,
}

impl From<RpcError> for Refused {
    fn from(error: RpcError) -> Self {
        let (kind, message) = (error.kind().to_owned(), error.to_string());
        let data = match &error {
            RpcError::Remote(remote) => remote.data().and_then(|data| data.decode().ok()),
            _ => None,
        };
        Self {
            kind,
            message,
            data,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let outer = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://outer".into());
    let inner = env::var("INNER_URL").unwrap_or_else(|_| "memory://inner".into());

    // Inside: a service that nobody outside can reach.
    let inside = Rpc::connect(&inner).await?;
    let service = [
        Method::new("stock.count", async |_: Value| Ok::<_, String>(3)),
        Method::new("stock.order", async |kwargs: Value| {
            println!(
                "stock:   {kwargs} for {:?}",
                Context::current().header("tenant")
            );
            Err::<(), _>("sold out".to_owned())
        }),
        Method::new("stock.burn", async |_: Value| Ok::<_, String>("burnt")),
    ];
    let service = inside.serve(Vec::from(service)).await?;

    // Between the two.
    let to_inner = Rpc::connect(&inner).await?;
    let methods: Vec<_> = OPEN.iter().map(|name| forward(name, &to_inner)).collect();
    let outside = Rpc::connect(&outer).await?;
    let gateway = outside.serve(methods).await?;

    // Outside.
    let rpc = Rpc::connect(&outer).await?;
    println!("outside: {} in stock", rpc.call("stock.count", ()).await?);
    let order = rpc
        .call("stock.order", json!({"pieces": 5}))
        .header("tenant", "acme");
    match order.await {
        Err(RpcError::Remote(error)) => println!("outside: {error}, {:?}", error.data()),
        other => bail!("expected to be refused, got {other:?}"),
    }
    match rpc.call("stock.burn", ()).await {
        Err(error @ RpcError::NoSuchMethod { .. }) => println!("outside: {error}"),
        other => bail!("expected no such method, got {other:?}"),
    }

    gateway.shutdown().await?;
    service.shutdown().await?;
    Ok(())
}
