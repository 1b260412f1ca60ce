//! The largest body of a message.

use std::fmt;

/// How many bytes the body of a call or a reply may have, both when it is sent and when it is
/// received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeLimit(usize);

/// A body that is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) size: usize,
    pub(crate) limit: usize,
}

impl SizeLimit {
    /// For what this process has made or judged itself.
    pub(crate) const NONE: Self = Self(usize::MAX);

    pub(crate) const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(self) -> usize {
        self.0
    }

    pub(crate) fn check(self, body: &[u8]) -> Result<(), TooLarge> {
        let (size, limit) = (body.len(), self.0);
        if size <= limit {
            Ok(())
        } else {
            Err(TooLarge { size, limit })
        }
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, limit } = self;
        write!(f, "it is {size} bytes and the limit is {limit}")
    }
}
