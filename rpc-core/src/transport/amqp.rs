//! RabbitMQ through lapin, without lapin's own recovery: a connection that is lost stays lost, and the
//! supervisor makes a new one. Only this module and those below it name lapin.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{AMQPUriTcpExt, TLSConfig};
use lapin::types::ShortString;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use crate::connect_error::ConnectError;
use crate::transport::{Link, Purpose, Transport};

mod calls;
mod link;
mod lookout;
mod one_way;
mod properties;
mod serving;
mod url;

use link::AmqpLink;
use url::Host;

/// One broker, which may have several hosts.
pub(crate) struct AmqpTransport {
    hosts: Vec<Host>,
    options: AmqpOptions,
    /// Attempts that had not ended at their limit. lapin's cannot be stopped: each holds a thread and a
    /// socket for as long as a host that accepted it says nothing. So the next attempt goes on with it, and
    /// there is at most one for each host and purpose.
    unfinished: Mutex<HashMap<(usize, Purpose), Connecting>>,
}

type Connecting = BoxFuture<'static, Result<Connection, lapin::Error>>;

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct AmqpOptions {
    /// What the broker's management shows; the name of the program if absent.
    pub(crate) name: Option<String>,
    /// For one host, from TCP to the open connection.
    pub(crate) connect_timeout: Duration,
    /// Whether calls bear the name of their user.
    pub(crate) send_user_id: bool,
}

impl AmqpTransport {
    pub(crate) fn from_url(url: &str, options: AmqpOptions) -> Result<Self, ConnectError> {
        let hosts = url::parse(url)?;
        for host in &hosts {
            // Without a TLS feature lapin would speak plain text to it.
            if host.uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "tls") {
                return Err(ConnectError::TlsDisabled {
                    host: host.name.clone(),
                });
            }
        }
        Ok(Self {
            hosts,
            options,
            unfinished: Mutex::default(),
        })
    }

    fn unfinished(&self) -> MutexGuard<'_, HashMap<(usize, Purpose), Connecting>> {
        self.unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn properties(&self, purpose: Purpose) -> ConnectionProperties {
        let name = self
            .options
            .name
            .clone()
            .or_else(program)
            .unwrap_or_else(|| "rpc-core".into());
        let purpose = match purpose {
            Purpose::Calling => "calling",
            Purpose::Serving => "serving",
        };
        ConnectionProperties::default().with_connection_name(format!("{name} ({purpose})").into())
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    fn hosts(&self) -> usize {
        self.hosts.len()
    }

    async fn connect(&self, index: usize, purpose: Purpose) -> Result<Arc<dyn Link>, ConnectError> {
        let host = &self.hosts[index];
        let limit = host
            .connect_timeout()
            .unwrap_or(self.options.connect_timeout);
        let unfinished = self.unfinished().remove(&(index, purpose));
        let mut connecting = unfinished.unwrap_or_else(|| {
            let properties = self.properties(purpose);
            Box::pin(open(host.uri.clone(), properties))
        });
        match timeout(limit, &mut connecting).await {
            Ok(Ok(connection)) => {
                let user = &host.uri.authority.userinfo.username;
                let user_id = self.options.send_user_id.then(|| user.clone());
                let link = AmqpLink::new(connection, host.name.clone(), user_id);
                Ok(Arc::new(link))
            }
            Ok(Err(error)) => Err(refusal(host, &error)),
            Err(_) => {
                self.unfinished().insert((index, purpose), connecting);
                Err(ConnectError::Unreachable {
                    host: host.name.clone(),
                    reason: format!("no AMQP connection within {limit:?}{}", tls_hint(host)),
                })
            }
        }
    }
}

impl fmt::Debug for AmqpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpTransport")
            .field("hosts", &self.hosts)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Opens a connection to a host that can be reached.
///
/// lapin connects on a thread of its own, and where that fails it leaves a task behind for good (4.12.3: `InternalRPC`
/// is not stopped). A broker may be away for days, so it gets a stream that stands.
async fn open(uri: AMQPUri, properties: ConnectionProperties) -> Result<Connection, lapin::Error> {
    let runtime = lapin::runtime::default_runtime()?;
    let stream = uri.connect_with_config_async(TLSConfig::default(), &runtime);
    let first = Mutex::new(Some(stream.await?));
    let connect = async move |uri: AMQPUri, runtime| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(stream) => Ok(stream),
            // It asks again if the stream ends before the broker has said anything.
            None => Ok(uri
                .connect_with_config_async(TLSConfig::default(), &runtime)
                .await?),
        }
    };
    Connection::connector(uri, runtime, connect, properties).await
}

fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

fn refusal(host: &Host, error: &lapin::Error) -> ConnectError {
    let reason = words(error);
    let refused = matches!(
        error.kind(),
        ErrorKind::ProtocolError(error) if matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
        )
    );
    if refused {
        return ConnectError::Refused {
            host: host.name.clone(),
            user: host.uri.authority.userinfo.username.clone(),
            vhost: host.uri.vhost.clone(),
            reason,
        };
    }
    ConnectError::Unreachable {
        host: host.name.clone(),
        reason: format!("{reason}{}", hint(host, error)),
    }
}

/// What to look at when a host cannot be reached.
fn hint(host: &Host, error: &lapin::Error) -> &'static str {
    match error.kind() {
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            " (is RabbitMQ running there?)"
        }
        // The standard library has no kind for it.
        ErrorKind::IOError(error) if error.to_string().contains("lookup") => {
            " (check the host's name)"
        }
        _ => tls_hint(host),
    }
}

/// The most common reason why a port answers and yet makes no sense.
fn tls_hint(host: &Host) -> &'static str {
    match host.uri.scheme {
        AMQPScheme::AMQP => " (if this is a TLS port, the URL must start with amqps://)",
        AMQPScheme::AMQPS => {
            " (if this is no TLS port, which is usually 5671, the URL must start with amqp://)"
        }
    }
}

/// lapin's error in words: the broker's own where there are any.
fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// A name for the wire. The callers have checked the length, or have it from the wire.
fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}

/// As aio-pika declares it.
const DEAD_LETTER_OPTIONS: ExchangeDeclareOptions = ExchangeDeclareOptions {
    passive: false,
    durable: false,
    auto_delete: true,
    internal: false,
    nowait: false,
};

/// Only its own connection may use it, so its name need not be secret.
const REPLY_QUEUE_OPTIONS: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: false,
    exclusive: true,
    auto_delete: true,
    nowait: false,
};

/// For each answer of the broker while setting up or taking down. A broker that is alive answers in
/// milliseconds; a cluster that elects a leader may take seconds.
const BROKER_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;

    fn transport(url: &str) -> Result<AmqpTransport, ConnectError> {
        let options = AmqpOptions {
            name: None,
            connect_timeout: Duration::from_millis(100),
            send_user_id: false,
        };
        AmqpTransport::from_url(url, options)
    }

    #[tokio::test]
    async fn a_host_that_says_nothing_costs_one_connection_however_often_it_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let transport = transport(&format!("amqp://127.0.0.1:{port}")).unwrap();
        for _ in 0..5 {
            let error = transport.connect(0, Purpose::Calling).await.unwrap_err();
            assert!(error.to_string().contains("within 100ms"), "{error}");
        }
        let _first = listener.accept().await.unwrap();
        tokio::select! {
            _ = listener.accept() => panic!("a second connection"),
            () = sleep(Duration::from_millis(50)) => {}
        }
    }

    #[tokio::test]
    async fn a_host_that_refuses_costs_nothing_however_often_it_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let transport = transport(&format!("amqp://127.0.0.1:{port}")).unwrap();
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = tasks();
        for _ in 0..20 {
            let error = transport.connect(0, Purpose::Calling).await.unwrap_err();
            assert!(error.to_string().contains("is RabbitMQ running"), "{error}");
        }
        assert_eq!(tasks(), before);
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn amqps_without_the_feature_is_refused_and_never_plain_text() {
        let error = transport("amqps://u:hunter2@bank:5671/v").unwrap_err();
        assert!(
            matches!(error, ConnectError::TlsDisabled { .. }),
            "{error:?}"
        );
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("bank:5671") && text.contains("feature `tls`"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}
