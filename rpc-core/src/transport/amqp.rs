//! RabbitMQ through lapin, without lapin's own recovery: a lost connection stays lost, and the
//! supervisor makes a new one. Only this module and its submodules name lapin.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use lapin::{Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::error::connect::ConnectError;
use crate::transport::{Link, Purpose, Transport};
use crate::wire::size_limit::SizeLimit;

mod acks;
mod calls;
mod confirms;
mod direct_replies;
pub(crate) mod edge;
mod failure;
mod inbox;
mod limits;
mod link;
mod loss;
mod opening;
mod permission;
pub(crate) mod properties;
mod queue_probe;
mod login_refusal;
mod runtime;
mod screening;
mod serving;
mod suspects;
pub(crate) mod taps;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod unread;
pub(crate) mod url;
mod write_backpressure;

use failure::{ConnectFailure, cause};
use link::AmqpLink;
use login_refusal::{refusal, tls_hint};
use opening::{open, plain};
use suspects::Suspects;
use taps::Taps;
#[cfg(feature = "tls")]
use tls::{Tls, TlsOptions};
use url::Host;

/// One broker, which may have several hosts.
pub(crate) struct AmqpTransport {
    hosts: Vec<Host>,
    options: AmqpOptions,
    /// Set if the URL asks for TLS.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    /// Attempts that had not ended at their timeout. An attempt of lapin cannot be stopped: it
    /// holds a thread and a socket for as long as a host that accepted the connection stays
    /// silent. So the next attempt continues this one, and there is at most one for each host and
    /// purpose.
    unfinished: Mutex<HashMap<(usize, Purpose), ConnectionAttempt>>,
    suspects: Arc<Suspects>,
}

type ConnectionAttempt = BoxFuture<'static, Result<(Connection, Arc<Taps>), ConnectFailure>>;

/// The options of a connection.
#[derive(Clone, Debug)]
pub(crate) struct AmqpOptions {
    /// The name that the broker's management UI shows. Defaults to the name of the program.
    pub(crate) name: Option<String>,
    /// The limit for one host, from the TCP connect to the open AMQP connection.
    pub(crate) connect_timeout: Duration,
    /// Whether calls carry the name of their user.
    pub(crate) send_user_id: bool,
    /// The largest body of a call or a reply that is received.
    pub(crate) message_size: SizeLimit,
    /// Emptied once it was read, because it holds a private key.
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
                "`send_user_id` needs the name of the user, which a client certificate does not give. Put the \
                 name into the URL: `amqps://NAME@HOST/?auth_mechanism=external`",
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
            suspects: Arc::default(),
        })
    }

    fn start(&self, host: &Host, purpose: Purpose) -> ConnectionAttempt {
        let (uri, properties) = (host.uri.clone(), self.properties(purpose));
        let taps = Taps::new(self.options.message_size, Arc::clone(&self.suspects));
        let with_taps = Arc::clone(&taps);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let connecting = tls.connect(uri, properties, taps);
            return Box::pin(connecting.map_ok(|connection| (connection, with_taps)));
        }
        let connecting = open(uri, properties, taps, plain);
        let connecting = connecting.map_ok(|connection| (connection, with_taps));
        Box::pin(connecting.map_err(|error| ConnectFailure {
            error,
            after_handshake: false,
            #[cfg(feature = "tls")]
            certificate_asked: false,
        }))
    }

    /// Why connecting to a host that speaks TLS failed; `None` if TLS is not the reason.
    #[cfg(feature = "tls")]
    fn tls_failure(&self, failure: &ConnectFailure) -> Option<String> {
        self.tls.as_ref()?.explain(failure)
    }

    #[cfg(not(feature = "tls"))]
    fn tls_failure(&self, failure: &ConnectFailure) -> Option<String> {
        debug_assert!(!failure.after_handshake);
        None
    }

    fn unfinished(&self) -> MutexGuard<'_, HashMap<(usize, Purpose), ConnectionAttempt>> {
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
        // At a character's end.
        let ends = name.char_indices().map(|(start, c)| start + c.len_utf8());
        let end = ends
            .take_while(|end| *end <= LONGEST_NAME)
            .last()
            .unwrap_or_default();
        let name = &name[..end];
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
            Ok(Ok((connection, taps))) => {
                let user = host.user.clone();
                let user_id = user.filter(|_| self.options.send_user_id);
                let link = AmqpLink::new(connection, taps, host.name.clone(), user_id);
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

/// In bytes. A longer name of the connection would not fit the first frame of the connection.
const LONGEST_NAME: usize = 512;

/// Without the feature `tls`, lapin would speak plain text to these hosts.
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
            message_size: SizeLimit::new(1024),
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
