//! Why something failed, before it becomes part of an error.

use std::fmt;

use crate::error::cause::Cause;

/// Why something failed: in words, with the underlying error if there is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reason {
    pub(crate) words: String,
    pub(crate) source: Option<Cause>,
}

impl Reason {
    pub(crate) fn new(words: impl Into<String>, source: Cause) -> Self {
        Self {
            words: words.into(),
            source: Some(source),
        }
    }

    /// The same reason, prefixed with the host.
    pub(crate) fn at(mut self, host: &str) -> Self {
        self.words = format!("{host}: {}", self.words);
        self
    }
}

impl From<String> for Reason {
    fn from(words: String) -> Self {
        Self {
            words,
            source: None,
        }
    }
}

impl From<&str> for Reason {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<&str> for Box<Reason> {
    fn from(words: &str) -> Self {
        Self::new(words.into())
    }
}

impl From<String> for Box<Reason> {
    fn from(words: String) -> Self {
        Self::new(words.into())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
