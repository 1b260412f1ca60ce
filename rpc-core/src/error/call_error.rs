//! The error of a call of a method that returns a `Result`.

use thiserror::Error;

use crate::error::kind;
use crate::error::rpc_error::RpcError;

/// The error of a call of a method that returns `Result<T, E>`: either the service returned an
/// error, or the call itself failed. There will be no third variant, so a `match` can be
/// exhaustive.
///
/// ```
/// # use rpc_core::{CallError, RpcError};
/// # #[derive(Debug, PartialEq)] struct Insufficient;
/// let error: CallError<Insufficient> = RpcError::no_such_method("pay").into();
/// assert_eq!(error.service(), None);
/// assert!(!error.may_have_run() && error.is_retryable());
///
/// let error = CallError::Service(Insufficient);
/// assert_eq!(error.service(), Some(&Insufficient));
/// assert_eq!(error.kind(), "Insufficient");
/// ```
#[derive(Clone, Debug, Error, PartialEq)]
pub enum CallError<E> {
    /// The error value that the service returned.
    #[error("{0}")]
    Service(E),
    /// The call itself failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl<E> CallError<E> {
    /// The error that the service returned, if the call itself succeeded.
    #[must_use]
    pub fn service(&self) -> Option<&E> {
        match self {
            Self::Service(error) => Some(error),
            Self::Rpc(_) => None,
        }
    }

    /// Why the call itself failed, if it did.
    #[must_use]
    pub fn rpc(&self) -> Option<&RpcError> {
        match self {
            Self::Service(_) => None,
            Self::Rpc(error) => Some(error),
        }
    }

    /// The error value that the service returned.
    #[must_use]
    pub fn into_service(self) -> Option<E> {
        match self {
            Self::Service(error) => Some(error),
            Self::Rpc(_) => None,
        }
    }

    /// Whether the call may have run. It has run if the error is the service's; otherwise see
    /// [`RpcError::may_have_run`].
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.rpc().is_none_or(RpcError::may_have_run)
    }

    /// Whether any caller may repeat the call: see [`RpcError::is_retryable`]. `false` if the error
    /// is the service's, because only the service knows what its error means.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.rpc().is_some_and(RpcError::is_retryable)
    }

    /// The kind of the error, for metrics and the like: [`RpcError::kind`], or the name of `E`
    /// without its module, which is the kind that untyped callers receive.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Service(_) => kind::of::<E>(),
            Self::Rpc(error) => error.kind(),
        }
    }
}

impl<E: From<RpcError>> CallError<E> {
    /// The service's error. If the call itself failed, its error is converted into `E`.
    ///
    /// Generated clients use this to implement their trait.
    pub fn flatten(self) -> E {
        match self {
            Self::Service(error) => error,
            Self::Rpc(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_s_error_has_run_and_is_its_own() {
        let error = CallError::Service("empty".to_owned());
        assert_eq!(error.service().map(String::as_str), Some("empty"));
        assert_eq!(error.rpc(), None);
        assert!(error.may_have_run() && !error.is_retryable());
        assert_eq!(error.kind(), "String");
        assert_eq!(error.into_service().as_deref(), Some("empty"));
    }

    #[test]
    fn a_call_s_error_speaks_for_itself() {
        let inner = RpcError::blocked("pay", "low on memory");
        let error = CallError::<String>::from(inner.clone());
        assert_eq!(error.rpc(), Some(&inner));
        assert!(!error.may_have_run() && error.is_retryable());
        assert_eq!(error.kind(), kind::BLOCKED);
        assert_eq!(error.into_service(), None);
    }
}
