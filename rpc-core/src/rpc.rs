//! The handle that calls and serves.

use std::borrow::Cow;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Client;
use crate::client::call::Call;
use crate::client::request::Request;
use crate::contract::call_options::CallOptions;
use crate::contract::returns::plain;
use crate::contract::service::{Method, Service};
use crate::server::Serve;
use crate::server::registry::Registry;
use crate::wire::codec;

/// A connection to a broker over which methods are called and served.
///
/// A clone is cheap and shares the connections: one for calling, and one for serving once something is
/// served. Both are kept up: after a loss they come back by themselves, with fresh reply queues and
/// subscriptions. When the last clone and every [`Server`](crate::Server) of it are dropped, they are
/// closed without waiting for calls that run; see [`close`](Self::close) for the orderly way. A service
/// that holds a clone of the `Rpc` that serves it, to make calls of its own, keeps it alive.
///
/// ```
/// # use rpc_core::Rpc;
/// # use serde_json::{Value, json};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Two handles that meet at a broker, as two programs do.
/// let server = Rpc::connect("memory://readme").await?;
/// server.register("echo", |args: Value| async { Ok::<_, String>(args) }).await?;
///
/// let client = Rpc::connect("memory://readme").await?;
/// assert_eq!(client.call("echo", json!({"a": 1})).await?, json!({"a": 1}));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Rpc {
    client: Arc<Client>,
    registry: Arc<Registry>,
    prefix: Option<Arc<str>>,
}

impl Rpc {
    /// Calls a method by its name.
    ///
    /// The arguments must serialise to a JSON object: a struct, a map, [`serde_json::json!`], or `()` for
    /// none. The result is a JSON value; [`Call::returning`] decodes it into a type.
    ///
    /// ```
    /// # use rpc_core::{Rpc, RpcError};
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::connect("memory://").await?;
    /// let error = rpc.call("sleep", json!({"t": 3})).await.unwrap_err();
    /// assert_eq!(error, RpcError::NoSuchMethod { method: "sleep".into() });
    /// # Ok(()) }
    /// ```
    pub fn call(&self, method: impl Into<String>, kwargs: impl Serialize) -> Call<Value> {
        let method = self.prefixed(method.into().into());
        let body = codec::encode_args(&kwargs);
        let request = Request::new(method, CallOptions::DEFAULT, body);
        Call::new(&self.client, request, plain)
    }

    /// Serves a service, each of its methods under its own name. It is running when this returns.
    ///
    /// # Errors
    ///
    /// [`ServeError`](crate::ServeError) if the broker refuses a queue, or a method is already registered
    /// here. Nothing is served then.
    pub fn serve(&self, service: impl Service) -> Serve {
        self.serve_methods(service.into_methods())
    }

    /// Serves one method by a function from its arguments to a `Result`.
    ///
    /// The arguments are any type that decodes from a JSON object; [`serde_json::Value`] takes all.
    ///
    /// ```
    /// # use rpc_core::Rpc;
    /// # use serde_json::json;
    /// #[derive(serde::Deserialize)]
    /// struct Add {
    ///     a: i64,
    ///     b: i64,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::connect("memory://").await?;
    /// let add = |args: Add| async move { args.a.checked_add(args.b).ok_or("too large") };
    /// let server = rpc.register("add", add).await?;
    ///
    /// let sum: i64 = rpc.call("add", json!({"a": 1, "b": 2})).returning().await?;
    /// assert_eq!(sum, 3);
    /// server.shutdown().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Each function is a server by itself, with a channel for calls and one for batches. Of hundreds of methods, those of one
    /// service cost less: RabbitMQ allows 2,047 channels on a connection by default, and where there are a thousand a call costs
    /// nearly twice as much.
    ///
    /// # Errors
    ///
    /// Those of [`serve`](Self::serve).
    pub fn register<A, T, E, F, Fut>(&self, method: impl Into<String>, handler: F) -> Serve
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        E: Serialize + Display,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.serve_methods(vec![Method::new(method, handler)])
    }

    fn serve_methods(&self, methods: Vec<Method>) -> Serve {
        let methods = methods.into_iter().map(|mut method| {
            method.name = self.prefixed(method.name);
            method
        });
        Serve::new(&self.registry, methods.collect())
    }

    /// A clone that puts `prefix` before the name of each method that it calls or serves, also before a
    /// prefix that the trait has. Of several, the one given last comes first.
    ///
    /// So one trait can be served several times:
    ///
    /// ```
    /// # use rpc_core::{Rpc, rpc_service};
    /// # #[rpc_service] trait Till { async fn name(&self) -> String; }
    /// # struct Named(&'static str);
    /// # impl Till for Named { async fn name(&self) -> String { self.0.to_owned() } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::connect("memory://").await?;
    /// let (left, right) = (rpc.with_prefix("left."), rpc.with_prefix("right."));
    /// left.serve(TillServer::new(Named("Ann"))).await?;
    /// right.serve(TillServer::new(Named("Bob"))).await?;
    /// assert_eq!(TillClient::new(&right).name().await?, "Bob");
    /// assert_eq!(rpc.call("left.name", ()).await?, "Ann");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_prefix(&self, prefix: impl AsRef<str>) -> Self {
        let prefix = prefix.as_ref();
        Self {
            client: Arc::clone(&self.client),
            registry: Arc::clone(&self.registry),
            prefix: Some(match &self.prefix {
                None => prefix.into(),
                Some(inner) => format!("{prefix}{inner}").into(),
            }),
        }
    }

    /// How many calls of this `Rpc` have begun and not ended: those that wait for a connection, are being
    /// sent, or wait for their answer. [`RpcBuilder::max_in_flight`](crate::RpcBuilder::max_in_flight)
    /// bounds them.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    /// Shuts all servers down, as [`Server::shutdown`](crate::Server::shutdown) does, and closes the
    /// connections. Calls that wait end as [`RpcError::Closed`](crate::RpcError::Closed), and so do later
    /// ones. Affects all clones.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped, servers go on to shut down, but connections may stay open.
    pub async fn close(&self) {
        self.registry.close().await;
        self.client.close().await;
    }

    pub(crate) fn new(client: Client, registry: Registry) -> Self {
        Self {
            client: Arc::new(client),
            registry: Arc::new(registry),
            prefix: None,
        }
    }

    /// The full name of a method.
    pub(crate) fn prefixed(&self, method: Cow<'static, str>) -> Cow<'static, str> {
        match &self.prefix {
            None => method,
            Some(prefix) => format!("{prefix}{method}").into(),
        }
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }
}
