//! The decoders of messages from peers and of broker URLs.

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
use crate::wire::header_table::HeaderTable;
use crate::wire::inbound;
use crate::wire::message::{Bounce, Delivery, Kind, Message};
use crate::wire::size_limit::SizeLimit;

/// A received or outgoing message.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire(pub(super) Message);

/// A server's decision about a call before it runs it.
#[derive(Debug)]
pub struct Judgement {
    /// Whether the call may run.
    pub runs: bool,
    /// The time left until its deadline; `None` if it has no time limit, or one of centuries.
    pub left: Option<Duration>,
    /// The time limit that its caller set.
    pub limit: Option<Duration>,
}

/// How a call ends.
#[derive(Debug)]
pub enum End<T, E> {
    /// By a server's answer, or because the answer cannot be read.
    Answered(Result<T, CallError<E>>),
    /// By the call's return to its caller.
    Bounced,
}

impl Wire {
    /// Decodes the properties of a message; `None` if they cannot be used.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let message = inbound::read(bytes);
        message.extras.unreadable.is_none().then_some(Self(message))
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
        let limit = SizeLimit::new(usize::MAX);
        Ok(unpack(&self.0, limit)?.into_iter().map(Self).collect())
    }

    /// The message as it arrives at its destination.
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

    /// The size of its headers in AMQP's encoding, in bytes, without those that have fields of
    /// their own.
    #[must_use]
    pub fn headers_size(&self) -> usize {
        self.0.headers.as_bytes().len() + self.0.extras.reserved.as_bytes().len()
    }

    /// The same message without headers, except those that have fields of their own.
    #[must_use]
    pub fn without_headers(&self) -> Self {
        let mut message = self.0.clone();
        message.headers = HeaderTable::default();
        message.extras.reserved = HeaderTable::default();
        Self(message)
    }

    /// The decision about this call of a server that has already seen one like it.
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
            ReplyKind::Value(body, content) => Ok(Answer::Value(body, content)),
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

/// Parses a URL. The caller must have checked that it starts with `amqp://` or `amqps://`. Returns
/// everything that `Debug` and `Display` show of the result, or of the error.
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
