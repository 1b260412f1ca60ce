//! The decoders of what peers and the broker send.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::client::attempt::answer::ReplyKind;
use crate::contract::returns::fallible;
use crate::contract::service::Method;
use crate::error::call_error::CallError;
use crate::error::rpc_error::RpcError;
use crate::server::clock_skew::ClockSkew;
use crate::server::redelivery::{Verdict, judge};
use crate::transport::amqp::{properties, url};
use crate::wire::batch::{pack, unpack};
use crate::wire::fault::Answer;
use crate::wire::headers::headers_size;
use crate::wire::message::{Bounce, Delivery, Kind, Message};

/// A message that came, or is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire(pub(super) Message);

/// What a server makes of a call before it runs it.
#[derive(Debug)]
pub struct Judgement {
    /// Whether it may run.
    pub runs: bool,
    /// What is left of its time limit; `None` if it has none, or one of centuries.
    pub left: Option<Duration>,
    /// The time limit that its caller gave it.
    pub limit: Option<Duration>,
}

/// How a call ends.
#[derive(Debug)]
pub enum End<T, E> {
    /// By what a server answered, or since nobody can read it.
    Answered(Result<T, CallError<E>>),
    /// By its return to its caller.
    Bounced,
}

impl Wire {
    /// The message with the properties in these bytes, and the rest of them as its body; `None` where the AMQP
    /// library cannot read them.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        properties::parse(bytes).map(Self)
    }

    /// A batch with this body.
    #[must_use]
    pub fn batch(body: &[u8]) -> Self {
        Self(Message {
            kind: Kind::Batch,
            body: body.to_vec().into(),
            ..Message::default()
        })
    }

    /// The batch of these messages.
    #[must_use]
    pub fn pack(messages: &[Self]) -> Self {
        let messages: Vec<_> = messages
            .iter()
            .map(|Self(message)| message.clone())
            .collect();
        Self::batch(&pack(&messages))
    }

    /// The messages of a batch.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn unpack(&self) -> Result<Vec<Self>, &'static str> {
        Ok(unpack(&self.0)?.into_iter().map(Self).collect())
    }

    /// The message as it arrives where it is sent to.
    #[must_use]
    pub fn forward(&self) -> Self {
        Self(properties::forward(&self.0))
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Whether it is a result.
    #[must_use]
    pub fn is_result(&self) -> bool {
        self.0.kind == Kind::Result
    }

    /// Whether it is a call.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.0.kind == Kind::Call
    }

    /// Whether it is a batch.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.0.kind == Kind::Batch
    }

    /// How many bytes its headers take by AMQP's encoding, without those that have fields of their own.
    #[must_use]
    pub fn headers_size(&self) -> usize {
        headers_size(&self.0.headers)
    }

    /// The same message without its headers, other than those that have fields of their own.
    #[must_use]
    pub fn without_headers(&self) -> Self {
        let mut message = self.0.clone();
        message.headers.clear();
        Self(message)
    }

    /// What a server makes of it that has seen one like it before.
    #[must_use]
    pub fn arrive(&self, method: &Method, redelivered: bool) -> Judgement {
        let delivery = Delivery {
            message: self.0.clone(),
            redelivered,
            tag: 1,
        };
        let mut clocks = ClockSkew::default();
        clocks.deadline(&delivery);
        let deadline = clocks.deadline(&delivery);
        Judgement {
            runs: matches!(judge(method, &delivery), Verdict::Run),
            left: deadline
                .map(|deadline| deadline.ends_by.saturating_duration_since(Instant::now())),
            limit: match self.0.limit {
                Some(limit) => Some(Duration::from_millis(limit.timeout)),
                None => self.0.expiration,
            },
        }
    }

    /// How the call of a method that returns `Result<T, E>` ends by this message.
    pub fn end<T: DeserializeOwned, E: DeserializeOwned>(&self, method: &'static str) -> End<T, E> {
        let answer = match ReplyKind::by(&self.0) {
            ReplyKind::Value(body) => Ok(Answer::Value(body)),
            ReplyKind::Fault(fault) => Ok(Answer::Fault(fault)),
            ReplyKind::Bounced(Bounce::Expired | Bounce::Rejected | Bounce::Overflowed) => {
                return End::Bounced;
            }
            ReplyKind::Nothing { expected, reason } => {
                Err(RpcError::decode(method, expected, reason.words).caused_by(reason.source))
            }
        };
        End::Answered(fallible(method.into(), answer))
    }
}

/// Reads a URL that starts with `amqp://` or `amqps://`, which its user has seen to; what can be seen of it, or of what is wrong with it.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<String, String> {
    match url::parse(url) {
        Ok(hosts) => Ok(format!("{hosts:?}")),
        Err(error) => Err(format!("{error} {error:?}")),
    }
}
