//! What a handler can find out about the call that it serves.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::wire::content::Content;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::header_table::HeaderTable;
use crate::wire::headers::Headers;

/// The call that the current handler serves: its deadline, headers and identity.
///
/// A handler reads it with [`Context::current`], so a method's signature does not need it. It is
/// bound to the handler's own task, so read it before spawning other tasks. Cloning is cheap.
///
/// ```
/// # use rpc_core::{Context, Rpc};
/// # use serde_json::{Value, json};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rpc = Rpc::connect("memory://").await?;
/// rpc.register("whoami", |_: Value| async {
///     Ok::<_, String>(Context::current().header("tenant").cloned())
/// })
/// .await?;
/// let tenant = rpc.call("whoami", ()).header("tenant", "acme").await?;
/// assert_eq!(tenant, json!("acme"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context {
    call: Arc<CallInfo>,
}

#[derive(Debug, Default)]
pub(crate) struct CallInfo {
    pub(crate) method: Cow<'static, str>,
    pub(crate) correlation_id: Option<CorrelationId>,
    /// The id as text, made on first use.
    pub(crate) id_text: OnceLock<String>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) redelivered: bool,
    pub(crate) user_id: Option<Box<str>>,
    pub(crate) headers: HeaderTable,
    /// The headers as JSON, made on first use.
    pub(crate) decoded_headers: OnceLock<Headers>,
    pub(crate) content: Content,
}

tokio::task_local! {
    static CURRENT: Context;
}

impl Context {
    /// The context of the call that this task serves. Outside of a handler it is empty: it has no
    /// deadline, no headers and no ids. So a service can also be called directly, for example in a
    /// unit test.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// The name of the method; empty outside of a handler.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.call.method
    }

    /// The deadline of the call. At the deadline the handler is dropped, and calls made inside it
    /// end by then. `None` if the caller set no limit, which is aio-pika's default.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// The time left until the deadline; zero if it has passed.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.call.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// The headers of the call, without those that identify the caller and set the time limit.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, Value> {
        let call = &self.call;
        call.decoded_headers.get_or_init(|| call.headers.decode())
    }

    /// One header of the call.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.headers().get(name)
    }

    /// The id that ties the reply to the call. It is suitable for logs.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        let id = self.call.correlation_id.as_ref()?;
        Some(self.call.id_text.get_or_init(|| id.to_string()))
    }

    /// Whether the call was delivered to a server before, and may have run there. Only idempotent
    /// methods ever see `true`.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.call.redelivered
    }

    /// The caller's user name, verified by the broker, if the caller sent it.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.call.user_id.as_deref()
    }

    /// What the properties of the call say of its body.
    pub(crate) fn content(&self) -> &Content {
        &self.call.content
    }

    /// The deadline of the call that this task serves, if any.
    pub(crate) fn current_deadline() -> Option<Instant> {
        CURRENT.try_with(Self::deadline).ok().flatten()
    }

    pub(crate) fn new(call: CallInfo) -> Self {
        Self {
            call: Arc::new(call),
        }
    }

    pub(crate) async fn scope<F: Future>(self, handler: F) -> F::Output {
        CURRENT.scope(self, handler).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_handler_the_context_is_empty() {
        let context = Context::current();
        assert_eq!(context.method(), "");
        assert_eq!(context.time_left(), None);
        assert!(context.headers().is_empty());
    }
}
