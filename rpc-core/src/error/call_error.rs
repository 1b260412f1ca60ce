//! The error of a method that can fail by itself.

use thiserror::Error;

use crate::error::kind;
use crate::error::rpc_error::RpcError;

/// The error of a method that returns `Result<T, E>`: it is the service's, or the call itself failed. There is no third
/// way, so both variants can be matched to the end.
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
    /// The error that the service returned, the very value.
    #[error("{0}")]
    Service(E),
    /// The call itself failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl<E> CallError<E> {
    /// The error that the service returned, if it is one.
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

    /// The error that the service returned, the very value.
    #[must_use]
    pub fn into_service(self) -> Option<E> {
        match self {
            Self::Service(error) => Some(error),
            Self::Rpc(_) => None,
        }
    }

    /// Whether the call may have run: it has, if the error is the service's; otherwise see
    /// [`RpcError::may_have_run`].
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.rpc().is_none_or(RpcError::may_have_run)
    }

    /// Whether any caller may repeat the call: see [`RpcError::is_retryable`]. Not if the error is the service's, which
    /// knows best what it means.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.rpc().is_some_and(RpcError::is_retryable)
    }

    /// The kind of the error, for metrics and the like: that of [`RpcError::kind`], or the name of `E` without its
    /// module, as it travels for callers without the type.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Service(_) => kind::of::<E>(),
            Self::Rpc(error) => error.kind(),
        }
    }
}

impl<E: From<RpcError>> CallError<E> {
    /// The error of the service, which the call's own error is made into if that is what failed.
    ///
    /// It is how a client implements its trait.
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
