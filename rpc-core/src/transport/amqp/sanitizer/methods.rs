//! The methods that contain text from other peers.

use std::str::from_utf8;

/// Makes the short strings in the payload of a method frame valid UTF-8, in place: every byte that
/// is not valid becomes `?`.
///
/// Publishers choose exchanges and routing keys. The texts of refusals are written by the broker,
/// but it quotes names in them, and cuts long texts even within a character.
pub(super) fn repair(payload: &mut [u8]) {
    let Some((ids, mut rest)) = payload.split_first_chunk_mut() else {
        return;
    };
    // The ids of a class and of a method, of two bytes each.
    let layout: &[Part] = match *ids {
        // basic.deliver, basic.return, basic.get-ok
        [0, 60, 0, 60] => &[Part::Text, Part::Bytes(9), Part::Text, Part::Text],
        [0, 60, 0, 50] => &[Part::Bytes(2), Part::Text, Part::Text, Part::Text],
        [0, 60, 0, 71] => &[Part::Bytes(9), Part::Text, Part::Text],
        // connection.close, channel.close
        [0, 10, 0, 50] | [0, 20, 0, 40] => &[Part::Bytes(2), Part::Text],
        _ => return,
    };
    for part in layout {
        let size = match part {
            Part::Bytes(size) => *size,
            Part::Text => {
                let Some((size, after)) = rest.split_first_mut() else {
                    return;
                };
                rest = after;
                (*size).into()
            }
        };
        // A payload that is too short is left for lapin to refuse.
        let Some((taken, after)) = rest.split_at_mut_checked(size) else {
            return;
        };
        if let Part::Text = part {
            to_utf8(taken);
        }
        rest = after;
    }
}

enum Part {
    Text,
    Bytes(usize),
}

fn to_utf8(mut text: &mut [u8]) {
    if text.is_ascii() {
        return;
    }
    while let Err(error) = from_utf8(text) {
        let wrong = error.valid_up_to();
        text[wrong] = b'?';
        text = &mut text[wrong..];
    }
}
