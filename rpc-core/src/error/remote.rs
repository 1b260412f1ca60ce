//! An error that a server answered with.

use serde_json::Value;
use thiserror::Error;

use crate::error::kind;

/// An error that a server answered with.
///
/// The kind of a handler's own error is the name of its type. A kind that starts with `rpc.` comes
/// from this library: see [`kind`](mod@crate::kind).
#[derive(Clone, Debug, Error, PartialEq)]
#[error("`{method}` failed on the server: {kind}: {message}")]
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
    /// The arguments of a Python exception; for a Rust error, its message.
    pub args: Vec<Value>,
    /// The error as a JSON value, if a Rust server sent it.
    pub data: Option<Value>,
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
            args: vec![message.clone().into()],
            message,
            data: None,
        }
    }

    /// Sets the arguments, like those of a Python exception.
    #[must_use]
    pub fn with_args(mut self, args: impl Into<Vec<Value>>) -> Self {
        self.args = args.into();
        self
    }

    /// Sets the error's value, like that from a Rust server.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether the call has run or may have run. `false` only for errors of this library with which
    /// a server says that it did not start the handler.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        !kind::is_refusal(&self.kind)
    }
}
