//! An error that a server answered with.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::error::kind;
use crate::error::raw_json::RawJson;
use crate::error::shorten::{shorten, shorten_words};

/// An error that a server answered with.
///
/// The kind of a handler's own error is the name of its type. A kind that starts with `rpc.` comes
/// from this library: see [`kind`](mod@crate::kind).
///
/// It takes no more memory than the reply that it came in, three times over: nothing of it is
/// decoded before its type is known. It is printed short, whatever the server sent: of the kind at
/// most 67 characters, and 405 of each other text, which is cut in its middle. The fields and
/// accessors have all of it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RemoteError {
    // A `Box<str>` is small enough that errors stay below the size at which clippy objects to them
    // in a `Result`.
    pub(crate) method: Box<str>,
    /// The kind of the error: the name of a Rust type or a Python class without its module, or a
    /// name that starts with `rpc.` if the error comes from this library. Empty if the server sent
    /// none.
    pub kind: String,
    /// The error's message.
    pub message: String,
    pub(crate) args: RawJson,
    pub(crate) data: Option<RawJson>,
    /// Why the data is not the error that the caller's type says.
    pub(crate) mismatch: Option<Box<str>>,
}

impl RemoteError {
    /// Makes an error as if from a server, to test how a program handles it. Its only argument is
    /// the message, and it has no value.
    ///
    /// ```
    /// use rpc_core::{RemoteError, RpcError};
    ///
    /// let error = RpcError::from(RemoteError::new("pay", "Insufficient", "5 are missing"));
    /// assert_eq!(error.kind(), "Insufficient");
    /// ```
    #[must_use]
    pub fn new(
        method: impl AsRef<str>,
        kind: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        Self {
            method: method.as_ref().into(),
            kind: kind.into(),
            args: RawJson::list_of(&message),
            message,
            data: None,
            mismatch: None,
        }
    }

    /// Sets the arguments, like those of a Python exception. If JSON cannot hold them, the error
    /// keeps those that it has.
    #[must_use]
    pub fn with_args<A: Serialize>(mut self, args: &[A]) -> Self {
        self.args = RawJson::encode(args).unwrap_or(self.args);
        self
    }

    /// Sets the error's value, like that from a Rust server, which sends none if JSON cannot hold
    /// it.
    #[must_use]
    pub fn with_data<E: Serialize + ?Sized>(mut self, error: &E) -> Self {
        self.data = RawJson::encode(error).ok();
        self
    }

    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The arguments of a Python exception, a JSON array; for a Rust error, its message alone.
    ///
    /// ```
    /// # use rpc_core::RemoteError;
    /// let error = RemoteError::new("pay", "PayError", "PayError(7)").with_args(&[7]);
    /// let [code]: [u8; 1] = error.args().decode()?;
    /// assert_eq!(code, 7);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn args(&self) -> &RawJson {
        &self.args
    }

    /// The error as a value, if the server sent it, as Rust servers do. An untyped caller decodes
    /// it into the error type of the service:
    ///
    /// ```
    /// # use rpc_core::{Rpc, RpcError};
    /// # use serde_json::Value;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rpc = Rpc::connect("memory://").await?;
    /// rpc.register("pay", |_: Value| async { Err::<(), _>("closed".to_owned()) }).await?;
    /// let Err(RpcError::Remote(error)) = rpc.call("pay", ()).await else {
    ///     panic!("it is closed");
    /// };
    /// let data = error.data().ok_or("a Rust server sends it")?;
    /// assert_eq!(data.decode::<String>()?, "closed");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn data(&self) -> Option<&RawJson> {
        self.data.as_ref()
    }

    /// Why [`data`](Self::data) is not the error that the method returns by the caller's trait, in
    /// at most 405 characters. `None` if there is no data, or nobody tried: the error of a typed
    /// call is [`CallError::Service`](crate::CallError::Service) if the data is one.
    #[must_use]
    pub fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }

    /// Whether the call has run or may have run. `false` only for errors of this library with which
    /// a server says that it did not start the handler.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        !kind::is_refusal(&self.kind)
    }
}

impl Error for RemoteError {}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed on the server", self.method)?;
        // Foreign peers may send no kind, or no message.
        for part in [shorten(&self.kind), shorten_words(&self.message)] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        match &self.mismatch {
            None => Ok(()),
            Some(mismatch) => write!(f, " ({mismatch})"),
        }
    }
}

impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteError")
            .field("method", &self.method)
            .field("kind", &shorten(&self.kind))
            .field("message", &shorten_words(&self.message))
            .field("args", &self.args)
            .field("data", &self.data)
            .field("mismatch", &self.mismatch)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_foreign_peer_left_out_leaves_no_hole() {
        let text = |kind: &str, message: &str| RemoteError::new("add", kind, message).to_string();
        let failed = "`add` failed on the server";
        assert_eq!(text("X", "no"), format!("{failed}: X: no"));
        assert_eq!(text("", "cannot add"), format!("{failed}: cannot add"));
        assert_eq!(text("X", ""), format!("{failed}: X"));
        assert_eq!(text("", ""), failed);
    }

    #[test]
    fn an_error_of_any_size_is_printed_short() {
        let long = "\u{1F980}".repeat(1 << 20);
        let error = RemoteError::new("add", &long, &long).with_data(&long);
        let error = RemoteError {
            mismatch: Some("no".into()),
            ..error
        };
        let (display, debug) = (error.to_string(), format!("{error:?}"));
        assert!(display.chars().count() < 550, "{display}");
        assert!(debug.chars().count() < 1500, "{debug}");
        assert_eq!((&error.kind, &error.message), (&long, &long));
        assert_eq!(error.args().decode::<[String; 1]>().unwrap(), [long]);
    }
}
