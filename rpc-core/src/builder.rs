//! The options of an `Rpc`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::client::Client;
use crate::client::request::ClientLimits;
use crate::error::connect::ConnectError;
use crate::error::shorten::shorten;
use crate::rpc::Rpc;
use crate::server::registry::Registry;
use crate::transport::Transport;
#[cfg(feature = "tls")]
use crate::transport::amqp::tls::{PemIdentity, TlsOptions};
use crate::transport::amqp::{AmqpOptions, AmqpTransport};
#[cfg(feature = "memory")]
use crate::transport::memory::MemoryTransport;
use crate::wire::batching::Batching;
use crate::wire::size_limit::SizeLimit;

/// Options of an [`Rpc`]. [`connect`](Self::connect) applies them.
///
/// ```
/// use std::time::Duration;
/// # use rpc_core::Rpc;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rpc = Rpc::builder("memory://bank")
///     .timeout(Duration::from_secs(5))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "call `connect` to use the options"]
pub struct RpcBuilder {
    url: String,
    grace: Duration,
    limits: ClientLimits,
    batching: Batching,
    amqp: AmqpOptions,
}

impl Rpc {
    /// Connects to the broker at this URL, with the default options.
    ///
    /// - `amqp://user:password@host:port/vhost`. The defaults are `guest:guest`, port 5672 and
    ///   vhost `/` (written `%2f` in a URL). Several hosts can be given, separated by commas. They
    ///   are tried in turn: the next one is tried when a host has failed or has not answered for
    ///   250 ms, and the first that works is used. The query may set `heartbeat` (seconds, default
    ///   10), `frame_max` (bytes, at least 8192), `channel_max`, and `connection_timeout`
    ///   (milliseconds; overrides [`RpcBuilder::connect_timeout`]).
    /// - `amqps://` is the same over TLS, on port 5671. The broker's certificate is verified.
    /// - `memory://name` is a broker inside this process, shared by all connections that use the
    ///   same name; `memory://` without a name is a new broker of its own. See
    ///   [`MemoryBroker`](crate::MemoryBroker). This needs the feature `memory`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if no host can be used. Each host is tried once. It has 10 s to connect,
    /// and another 10 s to set up the reply queue.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Starts a builder with the default options.
    pub fn builder(url: impl AsRef<str>) -> RpcBuilder {
        RpcBuilder::new(url.as_ref())
    }
}

impl RpcBuilder {
    fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            grace: Duration::from_secs(30),
            limits: ClientLimits {
                timeout: Duration::from_secs(30),
                message_size: DEFAULT_MESSAGE_SIZE,
                in_flight: 65_536,
                fail_fast: false,
            },
            batching: Batching::default(),
            amqp: AmqpOptions {
                name: None,
                connect_timeout: Duration::from_secs(10),
                send_user_id: false,
                message_size: DEFAULT_MESSAGE_SIZE,
                #[cfg(feature = "tls")]
                tls: TlsOptions::default(),
            },
        }
    }

    /// Sets the time limit of calls that set none themselves. A call always has a limit.
    ///
    /// Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets how long connecting to one host may take, including TLS and login. The URL's
    /// `connection_timeout` takes precedence.
    ///
    /// Defaults to 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.amqp.connect_timeout = timeout;
        self
    }

    /// Sets how long running calls may continue after a [`Server`](crate::Server) has started to
    /// shut down.
    ///
    /// Defaults to 30 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Makes calls fail at once while there is no connection or the broker blocks publishers,
    /// instead of waiting until their deadline. As a consequence, idempotent calls are not resent
    /// in these cases either.
    ///
    /// Defaults to `false`.
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.limits.fail_fast = fail_fast;
        self
    }

    /// Sets how many calls may be in flight at a time, so that a slow server cannot make this
    /// process grow without bound. Further calls wait for their turn, and end with
    /// [`RpcError::Overloaded`](crate::RpcError::Overloaded) if it has not come by their deadline.
    /// With [`fail_fast`](Self::fail_fast) they end so at once. 0 counts as 1.
    ///
    /// Defaults to 65,536.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.limits.in_flight = calls.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets whether and how calls that wait at the same time are sent as one batch, and whether
    /// servers consume batches.
    ///
    /// Defaults to [`Batching::default`]: on.
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// Sets the largest body of a call or a reply, in bytes. It must not exceed the broker's limit,
    /// because RabbitMQ closes the channel on a larger message. The limit also applies to incoming
    /// messages: a larger call is answered with the error `rpc.CallTooLarge`, and a larger reply
    /// ends its call with [`RpcError::Decode`](crate::RpcError::Decode).
    ///
    /// Defaults to 16 MiB, the limit of RabbitMQ 4.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.message_size = SizeLimit::new(bytes);
        self
    }

    /// Sends the user name of this connection with each call. The broker refuses a wrong name, so a
    /// server can rely on [`Context::user_id`](crate::Context::user_id). This has no effect on
    /// `memory://`, which has no users.
    ///
    /// If the login is by client certificate, the URL must name the user, as in
    /// `amqps://NAME@HOST/?auth_mechanism=external`. Otherwise connecting fails.
    ///
    /// A call with a user id cannot be handed to another server, and the servers that were lost
    /// while they ran it cannot be counted: see `PROTOCOL.md`.
    ///
    /// Defaults to `false`.
    pub fn send_user_id(mut self, send: bool) -> Self {
        self.amqp.send_user_id = send;
        self
    }

    /// Sets the CA certificates to trust at `amqps://`, in PEM (one or more
    /// `-----BEGIN CERTIFICATE-----` blocks). They replace the platform's roots, so that no public
    /// authority can vouch for a broker with a private CA. Repeated calls add certificates.
    ///
    /// The broker's certificate is always verified, and this cannot be turned off. It must come
    /// from a trusted issuer, be valid now, and name the host of the URL in its "subject
    /// alternative names".
    ///
    /// ```no_run
    /// # use rpc_core::Rpc;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::builder("amqps://user:password@broker.bank.example/")
    ///     .tls_ca(std::fs::read("ca.pem")?)
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Defaults to the roots that the platform trusts. [`connect`](Self::connect) fails with
    /// [`ConnectError::TlsOptions`] if the PEM holds no certificate, or if the URL is `amqp://`.
    /// This has no effect on `memory://`.
    #[cfg(feature = "tls")]
    pub fn tls_ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.amqp.tls.ca.push(pem.as_ref().to_vec());
        self
    }

    /// Sets the client certificate for a broker at `amqps://` that asks for one, and its private
    /// key. Both are in PEM. The certificate comes first, followed by those of its issuers if the
    /// broker does not know them. The key is an RSA, ECDSA or Ed25519 key in PKCS#8, PKCS#1 or
    /// SEC1, and is not encrypted.
    ///
    /// This alone does not change the login, which uses the user and the password of the URL. To
    /// log in with the certificate alone (SASL EXTERNAL), say so in the URL, which then needs no
    /// user and no password:
    ///
    /// ```no_run
    /// # use rpc_core::Rpc;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rpc = Rpc::builder("amqps://broker.bank.example/?auth_mechanism=external")
    ///     .tls_ca(std::fs::read("ca.pem")?)
    ///     .tls_identity(std::fs::read("client.pem")?, std::fs::read("client.key")?)
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// For that the broker needs the plugin `rabbitmq_auth_mechanism_ssl`. It takes the user name
    /// from the certificate: see [`permissions`](crate::permissions).
    ///
    /// Defaults to none. [`connect`](Self::connect) fails with [`ConnectError::TlsOptions`] if the
    /// certificate or the key cannot be read, if they do not belong together, if the URL is
    /// `amqp://`, or if the URL says `auth_mechanism=external` and no identity is set. No error,
    /// `Debug` output or log shows the key. To use a renewed certificate, make a new [`Rpc`]. This
    /// has no effect on `memory://`.
    #[cfg(feature = "tls")]
    pub fn tls_identity(
        mut self,
        certificate_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Self {
        self.amqp.tls.identity = Some(PemIdentity {
            certificate: certificate_pem.as_ref().to_vec(),
            key: key_pem.as_ref().to_vec(),
        });
        self
    }

    /// Sets the connection name that the broker's management UI shows. It is cut after 512 bytes.
    ///
    /// Defaults to the program's name.
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.amqp.name = Some(name.into());
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// Those of [`Rpc::connect`].
    pub async fn connect(self) -> Result<Rpc, ConnectError> {
        let refuse = |url: &str, reason: &str| Err(ConnectError::invalid_url(url, reason));
        let size = self.limits.message_size;
        let amqp = AmqpOptions {
            message_size: size,
            ..self.amqp
        };
        // The rest of an unknown URL is not shown, because a password may stand anywhere in it.
        let transport: Arc<dyn Transport> = match self.url.split_once("://") {
            Some((scheme, rest)) => match &*scheme.to_ascii_lowercase() {
                #[cfg(feature = "memory")]
                "memory" => Arc::new(MemoryTransport::from_url(&format!("memory://{rest}"))?),
                #[cfg(not(feature = "memory"))]
                "memory" => return Err(ConnectError::MemoryDisabled),
                scheme @ ("amqp" | "amqps") => {
                    let url = format!("{scheme}://{rest}");
                    Arc::new(AmqpTransport::from_url(&url, amqp)?)
                }
                scheme => {
                    let shown = format!("{}://...", shorten(scheme));
                    return refuse(&shown, "it must start with amqp://, amqps:// or memory://");
                }
            },
            None if self.url.is_empty() => return refuse("", "it is empty"),
            None => return refuse("...", "it must start with amqp://, amqps:// or memory://"),
        };
        let batching = self.batching.clone();
        let client = Client::connect(Arc::clone(&transport), self.limits, batching).await?;
        let registry = Registry::new(transport, size, self.grace, self.batching);
        Ok(Rpc::new(client, registry))
    }
}

/// Leaves the URL out, because it may hold a password.
impl fmt::Debug for RpcBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcBuilder")
            .field("grace", &self.grace)
            .field("limits", &self.limits)
            .field("batching", &self.batching)
            .field("amqp", &self.amqp)
            .finish_non_exhaustive()
    }
}

/// The limit of RabbitMQ 4.
const DEFAULT_MESSAGE_SIZE: SizeLimit = SizeLimit::new(16 * 1024 * 1024);

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands for a secret.
    const SECRET: &str = "hunter2";

    #[test]
    fn no_secret_is_in_its_debug() {
        let builder = Rpc::builder(format!("amqps://ann:{SECRET}@bank/{SECRET}"));
        #[cfg(feature = "tls")]
        let builder = builder.tls_identity(SECRET, SECRET).tls_ca(SECRET);
        let debug = format!("{:?}", builder.clone());
        assert!(debug.contains("timeout"), "{debug}");
        assert!(!debug.contains(SECRET), "{debug}");
        // The first bytes of the secret, as `Debug` shows bytes.
        assert!(!debug.contains("104, 117, 110"), "{debug}");
    }

    #[tokio::test]
    #[cfg(not(feature = "memory"))]
    async fn memory_without_the_feature_is_refused_by_its_name() {
        for url in ["memory://", "MEMORY://bank"] {
            let error = Rpc::connect(url).await.unwrap_err();
            assert_eq!(error, ConnectError::MemoryDisabled);
            assert!(error.to_string().contains("feature `memory`"), "{error}");
        }
    }
}
