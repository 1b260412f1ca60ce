//! One connection to RabbitMQ, and how its loss is detected.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Stream, StreamExt};
use lapin::{Connection, ConnectionStatus, Event};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::calls;
use super::confirms::AmqpConfirms;
use super::direct_replies::DirectReplies;
use super::failure::reason;
use super::limits::{BROKER_LIMIT, frame_of};
use super::loss::lost;
use super::queue_probe::AmqpQueueProbe;
use super::serving::AmqpServing;
use super::taps::Taps;
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;
use crate::transport::{ConfirmChannel, Link, Loss, OpenCalls, QueueProbe, ServeChannel};

/// A connection. lapin closes it when the link and all its channels are dropped.
pub(super) struct AmqpLink {
    connection: Arc<Connection>,
    taps: Arc<Taps>,
    direct_replies: Arc<DirectReplies>,
    host: String,
    user_id: Option<String>,
    lost: watch::Receiver<Option<Loss>>,
    blocked: watch::Receiver<Option<String>>,
    _watcher: AbortOnDropHandle<()>,
}

impl AmqpLink {
    pub(super) fn new(
        connection: Connection,
        taps: Arc<Taps>,
        host: String,
        user_id: Option<String>,
    ) -> Self {
        let (lost_tx, lost) = watch::channel(None);
        let (blocked_tx, blocked) = watch::channel(None);
        // There may be only one listener, because lapin gives each event to only one.
        let events = connection.events_listener();
        let status = connection.status().clone();
        let watcher = tokio::spawn(async move {
            let loss = watch_events(events, status, blocked_tx).await;
            lost_tx.send_replace(Some(loss));
        });
        let connection = Arc::new(connection);
        let direct_replies = DirectReplies::new(Arc::clone(&connection), Arc::clone(&taps));
        Self {
            direct_replies: Arc::new(direct_replies),
            connection,
            taps,
            host,
            user_id,
            lost,
            blocked,
            _watcher: AbortOnDropHandle::new(watcher),
        }
    }

    fn confirms(&self) -> AmqpConfirms {
        AmqpConfirms::new(Arc::clone(&self.connection), Arc::clone(&self.taps))
    }
}

#[async_trait]
impl Link for AmqpLink {
    fn host(&self) -> &str {
        &self.host
    }

    fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    async fn lost(&self) -> Loss {
        lost(&self.lost).await
    }

    fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    async fn unblocked(&self) {
        let mut blocked = self.blocked.clone();
        // An error means that the connection is gone, so nothing is blocked any more.
        drop(blocked.wait_for(Option::is_none).await);
    }

    async fn call_channel(&self) -> Result<OpenCalls, ConnectError> {
        calls::open(&self.connection, &self.taps, &self.host).await
    }

    fn confirm_channel(&self) -> Box<dyn ConfirmChannel> {
        Box::new(self.confirms())
    }

    async fn serve_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError> {
        let opening = timeout(BROKER_LIMIT, self.connection.create_channel());
        let reason = match opening.await {
            Ok(Ok(channel)) => {
                return Ok(Arc::new(AmqpServing::new(
                    channel,
                    self.confirms(),
                    Arc::clone(&self.taps),
                    Arc::clone(&self.direct_replies),
                    frame_of(&self.connection),
                    self.host.clone(),
                    self.lost.clone(),
                )));
            }
            Ok(Err(error)) => reason(&error),
            Err(_) => format!("no answer within {BROKER_LIMIT:?}").into(),
        };
        let error = ConnectError::setup(&self.host, "a channel", reason.words);
        Err(error.caused_by(reason.source).into())
    }

    fn queue_probe(&self) -> Box<dyn QueueProbe> {
        Box::new(AmqpQueueProbe::new(Arc::clone(&self.connection)))
    }

    async fn close(&self) {
        let closing = self.connection.close(200, "OK".into());
        match timeout(CLOSE_LIMIT, closing).await {
            Ok(Ok(())) => {}
            // The connection is gone already, which is what was wanted.
            Ok(Err(error)) => debug!(host = self.host, %error, "closing a connection failed"),
            Err(_) => debug!(
                host = self.host,
                "the broker did not confirm within {CLOSE_LIMIT:?} that the connection is closed"
            ),
        }
    }
}

impl fmt::Debug for AmqpLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpLink")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Follows the events of a connection until it is lost.
///
/// lapin reports errors of channels like errors of the connection, and does not report that a
/// connection was closed normally. Only the status of the connection is reliable, so it is checked
/// after each error and at regular intervals.
async fn watch_events(
    events: impl Stream<Item = Event> + Send,
    status: ConnectionStatus,
    blocked: watch::Sender<Option<String>>,
) -> Loss {
    let mut events = std::pin::pin!(events);
    let mut last_error = None;
    loop {
        let check_after = if last_error.is_some() {
            CHECK_AFTER_ERROR
        } else {
            CHECK_INTERVAL
        };
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    blocked.send_replace(Some(reason));
                }
                Some(Event::ConnectionUnblocked) => {
                    blocked.send_replace(None);
                }
                Some(Event::Error(error)) => last_error = Some(reason(&error)),
                Some(_) => {}
                None => break,
            },
            () = sleep(check_after) => {
                // The connection survived the error, so it was the error of a channel.
                if status.connected() {
                    last_error = None;
                }
            }
        }
        if !status.connected() {
            break;
        }
    }
    Loss(last_error.unwrap_or_else(|| "it was closed".into()))
}

/// The status may change a moment after the event.
const CHECK_AFTER_ERROR: Duration = Duration::from_millis(20);
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// A broker that is gone or hangs must not hold up whoever closes the connection.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
