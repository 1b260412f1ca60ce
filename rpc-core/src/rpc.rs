//! The handle for calling and serving.

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
/// Cloning is cheap. All clones share the same connections: one for calling, and one for serving,
/// which is opened when something is first served. Lost connections are restored automatically,
/// with fresh reply queues and subscriptions.
///
/// When the last clone and every [`Server`](crate::Server) of it are dropped, the connections are
/// closed without waiting for running calls. For an orderly end, see [`close`](Self::close). A
/// service that holds a clone of the `Rpc` that serves it, to make calls of its own, keeps that
/// `Rpc` alive.
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
    /// Calls a method by name.
    ///
    /// The arguments must serialise to a JSON object: a struct, a map, [`serde_json::json!`], or
    /// `()` for none. The result is a JSON value; [`Call::returning`] decodes it into a type.
    ///
    /// ```
    /// # use rpc_core::{Rpc, RpcError};
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::connect("memory://").await?;
    /// let error = rpc.call("sleep", json!({"t": 3})).await.unwrap_err();
    /// assert_eq!(error, RpcError::no_such_method("sleep"));
    /// # Ok(()) }
    /// ```
    pub fn call(&self, method: impl Into<String>, kwargs: impl Serialize) -> Call<Value> {
        let method = self.prefixed(method.into().into());
        let body = codec::encode_args(&kwargs);
        let request = Request::new(method, CallOptions::DEFAULT, body);
        Call::new(&self.client, request, plain)
    }

    /// Serves a service, each method under its own name. The service is running when the returned
    /// future resolves.
    ///
    /// # Errors
    ///
    /// [`ServeError`](crate::ServeError) if the broker refuses a queue, or if a method is already
    /// registered on this `Rpc`. In that case nothing is served.
    pub fn serve(&self, service: impl Service) -> Serve {
        self.serve_methods(service.into_methods())
    }

    /// Serves one method with a function from its arguments to a `Result`.
    ///
    /// The argument is any type that decodes from a JSON object; [`serde_json::Value`] accepts
    /// every object, and `()` one without fields. A struct refuses unknown arguments if it has
    /// `#[serde(deny_unknown_fields)]`; with `#[serde(flatten)]` serde finds fewer mistakes, as
    /// [`rpc_service`](macro@crate::rpc_service#arguments) says.
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
    /// Each registered function is a server of its own, with one channel for calls and one for
    /// batches. If there are hundreds of methods, serve them as one service, which costs less:
    /// RabbitMQ allows 2,047 channels per connection by default, and with a thousand channels a
    /// call costs nearly twice as much.
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

    /// Returns a clone that puts `prefix` before the name of each method that it calls or serves,
    /// and before the trait's own prefix if there is one. If this is applied several times, the
    /// prefix given last comes first.
    ///
    /// This way one trait can be served several times:
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

    /// The number of calls of this `Rpc` that are being sent or wait for an answer. Calls that wait
    /// for a connection do not count here, but they do for
    /// [`RpcBuilder::max_in_flight`](crate::RpcBuilder::max_in_flight).
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    /// Shuts down all servers, as [`Server::shutdown`](crate::Server::shutdown) does, and closes
    /// the connections. Calls in flight end with [`RpcError::Closed`](crate::RpcError::Closed), and
    /// so do later calls. This affects all clones.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped, the servers still shut down, but the connections may stay open.
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

    /// The name of a method with the prefix of this `Rpc`.
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
