//! The calling end: sends calls, and turns what comes back into outcomes.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::call::Request;
use crate::error::{ConnectError, RpcError};
use crate::fault::{Fault, kind};
use crate::message::{Bounce, DEADLINE, FROM, Incoming, JSON, Kind, Message, TIMEOUT, unix_millis};
use crate::pending::{Outcome, Over, PendingCalls};
use crate::supervisor::{OwnedTask, Session, State, Supervisor, session_by};
use crate::transport::{CallChannel, Link, Loss, OpenCalls, Purpose, Transport};

/// Sends calls over a connection that is kept up.
#[derive(Debug)]
pub(crate) struct Client {
    supervisor: Supervisor<CallSession>,
    limits: Limits,
}

/// What a client refuses to do.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The largest body, in bytes.
    pub(crate) message_size: usize,
    /// Whether calls fail at once, instead of at their deadline, while there is no connection.
    pub(crate) fail_fast: bool,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Vec<u8>),
    Fault(Fault),
}

impl Client {
    pub(crate) async fn connect(
        transport: Arc<dyn Transport>,
        limits: Limits,
    ) -> Result<Self, ConnectError> {
        let supervisor = Supervisor::start(transport, Purpose::Calling).await?;
        Ok(Self { supervisor, limits })
    }

    /// How many calls wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        match &*self.supervisor.watch().borrow() {
            State::Up(session) => session.pending.len(),
            State::Down(_) | State::Closed => 0,
        }
    }

    /// Ends the calls that wait as `Closed`, then the connection.
    pub(crate) async fn close(&self) {
        if let State::Up(session) = &*self.supervisor.watch().borrow() {
            session.pending.end(Over::Closed);
        }
        self.supervisor.close().await;
    }

    /// Makes one call. Ends by the deadline plus [`GRACE`]; dropping it forgets the call.
    pub(crate) async fn call(&self, request: Request) -> Result<Answer, RpcError> {
        let mut attempt = Attempt::new(request, self.supervisor.watch(), &self.limits)?;
        let mut session = attempt.session(None).await?;
        loop {
            match attempt.publish(&session).await? {
                Published::Answered(answer) => return Ok(answer),
                // Nothing of it was sent, so the next connection may have it.
                Published::NotSent => session = attempt.session(Some(&session)).await?,
            }
        }
    }
}

/// A call on its way, with its deadline running.
struct Attempt<'a> {
    method: String,
    call: Message,
    started: Instant,
    timeout: Duration,
    deadline: Instant,
    state: watch::Receiver<State<CallSession>>,
    limits: &'a Limits,
}

enum Published {
    Answered(Answer),
    NotSent,
}

impl<'a> Attempt<'a> {
    fn new(
        request: Request,
        state: watch::Receiver<State<CallSession>>,
        limits: &'a Limits,
    ) -> Result<Self, RpcError> {
        let started = Instant::now();
        let deadline = request.deadline(started);
        let method = request.method.into_owned();
        let body = request.body?;
        if body.len() > limits.message_size {
            return Err(RpcError::TooLarge {
                method,
                what: "body".into(),
                size: body.len(),
                limit: limits.message_size,
            });
        }
        let call = Message {
            kind: Kind::Call,
            content_type: Some(JSON.into()),
            priority: request.priority,
            headers: request.headers,
            body,
            ..Message::default()
        };
        Ok(Self {
            method,
            call,
            started,
            timeout: deadline.duration_since(started),
            deadline,
            state,
            limits,
        })
    }

    /// A session that takes calls, other than `not`.
    async fn session(
        &mut self,
        not: Option<&Arc<CallSession>>,
    ) -> Result<Arc<CallSession>, RpcError> {
        let patience = if self.limits.fail_fast {
            Instant::now()
        } else {
            self.deadline
        };
        match session_by(&mut self.state, not, patience).await {
            Ok(session) => Ok(session),
            Err(State::Closed) => Err(self.over(Over::Closed, false)),
            Err(State::Down(reason)) => Err(RpcError::NotConnected {
                method: self.method.clone(),
                waited: self.started.elapsed(),
                reason,
            }),
            Err(State::Up(session)) => Err(RpcError::NotConnected {
                method: self.method.clone(),
                waited: self.started.elapsed(),
                reason: format!("{} takes no messages", session.link.host()),
            }),
        }
    }

    async fn publish(&mut self, session: &CallSession) -> Result<Published, RpcError> {
        self.wait_while_blocked(session).await?;
        let Ok(mut pending) = session.pending.enter() else {
            return Ok(Published::NotSent);
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        // An expiration of 0 would mean "only if a server is free at this moment".
        if left < Duration::from_millis(1) {
            return Err(self.timed_out());
        }
        let mut call = self.call.clone();
        call.correlation_id = Some(pending.id().to_string());
        call.reply_to = Some(session.channel.reply_queue().to_owned());
        call.expiration = Some(left - (left / 16).min(EXPIRES_EARLY));
        call.headers
            .insert(FROM.into(), session.channel.reply_queue().into());
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        call.headers.insert(TIMEOUT.into(), millis.into());
        call.headers.insert(
            DEADLINE.into(),
            unix_millis(SystemTime::now() + left).into(),
        );
        self.check_headers(&call, session.channel.header_limit())?;

        match timeout_at(self.deadline, session.channel.publish(&self.method, call)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.sent => return Err(self.over(Over::Lost(error.reason), true)),
            Ok(Err(_)) => return Ok(Published::NotSent),
            // What was begun may still be written later, also where the broker blocks publishers.
            Err(_) => return Err(self.timed_out()),
        }
        let Ok(outcome) = timeout_at(self.deadline + GRACE, pending.outcome()).await else {
            return Err(self.timed_out());
        };
        self.answer(outcome).await.map(Published::Answered)
    }

    async fn answer(&self, outcome: Outcome) -> Result<Answer, RpcError> {
        let method = || self.method.clone();
        let message = match outcome {
            Outcome::Answered(message) => message,
            Outcome::Returned => return Err(RpcError::NoSuchMethod { method: method() }),
            Outcome::Over(over) => return Err(self.over(over, true)),
        };
        match message.kind {
            Kind::Result => Ok(Answer::Value(message.body)),
            Kind::Error => match Fault::parse(&message.body) {
                Ok(fault) => self.fault(fault).await,
                Err(error) => Err(self.undecodable("an error", &error.to_string())),
            },
            Kind::Call => match Bounce::of(&message.headers) {
                Bounce::Expired => Err(self.expired().await),
                Bounce::Overflowed => Err(RpcError::Overloaded { method: method() }),
                Bounce::Rejected => Err(RpcError::Rejected { method: method() }),
            },
            Kind::Absent => Err(self.undecodable("a reply", "the message has no type")),
            Kind::Unknown(kind) => {
                let words = format!(
                    "the message has the unknown type `{}`",
                    crate::error::shorten(&kind)
                );
                Err(self.undecodable("a reply", &words))
            }
        }
    }

    /// Errors of this library's own servers that are outcomes of their own, not the remote's.
    async fn fault(&self, fault: Fault) -> Result<Answer, RpcError> {
        match &*fault.kind {
            kind::INTERRUPTED => Err(RpcError::Interrupted {
                method: self.method.clone(),
            }),
            kind::EXPIRED => Err(self.expired().await),
            kind::DEADLINE_EXCEEDED => {
                sleep_until(self.deadline).await;
                Err(self.timed_out())
            }
            _ => Ok(Answer::Fault(fault)),
        }
    }

    /// Headers travel in one frame with the other properties; one that does not fit would cost the whole
    /// connection.
    fn check_headers(&self, call: &Message, limit: usize) -> Result<(), RpcError> {
        let size: usize = call
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.to_string().len() + 8)
            .sum();
        if size <= limit {
            return Ok(());
        }
        Err(RpcError::TooLarge {
            method: self.method.clone(),
            what: "headers".into(),
            size,
            limit,
        })
    }

    async fn wait_while_blocked(&self, session: &CallSession) -> Result<(), RpcError> {
        while let Some(reason) = session.link.blocked() {
            if self.limits.fail_fast || Instant::now() >= self.deadline {
                return Err(self.blocked(reason));
            }
            let again = (Instant::now() + BLOCKED_POLL).min(self.deadline);
            tokio::select! {
                () = sleep_until(again) => {}
                // Whoever published the loss has a new session for us, or none.
                _ = session.link.lost() => return Ok(()),
            }
        }
        Ok(())
    }

    fn over(&self, over: Over, sent: bool) -> RpcError {
        let method = self.method.clone();
        match over {
            Over::Lost(reason) => RpcError::ConnectionLost {
                method,
                sent,
                reason,
            },
            Over::Closed => RpcError::Closed { method },
        }
    }

    fn blocked(&self, reason: String) -> RpcError {
        RpcError::Blocked {
            method: self.method.clone(),
            reason,
        }
    }

    fn timed_out(&self) -> RpcError {
        RpcError::Timeout {
            method: self.method.clone(),
            after: self.timeout,
        }
    }

    /// Broker and server go by their own clocks, and a little early; a call never ends for lack of time
    /// before its deadline.
    async fn expired(&self) -> RpcError {
        sleep_until(self.deadline).await;
        RpcError::Expired {
            method: self.method.clone(),
            after: self.timeout,
        }
    }

    fn undecodable(&self, expected: &str, reason: &str) -> RpcError {
        RpcError::Decode {
            method: self.method.clone(),
            expected: expected.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// One connection for calls: a channel, a fresh reply queue, and the callers that wait on it.
#[derive(Debug)]
struct CallSession {
    link: Arc<dyn Link>,
    channel: Arc<dyn CallChannel>,
    pending: Arc<PendingCalls>,
    /// Cancelled when nothing can come in any more.
    silent: CancellationToken,
    /// Why that is, if it is known.
    why: Arc<OnceLock<String>>,
    /// Hands what comes in to its callers.
    _pump: OwnedTask,
}

#[async_trait]
impl Session for CallSession {
    async fn open(link: Arc<dyn Link>) -> Result<Self, ConnectError> {
        let OpenCalls {
            channel,
            mut incoming,
        } = link.call_channel().await?;
        let pending = Arc::new(PendingCalls::default());
        let silent = CancellationToken::new();
        let silenced = silent.clone();
        let calls = Arc::clone(&pending);
        let why = Arc::new(OnceLock::new());
        let tell_why = Arc::clone(&why);
        let pump = tokio::spawn(async move {
            while let Some(incoming) = incoming.next().await {
                match incoming {
                    Incoming::Reply(message) => calls.deliver(message, Outcome::Answered),
                    Incoming::Returned(message) => calls.deliver(message, |_| Outcome::Returned),
                    Incoming::Ended(reason) => {
                        tell_why.get_or_init(|| reason);
                    }
                }
            }
            silenced.cancel();
        });
        Ok(Self {
            link,
            channel,
            pending,
            silent,
            why,
            _pump: OwnedTask(pump),
        })
    }

    fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    async fn lost(&self) -> Loss {
        tokio::select! {
            loss = self.link.lost() => loss,
            () = self.silent.cancelled() => {
                let host = self.link.host();
                Loss(match self.why.get() {
                    Some(reason) => format!("{host}: {reason}"),
                    None => format!("{host} ended the reply queue"),
                })
            }
        }
    }

    fn end(&self, loss: Loss) {
        self.pending.end(Over::Lost(loss.0));
    }
}

impl Drop for CallSession {
    fn drop(&mut self) {
        // The last owner may be the runtime that shuts down: callers elsewhere must not wait for it.
        self.pending.end(Over::Closed);
    }
}

/// A call expires in its queue by a sixteenth of its time, and at most this, before its deadline, so that
/// the bounce is usually here by then and tells an expired call from an unanswered one.
const EXPIRES_EARLY: Duration = Duration::from_millis(100);

/// How long after its deadline a call still waits for that bounce. Together with the timers' own delay it
/// stays well below the 50 ms within which a call promises to end.
const GRACE: Duration = Duration::from_millis(20);

/// How often a call that waits for a blocked broker looks again.
const BLOCKED_POLL: Duration = Duration::from_millis(10);
