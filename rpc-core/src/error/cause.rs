//! The underlying error of an error.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The error of another library that made a call, a connection or a server fail.
///
/// [`source`](Error::source) of [`RpcError`](crate::RpcError),
/// [`ConnectError`](crate::ConnectError) and [`ServeError`](crate::ServeError) returns it, so a log
/// of the whole error chain shows it. It may be an [`std::io::Error`], a [`serde_json::Error`], or
/// an error of `rustls` or `lapin`. Only display the last two: a release of this library may use
/// another version of those crates. A cause contains no password, no key and no part of a message.
///
/// It dereferences to the error. Two causes are equal if their texts are equal.
///
/// ```
/// use std::io;
/// use rpc_core::Cause;
///
/// let cause = Cause::new(io::Error::from(io::ErrorKind::ConnectionReset));
/// let io: &io::Error = cause.downcast_ref().expect("it was made from one");
/// assert_eq!(io.kind(), io::ErrorKind::ConnectionReset);
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Wraps an error as a cause.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// Wraps an error that is already shared.
    pub(crate) fn shared(error: Arc<impl Error + Send + Sync + 'static>) -> Self {
        Self(error)
    }
}

/// `Cause` itself does not implement `Error`. `source` returns the error inside, which can be
/// downcast to its own type.
impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.to_string() == other.to_string()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Shows the text only: the fields of another library's error may be long.
impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn causes_are_equal_by_what_they_say() {
        let cause = |text: &str| Cause::new(io::Error::other(text.to_owned()));
        assert_eq!(cause("reset"), cause("reset"));
        assert_ne!(cause("reset"), cause("refused"));
        assert_eq!(format!("{0} {0:?}", cause("reset")), "reset Cause(reset)");
    }
}
