//! Batches whose records are not what they should be.

use super::Spoiling;
use crate::draft::{Draft, Record, now};

pub(super) fn all() -> Vec<Spoiling> {
    let mut all = Vec::new();
    for count in [1, 256, 4_096, 4_097, 20_000] {
        let name = format!("{count} calls");
        all.push(Spoiling::new(name, move |draft, _, _| repeat(draft, count)));
        let name = format!("{count} calls that cannot be decoded");
        all.push(Spoiling::new(name, move |draft, _, _| {
            draft.set_body(b"?".to_vec());
            repeat(draft, count);
        }));
    }
    all.push(Spoiling::new(
        "4,096 calls that take 500 ms",
        |draft, _, _| {
            draft.set_body(b"{\"n\": 0, \"nap\": 500}".to_vec());
            repeat(draft, 4_096);
        },
    ));
    all.push(Spoiling::new(
        "4,096 calls of the same id",
        |draft, _, _| {
            repeat(draft, 4_096);
            draft
                .records
                .iter_mut()
                .for_each(|record| record.id = b"same".to_vec());
        },
    ));
    // A record of a call with a short id has about 60 bytes.
    for end in [0, 1, 2, 3, 12, 20, 27, 28, 32, 60] {
        all.push(Spoiling::new(
            format!("cut after {end} bytes"),
            move |draft, _, _| {
                let mut content = draft.content();
                content.truncate(end);
                draft.set_content(content);
            },
        ));
    }
    for kind in [b'R', b'E', 0, 255, b'c'] {
        let name = format!("a record of type {:?}", char::from(kind));
        all.push(first(name, move |record| record.kind = kind));
    }
    for (shown, id) in [
        ("no id", vec![]),
        ("an id of 255 bytes", vec![b'i'; 255]),
        ("an id that is not UTF-8", vec![255; 16]),
        ("an id with NUL", vec![0]),
    ] {
        all.push(first(shown, move |record| record.id.clone_from(&id)));
    }
    for number in NUMBERS {
        all.push(first(format!("a limit of {number}"), move |record| {
            record.timeout = number;
        }));
        all.push(first(format!("a deadline of {number}"), move |record| {
            record.deadline = number;
        }));
        all.push(first(
            format!("a limit and a deadline of {number}"),
            move |record| {
                record.timeout = number;
                record.deadline = number;
            },
        ));
    }
    all.push(first("a deadline that is over", |record| {
        record.deadline = now() - 60_000;
    }));
    all.push(first("a deadline in a year", |record| {
        record.deadline = now() + YEAR;
    }));
    for (place, length) in [(1, 255), (28, 255), (24, 255)] {
        let name = format!("the byte at {place} is {length}");
        all.push(Spoiling::new(name, move |draft, _, _| {
            let mut content = draft.content();
            if let Some(byte) = content.get_mut(place) {
                *byte = length;
            }
            draft.set_content(content);
        }));
    }
    all.push(Spoiling::new("a batch within a batch", |draft, _, _| {
        let inner = draft.content();
        draft.set_body(inner);
    }));
    all.push(Spoiling::new(
        "bytes behind the last record",
        |draft, _, _| {
            let content = [draft.content(), b"C".to_vec()].concat();
            draft.set_content(content);
        },
    ));
    all.push(Spoiling::new("random bytes", |draft, _, rng| {
        let size = rng.usize(1..300);
        let bytes = (0..size).map(|_| rng.u8(..));
        draft.set_content([b'C'].into_iter().chain(bytes).collect());
    }));
    for headers in HEADERS {
        all.push(with_headers(
            format!("headers {headers}"),
            headers.to_owned(),
        ));
    }
    for (shown, headers) in large_headers() {
        all.push(with_headers(format!("headers with {shown}"), headers));
    }
    all.push(Spoiling::new(
        "256 calls with 100 KB of headers each",
        |draft, _, _| {
            let headers = text_header(100_000).into_bytes();
            draft.records[0].headers = headers;
            repeat(draft, 256);
        },
    ));
    all
}

/// As many calls as this, like the first.
fn repeat(draft: &mut Draft, count: usize) {
    let calls = (0..count).map(|number| Record {
        id: format!("hostile-{number}").into_bytes(),
        ..draft.records[0].clone()
    });
    draft.records = calls.collect();
}

fn first(name: impl Into<String>, spoil: impl Fn(&mut Record) + Send + Sync + 'static) -> Spoiling {
    Spoiling::new(name, move |draft, _, _| spoil(&mut draft.records[0]))
}

/// Each call has them: the copies that are made of them go to different places.
fn with_headers(name: String, headers: String) -> Spoiling {
    Spoiling::new(name, move |draft, _, _| {
        for record in &mut draft.records {
            record.headers = headers.clone().into_bytes();
        }
    })
}

fn text_header(size: usize) -> String {
    format!("{{\"h\": \"{}\"}}", "t".repeat(size))
}

fn large_headers() -> Vec<(&'static str, String)> {
    let nested = |levels| format!("{{\"h\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    let fields: Vec<_> = (0..10_000).map(|n| format!("\"{n:x}\":0")).collect();
    vec![
        ("100 KB of text", text_header(100_000)),
        ("126 KB of text", text_header(126_000)),
        ("131,000 bytes of text", text_header(131_000)),
        ("200 KB of text", text_header(200_000)),
        ("arrays, 100 deep", nested(100)),
        ("arrays, 126 deep", nested(126)),
        ("arrays, 100,000 deep", nested(100_000)),
        (
            "14,000 numbers",
            format!("{{\"h\": [{}0]}}", "0,".repeat(14_000)),
        ),
        (
            "60,000 nulls",
            format!("{{\"h\": [{}null]}}", "null,".repeat(60_000)),
        ),
        ("10,000 fields", format!("{{{}}}", fields.join(","))),
        (
            "a name of 255 bytes",
            format!("{{\"{}\": 1}}", "n".repeat(255)),
        ),
        (
            "a name of 256 bytes",
            format!("{{\"{}\": 1}}", "n".repeat(256)),
        ),
        (
            "a name of 100 KB",
            format!("{{\"{}\": 1}}", "n".repeat(100_000)),
        ),
    ]
}

const NUMBERS: [u64; 8] = [
    0,
    1,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX - 1,
    u64::MAX,
];

/// In milliseconds.
const YEAR: u64 = 365 * 24 * 3_600 * 1_000;

const HEADERS: [&str; 26] = [
    "?",
    "[]",
    "null",
    "{",
    r#"{"a": 1e400}"#,
    r#"{"a": "\ud800"}"#,
    r#"{"a": 18446744073709551615}"#,
    r#"{"From": "plain"}"#,
    r#"{"From": {"a": 1}}"#,
    r#"{"CC": 5}"#,
    r#"{"CC": [5]}"#,
    r#"{"CC": ["plain", "again", "kept"]}"#,
    r#"{"BCC": "again"}"#,
    r#"{"CC": ["amq.rabbitmq.reply-to.x.y"]}"#,
    r#"{"rpc-attempts": 2}"#,
    r#"{"rpc-attempts": 18446744073709551615}"#,
    r#"{"rpc-attempts": {"a": 1}}"#,
    r#"{"rpc-idempotent": null, "rpc-attempts": 1}"#,
    r#"{"rpc-in-time": []}"#,
    r#"{"rpc-timeout": -1, "rpc-deadline": {}}"#,
    r#"{"rpc-lane": "x"}"#,
    r#"{"rpc-method": {"a": 1}}"#,
    r#"{"rpc-unreadable": "x", "rpc-properties": [1]}"#,
    r#"{"x-death": [{"count": 5}]}"#,
    r#"{"x-delivery-count": 1000}"#,
    r#"{"x-first-death-reason": "expired"}"#,
];
