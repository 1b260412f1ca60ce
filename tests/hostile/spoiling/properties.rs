//! Properties that are not what they should be.

use super::Spoiling;
use crate::encoding::Field;

pub(super) fn all() -> Vec<Spoiling> {
    let mut all = Vec::new();
    for address in ADDRESSES {
        all.push(text(Field::ReplyTo, address));
    }
    all.push(Spoiling::new(
        "reply_to is a victim's",
        |draft, world, _| {
            draft.properties.text(Field::ReplyTo, &world.victim);
        },
    ));
    for (change, changed) in DIRECT {
        let name = format!("reply_to is a direct one {change}");
        all.push(Spoiling::new(name, move |draft, world, _| {
            let address = changed(&world.direct);
            draft.properties.text(Field::ReplyTo, address);
        }));
    }
    for size in [255, 254] {
        for (field, start) in [
            (Field::ReplyTo, "amq.rabbitmq.reply-to."),
            (Field::ReplyTo, ""),
            (Field::CorrelationId, ""),
            (Field::ContentType, ""),
            (Field::ContentEncoding, ""),
            (Field::MessageId, ""),
            (Field::AppId, ""),
            (Field::ClusterId, ""),
            (Field::Type, ""),
        ] {
            let name = format!("{field:?} of {size} bytes, {start:?} at its start");
            all.push(Spoiling::new(name, move |draft, _, _| {
                draft.properties.text(field, format!("{start:x<size$}"));
            }));
        }
    }
    for size in [0, 1, 35, 36, 37] {
        let name = format!("CorrelationId of {size} bytes");
        all.push(Spoiling::new(name, move |draft, _, rng| {
            let id: String = (0..size).map(|_| rng.alphanumeric()).collect();
            draft.properties.text(Field::CorrelationId, id);
        }));
    }
    for (field, texts) in [
        (Field::CorrelationId, &IDS[..]),
        (Field::Expiration, &EXPIRATIONS),
        (Field::Type, &TYPES),
        (Field::ContentType, &CONTENT_TYPES),
        (Field::ContentEncoding, &["gzip", "utf-16", "\0"]),
        (Field::UserId, &["", "nobody"]),
    ] {
        all.extend(texts.iter().map(|content| text(field, content)));
    }
    all.push(Spoiling::new(
        "user_id is the peer's own",
        |draft, world, _| {
            draft.properties.text(Field::UserId, &world.user);
        },
    ));
    for field in TEXTS {
        all.push(Spoiling::new(
            format!("{field:?} is not UTF-8"),
            move |draft, _, _| {
                draft.properties.text(field, b"\xFF\xFE\xC3");
            },
        ));
        all.push(Spoiling::new(
            format!("no {field:?}"),
            move |draft, _, _| {
                draft.properties.without(field);
            },
        ));
    }
    for (field, bytes) in [
        (Field::DeliveryMode, &[0][..]),
        (Field::DeliveryMode, &[2]),
        (Field::DeliveryMode, &[255]),
        (Field::Priority, &[0]),
        (Field::Priority, &[255]),
        (Field::Timestamp, &[0; 8]),
        (Field::Timestamp, &[255; 8]),
    ] {
        let name = format!("{field:?} is {bytes:?}");
        all.push(Spoiling::new(name, move |draft, _, _| {
            draft.properties.bytes(field, bytes);
        }));
    }
    all.push(Spoiling::new("a further word of flags", |draft, _, _| {
        draft.properties.flags = 1;
    }));
    all.push(Spoiling::new("an unknown flag", |draft, _, _| {
        draft.properties.flags = 2;
    }));
    all.push(Spoiling::new(
        "bytes behind the properties",
        |draft, _, _| {
            draft.properties.tail = b"tail".to_vec();
        },
    ));
    all
}

fn text(field: Field, content: &'static str) -> Spoiling {
    let shown: String = content.chars().take(60).collect();
    Spoiling::new(format!("{field:?} is {shown:?}"), move |draft, _, _| {
        draft.properties.text(field, content);
    })
}

/// What an address for direct replies becomes.
type Change = fn(&str) -> String;

/// Such an address is `amq.rabbitmq.reply-to.`, where the caller is, a dot, and a key.
const DIRECT: [(&str, Change); 8] = [
    ("of a caller that has gone", str::to_owned),
    ("with another key", |address| {
        parts(address, |place, _| (place, "AAAA".to_owned()))
    }),
    ("without a key", |address| {
        parts(address, |place, _| (place, String::new()))
    }),
    ("of a place that is cut", |address| {
        parts(address, |place, key| {
            (place[..place.len() / 4 * 2].to_owned(), key)
        })
    }),
    ("of another place", |address| {
        parts(address, |place, key| (place.replacen("AAA", "AAB", 1), key))
    }),
    ("of another node", |address| {
        // The name of the node is near the start.
        parts(address, |place, key| {
            ([&place[..8], "AAAA", &place[12..]].concat(), key)
        })
    }),
    ("with a third part", |address| format!("{address}.x")),
    ("with a line feed", |address| format!("{address}\n")),
];

fn parts(address: &str, change: impl Fn(String, String) -> (String, String)) -> String {
    let (place, key) = address.rsplit_once('.').unwrap();
    let (start, place) = place.rsplit_once('.').unwrap();
    let (place, key) = change(place.to_owned(), key.to_owned());
    format!("{start}.{place}.{key}")
}

const TEXTS: [Field; 9] = [
    Field::ContentType,
    Field::ContentEncoding,
    Field::CorrelationId,
    Field::ReplyTo,
    Field::Expiration,
    Field::MessageId,
    Field::Type,
    Field::AppId,
    Field::ClusterId,
];

const ADDRESSES: [&str; 26] = [
    "amq.rabbitmq.reply-to.x.y",
    "amq.rabbitmq.reply-to",
    "amq.rabbitmq.reply-to.",
    "amq.rabbitmq.reply-to..",
    "amq.rabbitmq.reply-to.x",
    "amq.rabbitmq.reply-to.\0.\0",
    "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAxMjM0NTY3OAAAAAAAAAAAAAAAAQ==.x",
    "amq.rabbitmq.reply-to.g2dkAA1ub25vZGVAbm9ob3N0AAAB9wAAAAAD.k+6fUDDK7n0gLe8Zl0Sp1g==",
    // As the broker makes them, but of a node that is not there.
    "amq.rabbitmq.reply-to.g1h2AAdyZXBseUAxAAAAAQAAAAAAAAAB.k",
    "amq.rabbitmq.reply-to..x..y.",
    "AMQ.rabbitmq.reply-to.x.y",
    "amq.rabbitmq.event",
    "amq.default",
    "amq.gen-abc",
    "amq.direct",
    "",
    "\0",
    "line\nfeed",
    "\u{202E}\u{FEFF}",
    "plain",
    "again",
    "kept",
    "kept.lost",
    "rpc.lane.plain",
    "rpc.lane.again",
    "rpc.dlx",
];

const IDS: [&str; 5] = [
    "\0",
    "a\nb",
    "6F8A30A4-0E1F-4C7B-8F3F-1D1F6A3C2B10",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{6f8a30a40e1f4c7b8f3f1d1f6a3c2b10}",
];

const EXPIRATIONS: [&str; 15] = [
    "",
    "0",
    "1",
    "00001000",
    "+5",
    " 5",
    "5 ",
    "5.0",
    "-1",
    "soon",
    "0x10",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999999",
];

const TYPES: [&str; 13] = [
    "",
    "call",
    "Call",
    "result",
    "error",
    "batch",
    "one-way",
    "rpc.unreadable",
    "rpc.x",
    "stream",
    "\0",
    "call\n",
    "\u{1F600}",
];

const CONTENT_TYPES: [&str; 6] = [
    "",
    "application/python-pickle",
    "application/vnd.rpc-batch",
    "application/json; charset=utf-16",
    "text/\0",
    "application/JSON",
];
