//! Headers of every type and size.

use fastrand::Rng;

use super::Spoiling;
use crate::draft::Draft;
use crate::encoding::{Field, Value};

pub(super) fn all() -> Vec<Spoiling> {
    let mut all = Vec::new();
    for (name, value) in values() {
        all.push(header(format!("a header: {name}"), "h", value));
    }
    for name in PROTOCOL {
        for (kind, value) in wrong() {
            all.push(header(format!("{name} is {kind}"), name, value));
        }
    }
    for (name, queue) in [
        ("CC", "plain"),
        ("CC", "rpc.lane.plain"),
        ("BCC", "again"),
        ("CC", "amq.rabbitmq.reply-to.x.y"),
        ("From", "amq.rabbitmq.reply-to.x.y"),
        ("From", "plain"),
        ("x-first-death-reason", "expired"),
        ("x-first-death-reason", "rejected"),
        ("x-first-death-reason", "maxlen"),
    ] {
        let value = match name {
            "CC" | "BCC" => Value::array(&[Value::text(queue)]),
            _ => Value::text(queue),
        };
        all.push(header(format!("{name} names {queue}"), name, value));
    }
    for header in ["From", "CC"] {
        let name = format!("{header} names a victim");
        all.push(Spoiling::new(name, move |draft, world, _| {
            let victim = Value::text(&world.victim);
            let value = match header {
                "CC" => Value::array(&[victim]),
                _ => victim,
            };
            draft.properties.set(header, value);
        }));
    }
    for (shown, name) in [
        ("no name", vec![]),
        ("a name of 255 bytes", vec![b'n'; 255]),
        ("a name that is not UTF-8", b"\xC3".to_vec()),
        ("a name with NUL and a line feed", b"\0\n".to_vec()),
    ] {
        all.push(header(shown, name, Value::long(1)));
    }
    all.push(Spoiling::new("a name twice", |draft, _, _| {
        draft.properties.add("twice", Value::long(1));
        draft.properties.add("twice", Value::bytes(b"2"));
        draft.properties.add("rpc-timeout", Value::long(-1));
    }));
    for (shown, count) in [("1,000", 1_000), ("20,000", 20_000)] {
        all.push(Spoiling::new(
            format!("{shown} tiny headers"),
            move |draft, _, _| {
                for number in 0..count {
                    draft.properties.add(format!("{number:x}"), Value::void());
                }
            },
        ));
    }
    // What a server adds to a dead letter, or to a copy, no longer fits.
    for spare in [0, 1, 20, 60, 100, 1_000, 4_000] {
        let name = format!("headers that leave {spare} bytes of a frame");
        all.push(Spoiling::new(name, move |draft, _, _| {
            fill_frame(draft, spare);
        }));
    }
    let no_table = |content: Vec<u8>| {
        move |draft: &mut Draft, _: &_, _: &mut Rng| {
            draft.properties.bytes(Field::Headers, &content);
        }
    };
    let cut = [&[0, 0, 0, 9][..], b"\x01hS\0\0"].concat();
    all.push(Spoiling::new("a table that is cut", no_table(cut)));
    all.push(Spoiling::new(
        "a table of great length",
        no_table(vec![255, 255, 255, 255]),
    ));
    for seed in 0..30 {
        all.push(Spoiling::new(
            format!("any headers, {seed}"),
            |draft, _, rng| {
                for _ in 0..rng.usize(1..6) {
                    let name: String = (0..rng.usize(0..12)).map(|_| rng.alphanumeric()).collect();
                    let value = any(rng, 4);
                    draft.properties.add(name, value);
                }
            },
        ));
    }
    all
}

fn header(name: impl Into<String>, header: impl AsRef<[u8]>, value: Value) -> Spoiling {
    let header = header.as_ref().to_vec();
    Spoiling::new(name, move |draft, _, _| {
        draft.properties.set(&header, value.clone());
    })
}

/// Adds a header that makes the frame of the properties as large as the broker takes, but for some
/// bytes.
fn fill_frame(draft: &mut Draft, spare: usize) {
    // Class, weight, size of the body; the head of the frame and its end.
    const BESIDE: usize = 12 + 8;
    const FRAME: usize = 131_072;
    draft.properties.set("fill", Value::text(""));
    let size = draft.properties.encode().len() + BESIDE + spare;
    draft
        .properties
        .set("fill", Value::text("f".repeat(FRAME.saturating_sub(size))));
}

fn values() -> Vec<(&'static str, Value)> {
    let many = |value: Value, count| Value::array(&vec![value; count]);
    vec![
        ("1 KB of bytes", Value::bytes(&[200; 1_000])),
        ("20 KB of bytes", Value::bytes(&[200; 20_000])),
        ("100 KB of bytes", Value::bytes(&[200; 100_000])),
        ("no bytes", Value::bytes(b"")),
        ("100 KB of text", Value::text("t".repeat(100_000))),
        ("text that is not UTF-8", Value::text(b"\xFF\xFE")),
        ("text with NUL", Value::text("\0")),
        ("tables, 100 deep", Value::nested(b'F', 100)),
        ("tables, 125 deep", Value::nested(b'F', 125)),
        ("tables, 126 deep", Value::nested(b'F', 126)),
        ("tables, 127 deep", Value::nested(b'F', 127)),
        ("tables, 20,000 deep", Value::nested(b'F', 20_000)),
        ("arrays, 126 deep", Value::nested(b'A', 126)),
        ("arrays, 127 deep", Value::nested(b'A', 127)),
        ("arrays, 25,000 deep", Value::nested(b'A', 25_000)),
        ("100,000 voids", many(Value::void(), 100_000)),
        ("50,000 flags", many(Value::flag(true), 50_000)),
        ("20,000 empty tables", many(Value::table(&[]), 20_000)),
        ("20,000 empty arrays", many(Value::array(&[]), 20_000)),
        ("10,000 numbers", many(Value::long(i64::MIN), 10_000)),
        (
            "20,000 single bytes",
            many(Value::fixed(b'B', &[255]), 20_000),
        ),
        ("a decimal", Value::fixed(b'D', &[2, 0, 0, 1, 0])),
        ("a great decimal", Value::fixed(b'D', &[255; 5])),
        (
            "a timestamp",
            Value::fixed(b'T', &[0, 0, 0, 0, 255, 255, 255, 255]),
        ),
        ("a great timestamp", Value::fixed(b'T', &[255; 8])),
        ("NaN", Value::double(f64::NAN)),
        ("infinity", Value::double(f64::NEG_INFINITY)),
        (
            "a float that is NaN",
            Value::fixed(b'f', &f32::NAN.to_be_bytes()),
        ),
        ("minus zero", Value::double(-0.0)),
        ("a signed byte", Value::fixed(b'b', &[128])),
        ("an unsigned byte", Value::fixed(b'B', &[255])),
        ("a short", Value::fixed(b's', &[128, 0])),
        ("a short of the standard", Value::fixed(b'U', &[128, 0])),
        ("an unsigned short", Value::fixed(b'u', &[255; 2])),
        ("an unsigned integer", Value::fixed(b'i', &[255; 4])),
        ("an integer", Value::fixed(b'I', &[128, 0, 0, 0])),
        ("a long of the standard", Value::fixed(b'L', &[255; 8])),
        ("a flag of 2", Value::fixed(b't', &[2])),
        ("an unknown type", Value::fixed(b'?', &[])),
        ("mixed", mixed()),
    ]
}

fn mixed() -> Value {
    let table = Value::table(&[
        (
            b"a".to_vec(),
            Value::array(&[Value::void(), Value::bytes(b"\0\xFF")]),
        ),
        (b"a".to_vec(), Value::double(1e300)),
    ]);
    Value::array(&[
        Value::long(1),
        Value::text("t"),
        table,
        Value::fixed(b'D', &[1; 5]),
    ])
}

/// Values of a type that no header of the protocol has, or that none should have.
fn wrong() -> Vec<(&'static str, Value)> {
    vec![
        ("a table", Value::table(&[(b"a".to_vec(), Value::long(1))])),
        ("an array", Value::array(&[Value::long(5)])),
        ("an empty array", Value::array(&[])),
        ("20 KB of bytes", Value::bytes(&[255; 20_000])),
        ("void", Value::void()),
        ("true", Value::flag(true)),
        ("false", Value::flag(false)),
        ("minus one", Value::long(-1)),
        ("zero", Value::long(0)),
        ("the greatest number", Value::long(i64::MAX)),
        ("the least number", Value::long(i64::MIN)),
        ("1e300", Value::double(1e300)),
        ("a byte", Value::fixed(b'B', &[255])),
        ("a great timestamp", Value::fixed(b'T', &[255; 8])),
        ("text", Value::text("text\0\n")),
        ("100 KB of text", Value::text("t".repeat(100_000))),
        ("tables, 120 deep", Value::nested(b'F', 120)),
        ("50,000 voids", Value::array(&vec![Value::void(); 50_000])),
    ]
}

/// A value of any type, with at most so many levels below it.
fn any(rng: &mut Rng, levels: usize) -> Value {
    let bytes = |rng: &mut Rng, size: usize| (0..size).map(|_| rng.u8(..)).collect::<Vec<_>>();
    let most = if levels == 0 { 9 } else { 11 };
    match rng.u8(0..most) {
        0 => Value::void(),
        1 => Value::flag(rng.bool()),
        2 => Value::long(rng.i64(..)),
        3 => Value::double(f64::from_bits(rng.u64(..))),
        4 => {
            let size = rng.usize(0..200);
            Value::text(bytes(rng, size))
        }
        5 => {
            let size = rng.usize(0..5_000);
            Value::bytes(&bytes(rng, size))
        }
        6 => Value::fixed(b'D', &bytes(rng, 5)),
        7 => Value::fixed(b'T', &bytes(rng, 8)),
        8 => Value::fixed(b's', &bytes(rng, 2)),
        9 => {
            let values: Vec<_> = (0..rng.usize(0..8)).map(|_| any(rng, levels - 1)).collect();
            Value::array(&values)
        }
        _ => {
            let fields = (0..rng.u8(0..8)).map(|name| (vec![b'a' + name], any(rng, levels - 1)));
            Value::table(&fields.collect::<Vec<_>>())
        }
    }
}

/// Names to which the protocol or the broker gives a meaning.
const PROTOCOL: [&str; 15] = [
    "From",
    "CC",
    "BCC",
    "rpc-timeout",
    "rpc-deadline",
    "rpc-in-time",
    "rpc-idempotent",
    "rpc-attempts",
    "rpc-lane",
    "rpc-method",
    "rpc-unreadable",
    "rpc-properties",
    "x-death",
    "x-first-death-reason",
    "x-delivery-count",
];
