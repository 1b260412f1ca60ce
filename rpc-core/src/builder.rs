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

/// Options of an [`Rpc`], and the way to connect with them.
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
    /// Connects to the broker that the URL names, with the default options.
    ///
    /// - `amqp://user:password@host:port/vhost`, by default `guest:guest`, port 5672 and vhost `/` (which
    ///   a URL writes as `%2f`). Several hosts, separated by commas, are tried in turn, the next when one has failed
    ///   or not answered for 250 ms; the first that is up is used. The query may set
    ///   `heartbeat` (seconds, default 10), `frame_max` (bytes, at least 8192), `channel_max`, and
    ///   `connection_timeout` (milliseconds, instead of [`RpcBuilder::connect_timeout`]).
    /// - `amqps://` is the same over TLS, on port 5671. The server's certificate is verified.
    /// - `memory://name` is a broker inside this process, shared by all that give the same name;
    ///   `memory://` is one of its own. See [`MemoryBroker`](crate::MemoryBroker). It needs the feature `memory`.
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
}

impl RpcBuilder {
    fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            grace: Duration::from_secs(30),
            limits: ClientLimits {
                timeout: Duration::from_secs(30),
                message_size: SizeLimit::new(16 * 1024 * 1024),
                in_flight: 65_536,
                fail_fast: false,
            },
            batching: Batching::default(),
            amqp: AmqpOptions {
                name: None,
                connect_timeout: Duration::from_secs(10),
                send_user_id: false,
                #[cfg(feature = "tls")]
                tls: TlsOptions::default(),
            },
        }
    }

    /// Sets how long a call may take if it says nothing else. There is no way to have no limit.
    ///
    /// Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets how long one host may take to connect, including TLS and login. The URL's `connection_timeout`
    /// counts more.
    ///
    /// Defaults to 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.amqp.connect_timeout = timeout;
        self
    }

    /// Sets how long calls may still run after a [`Server`](crate::Server) was told to shut down.
    ///
    /// Defaults to 30 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Makes calls fail at once, rather than wait until their deadline, while there is no connection or
    /// the broker blocks publishers. So idempotent calls are not sent again then, either.
    ///
    /// Defaults to `false`.
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.limits.fail_fast = fail_fast;
        self
    }

    /// Sets how many calls may be in flight at a time. Further ones wait for their turn, and end as
    /// [`RpcError::Overloaded`](crate::RpcError::Overloaded) if it has not come by their deadline; with
    /// [`fail_fast`](Self::fail_fast) they do so at once. So a slow server does not make this process grow
    /// without a bound. 0 counts as 1.
    ///
    /// Defaults to 65,536.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.limits.in_flight = calls.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets whether and how calls that wait at the same time travel together, and whether servers take such
    /// batches.
    ///
    /// Defaults to [`Batching::default`]: on.
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// Sets the largest body of a call or a reply, in bytes. It must not exceed the broker's limit, since
    /// RabbitMQ closes the channel on a larger message. What others send is held to it, too: a larger call is answered
    /// with the error `rpc.CallTooLarge`, and a larger reply ends its call as
    /// [`RpcError::Decode`](crate::RpcError::Decode).
    ///
    /// Defaults to 16 MiB, the limit of RabbitMQ 4.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.message_size = SizeLimit::new(bytes);
        self
    }

    /// Sends the name of the user as which this logs in with each call. The broker refuses a wrong one, so that a
    /// server can rely on it: [`Context::user_id`](crate::Context::user_id). It has no effect on `memory://`,
    /// which has no users.
    ///
    /// Where a client certificate logs in, the URL must name its user, as in
    /// `amqps://NAME@HOST/?auth_mechanism=external`; it is an error otherwise.
    ///
    /// A call with a user id cannot be handed to another server, nor counted when a server is lost with it: see
    /// `PROTOCOL.md`. Defaults to `false`.
    pub fn send_user_id(mut self, send: bool) -> Self {
        self.amqp.send_user_id = send;
        self
    }

    /// Sets whom to trust as a broker at `amqps://`: servers whose certificate was issued by one of these
    /// certificates, which are in PEM (`-----BEGIN CERTIFICATE-----`, as many as there are). They take the place of
    /// the roots of the platform, so that no public authority can vouch for a broker with a private CA. Further
    /// calls add further certificates.
    ///
    /// A server's certificate is always checked, and there is no way not to: it must come from a trusted issuer, be
    /// valid today, and name the host of the URL in its "subject alternative names".
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
    /// Defaults to the roots that the platform trusts. [`connect`](Self::connect) fails as
    /// [`ConnectError::TlsOptions`] if there is no certificate in it, or the URL is `amqp://`. It has no effect on
    /// `memory://`.
    #[cfg(feature = "tls")]
    pub fn tls_ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.amqp.tls.ca.push(pem.as_ref().to_vec());
        self
    }

    /// Sets the certificate that this shows to a broker at `amqps://` that asks for one, and its private key. Both
    /// are in PEM; the certificate comes first, followed by those of its issuers if the broker does not know them.
    /// The key is one of RSA, ECDSA or Ed25519, in PKCS#8, PKCS#1 or SEC1, and not encrypted.
    ///
    /// By itself it changes nothing about the login, which is by the user and the password of the URL. To log in by
    /// the certificate alone (SASL EXTERNAL), say so in the URL, which needs no user and no password then:
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
    /// The broker needs its plugin `rabbitmq_auth_mechanism_ssl` for that, and takes the name of the user from the
    /// certificate: see [`permissions`](crate::permissions).
    ///
    /// Defaults to none. [`connect`](Self::connect) fails as [`ConnectError::TlsOptions`] if one of the two cannot
    /// be read or they do not belong together, the URL is `amqp://`, or the URL says `auth_mechanism=external` and
    /// this is not set. No error, `Debug` or log shows the key. A certificate that was renewed takes a new [`Rpc`].
    /// It has no effect on `memory://`.
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

    /// Sets the name that the broker's management shows for the connections.
    ///
    /// Defaults to the name of the program.
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
        // The rest of an unknown URL is not shown: it may hold a password anywhere.
        let transport: Arc<dyn Transport> = match self.url.split_once("://") {
            Some((scheme, rest)) => match &*scheme.to_ascii_lowercase() {
                #[cfg(feature = "memory")]
                "memory" => Arc::new(MemoryTransport::from_url(&format!("memory://{rest}"))?),
                #[cfg(not(feature = "memory"))]
                "memory" => return Err(ConnectError::MemoryDisabled),
                scheme @ ("amqp" | "amqps") => {
                    let url = format!("{scheme}://{rest}");
                    Arc::new(AmqpTransport::from_url(&url, self.amqp)?)
                }
                scheme => {
                    let shown = format!("{}://...", shorten(scheme));
                    return refuse(&shown, "it must start with amqp://, amqps:// or memory://");
                }
            },
            None if self.url.is_empty() => return refuse("", "it is empty"),
            None => return refuse("...", "it must start with amqp://, amqps:// or memory://"),
        };
        let size = self.limits.message_size;
        let batching = self.batching.clone();
        let client = Client::connect(Arc::clone(&transport), self.limits, batching).await?;
        let registry = Registry::new(transport, size, self.grace, self.batching);
        Ok(Rpc::new(client, registry))
    }
}

/// Without the URL, which may hold a password.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands for a secret.
    const SECRET: &str = "hunter2";

    #[test]
    fn no_secret_is_in_its_debug() {
        let builder = Rpc::builder(format!("amqps://ann:{SECRET}@bank/{SECRET}"));
        #[cfg(feature = "tls")]
        let builder = builder.tls_identity(SECRET, SECRET).tls_ca(SECRET);
        let debug = format!("{:?}", builder.clone());
        assert!(debug.contains("timeout"), "{debug}");
        assert!(!debug.contains(SECRET), "{debug}");
        // As bytes are shown.
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
