//! RabbitMQ through lapin, without lapin's own recovery: a connection that is lost stays lost, and the
//! supervisor makes a new one. Only this module and those below it name lapin.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::ShortString;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use crate::error::cause::Cause;
use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::transport::{Link, Purpose, Transport};

mod acks;
mod calls;
mod link;
mod confirms;
mod confirm_correlator;
mod loss;
mod opening;
mod permission;
mod queue_probe;
pub(crate) mod properties;
mod refusal;
mod runtime;
mod write_backpressure;
mod serving;
pub(crate) mod sanitizer;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod url;

use link::AmqpLink;
use opening::{open, plain};
use refusal::{refusal, tls_hint};
#[cfg(feature = "tls")]
use tls::{Tls, TlsOptions};
use url::Host;

/// One broker, which may have several hosts.
pub(crate) struct AmqpTransport {
    hosts: Vec<Host>,
    options: AmqpOptions,
    /// If the URL asks for it.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    /// Attempts that had not ended at their limit. lapin's cannot be stopped: each holds a thread and a
    /// socket for as long as a host that accepted it says nothing. So the next attempt goes on with it, and
    /// there is at most one for each host and purpose.
    unfinished: Mutex<HashMap<(usize, Purpose), Connecting>>,
}

type Connecting = BoxFuture<'static, Result<Connection, Failure>>;

/// Why an attempt failed.
struct Failure {
    error: lapin::Error,
    /// Whether it was after a handshake of TLS.
    after_handshake: bool,
    /// Whether the broker asked for a certificate in it.
    #[cfg(feature = "tls")]
    certificate_asked: bool,
}

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct AmqpOptions {
    /// What the broker's management shows; the name of the program if absent.
    pub(crate) name: Option<String>,
    /// For one host, from TCP to the open connection.
    pub(crate) connect_timeout: Duration,
    /// Whether calls bear the name of their user.
    pub(crate) send_user_id: bool,
    /// Emptied when it was read: it holds a key.
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsOptions,
}

impl AmqpTransport {
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "for TLS"))]
    pub(crate) fn from_url(url: &str, mut options: AmqpOptions) -> Result<Self, ConnectError> {
        let hosts = url::parse(url)?;
        if options.send_user_id && hosts.iter().any(|host| host.user.is_none()) {
            return Err(url::invalid(
                url,
                "`send_user_id` needs the user's name, which a login by certificate does not tell; name it as in \
                 `amqps://NAME@HOST/?auth_mechanism=external`",
            ));
        }
        #[cfg(feature = "tls")]
        let tls = Tls::for_hosts(&hosts, &std::mem::take(&mut options.tls))?;
        #[cfg(not(feature = "tls"))]
        refuse_tls(&hosts)?;
        Ok(Self {
            hosts,
            options,
            #[cfg(feature = "tls")]
            tls,
            unfinished: Mutex::default(),
        })
    }

    fn start(&self, host: &Host, purpose: Purpose) -> Connecting {
        let properties = self.properties(purpose);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Box::pin(tls.connect(host.uri.clone(), properties));
        }
        let connecting = open(host.uri.clone(), properties, plain);
        Box::pin(connecting.map_err(|error| Failure {
            error,
            after_handshake: false,
            #[cfg(feature = "tls")]
            certificate_asked: false,
        }))
    }

    /// Why a handshake failed with a host that speaks TLS.
    #[cfg(feature = "tls")]
    fn tls_failure(&self, failure: &Failure) -> Option<String> {
        self.tls.as_ref()?.explain(failure)
    }

    #[cfg(not(feature = "tls"))]
    fn tls_failure(&self, failure: &Failure) -> Option<String> {
        debug_assert!(!failure.after_handshake);
        None
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
        let mut connecting = unfinished.unwrap_or_else(|| self.start(host, purpose));
        match timeout(limit, &mut connecting).await {
            Ok(Ok(connection)) => {
                let user = host.user.clone();
                let user_id = user.filter(|_| self.options.send_user_id);
                let link = AmqpLink::new(connection, host.name.clone(), user_id);
                Ok(Arc::new(link))
            }
            Ok(Err(failure)) => Err(match self.tls_failure(&failure) {
                Some(reason) => {
                    ConnectError::tls(&host.name, reason).caused_by(Some(cause(&failure.error)))
                }
                None => refusal(host, &failure.error),
            }),
            Err(_) => {
                self.unfinished().insert((index, purpose), connecting);
                let reason = format!("no AMQP connection within {limit:?}{}", tls_hint(host));
                Err(ConnectError::unreachable(&host.name, reason))
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

/// Without the feature lapin would speak plain text.
#[cfg(not(feature = "tls"))]
fn refuse_tls(hosts: &[Host]) -> Result<(), ConnectError> {
    match hosts.iter().find(|host| host.has_tls()) {
        Some(host) => Err(ConnectError::tls_disabled(&host.name)),
        None => Ok(()),
    }
}

fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

/// lapin's error in words: the broker's own where there are any.
fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// The same with the error behind it.
fn reason(error: &lapin::Error) -> Reason {
    Reason::new(words(error), cause(error))
}

/// What is behind lapin's error, or the error itself. rustls puts its own into one of the system, which does not show it.
fn cause(error: &lapin::Error) -> Cause {
    let ErrorKind::IOError(io) = error.kind() else {
        return Cause::new(error.clone());
    };
    #[cfg(feature = "tls")]
    if let Some(rustls) = io
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return Cause::new(rustls.clone());
    }
    Cause::shared(Arc::clone(io))
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
    use std::error::Error;
    use std::io;

    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;

    fn transport(url: &str) -> Result<AmqpTransport, ConnectError> {
        let options = AmqpOptions {
            name: None,
            connect_timeout: Duration::from_millis(100),
            send_user_id: false,
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
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
            let source = error.source().and_then(|source| source.downcast_ref());
            let kind = source.map(io::Error::kind);
            assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
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
