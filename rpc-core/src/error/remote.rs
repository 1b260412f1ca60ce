//! An error that a server answered with.

use serde_json::Value;
use thiserror::Error;

use crate::error::kind;

/// An error that a server answered with.
///
/// A handler's own error has the kind of its type. One that starts with `rpc.` comes from the library: see
/// [`kind`](mod@crate::kind).
#[derive(Clone, Debug, Error, PartialEq)]
#[error("`{method}` failed on the server: {kind}: {message}")]
#[non_exhaustive]
pub struct RemoteError {
    // A short box: errors stay below the size at which clippy objects to them in a `Result`.
    pub(crate) method: Box<str>,
    /// The type of the error: the name of a Rust type or a Python class without its module, or a name
    /// that starts with `rpc.` if the error comes from this library. Empty if the server named none.
    pub kind: String,
    /// The error in words.
    pub message: String,
    /// The arguments of a Python exception; for a Rust error, its message.
    pub args: Vec<Value>,
    /// The error as a value, from a Rust server.
    pub data: Option<Value>,
}

impl RemoteError {
    /// The error of a server, for tests of what a program does with it. Its arguments are the message alone, and it has
    /// no value.
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

    /// Sets the arguments, as of a Python exception.
    #[must_use]
    pub fn with_args(mut self, args: impl Into<Vec<Value>>) -> Self {
        self.args = args.into();
        self
    }

    /// Sets the error as a value, as a Rust server sends it.
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

    /// Whether the call may have run, or has: `false` only for errors of the library by which a server says that it did
    /// not start the handler.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        !kind::is_refusal(&self.kind)
    }
}
