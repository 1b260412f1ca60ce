//! The handle that calls and serves.

use std::borrow::Cow;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::builder::RpcBuilder;
use crate::call::Call;
use crate::client::Client;
use crate::connect_error::ConnectError;
use crate::server::Serve;
use crate::servers::Servers;
use crate::service::{Method, Service};

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
    inner: Arc<Inner>,
    prefix: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    servers: Servers,
    timeout: Duration,
}

impl Rpc {
    /// Connects to the broker that the URL names, with the default options.
    ///
    /// - `amqp://user:password@host:port/vhost`, by default `guest:guest`, port 5672 and vhost `/` (which
    ///   a URL writes as `%2f`). Several hosts, separated by commas, are tried in turn, the next when one has failed
    ///   or not answered for 250 ms; the first that is up is used. The query may set
    ///   `heartbeat` (seconds, default 10), `frame_max` (bytes, at least 8192), `channel_max`, and
    ///   `connection_timeout` (milliseconds, instead of [`RpcBuilder::connect_timeout`]).
    /// - `amqps://` is the same over TLS, on port 5671. The server's certificate is verified.
    /// - `memory://name` is a broker inside this process, shared by all that give the same name;
    ///   `memory://` is one of its own. See [`MemoryBroker`](crate::MemoryBroker).
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if no host can be used. Each is tried once; it has 10 s to connect, and as long
    /// again to set up the reply queue.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Starts with the default options, to change some before connecting.
    pub fn builder(url: impl AsRef<str>) -> RpcBuilder {
        RpcBuilder::new(url.as_ref())
    }

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
    pub fn call(
        &self,
        method: impl Into<Cow<'static, str>>,
        kwargs: impl Serialize,
    ) -> Call<Value> {
        Call::untyped(self, method.into(), &kwargs)
    }

    /// Serves a service, each of its methods under its own name. It is running when this returns.
    ///
    /// # Errors
    ///
    /// [`ServeError`](crate::ServeError) if the broker refuses a queue, or a method is already registered
    /// here. Nothing is served then.
    pub fn serve(&self, service: impl Service) -> Serve {
        Serve::new(self, service.into_methods())
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
    pub fn register<A, T, E, F, Fut>(
        &self,
        method: impl Into<Cow<'static, str>>,
        handler: F,
    ) -> Serve
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        E: Serialize + Display,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Serve::new(self, vec![Method::untyped(method.into(), handler)])
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
            inner: Arc::clone(&self.inner),
            prefix: Some(match &self.prefix {
                None => prefix.into(),
                Some(inner) => format!("{prefix}{inner}").into(),
            }),
        }
    }

    /// How many calls of this `Rpc` are being sent or wait for their answer. Those that wait for a
    /// connection do not count.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.inner.client.in_flight()
    }

    /// Shuts all servers down, as [`Server::shutdown`](crate::Server::shutdown) does, and closes the
    /// connections. Calls that wait end as [`RpcError::Closed`](crate::RpcError::Closed), and so do later
    /// ones. Affects all clones.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped, servers go on to shut down, but connections may stay open.
    pub async fn close(&self) {
        self.inner.servers.close().await;
        self.inner.client.close().await;
    }

    pub(crate) fn new(client: Client, servers: Servers, timeout: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                servers,
                timeout,
            }),
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

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.inner.servers
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        self.inner.timeout
    }
}
