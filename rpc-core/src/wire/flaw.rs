//! What is wrong with a message, so that it cannot be used.

use std::fmt;

use crate::wire::headers::DEEPEST;

/// Why the properties of a message cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The property of this name is not UTF-8.
    Property(&'static str),
    /// The name of a header is not UTF-8.
    Name,
    /// A header has an unknown type.
    Type(u8),
    /// Headers are nested too deeply.
    Depth,
    /// There are too many headers.
    Values,
    /// The lengths in it do not match its size.
    Length,
    /// It is too large to be checked.
    Size,
    /// It has ended a connection before.
    Suspect,
    /// The reply would go to an address that the broker keeps to itself.
    ReplyTo,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(name) => write!(f, "its property {name} is not UTF-8"),
            Self::Name => write!(f, "the name of one of its headers is not UTF-8"),
            Self::Type(kind) => write!(
                f,
                "one of its headers has the unknown type `{}`",
                kind.escape_ascii()
            ),
            Self::Depth => write!(f, "its headers are nested more than {DEEPEST} deep"),
            Self::Values => write!(f, "it has too many headers"),
            Self::Length => write!(f, "its properties end too early or too late"),
            Self::Size => write!(f, "its properties are too large"),
            Self::Suspect => write!(
                f,
                "the broker ended a connection on which a call with this id was answered"
            ),
            Self::ReplyTo => write!(
                f,
                "its reply_to is a pseudo queue of the broker, and no address of a direct reply that it knows"
            ),
        }
    }
}
