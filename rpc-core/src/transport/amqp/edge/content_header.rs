//! The content header of a message: its properties, or why they cannot be read.

use std::fmt;
use std::str::from_utf8;

use crate::transport::amqp::properties;
use crate::wire::headers::{DEEPEST, Headers, PROPERTIES, UNREADABLE};
use crate::wire::message::{Kind, Message};

/// Why a content header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The property of this name is not UTF-8.
    Property(&'static str),
    /// The name of a header is not UTF-8.
    Name,
    /// A header has an unknown type.
    Type(u8),
    /// Headers are nested too deeply.
    Depth,
    /// The lengths in it do not match its size.
    Length,
    /// It is too large to be checked.
    Size,
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
            Self::Length => write!(f, "its properties end too early or too late"),
            Self::Size => write!(f, "its properties are too large"),
        }
    }
}

/// The size of the body, and the properties; `None` if the header is too short.
pub(super) fn split(payload: &[u8]) -> Option<(u64, &[u8])> {
    let (start, properties) = payload.split_first_chunk::<START>()?;
    // After a class and a weight, which is always 0, of two bytes each.
    let [_, _, _, _, size @ ..] = *start;
    Some((u64::from_be_bytes(size), properties))
}

/// The message with these properties, whose body is still to come. It is marked as unreadable if
/// they cannot be read.
pub(super) fn parse(properties: &[u8]) -> Message {
    match check(properties) {
        // The parser accepts whatever passes the check.
        Ok(()) => match properties::read(properties) {
            Some((message, _)) => message,
            None => unreadable(Flaw::Length, properties),
        },
        Err(flaw) => unreadable(flaw, properties),
    }
}

/// A message whose properties cannot be read. Its headers say why, and show what came.
pub(super) fn unreadable(flaw: Flaw, properties: &[u8]) -> Message {
    let shown = &properties[..properties.len().min(MAX_SHOWN)];
    let mut shown = shown.escape_ascii().to_string();
    // The text is ASCII, so this cannot cut a character.
    shown.truncate(MAX_SHOWN);
    Message {
        kind: Kind::Unreadable,
        headers: Headers::from([
            (UNREADABLE.to_owned(), flaw.to_string().into()),
            (PROPERTIES.to_owned(), shown.into()),
        ]),
        ..Message::default()
    }
}

/// Checks whether properties can be read. amq-protocol's parser accepts exactly the same, plus
/// headers that are nested deeper, on which its stack overflows. Headers that are not nested cost no
/// allocation.
pub(super) fn check(properties: &[u8]) -> Result<(), Flaw> {
    let mut rest = properties;
    let [high, low] = *chunk(&mut rest)?;
    let flags = u16::from_be_bytes([high, low]);
    let mut flag = 1 << 15;
    for property in PROPERTIES_IN_ORDER {
        if flags & flag != 0 {
            match property {
                Property::Text(name) => {
                    let text = short(&mut rest)?;
                    if !is_utf8(text) {
                        return Err(Flaw::Property(name));
                    }
                }
                Property::Headers => table(long(&mut rest)?)?,
                Property::Bytes(size) => drop(take(&mut rest, size)?),
            }
        }
        flag >>= 1;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Flaw::Length)
    }
}

/// A table or an array that is being checked.
struct Level<'a> {
    rest: &'a [u8],
    /// Whether its values have names.
    is_table: bool,
}

/// Checks a table. It does not recurse, because a message from a peer must not determine how much
/// stack is used.
fn table(content: &[u8]) -> Result<(), Flaw> {
    let mut level = Level {
        rest: content,
        is_table: true,
    };
    let mut outer = Vec::new();
    loop {
        let Level { rest, is_table } = &mut level;
        if rest.is_empty() {
            match outer.pop() {
                Some(next) => level = next,
                None => return Ok(()),
            }
            continue;
        }
        if *is_table {
            let name = short(rest)?;
            if !is_utf8(name) {
                return Err(Flaw::Name);
            }
        }
        let [kind] = *chunk(rest)?;
        let size = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'S' | b'x' => {
                long(rest)?;
                0
            }
            b'A' | b'F' => {
                let inner = Level {
                    rest: long(rest)?,
                    is_table: kind == b'F',
                };
                outer.push(level);
                if outer.len() == DEEPEST {
                    return Err(Flaw::Depth);
                }
                level = inner;
                continue;
            }
            kind => return Err(Flaw::Type(kind)),
        };
        take(rest, size)?;
    }
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], Flaw> {
    let (taken, left) = rest.split_at_checked(size).ok_or(Flaw::Length)?;
    *rest = left;
    Ok(taken)
}

fn chunk<'a, const SIZE: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; SIZE], Flaw> {
    let (taken, left) = rest.split_first_chunk().ok_or(Flaw::Length)?;
    *rest = left;
    Ok(taken)
}

/// A short string: its length takes one byte.
fn short<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Flaw> {
    let [size] = *chunk(rest)?;
    take(rest, size.into())
}

/// The content of a string, a table or an array whose length takes four bytes.
fn long<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Flaw> {
    let size = u32::from_be_bytes(*chunk(rest)?);
    take(rest, usize::try_from(size).map_err(|_| Flaw::Length)?)
}

/// Most strings are ASCII, and checking for ASCII takes a quarter of the instructions.
fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || from_utf8(text).is_ok()
}

enum Property {
    Text(&'static str),
    Headers,
    Bytes(usize),
}

const PROPERTIES_IN_ORDER: [Property; 14] = [
    Property::Text("content_type"),
    Property::Text("content_encoding"),
    Property::Headers,
    // delivery_mode and priority
    Property::Bytes(1),
    Property::Bytes(1),
    Property::Text("correlation_id"),
    Property::Text("reply_to"),
    Property::Text("expiration"),
    Property::Text("message_id"),
    // timestamp
    Property::Bytes(8),
    Property::Text("type"),
    Property::Text("user_id"),
    Property::Text("app_id"),
    Property::Text("cluster_id"),
];
/// The bytes of a content header before its properties.
pub(super) const START: usize = 12;

/// The most bytes of the properties that are shown.
const MAX_SHOWN: usize = 3072;
