//! The content header of a message: whether lapin can read it, and its replacement if not.

use std::fmt;
use std::str::from_utf8;

use super::layout::{END, HEAD, HEADER};
use crate::wire::headers::{DEEPEST, PROPERTIES, UNREADABLE};
use crate::wire::message::UNREADABLE_TYPE;

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

/// Checks whether lapin can read the payload of a content header frame. lapin's own parser accepts
/// exactly the same, plus headers that are nested deeper. Headers that are not nested cost no
/// allocation.
pub(super) fn check(payload: &[u8]) -> Result<(), Flaw> {
    let mut rest = payload;
    take(&mut rest, START)?;
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

/// The frame that replaces a content header that cannot be read. It has the same channel and the
/// same body size, and its properties give the reason. The last byte of `frame` is ignored: it is
/// the end octet, or the last byte of the part of the frame that has arrived.
pub(super) fn instead_of(frame: &[u8], flaw: Flaw) -> Vec<u8> {
    let channel = frame.get(1..3).unwrap_or_default();
    let payload = frame.get(HEAD..frame.len() - 1).unwrap_or_default();
    // A payload that is too short for a class and a body size has no body either.
    let start = payload.get(..START).unwrap_or(&NO_BODY);
    let properties = payload.get(START..).unwrap_or_default();
    let shown = &properties[..properties.len().min(MAX_SHOWN)];
    let mut shown = shown.escape_ascii().to_string();
    // The text is ASCII, so this cannot cut a character.
    shown.truncate(MAX_SHOWN);

    let mut headers = Vec::new();
    for (name, value) in [(UNREADABLE, flaw.to_string()), (PROPERTIES, shown)] {
        headers.extend(short_string(name));
        headers.push(b'S');
        headers.extend(long_bytes(value.as_bytes()));
    }
    let mut payload = start.to_vec();
    payload.extend((HAS_HEADERS | HAS_TYPE).to_be_bytes());
    payload.extend(long_bytes(&headers));
    payload.extend(short_string(UNREADABLE_TYPE));

    let mut frame = vec![HEADER];
    frame.extend(channel);
    frame.extend(long_bytes(&payload));
    frame.push(END);
    frame
}

/// An encoded short string. Only for names of the protocol, which are short enough.
fn short_string(text: &str) -> impl Iterator<Item = u8> {
    u8::try_from(text.len()).into_iter().chain(text.bytes())
}

/// Bytes behind a length of four bytes. Only for content that fits a frame.
fn long_bytes(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let size = u32::try_from(bytes.len()).unwrap_or_default();
    size.to_be_bytes().into_iter().chain(bytes.iter().copied())
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
const HAS_HEADERS: u16 = 1 << 13;
const HAS_TYPE: u16 = 1 << 5;

/// The bytes of a content header before its properties: the class, a weight that is always 0, and
/// the body size.
pub(super) const START: usize = 12;

/// The start of a content header of class `basic` without a body.
const NO_BODY: [u8; START] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The most bytes of the properties that are shown. The replacement then fits the smallest frame
/// size that AMQP allows, which is 4 KiB.
const MAX_SHOWN: usize = 3072;
