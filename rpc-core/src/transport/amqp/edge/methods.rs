//! The methods that announce a message, and those that contain text from other peers.

use std::str::from_utf8;

use crate::wire::header_table;

/// What a method is to the edge.
pub(super) enum Method<'a> {
    Deliver {
        consumer: &'a [u8],
        tag: u64,
        redelivered: bool,
    },
    Return {
        routing_key: &'a [u8],
    },
    /// The answer to a request that is never made.
    GetOk,
    /// A channel is closed, or its closing is confirmed.
    ChannelEnd,
    /// The connection begins. The broker's version, as far as it is RabbitMQ's.
    Start {
        version: Option<(u32, u32)>,
    },
    Other,
}

/// Reads the payload of a method frame; `None` if it is too short.
pub(super) fn parse(payload: &[u8]) -> Option<Method<'_>> {
    // The ids of a class and of a method, of two bytes each.
    let (ids, mut rest) = payload.split_first_chunk()?;
    Some(match *ids {
        [0, 60, 0, 60] => {
            let consumer = text(&mut rest)?;
            let (tag, rest) = rest.split_first_chunk()?;
            Method::Deliver {
                consumer,
                tag: u64::from_be_bytes(*tag),
                redelivered: *rest.first()? != 0,
            }
        }
        [0, 60, 0, 50] => {
            // A code of two bytes and its text.
            rest = rest.get(2..)?;
            text(&mut rest)?;
            let _exchange = text(&mut rest)?;
            Method::Return {
                routing_key: text(&mut rest)?,
            }
        }
        [0, 60, 0, 71] => Method::GetOk,
        [0, 20, 0, 40 | 41] => Method::ChannelEnd,
        [0, 10, 0, 10] => Method::Start {
            // After the version of the protocol, of two bytes, and the size of a table.
            version: rest.get(2 + 4..).and_then(version),
        },
        _ => Method::Other,
    })
}

/// The version among the broker's properties.
fn version(properties: &[u8]) -> Option<(u32, u32)> {
    let mut fields = header_table::fields(properties);
    let version = fields
        .find(|field| field.name == "version")?
        .value
        .as_str()?;
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Makes the text of a refusal valid UTF-8, in place: every byte that is not valid becomes `?`. The
/// broker quotes names in it, and cuts long texts even within a character. lapin gives up a
/// connection whose texts are not UTF-8.
pub(super) fn repair(payload: &mut [u8]) {
    // connection.close and channel.close: the ids, a code of two bytes, and the text.
    if let Some([0, 10, 0, 50] | [0, 20, 0, 40]) = payload.first_chunk()
        && let Some((size, rest)) = payload.get_mut(6..).and_then(|text| text.split_first_mut())
        && let Some(text) = rest.get_mut(..usize::from(*size))
    {
        to_utf8(text);
    }
}

/// Takes a short string: its length takes one byte.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, after) = rest.split_first()?;
    let (text, after) = after.split_at_checked(usize::from(*size))?;
    *rest = after;
    Some(text)
}

fn to_utf8(mut text: &mut [u8]) {
    while let Err(error) = from_utf8(text) {
        let wrong = error.valid_up_to();
        text[wrong] = b'?';
        text = &mut text[wrong..];
    }
}
