//! Bodies that are not what the handler takes, or no JSON.

use super::Spoiling;

pub(super) fn all() -> Vec<Spoiling> {
    let mut all: Vec<_> = SMALL
        .iter()
        .map(|body| {
            body_of(
                format!("the body is {:?}", String::from_utf8_lossy(body)),
                body,
            )
        })
        .collect();
    for (open, levels) in [
        ("[", 126),
        ("[", 128),
        ("[", 1_000_000),
        ("{\"a\":", 200_000),
    ] {
        let name = format!("the body is {levels} times {open}");
        all.push(Spoiling::new(name, move |draft, _, _| {
            draft.set_body(open.repeat(levels).into_bytes());
        }));
    }
    all.push(Spoiling::new(
        "the body has an argument that is deep",
        |draft, _, _| {
            let deep = ["[".repeat(120), "]".repeat(120)].concat();
            draft.set_body(format!("{{\"n\": {deep}}}").into_bytes());
        },
    ));
    all.push(Spoiling::new(
        "the body has 100,000 arguments",
        |draft, _, _| {
            let arguments: Vec<_> = (0..100_000).map(|n| format!("\"a{n}\": {n}")).collect();
            draft.set_body(format!("{{{}}}", arguments.join(", ")).into_bytes());
        },
    ));
    for size in [1 << 20, LIMIT, LIMIT + 1, 24 << 20] {
        let name = format!("the body has {size} bytes");
        all.push(Spoiling::new(name, move |draft, _, _| {
            let start = b"{\"n\": 0, \"text\": \"";
            let text = size - start.len() - 2;
            draft.set_body([&start[..], &vec![b't'; text], b"\"}"].concat());
        }));
    }
    all
}

fn body_of(name: String, body: &'static [u8]) -> Spoiling {
    Spoiling::new(name, move |draft, _, _| draft.set_body(body.to_vec()))
}

/// The largest body that a server takes by default.
const LIMIT: usize = 16 << 20;

const SMALL: [&[u8]; 25] = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b"\"text\"",
    b"true",
    b"{\"n\": -1}",
    b"{\"n\": 1e400}",
    b"{\"n\": 18446744073709551616}",
    b"{\"n\": 1, \"n\": 2}",
    b"{\"n\": 0, \"nap\": 18446744073709551615}",
    b"{\"n\": \"\\ud800\"}",
    b"{\"n\": 0",
    b"{\"n\": 0}}",
    b"{\"$serde_json::private::RawValue\": \"1\"}",
    b"{\"$serde_json::private::Number\": \"x\"}",
    b"\xEF\xBB\xBF{\"n\": 0}",
    b"\xFF\xFE{\0}\0",
    b"\xFF\xFF\xFF",
    b"\0",
    b"\x80\x04\x95\x0E\0\0\0\0\0\0\0}\x94\x8C\x01n\x94K\0s.",
    b"\x1F\x8B\x08\0\0\0\0\0\0\x03",
    b"{\"error\": {\"type\": 1, \"message\": [], \"args\": {}, \"data\": [[[]]]}}",
];
